//! Every capture tells what its note expects, and nothing else; its whole report is the golden one beside it.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use rayon::prelude::*;
use serde_json::{Value, json};
use support::run::{judged, list, text};
use support::{Capture, Note, assert_none};
use wirefault::failure::classes;

/// Codes that notes expect and that no class says yet. Their captures are here because they are made together
/// with the others; until the class comes, all that is asked is that nothing else is called critical.
const LATER: &[&str] = &[];

/// Each capture with its report.
static REPORTS: LazyLock<Vec<(Capture, Value)>> = LazyLock::new(|| {
    support::captures()
        .into_par_iter()
        .map(|capture| {
            let report = judged(&capture.path);
            (capture, support::run::json(&report))
        })
        .collect()
});

/// Codes of the findings that `wanted` takes.
fn codes(report: &Value, wanted: impl Fn(&str) -> bool) -> BTreeSet<&str> {
    list(report, "findings")
        .iter()
        .filter(|finding| wanted(text(finding, "severity")))
        .map(|finding| text(finding, "code"))
        .collect()
}

#[test]
fn every_capture_tells_what_its_note_expects_and_nothing_else() {
    let mut complaints = Vec::new();
    for (capture, report) in REPORTS.iter() {
        let expected: BTreeSet<&str> = capture.note.codes.iter().map(String::as_str).collect();
        let later: BTreeSet<&str> = expected
            .iter()
            .copied()
            .filter(|code| LATER.contains(code))
            .collect();
        let any = codes(report, |_| true);
        let loud = codes(report, |severity| severity != "info");
        let missing: Vec<&str> = expected
            .difference(&any)
            .copied()
            .filter(|code| !later.contains(code))
            .collect();
        let mut surplus: Vec<&str> = loud.difference(&expected).copied().collect();
        if !later.is_empty() {
            eprintln!(
                "{}: {later:?} is told by no class yet; told now: {loud:?}",
                capture.path
            );
            let critical = codes(report, |severity| severity == "critical");
            surplus.retain(|code| critical.contains(code));
        }
        if !missing.is_empty() || !surplus.is_empty() {
            complaints.push(format!(
                "{}: missing {missing:?}, surplus {surplus:?}",
                capture.path
            ));
        }
    }
    assert_none(&complaints, "captures are not told as their notes expect");
}

/// Codes of the capture itself are information, which the test above lets pass.
#[test]
fn a_near_miss_of_the_capture_layer_is_not_told_at_all() {
    let mut complaints = Vec::new();
    for (capture, report) in REPORTS.iter().filter(|(capture, _)| capture.is_near_miss()) {
        let Some(class) = capture.class().filter(|_| capture.room() == "capture") else {
            continue;
        };
        if codes(report, |_| true).contains(class.as_str()) {
            complaints.push(capture.path.clone());
        }
    }
    assert_none(&complaints, "near-misses are told what they miss");
}

/// A note names every frame that shows the failure; evidence is the first few that prove it. They must meet.
#[test]
fn evidence_holds_frames_that_the_note_names() {
    let mut complaints = Vec::new();
    for (capture, report) in REPORTS.iter() {
        let note = &capture.note;
        if note.silent || note.frames.is_empty() {
            continue;
        }
        let cited: BTreeSet<u64> = list(report, "findings")
            .iter()
            .filter(|finding| note.codes.iter().any(|code| code == text(finding, "code")))
            .flat_map(|finding| list(finding, "evidence"))
            .filter_map(|seen| seen.get("frame").and_then(Value::as_u64))
            .collect();
        if !note.frames.iter().any(|frame| cited.contains(frame)) {
            let named = &note.frames;
            complaints.push(format!(
                "{}: evidence {cited:?}, named {named:?}",
                capture.path
            ));
        }
    }
    assert_none(
        &complaints,
        "captures are told without any frame that their note names",
    );
}

#[test]
fn every_finding_cites_frames_of_its_capture_in_order() {
    let mut complaints = Vec::new();
    for (capture, report) in REPORTS.iter() {
        // In pcapng, custom and journal blocks have numbers too: more frames than packets (the oracle checks those).
        let bounded = !capture.path.contains(".pcapng");
        let packets = list(report, "captures")
            .iter()
            .filter_map(|capture| capture["packets"].as_u64())
            .max()
            .filter(|_| bounded);
        for finding in list(report, "findings") {
            let (id, code) = (text(finding, "id"), text(finding, "code"));
            let seen = list(finding, "evidence");
            let frames = seen.iter().filter_map(|seen| seen["frame"].as_u64());
            let times: Vec<&str> = seen.iter().map(|seen| text(seen, "time")).collect();
            let about_capture = code.starts_with("capture.");
            if seen.is_empty() && !about_capture {
                complaints.push(format!("{}: {id} {code} cites nothing", capture.path));
            }
            if frames
                .into_iter()
                .any(|frame| frame == 0 || packets.is_some_and(|packets| frame > packets))
            {
                complaints.push(format!(
                    "{}: {id} {code} cites a frame that is not there",
                    capture.path
                ));
            }
            if !times.is_sorted() {
                complaints.push(format!(
                    "{}: {id} {code} cites frames out of order",
                    capture.path
                ));
            }
        }
    }
    assert_none(&complaints, "findings cite wrongly");
}

#[test]
fn every_incident_names_findings_of_its_report_and_argues_a_cause() {
    let mut complaints = Vec::new();
    for (capture, report) in REPORTS.iter() {
        let known: BTreeSet<&str> = list(report, "findings")
            .iter()
            .map(|finding| text(finding, "id"))
            .collect();
        for incident in list(report, "incidents") {
            let members = list(incident, "findings");
            let all_known = members
                .iter()
                .filter_map(Value::as_str)
                .all(|id| known.contains(id));
            let scores: Vec<f64> = list(incident, "hypotheses")
                .iter()
                .filter_map(|hypothesis| hypothesis["score"].as_f64())
                .collect();
            let ranked = scores.windows(2).all(|pair| pair.first() >= pair.last());
            let bounded = scores.iter().all(|score| (0.0..=1.0).contains(score));
            if members.is_empty() || !all_known || scores.is_empty() || !ranked || !bounded {
                let title = text(incident, "title");
                complaints.push(format!("{}: {title}, {scores:?}", capture.path));
            }
        }
    }
    assert_none(&complaints, "incidents are without findings or causes");
}

#[test]
fn codes_of_a_note_are_known() {
    let known = |code: &str| classes::ALL.iter().any(|class| class.code == code);
    let mut complaints = Vec::new();
    for capture in support::captures() {
        for code in &capture.note.codes {
            if known(code) == LATER.contains(&code.as_str()) {
                complaints.push(format!(
                    "{}: {code} must stand either in classes::ALL or in LATER",
                    capture.path
                ));
            }
        }
    }
    assert_none(
        &complaints,
        "codes of notes are unknown, or said by a class and still in LATER",
    );
}

#[test]
fn every_report_is_the_golden_one_beside_its_capture() {
    let bless = std::env::var_os("BLESS").is_some_and(|value| value == "1");
    let mut complaints = Vec::new();
    let mut wanted = BTreeSet::new();
    for (capture, report) in REPORTS.iter() {
        let path = capture.golden();
        let now = written(&cut(report));
        wanted.insert(path.to_string_lossy().replace('\\', "/"));
        if bless {
            fs::write(&path, now).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            continue;
        }
        match fs::read_to_string(&path) {
            Ok(golden) if golden == now => {}
            Ok(golden) => complaints.push(difference(&path.to_string_lossy(), &golden, &now)),
            Err(_) => complaints.push(format!("{}: missing", path.display())),
        }
    }
    let mut files = Vec::new();
    support::walk(std::path::Path::new("captures"), &mut files);
    for path in files
        .iter()
        .filter(|path| path.ends_with(".json") && !wanted.contains(*path))
    {
        if bless {
            fs::remove_file(path).unwrap();
        } else {
            complaints.push(format!("{path}: a golden report without its capture"));
        }
    }
    assert_none(
        &complaints,
        "golden reports differ or are missing; `BLESS=1 cargo test --test captures` writes them anew, \
         then read the difference with git diff before you commit it",
    );
}

/// What of a report is golden: what was read, counted and found; not its texts, which the guides hold, nor how attempts
/// spread over clients and minutes, which `tests/attempts.rs` holds.
fn cut(report: &Value) -> Value {
    let captures: Vec<Value> = list(report, "captures")
        .iter()
        .map(|capture| json!({"format": capture["format"], "packets": capture["packets"], "complete": capture["complete"]}))
        .collect();
    let mut findings = list(report, "findings").to_vec();
    for finding in &mut findings {
        let finding = finding.as_object_mut().expect("a finding is an object");
        for key in ["title", "summary", "remedy", "filter"] {
            finding.remove(key);
        }
        for seen in finding
            .get_mut("evidence")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            seen.as_object_mut()
                .expect("evidence is an object")
                .remove("file");
        }
    }
    let mut summary = report["summary"].clone();
    for shares in ["regions", "clients", "minutes"] {
        summary
            .as_object_mut()
            .expect("a summary is an object")
            .remove(shares);
    }
    json!({"captures": captures, "summary": summary, "findings": findings, "unjudged": report["unjudged"]})
}

/// JSON with one line for whatever fits into one, so that a golden report can be read in review.
fn written(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text.push('\n');
    text
}

fn write(value: &Value, depth: usize, text: &mut String) {
    let compact = value.to_string();
    let fits = compact.len() + depth * 2 <= 110;
    let indent = "  ".repeat(depth + 1);
    match value {
        Value::Object(members) if !fits || depth == 0 => {
            text.push('{');
            for (place, (key, member)) in members.iter().enumerate() {
                text.push_str(if place == 0 { "\n" } else { ",\n" });
                text.push_str(&indent);
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push_str(": ");
                write(member, depth + 1, text);
            }
            text.push('\n');
            text.push_str(&"  ".repeat(depth));
            text.push('}');
        }
        Value::Array(items) if !fits => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                text.push_str(if place == 0 { "\n" } else { ",\n" });
                text.push_str(&indent);
                write(item, depth + 1, text);
            }
            text.push('\n');
            text.push_str(&"  ".repeat(depth));
            text.push(']');
        }
        _ => text.push_str(&compact),
    }
}

/// The first lines that differ.
fn difference(path: &str, golden: &str, now: &str) -> String {
    let (mut old, mut new) = (golden.lines(), now.lines());
    let mut line = 0;
    loop {
        line += 1;
        match (old.next(), new.next()) {
            (None, None) => return format!("{path}: differs in its line ends"),
            (a, b) if a == b => {}
            (a, b) => {
                return format!(
                    "{path}:{line}\n  - {}\n  + {}",
                    a.unwrap_or("(end)"),
                    b.unwrap_or("(end)")
                );
            }
        }
    }
}

#[test]
fn a_note_is_read_up_to_its_dash() {
    let note = Note::parse(
        "- **Expect**: `a.b`, `c.d` — SYNs frames 1,2, error frame 5",
        "x",
    );
    assert_eq!(note.codes, ["a.b", "c.d"]);
    assert!(!note.silent);
    assert_eq!(note.frames, [1, 2, 5]);
    let note = Note::parse(
        "- **Shows**: x\n- **Expect**: silent — capture.`x` only as information\n",
        "x",
    );
    assert_eq!((note.codes.len(), note.silent), (0, true));
}

#[test]
fn a_golden_report_keeps_short_things_on_one_line() {
    let value = json!({"findings": [{"code": "a", "evidence": [{"frame": 1}]}], "unjudged": {}});
    assert_eq!(
        written(&value),
        "{\n  \"findings\": [{\"code\":\"a\",\"evidence\":[{\"frame\":1}]}],\n  \"unjudged\": {}\n}\n"
    );
    let long = json!({"list": (0..60).collect::<Vec<_>>()});
    assert!(written(&long).contains("[\n    0,\n    1,"));
}
