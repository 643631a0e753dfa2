//! The packets behind an incident: the last minutes stay in memory, and each new incident writes those between its
//! clients and servers to `DIR/<incident>.pcapng`, with a comment on each frame of evidence.
//!
//! A file appears whole, by renaming; the oldest make room within the budget, which is said. What is written is raw
//! packets: nothing in it is masked.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use crate::cli::{Failure, output};
use crate::decode::{self, Body};
use crate::ingest::{Batch, Frame, FrameRef, Interface, Writer};
use crate::report::schema::{Finding, Incident, Withdrawn};
use crate::report::stream::Tell;
use crate::report::{Findings, Told};
use crate::time::{Nanos, SECOND, Timestamp};

/// Packets are gathered for so long after an incident was told.
const AFTER: Nanos = 10 * SECOND;
/// Findings whose frames are remembered; the oldest make room.
const FINDINGS_MAX: usize = 10_000;
/// Incidents that wait to be written.
const WAITING_MAX: usize = 256;
/// What a packet costs beside its bytes.
const OVERHEAD: usize = 96;

/// Bounds of what is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) window: Nanos,
    pub(super) memory: u64,
    pub(super) budget: u64,
}

/// Whom a finding is about, and its frames with what each is.
struct Proof {
    code: &'static str,
    ends: Option<(IpAddr, IpAddr)>,
    /// By number and place in their file.
    frames: Vec<((u32, u64), &'static str)>,
}

/// What the events said that concerns files; shared with who hears them.
#[derive(Default)]
struct Heard {
    proofs: BTreeMap<String, Proof>,
    order: VecDeque<String>,
    /// Incidents to be written: id, their findings.
    new: Vec<(String, Vec<String>)>,
}

/// Who hears of findings and incidents for the files.
pub(super) struct Ear(Rc<RefCell<Heard>>);

/// The packets, and the incidents that wait for theirs.
pub(super) struct Evidence {
    folder: PathBuf,
    bounds: Bounds,
    kept: VecDeque<(FrameRef, Box<[u8]>)>,
    bytes: usize,
    heard: Rc<RefCell<Heard>>,
    waiting: Vec<(Timestamp, String, Vec<String>)>,
    /// Incidents that had their turn: one that opens again has its file, or had its sentence.
    known: BTreeSet<String>,
}

impl Evidence {
    /// An empty ring; the folder is made if it is not there.
    pub(super) fn open(folder: &Path, bounds: Bounds) -> Result<Self, Failure> {
        fs::create_dir_all(folder)
            .map_err(|error| Failure::usage(format!("--evidence {}: {error}", folder.display())))?;
        Ok(Self {
            folder: folder.to_owned(),
            bounds,
            kept: VecDeque::new(),
            bytes: 0,
            heard: Rc::default(),
            waiting: Vec::new(),
            known: BTreeSet::new(),
        })
    }

    /// Who is to hear of the run.
    pub(super) fn ear(&self) -> Ear {
        Ear(Rc::clone(&self.heard))
    }

    /// Keeps the packets of a batch, and lets go of the oldest.
    pub(super) fn keep(&mut self, batch: &Batch) {
        for at in &batch.frames {
            let bytes: Box<[u8]> = batch.frame(at).bytes.into();
            self.bytes += bytes.len() + OVERHEAD;
            self.kept.push_back((*at, bytes));
        }
        let Some(now) = self.kept.back().map(|(at, _)| at.clock) else {
            return;
        };
        let memory = usize::try_from(self.bounds.memory).unwrap_or(usize::MAX);
        while let Some((at, bytes)) = self.kept.front() {
            if self.bytes <= memory && now.since(at.clock) <= self.bounds.window {
                break;
            }
            self.bytes = self.bytes.saturating_sub(bytes.len() + OVERHEAD);
            self.kept.pop_front();
        }
    }

    /// Writes the incidents whose packets are all there by `now`; at the end all that wait.
    pub(super) fn in_time(&mut self, now: Timestamp, interfaces: &[Interface], ends: bool) {
        for (id, findings) in self.heard.borrow_mut().new.drain(..) {
            if self.known.len() >= FINDINGS_MAX {
                self.known.clear();
            }
            if self.waiting.len() < WAITING_MAX && self.known.insert(id.clone()) {
                self.waiting.push((now.plus(AFTER), id, findings));
            }
        }
        let waiting = std::mem::take(&mut self.waiting);
        let (due, later): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|(when, ..)| ends || now >= *when);
        self.waiting = later;
        for (_, id, findings) in due {
            match self.write(&id, &findings, interfaces) {
                Ok(0) => output::complain(&format!(
                    "--evidence {id}: its packets have left the memory already; a larger --evidence-memory keeps more"
                )),
                Ok(_) => self.make_room(),
                Err(error) => output::complain(&format!(
                    "--evidence {}: {id} is not written: {error}",
                    self.folder.display()
                )),
            }
        }
    }

    /// Writes one incident's packets; gives how many.
    fn write(&self, id: &str, findings: &[String], interfaces: &[Interface]) -> io::Result<u64> {
        let heard = self.heard.borrow();
        let mut ends = BTreeSet::new();
        let mut comments: BTreeMap<(u32, u64), Vec<String>> = BTreeMap::new();
        for finding in findings {
            let Some(proof) = heard.proofs.get(finding) else {
                continue;
            };
            ends.extend(proof.ends);
            for (frame, role) in &proof.frames {
                let comment = format!("{role}: {} {finding}", proof.code);
                comments.entry(*frame).or_default().push(comment);
            }
        }
        let part = self.folder.join(format!(".{id}.part"));
        let whole = self.folder.join(format!("{id}.pcapng"));
        let written = (|| {
            let mut out = BufWriter::new(File::create(&part)?);
            let mut writer =
                Writer::begin(&mut out, concat!("wirefault ", env!("CARGO_PKG_VERSION")))?;
            for (at, bytes) in &self.kept {
                let frame = frame(at, bytes);
                let said = comments.get(&(at.at.frame, at.at.offset));
                let face = interfaces.get(at.interface as usize);
                if let Some(face) = face
                    && (said.is_some() || concerns(&frame, &ends))
                {
                    writer.frame(&frame, face, said.map_or(&[][..], Vec::as_slice))?;
                }
            }
            let frames = writer.finish()?;
            out.flush()?;
            drop(out);
            if frames > 0 {
                fs::rename(&part, &whole)?;
            }
            Ok(frames)
        })();
        if !matches!(written, Ok(1..)) {
            let _ = fs::remove_file(&part);
        }
        written
    }

    /// Removes the oldest files until the rest fits the budget.
    fn make_room(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let mut files: Vec<(SystemTime, PathBuf, u64)> = entries
            .flatten()
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.starts_with("i-") && name.ends_with(".pcapng")
            })
            .filter_map(|entry| {
                let meta = entry.metadata().ok()?;
                Some((meta.modified().ok()?, entry.path(), meta.len()))
            })
            .collect();
        files.sort();
        let mut sum: u64 = files.iter().map(|(.., bytes)| bytes).sum();
        // The newest stays, however large.
        let spare = files.len().saturating_sub(1);
        for (_, path, bytes) in files.iter().take(spare) {
            if sum <= self.bounds.budget {
                break;
            }
            if fs::remove_file(path).is_ok() {
                sum = sum.saturating_sub(*bytes);
                output::complain(&format!(
                    "{}: removed, --evidence-budget is full",
                    path.display()
                ));
            }
        }
    }
}

fn frame<'a>(at: &FrameRef, bytes: &'a [u8]) -> Frame<'a> {
    Frame {
        at: at.at,
        clock: at.clock,
        interface: at.interface,
        link: at.link,
        fcs_len: at.fcs_len,
        wire_len: at.wire_len,
        bytes,
    }
}

/// Between a client and a server of the incident, or an ICMP message to one of its clients.
fn concerns(frame: &Frame<'_>, ends: &BTreeSet<(IpAddr, IpAddr)>) -> bool {
    let packet = decode::decode(frame);
    let Some(ip) = packet.ip else { return false };
    let pair = (ip.source, ip.destination);
    let told = matches!(packet.body, Body::Icmp(_))
        && ends.iter().any(|(client, _)| *client == ip.destination);
    told || ends.contains(&pair) || ends.contains(&(pair.1, pair.0))
}

impl Ear {
    fn learn(&self, row: &Finding) {
        let heard = &mut *self.0.borrow_mut();
        let address = |end: Option<&str>| end.and_then(|ip| ip.parse().ok());
        let client = address(row.client.as_ref().and_then(|end| end.ip.as_deref()));
        let server = address(row.server.as_ref().and_then(|end| end.ip.as_deref()));
        let evidence = row.evidence.iter();
        let proof = Proof {
            code: row.code,
            ends: client.zip(server),
            frames: evidence
                .map(|seen| ((seen.frame, seen.offset), seen.role))
                .collect(),
        };
        if heard.proofs.insert(row.id.clone(), proof).is_none() {
            heard.order.push_back(row.id.clone());
        }
        if heard.order.len() > FINDINGS_MAX
            && let Some(oldest) = heard.order.pop_front()
        {
            heard.proofs.remove(&oldest);
        }
    }
}

impl Tell for Ear {
    fn begin(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn finding(&mut self, row: &Finding) -> io::Result<()> {
        self.learn(row);
        Ok(())
    }

    fn amended(&mut self, row: &Finding, _: u64) -> io::Result<()> {
        self.learn(row);
        Ok(())
    }

    fn withdrawn(&mut self, past: &Withdrawn) -> io::Result<()> {
        let heard = &mut *self.0.borrow_mut();
        heard.new.retain(|(id, _)| *id != past.id);
        Ok(())
    }

    fn incident(&mut self, row: &Incident) -> io::Result<()> {
        if row.state == "open" {
            let new = (row.id.clone(), row.findings.clone());
            self.0.borrow_mut().new.push(new);
        }
        Ok(())
    }

    fn endpoints(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }
}
