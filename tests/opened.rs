//! tshark as the oracle of what keys open: as many answers are counted as it reads with the same keys.
//!
//! Where tshark is absent the test says so aloud and passes.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

mod support;

use std::process::{Command, Stdio};

use serde_json::Value;
use support::run::{json, list, report_of, text, tshark_keys};
use support::{assert_none, captures};

/// Captures that are not compared, with the reason.
const APART: &[(&str, &str)] = &[
    (
        "not-keys-tls12-renegotiated",
        "an answer without a length ends with its connection: inside TLS tshark waits for more of it",
    ),
    (
        "behind-proxy",
        "what the proxy answers before the tunnel is no answer of the endpoint",
    ),
];

/// The statuses that tshark reads, where it is installed.
fn statuses(path: &str) -> Option<Vec<String>> {
    let mut command = Command::new("tshark");
    command.args([
        "-n",
        "-2",
        "-r",
        path,
        "-T",
        "fields",
        "-e",
        "http.response.code",
        "-e",
        "http2.headers.status",
    ]);
    command.args(tshark_keys(path));
    let output = command.stderr(Stdio::null()).output().ok()?;
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let cells = output
        .split(['\n', '\t', ','])
        .filter(|cell| !cell.is_empty());
    Some(cells.map(str::to_owned).collect())
}

/// Attempts that were answered in HTTP: connections that stay closed, or fail below it, count once each besides.
fn answered(report: &Value) -> u64 {
    let attempts = &report["summary"]["attempts"];
    let counted = |outcome: &str| attempts[outcome].as_u64().unwrap_or(0);
    let findings = list(report, "findings").iter();
    let below = findings
        .clone()
        .filter(|finding| text(finding, "layer") == "security" && finding["fails"] == true);
    let closed = findings.filter(|finding| text(finding, "code") == "capture.encrypted-blind");
    let closed: u64 = closed
        .filter_map(|finding| finding["details"]["flows"].as_u64())
        .sum();
    let all = counted("ok") + counted("failed") + counted("answered_no");
    all.saturating_sub(below.count() as u64 + closed)
}

#[test]
fn keys_open_the_answers_that_tshark_reads_with_them() {
    let mut complaints = Vec::new();
    let mut compared = 0;
    for capture in captures() {
        let apart = APART.iter().any(|(name, _)| capture.path.contains(name));
        if !capture.path.contains("keys-") || apart {
            continue;
        }
        let report = json(&report_of(std::slice::from_ref(&capture.path), 1));
        let Some(theirs) = statuses(&capture.path) else {
            eprintln!("SKIPPED: tshark is not installed; nothing was compared with it");
            return;
        };
        compared += 1;
        let (ours, count) = (answered(&report), theirs.len() as u64);
        if ours != count {
            complaints.push(format!(
                "{}: {ours} counted, tshark reads {theirs:?}",
                capture.path
            ));
        }
        let failing = theirs.iter().filter(|status| status.as_str() >= "400");
        let told = list(&report, "findings").iter();
        let told: u64 = told
            .filter(|finding| finding["details"]["status"].as_u64() >= Some(400))
            .filter_map(|finding| finding["count"].as_u64())
            .sum();
        if told != failing.count() as u64 {
            complaints.push(format!("{}: {told} told of {theirs:?}", capture.path));
        }
    }
    assert_none(&complaints, "what keys open is not what tshark reads");
    assert!(compared >= 25, "{compared} captures were compared");
}
