//! The tables of `batch`, as DuckDB and Polars read them, hold what the report says.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::run::{self, wirefault};
use tempfile::TempDir;

const ROOTS: &str = "captures/lab/roots.pem";

/// Captures with incidents, each a set.
fn files() -> Vec<String> {
    let mut paths = vec!["captures/demo.pcapng".to_owned()];
    for folder in [
        "captures/network/dns-timeout",
        "captures/transport/syn-refused",
    ] {
        support::walk(Path::new(folder), &mut paths);
    }
    paths.retain(|path| path.ends_with(".pcap") || path.ends_with(".pcapng"));
    paths.sort();
    paths
}

/// A Python that has both: `WIREFAULT_PYTHON`, else the one that `scripts/setup` made, else the system's.
fn python() -> Option<String> {
    let named = std::env::var("WIREFAULT_PYTHON").ok();
    let mut all = named
        .into_iter()
        .chain(["target/venv/bin/python3", "python3"].map(str::to_owned));
    let has_both = |python: &String| {
        let ran = Command::new(python)
            .args(["-c", "import duckdb, polars"])
            .output();
        ran.is_ok_and(|output| output.status.success())
    };
    all.find(has_both)
}

/// `2026-11-24T16:45:58.001234567Z` is so many microseconds since 1970.
fn microseconds(time: &str) -> i64 {
    let time: jiff::Timestamp = time.parse().expect("a time");
    time.as_microsecond()
}

#[test]
fn duckdb_and_polars_read_in_tables_what_the_report_says() {
    if !cfg!(feature = "parquet") {
        eprintln!("SKIPPED: this build writes no tables");
        return;
    }
    let Some(python) = python() else {
        eprintln!("SKIPPED: no Python with duckdb and polars; tables were not read by them");
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let out = folder.path().join("out").to_string_lossy().into_owned();
    let files = files();
    let mut arguments = vec!["batch", "--flows", "--out", &out, "--ca-bundle", ROOTS];
    arguments.extend(files.iter().map(String::as_str));
    let ran = wirefault(&arguments);
    assert!(matches!(ran.status, 0 | 4), "{}", ran.stderr);
    let output = Command::new(python)
        .args(["tests/tables.py", &out])
        .output()
        .expect("Python starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let read = run::json(&String::from_utf8_lossy(&output.stdout));
    let told = run::json(&wirefault(&["report", &out, "--format", "json"]).stdout);

    for reader in ["duckdb", "polars"] {
        check_findings(reader, &read[reader], &told);
        check_sums(reader, &read[reader], &told);
        check_incidents(&read[reader], &files);
    }
    assert_eq!(read["duckdb"]["findings"], read["polars"]["findings"]);
    assert_eq!(read["duckdb"]["attempts"], read["polars"]["attempts"]);
    assert_eq!(read["duckdb"]["flows"], read["polars"]["flows"]);
    assert_eq!(read["duckdb"]["partials"], read["polars"]["partials"]);
    check_partials(&read["duckdb"], &told);
    check_spark(&read);
    assert_eq!(read["duckdb"]["zone"], "TIMESTAMP WITH TIME ZONE");
    assert_eq!(
        read["polars"]["zone"],
        "Datetime(time_unit='us', time_zone='UTC')"
    );
    assert!(Path::new(&out).join("flows").is_dir());
}

/// The same findings as in the report.
fn check_findings(reader: &str, read: &Value, told: &Value) {
    let findings: Vec<Value> = run::list(read, "findings").to_vec();
    let expected = run::list(told, "findings");
    assert_eq!(findings.len(), expected.len(), "{reader}");
    for (row, finding) in findings.iter().zip(expected) {
        assert_eq!(row[0], finding["id"], "{reader}");
        assert_eq!(row[1], finding["code"], "{reader}");
        assert_eq!(row[2], finding["count"], "{reader}");
        let time = run::text(finding, "first_time");
        assert_eq!(row[7], json!(microseconds(time)), "{reader}");
        let ns = row[3].as_i64().expect("nanoseconds");
        assert_eq!(ns.div_euclid(1_000), microseconds(time), "{reader}");
        assert_eq!(row[6], json!(run::list(finding, "also").len()), "{reader}");
    }
}

/// The same attempts, sets and flows.
fn check_sums(reader: &str, read: &Value, told: &Value) {
    let of = |table: &str| read[table].clone();
    let sum = |key: &str| -> u64 {
        let endpoints = run::list(told, "endpoints").iter();
        let count = |endpoint: &Value| endpoint["attempts"][key].as_u64();
        endpoints.filter_map(count).sum()
    };
    let attempts = of("attempts");
    for (place, key) in ["ok", "failed", "answered_no", "undetermined"]
        .iter()
        .enumerate()
    {
        assert_eq!(attempts[place], json!(sum(key)), "{reader}: {key}");
    }
    assert_eq!(
        attempts[5],
        json!(16),
        "a count for each bound and one above"
    );
    let captures = run::list(told, "captures").len();
    let sets = of("sets");
    assert_eq!(sets[1], told["summary"]["packets"], "{reader}");
    assert_eq!(sets[2], told["summary"]["flows"], "{reader}");
    assert_eq!(sets[3], json!(captures), "{reader}");
    assert!(of("flows")[0].as_u64() > Some(0), "{reader}");
}

/// Every flow that was tried is among the surroundings, with its attempts.
fn check_partials(read: &Value, told: &Value) {
    let rows = run::list(read, "partials");
    let kinds: Vec<&str> = rows.iter().filter_map(|row| row[0].as_str()).collect();
    assert_eq!(kinds, ["answered", "connection", "heard"]);
    let connections = &rows[1];
    assert!(connections[1].as_u64() <= told["summary"]["flows"].as_u64());
    assert_eq!(connections[2], told["summary"]["attempts"]["ok"]);
    assert!(connections[3].as_u64() > Some(0), "some failed");
}

/// Spark, where it is there, reads what DuckDB reads.
fn check_spark(read: &Value) {
    let (spark, duckdb) = (&read["spark"], &read["duckdb"]);
    if spark.is_null() {
        eprintln!("SKIPPED: no Python with pyspark; Spark did not read the tables");
        return;
    }
    let heads = |of: &Value, columns: usize| -> Vec<Vec<Value>> {
        let rows = of.as_array().expect("rows").iter();
        rows.map(|row| row.as_array().expect("a row")[..columns].to_vec())
            .collect()
    };
    assert_eq!(heads(&spark["findings"], 4), heads(&duckdb["findings"], 4));
    assert_eq!(heads(&spark["partials"], 2), heads(&duckdb["partials"], 2));
    for (table, first) in [("attempts", 0), ("sets", 1)] {
        let sums = spark[table].as_array().expect("sums");
        let same = duckdb[table].as_array().expect("sums");
        assert_eq!(sums[..], same[first..first + sums.len()], "{table}");
    }
}

/// The incidents of each set as a report over it alone tells them; over several sets they may be one.
fn check_incidents(read: &Value, inputs: &[String]) {
    let mut told: Vec<(String, Value, Value)> = Vec::new();
    for input in inputs {
        let options = ["--format", "json", "--ca-bundle", ROOTS];
        let alone =
            run::json(&wirefault(&[&["analyze", input.as_str()], &options[..]].concat()).stdout);
        told.extend(run::list(&alone, "incidents").iter().map(|one| {
            let end = json!(microseconds(run::text(one, "end")));
            (
                run::text(one, "id").to_owned(),
                one["hypotheses"][0]["cause"].clone(),
                end,
            )
        }));
    }
    told.sort_by(|a, b| a.0.cmp(&b.0));
    let rows = run::list(read, "incidents").iter();
    let rows: Vec<(String, Value, Value)> = rows
        .map(|row| {
            (
                row[0].as_str().expect("an id").to_owned(),
                row[1].clone(),
                row[4].clone(),
            )
        })
        .collect();
    assert!(rows.len() > 5);
    assert_eq!(rows, told);
}
