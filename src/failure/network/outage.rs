//! What a cause in a host or a link has in common: it stands in place of everything that fails by it while it lasts
//! (catalogue, rule 2).

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::failure::{Finding, Value};
use crate::time::{Nanos, SECOND, Timestamp};

/// Silence: what a host or a way that is gone looks like from a client.
pub const SILENT: [&str; 6] = [
    "transport.syn-unanswered",
    "transport.data-unacked",
    "transport.idle-dropped",
    "network.dns-timeout",
    "security.tls-no-reply",
    "security.tls-handshake-stalled",
];
/// Clients named.
const SAMPLE_MAX: usize = 16;
/// The pause of the capture's clock after which the next failure belongs to another outage, or another incident.
pub const GAP: Nanos = 120 * SECOND;

/// Was nothing said in answer: the code speaks of silence, and no data of a reply was seen by it?
pub fn is_silence(finding: &Finding) -> bool {
    let reset = finding.text("answer") == Some("rst");
    (SILENT.contains(&finding.class.code) && finding.fails && !reset) || passed_over(finding)
}

/// A gateway seen from both sides kept it: whoever was asked never heard of it.
pub fn kept_by_gateway(finding: &Finding) -> bool {
    matches!(finding.text("gateway"), Some("not-left" | "answer-kept"))
}

/// The client went on to another address: the first one's silence is in the finding all the same.
pub fn passed_over(finding: &Finding) -> bool {
    let code = finding.text("failed_code");
    finding.class.code == "transport.connect-slow" && code == Some("transport.syn-unanswered")
}

/// The places of findings, by time, cut where nothing failed for longer than `GAP`.
pub fn clusters(findings: &[Finding], places: &[usize]) -> Vec<Vec<usize>> {
    let mut timed: Vec<(Timestamp, Timestamp, usize)> = places
        .iter()
        .filter_map(|place| {
            findings
                .get(*place)
                .map(|one| (one.first, one.last, *place))
        })
        .collect();
    timed.sort_unstable();
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    let mut until: Option<Timestamp> = None;
    for (first, last, place) in timed {
        let near = until.is_some_and(|until| first.since(until) <= GAP);
        match clusters.last_mut().filter(|_| near) {
            Some(cluster) => cluster.push(place),
            None => clusters.push(vec![place]),
        }
        until = Some(until.filter(|_| near).map_or(last, |until| until.max(last)));
    }
    clusters
}

/// The cause takes over what `explains` accepts: codes, times, clients, one frame of each of the first.
pub fn take_over(
    cause: &mut Finding,
    findings: Vec<Finding>,
    explains: &dyn Fn(&Finding) -> bool,
) -> Vec<Finding> {
    let (taken, kept): (Vec<Finding>, Vec<Finding>) = findings.into_iter().partition(explains);
    if taken.is_empty() {
        return kept;
    }
    let mut clients: BTreeSet<IpAddr> = BTreeSet::new();
    for finding in &taken {
        cause.consequences.push(finding.class.code);
        cause.fails |= finding.fails;
        cause.first = cause.first.min(finding.first);
        cause.last = cause.last.max(finding.last);
        clients.extend(finding.client.map(|(client, _)| client));
        if cause.name.is_none()
            && cause.server.map(|(ip, _)| ip) == finding.server.map(|(ip, _)| ip)
        {
            cause.name.clone_from(&finding.name);
        }
    }
    let frames = taken.iter().filter_map(|finding| finding.evidence.first());
    cause.evidence.extend(frames.take(SAMPLE_MAX));
    cause.evidence.sort_by_key(|seen| seen.at);
    cause.evidence.dedup();
    cause.consequences.sort_unstable();
    cause.consequences.dedup();
    let number = |count: usize| Value::Number(i64::try_from(count).unwrap_or(i64::MAX));
    let by = |word: &str| {
        taken
            .iter()
            .filter(|one| one.text("gateway") == Some(word))
            .count()
    };
    let (held, left) = (by("not-left") + by("answer-kept"), by("left"));
    if held + left > 0 {
        cause.details.extend([
            ("gateway_kept", number(held)),
            ("gateway_left", number(left)),
        ]);
    }
    let sample = clients.iter().take(SAMPLE_MAX).map(ToString::to_string);
    cause.details.extend([
        ("failures", number(taken.len())),
        ("clients", number(clients.len())),
        ("client_sample", Value::List(sample.collect())),
    ]);
    kept
}
