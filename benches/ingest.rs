//! Framing: a capture file into batches of frames, by format and compression. Copies included, no disk.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench fails by panicking"
)]

mod support;

use support::{Suite, Work, capture, pcap};
use wirefault::ingest::{Batch, Feed};

/// Reads to the end; the number of frames keeps the work from being left out.
fn drain(mut feed: Feed) -> usize {
    let mut batch = Batch::default();
    let mut frames = 0;
    while feed.next(&mut batch) {
        frames += batch.frames.len();
    }
    frames
}

fn main() {
    let suite = Suite::from_arguments();
    let frames = capture::web(20_000, 1);
    let plain = pcap::pcap(&frames);
    let packed = pcap::gzip(&plain);
    let files = [
        ("ingest/pcap", &plain),
        ("ingest/pcapng", &pcap::pcapng(&frames)),
        ("ingest/pcap.gz", &packed),
    ];
    for (name, file) in files {
        // Bytes are those of the unpacked file, so that the rows compare.
        let work = Work::packets(frames.len(), plain.len());
        suite.bench(name, work, || support::feed(file), drain);
    }
}
