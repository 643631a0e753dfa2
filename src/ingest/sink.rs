//! Where the walkers of both formats put the frames they find.
//!
//! One call a frame, no allocation beyond the batch's own growth; it numbers the frames and keeps the
//! tallies of the file and of the interface.

use super::report::{FileReport, Interface};
use super::{FrameRef, LinkType, Secrets};
use crate::mark::Mark;
use crate::time::{MILLISECOND, Timestamp};
use std::collections::HashMap;

/// Interfaces kept of one capture point; further ones share the last.
const FACES_MAX: usize = 4096;

/// An interface as one capture point knows it.
#[derive(Debug, Default)]
pub(super) struct Face {
    pub(super) told: Interface,
    latest: Option<Timestamp>,
    /// Index in the run's list, given when its first frame is handed out.
    pub(super) global: Option<u32>,
}

/// All interfaces of one capture point, the same ones for every file of its set.
#[derive(Debug, Default)]
pub(super) struct Faces {
    pub(super) list: Vec<Face>,
    known: HashMap<(u32, u16, u8, String), u32>,
}

impl Faces {
    /// The place of an interface: number `id` of its section, described by `told`.
    pub(super) fn place(&mut self, id: u32, told: Interface) -> u32 {
        let key = (id, told.link.0, told.fcs_len, told.name.clone());
        if let Some(&place) = self.known.get(&key) {
            return place;
        }
        let place = u32::try_from(self.list.len().min(FACES_MAX - 1)).unwrap_or(0);
        if self.list.len() < FACES_MAX {
            self.known.insert(key, place);
            self.list.push(Face {
                told,
                latest: None,
                global: None,
            });
        }
        place
    }
}

/// One record as a walker found it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) time: Timestamp,
    pub(super) offset: u64,
    pub(super) face: u32,
    pub(super) link: LinkType,
    pub(super) fcs_len: u8,
    pub(super) wire_len: u32,
    /// Place of the bytes in the current block, and their number.
    pub(super) start: usize,
    pub(super) len: u32,
}

/// Takes the frames of one file.
pub(super) struct Sink<'a> {
    pub(super) frames: &'a mut Vec<FrameRef>,
    pub(super) secrets: &'a mut Vec<Secrets>,
    pub(super) report: &'a mut FileReport,
    pub(super) faces: &'a mut Faces,
    pub(super) file: u32,
    pub(super) block: u16,
}

impl Sink<'_> {
    /// One more frame.
    #[inline]
    pub(super) fn frame(&mut self, found: Found) {
        let report = &mut *self.report;
        report.last_frame = report.last_frame.saturating_add(1);
        report.packets += 1;
        report.bytes = report.bytes.saturating_add(u64::from(found.len));
        let at = Mark {
            time: found.time,
            offset: found.offset,
            file: self.file,
            frame: report.last_frame,
        };
        report.latest = at;
        if std::mem::take(&mut report.mark_next) {
            report.mark(at);
        }
        if found.len < found.wire_len {
            report.cut.count(at);
        }
        report.first_time = Some(
            report
                .first_time
                .map_or(at.time, |first| first.min(at.time)),
        );
        report.last_time = Some(report.last_time.map_or(at.time, |last| last.max(at.time)));
        if let Some(face) = self.faces.list.get_mut(found.face as usize) {
            face.told.packets += 1;
            let latest = face.latest.unwrap_or(at.time);
            let back = latest.since(at.time);
            if back > MILLISECOND {
                report.disorder.count(at);
                report.disorder_max_ns = report.disorder_max_ns.max(back);
            }
            face.latest = Some(latest.max(at.time));
        }
        self.frames.push(FrameRef {
            at,
            clock: at.time,
            interface: found.face,
            wire_len: found.wire_len,
            link: found.link,
            fcs_len: found.fcs_len,
            block: self.block,
            start: u32::try_from(found.start).unwrap_or(u32::MAX),
            len: found.len,
        });
    }

    /// A decryption secrets block; the lines are those of a TLS key log, if it is one.
    pub(super) fn secrets(&mut self, bytes: u64, lines: Option<&[u8]>) {
        self.report.secrets += 1;
        self.report.secrets_bytes += bytes;
        if let Some(lines) = lines {
            self.secrets.push(Secrets {
                place: self.frames.len(),
                late: self.report.packets > 0,
                lines: lines.to_vec(),
            });
        }
    }

    /// A record that takes a number but holds no packet.
    pub(super) fn other_record(&mut self) {
        self.report.last_frame = self.report.last_frame.saturating_add(1);
        self.report.other_records += 1;
    }
}
