//! The harness of the benches: fixed work, one run to warm up, the median of seven.
//!
//! A line says nanoseconds per unit (a packet, a message, a chain), units per second and GB/s, then the best run: on a
//! busy machine the distance between the two says how far to trust the line. Only `timed` is measured; what `setup`
//! makes and what `timed` gives back are built and dropped outside. `cargo bench -- TEXT` runs the benches whose name
//! holds TEXT. Times are wall times. No statistics crate: changes that matter here are larger than its intervals.
#![allow(
    dead_code,
    reason = "every bench is a crate of its own and uses a part of this"
)]

pub(crate) mod capture;
pub(crate) mod conversation;
pub(crate) mod packet;
pub(crate) mod pcap;

use std::hint::black_box;
use std::io::Cursor;
use std::time::Instant;

use wirefault::ingest::{self, Batch, Feed};

/// The program's allocator: with another one the numbers would not be the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs of which the median is told.
const RUNS: usize = 7;

/// What one run works through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// How many units.
    pub(crate) count: usize,
    /// What a unit is called.
    pub(crate) unit: &'static str,
    /// Bytes in all.
    pub(crate) bytes: usize,
}

impl Work {
    /// So many packets.
    pub(crate) const fn packets(count: usize, bytes: usize) -> Self {
        Self {
            count,
            unit: "packet",
            bytes,
        }
    }
}

/// The benches of one stage.
#[derive(Debug)]
pub(crate) struct Suite {
    filter: Option<String>,
}

impl Suite {
    /// Reads the filter from the command line; `--bench`, which cargo adds, is passed over.
    pub(crate) fn from_arguments() -> Self {
        Self {
            filter: std::env::args()
                .skip(1)
                .find(|argument| !argument.starts_with('-')),
        }
    }

    /// Will any bench whose name begins like this run? Saves building its input.
    pub(crate) fn wants(&self, prefix: &str) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| prefix.contains(filter.as_str()) || filter.starts_with(prefix))
    }

    /// Measures `timed` on what `setup` makes, and prints the line.
    pub(crate) fn bench<S, T>(
        &self,
        name: &str,
        work: Work,
        mut setup: impl FnMut() -> S,
        mut timed: impl FnMut(S) -> T,
    ) {
        if let Some(filter) = &self.filter
            && !name.contains(filter.as_str())
        {
            return;
        }
        let mut run = || {
            let input = setup();
            #[allow(
                clippy::disallowed_methods,
                reason = "a bench asks the clock; the program asks the capture"
            )]
            let start = Instant::now();
            let output = black_box(timed(black_box(input)));
            let spent = start.elapsed();
            drop(output);
            spent.as_secs_f64()
        };
        run();
        let mut spent: Vec<f64> = (0..RUNS).map(|_| run()).collect();
        spent.sort_by(f64::total_cmp);
        tell(name, work, spent[RUNS / 2], spent[0]);
    }
}

/// One line for people and for `diff`.
#[allow(clippy::print_stdout, reason = "printing is what a bench is for")]
fn tell(name: &str, work: Work, median: f64, best: f64) {
    let count = work.count as f64;
    println!(
        "{name:<46} {:>10.1} ns/{:<8} {:>12.0} /s {:>8.3} GB/s   best {:>10.1} ns",
        median * 1e9 / count,
        work.unit,
        count / median,
        work.bytes as f64 / 1e9 / median,
        best * 1e9 / count,
    );
}

/// A feed of a capture in memory.
pub(crate) fn feed(capture: &[u8]) -> Feed {
    let stream = Box::new(Cursor::new(capture.to_vec()));
    Feed::of_stream("generated", stream, &ingest::Options::default()).expect("a capture")
}

/// All frames of a capture in memory, in the batches that the engine takes.
pub(crate) fn batches(capture: &[u8]) -> Vec<Batch> {
    let mut feed = feed(capture);
    let mut all = Vec::new();
    loop {
        let mut batch = Batch::default();
        if !feed.next(&mut batch) {
            return all;
        }
        all.push(batch);
    }
}

/// Frames in these batches.
pub(crate) fn frames(batches: &[Batch]) -> usize {
    batches.iter().map(|batch| batch.frames.len()).sum()
}
