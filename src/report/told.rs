//! A diagnosis as the schema's mirror: windowed, folded, counted, sorted.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::endpoint::Rules;
use crate::engine::diagnosis::{BOUNDS_MS, Diagnosis, EndpointBalance, Histogram, availability};
use crate::failure::flow::Outcomes;
use crate::failure::{Finding, Lang, Severity, Subject, Value, classes};
use crate::incident::Incident;
use crate::ingest::{FileReport, Interface};
use crate::report::schema::{
    Attempts, Bins, Capture, End, Endpoint, Evidence, Finding as Row, Latency, LatencyKinds,
    Options, Report, Summary, Tool,
};
use crate::report::{Settings, id, incident, notes, redact};
use crate::time::Timestamp;

/// A report ready to be written, with what the text needs beside it.
#[derive(Debug)]
pub struct Told {
    /// The mirror.
    pub report: Report,
    /// The incidents behind the mirror's, in its order.
    pub incidents: Vec<Incident>,
    /// The worst severity outside `capture.*`; those never count for `--fail-on`.
    pub worst: Option<Severity>,
    /// Times of the findings, as the mirror has them as text only.
    pub times: Vec<(Timestamp, Timestamp)>,
    /// Options that the content depends on.
    pub options: Options,
    /// From the first frame to the last, over all files.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The endpoint rules.
    pub rules: Arc<Rules>,
}

impl Told {
    /// Builds the mirror.
    pub fn new(
        diagnosis: Diagnosis,
        files: &[FileReport],
        interfaces: &[Interface],
        settings: &Settings,
    ) -> Self {
        let within = |finding: &Finding| {
            settings.since.is_none_or(|since| finding.first >= since)
                && settings.until.is_none_or(|until| finding.first <= until)
        };
        let rows = in_order(
            diagnosis
                .findings
                .into_iter()
                .enumerate()
                .filter(|(_, finding)| within(finding))
                .collect(),
            settings.findings_max,
        );
        let worst = worst(&rows);
        let times = rows
            .iter()
            .map(|kept| (kept.finding.first, kept.finding.last))
            .collect();
        let (incidents, mirrors) = incident::mirror(diagnosis.incidents, &named(&rows), settings);
        let shared = Shared::new(files, settings.lang);
        let limited = diagnosis.unjudged.contains_key("evicted");
        let report = Report {
            schema: "wirefault.report/1",
            tool: Tool {
                name: "wirefault",
                version: env!("CARGO_PKG_VERSION"),
                catalogue: catalogue(),
                endpoints: diagnosis.rules.identity(),
                trust_store: diagnosis.trust_store,
            },
            captures: files
                .iter()
                .enumerate()
                .map(|(index, file)| capture((index, limited), file, interfaces, settings))
                .collect(),
            summary: summary(
                &diagnosis.attempts,
                (diagnosis.packets, diagnosis.flows),
                &rows,
            ),
            endpoints: diagnosis.endpoints.iter().map(endpoint).collect(),
            findings: rows
                .into_iter()
                .map(|kept| row(kept.id, &kept.finding, &shared, settings))
                .collect(),
            incidents: mirrors,
            unjudged: diagnosis.unjudged,
        };
        Self {
            report,
            incidents,
            options: options(settings),
            worst,
            times,
            span: span(files),
            rules: diagnosis.rules,
        }
    }
}

/// The worst severity outside `capture.*`.
fn worst(rows: &[Kept]) -> Option<Severity> {
    let findings = rows.iter().map(|kept| &kept.finding);
    findings
        .filter(|finding| finding.class.layer() != "capture")
        .map(|finding| finding.severity)
        .max()
}

/// The totals; `counts` are packets and flows.
fn summary(outcomes: &Outcomes, counts: (u64, u64), rows: &[Kept]) -> Summary {
    let (mut by_code, mut by_severity) = (BTreeMap::new(), BTreeMap::new());
    for Kept { finding, .. } in rows {
        *by_code.entry(finding.class.code.to_owned()).or_default() += finding.count;
        *by_severity
            .entry(finding.severity.name().to_owned())
            .or_default() += finding.count;
    }
    Summary {
        packets: counts.0,
        flows: counts.1,
        attempts: attempts(outcomes),
        availability: availability(outcomes),
        findings_by_code: by_code,
        findings_by_severity: by_severity,
    }
}

/// The place in the report and the id of every finding, by its place in the diagnosis.
fn named(rows: &[Kept]) -> BTreeMap<usize, (usize, String)> {
    rows.iter()
        .enumerate()
        .flat_map(|(at, kept)| {
            kept.places
                .iter()
                .map(move |place| (*place, (at, kept.id.clone())))
        })
        .collect()
}

/// A finding of the report: its id, and where it and those folded into it stood in the diagnosis.
struct Kept {
    id: String,
    finding: Finding,
    places: Vec<usize>,
}

/// By first time and id, the excess folded. Two findings may share what ids are made of (answers to two pipelined
/// requests, two names asked for in one tick of the clock): the second is numbered, in an order that content gives.
fn in_order(findings: Vec<(usize, Finding)>, max: usize) -> Vec<Kept> {
    let tie = |finding: &Finding| {
        let seen: Vec<_> = finding
            .evidence
            .iter()
            .map(|seen| (seen.at.time, seen.role))
            .collect();
        format!(
            "{:?}{:?}{:?}{seen:?}",
            finding.name, finding.last, finding.details
        )
    };
    let mut rows: Vec<Kept> = findings
        .into_iter()
        .map(|(place, finding)| Kept {
            id: id::finding(&finding, 0),
            finding,
            places: vec![place],
        })
        .collect();
    rows.sort_by(|a, b| {
        (a.finding.first, &a.id)
            .cmp(&(b.finding.first, &b.id))
            .then_with(|| tie(&a.finding).cmp(&tie(&b.finding)))
    });
    let mut rows = fold_excess(rows, max);
    let mut known: BTreeMap<String, u32> = BTreeMap::new();
    for kept in &mut rows {
        let alike = known.entry(kept.id.clone()).or_default();
        if *alike > 0 {
            kept.id = id::finding(&kept.finding, *alike);
        }
        *alike += 1;
    }
    rows.sort_by(|a, b| (a.finding.first, &a.id).cmp(&(b.finding.first, &b.id)));
    rows
}

/// Beyond `max` findings of one code and endpoint, further ones fold into one per client.
fn fold_excess(findings: Vec<Kept>, max: usize) -> Vec<Kept> {
    let mut seen: BTreeMap<(&'static str, Option<String>), usize> = BTreeMap::new();
    let mut folded: BTreeMap<(&'static str, Option<String>, Option<IpAddr>), usize> =
        BTreeMap::new();
    let mut kept: Vec<Kept> = Vec::new();
    for one in findings {
        let finding = &one.finding;
        let key = (finding.class.code, finding.endpoint_id());
        let count = seen.entry(key.clone()).or_default();
        *count += 1;
        if *count <= max {
            kept.push(one);
            continue;
        }
        let by_client = (key.0, key.1, finding.client.map(|client| client.0));
        match folded
            .get(&by_client)
            .and_then(|index| kept.get_mut(*index))
        {
            Some(Kept {
                finding: into,
                places,
                ..
            }) => {
                into.count += finding.count;
                into.first = into.first.min(finding.first);
                into.last = into.last.max(finding.last);
                into.severity = into.severity.max(finding.severity);
                into.fails |= finding.fails;
                places.extend(one.places);
            }
            None => {
                folded.insert(by_client, kept.len());
                kept.push(one);
            }
        }
    }
    kept
}

fn options(settings: &Settings) -> Options {
    Options {
        lang: match settings.lang {
            Lang::En => "en",
            Lang::Zh => "zh",
        },
        redact: settings.redact,
        findings_max: settings.findings_max,
        filter: None,
        since: settings.since.map(|since| since.to_string()),
        until: settings.until.map(|until| until.to_string()),
    }
}

fn span(files: &[FileReport]) -> Option<(Timestamp, Timestamp)> {
    let first = files.iter().filter_map(|file| file.first_time).min()?;
    Some((first, files.iter().filter_map(|file| file.last_time).max()?))
}

fn catalogue() -> String {
    let mut hash = Sha256::new();
    for class in classes::ALL {
        hash.update(class.code.as_bytes());
        hash.update(class.guide.en.as_bytes());
        hash.update(class.guide.zh.as_bytes());
    }
    format!("1/{}", id::hex(&hash.finalize(), 4))
}

pub(super) fn attempts(outcomes: &Outcomes) -> Attempts {
    Attempts {
        ok: outcomes.ok.into(),
        failed: outcomes.failed.into(),
        answered_no: outcomes.answered_no.into(),
        undetermined: outcomes.undetermined.into(),
    }
}

/// One file; `place` is its index, and whether a limit closed flows of the run early.
fn capture(
    place: (usize, bool),
    file: &FileReport,
    interfaces: &[Interface],
    settings: &Settings,
) -> Capture {
    let (index, limited) = place;
    Capture {
        id: format!("c-{}", index + 1),
        point: format!("p-{}", u64::from(file.point) + 1),
        path: file.path.clone(),
        sha256: id::hex(&file.sha256_head, 32),
        format: file.format.to_string(),
        link_types: file.link_types.iter().map(|link| link.name()).collect(),
        packets: file.packets,
        bytes: file.bytes,
        first_time: file.first_time.map(|time| time.to_string()),
        last_time: file.last_time.map(|time| time.to_string()),
        complete: file.complete,
        memory_limited: limited,
        notes: notes::of(file, interfaces, settings),
    }
}

fn endpoint(balance: &EndpointBalance) -> Endpoint {
    let [connect, tls, first_byte] = &balance.latency;
    Endpoint {
        id: balance.id.clone(),
        name: balance.name.clone(),
        region: balance.region.clone(),
        addresses: balance.addresses.iter().map(ToString::to_string).collect(),
        ports: balance.ports.clone(),
        attempts: attempts(&balance.attempts),
        availability: availability(&balance.attempts),
        latency_ms: LatencyKinds {
            connect: latency(connect),
            tls: latency(tls),
            first_byte: latency(first_byte),
        },
        findings_by_code: balance
            .findings_by_code
            .iter()
            .map(|(code, n)| ((*code).to_owned(), *n))
            .collect(),
    }
}

fn latency(histogram: &Histogram) -> Option<Latency> {
    Some(Latency {
        p50: histogram.percentile(50)?,
        p95: histogram.percentile(95)?,
        p99: histogram.percentile(99)?,
        histogram: Bins {
            bounds: BOUNDS_MS.to_vec(),
            counts: histogram.counts.to_vec(),
        },
    })
}

/// What every finding of a run shares: titles and remedies, read off the guides once, and the files' paths.
struct Shared {
    texts: BTreeMap<&'static str, (&'static str, &'static str)>,
    paths: Vec<Arc<str>>,
}

impl Shared {
    fn new(files: &[FileReport], lang: Lang) -> Self {
        Self {
            texts: classes::ALL
                .iter()
                .map(|class| (class.code, (class.title(lang), class.remedy(lang))))
                .collect(),
            paths: files
                .iter()
                .map(|file| Arc::from(file.path.as_str()))
                .collect(),
        }
    }
}

fn row(id: String, finding: &Finding, shared: &Shared, settings: &Settings) -> Row {
    let (class, lang) = (finding.class, settings.lang);
    let path = |file: u32| shared.paths.get(file as usize).cloned().unwrap_or_default();
    let texts = shared.texts.get(class.code).copied();
    let (title, remedy) = texts.unwrap_or_else(|| (class.title(lang), class.remedy(lang)));
    let mut evidence: Vec<_> = finding.evidence.clone();
    evidence.sort_by_key(|seen| (seen.at.time, seen.at.file, seen.at.frame));
    Row {
        id,
        code: class.code,
        layer: class.layer(),
        severity: finding.severity.name(),
        confidence: f64::from(finding.confidence) / 100.0,
        confidence_reason: finding
            .reason
            .filter(|_| finding.confidence < 90)
            .map(|reason| reason.of(lang)),
        count: finding.count,
        fails: finding.fails,
        subject: match finding.subject {
            Subject::Flow => "flow",
            Subject::Host => "host",
            Subject::Name => "name",
            Subject::Link => "link",
            Subject::Capture => "capture",
        },
        title,
        summary: masked(&(class.summary)(finding, lang), settings),
        remedy,
        endpoint: finding.endpoint_id(),
        client: finding.client.map(|client| end(Some(client), None)),
        server: (finding.server.is_some() || finding.name.is_some())
            .then(|| end(finding.server, finding.name.clone())),
        flow: finding
            .flow
            .as_ref()
            .map(|(key, first)| id::flow(key, *first)),
        community_id: finding.flow.as_ref().map(|(key, _)| id::community(key)),
        first_time: finding.first.to_string(),
        last_time: finding.last.to_string(),
        filter: filter(finding),
        evidence: evidence
            .iter()
            .map(|seen| Evidence {
                file: path(seen.at.file),
                frame: seen.at.frame,
                offset: seen.at.offset,
                time: seen.at.time.to_string(),
                role: seen.role,
            })
            .collect(),
        details: finding
            .details
            .iter()
            .filter(|(_, value)| !matches!(value, Value::Text(text) if text.is_empty()))
            .map(|(key, value)| (*key, detail(key, value, settings)))
            .collect(),
        also: finding.also.clone(),
        consequences: finding.consequences.clone(),
        supersedes: None,
    }
}

fn end(end: Option<(IpAddr, u16)>, name: Option<String>) -> End {
    End {
        ip: end.map(|(ip, _)| ip.to_string()),
        port: end.map(|(_, port)| port).filter(|port| *port != 0),
        name: name.filter(|name| !name.is_empty()),
    }
}

/// A display filter that shows just the evidence. Frame numbers count per file: of several files, the first one's.
fn filter(finding: &Finding) -> String {
    let file = finding.evidence.first().map(|seen| seen.at.file);
    let mut frames: Vec<u32> = finding
        .evidence
        .iter()
        .filter(|seen| Some(seen.at.file) == file)
        .map(|seen| seen.at.frame)
        .collect();
    frames.sort_unstable();
    frames.dedup();
    frames
        .iter()
        .map(|frame| format!("frame.number == {frame}"))
        .collect::<Vec<_>>()
        .join(" || ")
}

fn detail(key: &str, value: &Value, settings: &Settings) -> Json {
    // Serial numbers and hashes of certificates are public and may look like anything.
    let public = [
        "serial",
        "sha256",
        "fingerprint",
        "chain",
        "not_after",
        "not_before",
    ]
    .contains(&key);
    let text = |text: &String| {
        if public {
            text.clone()
        } else {
            masked(text, settings)
        }
    };
    match value {
        Value::Number(number) => json!(number),
        Value::Thousandths(share) => json!(*share as f64 / 1_000.0),
        Value::Bool(flag) => json!(flag),
        Value::Text(words) => json!(text(words)),
        Value::List(items) => json!(items.iter().map(text).collect::<Vec<_>>()),
        Value::Time(time) => json!(time.to_string()),
    }
}

/// A text that quotes the wire, as it may be shown.
pub(super) fn masked(text: &str, settings: &Settings) -> String {
    if settings.redact {
        redact::redact(text)
    } else {
        redact::credentials(text)
    }
}
