//! A way that fails, and what fails on it: tunnels, the office's line, a network in a storm, a hole for large packets.
//!
//! Silence is joined to the way's own failure where it begins while that lasts and nobody reaches the silent server
//! meanwhile. What lies inside a tunnel is told by its addresses alone: private ones, of another network than the client's.

use std::net::IpAddr;

use crate::failure::Finding;
use crate::incident::context::{Context, site};
use crate::incident::group::{Sets, founds};
use crate::time::{Nanos, SECOND};

/// What fails on a way that is gone may begin to fail this long before the way's own end is noticed.
const BEFORE: Nanos = 10 * SECOND;
/// It may go on this long after the last sign of it.
const AFTER: Nanos = 60 * SECOND;

/// Silence and what it looks like in higher layers.
const FOLLOWS: [&str; 10] = [
    "transport.syn-unanswered",
    "transport.data-unacked",
    "transport.idle-dropped",
    "network.dns-timeout",
    "network.icmp-unreachable",
    "network.host-silent",
    "network.egress-lost",
    "security.tls-no-reply",
    "security.tls-handshake-stalled",
    "application.no-response",
];

/// What a lost large packet looks like where neither it nor anything behind it comes by.
const WAITS: [&str; 5] = [
    "security.tls-no-reply",
    "security.tls-handshake-stalled",
    "application.no-response",
    "application.response-truncated",
    "transport.data-unacked",
];

/// Is it the failure of a way?
pub(super) fn is_way(finding: &Finding) -> bool {
    let code = finding.class.code;
    let own = [
        "network.pppoe-failed",
        "network.arp-storm",
        "network.pmtu-blackhole",
    ];
    (code.starts_with("security.vpn-") || own.contains(&code)) && founds(finding)
}

/// May it be what fails on a way?
pub(super) fn may_follow(finding: &Finding) -> bool {
    let code = &finding.class.code;
    (FOLLOWS.contains(code) || WAITS.contains(code)) && founds(finding)
}

/// Joins what fails on a way to the failure of the way.
pub(super) fn join(findings: &[Finding], context: &Context<'_>, sets: &mut Sets) {
    for (place, way) in findings.iter().enumerate() {
        let code = way.class.code;
        let tunnel = code.starts_with("security.vpn-");
        let line = code == "network.pppoe-failed";
        let hole = code == "network.pmtu-blackhole";
        if !is_way(way) {
            continue;
        }
        let takes = |finding: &Finding| match () {
            () if tunnel => of_tunnel(way, finding),
            () if line => leaves_site(finding),
            () if hole => of_site(way, finding) && !served(finding, context),
            () => true,
        };
        let follows: &[&str] = if hole { &WAITS } else { &FOLLOWS };
        let mut members = vec![place];
        for (other, finding) in findings.iter().enumerate() {
            let follows = follows.contains(&finding.class.code) && founds(finding);
            let silent = hole || !reached(finding, context);
            if follows && meanwhile(way, finding) && takes(finding) && silent {
                members.push(other);
            }
        }
        sets.join_all(&members);
    }
}

fn meanwhile(way: &Finding, finding: &Finding) -> bool {
    let (from, to) = (way.first.plus(-BEFORE), way.last.plus(AFTER));
    finding.last >= from && finding.first <= to
}

/// Beside the tunnel, from the host or network that wants it, or to its other end; or inside it.
fn of_tunnel(way: &Finding, finding: &Finding) -> bool {
    let Some((server, _)) = finding.server else {
        return false;
    };
    // A host that is silent to everybody has no single client; the tunnel's own end stands for them.
    let client = finding.client.or(way.client).map(|(ip, _)| ip);
    let own = finding
        .client
        .is_some_and(|(ip, _)| way.client.is_some_and(|(asker, _)| site(asker) == site(ip)));
    let peer = way.server.is_some_and(|(ip, _)| ip == server);
    own || peer || (is_private(server) && client.is_some_and(|ip| site(server) != site(ip)))
}

/// From the network that the large packets of another connection do not reach, or do not leave.
fn of_site(way: &Finding, finding: &Finding) -> bool {
    let ends = way.client.zip(finding.client);
    ends.is_some_and(|((a, _), (b, _))| site(a) == site(b)) && leaves_site(finding)
}

/// Somebody of the same network was served there while it failed.
fn served(finding: &Finding, context: &Context<'_>) -> bool {
    let span = (finding.first, finding.last);
    let (Some(server), Some((client, _))) = (finding.server, finding.client) else {
        return false;
    };
    let mut tries = context.to_server(server, span);
    tries.any(|seen| seen.reached() && site(seen.client) == site(client))
}

fn leaves_site(finding: &Finding) -> bool {
    let ends = finding.client.zip(finding.server);
    ends.is_none_or(|((client, _), (server, _))| site(client) != site(server))
}

/// Somebody got a connection to it while it failed: the way is not what it fails by.
fn reached(finding: &Finding, context: &Context<'_>) -> bool {
    let Some(server) = finding.server.filter(|(_, port)| *port != 0) else {
        return false;
    };
    let span = (finding.first, finding.last);
    let mut tries = context.to_server(server, span);
    tries.any(|seen| {
        seen.established
            .is_some_and(|at| at >= span.0 && at <= span.1)
    })
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.segments()[0] & 0xfe00 == 0xfc00,
    }
}
