//! The whole line on the generated capture `web` (described in `support/capture.rs`), from the file's bytes to the
//! JSON report; and the report alone.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench fails by panicking"
)]

mod support;

use std::sync::Arc;

use support::{Suite, Work, capture, pcap};
use wirefault::engine::{Engine, Options};
use wirefault::failure::Lang;
use wirefault::ingest::{Batch, Feed};
use wirefault::protocol::tls::chain::TrustStore;
use wirefault::report::{self, Findings, Settings, Told};

/// As `analyze --format json` on a machine in UTC.
fn settings() -> Settings {
    Settings {
        lang: Lang::En,
        zone: jiff::tz::TimeZone::UTC,
        findings_max: 1_000,
        since: None,
        until: None,
        redact: true,
        color: false,
        width: 100,
        threads: 1,
    }
}

fn told(mut feed: Feed, threads: usize, trust: &Arc<TrustStore>) -> Told<Findings> {
    let options = Options {
        threads,
        rows: false,
        trust: Arc::clone(trust),
    };
    let mut engine = Engine::new(&options).expect("an engine");
    let mut batch = Batch::default();
    while feed.next(&mut batch) {
        engine.push(&batch);
    }
    let files = feed.files().to_vec();
    let diagnosis = engine.finish(&files);
    Told::lazily(diagnosis, &files, feed.interfaces(), &settings())
}

/// The report as JSON.
fn written(told: &Told<Findings>) -> Vec<u8> {
    let mut text = Vec::new();
    report::json::report(told, &mut text).expect("memory can be written to");
    text
}

fn main() {
    let suite = Suite::from_arguments();
    let trust = Arc::new(TrustStore::bundled());
    for (scale, conversations) in [("5k", 5_000), ("50k", 50_000)] {
        let frames = capture::web(conversations, 1);
        let file = pcap::pcap(&frames);
        let work = Work::packets(frames.len(), file.len());
        drop(frames);
        for threads in [1, 2] {
            suite.bench(
                &format!("pipeline/web/{scale}_flows/threads={threads}"),
                work,
                || support::feed(&file),
                |feed| written(&told(feed, threads, &trust)),
            );
        }
        let told = told(support::feed(&file), 1, &trust);
        let bytes = written(&told).len();
        let reports = 20;
        suite.bench(
            &format!("report/json/{scale}_flows"),
            Work {
                count: reports,
                unit: "report",
                bytes: bytes * reports,
            },
            || (),
            |()| -> usize { (0..reports).map(|_| written(&told).len()).sum() },
        );
    }
}
