//! One file: its header told apart, its records walked by the format's own walker.

use super::error::IngestError;
use super::note::{Damage, Note};
use super::pcap;
use super::report::{Compression, Container, Format};
use super::sink::Sink;
use super::source::{self, Source};
use super::window::Window;
use super::{Batch, pcapng};

enum Walker {
    Pcap(pcap::Walker),
    Pcapng(Box<pcapng::Walker>),
}

/// Reads one file, batch by batch.
pub(super) struct FileReader {
    window: Window,
    walker: Option<Walker>,
    header: Head,
    compression: Compression,
    ended: bool,
}

/// How the content begins.
#[derive(Clone, Copy)]
enum Head {
    Pcap(pcap::Header),
    Pcapng,
}

fn other_version(
    path: &str,
    kind: &'static str,
    (major, minor): (u16, u16),
    expected: &'static str,
) -> IngestError {
    IngestError::Version {
        path: path.to_owned(),
        kind,
        found: format!("{major}.{minor}"),
        expected,
    }
}

impl FileReader {
    /// Looks at the first bytes of `source`; refuses what is no capture.
    pub(super) fn new(source: Source, path: &str, block_bytes: usize) -> Result<Self, IngestError> {
        let mut window = Window::new(source.stream, block_bytes);
        window.refill(512, Vec::new());
        let head = window.rest();
        let header = if let Some(header) = pcap::Header::parse(head) {
            if !header.is_read() {
                let (major, minor) = (header.major, header.minor);
                return Err(other_version(path, "pcap", (major, minor), "2.4"));
            }
            Head::Pcap(header)
        } else if pcapng::begins(head) {
            if let Some(found) = pcapng::version(head).filter(|found| found.0 != 1) {
                return Err(other_version(path, "pcapng", found, "1.0"));
            }
            Head::Pcapng
        } else if head.len() < pcap::HEADER && pcap::magic(head) {
            return Err(IngestError::ShortHeader {
                path: path.to_owned(),
                kind: "pcap",
                expected: 24,
                found: head.len() as u64,
            });
        } else if head.len() < pcapng::SECTION_BYTES && head.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a])
        {
            return Err(IngestError::ShortHeader {
                path: path.to_owned(),
                kind: "pcapng",
                expected: 28,
                found: head.len() as u64,
            });
        } else if head.is_empty() {
            return Err(match (source.compression, window.take_error()) {
                (Compression::None, Some(source)) => IngestError::Unreadable {
                    path: path.to_owned(),
                    source,
                },
                (_, Some(error)) => IngestError::Compressed {
                    path: path.to_owned(),
                    kind: source.compression.name(),
                    reason: error.to_string(),
                },
                (_, None) => IngestError::Empty {
                    path: path.to_owned(),
                },
            });
        } else {
            return Err(source::refusal(head, path));
        };
        Ok(Self {
            window,
            walker: None,
            header,
            compression: source.compression,
            ended: false,
        })
    }

    /// Container, resolution and packing as the first header tells them.
    pub(super) fn format(&self) -> Format {
        match self.header {
            Head::Pcap(header) => Format {
                container: if header.modified {
                    Container::PcapModified
                } else {
                    Container::Pcap
                },
                nanoseconds: header.nanoseconds,
                big_endian: header.big_endian,
                compression: self.compression,
            },
            Head::Pcapng => Format {
                container: Container::Pcapng,
                nanoseconds: false,
                big_endian: pcapng::big_endian(self.window.rest()),
                compression: self.compression,
            },
        }
    }

    /// Adds the frames of at least one more block to `batch`; false at the end of the file. Blocks are taken from
    /// `spare`.
    pub(super) fn fill(
        &mut self,
        sink: &mut Sink<'_>,
        blocks: &mut Vec<Vec<u8>>,
        spare: &mut Vec<Vec<u8>>,
    ) -> bool {
        if self.ended {
            return false;
        }
        let before = sink.frames.len();
        let need = match (&mut self.walker, self.header) {
            (Some(Walker::Pcap(walker)), _) => walker.walk(&mut self.window, sink),
            (Some(Walker::Pcapng(walker)), _) => walker.walk(&mut self.window, sink),
            (None, Head::Pcap(header)) => {
                self.window.advance(pcap::HEADER);
                let mut walker = pcap::Walker::new(header, sink);
                let need = walker.walk(&mut self.window, sink);
                self.walker = Some(Walker::Pcap(walker));
                need
            }
            (None, Head::Pcapng) => {
                let mut walker = Box::new(pcapng::Walker::default());
                let need = walker.walk(&mut self.window, sink);
                self.walker = Some(Walker::Pcapng(walker));
                need
            }
        };
        let old = self
            .window
            .refill(need.unwrap_or(0), spare.pop().unwrap_or_default());
        if sink.frames.len() > before {
            blocks.push(old);
        } else {
            Batch::recycle(old, spare);
        }
        if need.is_none() {
            self.finish(sink);
        }
        need.is_some()
    }

    /// The stream has nothing more for now.
    pub(super) fn idle(&self) -> bool {
        self.window.idle()
    }

    fn finish(&mut self, sink: &mut Sink<'_>) {
        self.ended = true;
        if let Some(error) = self.window.take_error() {
            let reason = error.to_string();
            let reason = if self.compression == Compression::None {
                Damage::Read { reason }
            } else {
                Damage::Compression { reason }
            };
            sink.report.note(Note::Damaged {
                offset: self.window.offset(),
                skipped: 0,
                frame_before: sink.report.last_frame,
                frame_after: None,
                reason,
            });
        }
        let last_frame = sink.report.last_frame;
        for note in &mut sink.report.notes {
            if let Note::Damaged { frame_after, .. } = note {
                *frame_after = frame_after.filter(|frame| *frame <= last_frame);
            }
        }
        sink.report.sum_up();
        sink.report.complete = sink.report.damages == 0;
    }
}
