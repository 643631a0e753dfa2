//! One interface of a section: what its description block says, its clock, and the packets it lost
//! (draft-ietf-opsawg-pcapng 4.2 and 4.6).

use super::super::LinkType;
use super::super::bytes::{Order, options};
use super::super::note::Note;
use super::super::report::{Interface, text};
use super::super::sink::Sink;
use crate::mark::Mark;
use crate::time::{SECOND, Timestamp};

/// An interface of the current section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    pub(super) face: u32,
    pub(super) link: LinkType,
    pub(super) fcs_len: u8,
    pub(super) snaplen: u32,
    ticks: u64,
    offset_s: i64,
    drops: (u64, u64),
    /// The last frame before its last statistics.
    told: Mark,
}

/// Reads an interface description block; with it the seconds to add to its time stamps.
pub(super) fn described(body: &[u8], order: Order, os: &str) -> Option<(Interface, i64)> {
    let mut told = Interface {
        link: LinkType(order.half(body, 0)?),
        snaplen: order.word(body, 4)?,
        ticks_per_second: 1_000_000,
        os: os.to_owned(),
        ..Interface::default()
    };
    let mut offset_s = 0;
    for (code, value) in options(body.get(8..)?, order) {
        match (code, value) {
            (2, _) => told.name = text(value),
            (3, _) => told.description = text(value),
            (9, [resolution, ..]) => told.ticks_per_second = ticks(*resolution),
            // The first byte says how the filter is written; 0 is a libpcap expression.
            (11, [0, filter @ ..]) => told.filter = text(filter),
            (12, _) => told.os = text(value),
            // The draft says bits, many writers count bytes: no check sequence has 16 bytes.
            (13, [length, ..]) => told.fcs_len = if *length >= 16 { length / 8 } else { *length },
            (14, _) => offset_s = order.long(value, 0).unwrap_or(0).cast_signed(),
            _ => {}
        }
    }
    Some((told, offset_s))
}

impl Local {
    /// Number `id` of its section, as described.
    pub(super) fn new(id: u32, told: Interface, offset_s: i64, sink: &mut Sink<'_>) -> Self {
        Self {
            link: told.link,
            fcs_len: told.fcs_len,
            snaplen: told.snaplen,
            ticks: told.ticks_per_second,
            offset_s,
            drops: (0, 0),
            told: Mark::default(),
            face: sink.faces.place(id, told),
        }
    }

    /// The moment of a time stamp in the interface's units.
    pub(super) fn time(&self, units: u64) -> Timestamp {
        let ns = match self.ticks {
            1_000_000 => i128::from(units) * 1_000,
            1_000_000_000 => i128::from(units),
            ticks => i128::from(units) * i128::from(SECOND) / i128::from(ticks.max(1)),
        };
        let ns = ns + i128::from(self.offset_s) * i128::from(SECOND);
        Timestamp::from_ns(i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Takes an interface statistics block: what was lost since the one before.
    pub(super) fn statistics(
        &mut self,
        body: &[u8],
        order: Order,
        sink: &mut Sink<'_>,
    ) -> Option<()> {
        let (mut by_interface, mut by_system) = self.drops;
        for (code, value) in options(body.get(12..)?, order) {
            match code {
                5 => by_interface = order.long(value, 0)?,
                7 => by_system = order.long(value, 0)?,
                _ => {}
            }
        }
        let more = (
            by_interface.saturating_sub(self.drops.0),
            by_system.saturating_sub(self.drops.1),
        );
        if more != (0, 0) {
            sink.report.mark(self.told);
            sink.report.note(Note::Dropped {
                interface: self.face,
                by_interface: more.0,
                by_system: more.1,
                frame_before: self.told.frame,
                frame_last: sink.report.last_frame,
            });
            if let Some(face) = sink.faces.list.get_mut(self.face as usize) {
                face.told.interface_drops = face.told.interface_drops.saturating_add(more.0);
                face.told.system_drops = face.told.system_drops.saturating_add(more.1);
            }
        }
        self.drops = (by_interface, by_system);
        self.told = sink.report.latest;
        Some(())
    }

    /// Packets that were lost just before the one numbered `frame`, by a packet block's own word.
    pub(super) fn dropped(&self, lost: u64, frame: u32, sink: &mut Sink<'_>) {
        if lost == 0 {
            return;
        }
        sink.report.note(Note::Dropped {
            interface: self.face,
            by_interface: lost,
            by_system: 0,
            frame_before: frame.saturating_sub(1),
            frame_last: frame,
        });
    }
}

/// Ticks in a second: the top bit says whether the rest is a power of 2 or of 10.
fn ticks(resolution: u8) -> u64 {
    let power = u32::from(resolution & 0x7f);
    let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(power).unwrap_or(u64::MAX)
}
