//! Bytes into frames: the only room that does I/O.
//!
//! Files, folders, globs and standard input become one stream of frames in time order. A file's format and
//! compression are told by its content. Whatever is damaged is skipped and written down in the file's
//! `FileReport`; nothing here panics on any bytes.

mod bytes;
mod clock;
mod error;
mod feed;
mod file;
mod input;
mod link;
pub mod live;
mod merge;
mod note;
mod pcap;
mod pcapng;
mod plan;
mod point;
mod report;
mod set;
mod sets;
mod sink;
mod source;
mod tail;
mod window;
mod writer;

pub use error::IngestError;
pub use feed::{Feed, Options, Progress};
pub use note::{Damage, Note};
pub use report::{
    Compression, Container, FileReport, Format, Interface, NOTES_MAX, TEXT_BYTES_MAX, Tally,
};
pub use sets::{Archive, Head, Known, Part, Set, stamp};
pub use tail::last_time;
pub use writer::Writer;

use crate::mark::Mark;
use crate::time::Timestamp;

/// Link-layer header type (<https://www.tcpdump.org/linktypes.html>), the value of a pcap header's low 16 bits
/// or a pcapng interface block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

/// One captured record.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// File, frame number, offset and time.
    pub at: Mark,
    /// Largest time stamp met so far in the whole run, in reading order (see `architecture`: one frame stamped far
    /// ahead moves no clock). Never decreases from frame to frame.
    pub clock: Timestamp,
    /// Index into `Feed::interfaces`.
    pub interface: u32,
    /// How to read the first byte.
    pub link: LinkType,
    /// Bytes of frame check sequence at the end, where the file says so (pcap link-type word, pcapng `if_fcslen`).
    pub fcs_len: u8,
    /// Bytes of the frame on the wire; `bytes` holds fewer where the snaplen cut it.
    pub wire_len: u32,
    /// The captured bytes.
    pub bytes: &'a [u8],
}

/// Where one frame of a batch lies; `Batch::frame` turns it into a `Frame`.
#[derive(Clone, Copy, Debug)]
pub struct FrameRef {
    /// As in `Frame`.
    pub at: Mark,
    /// As in `Frame`.
    pub clock: Timestamp,
    /// As in `Frame`.
    pub interface: u32,
    /// As in `Frame`.
    pub wire_len: u32,
    /// As in `Frame`.
    pub link: LinkType,
    /// As in `Frame`.
    pub fcs_len: u8,
    /// Which of the batch's blocks holds the bytes.
    pub block: u16,
    /// First byte in that block.
    pub start: u32,
    /// Captured bytes.
    pub len: u32,
}

/// A bounded run of frames: the unit of work, progress and back-pressure.
#[derive(Debug, Default)]
pub struct Batch {
    /// Owned runs of file content that the frames point into. Reused from batch to batch.
    pub blocks: Vec<Vec<u8>>,
    /// The frames in reading order.
    pub frames: Vec<FrameRef>,
    /// TLS secrets that the capture holds, in reading order.
    pub secrets: Vec<Secrets>,
}

/// The content of one decryption secrets block of a kind that is used: a TLS key log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// How many of the batch's frames stand before it.
    pub place: usize,
    /// Packets of its own file stand before it.
    pub late: bool,
    /// The lines of the key log.
    pub lines: Vec<u8>,
}

/// Blocks kept for reuse; more are given back to the system.
const SPARE_MAX: usize = 64;
/// Larger blocks are not kept.
const SPARE_BYTES_MAX: usize = 4 << 20;

impl Batch {
    fn recycle(block: Vec<u8>, spare: &mut Vec<Vec<u8>>) {
        if spare.len() < SPARE_MAX && block.capacity() <= SPARE_BYTES_MAX {
            spare.push(block);
        }
    }

    fn clear(&mut self, spare: &mut Vec<Vec<u8>>) {
        self.frames.clear();
        self.secrets.clear();
        for block in self.blocks.drain(..) {
            Self::recycle(block, spare);
        }
    }

    /// The frame that `at` points to; its bytes are empty should the reference not fit its block.
    pub fn frame(&self, at: &FrameRef) -> Frame<'_> {
        let start = at.start as usize;
        let bytes = self
            .blocks
            .get(usize::from(at.block))
            .and_then(|block| block.get(start..start.saturating_add(at.len as usize)))
            .unwrap_or(&[]);
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
}
