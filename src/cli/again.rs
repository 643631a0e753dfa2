//! Reading the inputs a second time, for commands that show frames: the first reading said which.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::filter::Filter;
use crate::cli::{Common, Failure, FormatArg, analyze, input};
use crate::engine::row::Row;
use crate::ingest::{self, Batch, Feed, FileReport, Frame, Interface};
use crate::protocol::tls::KeyLog;
use crate::report::{Findings, Settings, Told};

/// What the first reading found.
pub(crate) struct First {
    /// The report, to choose findings from.
    pub(crate) told: Told<Findings>,
    /// The flows.
    pub(crate) rows: Vec<Row>,
    /// The files by the numbers that marks carry.
    pub(crate) files: Vec<FileReport>,
    /// Secrets of TLS sessions.
    pub(crate) keys: Option<Arc<KeyLog>>,
    /// Some input was skipped or cut short.
    pub(crate) skipped: bool,
    /// How it is told.
    pub(crate) settings: Settings,
}

/// The first reading: as `analyze`, so that ids are the same.
pub(crate) fn first(common: &Common, command: &str) -> Result<First, Failure> {
    if common.format != FormatArg::Text {
        return Err(Failure::usage(format!(
            "{command}: --format is not offered; `wirefault analyze --format json` has the same findings as data"
        )));
    }
    if let Some(path) = common.paths.iter().find(|path| input::is_stream(path)) {
        return Err(Failure::usage(format!(
            "{command}: {path} can be read only once, and {command} reads its input twice; save it as a file first and give that"
        )));
    }
    let settings = analyze::settings(common)?;
    let mut run = input::read(common, true)?;
    let rows = std::mem::take(&mut run.diagnosis.rows);
    let told = Told::lazily(run.diagnosis, &run.files, &run.interfaces, &settings);
    Ok(First {
        told,
        rows,
        skipped: run.skipped || run.files.iter().any(|file| !file.complete),
        files: run.files,
        keys: run.keys,
        settings,
    })
}

/// The second reading.
pub(crate) struct Second {
    feed: Feed,
    filter: Option<Filter>,
    stop: Arc<AtomicBool>,
}

impl Second {
    /// Opens the inputs again. Frames are known by the numbers of their files, so these must be the same.
    pub(crate) fn open(common: &Common, files: &[FileReport]) -> Result<Self, Failure> {
        let filter = common.filter.as_deref().map(Filter::new).transpose()?;
        let (feed, _) = Feed::open(&common.paths, &ingest::Options::default());
        let same = |(one, other): (&FileReport, &FileReport)| {
            (&one.path, one.sha256_head) == (&other.path, other.sha256_head)
        };
        let mut both = feed.files().iter().zip(files);
        if feed.files().len() != files.len() || !both.all(same) {
            return Err(Failure {
                status: 3,
                message: "an input changed between two readings; wait until its capture has ended"
                    .to_owned(),
            });
        }
        let stop = input::stop_on_interrupt()?;
        Ok(Self { feed, filter, stop })
    }

    /// Hands every frame that passes the filter to `take`, with its interface, until that says false.
    pub(crate) fn each(
        mut self,
        take: &mut dyn FnMut(&Frame<'_>, &Interface) -> io::Result<bool>,
    ) -> io::Result<()> {
        let unknown = Interface::default();
        let mut batch = Batch::default();
        while self.feed.next(&mut batch) {
            if self.stop.load(Ordering::Relaxed) {
                return Err(io::Error::other("interrupted"));
            }
            if let Some(filter) = &mut self.filter {
                let refused = |failure: Failure| io::Error::other(failure.message);
                filter.apply(&mut batch).map_err(refused)?;
            }
            for frame in batch.frames.iter().map(|frame| batch.frame(frame)) {
                let interface = self.feed.interfaces().get(frame.interface as usize);
                if !take(&frame, interface.unwrap_or(&unknown))? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
