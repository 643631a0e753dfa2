//! The way in: arguments become one stream of frames in time order.
//!
//! The frames and everything told about the files are the same whatever the sizes in `Options`, and whether a
//! capture comes as a file or through a pipe.

use super::Batch;
use super::clock::Clock;
use super::error::IngestError;
use super::input::{self, Input};
use super::merge::{Inputs, Merge};
use super::note::Note;
use super::plan::{self, Readable};
use super::point::{Point, Portion};
use super::report::{FileReport, Interface};
use super::source::{self, Place};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sizes that decide about speed and memory only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes read at once.
    pub block_bytes: usize,
    /// Frames after which a batch ends, at the next end of a block.
    pub batch_frames: usize,
}

impl Default for Options {
    /// Blocks that stay in a core's cache, batches that keep several cores busy.
    fn default() -> Self {
        Self {
            block_bytes: 512 << 10,
            batch_frames: 16_384,
        }
    }
}

/// How far the run has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read as stored, so of packed files their packed size.
    pub bytes_read: u64,
    /// Bytes there are; `None` where a pipe is among the inputs.
    pub bytes_total: Option<u64>,
    /// Frames delivered.
    pub packets: u64,
}

/// All inputs of a run.
pub struct Feed {
    points: Vec<Point>,
    merge: Option<Merge>,
    files: Vec<FileReport>,
    interfaces: Vec<Interface>,
    spare: Vec<Vec<u8>>,
    point_of: Vec<u32>,
    clock: Clock,
    portion: Portion,
    read: Arc<AtomicU64>,
    total: Option<u64>,
    packets: u64,
    ended: bool,
}

impl Feed {
    /// Expands and opens the arguments. What cannot be read at all is told in the second value; the rest goes on.
    pub fn open(paths: &[String], options: &Options) -> (Self, Vec<IngestError>) {
        let (inputs, mut errors) = input::expand(paths);
        let read = Arc::new(AtomicU64::new(0));
        let mut readable: Vec<Readable> = Vec::new();
        let alone = inputs.len() == 1;
        let mut folders: Vec<(usize, bool)> = Vec::new();
        for input in inputs {
            let told = match &input.place {
                // A pipe is read once: its head stays in the reader.
                Place::Stdin => plan::keep(&input, options.block_bytes, &read),
                Place::Path(_) => plan::probe(&input, alone, options.block_bytes, &read),
            };
            let good = told.is_ok();
            let quiet = input.folder.is_some() && !input.promises();
            let mut said = false;
            match told {
                Ok(file) => readable.push(file),
                Err(error) if !quiet || matches!(error, IngestError::Archive { .. }) => {
                    said = true;
                    errors.push(error);
                }
                Err(_) => {}
            }
            if let Some(folder) = input.folder {
                match folders.iter_mut().find(|(argument, _)| *argument == folder) {
                    Some((_, any)) => *any |= good || said,
                    None => folders.push((folder, good || said)),
                }
            }
        }
        for (argument, path) in paths.iter().enumerate() {
            let empty = std::path::Path::new(path).is_dir()
                && !folders
                    .iter()
                    .any(|(folder, any)| *folder == argument && *any);
            if empty {
                errors.push(IngestError::NoCaptures { path: path.clone() });
            }
        }
        (Self::of(readable, options, read), errors)
    }

    /// A capture from any stream, called `name` in reports.
    pub fn of_stream(
        name: &str,
        stream: Box<dyn Read + Send>,
        options: &Options,
    ) -> Result<Self, IngestError> {
        let read = Arc::new(AtomicU64::new(0));
        let source = source::from_stream(stream, None, name, &read)?;
        let input = Input {
            path: name.to_owned(),
            place: Place::Stdin,
            folder: None,
        };
        let readable = plan::from_source(&input, source, options.block_bytes)?;
        Ok(Self::of(vec![readable], options, read))
    }

    /// A capture that goes on while it is read: what has come is handed over when the stream has nothing for now, and a
    /// batch is empty then. Not unpacked, and without the hash of its head.
    pub fn of_live(
        name: &str,
        stream: Box<dyn Read + Send>,
        options: &Options,
    ) -> Result<Self, IngestError> {
        let read = Arc::new(AtomicU64::new(0));
        let source = source::as_it_comes(stream, &read);
        let input = Input {
            path: name.to_owned(),
            place: Place::Stdin,
            folder: None,
        };
        let readable = plan::from_source(&input, source, options.block_bytes);
        let readable = readable.map_err(|error| match error {
            // What is packed comes in blocks, and late: it is not unpacked here.
            IngestError::Archive {
                path,
                kind: "twice compressed",
                ..
            } => IngestError::Archive {
                path,
                kind: "compressed",
                unpack: "as in zcat FILE | wirefault live -",
            },
            other => other,
        })?;
        Ok(Self::of(vec![readable], options, read))
    }

    fn of(readable: Vec<Readable>, options: &Options, read: Arc<AtomicU64>) -> Self {
        let total = readable.iter().map(|file| file.size).sum::<Option<u64>>();
        let (points, files) = plan::points(readable);
        let portion = Portion {
            block_bytes: options.block_bytes.clamp(512, 64 << 20),
            frames: options.batch_frames.max(1),
        };
        Self {
            merge: (points.len() > 1).then(|| Merge::new(&points, portion)),
            points,
            files,
            interfaces: Vec::new(),
            spare: Vec::new(),
            point_of: Vec::new(),
            clock: Clock::default(),
            portion,
            read,
            total,
            packets: 0,
            ended: false,
        }
    }

    /// Replaces what `batch` holds by the next frames; false, and an empty batch, at the end of all inputs.
    pub fn next(&mut self, batch: &mut Batch) -> bool {
        batch.clear(&mut self.spare);
        self.point_of.clear();
        let more = match (&mut self.merge, self.points.first_mut()) {
            (Some(merge), _) => {
                let mut inputs = Inputs {
                    points: &mut self.points,
                    files: &mut self.files,
                    spare: &mut self.spare,
                    read: &self.read,
                };
                merge.fill(batch, &mut self.point_of, &mut inputs, self.portion)
            }
            (None, Some(point)) => point.fill(
                batch,
                &mut self.spare,
                &mut self.files,
                self.portion,
                &self.read,
            ),
            (None, None) => false,
        };
        for place in 0..batch.frames.len() {
            let point = self.point_of.get(place).copied().unwrap_or(0);
            let Some(frame) = batch.frames.get_mut(place) else {
                break;
            };
            frame.clock = self.clock.meet(frame.at.time);
            let known = self
                .points
                .get(point as usize)
                .and_then(|point| point.faces.list.get(frame.interface as usize))
                .and_then(|face| face.global);
            frame.interface = match known {
                Some(global) => global,
                None => self.introduce(point, frame.interface),
            };
        }
        self.packets += batch.frames.len() as u64;
        if !more && !self.ended {
            self.finish();
        }
        self.refresh();
        more
    }

    /// Gives an interface its number in the run.
    fn introduce(&mut self, point: u32, face: u32) -> u32 {
        let global = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        if let Some(face) = self
            .points
            .get_mut(point as usize)
            .and_then(|point| point.faces.list.get_mut(face as usize))
        {
            face.global = Some(global);
            let mut told = face.told.clone();
            told.point = point;
            self.interfaces.push(told);
        }
        global
    }

    /// Brings the counters of the interfaces up to date.
    fn refresh(&mut self) {
        for face in self.points.iter().flat_map(|point| &point.faces.list) {
            let Some(interface) = face
                .global
                .and_then(|global| self.interfaces.get_mut(global as usize))
            else {
                continue;
            };
            interface.packets = face.told.packets;
            interface.interface_drops = face.told.interface_drops;
            interface.system_drops = face.told.system_drops;
        }
    }

    /// Interfaces without frames get their numbers, and the notes speak of the run's numbers.
    fn finish(&mut self) {
        self.ended = true;
        for point in 0..self.points.len() {
            let faces = self
                .points
                .get(point)
                .map_or(0, |point| point.faces.list.len());
            let point = u32::try_from(point).unwrap_or(u32::MAX);
            for face in 0..faces {
                let known = self.global(point, face);
                if known.is_none() {
                    self.introduce(point, u32::try_from(face).unwrap_or(u32::MAX));
                }
            }
        }
        let mut files = std::mem::take(&mut self.files);
        for file in &mut files {
            for note in &mut file.notes {
                if let Note::Dropped { interface, .. } = note {
                    *interface = self
                        .global(file.point, *interface as usize)
                        .unwrap_or(*interface);
                }
            }
        }
        self.files = files;
    }

    fn global(&self, point: u32, face: usize) -> Option<u32> {
        self.points
            .get(point as usize)?
            .faces
            .list
            .get(face)?
            .global
    }

    /// The interfaces met so far, by the numbers that frames carry; complete once `next` said false.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// One report for each readable input, by the numbers that marks carry; final once `next` said false.
    pub fn files(&self) -> &[FileReport] {
        &self.files
    }

    /// Files that could be read when the run began and not when their turn came, since this was last asked.
    pub fn take_errors(&mut self) -> Vec<IngestError> {
        self.points
            .iter_mut()
            .flat_map(|point| point.late.drain(..))
            .collect()
    }

    /// Bytes and packets so far.
    pub fn progress(&self) -> Progress {
        Progress {
            bytes_read: self.read.load(Ordering::Relaxed),
            bytes_total: self.total,
            packets: self.packets,
        }
    }
}
