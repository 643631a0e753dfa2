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

/// One of something for each direction: `ToServer` first. Indexed by `Direction`, so that no index can be wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Both<T>(pub [T; 2]);

impl<T> Both<T> {
    /// Both, `ToServer` first.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The roles turned out to be the other way round.
    pub fn swap(&mut self) {
        self.0.swap(0, 1);
    }
}

impl<T> std::ops::Index<Direction> for Both<T> {
    type Output = T;

    fn index(&self, direction: Direction) -> &T {
        let Self([there, back]) = self;
        match direction {
            Direction::ToServer => there,
            Direction::ToClient => back,
        }
    }
}

impl<T> std::ops::IndexMut<Direction> for Both<T> {
    fn index_mut(&mut self, direction: Direction) -> &mut T {
        let Self([there, back]) = self;
        match direction {
            Direction::ToServer => there,
            Direction::ToClient => back,
        }
    }
}
