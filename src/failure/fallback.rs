//! A client whose hello was turned down and that tries once more with less: older versions or fewer suites, in a new
//! connection. Both are one attempt (catalogue, "The attempt"); where it succeeds, the first hello failed nobody.
//!
//! The second hello has to look like the first client's: nothing in it that the first did not offer. Another program
//! of the same host that gets through says nothing of the one that did not.

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::failure::attempt::{Flow, flow_of};
use crate::failure::episode::Episode;
use crate::failure::{Finding, Severity, Value};
use crate::protocol::tls::names;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// The next try of one attempt begins within this.
const ATTEMPT: Nanos = 30 * SECOND;
/// An attempt that a fallback delays by so much is worth a warning, as with addresses.
const SLOW: Nanos = SECOND;
/// TLS_EMPTY_RENEGOTIATION_INFO_SCSV and TLS_FALLBACK_SCSV (RFC 5746, RFC 7507) are no suites.
const SIGNALS: [u16; 2] = [0x00ff, 0x5600];
/// How a server turns a hello down that it cannot take.
const TURNED_DOWN: [&str; 6] = [
    "security.tls-version-mismatch",
    "security.tls-no-common-cipher",
    "security.tls-alert",
    "security.tls-cut-on-hello",
    "security.tls-no-reply",
    "security.tls-handshake-stalled",
];

/// What a hello offers, as far as a fallback changes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// Highest version.
    pub highest: u16,
    /// Suites, signals left out, sorted.
    pub suites: Box<[u16]>,
}

impl Offer {
    /// The offer of a conversation's client.
    pub fn of(at: &Episode<'_>) -> Option<Self> {
        let hello = &at.tls?.client_hello.as_ref()?.value;
        let suites = hello.suites.iter().copied();
        let mut suites: Vec<u16> = suites.filter(|suite| !SIGNALS.contains(suite)).collect();
        suites.sort_unstable();
        suites.dedup();
        Some(Self {
            highest: hello.highest(),
            suites: suites.into(),
        })
    }

    /// Does this offer less, and nothing that `first` did not?
    fn is_less_than(&self, first: &Self) -> bool {
        let known = |suite| first.suites.binary_search(suite).is_ok();
        self != first && self.highest <= first.highest && self.suites.iter().all(known)
    }
}

/// A connection with a hello.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    /// Which.
    pub flow: Flow,
    /// What it offered.
    pub offer: &'a Offer,
    /// It reached the service.
    pub well: bool,
}

/// Findings about hellos that a fallback made good fail nobody. Gives the connections that were followed by one:
/// they are no attempts of their own. `tried` by first frame.
pub fn judge(findings: &mut [Finding], tried: &[Tried<'_>]) -> Vec<Flow> {
    let mut by_pair: HashMap<(IpAddr, (IpAddr, u16)), Vec<&Tried<'_>>> = HashMap::new();
    for one in tried {
        let (_, client, server) = one.flow;
        by_pair.entry((client.0, server)).or_default().push(one);
    }
    let mut parts = Vec::new();
    for finding in findings.iter_mut() {
        if !finding.fails || !TURNED_DOWN.contains(&finding.class.code) {
            continue;
        }
        let Some(flow) = flow_of(finding) else {
            continue;
        };
        let all = by_pair
            .get(&(flow.1.0, flow.2))
            .map_or(&[][..], Vec::as_slice);
        let from = all.partition_point(|one| one.flow.0 < flow.0);
        let soon = all
            .iter()
            .skip(from)
            .take_while(|one| one.flow.0.since(flow.0) <= ATTEMPT);
        let Some(own) = soon.clone().find(|one| one.flow == flow) else {
            continue;
        };
        let mut after = soon
            .filter(|one| one.flow.0 > flow.0 && one.offer.is_less_than(own.offer))
            .peekable();
        let Some(first) = after.peek().copied() else {
            continue;
        };
        // A client may have to come down by more than one step.
        let next = after.find(|one| one.well).unwrap_or(first);
        parts.push(flow);
        if !next.well {
            continue;
        }
        let delay = next.flow.0.since(flow.0);
        let version = names::version(next.offer.highest);
        finding.fails = false;
        finding.severity = if delay >= SLOW {
            Severity::Warning
        } else {
            Severity::Info
        };
        finding.details.push(("fell_back_to", Value::Text(version)));
        finding
            .details
            .push(("fell_back_ms", Value::Number(delay / MILLISECOND)));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(highest: u16, suites: &[u16]) -> Offer {
        Offer {
            highest,
            suites: suites.into(),
        }
    }

    #[test]
    fn less_is_an_older_version_or_fewer_suites_and_nothing_new() {
        let first = offer(0x0304, &[0x002f, 0x1301, 0xc02f]);
        assert!(offer(0x0303, &[0x002f, 0xc02f]).is_less_than(&first));
        assert!(offer(0x0301, &[0x002f, 0x1301, 0xc02f]).is_less_than(&first));
        assert!(offer(0x0304, &[0x1301]).is_less_than(&first));
        assert!(!offer(0x0304, &[0x002f, 0x1301, 0xc02f]).is_less_than(&first));
        // Another program, or one that offers more.
        assert!(!offer(0x0301, &[0x002f, 0x0035]).is_less_than(&first));
        assert!(!first.is_less_than(&offer(0x0303, &[0x002f, 0xc02f])));
    }
}
