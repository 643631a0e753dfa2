//! `wirefault extract`: the packets behind findings, or of whole flows, as pcapng.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;

use crate::cli::again::{self, First, Second};
use crate::cli::chosen::{self, Chosen};
use crate::cli::{Common, Failure, Ids, input, output};
use crate::decode::{Body, decode};
use crate::engine::trace::Flows;
use crate::ingest::{Frame, Interface, Writer};
use crate::limits::PIECES_WAITING_MAX;
use crate::mark::Mark;
use crate::report;

/// Reads twice, writes.
pub(crate) fn run(mut common: Common, mut ids: Ids) -> Result<u8, Failure> {
    chosen::sort(&mut common, &mut ids);
    let path = common.output.clone().ok_or_else(|| {
        Failure::usage("extract: no file to write to; name it with -o out.pcapng")
    })?;
    if ids.finding.is_empty() && ids.flow.is_empty() {
        return Err(Failure::usage(
            "extract: nothing is asked for; give --finding ID or --flow ID, `wirefault analyze PATH --format csv` lists them",
        ));
    }
    let first = again::first(&common, "extract")?;
    input::spare(Some(&path), &first.files)?;
    let chosen = Chosen::find(&ids, &first, "extract")?;
    if chosen.flows.is_empty()
        && chosen
            .findings(&first)
            .all(|(_, finding)| finding.evidence.is_empty())
    {
        return Err(Failure::usage(
            "extract: no frame stands behind this; `wirefault analyze` tells what it is based on",
        ));
    }
    let mut second = Some(Second::open(&common, &first.files)?);
    let (mut lacking, mut frames) = (0, 0);
    output::write_as_made(Some(&path), &mut |out| {
        let mut picker = Picker::new(&chosen, &first);
        let mut writer = Writer::begin(out, concat!("wirefault ", env!("CARGO_PKG_VERSION")))?;
        if let Some(second) = second.take() {
            second.each(&mut |frame, interface| {
                picker.take(frame, interface, &mut writer)?;
                Ok(!picker.is_through())
            })?;
        }
        lacking = picker.evidence.len();
        frames = writer.finish()?;
        Ok(())
    })?;
    if lacking > 0 {
        output::complain(&format!(
            "{lacking} frames of evidence were not met again; did an input change meanwhile?"
        ));
    }
    if !common.quiet {
        output::remark(&format!(
            "{frames} packet{} written to {}; the bytes are as captured, nothing is masked",
            if frames == 1 { "" } else { "s" },
            path.display()
        ));
    }
    Ok(if first.skipped || lacking > 0 { 4 } else { 0 })
}

/// A fragment that waits for the rest of its packet.
struct Piece {
    packet: PieceOf,
    at: Mark,
    interface: u32,
    wire_len: u32,
    bytes: Vec<u8>,
}

/// What the fragments of one packet share, and where they were captured.
type PieceOf = (IpAddr, IpAddr, u8, u32, u32);

/// Knows which frames are wanted, and what is to be said of them.
struct Picker<'a> {
    /// Comments by file and frame; taken out when the frame is met.
    evidence: BTreeMap<(u32, u32), Vec<String>>,
    flows: Flows,
    chosen: &'a Chosen,
    first: &'a First,
    pieces: VecDeque<Piece>,
}

impl<'a> Picker<'a> {
    fn new(chosen: &'a Chosen, first: &'a First) -> Self {
        let mut evidence: BTreeMap<(u32, u32), Vec<String>> = BTreeMap::new();
        for (id, finding) in chosen.findings(first) {
            for seen in &finding.evidence {
                let comments = evidence.entry((seen.at.file, seen.at.frame)).or_default();
                comments.push(format!("{}: {} {id}", seen.role, finding.class.code));
            }
        }
        let flows: Vec<_> = chosen.flows.iter().map(|flow| flow.flow).collect();
        Self {
            evidence,
            flows: Flows::new(&first.rows, &flows),
            chosen,
            first,
            pieces: VecDeque::new(),
        }
    }

    /// Nothing more can come.
    fn is_through(&self) -> bool {
        self.evidence.is_empty() && self.chosen.flows.is_empty()
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        interface: &Interface,
        writer: &mut Writer<'_>,
    ) -> io::Result<()> {
        let place = (frame.at.file, frame.at.frame);
        let mut comments = self.evidence.remove(&place).unwrap_or_default();
        let flow = if self.chosen.flows.is_empty() {
            None
        } else {
            self.flows.of(frame)
        };
        let packet = if self.chosen.flows.is_empty() {
            None
        } else {
            piece_of(frame)
        };
        let flow = flow.and_then(|flow| self.chosen.flows.get(flow));
        if let Some(flow) = flow {
            comments.push(format!("flow {}", flow.id));
            self.take_pieces(packet, &flow.id, interface, writer)?;
        }
        if !comments.is_empty() {
            return self.write(frame, interface, &comments, writer);
        }
        if let Some(packet) = packet {
            if self.pieces.len() >= PIECES_WAITING_MAX {
                self.pieces.pop_front();
            }
            self.pieces.push_back(Piece {
                packet,
                at: frame.at,
                interface: frame.interface,
                wire_len: frame.wire_len,
                bytes: frame.bytes.to_vec(),
            });
        }
        Ok(())
    }

    /// The other fragments of a packet of the flow.
    fn take_pieces(
        &mut self,
        packet: Option<PieceOf>,
        flow: &str,
        interface: &Interface,
        writer: &mut Writer<'_>,
    ) -> io::Result<()> {
        let Some(packet) = packet else { return Ok(()) };
        let (own, others): (VecDeque<Piece>, _) = std::mem::take(&mut self.pieces)
            .into_iter()
            .partition(|piece| piece.packet == packet);
        self.pieces = others;
        for piece in own {
            let frame = Frame {
                at: piece.at,
                clock: piece.at.time,
                interface: piece.interface,
                link: interface.link,
                fcs_len: interface.fcs_len,
                wire_len: piece.wire_len,
                bytes: &piece.bytes,
            };
            self.write(&frame, interface, &[format!("flow {flow}")], writer)?;
        }
        Ok(())
    }

    /// Every comment says where the frame stood, for it gets a new number.
    fn write(
        &self,
        frame: &Frame<'_>,
        interface: &Interface,
        comments: &[String],
        writer: &mut Writer<'_>,
    ) -> io::Result<()> {
        let file = self.first.files.get(frame.at.file as usize);
        let path = file.map_or(String::new(), |file| {
            report::shown(&file.path, &self.first.settings)
        });
        let comments: Vec<String> = comments
            .iter()
            .map(|comment| format!("{comment} (frame {} of {path})", frame.at.frame))
            .collect();
        if interface.name.is_empty() && interface.description.is_empty() {
            // A pcap file does not name its interface: the file's name tells several apart.
            let named = Interface {
                description: path,
                ..interface.clone()
            };
            return writer.frame(frame, &named, &comments);
        }
        writer.frame(frame, interface, &comments)
    }
}

fn piece_of(frame: &Frame<'_>) -> Option<PieceOf> {
    let packet = decode(frame);
    match (packet.body, packet.ip) {
        (Body::Fragment(piece), Some(ip)) => Some((
            ip.source,
            ip.destination,
            ip.protocol,
            piece.id,
            frame.interface,
        )),
        _ => None,
    }
}
