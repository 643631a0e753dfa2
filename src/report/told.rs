//! A diagnosis as the schema's mirror: windowed, folded, counted, sorted.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::engine::diagnosis::{BOUNDS_MS, Diagnosis, EndpointBalance, Histogram, availability};
use crate::failure::flow::Outcomes;
use crate::failure::{Finding, Lang, Severity, Subject, Value, classes};
use crate::ingest::{FileReport, Interface};
use crate::report::schema::{
    Attempts, Bins, Capture, End, Endpoint, Evidence, Finding as Row, Latency, LatencyKinds, Report, Summary, Tool,
};
use crate::report::{Settings, id};
use crate::time::Timestamp;

/// A report ready to be written, with what the text needs beside it.
#[derive(Debug)]
pub struct Told {
    /// The mirror.
    pub report: Report,
    /// The worst severity outside `capture.*`; those never count for `--fail-on`.
    pub worst: Option<Severity>,
    /// Times of the findings, as the mirror has them as text only.
    pub times: Vec<(Timestamp, Timestamp)>,
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
        let mut findings: Vec<Finding> = diagnosis.findings.into_iter().filter(within).collect();
        findings = fold_excess(findings, settings.findings_max);
        let mut rows: Vec<(Timestamp, String, Finding)> =
            findings.into_iter().map(|finding| (finding.first, id::finding(&finding), finding)).collect();
        rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let worst = rows
            .iter()
            .filter(|(_, _, finding)| finding.class.layer() != "capture")
            .map(|(_, _, finding)| finding.severity)
            .max();
        let (mut by_code, mut by_severity) = (BTreeMap::new(), BTreeMap::new());
        for (_, _, finding) in &rows {
            *by_code.entry(finding.class.code.to_owned()).or_default() += finding.count;
            *by_severity.entry(finding.severity.name().to_owned()).or_default() += finding.count;
        }
        let times = rows.iter().map(|(_, _, finding)| (finding.first, finding.last)).collect();
        let report = Report {
            schema: "wirefault.report/1",
            tool: Tool {
                name: "wirefault",
                version: env!("CARGO_PKG_VERSION"),
                catalogue: catalogue(),
                endpoints: "built-in/1".to_owned(),
                trust_store: diagnosis.trust_store,
            },
            captures: files.iter().enumerate().map(|(index, file)| capture(index, file, interfaces)).collect(),
            summary: Summary {
                packets: diagnosis.packets,
                flows: diagnosis.flows,
                attempts: attempts(&diagnosis.attempts),
                availability: availability(&diagnosis.attempts),
                findings_by_code: by_code,
                findings_by_severity: by_severity,
            },
            endpoints: diagnosis.endpoints.iter().map(endpoint).collect(),
            findings: rows.into_iter().map(|(_, id, finding)| row(id, &finding, files, settings.lang)).collect(),
            incidents: Vec::new(),
            unjudged: diagnosis.unjudged,
        };
        Self { report, worst, times }
    }
}

/// Beyond `max` findings of one code and endpoint, further ones fold into one per client.
fn fold_excess(findings: Vec<Finding>, max: usize) -> Vec<Finding> {
    let mut seen: BTreeMap<(&'static str, String), usize> = BTreeMap::new();
    let mut folded: BTreeMap<(&'static str, String, Option<IpAddr>), usize> = BTreeMap::new();
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        let key = (finding.class.code, finding.server_text());
        let count = seen.entry(key.clone()).or_default();
        *count += 1;
        if *count <= max {
            kept.push(finding);
            continue;
        }
        let by_client = (key.0, key.1, finding.client.map(|client| client.0));
        match folded.get(&by_client).and_then(|index| kept.get_mut(*index)) {
            Some(into) => {
                into.count += finding.count;
                into.first = into.first.min(finding.first);
                into.last = into.last.max(finding.last);
            }
            None => {
                folded.insert(by_client, kept.len());
                kept.push(finding);
            }
        }
    }
    kept
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

fn attempts(outcomes: &Outcomes) -> Attempts {
    Attempts {
        ok: outcomes.ok.into(),
        failed: outcomes.failed.into(),
        answered_no: outcomes.answered_no.into(),
        undetermined: outcomes.undetermined.into(),
    }
}

fn capture(index: usize, file: &FileReport, _interfaces: &[Interface]) -> Capture {
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
        memory_limited: false,
        notes: file.notes.iter().map(ToString::to_string).collect(),
    }
}

fn endpoint(balance: &EndpointBalance) -> Endpoint {
    let [connect, tls, first_byte] = &balance.latency;
    Endpoint {
        id: balance.id.clone(),
        name: balance.name.clone(),
        region: balance.region.map(str::to_owned),
        addresses: balance.addresses.iter().map(ToString::to_string).collect(),
        ports: balance.ports.clone(),
        attempts: attempts(&balance.attempts),
        availability: availability(&balance.attempts),
        latency_ms: LatencyKinds { connect: latency(connect), tls: latency(tls), first_byte: latency(first_byte) },
        findings_by_code: balance.findings_by_code.iter().map(|(code, n)| ((*code).to_owned(), *n)).collect(),
    }
}

fn latency(histogram: &Histogram) -> Option<Latency> {
    Some(Latency {
        p50: histogram.percentile(50)?,
        p95: histogram.percentile(95)?,
        p99: histogram.percentile(99)?,
        histogram: Bins { bounds: BOUNDS_MS.to_vec(), counts: histogram.counts.to_vec() },
    })
}

fn row(id: String, finding: &Finding, files: &[FileReport], lang: Lang) -> Row {
    let class = finding.class;
    let path = |file: u32| files.get(file as usize).map_or_else(String::new, |file| file.path.clone());
    let mut evidence: Vec<_> = finding.evidence.clone();
    evidence.sort_by_key(|seen| (seen.at.time, seen.at.file, seen.at.frame));
    Row {
        id,
        code: class.code,
        layer: class.layer(),
        severity: finding.severity.name(),
        confidence: f64::from(finding.confidence) / 100.0,
        confidence_reason: finding.reason.filter(|_| finding.confidence < 90).map(|reason| reason.of(lang)),
        count: finding.count,
        fails: finding.fails,
        subject: match finding.subject {
            Subject::Flow => "flow",
            Subject::Host => "host",
            Subject::Name => "name",
            Subject::Link => "link",
            Subject::Capture => "capture",
        },
        title: class.title(lang),
        summary: (class.summary)(finding, lang),
        remedy: class.remedy(lang),
        endpoint: endpoint_id(finding),
        client: finding.client.map(|client| end(Some(client), None)),
        server: (finding.server.is_some() || finding.name.is_some())
            .then(|| end(finding.server, finding.name.clone())),
        flow: finding.flow.as_ref().map(|(key, first)| id::flow(key, *first)),
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
        details: finding.details.iter().map(|(key, value)| (*key, detail(value))).collect(),
        also: finding.also.clone(),
        consequences: finding.consequences.clone(),
        supersedes: None,
    }
}

/// Id of the endpoint that a finding is about: `name:port`, else `address:port`.
pub(crate) fn endpoint_id(finding: &Finding) -> Option<String> {
    match (&finding.name, finding.server) {
        (Some(name), Some((_, port))) if port != 0 => Some(format!("{name}:{port}")),
        (Some(name), _) => Some(name.clone()),
        (None, Some((ip, port))) if port != 0 => Some(crate::failure::host_port(ip, port)),
        (None, Some((ip, _))) => Some(ip.to_string()),
        (None, None) => None,
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
    let mut frames: Vec<u32> =
        finding.evidence.iter().filter(|seen| Some(seen.at.file) == file).map(|seen| seen.at.frame).collect();
    frames.sort_unstable();
    frames.dedup();
    frames.iter().map(|frame| format!("frame.number == {frame}")).collect::<Vec<_>>().join(" || ")
}

fn detail(value: &Value) -> Json {
    match value {
        Value::Number(number) => json!(number),
        Value::Thousandths(share) => json!(*share as f64 / 1_000.0),
        Value::Bool(flag) => json!(flag),
        Value::Text(text) => json!(text),
        Value::List(items) => json!(items),
        Value::Time(time) => json!(time.to_string()),
    }
}
