//! The same bytes give the same report: at any number of threads, in any batches, as file or pipe, whole or split
//! into the files of a ring.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;

use rayon::prelude::*;
use serde_json::{Value, json};
use support::run::{self, finish_beside, list, report_of, text, wirefault, wirefault_fed};
use support::{Capture, assert_none, captures, split};
use wirefault::ingest::{Feed, Options};

/// Files of a split capture.
const PARTS: usize = 3;

/// Captures that are another story when split: their clock goes back by seconds between two parts, and the parts of
/// a set are put in order by their first packet.
const SPLIT_APART: &[&str] = &[
    "captures/capture/time-disorder/clock-steps-back.pcap",
    "captures/hostile/time-zero-and-far-future.pcap",
];

/// Runs `differs` over every capture; what it gives is the complaint.
fn check_all(what: &str, differs: impl Fn(&Capture) -> Option<String> + Sync) {
    let complaints: Vec<String> = captures()
        .par_iter()
        .filter_map(|capture| Some(format!("{}: {}", capture.path, differs(capture)?)))
        .collect();
    assert_none(&complaints, what);
}

/// The first line in which two reports differ.
fn difference(a: &str, b: &str) -> Option<String> {
    if a == b {
        return None;
    }
    let differing = a.lines().zip(b.lines()).find(|(a, b)| a != b);
    Some(differing.map_or_else(
        || "one report is longer".to_owned(),
        |(a, b)| format!("`{}` against `{}`", a.trim(), b.trim()),
    ))
}

#[test]
fn the_report_is_the_same_at_1_2_and_8_threads() {
    // In a plain loop: the engine's threads inside the threads of `check_all` would nest.
    let mut complaints = Vec::new();
    for capture in captures() {
        let one = report_of(std::slice::from_ref(&capture.path), 1);
        for threads in [2, 8] {
            let many = report_of(std::slice::from_ref(&capture.path), threads);
            if let Some(line) = difference(&one, &many) {
                complaints.push(format!("{}: {threads} threads: {line}", capture.path));
            }
        }
    }
    assert_none(&complaints, "reports depend on the threads");
}

#[test]
fn the_report_is_the_same_in_batches_of_any_size() {
    check_all("reports depend on the batches", |capture| {
        let usual = report_of(std::slice::from_ref(&capture.path), 1);
        [(512, 1), (4_096, 7), (1 << 20, 1_000_000)]
            .into_iter()
            .find_map(|(block_bytes, batch_frames)| {
                let options = Options {
                    block_bytes,
                    batch_frames,
                };
                let (feed, errors) = Feed::open(std::slice::from_ref(&capture.path), &options);
                assert!(errors.is_empty(), "{errors:?}");
                let told = finish_beside(feed, 1, &capture.path);
                difference(&usual, &told).map(|line| {
                    format!("blocks of {block_bytes}, batches of {batch_frames}: {line}")
                })
            })
    });
}

#[test]
fn a_full_flow_table_counts_what_it_closed_early_and_stays_independent_of_threads() {
    let told = |threads| {
        let (feed, _) = Feed::open(&["captures/demo.pcapng".to_owned()], &Options::default());
        support::run::finish_within(feed, threads, Some(64))
    };
    let one = told(1);
    assert_eq!(difference(&one, &told(2)), None);
    let report = support::run::json(&one);
    assert!(report["unjudged"]["evicted"].as_u64() > Some(0), "{report}");
    assert_eq!(report["captures"][0]["memory_limited"], true);
}

#[test]
fn the_report_is_the_same_from_a_stream() {
    check_all("reports depend on the way in", |capture| {
        let file = report_of(std::slice::from_ref(&capture.path), 1);
        let stream = Box::new(Cursor::new(capture.bytes()));
        let feed = Feed::of_stream(&capture.path, stream, &Options::default()).expect("a capture");
        difference(&file, &finish_beside(feed, 1, &capture.path))
    });
}

#[test]
fn the_report_is_the_same_through_a_pipe() {
    for path in [
        "captures/demo.pcapng",
        "captures/format/packed-xz.pcap.xz",
        "captures/hostile/truncated-record.pcap",
    ] {
        let options = ["analyze", "--format", "json", "--ca-bundle", support::ROOTS];
        let file = wirefault(&[&options, [path].as_slice()].concat());
        let bytes = fs::read(path).expect("a capture");
        let piped = wirefault_fed(&[&options, ["-"].as_slice()].concat(), &bytes);
        assert_eq!(piped.status, file.status, "{path}: {}", piped.stderr);
        let unnamed = file.stdout.replace(path, "-");
        assert_eq!(difference(&unnamed, &piped.stdout), None, "{path}");
    }
}

#[test]
fn flows_are_the_same_at_any_number_of_threads() {
    for format in ["text", "csv", "json", "jsonl"] {
        let rows = |threads| {
            let ran = wirefault(&[
                "flows",
                "--format",
                format,
                "--threads",
                threads,
                "captures/demo.pcapng",
            ]);
            assert_eq!(ran.status, 0, "{}", ran.stderr);
            ran.stdout
        };
        assert_eq!(difference(&rows("1"), &rows("8")), None, "{format}");
    }
}

/// A capture split into the files of a ring: flows run on across the files, and every frame is found again.
#[test]
fn the_report_is_the_same_split_into_ring_files() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    check_all("reports depend on how a capture is split", |capture| {
        if SPLIT_APART.contains(&capture.path.as_str()) {
            return None;
        }
        let bytes = capture.bytes();
        let parts = split::parts(&bytes, PARTS)?;
        let home = folder.path().join(capture.stem.replace('/', "-"));
        fs::create_dir(&home).expect("a folder");
        let mut before: BTreeMap<String, u64> = BTreeMap::new();
        let mut paths = Vec::new();
        for (place, (part, records)) in parts
            .iter()
            .zip(split::records_before(&bytes, PARTS))
            .enumerate()
        {
            let name = format!("x_{:05}_2026112410{:02}00.pcap", place + 1, place);
            let path = home.join(name).to_string_lossy().into_owned();
            fs::write(&path, part).expect("a file");
            before.insert(path.clone(), records);
            paths.push(path);
        }
        let whole = run::json(&report_of(std::slice::from_ref(&capture.path), 1));
        let (feed, errors) = Feed::open(&paths, &Options::default());
        assert!(errors.is_empty(), "{errors:?}");
        let split = run::json(&finish_beside(feed, 1, &capture.path));
        assert_eq!(list(&split, "captures").len(), PARTS);
        let whole = placeless(&whole, &BTreeMap::new());
        let split = placeless(&split, &before);
        difference(&pretty(&whole), &pretty(&split))
    });
}

/// What must not depend on the files: everything but `captures`, with frames counted through from the first file.
/// Codes of the capture itself cite a frame of each file and sum up what each suffered: of those, that they are told.
fn placeless(report: &Value, before: &BTreeMap<String, u64>) -> Value {
    let findings: Vec<Value> = list(report, "findings")
        .iter()
        .map(|finding| match text(finding, "layer") {
            "capture" => json!(finding["code"]),
            _ => counted_through(finding, before),
        })
        .collect();
    json!({
        "summary": report["summary"],
        "endpoints": report["endpoints"],
        "findings": findings,
        "incidents": report["incidents"],
        "unjudged": report["unjudged"],
    })
}

/// A finding with its frames numbered as if the files were one.
fn counted_through(finding: &Value, before: &BTreeMap<String, u64>) -> Value {
    let mut finding = finding.clone();
    let members = finding.as_object_mut().expect("an object");
    // Filters name frames of the first file.
    members.remove("filter");
    for seen in members["evidence"].as_array_mut().expect("an array") {
        let records = before.get(text(seen, "file")).copied().unwrap_or(0);
        let frame = seen["frame"].as_u64().expect("a number") + records;
        *seen = json!({"frame": frame, "time": seen["time"], "role": seen["role"]});
    }
    finding
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}
