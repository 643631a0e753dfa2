//! Incidents of real captures: the cause that the note names is argued first, and what is healthy has none.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it found"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use support::run::{json, list, report_of, text};
use support::{Capture, assert_none, captures};

fn report(capture: &Capture) -> Value {
    json(&report_of(std::slice::from_ref(&capture.path), 1))
}

/// The cause with the highest score.
fn first(incident: &Value) -> &str {
    list(incident, "hypotheses")
        .first()
        .map_or("none", |hypothesis| text(hypothesis, "cause"))
}

/// The cause that a note names: the line `- **Cause**: `.
fn cause(capture: &Capture) -> Option<String> {
    let note = fs::read_to_string(format!("{}.md", capture.stem)).expect("a note");
    let line = note
        .lines()
        .find_map(|line| line.strip_prefix("- **Cause**: "))?;
    Some(line.trim().trim_matches('`').to_owned())
}

#[test]
fn the_bad_morning_has_three_incidents_each_with_its_cause() {
    let report = json(&report_of(&["captures/demo.pcapng".to_owned()], 1));
    let told: Vec<(&str, &str)> = list(&report, "incidents")
        .iter()
        .map(|incident| (text(incident, "scope"), first(incident)))
        .collect();
    assert_eq!(
        told,
        [
            (
                "endpoint etax.beijing.chinatax.gov.cn:443",
                "certificate-expired"
            ),
            (
                "endpoint dppt.beijing.chinatax.gov.cn:8443",
                "firewall-blocks-port"
            ),
            ("endpoint api.einvoice.example:80", "server-overload"),
        ]
    );
    for incident in list(&report, "incidents") {
        assert_eq!(incident["clients"], 7);
        assert!(
            list(incident, "hypotheses")[0]["score"].as_f64().unwrap() >= 0.9,
            "confirmed"
        );
    }
}

#[test]
fn the_cause_that_a_note_names_is_argued_first_and_nothing_else_is_an_incident() {
    let mut table: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut complaints = Vec::new();
    for capture in captures().iter().filter(|one| one.room() == "incident") {
        let report = report(capture);
        let told: Vec<&str> = list(&report, "incidents").iter().map(first).collect();
        let expected: Vec<String> = cause(capture).into_iter().collect();
        let key = (expected.join(", "), told.join(", "));
        *table.entry(key).or_default() += 1;
        if told != expected {
            complaints.push(format!("{}: {expected:?}, told {told:?}", capture.path));
        }
    }
    for ((expected, told), count) in &table {
        eprintln!("{count:>3}  {expected:<32}  {told}");
    }
    assert_none(&complaints, "causes are argued wrongly");
}

#[test]
fn what_is_healthy_has_no_incident() {
    let mut complaints = Vec::new();
    for capture in captures().iter().filter(|one| one.room() == "healthy") {
        let report = report(capture);
        for incident in list(&report, "incidents") {
            complaints.push(format!("{}: {}", capture.path, text(incident, "title")));
        }
    }
    assert_none(&complaints, "healthy captures have incidents");
}
