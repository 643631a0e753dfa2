//! A run that goes on: what is told while it goes, what is taken back, and that in the end it is what a report over the
//! whole tells.
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
use support::run::{
    TRUST, json, judged, keys_beside, list, report_of, rules_beside, settings, text, wirefault,
    wirefault_fed,
};
use wirefault::engine::{Engine, Options};
use wirefault::ingest::{self, Batch, Feed, live};
use wirefault::report::Told;
use wirefault::report::json::Lines;
use wirefault::report::stream::{Moment, Stream};
use wirefault::time::SECOND;

const DEMO: &str = "captures/demo.pcapng";

/// The lines that a run over a capture tells with a look every second of its clock, as they come piece by piece;
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
    if let Some(rules) = rules_beside(&[path.to_owned()]) {
        engine.judge_by(rules, &Default::default());
    }
    if let Some(keys) = keys_beside(&[path.to_owned()]) {
        engine.open_by(keys, None);
    }
    let mut written = Vec::new();
    let mut stream = Stream::new(Lines::new(&mut written));
    let told = |diagnosis, feed: &Feed| {
        Told::lazily(diagnosis, feed.files(), feed.interfaces(), &settings())
    };
    let empty = engine.look(&[]);
    stream.begin(&told(empty, &feed)).expect("memory");
    let mut batch = Batch::default();
    let mut next = None;
    while feed.next(&mut batch) {
        engine.push(&batch);
        let now = engine.clock();
        if batch.frames.is_empty() || next.is_some_and(|next| now < next) {
            continue;
        }
        next = Some(now.plus(SECOND));
        let seen = engine.look(feed.files());
        let moment = Moment {
            now,
            lingering: engine.lingering(),
            ends: false,
        };
        stream.look(&told(seen, &feed), &moment).expect("memory");
        if let Some(window) = window {
            stream.forget_before(now.plus(-window * SECOND), now);
            engine.forget_before(now.plus(-window * SECOND));
        }
    }
    let now = engine.clock();
    let last = engine.finish(feed.files());
    stream.finish(&told(last, &feed), now).expect("memory");
    drop(stream);
    let lines = String::from_utf8(written).expect("JSON is UTF-8");
    lines.lines().map(json).collect()
}

/// What a reader of the lines holds in the end, by id: each finding as told last, each incident as told last.
fn replayed(lines: &[Value]) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
    let (mut findings, mut incidents) = (BTreeMap::new(), BTreeMap::new());
    for line in lines {
        let mut row = line.clone();
        let members = row.as_object_mut().expect("an object");
        for own in ["type", "seq", "supersedes"] {
            members.remove(own);
        }
        let id = line.get("id").and_then(Value::as_str).unwrap_or_default();
        match text(line, "type") {
            "finding" => assert!(findings.insert(id.to_owned(), row).is_none(), "{id} twice"),
            "amended" => {
                members_without_revision(&mut row);
                assert!(
                    findings.insert(id.to_owned(), row).is_some(),
                    "{id} unheard of"
                );
            }
            "incident" => {
                incidents.insert(id.to_owned(), row);
            }
            "withdrawn" => {
                let known = findings.remove(id).or_else(|| incidents.remove(id));
                assert!(known.is_some(), "{id} unheard of");
            }
            _ => {}
        }
    }
    (findings, incidents)
}

fn members_without_revision(row: &mut Value) {
    let revision = row.as_object_mut().and_then(|row| row.remove("revision"));
    assert!(revision.is_some_and(|revision| revision.as_u64() >= Some(2)));
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

/// What a stream over a capture replays to that a report over it does not tell so, and the other way round; with the
/// kinds of lines that it had.
fn differs(path: &str) -> (Vec<String>, BTreeSet<String>) {
    let report = json(&judged(&path.to_owned()));
    let lines = told(path, None);
    let (findings, incidents) = replayed(&lines);
    let mut wrong = Vec::new();
    let mut whole: BTreeMap<String, Value> = BTreeMap::new();
    for finding in list(&report, "findings") {
        whole.insert(text(finding, "id").to_owned(), finding.clone());
    }
    for id in whole.keys().chain(findings.keys()).collect::<BTreeSet<_>>() {
        let (told, asked) = (findings.get(id), whole.get(id));
        if told != asked {
            wrong.push(format!("{path}: told {told:?}, but {asked:?}"));
        }
    }
    let content = |incident: &Value| {
        let hypotheses = list(incident, "hypotheses");
        let cause = hypotheses.first().map(|first| text(first, "cause"));
        let parts = (
            &incident["findings"],
            &incident["attempts"],
            &incident["clients"],
        );
        format!("{} {cause:?} {parts:?}", text(incident, "scope"))
    };
    let mut told: Vec<_> = incidents.values().map(content).collect();
    let mut asked: Vec<_> = list(&report, "incidents").iter().map(content).collect();
    told.sort();
    asked.sort();
    if told != asked {
        wrong.push(format!("{path}: told {told:#?}, but {asked:#?}"));
    }
    let summary = of_type(&lines, "summary");
    for key in ["attempts", "packets", "flows"] {
        let (told, asked) = (&summary[0]["summary"][key], &report["summary"][key]);
        if told != asked {
            wrong.push(format!("{path}: {key} told {told}, but {asked}"));
        }
    }
    let kinds = lines.iter().map(|line| text(line, "type").to_owned());
    (wrong, kinds.collect())
}

/// Every capture that can come through a pipe; what is packed is refused there, with how to unpack it.
fn streams() -> Vec<String> {
    let captures = support::captures().into_iter();
    let paths = captures.map(|capture| capture.path);
    let packed = [".gz", ".xz", ".zst", ".lz4"];
    paths
        .filter(|path| !packed.iter().any(|end| path.ends_with(end)))
        .collect()
}

#[test]
fn every_stream_replays_to_what_a_report_over_the_whole_tells() {
    let paths = streams();
    assert!(paths.len() > 100, "{}", paths.len());
    let (mut wrong, mut kinds) = (Vec::new(), BTreeSet::new());
    std::thread::scope(|scope| {
        let share = |place: usize| {
            let mine = paths.iter().skip(place).step_by(4);
            scope.spawn(move || mine.map(|path| differs(path)).collect::<Vec<_>>())
        };
        let shares: Vec<_> = (0..4).map(share).collect();
        for differing in shares {
            for (lines, told_kinds) in differing.join().expect("a share") {
                wrong.extend(lines);
                kinds.extend(told_kinds);
            }
        }
    });
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n"));
    // Else nothing of what this holds was tried.
    assert!(
        kinds.contains("amended") && kinds.contains("withdrawn"),
        "{kinds:?}"
    );
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
fn a_screen_needs_a_terminal_or_another_build() {
    let ran = wirefault_fed(&["live", "-", "--tui"], b"");
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    let said = if cfg!(feature = "live") {
        "--tui: standard output is no terminal"
    } else {
        "--tui: this build has no screen"
    };
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

/// In a pseudo terminal: it takes the screen over, shows the incidents, and gives the terminal back at the end.
#[cfg(feature = "live")]
#[test]
fn a_screen_comes_and_goes_on_a_terminal() {
    let program = env!("CARGO_BIN_EXE_wirefault");
    let command = format!("{program} live - --tui --lang zh --quiet < {DEMO}");
    let ran = std::process::Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(std::process::Stdio::null())
        .output();
    let Ok(ran) = ran else {
        eprintln!("SKIPPED: no `script`: the screen was not tried on a terminal");
        return;
    };
    let shown = String::from_utf8_lossy(&ran.stdout);
    let (enter, leave) = ("\u{1b}[?1049h", "\u{1b}[?1049l");
    let (begun, ended) = (shown.find(enter), shown.rfind(leave));
    assert!(begun.is_some() && begun < ended, "{shown:?}");
}

/// The terminal goes while the run goes on: with nobody else to tell, it ends.
#[cfg(feature = "live")]
#[test]
fn a_screen_whose_terminal_is_gone_ends() {
    let program = env!("CARGO_BIN_EXE_wirefault");
    let folder = tempfile::tempdir().expect("a folder");
    let number = folder.path().join("number");
    // A capture that never ends; the run is no child of the terminal's shell, and hears of its end by the terminal alone.
    let command = format!(
        "(cat {DEMO}; exec sleep 60) | (echo $BASHPID > {}; exec {program} live - --tui --quiet)",
        number.display()
    );
    let script = std::process::Command::new("script")
        .args(["-qec", &format!("bash -c '{command}'"), "/dev/null"])
        .env("TERM", "xterm")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn();
    let Ok(mut script) = script else {
        eprintln!("SKIPPED: no `script`: no terminal was taken away from a screen");
        return;
    };
    support::beside::until("the run begins", || number.is_file());
    let number = || {
        std::fs::read_to_string(&number)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    support::beside::until("its number is written", || !number().is_empty());
    std::thread::park_timeout(std::time::Duration::from_secs(2));
    script.kill().expect("it runs");
    let _ = script.wait();
    let process = format!("/proc/{}/stat", number());
    let ended = || std::fs::read_to_string(&process).map_or(true, |stat| stat.contains(") Z "));
    support::beside::until("the run ends without its terminal", ended);
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
    let packed = std::fs::read("captures/format/packed-gz.pcap.gz").expect("a capture");
    let packed = wirefault_fed(&["live", "-"], &packed);
    assert_eq!(packed.status, 3, "{}", packed.stderr);
    assert!(packed.stderr.contains("zcat FILE"), "{}", packed.stderr);
    let words = wirefault_fed(&["live", "-"], b"this is no capture at all\n");
    assert_eq!(words.status, 3, "{}", words.stderr);
    if cfg!(not(feature = "live")) {
        says(&["live", "-i", "lo"], 2, "tcpdump -i lo -U -w -");
        says(&["interfaces"], 2, "--features live");
    }
}

/// `live` over the demo with a folder for evidence and these options: the lines, what was said, and the files by name.
fn with_evidence(folder: &str, options: &[&str]) -> (Vec<Value>, String, Vec<String>) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let _ = std::fs::remove_dir_all(&folder);
    let place = folder.to_string_lossy().into_owned();
    let args = [
        &["live", "-", "--format", "jsonl", "--evidence", &place][..],
        options,
    ]
    .concat();
    let ran = wirefault_fed(&args, &std::fs::read(DEMO).expect("a capture"));
    let lines = ran.stdout.lines();
    let lines = lines.map(|line| serde_json::from_str(line).expect("JSON"));
    let entries = std::fs::read_dir(&folder).expect("the folder is made");
    let mut files: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .path()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.sort();
    (lines.collect(), ran.stderr, files)
}

#[test]
fn each_incident_leaves_its_packets_with_comments() {
    let (lines, _, files) = with_evidence("evidence", &[]);
    let opened: BTreeSet<String> = lines
        .iter()
        .filter(|line| line["type"] == "incident" && line["state"] == "open")
        .map(|line| text(line, "id").to_owned())
        .collect();
    assert!(opened.len() > 1, "the demo has incidents");
    assert_eq!(files.len(), opened.len(), "{files:?}");
    for (file, id) in files.iter().zip(&opened) {
        assert!(file.ends_with(&format!("{id}.pcapng")), "{file}: {id}");
        let bytes = std::fs::read(file).expect("a file");
        let holds = |what: &str| {
            bytes
                .windows(what.len())
                .any(|part| part == what.as_bytes())
        };
        assert!(holds("f-"), "{file}: no comment names a finding");
        let told: Value =
            serde_json::from_str(&report_of(std::slice::from_ref(file), 1)).expect("JSON");
        assert!(told["summary"]["packets"].as_u64() > Some(0), "{file}");
        assert!(!list(&told, "findings").is_empty(), "{file} shows nothing");
    }
}

#[test]
fn evidence_keeps_within_its_budget_and_says_what_it_has_not() {
    let (_, said, files) = with_evidence("evidence-budget", &["--evidence-budget", "1"]);
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(said.contains("--evidence-budget is full"), "{said}");
    let (_, said, files) = with_evidence("evidence-memory", &["--evidence-memory", "1"]);
    assert!(files.is_empty(), "{files:?}");
    assert!(said.contains("have left the memory already"), "{said}");
}
