//! One group of findings with what else went on at that time: the file that the hypotheses are argued from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::failure::flow::Outcomes;
use crate::failure::{Finding, Severity, Value};
use crate::incident::context::{Context, Seen, Span, site};
use crate::incident::group::founds;
use crate::time::{Nanos, SECOND, Timestamp};

/// What is short is looked at with this much around it.
const AROUND: Nanos = 10 * SECOND;
/// Clients whose other connections are looked at.
const CLIENTS_LOOKED_AT: usize = 64;

/// Warnings that come along with many causes: evidence where a cause asks for them, no failures to be explained.
const SYMPTOMS: [&str; 10] = [
    "network.packet-loss",
    "transport.connect-slow",
    "transport.latency-high",
    "transport.zero-window",
    "application.slow-response",
    "security.tls-obsolete",
    "security.cipher-weak",
    "security.cert-weak",
    "security.cert-expiring",
    CHANGE,
];
/// A change of the server's, whoever was the first to see it.
const CHANGE: &str = "security.cert-changed";

/// An incident before it is told.
pub(super) struct Case<'a> {
    /// All findings of the capture.
    pub(super) findings: &'a [Finding],
    /// Places of this incident's, ascending.
    pub(super) places: Vec<usize>,
    /// The surroundings.
    pub(super) context: &'a Context<'a>,
    /// First to last time of the failures.
    pub(super) span: Span,
    /// The worst severity.
    pub(super) severity: Severity,
    /// Failures by code; refusals of a chain that is encrypted by what others show of it.
    pub(super) codes: BTreeMap<&'static str, u64>,
    /// All failures.
    pub(super) total: u64,
    /// Who was hit.
    pub(super) clients: BTreeSet<IpAddr>,
    /// Addresses and ports that failed.
    pub(super) servers: BTreeSet<(IpAddr, u16)>,
    /// Their names.
    pub(super) names: BTreeSet<&'a str>,
    /// `name:port` or `address:port`.
    pub(super) endpoints: BTreeSet<String>,
    /// Connections to those addresses and ports while it lasted.
    pub(super) here: Vec<&'a Seen>,
    /// Clients that were not hit and reached the same addresses and ports meanwhile.
    pub(super) others_well: BTreeSet<IpAddr>,
}

/// Whoever waits in vain on a connection that stood before gives it up within this.
const ENDS_AFTER: Nanos = 60 * SECOND;

impl<'a> Case<'a> {
    /// Gathers what a group of findings shows by itself, and the connections at its servers.
    pub(super) fn new(
        findings: &'a [Finding],
        places: Vec<usize>,
        context: &'a Context<'a>,
    ) -> Self {
        let members: Vec<&'a Finding> = places
            .iter()
            .filter_map(|place| findings.get(*place))
            .collect();
        // Warnings that come along last as they like: the failures say from when to when.
        let failures = || members.iter().filter(|finding| counts(finding));
        let first = failures().map(|finding| finding.first).min();
        let last = failures().map(|finding| finding.last).max();
        let mut case = Self {
            findings,
            context,
            span: (first.unwrap_or_default(), last.unwrap_or_default()),
            severity: members
                .iter()
                .map(|finding| finding.severity)
                .max()
                .unwrap_or(Severity::Info),
            codes: BTreeMap::new(),
            total: 0,
            clients: BTreeSet::new(),
            servers: members
                .iter()
                .filter_map(|finding| finding.server)
                .collect(),
            names: members
                .iter()
                .filter_map(|finding| finding.name.as_deref())
                .collect(),
            endpoints: members
                .iter()
                .filter_map(|finding| endpoint_of(finding))
                .collect(),
            here: Vec::new(),
            others_well: BTreeSet::new(),
            places,
        };
        let shown = shown_in_clear(&members);
        for finding in &members {
            if counts(finding) {
                let hidden = finding.server.filter(|_| refuses_unseen(finding));
                let code = hidden.and_then(|server| shown.get(&server).copied().flatten());
                let code = code.unwrap_or(finding.class.code);
                *case.codes.entry(code).or_default() += finding.count;
                case.total += finding.count;
            }
            if finding.class.code != CHANGE {
                case.clients.extend(finding.client.map(|client| client.0));
                case.clients.extend(listed(finding));
            }
        }
        case.look_here(
            members
                .iter()
                .any(|finding| listed(finding).next().is_some()),
        );
        case
    }

    /// Connections to the failing addresses and ports while it lasts; who failed there beyond the findings' samples.
    fn look_here(&mut self, sampled: bool) {
        let (span, meanwhile) = (self.span, self.meanwhile());
        let here: Vec<&'a Seen> = if self.servers.is_empty() {
            self.leaving(span)
        } else {
            self.at_servers(span).collect()
        };
        let near: Vec<&'a Seen> = self.at_servers(meanwhile).collect();
        if sampled {
            self.clients.extend(
                here.iter()
                    .filter(|seen| seen.failed() && !seen.reached())
                    .map(|seen| seen.client),
            );
        }
        self.here = here;
        self.others_well = near
            .into_iter()
            .filter(|seen| seen.reached() && seen.established_by(meanwhile.1))
            .map(|seen| seen.client)
            .filter(|client| !self.clients.contains(client))
            .collect();
    }

    /// Connections to the failing addresses and ports that began within a span.
    pub(super) fn at_servers(&self, span: Span) -> impl Iterator<Item = &'a Seen> {
        let context = self.context;
        self.servers.iter().flat_map(move |server| {
            // Port 0: the host as a whole.
            let (all, one) = (server.1 == 0, server.1 != 0);
            let host = all.then(|| context.to_host(server.0, span));
            let port = one.then(|| context.to_server(*server, span));
            host.into_iter().flatten().chain(port.into_iter().flatten())
        })
    }

    /// Connections out of the clients' own networks: what a way that is lost concerns.
    fn leaving(&self, span: Span) -> Vec<&'a Seen> {
        let context = self.context;
        self.looked_at()
            .flat_map(|client| context.of_client(client, span).collect::<Vec<_>>())
            .filter(|seen| site(seen.server.0) != site(seen.client))
            .collect()
    }

    /// Its findings with their places.
    pub(super) fn members(&self) -> impl Iterator<Item = (usize, &'a Finding)> {
        let findings = self.findings;
        self.places
            .iter()
            .filter_map(move |place| Some((*place, findings.get(*place)?)))
    }

    /// Failures of these codes.
    pub(super) fn count(&self, codes: &[&str]) -> u64 {
        codes.iter().filter_map(|code| self.codes.get(code)).sum()
    }

    /// Server addresses that failed.
    pub(super) fn hosts(&self) -> BTreeSet<IpAddr> {
        self.servers.iter().map(|server| server.0).collect()
    }

    /// While it lasts; what is shorter than ten seconds is looked at with ten seconds on either side.
    pub(super) fn meanwhile(&self) -> Span {
        let (from, to) = self.span;
        if to.since(from) < AROUND {
            (from.plus(-AROUND), to.plus(AROUND))
        } else {
            (from, to)
        }
    }

    /// Well inside it: the edges of what lasts for ten seconds and more belong to the time before and after too.
    pub(super) fn inside(&self) -> Span {
        let (from, to) = self.span;
        if to.since(from) < AROUND {
            (from, to)
        } else {
            (from.plus(2 * SECOND), to.plus(-2 * SECOND))
        }
    }

    /// From the begin of the capture to just before it.
    pub(super) fn before(&self) -> Span {
        (
            self.context.begin().unwrap_or(self.span.0).min(self.span.0),
            self.span.0.plus(-1),
        )
    }

    /// The clients that were hit, as far as their other connections are looked at.
    pub(super) fn looked_at(&self) -> impl Iterator<Item = IpAddr> {
        self.clients.iter().take(CLIENTS_LOOKED_AT).copied()
    }

    /// What the clients that were hit tried at other addresses meanwhile.
    pub(super) fn elsewhere(&self) -> Vec<&'a Seen> {
        let (hosts, context) = (self.hosts(), self.context);
        let span = self.meanwhile();
        self.looked_at()
            .flat_map(|client| context.of_client(client, span).collect::<Vec<_>>())
            .filter(|seen| !hosts.contains(&seen.server.0))
            .collect()
    }

    /// What anybody tried at other ports of the failing addresses meanwhile.
    pub(super) fn other_ports(&self) -> Vec<&'a Seen> {
        let (span, context) = (self.meanwhile(), self.context);
        self.hosts()
            .into_iter()
            .flat_map(|host| context.to_host(host, span).collect::<Vec<_>>())
            .filter(|seen| {
                // Port 0 is the host as a whole: it has no other.
                let whole = self.servers.contains(&(seen.server.0, 0));
                !whole && !self.servers.contains(&seen.server)
            })
            .collect()
    }

    /// Regions that the names say, sorted.
    pub(super) fn regions(&self) -> Vec<&'a str> {
        let regions: BTreeSet<&'a str> = self
            .names
            .iter()
            .filter_map(|name| self.context.region(name))
            .collect();
        regions.into_iter().collect()
    }

    /// Every name that failed says its region.
    pub(super) fn all_of_region(&self) -> bool {
        self.names
            .iter()
            .all(|name| self.context.region(name).is_some())
            && self.members().all(|(_, finding)| finding.name.is_some())
    }

    /// What failed lies outside the clients' own network.
    pub(super) fn leaves_site(&self) -> bool {
        let homes: BTreeSet<IpAddr> = self.clients.iter().map(|client| site(*client)).collect();
        self.servers
            .iter()
            .all(|server| !homes.contains(&site(server.0)))
    }

    /// Attempts at its endpoints while it lasted; failures that no connection shows (a name that did not resolve)
    /// are added. Of connections that stood before and ended in it what failed is counted.
    pub(super) fn attempts(&self) -> Outcomes {
        let mut attempts = Outcomes::default();
        for seen in &self.here {
            attempts.add(seen.outcomes);
        }
        let ended = self.span.0..=self.span.1.plus(ENDS_AFTER);
        let before = (Timestamp::from_ns(i64::MIN), self.span.0.plus(-1));
        for seen in self.at_servers(before) {
            if ended.contains(&seen.last) {
                attempts.failed = attempts.failed.saturating_add(seen.outcomes.failed);
            }
        }
        let said: u64 = self
            .members()
            .filter(|(_, finding)| finding.fails)
            .map(|(_, finding)| finding.count)
            .sum();
        let said = u32::try_from(said).unwrap_or(u32::MAX);
        attempts.failed = attempts.failed.max(said);
        attempts
    }
}

/// What is wrong with a chain that others were shown in clear, by server; nothing where that is more than one thing.
fn shown_in_clear(members: &[&Finding]) -> BTreeMap<(IpAddr, u16), Option<&'static str>> {
    let mut shown: BTreeMap<(IpAddr, u16), Option<&'static str>> = BTreeMap::new();
    for finding in members {
        let code = finding.class.code;
        let chain = code.starts_with("security.cert-") && finding.text("chain").is_some();
        if let Some(server) = finding.server.filter(|_| chain && finding.fails) {
            let known = shown.entry(server).or_insert(Some(code));
            *known = known.filter(|known| *known == code);
        }
    }
    shown
}

/// A refusal whose chain is encrypted (TLS 1.3): what is wrong with it is what is wrong with the chain that the same
/// server shows others in clear.
fn refuses_unseen(finding: &Finding) -> bool {
    let clock = finding
        .details
        .contains(&("client_clock", Value::Bool(true)));
    let code = finding.class.code;
    code.starts_with("security.cert-rejected") && finding.text("chain").is_none() && !clock
}

/// What was to be reached: of a lookup the endpoint of that name, else the name, not the resolver's port.
fn endpoint_of(finding: &Finding) -> Option<String> {
    if finding.endpoint.is_some() {
        return finding.endpoint.clone();
    }
    let name = finding
        .name
        .as_ref()
        .filter(|_| finding.class.code.starts_with("network.dns-"));
    name.cloned().or_else(|| finding.endpoint_id())
}

/// Is it one of the failures to be explained?
fn counts(finding: &Finding) -> bool {
    founds(finding) || !SYMPTOMS.contains(&finding.class.code)
}

/// Clients that a finding told once per endpoint lists.
fn listed(finding: &Finding) -> impl Iterator<Item = IpAddr> {
    finding
        .details
        .iter()
        .filter(|(key, _)| *key == "client_sample")
        .filter_map(|(_, value)| match value {
            Value::List(list) => Some(list),
            _ => None,
        })
        .flatten()
        .filter_map(|client| client.parse().ok())
}
