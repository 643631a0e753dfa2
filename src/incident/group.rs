//! Which findings belong together: those of one endpoint, or of one cause across endpoints, that are close in time.
//!
//! Every finding has keys (its endpoint, its resolver, the bad certificate, …). The findings of one key are swept by
//! time; two with a pause of at most `GAP` between them are joined. Sorting apart, the cost is linear.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) use crate::failure::network::outage::GAP;
use crate::failure::network::outage::{clusters, kept_by_gateway};
use crate::failure::{Finding, Severity};
use crate::incident::context::{Context, site};
use crate::incident::ways;
use crate::time::Timestamp;

/// Unrelated servers that must be unreachable before the way out of the site is suspected.
pub(super) const UNRELATED_MIN: usize = 3;

/// What findings may have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// The same name or address, and port.
    Endpoint(String),
    /// The same server address, for what can lie in a host or its link.
    Host(IpAddr),
    /// The same resolver.
    Resolver(IpAddr),
    /// The same bad certificate, missing issuer or foreign root.
    Certificate(String),
    /// Injected from the same distance.
    Hops(i64),
    /// Failing in a way that other clients do not.
    Client(IpAddr),
    /// Connections of one site that were forgotten while they rested.
    Rested(IpAddr),
    /// Cut at the same name in the hello.
    Cut(String),
    /// Packets of one site that its gateway kept.
    Kept(IpAddr),
    /// The way out of one site, told by several captures.
    Out(String),
    /// Large packets from or to one site.
    Large(IpAddr),
}

/// Silence and unreachability: what failing hosts, links and filters look like.
pub(super) const SILENT: [&str; 5] = [
    "transport.syn-unanswered",
    "transport.data-unacked",
    "network.dns-timeout",
    "network.icmp-unreachable",
    "network.egress-lost",
];
/// Loss and full queues on the way.
pub(super) const LOSSY: [&str; 2] = ["network.packet-loss", "network.congestion"];
/// Codes whose cause can lie in a host as a whole.
const OF_HOST: [&str; 10] = [
    "transport.syn-unanswered",
    "transport.syn-refused",
    "transport.data-unacked",
    "network.icmp-unreachable",
    "network.firewall-rejected",
    "network.arp-unanswered",
    "network.arp-conflict",
    "network.host-silent",
    "network.vip-moved",
    "network.vlan-mismatch",
];
/// Codes whose cause lies in the client where other clients get along with the same server.
const OF_CLIENT: [&str; 5] = [
    "security.cert-rejected",
    "security.cert-rejected-inferred",
    "security.tls-version-mismatch",
    "security.tls-no-common-cipher",
    "security.client-cert-rejected",
];

/// Codes that tell of a danger and of nothing that fails.
pub(super) const DANGERS: [&str; 1] = ["security.cleartext-credentials"];

/// Warnings that have a cause of their own and are no mere symptom of another failure.
const OF_THEIR_OWN: [&str; 5] = [
    "data.charset-mismatch",
    "data.content-type-mismatch",
    "data.response-empty",
    "application.duplicate-request",
    "application.redirect-to-login",
];

/// Can a finding begin an incident?
pub(super) fn founds(finding: &Finding) -> bool {
    finding.class.layer() != "capture"
        && !DANGERS.contains(&finding.class.code)
        && finding.severity > Severity::Info
        && (finding.fails
            || finding.severity >= Severity::Error
            || OF_THEIR_OWN.contains(&finding.class.code)
            || moved(finding))
}

/// An address that passed to another machine, and something was lost or late by it.
fn moved(finding: &Finding) -> bool {
    finding.class.code == "network.vip-moved" && finding.number("failures") > Some(0)
}

/// Can it belong to one that others began?
pub(super) fn joins(finding: &Finding) -> bool {
    finding.class.layer() != "capture" && finding.severity == Severity::Warning
}

/// Groups of places in `findings`, each ascending, by their first place.
pub(super) fn group(findings: &[Finding], context: &Context<'_>) -> Vec<Vec<usize>> {
    let mut sets = Sets::new(findings.len());
    let mut keyed: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    let refusing = refusing(findings);
    for (place, finding) in findings
        .iter()
        .enumerate()
        .filter(|(_, finding)| founds(finding))
    {
        for key in keys(finding, context, &refusing) {
            keyed.entry(key).or_default().push(place);
        }
    }
    for places in keyed.values() {
        for cluster in clusters(findings, places) {
            sets.join_all(&cluster);
        }
    }
    join_sites(findings, context, &mut sets);
    ways::join(findings, context, &mut sets);
    join_lossy(findings, &mut sets);
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in (0..findings.len()).filter(|place| findings.get(*place).is_some_and(founds)) {
        groups.entry(sets.root(place)).or_default().push(place);
    }
    attend(findings, &mut sets, &mut groups);
    groups.into_values().collect()
}

/// The clients that fail a server by what may lie in clients.
type Refusing = BTreeMap<(IpAddr, u16), BTreeSet<IpAddr>>;

fn refusing(findings: &[Finding]) -> Refusing {
    let mut refusing = Refusing::new();
    for finding in findings
        .iter()
        .filter(|finding| OF_CLIENT.contains(&finding.class.code))
    {
        if let (Some((client, _)), Some(server)) = (finding.client, finding.server) {
            refusing.entry(server).or_default().insert(client);
        }
    }
    refusing
}

/// Others get along with the server from this failure on; or did before it, and this client is the only one to fail.
fn lies_in_client(finding: &Finding, context: &Context<'_>, refusing: &Refusing) -> Option<IpAddr> {
    let ((client, _), server) = (finding.client?, finding.server?);
    if !OF_CLIENT.contains(&finding.class.code) {
        return None;
    }
    let alone = refusing
        .get(&server)
        .is_none_or(|clients| clients.len() == 1);
    let from = if alone {
        finding.first.plus(-GAP)
    } else {
        finding.first
    };
    let mut near = context.to_server(server, (from, finding.last.plus(GAP)));
    near.any(|seen| seen.client != client && seen.reached())
        .then_some(client)
}

fn keys(finding: &Finding, context: &Context<'_>, refusing: &Refusing) -> Vec<Key> {
    let code = finding.class.code;
    if let Some(client) = lies_in_client(finding, context, refusing) {
        return vec![Key::Client(client)];
    }
    let mut keys: Vec<Key> = finding
        .endpoint_id()
        .map(Key::Endpoint)
        .into_iter()
        .collect();
    let server = finding.server.map(|(ip, _)| ip);
    if kept_by_gateway(finding) {
        keys.extend(finding.client.map(|(client, _)| Key::Kept(site(client))));
    }
    match code {
        "network.egress-lost" => {
            keys.extend(finding.text("network").map(|of| Key::Out(of.to_owned())));
        }
        "network.dns-timeout" | "network.dns-servfail" | "network.dns-refused" => {
            keys.extend(server.map(Key::Resolver));
        }
        "transport.idle-dropped" => {
            keys.extend(finding.client.map(|(client, _)| Key::Rested(site(client))));
        }
        "security.tls-cut-on-hello" => {
            keys.extend(finding.text("sni").map(|name| Key::Cut(name.to_owned())));
        }
        // A server behind its own hole is one endpoint; a hole that several share lies on the clients' way.
        "network.pmtu-blackhole" => {
            keys.extend(finding.client.map(|(client, _)| Key::Large(site(client))));
        }
        "transport.reset-injected" => keys.extend(finding.number("rst_hops").map(Key::Hops)),
        code if OF_HOST.contains(&code) => keys.extend(server.map(Key::Host)),
        code if code.starts_with("security.cert-") => {
            let which = ["which", "missing_issuer", "root"]
                .into_iter()
                .find_map(|key| finding.text(key));
            keys.extend(which.map(|which| Key::Certificate(format!("{code} {which}"))));
        }
        _ => {}
    }
    keys
}

/// Silence at three and more unrelated servers, to hosts of one site that reach nothing outside meanwhile, is one
/// incident: the way out is lost.
fn join_sites(findings: &[Finding], context: &Context<'_>, sets: &mut Sets) {
    let mut sites: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (place, finding) in findings.iter().enumerate() {
        if founds(finding)
            && SILENT.contains(&finding.class.code)
            && let Some((client, _)) = finding.client
        {
            sites.entry(site(client)).or_default().push(place);
        }
    }
    for (home, places) in &sites {
        for cluster in clusters(findings, places) {
            let members = || cluster.iter().filter_map(|place| findings.get(*place));
            let servers: BTreeSet<IpAddr> = members()
                .filter_map(|finding| finding.server)
                .map(|server| server.0)
                .filter(|ip| site(*ip) != *home)
                .collect();
            let clients: BTreeSet<IpAddr> = members()
                .filter_map(|finding| finding.client)
                .map(|client| client.0)
                .collect();
            let (Some(from), Some(to)) = (
                members().map(|finding| finding.first).min(),
                members().map(|finding| finding.last).max(),
            ) else {
                continue;
            };
            let escaped = clients.iter().any(|client| {
                context
                    .of_client(*client, (from, to))
                    .any(|seen| seen.established_by(to) && site(seen.server.0) != *home)
            });
            if servers.len() >= UNRELATED_MIN && !escaped {
                sets.join_all(&cluster);
            }
        }
    }
}

/// Heavy loss at three and more servers at once lies on the way that they share.
fn join_lossy(findings: &[Finding], sets: &mut Sets) {
    let lossy = |finding: &Finding| founds(finding) && LOSSY.contains(&finding.class.code);
    let places: Vec<usize> = (0..findings.len())
        .filter(|place| findings.get(*place).is_some_and(lossy))
        .collect();
    for cluster in clusters(findings, &places) {
        let servers: BTreeSet<IpAddr> = cluster
            .iter()
            .filter_map(|place| Some(findings.get(*place)?.server?.0))
            .collect();
        if servers.len() >= UNRELATED_MIN {
            sets.join_all(&cluster);
        }
    }
}

/// Warnings at the endpoint of an incident, while it lasts, are part of its picture.
fn attend(findings: &[Finding], sets: &mut Sets, groups: &mut BTreeMap<usize, Vec<usize>>) {
    let mut spans: BTreeMap<String, Vec<(Timestamp, Timestamp, usize)>> = BTreeMap::new();
    for (root, places) in groups.iter() {
        let mut by_endpoint: BTreeMap<String, (Timestamp, Timestamp)> = BTreeMap::new();
        for finding in places.iter().filter_map(|place| findings.get(*place)) {
            let Some(endpoint) = finding.endpoint_id() else {
                continue;
            };
            let span = by_endpoint
                .entry(endpoint)
                .or_insert((finding.first, finding.last));
            *span = (span.0.min(finding.first), span.1.max(finding.last));
        }
        for (endpoint, (first, last)) in by_endpoint {
            spans
                .entry(endpoint)
                .or_default()
                .push((first, last, *root));
        }
    }
    for (place, finding) in findings
        .iter()
        .enumerate()
        .filter(|(_, finding)| joins(finding) && !founds(finding))
    {
        let near = finding.endpoint_id().and_then(|endpoint| {
            spans.get(&endpoint)?.iter().find(|(first, last, _)| {
                finding.first.since(*last) <= GAP && first.since(finding.last) <= GAP
            })
        });
        if let Some((.., root)) = near {
            sets.join_all(&[*root, place]);
            groups.entry(*root).or_default().push(place);
        }
    }
    groups
        .values_mut()
        .for_each(|places| places.sort_unstable());
}

/// Disjoint sets; the smallest member stands for its set.
pub(super) struct Sets(Vec<usize>);

impl Sets {
    pub(super) fn new(members: usize) -> Self {
        Self((0..members).collect())
    }

    pub(super) fn root(&mut self, of: usize) -> usize {
        let mut root = of;
        while let Some(&above) = self.0.get(root).filter(|above| **above != root) {
            root = above;
        }
        let mut at = of;
        while let Some(above) = self.0.get_mut(at).filter(|above| **above != root) {
            at = std::mem::replace(above, root);
        }
        root
    }

    pub(super) fn join_all(&mut self, members: &[usize]) {
        let Some((&first, rest)) = members.split_first() else {
            return;
        };
        for &member in rest {
            let (a, b) = (self.root(first), self.root(member));
            if let Some(above) = self.0.get_mut(a.max(b)) {
                *above = a.min(b);
            }
        }
    }
}
