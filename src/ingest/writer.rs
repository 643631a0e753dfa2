//! Frames into a new pcapng file (draft-ietf-opsawg-pcapng): the same bytes, times and interfaces, each frame with its
//! comments, in the order of time.
//!
//! A source's resolution is kept where it is a power of ten up to nanoseconds; finer or binary ones become nanoseconds,
//! which is what was read of them, so that no time is rounded twice. Left out: statistics, name resolution, decryption
//! secrets, and what the source said of single packets (its comments, flags, hashes).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use super::{Frame, Interface};
use crate::time::{SECOND, Timestamp};

/// Frames that wait for earlier ones, and their bytes: those stamped further back are written where they come.
const WAITING_MAX: usize = 4_096;
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Types of blocks.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
/// Options of any block, of sections, of interfaces.
const COMMENT: u16 = 1;
const APPLICATION: u16 = 4;
const NAME: u16 = 2;
const DESCRIPTION: u16 = 3;
const RESOLUTION: u16 = 9;
const FILTER: u16 = 11;
const SYSTEM: u16 = 12;
const CHECK_SEQUENCE: u16 = 13;

/// A waiting frame: its time, its turn, its block.
type Waiting = Reverse<(Timestamp, u64, Vec<u8>)>;

/// Writes one section, little endian.
pub struct Writer<'w> {
    out: &'w mut dyn Write,
    /// The file's number of each interface of the run.
    faces: Vec<Option<u32>>,
    described: u32,
    waiting: BinaryHeap<Waiting>,
    waiting_bytes: usize,
    frames: u64,
}

impl<'w> Writer<'w> {
    /// Begins a file written by `application`.
    pub fn begin(out: &'w mut dyn Write, application: &str) -> io::Result<Self> {
        let mut body = Vec::new();
        // Byte-order magic, version 1.0, and a section length that is not told.
        body.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        body.extend_from_slice(&[1, 0, 0, 0]);
        body.extend_from_slice(&[0xff; 8]);
        option(&mut body, APPLICATION, application.as_bytes());
        end_of_options(&mut body);
        out.write_all(&block(SECTION, &body))?;
        Ok(Self {
            out,
            faces: Vec::new(),
            described: 0,
            waiting: BinaryHeap::new(),
            waiting_bytes: 0,
            frames: 0,
        })
    }

    /// Takes one frame of `interface`, with what is to be said of it.
    pub fn frame(
        &mut self,
        frame: &Frame<'_>,
        interface: &Interface,
        comments: &[String],
    ) -> io::Result<()> {
        let face = self.face(frame.interface, interface)?;
        let ticks = ticks(frame.at.time, interface);
        let mut body = Vec::with_capacity(frame.bytes.len() + 64);
        let captured = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        // The upper half of the time comes first.
        for word in [face, (ticks >> 32) as u32, ticks as u32, captured] {
            body.extend_from_slice(&word.to_le_bytes());
        }
        body.extend_from_slice(&frame.wire_len.to_le_bytes());
        body.extend_from_slice(frame.bytes);
        pad(&mut body);
        for comment in comments {
            option(&mut body, COMMENT, comment.as_bytes());
        }
        if !comments.is_empty() {
            end_of_options(&mut body);
        }
        let block = block(PACKET, &body);
        self.waiting_bytes += block.len();
        self.waiting
            .push(Reverse((frame.at.time, self.frames, block)));
        self.frames += 1;
        while self.waiting.len() > WAITING_MAX || self.waiting_bytes > WAITING_BYTES_MAX {
            self.write_earliest()?;
        }
        Ok(())
    }

    /// Writes what still waits; gives the number of frames.
    pub fn finish(mut self) -> io::Result<u64> {
        while !self.waiting.is_empty() {
            self.write_earliest()?;
        }
        Ok(self.frames)
    }

    fn write_earliest(&mut self) -> io::Result<()> {
        let Some(Reverse((_, _, block))) = self.waiting.pop() else {
            return Ok(());
        };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(block.len());
        self.out.write_all(&block)
    }

    /// The file's number of an interface, which is described where it is first met.
    fn face(&mut self, number: u32, interface: &Interface) -> io::Result<u32> {
        let place = number as usize;
        if self.faces.len() <= place {
            self.faces.resize(place + 1, None);
        }
        if let Some(face) = self.faces.get(place).copied().flatten() {
            return Ok(face);
        }
        self.out
            .write_all(&block(INTERFACE, &described(interface)))?;
        let face = self.described;
        self.described += 1;
        if let Some(slot) = self.faces.get_mut(place) {
            *slot = Some(face);
        }
        Ok(face)
    }
}

/// The body of an interface description block.
fn described(interface: &Interface) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&interface.link.0.to_le_bytes());
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(&interface.snaplen.to_le_bytes());
    let texts = [
        (NAME, &interface.name),
        (DESCRIPTION, &interface.description),
        (SYSTEM, &interface.os),
    ];
    for (code, text) in texts.iter().filter(|(_, text)| !text.is_empty()) {
        option(&mut body, *code, text.as_bytes());
    }
    if !interface.filter.is_empty() {
        // The first byte says that it is written as libpcap takes it.
        option(
            &mut body,
            FILTER,
            format!("\0{}", interface.filter).as_bytes(),
        );
    }
    if interface.fcs_len > 0 {
        option(&mut body, CHECK_SEQUENCE, &[interface.fcs_len]);
    }
    option(&mut body, RESOLUTION, &[resolution(interface)]);
    end_of_options(&mut body);
    body
}

/// The power of ten that a second is divided by.
fn resolution(interface: &Interface) -> u8 {
    let told = interface.ticks_per_second;
    (0..9_u8)
        .find(|power| told == 10_u64.pow(u32::from(*power)))
        .unwrap_or(9)
}

/// A time in the interface's ticks. One before 1970, which the format cannot say, becomes 0.
fn ticks(time: Timestamp, interface: &Interface) -> u64 {
    let per_second = 10_i64.pow(u32::from(resolution(interface)));
    u64::try_from(time.ns() / (SECOND / per_second)).unwrap_or(0)
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX);
    let mut block = Vec::with_capacity(body.len() + 12);
    block.extend_from_slice(&kind.to_le_bytes());
    block.extend_from_slice(&length.to_le_bytes());
    block.extend_from_slice(body);
    block.extend_from_slice(&length.to_le_bytes());
    block
}

/// An option, cut where it is longer than one can be.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&length.to_le_bytes());
    body.extend(value.iter().take(usize::from(length)));
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend_from_slice(&[0; 4]);
}

/// Everything lies on multiples of four bytes.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Batch, Feed, LinkType, Options};
    use crate::mark::Mark;

    /// Writes frames of these times in ns and reads them back: times, bytes on the wire, bytes.
    fn check(ticks_per_second: u64, times: &[i64], expect: &[i64]) {
        let interface = Interface {
            name: "eth0".to_owned(),
            link: LinkType(1),
            snaplen: 96,
            ticks_per_second,
            fcs_len: 4,
            ..Interface::default()
        };
        let mut file = Vec::new();
        let mut writer = Writer::begin(&mut file, "wirefault").expect("memory");
        for (number, ns) in (1..).zip(times) {
            let time = Timestamp::from_ns(*ns);
            let at = Mark {
                time,
                frame: number,
                ..Mark::default()
            };
            let frame = Frame {
                at,
                clock: time,
                interface: 3,
                link: LinkType(1),
                fcs_len: 4,
                wire_len: 1_500,
                bytes: &[7; 13],
            };
            writer
                .frame(&frame, &interface, &["syn: x".to_owned()])
                .expect("memory");
        }
        assert_eq!(writer.finish().expect("memory"), times.len() as u64);
        let stream = Box::new(std::io::Cursor::new(file));
        let mut feed = Feed::of_stream("x", stream, &Options::default()).expect("a capture");
        let (mut batch, mut found) = (Batch::default(), Vec::new());
        while feed.next(&mut batch) {
            for frame in batch.frames.iter().map(|frame| batch.frame(frame)) {
                assert_eq!((frame.wire_len, frame.bytes), (1_500, &[7; 13][..]));
                assert_eq!(frame.fcs_len, 4);
                found.push(frame.at.time.ns());
            }
        }
        assert_eq!(found, expect);
        let read = feed.interfaces().first().expect("an interface");
        assert_eq!((read.name.as_str(), read.snaplen), ("eth0", 96));
        assert!(feed.files().iter().all(|file| file.complete));
    }

    #[test]
    fn nanoseconds_stay_exact_and_frames_are_put_in_the_order_of_time() {
        let late = 1_795_536_131_123_456_789;
        check(1_000_000_000, &[late, 7, 9], &[7, 9, late]);
    }

    #[test]
    fn microseconds_stay_microseconds_and_binary_ticks_become_nanoseconds() {
        check(1_000_000, &[5_000, 3_000], &[3_000, 5_000]);
        check(1 << 20, &[953, 1_907], &[953, 1_907]);
    }

    #[test]
    fn a_time_before_1970_becomes_its_beginning() {
        check(1_000_000_000, &[-5], &[0]);
    }

    #[test]
    fn frames_beyond_the_limit_are_written_where_they_come() {
        let mut times: Vec<i64> = (2..=WAITING_MAX as i64 + 2).collect();
        times.push(1);
        let mut expect = times.clone();
        expect.sort_unstable();
        // Two had left when the one came that was stamped before them.
        expect.swap(0, 1);
        check(1_000_000_000, &times, &expect);
    }
}
