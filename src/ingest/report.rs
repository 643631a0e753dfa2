//! What the files themselves say and suffered: one `FileReport` for each, one `Interface` for each place of capture.
//!
//! These are facts for the `capture.*` classes; nothing here judges. Lists are bounded, what does not fit is counted.

use super::LinkType;
use super::note::Note;
use crate::mark::Mark;
use crate::time::Timestamp;
use std::fmt;

/// Notes kept of one file; further ones are counted in `FileReport::notes_omitted`.
pub const NOTES_MAX: usize = 256;
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
    /// SHA-256 of the first 64 KiB as stored; zeros where it is read while it goes on.
    pub sha256_head: [u8; 32],
    /// Container, resolution and packing.
    pub format: Format,
    /// Link types announced, ascending.
    pub link_types: Vec<LinkType>,
    /// Frames delivered.
    pub packets: u64,
    /// Number of the last frame: above `packets` where records that hold no packet were numbered too.
    pub last_frame: u32,
    /// Frames that notes speak of: the last before and the first after what they tell.
    pub marks: Vec<Mark>,
    /// The last frame delivered.
    pub latest: Mark,
    /// The next frame is the first after something told.
    pub mark_next: bool,
    /// Captured bytes of its frames.
    pub bytes: u64,
    /// Smallest time stamp.
    pub first_time: Option<Timestamp>,
    /// Largest time stamp.
    pub last_time: Option<Timestamp>,
    /// Read to a proper end with nothing skipped.
    pub complete: bool,
    /// What is to be told about it, in reading order.
    pub notes: Vec<Note>,
    /// Stretches that could not be read; each has its note while there is room.
    pub damages: u64,
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
    /// Decryption secrets blocks.
    pub secrets: u64,
    /// Their bytes.
    pub secrets_bytes: u64,
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

impl FileReport {
    pub(super) fn note(&mut self, note: Note) {
        // Comments leave room for what matters more.
        let room = match note {
            Note::Comment { .. } => NOTES_MAX / 4,
            _ => NOTES_MAX,
        };
        self.damages += u64::from(matches!(note, Note::Damaged { .. }));
        if self.notes.len() >= room && matches!(note, Note::Dropped { .. }) {
            self.join_first_losses();
        }
        if self.notes.len() < room {
            if matches!(note, Note::Damaged { .. } | Note::Dropped { .. }) {
                self.mark(self.latest);
                self.mark_next = true;
            }
            self.notes.push(note);
        } else {
            self.notes_omitted += 1;
        }
    }

    /// Makes room: the two oldest stretches in which packets were lost become one, so that all losses stay counted and the
    /// latest stay apart.
    fn join_first_losses(&mut self) {
        let losses = self.notes.iter().enumerate();
        let mut losses = losses.filter(|(_, note)| matches!(note, Note::Dropped { .. }));
        let (Some((first, _)), Some((second, _))) = (losses.next(), losses.next()) else {
            return;
        };
        let later = self.notes.remove(second);
        if let (
            Some(Note::Dropped {
                by_interface,
                by_system,
                frame_before,
                frame_last,
                ..
            }),
            Note::Dropped {
                by_interface: interface_more,
                by_system: system_more,
                frame_last: last,
                ..
            },
        ) = (self.notes.get_mut(first), later)
        {
            *by_interface = by_interface.saturating_add(interface_more);
            *by_system = by_system.saturating_add(system_more);
            *frame_last = last.max(*frame_last);
            let (before, last) = (*frame_before, *frame_last);
            self.marks
                .retain(|at| at.frame <= before || at.frame >= last);
        }
    }

    /// Keeps the place of a frame that a note speaks of; there are at most three a note.
    pub(super) fn mark(&mut self, at: Mark) {
        let room = self.marks.len() < 3 * NOTES_MAX;
        if room && at.frame > 0 && self.marks.last() != Some(&at) {
            self.marks.push(at);
        }
    }

    /// Puts what was counted frame by frame among the notes.
    pub(super) fn sum_up(&mut self) {
        if self.cut.frames > 0 {
            self.notes.push(Note::Cut { frames: self.cut });
        }
        if self.disorder.frames > 0 {
            self.notes.push(Note::Disorder {
                frames: self.disorder,
                back_max_ns: self.disorder_max_ns,
            });
        }
        if self.unknown_blocks > 0 {
            self.notes.push(Note::UnknownBlocks {
                blocks: self.unknown_blocks,
            });
        }
        let (blocks, bytes) = (self.secrets, self.secrets_bytes);
        if blocks > 0 {
            self.notes.push(Note::Secrets { blocks, bytes });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_beyond_the_notes_stay_counted_and_the_latest_stay_apart() {
        let mut report = FileReport::default();
        for frame in 1..=1_000 {
            report.latest = Mark {
                frame,
                ..Mark::default()
            };
            report.note(Note::Dropped {
                interface: 0,
                by_interface: 1,
                by_system: 2,
                frame_before: frame - 1,
                frame_last: frame,
            });
        }
        let lost = |note: &Note| match note {
            Note::Dropped {
                by_interface,
                by_system,
                ..
            } => by_interface + by_system,
            _ => 0,
        };
        assert_eq!(report.notes.len(), NOTES_MAX);
        assert_eq!(report.notes.iter().map(lost).sum::<u64>(), 3_000);
        assert_eq!(report.notes.last().map(lost), Some(3));
        assert_eq!(report.marks.last().map(|at| at.frame), Some(1_000));
    }
}
