//! Tables for analysts: Parquet that DuckDB, Polars, Spark and ClickHouse read, one file for each table and set.
//!
//! `day` and `point` are the folders' names and stand in no file. Where one is about one set, `set` joins it to `sets`.

mod columns;
mod partials;
mod table;

use serde::Serialize;

use crate::archive::manifest::{File, Options};
use crate::engine::diagnosis::{Histogram, Minute};
use crate::engine::row::Row;
use crate::failure::flow::Outcomes;
use crate::incident::{self, Surroundings};
use crate::report::schema::{Attempts, End, Finding, Incident};
use crate::report::{Findings, Told, id};
use crate::time::Timestamp;

use columns::{ATTEMPTS, FINDINGS, FLOWS, INCIDENTS, PARTIALS, SETS};
use table::{Cell, Columns, file};

/// What a set's tables are made of.
#[derive(Debug)]
pub struct Source<'a> {
    /// Its id.
    pub set: &'a str,
    /// What it was made of.
    pub files: &'a [File],
    /// How.
    pub options: &'a Options,
    /// Everything was read to a proper end.
    pub complete: bool,
    /// The report, nothing folded.
    pub told: &'a Told<Findings>,
    /// Attempts by endpoint and minute.
    pub minutes: &'a [Minute],
    /// What went on around the findings.
    pub surroundings: &'a Surroundings,
    /// Names in them are masked.
    pub redact: bool,
    /// Flows, where they are wanted.
    pub flows: Option<&'a [Row]>,
}

/// The files of a set by the names of their tables; a table without rows has none.
pub fn of(source: &Source<'_>) -> Result<Vec<(&'static str, Vec<u8>)>, String> {
    let report = &source.told.report;
    let (findings, incidents) = (report.findings.iter(), report.incidents.iter());
    let told: Vec<(&'static str, Columns, Vec<Vec<Cell>>)> = vec![
        (
            "findings",
            FINDINGS,
            findings
                .zip(&source.told.times)
                .map(|(row, times)| finding(source.set, row, *times))
                .collect(),
        ),
        (
            "incidents",
            INCIDENTS,
            incidents
                .zip(&source.told.incidents)
                .map(|(row, told)| incident(source.set, row, told))
                .collect(),
        ),
        (
            "attempts",
            ATTEMPTS,
            source
                .minutes
                .iter()
                .map(|minute| attempt(source.set, minute))
                .collect(),
        ),
        (
            "flows",
            FLOWS,
            source
                .flows
                .unwrap_or_default()
                .iter()
                .map(|row| flow(source.set, row))
                .collect(),
        ),
        ("sets", SETS, vec![set(source)]),
        ("partials", PARTIALS, partials::rows(source)),
    ];
    let mut files = Vec::new();
    for (name, columns, rows) in told {
        debug_assert!(
            rows.iter().all(|row| row.len() == columns.len()),
            "{name}: a row has a cell for each column"
        );
        if !rows.is_empty() {
            let bytes = file(name, columns, &rows);
            files.push((name, bytes.map_err(|error| format!("{name}: {error}"))?));
        }
    }
    Ok(files)
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text(Some(text.into()))
}

fn int(number: u64) -> Cell {
    Cell::Int(Some(i64::try_from(number).unwrap_or(i64::MAX)))
}

fn texts(items: &[impl ToString]) -> Cell {
    Cell::Texts(items.iter().map(ToString::to_string).collect())
}

/// What has a shape of its own stands as JSON.
fn json(value: &impl Serialize) -> Cell {
    Cell::Text(serde_json::to_string(value).ok())
}

fn counts(attempts: &Attempts) -> [Cell; 4] {
    [
        int(attempts.ok),
        int(attempts.failed),
        int(attempts.answered_no),
        int(attempts.undetermined),
    ]
}

fn finding(set: &str, row: Finding, times: (Timestamp, Timestamp)) -> Vec<Cell> {
    let end = |end: &Option<End>| {
        let (ip, port) = end
            .as_ref()
            .map_or((None, None), |end| (end.ip.clone(), end.port));
        [Cell::Text(ip), Cell::Int(port.map(i64::from))]
    };
    let ([client, client_port], [server, server_port]) = (end(&row.client), end(&row.server));
    vec![
        text(set),
        text(row.id),
        text(row.code),
        text(row.layer),
        text(row.severity),
        Cell::Real(Some(row.confidence)),
        Cell::Text(row.confidence_reason.map(str::to_owned)),
        int(row.count),
        Cell::Flag(Some(row.fails)),
        text(row.subject),
        text(row.title),
        text(row.summary),
        text(row.remedy),
        Cell::Text(row.endpoint),
        client,
        client_port,
        server,
        server_port,
        Cell::Text(row.server.and_then(|end| end.name)),
        Cell::Text(row.flow),
        Cell::Text(row.community_id),
        Cell::Time(Some(times.0)),
        Cell::Time(Some(times.1)),
        text(row.filter),
        texts(&row.also),
        texts(&row.consequences),
        json(&row.details),
        json(&row.evidence),
    ]
}

fn incident(set: &str, row: &Incident, told: &incident::Incident) -> Vec<Cell> {
    let first = row.hypotheses.first();
    let mut cells = vec![
        text(set),
        text(&row.id),
        text(&row.title),
        text(row.severity),
        Cell::Text(first.map(|first| first.cause.to_owned())),
        Cell::Real(first.map(|first| first.score)),
        Cell::Time(Some(told.start)),
        Cell::Time(Some(told.end)),
        text(&row.scope),
        texts(&row.endpoints),
        texts(&row.regions),
        int(row.clients),
        texts(&row.client_sample),
    ];
    cells.extend(counts(&row.attempts));
    cells.extend([
        Cell::Real(row.availability),
        texts(&row.findings),
        json(&row.hypotheses),
    ]);
    cells
}

fn attempt(set: &str, minute: &Minute) -> Vec<Cell> {
    let Outcomes {
        ok,
        failed,
        answered_no,
        undetermined,
    } = minute.attempts;
    let histogram = |histogram: &Histogram| Cell::Ints(histogram.counts.to_vec());
    let mut cells = vec![
        text(set),
        text(&minute.endpoint),
        Cell::Time(Some(minute.start)),
    ];
    cells.extend([ok, failed, answered_no, undetermined].map(|count| int(count.into())));
    cells.extend(minute.latency.each_ref().map(histogram));
    cells
}

fn set(source: &Source<'_>) -> Vec<Cell> {
    let report = &source.told.report;
    let files = source.files.iter();
    let paths: Vec<&str> = files.clone().map(|file| file.path.as_str()).collect();
    let heads: Vec<&str> = files.clone().map(|file| file.sha256.as_str()).collect();
    let captures = report.captures.iter();
    let notes: Vec<&String> = captures.clone().flat_map(|read| &read.notes).collect();
    let span = source.told.span;
    let mut cells = vec![
        text(source.set),
        texts(&paths),
        texts(&heads),
        int(files.map(|file| file.size).sum()),
        Cell::Time(span.map(|(first, _)| first)),
        Cell::Time(span.map(|(_, last)| last)),
        int(report.summary.packets),
        int(report.summary.flows),
    ];
    cells.extend(counts(&report.summary.attempts));
    cells.extend([
        int(report.findings.len() as u64),
        int(report.incidents.len() as u64),
        Cell::Flag(Some(source.complete)),
        Cell::Flag(Some(captures.clone().any(|read| read.memory_limited))),
        texts(&notes),
        text(&source.options.version),
        text(&source.options.catalogue),
        text(&source.options.endpoints),
        text(&source.options.trust_store),
    ]);
    cells
}

fn flow(set: &str, row: &Row) -> Vec<Cell> {
    let owned = |word: Option<&str>| Cell::Text(word.map(str::to_owned));
    vec![
        text(set),
        text(id::flow(&row.key, row.ts)),
        text(id::community(&row.key)),
        Cell::Time(Some(row.ts)),
        text(row.orig.0.to_string()),
        int(row.orig.1.into()),
        text(row.resp.0.to_string()),
        int(row.resp.1.into()),
        text(row.proto),
        owned(row.service),
        Cell::Int(Some(row.duration_ns)),
        int(row.orig_bytes),
        int(row.resp_bytes),
        text(row.conn_state),
        int(row.missed_bytes),
        text(&row.history),
        int(row.orig_pkts),
        int(row.orig_ip_bytes),
        int(row.resp_pkts),
        int(row.resp_ip_bytes),
        text(row.attempt_outcome),
        owned(row.tls_outcome),
        Cell::Int(row.server_rtt_ns),
        Cell::Int(row.client_rtt_ns),
        int(row.syn_retries.into()),
        int(row.orig_retransmitted.into()),
        int(row.resp_retransmitted.into()),
        owned(row.name.as_deref()),
        texts(&row.codes),
    ]
}
