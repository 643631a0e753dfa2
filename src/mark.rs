//! Where on the wire something was seen: the file, the frame, its byte and its time.
//!
//! Everything the engine says carries marks, so that it can be checked in Wireshark by frame number.

use crate::time::Timestamp;

/// Place of one frame in the input of a run. 24 bytes, `Copy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The frame's own time stamp.
    pub time: Timestamp,
    /// Byte offset of the frame's record (its header) in the uncompressed file.
    pub offset: u64,
    /// Index of the file in the run's list of files (`ingest::FileReport`).
    pub file: u32,
    /// 1-based number within its file, as Wireshark's `frame.number`.
    pub frame: u32,
}

/// A value and the frame that showed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen<T> {
    /// What was seen.
    pub value: T,
    /// Where.
    pub at: Mark,
}

/// Which way a segment or datagram goes within its conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client (who sent the first SYN or the query) to the server.
    #[default]
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    /// The opposite direction.
    pub const fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }

    /// 0 for `ToServer`, 1 for `ToClient`: the place in a two-element array.
    pub const fn index(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }
}
