//! The serialised mirror of a report: `wirefault.report/1`. What `archive` stores has mirrors of its own.
//!
//! Members that are unknown are absent; there are no nulls and no empty strings. The JSON Schema beside this file
//! is what `wirefault schema` prints.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::report::events::{Amended, Closing, Event, Header, Losses, Withdrawn};

/// The JSON Schema of `Report`.
pub const REPORT_SCHEMA: &str = include_str!("report.schema.json");
/// The JSON Schema of one line of `jsonl`.
pub const EVENTS_SCHEMA: &str = include_str!("events.schema.json");

/// The whole report. `F` are its findings: mirrors, or what is mirrored while it is written.
#[derive(Clone, Debug, Serialize)]
pub struct Report<F = Vec<Finding>> {
    /// `wirefault.report/1`.
    pub schema: &'static str,
    /// What judged.
    pub tool: Tool,
    /// What was read.
    pub captures: Vec<Capture>,
    /// Totals.
    pub summary: Summary,
    /// One per server name or address and port.
    pub endpoints: Vec<Endpoint>,
    /// By first time and id.
    pub findings: F,
    /// Findings grouped by cause.
    pub incidents: Vec<Incident>,
    /// Counts of what could not be decoded or decided.
    pub unjudged: BTreeMap<String, u64>,
}

impl<F> Report<F> {
    /// The same report with these findings.
    pub fn with<G>(self, findings: G) -> Report<G> {
        Report {
            schema: self.schema,
            tool: self.tool,
            captures: self.captures,
            summary: self.summary,
            endpoints: self.endpoints,
            findings,
            incidents: self.incidents,
            unjudged: self.unjudged,
        }
    }
}

/// Versions and content hashes of what judged.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    /// `wirefault`.
    pub name: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// Hash over codes and guides.
    pub catalogue: String,
    /// Hash of the endpoint rules.
    pub endpoints: String,
    /// Identity of the trust store.
    pub trust_store: String,
    /// Hash of the secrets in the key log that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_log: Option<String>,
}

/// Options that the content of a report depends on, in the header of `jsonl`.
#[derive(Clone, Debug, Serialize)]
pub struct Options {
    /// `en` or `zh`.
    pub lang: &'static str,
    /// Identifiers of taxpayers and people are masked.
    pub redact: bool,
    /// Findings of one code and endpoint before further ones fold by client.
    pub findings_max: usize,
    /// Which packets were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Findings from this time on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Findings up to this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// One input file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Capture {
    /// `c-` and a number in reading order.
    pub id: String,
    /// Capture point.
    pub point: String,
    /// As the user gave it.
    pub path: String,
    /// Of its first 64 KiB as stored; absent where it is read while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// `pcap` or `pcapng`, with resolution and compression.
    pub format: String,
    /// Names of link types.
    pub link_types: Vec<String>,
    /// Frames.
    pub packets: u64,
    /// Bytes of frames as captured.
    pub bytes: u64,
    /// First time stamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_time: Option<String>,
    /// Last time stamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_time: Option<String>,
    /// Read to a clean end.
    pub complete: bool,
    /// The memory bound cut something.
    pub memory_limited: bool,
    /// Damage, drops, oddities.
    pub notes: Vec<String>,
}

/// Attempts by outcome.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Attempts {
    /// Reached.
    pub ok: u64,
    /// Failed.
    pub failed: u64,
    /// Reached, and refused by the service.
    pub answered_no: u64,
    /// Not told by the capture.
    pub undetermined: u64,
}

/// Attempts of one client.
#[derive(Clone, Debug, Serialize)]
pub struct Client {
    /// Its address.
    pub ip: String,
    /// Attempts.
    pub attempts: Attempts,
    /// Absent if nothing was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<f64>,
}

/// Attempts that began in one span of time.
#[derive(Clone, Debug, Serialize)]
pub struct Minute {
    /// Its start.
    pub start: String,
    /// Its length: 60, or a multiple where there are too many.
    pub seconds: i64,
    /// Attempts.
    pub attempts: Attempts,
    /// Absent if nothing was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<f64>,
}

/// Attempts by client and by minute.
#[derive(Clone, Debug, Serialize)]
pub struct Shares {
    /// Clients, those with the most failures first.
    pub clients: Vec<Client>,
    /// How many further clients there were.
    #[serde(skip_serializing_if = "is_zero")]
    pub clients_omitted: u64,
    /// Minutes in which attempts began.
    pub minutes: Vec<Minute>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One region.
#[derive(Clone, Debug, Serialize)]
pub struct Region {
    /// Its name.
    pub region: String,
    /// Ids of its endpoints.
    pub endpoints: Vec<String>,
    /// Attempts.
    pub attempts: Attempts,
    /// Absent if nothing was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<f64>,
}

/// Totals.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Frames.
    pub packets: u64,
    /// TCP flows.
    pub flows: u64,
    /// TLS connections whose content was read by their keys; absent if there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub decrypted: u64,
    /// Attempts.
    pub attempts: Attempts,
    /// Absent if nothing was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<f64>,
    /// Attempts by region, by name.
    pub regions: Vec<Region>,
    /// Attempts by client and by minute.
    #[serde(flatten)]
    pub shares: Shares,
    /// By code.
    pub findings_by_code: BTreeMap<String, u64>,
    /// By severity.
    pub findings_by_severity: BTreeMap<String, u64>,
}

/// One endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoint {
    /// `name:port` or `address:port`.
    pub id: String,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Addresses.
    pub addresses: Vec<String>,
    /// Ports.
    pub ports: Vec<u16>,
    /// The proxies that were asked for it: `address:port`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<String>,
    /// Attempts.
    pub attempts: Attempts,
    /// Absent if nothing was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<f64>,
    /// Attempts by client and by minute.
    #[serde(flatten)]
    pub shares: Shares,
    /// Times.
    pub latency_ms: LatencyKinds,
    /// By code.
    pub findings_by_code: BTreeMap<String, u64>,
}

/// Times of an endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct LatencyKinds {
    /// TCP handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<Latency>,
    /// TLS handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Latency>,
    /// Request's last byte to response's first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Latency>,
}

/// Percentiles read off a histogram.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// Median.
    pub p50: u32,
    /// 95th percentile.
    pub p95: u32,
    /// 99th percentile.
    pub p99: u32,
    /// The histogram.
    pub histogram: Bins,
}

/// Fixed bounds and their counts; the last count is what lies above.
#[derive(Clone, Debug, Serialize)]
pub struct Bins {
    /// Upper bounds in milliseconds.
    pub bounds: Vec<u32>,
    /// Counts, one more than bounds.
    pub counts: Vec<u64>,
}

/// One failure.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// `f-` and 16 hex digits.
    pub id: String,
    /// Catalogue code.
    pub code: &'static str,
    /// Its layer.
    pub layer: &'static str,
    /// `info`, `warning`, `error`, `critical`.
    pub severity: &'static str,
    /// 0 to 1.
    pub confidence: f64,
    /// Below 0.9: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence_reason: Option<&'static str>,
    /// Findings folded into this one, itself included.
    pub count: u64,
    /// It made an attempt fail.
    pub fails: bool,
    /// `flow`, `host`, `name`, `link`, `capture`.
    pub subject: &'static str,
    /// What was seen.
    pub title: &'static str,
    /// One line.
    pub summary: String,
    /// What to do first.
    pub remedy: &'static str,
    /// Id of the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Who failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<End>,
    /// At whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<End>,
    /// Id of the flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// Community ID 1.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_id: Option<String>,
    /// First time.
    pub first_time: String,
    /// Last time.
    pub last_time: String,
    /// Frames.
    pub evidence: Vec<Evidence>,
    /// Wireshark display filter.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filter: String,
    /// Measured details.
    pub details: BTreeMap<&'static str, Value>,
    /// Codes that also fit.
    pub also: Vec<&'static str>,
    /// Codes of what followed from it.
    pub consequences: Vec<&'static str>,
    /// Id of a finding that this one overturns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<String>,
}

/// Client or server.
#[derive(Clone, Debug, Serialize)]
pub struct End {
    /// Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One frame.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// Path of its file, as the user gave it.
    pub file: Arc<str>,
    /// 1-based number in that file.
    pub frame: u32,
    /// Byte of its record in the uncompressed file.
    pub offset: u64,
    /// Its time.
    pub time: String,
    /// What it is in the proof.
    pub role: &'static str,
}

/// Findings of one cause.
#[derive(Clone, Debug, Serialize)]
pub struct Incident {
    /// `i-` and 16 hex digits.
    pub id: String,
    /// How often it was written; the highest counts.
    pub revision: u32,
    /// `open`, `grown`, `closed`.
    pub state: &'static str,
    /// The first hypothesis, or the two that nothing separates.
    pub title: String,
    /// The worst of its findings.
    pub severity: &'static str,
    /// First time of its failures.
    pub start: String,
    /// Last time of its failures.
    pub end: String,
    /// `client …`, `site …`, `endpoint …`, `region …`, `everything`.
    pub scope: String,
    /// Ids of the endpoints hit.
    pub endpoints: Vec<String>,
    /// Their regions.
    pub regions: Vec<String>,
    /// How many clients were hit.
    pub clients: u64,
    /// Some of them.
    pub client_sample: Vec<String>,
    /// Attempts at its endpoints while it lasted.
    pub attempts: Attempts,
    /// Absent if nothing was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<f64>,
    /// By score.
    pub hypotheses: Vec<Hypothesis>,
    /// Ids of its findings.
    pub findings: Vec<String>,
}

/// A cause that would explain an incident.
#[derive(Clone, Debug, Serialize)]
pub struct Hypothesis {
    /// Its name in the table of causes.
    pub cause: &'static str,
    /// 0 to 1.
    pub score: f64,
    /// What it is.
    pub title: &'static str,
    /// Who can mend it.
    pub owner: &'static str,
    /// What speaks for it.
    #[serde(rename = "for")]
    pub favour: Vec<Reason>,
    /// What speaks against it.
    pub against: Vec<Reason>,
    /// What would disprove it, and what to capture for that.
    pub disproof: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// An item for or against a hypothesis.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    /// Its name in the table of evidence.
    pub evidence: &'static str,
    /// 0 to 1: its weight there times its strength here.
    pub weight: f64,
    /// The sentence.
    pub text: String,
    /// Ids of findings that show it.
    pub findings: Vec<String>,
    /// The figure.
    pub value: Value,
}
