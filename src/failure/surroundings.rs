//! What one conversation cannot know of itself: who else was heard, what the same client reached a moment later, what
//! the endpoint usually needs. Pure; the same facts in any order give the same answer.

use std::net::IpAddr;

use hashbrown::{HashMap, HashSet};

use crate::failure::transport::latency_high;
use crate::failure::{Finding, Text};
use crate::flow::heard::Heard;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// The way back to an asker is visible if a packet to it passed within this of the question (rule 1b).
const NEAR: Nanos = 60 * SECOND;
/// A request with credentials settles a challenge within this.
const SETTLES: Nanos = 30 * SECOND;

/// Decides whether a silence may be said (rule 1): `Err` names why not.
pub fn judge_silence(mut finding: Finding, heard: &Heard) -> Result<Finding, &'static str> {
    let Some(silence) = finding.silence else {
        return Ok(finding);
    };
    let (from, to) = (silence.from.plus(-NEAR), silence.to.plus(NEAR));
    if heard.from_host(silence.asker, silence.asked, from, to) {
        return Ok(finding);
    }
    if silence.proven {
        finding = if heard.from_any(silence.asker, from, to) {
            finding.at_most(90, OTHERS_HEARD)
        } else {
            finding.at_most(75, REVERSE_UNSEEN)
        };
        return Ok(finding);
    }
    if heard.from_any(silence.asker, from, to) {
        return Ok(finding.at_most(90, OTHERS_HEARD));
    }
    Err("reverse-path-not-in-capture")
}

const REVERSE_UNSEEN: Text = Text {
    en: "reverse path not in the capture",
    zh: "抓包中没有回程报文",
};
const OTHERS_HEARD: Text = Text {
    en: "the way back to the client is seen from other hosts only",
    zh: "仅见其他主机发往该客户端的报文",
};

/// One attempt seen on both sides of an address translation is told once: the side seen first.
pub fn fold_twins(findings: Vec<Finding>) -> Vec<Finding> {
    type Twin = (&'static str, (IpAddr, u16), (u32, u32));
    type Sides = Vec<(Timestamp, (IpAddr, u16))>;
    let mut first: HashMap<Twin, Sides> = HashMap::new();
    let mut kept = Vec::with_capacity(findings.len());
    for finding in findings {
        if let (Some(server), Some(twin), Some(client), Some((_, began))) =
            (finding.server, finding.twin, finding.client, finding.flow)
        {
            let seen = first.entry((finding.class.code, server, twin)).or_default();
            let other = seen
                .iter()
                .any(|(time, by)| *by != client && began.since(*time).abs() <= SECOND);
            if other {
                continue;
            }
            if seen.iter().all(|(_, by)| *by != client) {
                seen.push((began, client));
            }
        }
        kept.push(finding);
    }
    kept
}

/// Slow handshakes below the absolute threshold are told only beside the endpoint's own median.
/// A limit of the endpoint's own stands in for both.
pub fn judge_latency(
    findings: Vec<Finding>,
    median: &dyn Fn((IpAddr, u16)) -> Option<Nanos>,
    limit: &dyn Fn(&Finding) -> Option<Nanos>,
) -> Vec<Finding> {
    findings
        .into_iter()
        .filter(|finding| {
            if finding.class.code != latency_high::CLASS.code {
                return true;
            }
            let took = finding
                .number("connect_ms")
                .unwrap_or(0)
                .saturating_mul(MILLISECOND);
            if let Some(limit) = limit(finding) {
                return took > limit;
            }
            let median = finding.server.and_then(median);
            took > latency_high::ALWAYS
                || median.is_some_and(|median| took >= median.saturating_mul(10))
        })
        .collect()
}

/// 401 and 407 that an authenticated request of the same client settles within 30 s are ordinary (rule 3): what is
/// left, and what was settled.
pub fn settle_authentication(
    findings: Vec<Finding>,
    authenticated: &[crate::failure::flow::Authenticated],
) -> (Vec<Finding>, Vec<Finding>) {
    let known: HashSet<(IpAddr, IpAddr)> = authenticated
        .iter()
        .map(|done| (done.client, done.server.0))
        .collect();
    findings.into_iter().partition(|finding| {
        let challenge = matches!(finding.number("status"), Some(401 | 407));
        let (Some((client, _)), Some(server)) = (finding.client, finding.server) else {
            return true;
        };
        if !challenge || !known.contains(&(client, server.0)) {
            return true;
        }
        !authenticated.iter().any(|done| {
            let after = done.at.since(finding.last);
            done.client == client && done.server.0 == server.0 && (0..=SETTLES).contains(&after)
        })
    })
}
