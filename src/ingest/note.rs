//! What is to be told about one file, and why parts of it could not be read.
//!
//! The `capture.*` classes take the numbers; reports that only list the notes print them as sentences.

use super::report::Tally;
use std::fmt;

/// Something about one file that the report should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Bytes that could not be read as records (`capture.file-damaged`).
    Damaged {
        /// Where the damage begins, in the uncompressed file.
        offset: u64,
        /// Bytes skipped; what is missing behind the end of the file is not in it.
        skipped: u64,
        /// Frame before the damage, 0 if there is none.
        frame_before: u32,
        /// Frame after the damage, `None` if no further one was found.
        frame_after: Option<u32>,
        /// What was found.
        reason: Damage,
    },
    /// Packets that the capturing machine lost (`capture.packets-dropped`).
    Dropped {
        /// Index into `Feed::interfaces`.
        interface: u32,
        /// Lost by the interface since the previous statistics.
        by_interface: u64,
        /// Lost by the system since the previous statistics.
        by_system: u64,
        /// Last frame number before the stretch that the statistics speak of, 0 for the beginning.
        frame_before: u32,
        /// Last frame number of that stretch.
        frame_last: u32,
    },
    /// A comment on the file (`frame` 0) or on a frame.
    Comment {
        /// 1-based frame number, 0 for the section.
        frame: u32,
        /// Its text, cut to `TEXT_BYTES_MAX`.
        text: String,
    },
    /// The same content as an earlier file, which was read in its place.
    Duplicate {
        /// Index of that file.
        of: u32,
    },
    /// Begins before the previous file of its set ended.
    Overlap {
        /// Index of the previous file.
        with: u32,
        /// By how many nanoseconds.
        by_ns: i64,
    },
    /// Frames that the snaplen shortened.
    Cut {
        /// How many, and the first.
        frames: Tally,
    },
    /// Frames stamped more than 1 ms before an earlier one of their interface (`capture.time-disorder`).
    Disorder {
        /// How many, and the first.
        frames: Tally,
        /// Largest step back in nanoseconds.
        back_max_ns: i64,
    },
    /// Blocks of no known type that were stepped over.
    UnknownBlocks {
        /// How many.
        blocks: u64,
    },
    /// Decryption secrets blocks.
    Secrets {
        /// How many.
        blocks: u64,
        /// Bytes of their secrets.
        bytes: u64,
    },
    /// Files of the set are missing before this one, by the numbers in their names.
    Missing {
        /// First missing number.
        first: u64,
        /// Last missing number.
        last: u64,
    },
}

/// Why bytes were skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The file ends within a record.
    Truncated {
        /// Bytes that the record needs.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// A record header that cannot be one.
    Header {
        /// Captured length that it claims.
        captured: u32,
        /// Wire length that it claims.
        wire: u32,
    },
    /// A pcapng block whose lengths contradict each other or the format.
    Block {
        /// Block type.
        kind: u32,
        /// Length at its beginning.
        length: u32,
    },
    /// A packet block that names an interface its section does not have.
    Interface {
        /// That interface's number.
        id: u32,
    },
    /// The compressed stream broke.
    Compression {
        /// The unpacker's words.
        reason: String,
    },
    /// The system could not read on.
    Read {
        /// The system's words.
        reason: String,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { expected, found } => {
                write!(
                    f,
                    "the file ends within a record: {found} of its {expected} bytes are there"
                )
            }
            Self::Header { captured, wire } => {
                write!(
                    f,
                    "not a record header: it claims {captured} captured bytes of {wire}"
                )
            }
            Self::Block { kind, length } => {
                write!(f, "not a valid block: type 0x{kind:08x}, length {length}")
            }
            Self::Interface { id } => write!(
                f,
                "packet of interface {id}, which its section does not describe"
            ),
            Self::Compression { reason } => write!(f, "the compressed data is damaged: {reason}"),
            Self::Read { reason } => write!(f, "the system could not read on: {reason}"),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged {
                offset,
                skipped,
                frame_before,
                frame_after,
                reason,
            } => {
                write!(
                    f,
                    "damaged at byte {offset} after frame {frame_before}: {reason}; skipped {skipped} bytes, "
                )?;
                match frame_after {
                    Some(frame) => write!(f, "goes on with frame {frame}"),
                    None => f.write_str("no further frame found"),
                }
            }
            Self::Dropped {
                interface,
                by_interface,
                by_system,
                frame_before,
                frame_last,
            } => write!(
                f,
                "interface {interface} lost {by_interface} packets and the capturing system {by_system} after frame {frame_before} up to frame {frame_last}"
            ),
            Self::Comment { frame: 0, text } => write!(f, "comment: {text}"),
            Self::Comment { frame, text } => write!(f, "comment of frame {frame}: {text}"),
            Self::Duplicate { of } => write!(
                f,
                "same content as file c-{}, which was read in its place",
                u64::from(*of) + 1
            ),
            Self::Overlap { with, by_ns } => write!(
                f,
                "begins {} ms before file c-{} of the same set ends",
                by_ns / 1_000_000,
                u64::from(*with) + 1
            ),
            Self::Cut { frames } => {
                write!(
                    f,
                    "{} frames are cut by the snaplen, the first is frame {}",
                    frames.frames, frames.first.frame
                )
            }
            Self::Disorder {
                frames,
                back_max_ns,
            } => write!(
                f,
                "{} frames are stamped before an earlier one of their interface, the first is frame {}, the largest step back {} ms",
                frames.frames,
                frames.first.frame,
                back_max_ns / 1_000_000
            ),
            Self::UnknownBlocks { blocks } => {
                write!(f, "{blocks} blocks of unknown type were stepped over")
            }
            Self::Secrets { blocks, bytes } => {
                write!(f, "decryption secrets: {bytes} bytes, blocks: {blocks}")
            }
            Self::Missing { first, last } if first == last => {
                write!(
                    f,
                    "file number {first} of the set is missing before this one"
                )
            }
            Self::Missing { first, last } => {
                write!(
                    f,
                    "files number {first} to {last} of the set are missing before this one"
                )
            }
        }
    }
}
