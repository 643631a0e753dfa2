#![doc = include_str!("vip_moved.en.md")]

use std::net::IpAddr;

use crate::failure::network::arp_unanswered::{is_remote, mac_text};
use crate::failure::network::outage::take_over;
use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::flow::neighbours::{Moved, Neighbours};
use crate::guide;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// `network.vip-moved`
pub static CLASS: Class = Class {
    code: "network.vip-moved",
    severity: Severity::Warning,
    guide: guide!("vip_moved"),
    summary,
};

/// A gap above this is an outage of its own.
const GAP_ERROR: Nanos = 15 * SECOND;
/// An address that comes back later was given away anew, not taken over.
const GAP_MAX: Nanos = 600 * SECOND;
/// Connects that began before the new holder was there fail until then.
const AFTER: Nanos = 30 * SECOND;

/// What fails by it.
const FOLLOWS: [&str; 12] = [
    "network.arp-unanswered",
    "network.icmp-unreachable",
    "network.dns-timeout",
    "network.host-silent",
    "transport.syn-unanswered",
    "transport.connect-slow",
    "transport.data-unacked",
    "transport.reset-by-server",
    "transport.reset-injected",
    "security.tls-no-reply",
    "security.tls-handshake-stalled",
    "application.no-response",
];

/// Addresses of servers, and gateways, that passed once from one machine to another.
pub fn judge(
    mut findings: Vec<Finding>,
    all: &[Moved],
    neighbours: &Neighbours,
    is_server: &dyn Fn(IpAddr, Timestamp) -> bool,
) -> Vec<Finding> {
    for moved in all {
        let gap = moved.came.time.since(moved.left);
        let gateway = moved.carried > 0;
        let own = neighbours
            .address_of(moved.from)
            .or_else(|| neighbours.address_of(moved.to));
        let needed = gateway
            || neighbours.forwards(moved.address)
            || is_server(moved.address, moved.came.time);
        // Of a router its own address passes along with those that it carries: one finding, for the router.
        let along = |other: &Moved| {
            let same = (other.from, other.to) == (moved.from, moved.to);
            same && other.carried > 0 && !gateway
        };
        if gap > GAP_MAX || !needed || all.iter().any(along) {
            continue;
        }
        let mut cause = about(moved, gap, if gateway { own } else { Some(moved.address) });
        findings = take_over(&mut cause, findings, &|finding| follows(moved, finding));
        // A long pause in which nobody asked for anything is no outage.
        if gap > GAP_ERROR && cause.fails {
            cause.severity = Severity::Error;
        }
        findings.push(cause);
    }
    findings
}

fn about(moved: &Moved, gap: Nanos, address: Option<IpAddr>) -> Finding {
    let mut finding = Finding::new(&CLASS, Subject::Host, moved.came.time)
        .seen(moved.before, "old-holder")
        .seen(moved.came, "new-holder");
    finding.first = moved.left.min(moved.came.time);
    finding.last = moved.came.time;
    finding.server = address.map(|address| (address, 0));
    finding = finding
        .detail("from_mac", Value::Text(mac_text(moved.from)))
        .detail("to_mac", Value::Text(mac_text(moved.to)))
        .detail("gap_ms", Value::Number(gap / MILLISECOND))
        .detail("gateway", Value::Bool(moved.carried > 0));
    if moved.carried > 0 {
        let carried = i64::try_from(moved.carried).unwrap_or(i64::MAX);
        finding.subject = Subject::Link;
        finding = finding.detail("carried", Value::Number(carried));
    }
    finding
}

fn follows(moved: &Moved, finding: &Finding) -> bool {
    let (Some((server, _)), Some((client, _))) = (finding.server, finding.client) else {
        return false;
    };
    let at = |ip: IpAddr| {
        if moved.carried > 0 {
            is_remote(client, server)
        } else {
            ip == moved.address
        }
    };
    // What stood before the move and fails at or after it; what was begun in the gap.
    let stood = finding
        .flow
        .is_some_and(|(_, began)| began < moved.came.time)
        && finding.last >= moved.left;
    let begun = finding.first >= moved.left.plus(-SECOND)
        && finding.first <= moved.came.time.plus(AFTER)
        && finding.first <= moved.came.time.max(moved.left.plus(AFTER));
    (at(server) || at(client)) && FOLLOWS.contains(&finding.class.code) && (stood || begun)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let host = finding.server_text();
    let seconds = finding.number("gap_ms").unwrap_or(0) as f64 / 1e3;
    let lost = finding.number("failures").unwrap_or(0);
    let (from, to) = (
        finding.text("from_mac").unwrap_or(""),
        finding.text("to_mac").unwrap_or(""),
    );
    let gateway = finding.details.contains(&("gateway", Value::Bool(true)));
    match (lang, gateway) {
        (Lang::En, false) => format!(
            "{host} passed from {from} to {to}, {seconds:.1} s apart; {lost} connections or connects failed by it"
        ),
        (Lang::En, true) => format!(
            "the gateway {host} passed from {from} to {to}, {seconds:.1} s apart; {lost} connections or connects failed by it"
        ),
        (Lang::Zh, false) => {
            format!("{host} 由 {from} 切换到 {to}，间隔 {seconds:.1} 秒，受影响的连接 {lost} 条")
        }
        (Lang::Zh, true) => format!(
            "网关 {host} 由 {from} 切换到 {to}，间隔 {seconds:.1} 秒，受影响的连接 {lost} 条"
        ),
    }
}
