//! pcapng (draft-ietf-opsawg-pcapng): sections, interfaces, the blocks that hold packets, and what stands beside them.
//!
//! Frames are numbered as Wireshark does: packet, journal, custom and event blocks count; statistics, names and
//! secrets do not. A block whose lengths contradict each other starts a search for the next one whose lengths agree.

mod interface;

use super::LinkType;
use super::bytes::{Order, options};
use super::note::{Damage, Note};
use super::report::text;
use super::sink::{Found, Sink};
use super::window::Window;
use crate::time::Timestamp;
use interface::{Local, described};

/// Least bytes of a section header block.
pub(super) const SECTION_BYTES: usize = 28;
/// Largest block believed, the same as Wireshark's.
const BLOCK_MAX: u32 = 16 << 20;
/// Interfaces of one section that are kept.
const INTERFACES_MAX: usize = 4096;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const NAMES: u32 = 4;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;
const JOURNAL: u32 = 9;
const SECRETS: u32 = 10;
/// A secrets block's type of a TLS key log (draft-ietf-opsawg-pcapng 4.7).
const TLS_KEY_LOG: u32 = 0x544c_534b;
const CUSTOM: u32 = 0x0bad;
const CUSTOM_PRIVATE: u32 = 0x4000_0bad;

/// The version of the section that `head` begins with.
pub(super) fn version(head: &[u8]) -> Option<(u16, u16)> {
    let order = section_order(head)?;
    Some((order.half(head, 12)?, order.half(head, 14)?))
}

/// Whether `head` begins with a section header.
pub(super) fn begins(head: &[u8]) -> bool {
    head.len() >= SECTION_BYTES
        && Head::read(head, Order::Little).is_some_and(|head| head.kind == SECTION)
}

/// Whether a section header that begins `head` says most significant byte first.
pub(super) fn big_endian(head: &[u8]) -> bool {
    section_order(head) == Some(Order::Big)
}

fn section_order(block: &[u8]) -> Option<Order> {
    match block.get(8..12)? {
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(Order::Big),
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(Order::Little),
        _ => None,
    }
}

/// What every block begins with.
#[derive(Clone, Copy, Debug)]
struct Head {
    kind: u32,
    length: u32,
    order: Order,
}

impl Head {
    /// Type and length, in the order of a section that begins here, else in `order`.
    fn read(bytes: &[u8], order: Order) -> Option<Self> {
        let order = if bytes.starts_with(&SECTION.to_le_bytes()) {
            section_order(bytes)?
        } else {
            order
        };
        Some(Self {
            kind: order.word(bytes, 0)?,
            length: order.word(bytes, 4)?,
            order,
        })
    }

    /// Bytes of the whole block, if its length can be one. Some writers forget the padding.
    fn size(self) -> Option<usize> {
        let least = if self.kind == SECTION {
            SECTION_BYTES as u32
        } else {
            12
        };
        (self.length >= least && self.length <= BLOCK_MAX)
            .then(|| self.length.next_multiple_of(4) as usize)
    }

    /// The length at the end of the block repeats the one at its beginning.
    fn agrees(self, block: &[u8]) -> bool {
        let end = block.len().wrapping_sub(4);
        let padded = |length: u32| length.checked_next_multiple_of(4);
        self.order.word(block, end).is_some_and(|length| {
            padded(length).is_some_and(|length| Some(length) == padded(self.length))
        })
    }

    /// A type that this format defines.
    fn known(self) -> bool {
        matches!(
            self.kind,
            SECTION
                | INTERFACE
                | OLD_PACKET
                | SIMPLE_PACKET
                | NAMES
                | STATISTICS
                | PACKET
                | JOURNAL
                | SECRETS
                | CUSTOM
                | CUSTOM_PRIVATE
        )
    }
}

#[derive(Clone, Debug)]
struct Lost {
    offset: u64,
    frame_before: u32,
    reason: Damage,
}

/// Walks the blocks of one file.
#[derive(Debug, Default)]
pub(super) struct Walker {
    order: Order,
    os: String,
    locals: Vec<Local>,
    sections: u64,
    latest: Timestamp,
    lost: Option<Lost>,
}

impl Walker {
    /// Walks over every block that lies wholly in the window. Says how many bytes it needs to go on, or `None` at
    /// the end of the file.
    pub(super) fn walk(&mut self, window: &mut Window, sink: &mut Sink<'_>) -> Option<usize> {
        loop {
            if self.lost.is_some()
                && let Some(need) = self.search(window, sink)
            {
                return Some(need);
            }
            let rest = window.rest();
            let Some(head) = Head::read(rest, self.order) else {
                if rest.len() < 12 {
                    if !window.ended() {
                        return Some(12);
                    }
                    if !rest.is_empty() {
                        self.truncated(12, window, sink);
                    }
                    return None;
                }
                self.lose(0, window, sink);
                continue;
            };
            let Some(size) = head.size() else {
                self.lose(1, window, sink);
                continue;
            };
            let Some(block) = rest.get(..size) else {
                if !window.ended() {
                    return Some(size);
                }
                if (1..rest.len()).any(|at| {
                    self.block_at(rest.get(at..).unwrap_or(&[]))
                        .is_ok_and(|found| found)
                }) {
                    self.lose(1, window, sink);
                    continue;
                }
                self.truncated(size, window, sink);
                return None;
            };
            if !head.agrees(block) {
                self.lose(1, window, sink);
                continue;
            }
            let place = (window.offset(), window.start());
            match self.block(head, block, place, sink) {
                Ok(()) => window.advance(size),
                Err(reason) => {
                    self.lose(size, window, sink);
                    if let Some(lost) = &mut self.lost {
                        lost.reason = reason;
                    }
                }
            }
        }
    }

    fn truncated(&self, expected: usize, window: &mut Window, sink: &mut Sink<'_>) {
        let found = window.rest().len() as u64;
        sink.report.note(Note::Damaged {
            offset: window.offset(),
            skipped: found,
            frame_before: sink.report.last_frame,
            frame_after: None,
            reason: Damage::Truncated {
                expected: expected as u64,
                found,
            },
        });
        window.advance(usize::MAX);
    }

    /// Begins to search `skip` bytes further on.
    fn lose(&mut self, skip: usize, window: &mut Window, sink: &Sink<'_>) {
        let rest = window.rest();
        self.lost = Some(Lost {
            offset: window.offset(),
            frame_before: sink.report.last_frame,
            reason: Damage::Block {
                kind: self.order.word(rest, 0).unwrap_or(0),
                length: self.order.word(rest, 4).unwrap_or(0),
            },
        });
        window.advance(skip.max(1));
    }

    /// Looks for the next block. `Some(need)` if the window is too short to decide.
    fn search(&mut self, window: &mut Window, sink: &mut Sink<'_>) -> Option<usize> {
        let lost = self.lost.clone()?;
        let (ended, rest) = (window.ended(), window.rest());
        let mut skipped = 0;
        let mut found = false;
        let mut need = None;
        while skipped < rest.len() {
            match self.block_at(rest.get(skipped..).unwrap_or(&[])) {
                Ok(true) => {
                    found = true;
                    break;
                }
                Err(bytes) if !ended => {
                    need = Some(bytes);
                    break;
                }
                Ok(false) | Err(_) => skipped += 1,
            }
        }
        if !found && need.is_none() && !ended {
            need = Some(12);
        }
        window.advance(skipped);
        if need.is_some() {
            return need;
        }
        self.lost = None;
        sink.report.note(Note::Damaged {
            offset: lost.offset,
            skipped: window.offset().saturating_sub(lost.offset),
            frame_before: lost.frame_before,
            frame_after: found.then(|| sink.report.last_frame.saturating_add(1)),
            reason: lost.reason,
        });
        None
    }

    /// Whether a block of a known type with agreeing lengths begins here; `Err` says how many bytes it takes to know.
    fn block_at(&self, here: &[u8]) -> Result<bool, usize> {
        if here.len() < 12 {
            return Err(12);
        }
        let Some(head) = Head::read(here, self.order) else {
            return Ok(false);
        };
        let Some(size) = head.size().filter(|_| head.known() && head.length % 4 == 0) else {
            return Ok(false);
        };
        here.get(..size)
            .map_or(Err(size), |block| Ok(head.agrees(block)))
    }

    fn block(
        &mut self,
        head: Head,
        block: &[u8],
        place: (u64, usize),
        sink: &mut Sink<'_>,
    ) -> Result<(), Damage> {
        let body = block.get(8..block.len().saturating_sub(4)).unwrap_or(&[]);
        let short = Damage::Block {
            kind: head.kind,
            length: head.length,
        };
        let done = match head.kind {
            SECTION => self.section(head, body, sink),
            INTERFACE => self.interface(body, sink),
            PACKET => return self.packet(body, place, sink, &short, Layout::Enhanced),
            OLD_PACKET => return self.packet(body, place, sink, &short, Layout::Old),
            SIMPLE_PACKET => return self.simple_packet(body, place, sink, short),
            STATISTICS => self.statistics(body, sink),
            SECRETS => self.secrets(body, sink),
            NAMES => Some(()),
            // Journal and custom blocks, and the event blocks of Sysdig.
            JOURNAL | CUSTOM | CUSTOM_PRIVATE | 0x204 | 0x208 | 0x216 | 0x221 => {
                sink.other_record();
                Some(())
            }
            _ => {
                sink.report.unknown_blocks += 1;
                Some(())
            }
        };
        done.ok_or(short)
    }

    fn section(&mut self, head: Head, body: &[u8], sink: &mut Sink<'_>) -> Option<()> {
        self.order = head.order;
        self.locals.clear();
        self.os.clear();
        self.sections += 1;
        for (code, value) in options(body.get(16..)?, self.order) {
            match code {
                1 => sink.report.note(Note::Comment {
                    frame: 0,
                    text: text(value),
                }),
                3 => self.os = text(value),
                _ => {}
            }
        }
        Some(())
    }

    fn interface(&mut self, body: &[u8], sink: &mut Sink<'_>) -> Option<()> {
        let link = LinkType(self.order.half(body, 0)?);
        let (told, offset_s) = described(body, self.order, &self.os)?;
        if self.sections <= 1 && self.locals.is_empty() {
            sink.report.format.nanoseconds = told.ticks_per_second > 1_000_000;
        }
        if self.locals.len() < INTERFACES_MAX {
            sink.report.announce(link);
            let id = u32::try_from(self.locals.len()).unwrap_or(0);
            self.locals.push(Local::new(id, told, offset_s, sink));
        }
        Some(())
    }

    fn packet(
        &mut self,
        body: &[u8],
        place: (u64, usize),
        sink: &mut Sink<'_>,
        short: &Damage,
        layout: Layout,
    ) -> Result<(), Damage> {
        let order = self.order;
        let word = |at| order.word(body, at).ok_or_else(|| short.clone());
        let id = match layout {
            Layout::Enhanced => word(0)?,
            Layout::Old => u32::from(order.half(body, 0).ok_or_else(|| short.clone())?),
        };
        let local = *self
            .locals
            .get(id as usize)
            .ok_or(Damage::Interface { id })?;
        let time = local.time(u64::from(word(4)?) << 32 | u64::from(word(8)?));
        let (len, wire_len) = (word(12)?, word(16)?);
        let data = body.get(20..).unwrap_or(&[]);
        if len as usize > data.len() {
            return Err(short.clone());
        }
        let mut fcs_len = local.fcs_len;
        let frame = sink.report.last_frame.saturating_add(1);
        let padded = (len as usize).next_multiple_of(4);
        if data.len() > padded {
            for (code, value) in options(data.get(padded..).unwrap_or(&[]), order) {
                match code {
                    1 => sink.report.note(Note::Comment {
                        frame,
                        text: text(value),
                    }),
                    // Bits 5 to 8 of the flags count the check sequence's bytes, 0 for unknown.
                    2 => {
                        let told = (order.word(value, 0).unwrap_or(0) >> 5 & 0xf) as u8;
                        fcs_len = if told == 0 { fcs_len } else { told };
                    }
                    4 => local.dropped(order.long(value, 0).unwrap_or(0), frame, sink),
                    _ => {}
                }
            }
        }
        if layout == Layout::Old
            && let Some(lost @ 1..=0xfffe) = order.half(body, 2)
        {
            local.dropped(u64::from(lost), frame, sink);
        }
        self.latest = time;
        sink.frame(Found {
            time,
            offset: place.0,
            face: local.face,
            link: local.link,
            fcs_len,
            wire_len,
            start: place.1 + 28,
            len,
        });
        Ok(())
    }

    /// A packet without time or interface: the section's first interface, the time of the packet before.
    fn simple_packet(
        &mut self,
        body: &[u8],
        place: (u64, usize),
        sink: &mut Sink<'_>,
        short: Damage,
    ) -> Result<(), Damage> {
        let local = *self.locals.first().ok_or(Damage::Interface { id: 0 })?;
        let Some(wire_len) = self.order.word(body, 0) else {
            return Err(short);
        };
        let there = u32::try_from(body.len().saturating_sub(4)).unwrap_or(u32::MAX);
        let kept = if local.snaplen == 0 {
            wire_len
        } else {
            wire_len.min(local.snaplen)
        };
        sink.frame(Found {
            time: self.latest,
            offset: place.0,
            face: local.face,
            link: local.link,
            fcs_len: local.fcs_len,
            wire_len,
            start: place.1 + 12,
            len: kept.min(there),
        });
        Ok(())
    }

    fn statistics(&mut self, body: &[u8], sink: &mut Sink<'_>) -> Option<()> {
        let local = self.locals.get_mut(self.order.word(body, 0)? as usize)?;
        local.statistics(body, self.order, sink)
    }

    fn secrets(&self, body: &[u8], sink: &mut Sink<'_>) -> Option<()> {
        let kind = self.order.word(body, 0)?;
        let length = self.order.word(body, 4)? as usize;
        let bytes = body.get(8..)?.get(..length)?;
        sink.secrets(bytes.len() as u64, (kind == TLS_KEY_LOG).then_some(bytes));
        Some(())
    }
}

/// Which of the two packet blocks with a time stamp.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Enhanced,
    Old,
}
