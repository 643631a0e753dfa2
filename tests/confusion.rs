//! What is expected against what is told, over all labelled captures: `captures/CONFUSION.md`.
//!
//! `scripts/confusion` writes it anew and prints it; `scripts/confusion FOLDER` prints the same of captures that lie
//! elsewhere, each with its note beside it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use rayon::prelude::*;
use serde_json::Value;
use support::run::{json, judged, list, text};
use support::{Capture, captures_below};

const TABLE: &str = "captures/CONFUSION.md";

/// What of one capture was expected and told.
struct Row {
    path: String,
    class: Option<String>,
    near_miss: bool,
    silent: bool,
    expected: BTreeSet<String>,
    /// At any severity.
    told: BTreeSet<String>,
    /// At `warning` or above.
    loud: BTreeSet<String>,
    /// The cause that the note names, and the first of each incident told.
    causes: Option<(Option<String>, Vec<String>)>,
}

fn row(capture: &Capture) -> Row {
    let report = json(&judged(&capture.path));
    let codes = |wanted: &dyn Fn(&str) -> bool| {
        list(&report, "findings")
            .iter()
            .filter(|finding| wanted(text(finding, "severity")))
            .map(|finding| text(finding, "code").to_owned())
            .collect()
    };
    let first = |incident: &Value| {
        let hypotheses = list(incident, "hypotheses");
        let cause = hypotheses
            .first()
            .map_or("none", |best| text(best, "cause"));
        cause.to_owned()
    };
    let note = fs::read_to_string(format!("{}.md", capture.stem)).expect("a note");
    let cause = note
        .lines()
        .find_map(|line| line.strip_prefix("- **Cause**: "))
        .map(|cause| cause.trim().trim_matches('`').to_owned());
    let argued = cause.is_some() || capture.path.contains("/incident/");
    let causes = argued.then(|| {
        let told = list(&report, "incidents").iter().map(first).collect();
        (cause, told)
    });
    Row {
        path: capture.path.clone(),
        class: capture.class(),
        near_miss: capture.is_near_miss(),
        silent: capture.note.silent,
        expected: capture.note.codes.iter().cloned().collect(),
        told: codes(&|_| true),
        loud: codes(&|severity| severity != "info"),
        causes,
    }
}

/// How often a code was expected, told where expected, told where not, and how many near-misses it let pass.
#[derive(Default)]
struct Counts {
    expected: usize,
    told: usize,
    beside: usize,
    near_misses: usize,
    passed: usize,
}

fn by_code(rows: &[Row]) -> BTreeMap<&str, Counts> {
    let mut all: BTreeMap<&str, Counts> = BTreeMap::new();
    for row in rows {
        for code in &row.expected {
            let counts = all.entry(code).or_default();
            counts.expected += 1;
            counts.told += usize::from(row.told.contains(code));
        }
        for code in row.loud.difference(&row.expected) {
            all.entry(code).or_default().beside += 1;
        }
        if let Some(class) = row.class.as_deref().filter(|_| row.near_miss) {
            let counts = all.entry(class).or_default();
            counts.near_misses += 1;
            counts.passed += usize::from(!row.loud.contains(class));
        }
    }
    all
}

/// Pairs of what was expected and what was told in its place, off the diagonal; `nothing` stands on either side.
fn confused(rows: &[Row]) -> BTreeMap<(String, String), Vec<&str>> {
    let mut cells: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    let nothing = || BTreeSet::from(["nothing".to_owned()]);
    for row in rows {
        let missing: BTreeSet<String> = row.expected.difference(&row.told).cloned().collect();
        let surplus: BTreeSet<String> = row.loud.difference(&row.expected).cloned().collect();
        if missing.is_empty() && surplus.is_empty() {
            continue;
        }
        let or_nothing = |set: BTreeSet<String>| if set.is_empty() { nothing() } else { set };
        let (missing, surplus) = (or_nothing(missing), or_nothing(surplus));
        for expected in &missing {
            for told in &surplus {
                let cell = cells.entry((expected.clone(), told.clone())).or_default();
                cell.push(&row.path);
            }
        }
    }
    cells
}

fn share(part: usize, whole: usize) -> String {
    match whole {
        0 => "none to count".to_owned(),
        _ => format!(
            "{part} of {whole} ({:.1} %)",
            part as f64 * 100.0 / whole as f64
        ),
    }
}

/// The whole table as Markdown.
fn table(rows: &[Row]) -> String {
    let codes = by_code(rows);
    let sum = |of: fn(&Counts) -> usize| codes.values().map(of).sum::<usize>();
    let (expected, told, beside) = (sum(|c| c.expected), sum(|c| c.told), sum(|c| c.beside));
    let silent: Vec<&Row> = rows.iter().filter(|row| row.silent).collect();
    let kept = silent.iter().filter(|row| row.loud.is_empty()).count();
    let argued: Vec<_> = rows.iter().filter_map(|row| row.causes.as_ref()).collect();
    let right = argued
        .iter()
        .filter(|(cause, told)| *cause == told.first().cloned())
        .count();
    let loud: usize = rows.iter().map(|row| row.loud.len()).sum();
    let mut text = format!(
        "# Expected and told\n\nMade by `scripts/confusion` from {} captures; a test compares.\n\
         The engine was built with these captures at hand: on others it may do worse.\n\n\
         - expected findings that are told: {}\n\
         - findings told at `warning` or above that are expected: {}\n\
         - captures that must be silent and are: {}\n\
         - incident captures whose root cause is argued first (none where there is none): {}\n\n",
        rows.len(),
        share(told, expected),
        share(loud - beside, loud),
        share(kept, silent.len()),
        share(right, argued.len()),
    );
    text.push_str("## Off the diagonal\n\n");
    let cells = confused(rows);
    if cells.is_empty() {
        text.push_str("Nothing: every capture tells what its note expects, and no more.\n");
    } else {
        text.push_str("| expected | told | captures |\n|---|---|---|\n");
    }
    for ((expected, told), paths) in &cells {
        let _ = writeln!(text, "| {expected} | {told} | {} |", paths.join(", "));
    }
    text.push_str(
        "\n## By code\n\n| code | captures that expect it | told there | told elsewhere | near-misses | of them silent |\n\
         |---|---:|---:|---:|---:|---:|\n",
    );
    for (code, counts) in &codes {
        let Counts {
            expected,
            told,
            beside,
            near_misses,
            passed,
        } = counts;
        let _ = writeln!(
            text,
            "| {code} | {expected} | {told} | {beside} | {near_misses} | {passed} |"
        );
    }
    text
}

#[test]
fn the_confusion_table_is_the_one_that_stands_beside_the_captures() {
    let folder = std::env::var("CONFUSION_OF").ok();
    let captures = captures_below(folder.as_deref().unwrap_or("captures"));
    let rows: Vec<Row> = captures.par_iter().map(row).collect();
    let now = table(&rows);
    if folder.is_some() {
        println!("{now}");
        return;
    }
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        fs::write(TABLE, &now).unwrap_or_else(|error| panic!("{TABLE}: {error}"));
    }
    let kept = fs::read_to_string(TABLE).unwrap_or_default();
    assert!(
        kept == now,
        "{TABLE} is not what the captures give now; `scripts/confusion` writes it anew"
    );
}
