//! Classic pcap (draft-ietf-opsawg-pcap): file header, record headers, and how to find the next record after damage.
//!
//! Micro- and nanoseconds, both byte orders, Kuznetzov's 24-byte record headers, the frame check sequence bits of
//! the link-type word, and the swapped lengths that files before version 2.4 hold. A record header that cannot be
//! one starts a search for a chain of plausible ones. It leaves out what is inside the frames.

use super::LinkType;
use super::note::{Damage, Note};
use super::report::Interface;
use super::sink::{Found, Sink};
use super::window::Window;
use crate::time::{SECOND, Timestamp};

/// Bytes of the file header.
pub(super) const HEADER: usize = 24;
/// Bytes of a plain record header.
const RECORD: usize = 16;
/// Largest captured length that libpcap and Wireshark let a record have, whatever its file says.
const CAPTURED_MAX: u32 = 262_144;
/// Largest one believed where the file's own snaplen is above that.
const SNAPLEN_MAX: u32 = 16 << 20;
/// Record headers in a row that make a chain credible.
const CHAIN: u32 = 4;
/// How far two neighbours of a chain, or a chain and what was read before it, may lie apart.
const CHAIN_SPAN_S: u32 = 86_400;

/// What the file header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) big_endian: bool,
    pub(super) nanoseconds: bool,
    pub(super) modified: bool,
    pub(super) major: u16,
    pub(super) minor: u16,
    pub(super) snaplen: u32,
    pub(super) link: LinkType,
    pub(super) fcs_len: u8,
}

impl Header {
    /// Reads the 24 bytes; `None` if they do not begin with a magic number of this format.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<HEADER>()?;
        let magic = word(bytes, 0, false);
        let (big_endian, magic) = match magic {
            0xa1b2_c3d4 | 0xa1b2_3c4d | 0xa1b2_cd34 => (false, magic),
            _ => (true, magic.swap_bytes()),
        };
        let (nanoseconds, modified) = match magic {
            0xa1b2_c3d4 => (false, false),
            0xa1b2_3c4d => (true, false),
            0xa1b2_cd34 => (false, true),
            _ => return None,
        };
        let version = word(bytes, 4, big_endian);
        let (major, minor) = if big_endian {
            ((version >> 16) as u16, version as u16)
        } else {
            (version as u16, (version >> 16) as u16)
        };
        let link = word(bytes, 20, big_endian);
        // Bit 26 says that the top four bits count the check sequence in units of two bytes.
        let fcs_len = if link & 0x0400_0000 != 0 {
            (link >> 28) as u8 * 2
        } else {
            0
        };
        Some(Self {
            big_endian,
            nanoseconds,
            modified,
            major,
            minor,
            snaplen: word(bytes, 16, big_endian),
            link: LinkType(link as u16),
            fcs_len,
        })
    }
}

impl Header {
    /// A version that libpcap reads: up to 2.4, and the 543.0 that some tools write.
    pub(super) const fn is_read(&self) -> bool {
        matches!((self.major, self.minor), (2, 0..=4) | (543, 0))
    }
}

/// Whether `head` begins with a magic number of this format.
pub(super) fn magic(head: &[u8]) -> bool {
    matches!(
        head,
        [0xa1, 0xb2, 0xc3, 0xd4, ..]
            | [0xa1, 0xb2, 0x3c, 0x4d, ..]
            | [0xa1, 0xb2, 0xcd, 0x34, ..]
            | [0xd4, 0xc3, 0xb2, 0xa1, ..]
            | [0x4d, 0x3c, 0xb2, 0xa1, ..]
            | [0x34, 0xcd, 0xb2, 0xa1, ..]
    )
}

fn word(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let four = bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk::<4>)
        .copied()
        .unwrap_or_default();
    if big_endian {
        u32::from_be_bytes(four)
    } else {
        u32::from_le_bytes(four)
    }
}

/// One record header.
#[derive(Clone, Copy, Debug)]
struct Record {
    second: u32,
    fraction: u32,
    captured: u32,
    wire: u32,
}

/// A search for the next record.
#[derive(Clone, Debug)]
struct Lost {
    offset: u64,
    frame_before: u32,
    reason: Damage,
}

/// Whether a chain of records begins at a place.
enum Chain {
    Yes,
    No,
    Need(usize),
}

/// Walks the records of one file.
#[derive(Debug)]
pub(super) struct Walker {
    header: Header,
    face: u32,
    record_bytes: usize,
    captured_max: u32,
    /// Second of the last record, for what is plausible; `None` before the first.
    second: Option<u32>,
    lost: Option<Lost>,
}

impl Walker {
    /// After `header`, which the caller has walked over.
    pub(super) fn new(header: Header, sink: &mut Sink<'_>) -> Self {
        let face = sink.faces.place(
            0,
            Interface {
                link: header.link,
                fcs_len: header.fcs_len,
                snaplen: header.snaplen,
                ticks_per_second: if header.nanoseconds {
                    1_000_000_000
                } else {
                    1_000_000
                },
                ..Interface::default()
            },
        );
        sink.report.announce(header.link);
        Self {
            header,
            face,
            record_bytes: if header.modified { RECORD + 8 } else { RECORD },
            captured_max: CAPTURED_MAX.max(header.snaplen.min(SNAPLEN_MAX)),
            second: None,
            lost: None,
        }
    }

    /// Walks over every record that lies wholly in the window. Says how many bytes it needs to go on, or `None`
    /// at the end of the file.
    pub(super) fn walk(&mut self, window: &mut Window, sink: &mut Sink<'_>) -> Option<usize> {
        loop {
            if let Some(need) = self.records(window, sink) {
                if !window.ended() {
                    return Some(need);
                }
                let rest = window.rest();
                if rest.is_empty() {
                    return None;
                }
                if !self.hides_records(rest) {
                    sink.report.note(Note::Damaged {
                        offset: window.offset(),
                        skipped: rest.len() as u64,
                        frame_before: sink.report.last_frame,
                        frame_after: None,
                        reason: Damage::Truncated {
                            expected: need as u64,
                            found: rest.len() as u64,
                        },
                    });
                    window.advance(usize::MAX);
                    return None;
                }
                self.lose(window, sink);
            }
            if let Some(need) = self.search(window, sink) {
                return Some(need);
            }
            if window.ended() && window.rest().is_empty() {
                return None;
            }
        }
    }

    /// The plain case: record after record. `Some(need)` where the window ends, `None` where `self.lost` says why.
    fn records(&mut self, window: &mut Window, sink: &mut Sink<'_>) -> Option<usize> {
        if self.lost.is_some() {
            return None;
        }
        let (offset, start) = (window.offset(), window.start());
        let mut walked = 0_usize;
        let rest = window.rest();
        let stop = loop {
            let here = rest.get(walked..).unwrap_or(&[]);
            let Some(record) = self.record(here) else {
                break Some(self.record_bytes);
            };
            if record.captured > self.captured_max {
                break None;
            }
            let size = self.record_bytes + record.captured as usize;
            if !self.plausible(&record, self.second) {
                match self.doubt(here, size) {
                    Chain::No => break None,
                    Chain::Need(need) if !window.ended() => break Some(need),
                    Chain::Need(_) | Chain::Yes => {}
                }
            }
            if here.len() < size {
                break Some(size);
            }
            sink.frame(Found {
                time: self.time(&record),
                offset: offset.saturating_add(walked as u64),
                face: self.face,
                link: self.header.link,
                fcs_len: self.header.fcs_len,
                wire_len: record.wire,
                start: start + walked + self.record_bytes,
                len: record.captured,
            });
            self.second = Some(record.second);
            walked += size;
        };
        window.advance(walked);
        if stop.is_none() {
            self.lose(window, sink);
        }
        stop
    }

    fn record(&self, bytes: &[u8]) -> Option<Record> {
        let header = bytes.get(..self.record_bytes)?;
        let big_endian = self.header.big_endian;
        let mut record = Record {
            second: word(header, 0, big_endian),
            fraction: word(header, 4, big_endian),
            captured: word(header, 8, big_endian),
            wire: word(header, 12, big_endian),
        };
        // Before version 2.3 the two lengths stood in the other order, in 2.3 in either.
        if self.header.minor < 3 || (self.header.minor == 3 && record.captured > record.wire) {
            std::mem::swap(&mut record.captured, &mut record.wire);
        }
        Some(record)
    }

    fn time(&self, record: &Record) -> Timestamp {
        let unit = if self.header.nanoseconds { 1 } else { 1_000 };
        Timestamp::from_ns(i64::from(record.second) * SECOND + i64::from(record.fraction) * unit)
    }

    /// Nothing in this header speaks against it, `near` being the second of a record beside it.
    fn plausible(&self, record: &Record, near: Option<u32>) -> bool {
        let fractions = if self.header.nanoseconds {
            1_000_000_000
        } else {
            1_000_000
        };
        record.fraction < fractions
            && record.captured <= record.wire
            && record.captured <= self.captured_max
            && (record.second | record.wire) != 0
            && near.is_none_or(|near| near.abs_diff(record.second) <= CHAIN_SPAN_S)
    }

    /// An odd header is believed if one that is not absurd follows its record, or the file ends there.
    fn doubt(&self, here: &[u8], size: usize) -> Chain {
        let Some(next) = here.get(size..) else {
            return Chain::Need(size + self.record_bytes);
        };
        match self.record(next) {
            Some(next) if next.captured > self.captured_max => Chain::No,
            Some(next) if (next.second | next.captured | next.wire) == 0 => Chain::No,
            Some(_) => Chain::Yes,
            None => Chain::Need(size + self.record_bytes),
        }
    }

    /// Whether a chain of records begins within a last record that its length takes beyond the end of the file.
    fn hides_records(&self, rest: &[u8]) -> bool {
        let odd = self
            .record(rest)
            .is_some_and(|record| !self.plausible(&record, self.second));
        odd && (1..rest.len())
            .any(|at| matches!(self.chain(rest.get(at..).unwrap_or(&[]), true), Chain::Yes))
    }

    fn lose(&mut self, window: &mut Window, sink: &Sink<'_>) {
        let record = self.record(window.rest());
        self.lost = Some(Lost {
            offset: window.offset(),
            frame_before: sink.report.last_frame,
            reason: Damage::Header {
                captured: record.map_or(0, |record| record.captured),
                wire: record.map_or(0, |record| record.wire),
            },
        });
        window.advance(1);
    }

    /// Looks for the next chain of records. `Some(need)` if the window is too short to decide.
    fn search(&mut self, window: &mut Window, sink: &mut Sink<'_>) -> Option<usize> {
        let lost = self.lost.clone()?;
        let ended = window.ended();
        let rest = window.rest();
        let mut skipped = 0_usize;
        let mut found = false;
        let need = loop {
            let here = rest.get(skipped..).unwrap_or(&[]);
            if here.is_empty() {
                break (!ended).then_some(self.record_bytes);
            }
            match self.chain(here, ended) {
                Chain::Yes => {
                    found = true;
                    break None;
                }
                Chain::No => skipped += 1,
                Chain::Need(need) => break Some(need),
            }
        };
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

    /// Whether `CHAIN` plausible records, or fewer that end exactly with the file, begin here.
    fn chain(&self, here: &[u8], ended: bool) -> Chain {
        let (mut at, mut near) = (0_usize, self.second);
        for link in 0..CHAIN {
            let next = here.get(at..).unwrap_or(&[]);
            if ended && next.is_empty() && link > 0 {
                return Chain::Yes;
            }
            let Some(record) = self.record(next) else {
                return if ended {
                    Chain::No
                } else {
                    Chain::Need(at + self.record_bytes)
                };
            };
            if record.captured == 0 || !self.plausible(&record, near) {
                return Chain::No;
            }
            near = Some(record.second);
            at = at.saturating_add(self.record_bytes + record.captured as usize);
            if ended && at > here.len() && link == 0 {
                return Chain::No;
            }
        }
        Chain::Yes
    }
}
