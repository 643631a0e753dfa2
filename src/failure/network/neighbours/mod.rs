//! Addresses that nobody answers for, and addresses that two machines answer for: judged once at the end of a run,
//! because only then it is known who was heard again, who is a gateway and who answers for others.

use std::net::IpAddr;

use crate::failure::network::{arp_conflict, arp_unanswered};
use crate::failure::{Finding, Severity};
use crate::flow::heard::Heard;
use crate::flow::neighbours::Neighbours;
use crate::time::{Nanos, SECOND};

/// What ARP and neighbour discovery show, sorted by time. `name_of` gives the name that DNS gave for an address, if
/// any: such an address is an endpoint's.
pub fn judge_neighbours(
    neighbours: &Neighbours,
    heard: &Heard,
    name_of: &dyn Fn(IpAddr) -> Option<String>,
) -> Vec<Finding> {
    let conflicts = neighbours.conflicts();
    let mut findings: Vec<Finding> = conflicts
        .iter()
        .filter_map(|seen| arp_conflict::judge(seen, name_of))
        .collect();
    findings.extend(arp_unanswered::judge(neighbours, heard, name_of));
    findings.sort_by_key(|finding| {
        (
            finding.first,
            finding.client,
            finding.server,
            finding.class.code,
        )
    });
    findings
}

/// A connection may begin to fail this long before its host asks for the neighbour again (RFC 4861 10: 5 s until a
/// probe, 3 s of probes; Linux keeps a reachable entry up to 45 s).
const BEFORE: Nanos = 60 * SECOND;
/// A connection may have given up this long before its host did so with the neighbour: what is stale is used for some
/// seconds more.
const LEAD: Nanos = 10 * SECOND;
/// A connection may end this long after the last request.
const AFTER: Nanos = 30 * SECOND;

/// What a missing neighbour makes fail, and nothing that proves an answer.
const FOLLOWS: [&str; 8] = [
    "network.icmp-unreachable",
    "network.dns-timeout",
    "transport.syn-unanswered",
    "transport.data-unacked",
    "transport.connect-slow",
    "security.tls-no-reply",
    "security.tls-handshake-stalled",
    "application.no-response",
];

/// Does one of these `network.arp-unanswered` findings explain `finding`, so that it is not to be said beside it?
pub fn suppresses(arp: &[Finding], finding: &Finding) -> bool {
    arp.iter().any(|cause| explains(cause, finding))
}

/// Takes out of `findings` what one of `arp` explains; its code goes to the `consequences` of that one.
pub fn fold(arp: &mut [Finding], findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept = Vec::with_capacity(findings.len());
    for finding in findings {
        match arp.iter_mut().find(|cause| explains(cause, &finding)) {
            Some(cause) => {
                if !cause.consequences.contains(&finding.class.code) {
                    cause.consequences.push(finding.class.code);
                    cause.consequences.sort_unstable();
                }
            }
            None => kept.push(finding),
        }
    }
    kept
}

/// A missing neighbour explains what its asker wanted from it; if it is the next hop, what its asker wanted from
/// anybody behind it; and what its asker, a router, reported as unreachable.
fn explains(cause: &Finding, finding: &Finding) -> bool {
    let told = cause.class.code == arp_unanswered::CLASS.code && cause.severity >= Severity::Error;
    let meanwhile =
        finding.last.plus(LEAD) >= cause.first && finding.first <= cause.last.plus(AFTER);
    let since = cause.first.since(finding.first);
    if !told || !FOLLOWS.contains(&finding.class.code) || !meanwhile || since > BEFORE {
        return false;
    }
    let (Some((asker, _)), Some((target, _))) = (cause.client, cause.server) else {
        return false;
    };
    let (Some((client, _)), Some((server, _))) = (finding.client, finding.server) else {
        return false;
    };
    let next_hop = arp_unanswered::is_next_hop(cause);
    let behind = server == target || (next_hop && arp_unanswered::is_remote(asker, server));
    let reported = finding
        .text("router")
        .and_then(|router| router.parse::<IpAddr>().ok());
    // A router reports with the address of the client's side and asks with that of the target's: the host that it
    // reports as unreachable is what both have in common (RFC 1812 5.2.7.1, RFC 4443 3.1).
    let not_found =
        matches!(finding.text("unreachable"), Some("host" | "address")) && server == target;
    match reported {
        Some(router) => not_found || (router == asker && behind),
        None => client == asker && behind,
    }
}

#[cfg(test)]
mod tests;
