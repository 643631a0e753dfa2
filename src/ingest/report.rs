//! What the files themselves say and suffered: one `FileReport` for each, one `Interface` for each place of capture.
//!
//! These are facts for the `capture.*` classes; nothing here judges. Lists are bounded, what does not fit is counted.

use super::LinkType;
use crate::mark::Mark;
use crate::time::Timestamp;
use std::fmt;

/// Notes kept of one file; further ones are counted in `FileReport::notes_omitted`.
pub const NOTES_MAX: usize = 256;
/// Bytes of decryption secrets kept of one file.
pub const SECRETS_BYTES_MAX: usize = 4 << 20;
/// Bytes kept of one comment, name or description.
pub const TEXT_BYTES_MAX: usize = 1024;

/// Where frames were captured: an interface of a pcapng section, or a pcap file's only one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Capture point: the same for all files of one set.
    pub point: u32,
    /// `if_name`, empty if the file does not say.
    pub name: String,
    /// `if_description`, empty if the file does not say.
    pub description: String,
    /// Capture filter, empty if the file does not say.
    pub filter: String,
    /// Operating system of the capturing machine, empty if the file does not say.
    pub os: String,
    /// Link-layer header type.
    pub link: LinkType,
    /// Bytes of frame check sequence that the file announces.
    pub fcs_len: u8,
    /// Most bytes kept of a frame, 0 for no limit.
    pub snaplen: u32,
    /// Ticks of a time stamp in one second: 1,000,000 for microseconds.
    pub ticks_per_second: u64,
    /// Frames delivered.
    pub packets: u64,
    /// Packets that the interface lost (`isb_ifdrop`, the highest value told).
    pub interface_drops: u64,
    /// Packets that the system lost (`isb_osdrop`, the highest value told).
    pub system_drops: u64,
}

/// Container format of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Container {
    /// The classic format (draft-ietf-opsawg-pcap).
    #[default]
    Pcap,
    /// Classic with Kuznetzov's longer record headers (magic 0xa1b2cd34).
    PcapModified,
    /// The block format (draft-ietf-opsawg-pcapng).
    Pcapng,
}

/// How a file is packed, told by its first bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Stored as it is.
    #[default]
    None,
    /// RFC 1952, also several members in a row.
    Gzip,
    /// RFC 8878, also several frames in a row.
    Zstd,
    /// LZ4 frame format, also several frames in a row.
    Lz4,
    /// The xz container, also several streams in a row.
    Xz,
}

impl Compression {
    /// Its usual name, empty for none.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
        }
    }
}

/// Format of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// Container.
    pub container: Container,
    /// Time stamps are finer than microseconds (of pcapng: its first interface's).
    pub nanoseconds: bool,
    /// Most significant byte first (of pcapng: its first section's).
    pub big_endian: bool,
    /// Packing.
    pub compression: Compression,
}

impl fmt::Display for Format {
    /// `pcap`, `pcap-ns`, `pcap-modified`, `pcapng`, each with `+gzip` and so on where packed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.container, self.nanoseconds) {
            (Container::Pcap, false) => "pcap",
            (Container::Pcap, true) => "pcap-ns",
            (Container::PcapModified, _) => "pcap-modified",
            (Container::Pcapng, _) => "pcapng",
        })?;
        match self.compression {
            Compression::None => Ok(()),
            packed => write!(f, "+{}", packed.name()),
        }
    }
}

/// What was read of one file; final once `Feed::next` said false.
#[derive(Clone, Debug, Default)]
pub struct FileReport {
    /// Capture point: files of one set share it.
    pub point: u32,
    /// As the user gave it; for a file of a folder the folder joined with its name.
    pub path: String,
    /// SHA-256 of the first 64 KiB as stored.
    pub sha256_head: [u8; 32],
    /// Container, resolution and packing.
    pub format: Format,
    /// Link types announced, ascending.
    pub link_types: Vec<LinkType>,
    /// Frames delivered.
    pub packets: u64,
    /// Number of the last frame: above `packets` where records that hold no packet were numbered too.
    pub last_frame: u32,
    /// Bytes read, uncompressed.
    pub bytes: u64,
    /// Smallest time stamp.
    pub first_time: Option<Timestamp>,
    /// Largest time stamp.
    pub last_time: Option<Timestamp>,
    /// Read to a proper end with nothing skipped.
    pub complete: bool,
    /// What is to be told about it, in reading order.
    pub notes: Vec<Note>,
    /// Notes beyond `NOTES_MAX`.
    pub notes_omitted: u64,
    /// Frames that the snaplen shortened, and the first of them.
    pub cut: Tally,
    /// Frames stamped more than 1 ms before an earlier one of their interface, and the first of them.
    pub disorder: Tally,
    /// Largest step back of such a frame in nanoseconds.
    pub disorder_max_ns: i64,
    /// Blocks of no known type that were stepped over.
    pub unknown_blocks: u64,
    /// Records without a packet that took a frame number (journal, custom and event blocks).
    pub other_records: u64,
    /// Decryption secrets found, as many as fit `SECRETS_BYTES_MAX`.
    pub secrets: Vec<Secret>,
    /// Decryption secrets blocks beyond that.
    pub secrets_omitted: u64,
}

/// The content of one decryption secrets block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its type: 0x544c534b is an NSS key log.
    pub kind: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// How many frames something happened to, and the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames.
    pub frames: u64,
    /// The first of them; meaningless while `frames` is 0.
    pub first: Mark,
}

impl Tally {
    pub(super) fn count(&mut self, at: Mark) {
        if self.frames == 0 {
            self.first = at;
        }
        self.frames += 1;
    }
}

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

impl FileReport {
    pub(super) fn note(&mut self, note: Note) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note);
        } else {
            self.notes_omitted += 1;
        }
    }

    pub(super) fn keep(&mut self, secret: Secret) {
        let kept: usize = self.secrets.iter().map(|secret| secret.bytes.len()).sum();
        if self.secrets.len() < NOTES_MAX && kept + secret.bytes.len() <= SECRETS_BYTES_MAX {
            self.secrets.push(secret);
        } else {
            self.secrets_omitted += 1;
        }
    }

    pub(super) fn announce(&mut self, link: LinkType) {
        if let Err(place) = self.link_types.binary_search(&link) {
            self.link_types.insert(place, link);
        }
    }
}

/// Text of an option: what is no UTF-8 is replaced, what is too long is cut.
pub(super) fn text(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(
        bytes
            .get(..bytes.len().min(TEXT_BYTES_MAX))
            .unwrap_or(bytes),
    )
    .into_owned();
    text.truncate(text.trim_end_matches(['\0', '\u{fffd}']).len());
    text
}
