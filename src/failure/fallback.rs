//! A client whose hello was turned down and that tries once more with less: older versions or fewer suites, in a new
//! connection. Both are one attempt (catalogue, "The attempt"); where it succeeds, the first hello failed nobody.
//!
//! The second hello has to look like the first client's: nothing in it that the first did not offer, or other suites
//! with all the rest the same. Another program of the same host that gets through says nothing of the one that did not.

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::failure::attempt::{Flow, flow_of};
use crate::failure::episode::Episode;
use crate::failure::{Finding, Lang, Severity, Value};
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
    /// Groups, then signature schemes, as sent: they tell one TLS library from another.
    pub beside: Box<[u16]>,
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
            beside: hello
                .groups
                .iter()
                .chain(&hello.signatures)
                .copied()
                .collect(),
        })
    }

    /// Is this what the client of `first` would try next: less, or other suites?
    fn comes_after(&self, first: &Self) -> bool {
        let known = |suite| first.suites.binary_search(suite).is_ok();
        let lower = self.highest < first.highest;
        let other = self.suites != first.suites;
        let alike = !self.beside.is_empty() && self.beside == first.beside;
        self.highest <= first.highest
            && (lower || other)
            && (alike || self.suites.iter().all(known))
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

/// A hello that a server did not take: only such are followed by a lesser one.
pub fn turned_down(finding: &Finding) -> bool {
    finding.fails && TURNED_DOWN.contains(&finding.class.code)
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
        if !turned_down(finding) {
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
            .filter(|one| one.flow.0 > flow.0 && one.offer.comes_after(own.offer))
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

/// What a fallback adds to a finding's summary.
pub fn summary(finding: &Finding, lang: Lang) -> String {
    let (Some(version), Some(ms)) = (finding.text("fell_back_to"), finding.number("fell_back_ms"))
    else {
        return String::new();
    };
    match lang {
        Lang::En => format!("; {ms} ms later served, with a hello of {version}"),
        Lang::Zh => format!("；{ms} 毫秒后改用 {version} 的 ClientHello，访问成功"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(highest: u16, suites: &[u16], beside: &[u16]) -> Offer {
        Offer {
            highest,
            suites: suites.into(),
            beside: beside.into(),
        }
    }

    #[test]
    fn less_is_an_older_version_or_fewer_suites_and_nothing_new() {
        let first = offer(0x0304, &[0x002f, 0x1301, 0xc02f], &[29, 0x0804]);
        let after = |highest, suites: &[u16], beside: &[u16]| {
            offer(highest, suites, beside).comes_after(&first)
        };
        assert!(after(0x0303, &[0x002f, 0xc02f], &[29]));
        assert!(after(0x0301, &[0x002f, 0x1301, 0xc02f], &[]));
        assert!(after(0x0304, &[0x1301], &[29, 0x0804]));
        assert!(!after(0x0304, &[0x002f, 0x1301, 0xc02f], &[29, 0x0804]));
        // More than was offered before.
        assert!(!first.comes_after(&offer(0x0303, &[0x002f, 0xc02f], &[29, 0x0804])));
    }

    #[test]
    fn other_suites_are_a_fallback_of_the_same_library_only() {
        let first = offer(0x0303, &[0xc02f], &[29, 23, 0x0804]);
        let next = |beside: &[u16]| offer(0x0303, &[0x0005, 0x002f], beside).comes_after(&first);
        assert!(next(&[29, 23, 0x0804]));
        assert!(!next(&[23, 24, 0x0804]));
        assert!(!offer(0x0303, &[0x0005], &[]).comes_after(&offer(0x0303, &[0xc02f], &[])));
    }
}
