#![doc = include_str!("revocation_unreachable.en.md")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use hashbrown::HashMap;

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::flow::key::FlowKey;
use crate::guide;
use crate::mark::Mark;
use crate::protocol::tls::Stage;
use crate::protocol::tls::chain::Certificate;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// `security.revocation-unreachable`
pub static CLASS: Class = Class {
    code: "security.revocation-unreachable",
    severity: Severity::Warning,
    guide: guide!("revocation_unreachable"),
    summary,
};

/// A client that checks nothing elsewhere goes on sooner than this after the server's flight.
const WAITED: Nanos = 500 * MILLISECOND;
/// The fetch begins after the certificate; captures of two interfaces reorder.
const BEFORE: Nanos = SECOND;
/// Names of which certificates are asked.
const HOSTS_MAX: usize = 16;
/// What a fetch that comes to nothing is called otherwise.
const FETCHES: [&str; 9] = [
    "transport.syn-unanswered",
    "transport.syn-refused",
    "network.icmp-unreachable",
    "network.firewall-rejected",
    "network.dns-nxdomain",
    "network.dns-timeout",
    "network.dns-servfail",
    "network.dns-refused",
    "application.no-response",
];
/// What the handshake is called that failed for want of it.
const HANDSHAKES: [&str; 8] = [
    // It asks about a chain that it would trust, or for the issuer that lacks.
    "security.cert-untrusted-root",
    "security.cert-chain-incomplete",
    "security.cert-rejected",
    "security.cert-rejected-inferred",
    "security.tls-handshake-stalled",
    "security.tls-alert",
    "transport.reset-by-client",
    "transport.reset-by-server",
];

/// A handshake that waited after the certificates, or went no further.
#[derive(Clone, Debug)]
pub struct Wait {
    client: (IpAddr, u16),
    server: (IpAddr, u16),
    name: Option<String>,
    /// Hosts that the certificates name for OCSP, CRLs and issuers.
    hosts: Vec<String>,
    certificate: Mark,
    /// When the client went on or gave up.
    end: Option<Mark>,
    until: Timestamp,
    failed: bool,
    flow: (FlowKey, Timestamp),
    twin: Option<(u32, u32)>,
    origin: u32,
}

impl Wait {
    /// When its handshake was last heard of.
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// The wait of a conversation, if there was one and its certificates name somebody to ask.
    pub fn of(at: &Episode<'_>) -> Option<Self> {
        let session = at.tls?;
        let sent = session.certificates.as_ref()?;
        let close = [
            at.client_half().fin.map(|fin| fin.at),
            at.client_half().reset.map(|rst| rst.at),
            at.server_half().fin.map(|fin| fin.at),
            at.server_half().reset.map(|rst| rst.at),
        ];
        let end = session
            .client_key_exchange
            .or(close.into_iter().flatten().min());
        let until = end.map_or(at.until, |end| end.time);
        let failed = session.stage() < Stage::ClientFinished;
        if !failed && until.since(sent.at.time) < WAITED {
            return None;
        }
        let mut hosts: Vec<String> = sent
            .value
            .iter()
            .filter_map(|der| Certificate::parse(der))
            .flat_map(|one| one.asks)
            .collect();
        hosts.sort();
        hosts.dedup();
        hosts.truncate(HOSTS_MAX);
        let span = at.connection.span;
        (!hosts.is_empty()).then(|| Self {
            client: at.client,
            server: at.server,
            name: at.name().map(str::to_owned),
            hosts,
            certificate: sent.at,
            end,
            until,
            failed,
            flow: (at.key, span.map_or(at.until, |span| span.0.time)),
            twin: at
                .client_half()
                .isn
                .map(|isn| (isn, at.connection.syn_ts_value.unwrap_or(0))),
            origin: at.origin,
        })
    }

    fn fetch(&self, finding: &Finding) -> bool {
        let within = finding.first.since(self.certificate.time) >= -BEFORE
            && finding.first.since(self.until) <= 0;
        let asked = finding.name.as_ref().is_some_and(|name| {
            self.hosts
                .iter()
                .any(|host| host.eq_ignore_ascii_case(name))
        }) || finding
            .server
            .is_some_and(|(ip, _)| self.hosts.contains(&ip.to_string()));
        let other = finding.flow.is_none_or(|(key, _)| key != self.flow.0);
        within && asked && other
    }
}

/// Handshakes that waited or failed while a fetch that their certificates name came to nothing: the fetch's finding, and
/// the handshake's, become one of this class.
pub fn judge(findings: &mut Vec<Finding>, mut waits: Vec<Wait>) {
    waits.sort_by_key(|wait| (wait.certificate, wait.client));
    let mut gone: BTreeSet<usize> = BTreeSet::new();
    let mut told = Vec::new();
    let (mut asking, mut handshakes) = (HashMap::new(), HashMap::new());
    for (place, finding) in findings.iter().enumerate() {
        let code = finding.class.code;
        if let Some((client, _)) = finding.client.filter(|_| FETCHES.contains(&code)) {
            let places: &mut Vec<usize> = asking.entry(client).or_default();
            places.push(place);
        }
        if let Some(flow) = finding
            .flow
            .filter(|_| finding.fails && HANDSHAKES.contains(&code))
        {
            handshakes.entry(flow).or_insert(place);
        }
    }
    for wait in &waits {
        let fetches: Vec<usize> = asking
            .get(&wait.client.0)
            .into_iter()
            .flatten()
            .copied()
            .filter(|place| {
                findings
                    .get(*place)
                    .is_some_and(|finding| wait.fetch(finding))
            })
            .collect();
        if fetches.is_empty() {
            continue;
        }
        let handshake = handshakes.get(&wait.flow).copied();
        let mut one = finding(wait, findings, &fetches);
        let named = handshake.and_then(|place| findings.get(place));
        one.also.extend(named.map(|finding| finding.class.code));
        told.push(one);
        gone.extend(fetches);
        gone.extend(handshake);
    }
    let mut place = 0;
    findings.retain(|_| {
        place += 1;
        !gone.contains(&(place - 1))
    });
    findings.extend(told);
}

fn finding(wait: &Wait, findings: &[Finding], fetches: &[usize]) -> Finding {
    let mut finding = Finding::new(&CLASS, Subject::Flow, wait.certificate.time)
        .seen(wait.certificate, "certificate");
    let mut asked: BTreeSet<String> = BTreeSet::new();
    for fetch in fetches.iter().filter_map(|place| findings.get(*place)) {
        for seen in fetch.evidence.iter().take(4) {
            finding = finding.seen(seen.at, "fetch");
        }
        if !finding.also.contains(&fetch.class.code) {
            finding.also.push(fetch.class.code);
        }
        asked.insert(fetch.name.clone().unwrap_or_else(|| fetch.server_text()));
    }
    finding = finding.seen_if(
        wait.end,
        if wait.failed {
            "close"
        } else {
            "client-goes-on"
        },
    );
    finding.protocol = wait.flow.0.protocol;
    finding.client = Some(wait.client);
    finding.server = Some(wait.server);
    finding.name.clone_from(&wait.name);
    finding.flow = Some(wait.flow);
    finding.twin = wait.twin;
    finding.origin = wait.origin;
    finding.fails = wait.failed;
    finding
        .detail("asked", Value::List(asked.into_iter().collect()))
        .detail(
            "waited_ms",
            Value::Number(wait.until.since(wait.certificate.time) / MILLISECOND),
        )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let waited = finding.number("waited_ms").unwrap_or(0) as f64 / 1e3;
    let asked = finding
        .details
        .iter()
        .find_map(|(key, value)| match value {
            Value::List(hosts) if *key == "asked" => Some(hosts.join(", ")),
            _ => None,
        })
        .unwrap_or_default();
    match (finding.fails, lang) {
        (true, Lang::En) => format!(
            "{client} could not ask {asked} about the certificate of {server}, and the handshake failed after {waited:.1} s"
        ),
        (true, Lang::Zh) => {
            format!("{client} 无法向 {asked} 查询 {server} 的证书状态，{waited:.1} 秒后握手失败")
        }
        (false, Lang::En) => format!(
            "{client} could not ask {asked} about the certificate of {server}; the handshake waited {waited:.1} s for it"
        ),
        (false, Lang::Zh) => {
            format!("{client} 无法向 {asked} 查询 {server} 的证书状态，握手因此等待 {waited:.1} 秒")
        }
    }
}
