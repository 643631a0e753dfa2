//! A diagnosis as the schema's mirror: windowed, folded, counted, sorted.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::endpoint::Rules;
use crate::engine::diagnosis::{
    Aside, BOUNDS_MS, Diagnosis, EndpointBalance, Histogram, RegionBalance, Shares, availability,
};
use crate::failure::flow::Outcomes;
use crate::failure::{Finding, Lang, Severity, classes, host_port};
use crate::incident::Incident;
use crate::ingest::{FileReport, Interface};
use crate::report::order::{Kept, Named, in_order};
use crate::report::row::{Findings, shown};
use crate::report::schema::{
    Attempts, Bins, Capture, Client, Endpoint, Finding as Row, Latency, LatencyKinds, Minute,
    Options, Region, Report, Shares as Shared, Summary, Tool,
};
use crate::report::{Settings, id, incident, notes};
use crate::time::{SECOND, Timestamp};

/// A report ready to be written, with what the text needs beside it.
#[derive(Debug)]
pub struct Told<F = Vec<Row>> {
    /// The mirror.
    pub report: Report<F>,
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
    /// What is known of each endpoint beside its mirror, in the mirror's order.
    pub beside: Vec<Beside>,
    /// How long names took to resolve, by resolver.
    pub resolvers: BTreeMap<IpAddr, Histogram>,
    /// Packets that each interface lost.
    pub lost: Vec<Lost>,
}

/// Packets that were lost before they could be read.
#[derive(Clone, Debug, Default)]
pub struct Lost {
    /// Name of the interface, empty where the capture does not say.
    pub interface: String,
    /// By the system, for want of room in its buffer.
    pub by_system: u64,
    /// By the interface itself.
    pub by_interface: u64,
}

/// What the mirror of an endpoint does not tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside {
    /// A rule speaks of it.
    pub ruled: bool,
    /// All handshakes, TLS handshakes and first bytes added up, in milliseconds.
    pub total_ms: [u64; 3],
    /// When the first of the leaves that it showed expires.
    pub not_after: Option<Timestamp>,
}

impl Beside {
    fn of(balance: &EndpointBalance, aside: &Aside) -> Self {
        Self {
            ruled: balance.invoicing,
            total_ms: balance.latency.each_ref().map(|times| times.total_ms),
            not_after: aside.certificates.get(&balance.id).copied(),
        }
    }
}

impl Told<Findings> {
    /// The same with the findings' mirrors: what texts need, which look at findings more than once.
    pub fn whole(self) -> Told {
        let findings = self.report.findings.iter().collect();
        Told {
            report: self.report.with(findings),
            incidents: self.incidents,
            worst: self.worst,
            times: self.times,
            options: self.options,
            span: self.span,
            rules: self.rules,
            beside: self.beside,
            resolvers: self.resolvers,
            lost: self.lost,
        }
    }

    /// The same with those findings alone that stand at these places, and without incidents.
    #[must_use]
    pub fn only(mut self, places: &[usize]) -> Self {
        self.report.findings.keep(places);
        let times = places.iter().filter_map(|place| self.times.get(*place));
        self.times = times.copied().collect();
        self.report.incidents.clear();
        self.incidents.clear();
        self
    }

    /// Builds the mirror but for its findings, which are mirrored one by one while they are written.
    pub fn lazily(
        diagnosis: Diagnosis,
        files: &[FileReport],
        interfaces: &[Interface],
        settings: &Settings,
    ) -> Self {
        let reading = Reading::of(files, interfaces, limited(&diagnosis), settings);
        Self::of(diagnosis, reading, settings)
    }

    /// The same where what was read is mirrored already.
    pub fn of(diagnosis: Diagnosis, mut reading: Reading, settings: &Settings) -> Self {
        for read in &mut reading.captures {
            read.path = shown(&read.path, settings);
        }
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
            settings.threads,
        );
        let worst = worst(&rows);
        let times = rows
            .iter()
            .map(|kept| (kept.finding.first, kept.finding.last))
            .collect();
        let (incidents, mirrors) =
            incident::mirror(diagnosis.incidents, &Named::of(&rows), settings);
        let balances = diagnosis.endpoints.iter();
        let beside = balances.map(|balance| Beside::of(balance, &diagnosis.aside));
        let beside = beside.collect();
        let report = Report {
            schema: "wirefault.report/1",
            tool: Tool {
                name: "wirefault",
                version: env!("CARGO_PKG_VERSION"),
                catalogue: catalogue(),
                endpoints: diagnosis.rules.identity(),
                trust_store: diagnosis.trust_store,
                key_log: diagnosis.key_log,
            },
            summary: summary(
                (&diagnosis.attempts, &diagnosis.shares, &diagnosis.regions),
                [diagnosis.packets, diagnosis.flows, diagnosis.decrypted],
                &rows,
                settings,
            ),
            endpoints: diagnosis
                .endpoints
                .iter()
                .map(|balance| endpoint(balance, settings))
                .collect(),
            findings: Findings::new(rows, &reading.captures, settings),
            captures: reading.captures,
            incidents: mirrors,
            unjudged: diagnosis.unjudged,
        };
        Self {
            report,
            incidents,
            options: options(settings),
            worst,
            times,
            span: reading.span,
            rules: diagnosis.rules,
            beside,
            resolvers: diagnosis.aside.resolvers,
            lost: reading.lost,
        }
    }
}

/// Reasons that say that memory was short.
const LIMITED: [&str; 4] = [
    "evicted",
    "connections-summed",
    "findings-summed",
    "pairs-not-noted",
];

/// A limit made the engine forget early: with more memory the same packets would be judged again.
pub fn limited(diagnosis: &Diagnosis) -> bool {
    let mut reasons = LIMITED.iter();
    reasons.any(|reason| diagnosis.unjudged.contains_key(*reason))
}

/// What was read, as a report tells it.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The files, by the numbers that marks carry.
    pub captures: Vec<Capture>,
    /// From the first frame to the last, over all files.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Packets that each interface lost.
    pub lost: Vec<Lost>,
}

impl Reading {
    /// Of a run's files; `limited` says that a limit closed flows of the run early.
    pub fn of(
        files: &[FileReport],
        interfaces: &[Interface],
        limited: bool,
        settings: &Settings,
    ) -> Self {
        let numbered = files.iter().enumerate();
        Self {
            captures: numbered
                .map(|(index, file)| capture((index, limited), file, interfaces, settings))
                .collect(),
            span: span(files),
            lost: interfaces
                .iter()
                .map(|interface| Lost {
                    interface: interface.name.clone(),
                    by_system: interface.system_drops,
                    by_interface: interface.interface_drops,
                })
                .collect(),
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
fn summary(
    all: (&Outcomes, &Shares, &[RegionBalance]),
    [packets, flows, decrypted]: [u64; 3],
    rows: &[Kept],
    settings: &Settings,
) -> Summary {
    let (outcomes, shared, regions) = all;
    let (mut by_code, mut by_severity) = (BTreeMap::new(), BTreeMap::new());
    for Kept { finding, .. } in rows {
        *by_code.entry(finding.class.code).or_default() += finding.count;
        *by_severity.entry(finding.severity.name()).or_default() += finding.count;
    }
    let owned = |counts: BTreeMap<&str, u64>| {
        let all = counts.into_iter();
        all.map(|(key, count)| (key.to_owned(), count)).collect()
    };
    Summary {
        packets,
        flows,
        decrypted,
        attempts: attempts(outcomes),
        availability: availability(outcomes),
        regions: regions
            .iter()
            .map(|region| Region {
                region: region.region.clone(),
                endpoints: region
                    .endpoints
                    .iter()
                    .map(|id| shown(id, settings))
                    .collect(),
                attempts: attempts(&region.attempts),
                availability: availability(&region.attempts),
            })
            .collect(),
        shares: shares(shared),
        findings_by_code: owned(by_code),
        findings_by_severity: owned(by_severity),
    }
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

/// Which codes and guides these are: a hash over them.
pub fn catalogue() -> String {
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
        path: shown(&file.path, settings),
        sha256: (file.sha256_head != [0; 32]).then(|| id::hex(&file.sha256_head, 32)),
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

fn endpoint(balance: &EndpointBalance, settings: &Settings) -> Endpoint {
    let [connect, tls, first_byte] = &balance.latency;
    Endpoint {
        id: shown(&balance.id, settings),
        name: balance.name.as_ref().map(|name| shown(name, settings)),
        region: balance.region.clone(),
        addresses: balance.addresses.iter().map(ToString::to_string).collect(),
        ports: balance.ports.clone(),
        proxies: balance
            .proxies
            .iter()
            .map(|(address, port)| host_port(*address, *port))
            .collect(),
        attempts: attempts(&balance.attempts),
        availability: availability(&balance.attempts),
        shares: shares(&balance.shares),
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

fn shares(shares: &Shares) -> Shared {
    let start = |minute: i64| Timestamp::from_ns(minute.saturating_mul(60 * SECOND)).to_string();
    Shared {
        clients: shares
            .clients
            .iter()
            .map(|(ip, sum)| Client {
                ip: ip.to_string(),
                attempts: attempts(sum),
                availability: availability(sum),
            })
            .collect(),
        clients_omitted: shares.clients_omitted,
        minutes: shares
            .minutes
            .iter()
            .map(|(minute, sum)| Minute {
                start: start(*minute),
                seconds: shares.width.max(1) * 60,
                attempts: attempts(sum),
                availability: availability(sum),
            })
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
