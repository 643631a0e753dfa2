//! What is kept of a set so that a report can be made without its captures: mirrors of the diagnosis that serialise.
//!
//! Texts are not kept: a report is written in any language from codes and details. Details are masked as the run was
//! told to, so that no number that a report would hide lies in a file.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::engine::diagnosis::{self, Diagnosis, EndpointBalance};
use crate::failure::flow::Outcomes;
use crate::failure::{self, Subject, Value};
use crate::incident;
use crate::report::schema::Capture;
use crate::report::{Reading, masked_detail, redact};
use crate::time::Timestamp;

/// Version of what is stored.
pub(super) const SCHEMA: &str = "wirefault.partial/1";

type End = (IpAddr, u16);

/// All that is kept of one set.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Partial {
    pub(super) schema: String,
    pub(super) packets: u64,
    pub(super) flows: u64,
    pub(super) attempts: Attempts,
    pub(super) shares: Shares,
    #[serde(default)]
    pub(super) decrypted: u64,
    pub(super) trust_store: String,
    #[serde(default)]
    pub(super) key_log: Option<String>,
    pub(super) span_ns: Option<(i64, i64)>,
    pub(super) captures: Vec<Read>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) findings: Vec<Finding>,
    pub(super) incidents: Vec<Incident>,
    pub(super) unjudged: BTreeMap<String, u64>,
}

/// Ok, failed, answered no, undetermined.
pub(super) type Attempts = [u32; 4];

/// Attempts by client and by time, of clients that are not listed how many, and how wide a span of time is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Shares {
    pub(super) clients: Vec<(IpAddr, Attempts)>,
    pub(super) clients_omitted: u64,
    pub(super) minutes: Vec<(i64, Attempts)>,
    pub(super) width: i64,
}

/// A capture, its notes in both languages.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Read {
    pub(super) en: Capture,
    pub(super) notes_zh: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Endpoint {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) host: Option<String>,
    pub(super) region: Option<String>,
    pub(super) invoicing: bool,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ports: Vec<u16>,
    pub(super) proxies: Vec<End>,
    pub(super) attempts: Attempts,
    pub(super) shares: Shares,
    pub(super) latency: [Vec<u64>; 3],
    pub(super) codes: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Finding {
    pub(super) code: String,
    pub(super) severity: u8,
    pub(super) confidence: u8,
    pub(super) reason: Option<(String, String)>,
    pub(super) subject: u8,
    pub(super) protocol: u8,
    pub(super) client: Option<End>,
    pub(super) server: Option<End>,
    pub(super) name: Option<String>,
    pub(super) behind: Option<failure::Behind>,
    pub(super) endpoint: Option<String>,
    pub(super) flow: Option<Flow>,
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
    pub(super) evidence: Vec<Frame>,
    pub(super) details: Vec<(String, Detail)>,
    pub(super) fails: bool,
    pub(super) also: Vec<String>,
    pub(super) consequences: Vec<String>,
    pub(super) count: u64,
}

/// Both ends, protocol, tunnel, first time.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Flow(
    pub(super) End,
    pub(super) End,
    pub(super) u8,
    pub(super) u32,
    pub(super) i64,
);

/// File, frame, offset, time, role.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Frame(
    pub(super) u32,
    pub(super) u32,
    pub(super) u64,
    pub(super) i64,
    pub(super) String,
);

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Detail {
    Number(i64),
    Thousandths(i64),
    Bool(bool),
    Text(String),
    List(Vec<String>),
    Time(i64),
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Incident {
    pub(super) scope: Scope,
    pub(super) severity: u8,
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    pub(super) endpoints: Vec<String>,
    pub(super) regions: Vec<String>,
    pub(super) clients: u64,
    pub(super) client_sample: Vec<IpAddr>,
    pub(super) attempts: Attempts,
    pub(super) codes: Vec<(String, u64)>,
    pub(super) hypotheses: Vec<Hypothesis>,
    pub(super) findings: Vec<usize>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scope {
    Client(IpAddr),
    Site(IpAddr),
    Endpoint(String),
    Region(String),
    Everything,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Hypothesis {
    pub(super) cause: String,
    pub(super) score: f64,
    pub(super) favour: Vec<Reason>,
    pub(super) against: Vec<Reason>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Reason {
    pub(super) item: String,
    pub(super) weight: f64,
    pub(super) number: u64,
    pub(super) what: String,
    pub(super) findings: Vec<usize>,
}

impl Partial {
    /// What is kept of a diagnosis. `english` and `chinese` are what was read, in both languages.
    pub fn of(diagnosis: &Diagnosis, english: &Reading, chinese: &Reading, redact: bool) -> Self {
        // Here and below: whoever adds a field is told by the compiler that it must be kept, or why not. Not kept:
        // `forgotten` and `aside`, which are for runs that go on, and `regions`, which follow from the endpoints; the
        // surroundings have a file of their own.
        let Diagnosis {
            packets: _,
            flows: _,
            attempts: _,
            forgotten: _,
            shares: _,
            regions: _,
            endpoints: _,
            minutes: _,
            findings: _,
            incidents: _,
            unjudged: _,
            rows: _,
            decrypted: _,
            trust_store: _,
            key_log: _,
            rules: _,
            aside: _,
            surroundings: _,
        } = diagnosis;
        let notes = chinese.captures.iter().map(|capture| capture.notes.clone());
        Self {
            schema: SCHEMA.to_owned(),
            packets: diagnosis.packets,
            flows: diagnosis.flows,
            attempts: attempts(&diagnosis.attempts),
            shares: shares(&diagnosis.shares),
            decrypted: diagnosis.decrypted,
            trust_store: diagnosis.trust_store.clone(),
            key_log: diagnosis.key_log.clone(),
            span_ns: english.span.map(|(first, last)| (first.ns(), last.ns())),
            captures: english
                .captures
                .iter()
                .cloned()
                .zip(notes)
                .map(|(en, notes_zh)| Read { en, notes_zh })
                .collect(),
            endpoints: diagnosis
                .endpoints
                .iter()
                .map(|balance| endpoint(balance, redact))
                .collect(),
            findings: diagnosis
                .findings
                .iter()
                .map(|told| finding(told, redact))
                .collect(),
            incidents: diagnosis
                .incidents
                .iter()
                .map(|told| incident(told, redact))
                .collect(),
            unjudged: diagnosis.unjudged.clone(),
        }
    }
}

pub(super) fn attempts(outcomes: &Outcomes) -> Attempts {
    [
        outcomes.ok,
        outcomes.failed,
        outcomes.answered_no,
        outcomes.undetermined,
    ]
}

fn shares(told: &diagnosis::Shares) -> Shares {
    let diagnosis::Shares {
        clients: _,
        clients_omitted: _,
        minutes: _,
        width: _,
    } = told;
    let clients = told.clients.iter();
    let minutes = told.minutes.iter();
    Shares {
        clients: clients.map(|(ip, sum)| (*ip, attempts(sum))).collect(),
        clients_omitted: told.clients_omitted,
        minutes: minutes.map(|(at, sum)| (*at, attempts(sum))).collect(),
        width: told.width,
    }
}

/// The name of a host or an endpoint, as it may lie in a file. Masking twice is masking once.
pub(super) fn named(name: &str, redact: bool) -> String {
    match redact {
        true => redact::name(name),
        false => name.to_owned(),
    }
}

fn endpoint(balance: &EndpointBalance, redact: bool) -> Endpoint {
    let EndpointBalance {
        id: _,
        name: _,
        host: _,
        region: _,
        invoicing: _,
        addresses: _,
        ports: _,
        proxies: _,
        attempts: _,
        shares: _,
        latency: _,
        findings_by_code: _,
    } = balance;
    let masked = |name: &Option<String>| name.as_ref().map(|name| named(name, redact));
    let counts = |histogram: &diagnosis::Histogram| histogram.counts.to_vec();
    Endpoint {
        id: named(&balance.id, redact),
        name: masked(&balance.name),
        host: masked(&balance.host),
        region: balance.region.clone(),
        invoicing: balance.invoicing,
        addresses: balance.addresses.clone(),
        ports: balance.ports.clone(),
        proxies: balance.proxies.clone(),
        attempts: attempts(&balance.attempts),
        shares: shares(&balance.shares),
        latency: balance.latency.each_ref().map(counts),
        codes: balance
            .findings_by_code
            .iter()
            .map(|(code, count)| ((*code).to_owned(), *count))
            .collect(),
    }
}

fn finding(told: &failure::Finding, redact: bool) -> Finding {
    // Not kept: `twin`, `origin` and `silence`, which nobody asks for once a set is judged.
    let failure::Body {
        class: _,
        severity: _,
        confidence: _,
        reason: _,
        subject: _,
        protocol: _,
        client: _,
        server: _,
        name: _,
        behind: _,
        endpoint: _,
        flow: _,
        twin: _,
        origin: _,
        first: _,
        last: _,
        evidence: _,
        details: _,
        fails: _,
        also: _,
        consequences: _,
        silence: _,
        count: _,
    } = &**told;
    let masked = |name: &Option<String>| name.as_ref().map(|name| named(name, redact));
    let owned = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
    Finding {
        code: told.class.code.to_owned(),
        severity: told.severity as u8,
        confidence: told.confidence,
        reason: told
            .reason
            .map(|reason| (reason.en.to_owned(), reason.zh.to_owned())),
        subject: match told.subject {
            Subject::Flow => 0,
            Subject::Host => 1,
            Subject::Name => 2,
            Subject::Link => 3,
            Subject::Capture => 4,
        },
        protocol: told.protocol,
        client: told.client,
        server: told.server,
        name: masked(&told.name),
        behind: told.behind,
        endpoint: masked(&told.endpoint),
        flow: told.flow.map(|(key, first)| {
            let (a, b) = ((key.a, key.a_port), (key.b, key.b_port));
            Flow(a, b, key.protocol, key.tunnel, first.ns())
        }),
        first_ns: told.first.ns(),
        last_ns: told.last.ns(),
        evidence: told.evidence.iter().map(frame).collect(),
        details: told
            .details
            .iter()
            .map(|(key, value)| ((*key).to_owned(), detail(key, value, redact)))
            .collect(),
        fails: told.fails,
        also: owned(&told.also),
        consequences: owned(&told.consequences),
        count: told.count,
    }
}

fn frame(seen: &failure::Evidence) -> Frame {
    let at = seen.at;
    Frame(
        at.file,
        at.frame,
        at.offset,
        at.time.ns(),
        seen.role.to_owned(),
    )
}

fn detail(key: &str, value: &Value, redact: bool) -> Detail {
    let text = |text: &String| masked_detail(key, text, redact);
    match value {
        Value::Number(number) => Detail::Number(*number),
        Value::Thousandths(share) => Detail::Thousandths(*share),
        Value::Bool(flag) => Detail::Bool(*flag),
        Value::Text(words) => Detail::Text(text(words)),
        Value::List(items) => Detail::List(items.iter().map(text).collect()),
        Value::Time(time) => Detail::Time(time.ns()),
    }
}

fn incident(told: &incident::Incident, redact: bool) -> Incident {
    let incident::Incident {
        scope: _,
        severity: _,
        start: _,
        end: _,
        endpoints: _,
        regions: _,
        clients: _,
        client_sample: _,
        attempts: _,
        codes: _,
        hypotheses: _,
        findings: _,
        open: _,
        revision: _,
    } = told;
    Incident {
        scope: match &told.scope {
            incident::Scope::Client(ip) => Scope::Client(*ip),
            incident::Scope::Site(ip) => Scope::Site(*ip),
            incident::Scope::Endpoint(endpoint) => Scope::Endpoint(named(endpoint, redact)),
            incident::Scope::Region(region) => Scope::Region(region.clone()),
            incident::Scope::Everything => Scope::Everything,
        },
        severity: told.severity as u8,
        start_ns: told.start.ns(),
        end_ns: told.end.ns(),
        endpoints: told.endpoints.iter().map(|id| named(id, redact)).collect(),
        regions: told.regions.clone(),
        clients: told.clients,
        client_sample: told.client_sample.clone(),
        attempts: attempts(&told.attempts),
        codes: told
            .codes
            .iter()
            .map(|(code, count)| ((*code).to_owned(), *count))
            .collect(),
        hypotheses: told
            .hypotheses
            .iter()
            .map(|one| Hypothesis {
                cause: one.cause.name.to_owned(),
                score: one.score,
                favour: one.favour.iter().map(|why| reason(why, redact)).collect(),
                against: one.against.iter().map(|why| reason(why, redact)).collect(),
            })
            .collect(),
        findings: told.findings.clone(),
    }
}

fn reason(why: &incident::Reason, redact: bool) -> Reason {
    Reason {
        item: why.item.id.to_owned(),
        weight: why.weight,
        number: why.number,
        what: masked_detail("what", &why.what, redact),
        findings: why.findings.clone(),
    }
}

/// A time as it is stored.
pub(super) const fn time(ns: i64) -> Timestamp {
    Timestamp::from_ns(ns)
}
