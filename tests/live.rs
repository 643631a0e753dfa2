//! A run that goes on: what is told while it goes, and that it is what a report over the whole tells.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;

use serde_json::Value;
use support::run::{TRUST, json, list, report_of, settings, text, wirefault, wirefault_fed};
use wirefault::engine::{Engine, Options};
use wirefault::ingest::{self, Batch, Feed, live};
use wirefault::report::Told;
use wirefault::report::json::Lines;
use wirefault::report::stream::Stream;
use wirefault::time::SECOND;

const DEMO: &str = "captures/demo.pcapng";

/// The lines that a run over a capture tells with a look every ten seconds of its clock, as they come piece by piece;
/// what is older than `window` seconds is forgotten at each look.
fn told(path: &str, window: Option<i64>) -> Vec<Value> {
    let stream = live::in_pieces(Box::new(File::open(path).expect("a capture")));
    let sizes = ingest::Options {
        block_bytes: 4 << 10,
        batch_frames: 1,
    };
    let mut feed = Feed::of_live(path, stream, &sizes).expect("a capture");
    let options = Options {
        threads: 1,
        rows: false,
        trust: Arc::clone(&TRUST),
    };
    let mut engine = Engine::new(&options).expect("an engine");
    let mut written = Vec::new();
    let mut stream = Stream::new(Lines::new(&mut written));
    let look = |engine: &mut Engine, feed: &Feed| {
        let files = feed.files().to_vec();
        let diagnosis = engine.look(&files);
        Told::lazily(diagnosis, &files, feed.interfaces(), &settings())
    };
    stream.begin(&look(&mut engine, &feed)).expect("memory");
    let mut batch = Batch::default();
    let mut next = None;
    while feed.next(&mut batch) {
        engine.push(&batch);
        let now = engine.clock();
        if batch.frames.is_empty() || next.is_some_and(|next| now < next) {
            continue;
        }
        next = Some(now.plus(10 * SECOND));
        stream.look(&look(&mut engine, &feed), now).expect("memory");
        if let Some(window) = window {
            engine.forget_before(now.plus(-window * SECOND));
        }
    }
    stream.finish(&look(&mut engine, &feed)).expect("memory");
    drop(stream);
    let lines = String::from_utf8(written).expect("JSON is UTF-8");
    lines.lines().map(json).collect()
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines
        .iter()
        .filter(|line| text(line, "type") == kind)
        .collect()
}

#[test]
fn incidents_open_while_the_capture_runs_grow_and_close() {
    let lines = told(DEMO, None);
    let first = |state: &str| {
        lines
            .iter()
            .position(|line| text(line, "type") == "incident" && text(line, "state") == state)
    };
    let (open, grown, closed) = (first("open"), first("grown"), first("closed"));
    let end = lines.len() - 1;
    assert!(
        open < grown && grown < closed,
        "{open:?} {grown:?} {closed:?}"
    );
    assert!(open.is_some_and(|open| open < end / 2), "{open:?} of {end}");
    let mut revisions: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for incident in of_type(&lines, "incident") {
        let revision = incident["revision"].as_u64().expect("a number");
        revisions
            .entry(text(incident, "id"))
            .or_default()
            .push(revision);
    }
    assert_eq!(revisions.len(), 3, "{revisions:?}");
    for (id, revisions) in revisions {
        let expected: Vec<u64> = (1..=revisions.len() as u64).collect();
        assert_eq!(revisions, expected, "{id}");
    }
}

#[test]
fn a_stream_replays_to_what_a_report_over_the_whole_tells() {
    let report = json(&report_of(&[DEMO.to_owned()], 1));
    let lines = told(DEMO, None);
    let ids = |of: &[&Value]| -> Vec<String> {
        of.iter()
            .map(|finding| text(finding, "id").to_owned())
            .collect()
    };
    let told = ids(&of_type(&lines, "finding"));
    let whole: Vec<&Value> = list(&report, "findings").iter().collect();
    let unique: BTreeSet<&String> = told.iter().collect();
    assert_eq!(unique.len(), told.len(), "a finding is written once");
    assert_eq!(unique, ids(&whole).iter().collect());
    let cause = |incident: &Value| {
        let hypotheses = list(incident, "hypotheses");
        let cause = text(&hypotheses[0], "cause").to_owned();
        (
            text(incident, "scope").to_owned(),
            cause,
            incident["attempts"].clone(),
        )
    };
    let mut last: BTreeMap<&str, &Value> = BTreeMap::new();
    for incident in of_type(&lines, "incident") {
        last.insert(text(incident, "id"), incident);
    }
    let mut told: Vec<_> = last.values().map(|incident| cause(incident)).collect();
    let mut whole: Vec<_> = list(&report, "incidents").iter().map(cause).collect();
    told.sort_by_key(|told| told.0.clone());
    whole.sort_by_key(|told| told.0.clone());
    assert_eq!(told, whole);
    let summary = of_type(&lines, "summary")[0];
    assert_eq!(
        summary["summary"]["attempts"],
        report["summary"]["attempts"]
    );
    assert_eq!(summary["summary"]["packets"], report["summary"]["packets"]);
}

#[test]
fn what_is_forgotten_stays_counted() {
    let report = json(&report_of(&[DEMO.to_owned()], 1));
    let lines = told(DEMO, Some(30));
    let summary = of_type(&lines, "summary")[0];
    let sum = |attempts: &Value| -> u64 {
        let all = attempts.as_object().expect("attempts");
        all.values().filter_map(Value::as_u64).sum()
    };
    assert_eq!(
        sum(&summary["summary"]["attempts"]),
        sum(&report["summary"]["attempts"])
    );
    assert_eq!(of_type(&lines, "endpoint").len(), 6);
}

#[test]
fn a_capture_through_a_pipe_is_told_as_lines() {
    let bytes = std::fs::read("captures/transport/syn-refused/java.pcap").expect("a capture");
    let ran = wirefault_fed(&["live", "-", "--format", "jsonl"], &bytes);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let lines: Vec<Value> = ran.stdout.lines().map(json).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| text(line, "type")).collect();
    assert_eq!(kinds.first(), Some(&"header"));
    assert_eq!(kinds.last(), Some(&"summary"));
    assert_eq!(
        text(of_type(&lines, "finding")[0], "code"),
        "transport.syn-refused"
    );
    let numbers: Vec<u64> = lines
        .iter()
        .filter_map(|line| line["seq"].as_u64())
        .collect();
    let expected: Vec<u64> = (1..=lines.len() as u64).collect();
    assert_eq!(numbers, expected);
    let words = wirefault_fed(&["live", "-", "--lang", "zh", "--tz", "UTC"], &bytes);
    assert!(words.stdout.contains("事件开始"), "{}", words.stdout);
    assert!(
        words.stdout.contains("transport.syn-refused"),
        "{}",
        words.stdout
    );
}

#[test]
fn what_cannot_be_read_live_is_refused_in_a_sentence() {
    let says = |arguments: &[&str], status: i32, words: &str| {
        let ran = wirefault(arguments);
        assert_eq!(ran.status, status, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    };
    says(&["live"], 2, "-i eth0");
    says(&["live", DEMO], 2, "wirefault analyze captures/demo.pcapng");
    for format in ["json", "html"] {
        says(
            &["live", "-", "--format", format],
            2,
            "--format text or jsonl",
        );
    }
    let nothing = wirefault_fed(&["live", "-"], b"");
    assert_eq!(nothing.status, 3, "{}", nothing.stderr);
    let words = wirefault_fed(&["live", "-"], b"this is no capture at all\n");
    assert_eq!(words.status, 3, "{}", words.stderr);
    if cfg!(not(feature = "live")) {
        says(&["live", "-i", "lo"], 2, "tcpdump -i lo -U -w -");
        says(&["interfaces"], 2, "--features live");
    }
}
