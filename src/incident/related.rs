//! Which findings of several captures may concern each other at all, before anything is compared.
//!
//! Wider than `group`: whatever shares a server, a client's network, a name or a certificate and is close in time. What
//! lies in two parts is never one incident, so each part is judged with its own surroundings, and no others are held.
//! A private address means something within its network alone: 192.168.1.10 of two offices are two hosts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::failure::Finding;
use crate::failure::network::outage::clusters;
use crate::incident::context::site;
use crate::incident::group::{LOSSY, Sets, founds, joins};
use crate::incident::ways;

/// An address, and the number of the network that it means something in; 0 where it means the same everywhere.
pub type Place = (u32, IpAddr);

/// What findings may have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Host(Place),
    Site(Place),
    /// A name, an endpoint rule, a certificate.
    Text(String),
    /// Injected from the same distance, as one network sees it.
    Hops(u32, i64),
    /// Heavy loss on the ways of one network.
    Lossy(u32),
    /// A way of one network that fails, and what may fail on it.
    Way(u32),
}

/// The address as it is known everywhere, or in that network alone.
pub fn place(network: u32, ip: IpAddr) -> Place {
    (if is_local(ip) { network } else { 0 }, ip)
}

/// Addresses that several networks use, each for hosts of its own: RFC 1918, 3927, 4193, 4291, 6598.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && b & 0xc0 == 64;
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

/// Parts of the findings, each ascending, by their first place; those in which nothing founds an incident are left out.
///
/// `network` gives the number of a finding's network, at least 1, by its place; `together` are places that are known to
/// belong together.
pub fn related<'a>(
    findings: &[Finding],
    network: impl Fn(usize) -> u32,
    together: impl Iterator<Item = &'a [usize]>,
) -> Vec<Vec<usize>> {
    let mut sets = Sets::new(findings.len());
    let mut keyed: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    let concerns = |finding: &Finding| founds(finding) || joins(finding);
    for (at, finding) in findings.iter().enumerate() {
        if concerns(finding) {
            for key in keys(finding, network(at)) {
                keyed.entry(key).or_default().push(at);
            }
        }
    }
    // Silence alone does not make a way.
    keyed.retain(|key, places| {
        let mut members = places.iter().filter_map(|at| findings.get(*at));
        !matches!(key, Key::Way(_)) || members.any(ways::is_way)
    });
    for places in keyed.values() {
        for cluster in clusters(findings, places) {
            sets.join_all(&cluster);
        }
    }
    together.for_each(|places| sets.join_all(places));
    let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, finding) in findings.iter().enumerate() {
        if concerns(finding) {
            parts.entry(sets.root(at)).or_default().push(at);
        }
    }
    let founded = |part: &Vec<usize>| {
        let mut members = part.iter().filter_map(|at| findings.get(*at));
        members.any(founds)
    };
    let mut parts: Vec<Vec<usize>> = parts.into_values().filter(founded).collect();
    parts.sort_unstable();
    parts
}

fn keys(finding: &Finding, network: u32) -> Vec<Key> {
    let mut keys = Vec::new();
    if let Some((ip, _)) = finding.server {
        keys.push(Key::Host(place(network, ip)));
    }
    if let Some((ip, _)) = finding.client {
        keys.push(Key::Site(place(network, site(ip))));
    }
    let home = finding.text("network").and_then(|home| home.parse().ok());
    if let Some(home) = home {
        keys.push(Key::Site(place(network, home)));
    }
    if ways::is_way(finding) || ways::may_follow(finding) {
        keys.push(Key::Way(network));
    }
    if let Some((Some(ip), _)) = finding.behind {
        keys.push(Key::Host(place(network, ip)));
    }
    let texts = ["which", "missing_issuer", "root", "sni"]
        .into_iter()
        .filter_map(|key| finding.text(key))
        .chain(finding.name.as_deref())
        .chain(finding.endpoint.as_deref());
    keys.extend(texts.map(|text| Key::Text(text.to_owned())));
    keys.extend(
        finding
            .number("rst_hops")
            .map(|hops| Key::Hops(network, hops)),
    );
    if LOSSY.contains(&finding.class.code) {
        keys.push(Key::Lossy(network));
    }
    keys
}
