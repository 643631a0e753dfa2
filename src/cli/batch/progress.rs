//! How far a run over an archive has got, on a terminal.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::cli::batch::plan::Wanted;
use crate::cli::{Common, output};

/// Sets and bytes done, of how many, and the time left at the rate so far.
pub(crate) struct Progress {
    wanted: bool,
    began: Instant,
    drawn: Mutex<Instant>,
    sets: (AtomicU64, u64),
    bytes: (AtomicU64, u64),
}

impl Progress {
    #[expect(
        clippy::disallowed_methods,
        reason = "the bar shows the reader's time, not the capture's"
    )]
    pub(crate) fn new(common: &Common, wanted: &[Wanted]) -> Self {
        let now = Instant::now();
        let files = wanted.iter().flat_map(|set| &set.files);
        Self {
            wanted: !common.quiet && std::io::stderr().is_terminal(),
            began: now,
            drawn: Mutex::new(now),
            sets: (AtomicU64::new(0), wanted.len() as u64),
            bytes: (AtomicU64::new(0), files.map(|file| file.size).sum()),
        }
    }

    /// So many stored bytes more were read.
    pub(crate) fn read(&self, bytes: u64) {
        self.bytes.0.fetch_add(bytes, Ordering::Relaxed);
        // Whoever finds another drawing goes on.
        if self.wanted
            && let Ok(mut drawn) = self.drawn.try_lock()
            && drawn.elapsed() > Duration::from_millis(200)
        {
            let since = drawn.elapsed();
            *drawn += since;
            self.draw();
        }
    }

    /// One more set ended.
    pub(crate) fn ended(&self) {
        self.sets.0.fetch_add(1, Ordering::Relaxed);
    }

    fn draw(&self) {
        let done = self.bytes.0.load(Ordering::Relaxed);
        let rate = done as f64 / self.began.elapsed().as_secs_f64().max(1e-3);
        let left = self.bytes.1.saturating_sub(done) as f64 / rate.max(1.0);
        output::bar(&format!(
            "\r{} of {} sets, {:.0} of {:.0} MB, {:.0} MB/s, {left:.0} s left   ",
            self.sets.0.load(Ordering::Relaxed),
            self.sets.1,
            done as f64 / 1e6,
            self.bytes.1 as f64 / 1e6,
            rate / 1e6
        ));
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        if self.wanted {
            output::bar("\r\x1b[K");
        }
    }
}
