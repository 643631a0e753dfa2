#![doc = include_str!("host_silent.en.md")]

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hashbrown::HashMap;

use crate::failure::network::outage::{clusters, is_silence, kept_by_gateway, take_over};
use crate::failure::{Class, Finding, Lang, Severity, Subject, Text, Value};
use crate::flow::heard::Heard;
use crate::guide;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// `network.host-silent`
pub static CLASS: Class = Class {
    code: "network.host-silent",
    severity: Severity::Critical,
    guide: guide!("host_silent"),
    summary,
};

/// So many hosts keep trying.
const PEERS_MIN: usize = 2;
/// For so long.
const LASTS_MIN: Nanos = 10 * SECOND;

/// Connections that came to stand: by client, when and where.
pub type Stood = HashMap<IpAddr, Vec<(Timestamp, IpAddr)>>;

/// Hosts that were heard before and send nothing to anybody while two peers and more go on trying for ten seconds; they
/// take the place of what failed there.
/// `site` gives the network of an address.
pub fn judge(
    mut findings: Vec<Finding>,
    heard: &Heard,
    stood: &dyn Fn() -> Stood,
    site: &dyn Fn(IpAddr) -> IpAddr,
) -> Vec<Finding> {
    let stood = LazyCell::new(stood);
    let around = Around { heard, stood, site };
    let mut places: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (place, finding) in findings.iter().enumerate() {
        if let Some((server, _)) = finding.server.filter(|_| of_host(finding)) {
            places.entry(server).or_default().push(place);
        }
    }
    let mut causes: Vec<Finding> = Vec::new();
    for (host, own) in &places {
        for cluster in clusters(&findings, own) {
            let members: Vec<&Finding> = cluster
                .iter()
                .filter_map(|place| findings.get(*place))
                .collect();
            let others = findings.iter().filter(|finding| of_host(finding));
            causes.extend(silent(*host, &members, &around, others));
        }
    }
    for mut cause in causes {
        let (host, from, to) = (cause.server.map(|(ip, _)| ip), cause.first, cause.last);
        findings = take_over(&mut cause, findings, &|finding| {
            let meanwhile = finding.first >= from && finding.last <= to;
            let silence = is_silence(finding) && !kept_by_gateway(finding) || unreached(finding);
            silence && meanwhile && finding.server.map(|(ip, _)| ip) == host
        });
        findings.push(cause);
    }
    findings
}

/// A resolver that is silent is told as what it means to names.
fn of_host(finding: &Finding) -> bool {
    let silent = is_silence(finding) && !kept_by_gateway(finding);
    (silent && finding.class.code != "network.dns-timeout") || unreached(finding)
}

/// The router beside it asked for its MAC address in vain (RFC 1812 5.2.7.1).
fn unreached(finding: &Finding) -> bool {
    let host = matches!(finding.text("unreachable"), Some("host" | "address"));
    host && finding.fails && finding.class.code == "network.icmp-unreachable"
}

struct Around<'a> {
    heard: &'a Heard,
    stood: LazyCell<Stood, &'a dyn Fn() -> Stood>,
    site: &'a dyn Fn(IpAddr) -> IpAddr,
}

fn silent<'f>(
    host: IpAddr,
    members: &[&Finding],
    around: &Around<'_>,
    mut all: impl Iterator<Item = &'f Finding>,
) -> Option<Finding> {
    let peers: BTreeSet<IpAddr> = members
        .iter()
        .filter_map(|finding| Some(finding.client?.0))
        .collect();
    let from = members.iter().map(|finding| finding.first).min()?;
    let to = members.iter().map(|finding| finding.last).max()?;
    if peers.len() < PEERS_MIN || to.since(from) < LASTS_MIN {
        return None;
    }
    // Seconds: what it sent just before the first question in vain lies in the same one.
    let inside = (from.plus(SECOND), to.plus(-SECOND));
    let last_heard = around.heard.last_of(host, from.plus(SECOND))?;
    if around.heard.spoke(host, inside.0, inside.1) {
        return None;
    }
    // New connections that stand elsewhere meanwhile, and take the same way out, show that it is the host.
    let site = around.site;
    let elsewhere = peers.iter().any(|peer| {
        around
            .stood
            .get(peer)
            .into_iter()
            .flatten()
            .any(|(time, server)| {
                let alike = site(*server) != site(*peer) || site(host) == site(*peer);
                *server != host && alike && (inside.0..=inside.1).contains(time)
            })
    });
    let others_too = all.any(|finding| {
        let by_peer = finding.client.is_some_and(|(ip, _)| peers.contains(&ip));
        let other = finding.server.is_some_and(|(ip, _)| ip != host);
        by_peer && other && finding.first <= to && finding.last >= from
    });
    if !elsewhere && others_too {
        return None;
    }
    let ports: BTreeSet<u16> = members
        .iter()
        .filter_map(|finding| Some(finding.server?.1))
        .collect();
    let died = members
        .iter()
        .any(|finding| finding.class.code == "transport.data-unacked");
    let mut finding = Finding::new(&CLASS, Subject::Host, from);
    finding.server = Some((host, 0));
    finding.last = to;
    finding = finding
        .detail("silent_ms", Value::Number(to.since(from) / MILLISECOND))
        .detail("last_heard", Value::Time(last_heard));
    if !elsewhere {
        finding = finding.at_most(75, NOBODY_ELSE);
    }
    Some(if ports.len() < 2 && !died {
        finding.at_most(80, ONE_PORT)
    } else {
        finding
    })
}

const ONE_PORT: Text = Text {
    en: "one port alone was tried, by new connections: a filter for it looks the same",
    zh: "仅有对同一端口的新建尝试，针对该端口的过滤看起来也是如此",
};
const NOBODY_ELSE: Text = Text {
    en: "its peers reached no other host meanwhile: the way to it may be gone, not the host",
    zh: "期间这些客户端也没有连上其他主机，可能是通路中断而非主机故障",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let host = finding.server_text();
    let seconds = finding.number("silent_ms").unwrap_or(0) as f64 / 1e3;
    let clients = finding.number("clients").unwrap_or(0);
    match lang {
        Lang::En => format!(
            "{host} answered before and then sent nothing to anybody for {seconds:.0} s, though {clients} hosts kept trying"
        ),
        Lang::Zh => format!(
            "{host} 此前有应答，随后 {seconds:.0} 秒内对任何主机都没有报文，其间 {clients} 台主机持续尝试"
        ),
    }
}
