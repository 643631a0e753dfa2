//! One capture point: the files of a set, read one after the other as if they were one.

use super::Batch;
use super::error::IngestError;
use super::file::FileReader;
use super::note::Note;
use super::report::FileReport;
use super::sink::{Faces, Sink};
use super::source::{self, Place};
use crate::time::{MILLISECOND, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Frames that a batch holds at least, so that looking ahead does not depend on its size.
const FRAMES_MIN: usize = 16;
/// Bytes of blocks after which a batch is full.
pub(super) const BATCH_BYTES: usize = 16 << 20;
/// Inversions up to this are ordinary where one file of a ring follows the other, as within one.
const OVERLAP_MIN: i64 = MILLISECOND;

/// A file that waits for its turn.
pub(super) struct Member {
    pub(super) file: u32,
    pub(super) place: Place,
    /// Already open: a pipe cannot be opened again.
    pub(super) reader: Option<FileReader>,
    pub(super) first_time: Option<Timestamp>,
}

/// The files of one set and where reading them has got to.
pub(super) struct Point {
    pub(super) faces: Faces,
    pub(super) waiting: VecDeque<Member>,
    /// Errors of files whose turn came too late.
    pub(super) late: Vec<IngestError>,
    current: Option<(u32, FileReader)>,
    last_file: Option<u32>,
}

/// How much a batch should hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion {
    pub(super) block_bytes: usize,
    pub(super) frames: usize,
}

impl Point {
    pub(super) fn new(members: Vec<Member>) -> Self {
        Self {
            faces: Faces::default(),
            waiting: members.into(),
            late: Vec::new(),
            current: None,
            last_file: None,
        }
    }

    /// Time stamp of the first frame, as far as it is known before reading.
    pub(super) fn first_time(&self) -> Option<Timestamp> {
        self.waiting.front().and_then(|member| member.first_time)
    }

    /// Fills an empty batch; false if nothing is left. It stays empty where a stream has nothing for now. Frames carry this point's own interface numbers.
    pub(super) fn fill(
        &mut self,
        batch: &mut Batch,
        spare: &mut Vec<Vec<u8>>,
        files: &mut [FileReport],
        portion: Portion,
        read: &Arc<AtomicU64>,
    ) -> bool {
        let mut bytes = 0;
        while batch.blocks.len() < usize::from(u16::MAX) {
            let full = batch.frames.len() >= portion.frames || bytes >= BATCH_BYTES;
            if full && batch.frames.len() >= FRAMES_MIN {
                break;
            }
            if self.current.is_none() && !self.open_next(files, portion, read) {
                break;
            }
            let Some((file, reader)) = &mut self.current else {
                break;
            };
            let Some(report) = files.get_mut(*file as usize) else {
                break;
            };
            let blocks = batch.blocks.len();
            let mut sink = Sink {
                frames: &mut batch.frames,
                secrets: &mut batch.secrets,
                report,
                faces: &mut self.faces,
                file: *file,
                block: u16::try_from(blocks).unwrap_or(u16::MAX),
            };
            if !reader.fill(&mut sink, &mut batch.blocks, spare) {
                self.current = None;
            } else if reader.idle() {
                return true;
            }
            bytes += batch.blocks.get(blocks).map_or(0, Vec::len);
        }
        !batch.frames.is_empty()
    }

    /// Opens the next file that can still be opened.
    fn open_next(
        &mut self,
        files: &mut [FileReport],
        portion: Portion,
        read: &Arc<AtomicU64>,
    ) -> bool {
        while let Some(member) = self.waiting.pop_front() {
            self.note_overlap(&member, files);
            let Some(report) = files.get_mut(member.file as usize) else {
                continue;
            };
            let reader = member.reader.map_or_else(
                || {
                    source::open(&member.place, &report.path, read).and_then(|source| {
                        FileReader::new(source, &report.path, portion.block_bytes)
                    })
                },
                Ok,
            );
            match reader {
                Ok(reader) => {
                    self.current = Some((member.file, reader));
                    self.last_file = Some(member.file);
                    return true;
                }
                // It was readable when the run began and is not any more.
                Err(error) => self.late.push(error),
            }
        }
        false
    }

    fn note_overlap(&self, member: &Member, files: &mut [FileReport]) {
        let last = self
            .last_file
            .and_then(|file| Some((file, files.get(file as usize)?.last_time?)));
        let (Some((with, last)), Some(first)) = (last, member.first_time) else {
            return;
        };
        let by_ns = last.since(first);
        if by_ns > OVERLAP_MIN
            && let Some(report) = files.get_mut(member.file as usize)
        {
            report.note(Note::Overlap { with, by_ns });
        }
    }
}
