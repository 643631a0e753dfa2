//! What is a state of the house rather than of a try: said once, with how often and to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::failure::Finding;

/// Codes that are states of the house: said once per endpoint, with a count.
const STATES: [&str; 9] = [
    "network.congestion",
    "security.tls-obsolete",
    "security.cipher-weak",
    "security.gm-not-used",
    "security.cert-weak",
    "security.cert-expiring",
    "security.cleartext-credentials",
    "transport.latency-high",
    "network.packet-loss",
];

/// States of the house are said once per endpoint, chain codes once per endpoint, address and chain.
pub(super) fn fold_states(findings: Vec<Finding>) -> Vec<Finding> {
    type Key = (&'static str, Option<(IpAddr, u16)>, Option<String>, String);
    let mut places: BTreeMap<Key, usize> = BTreeMap::new();
    let mut clients: BTreeMap<usize, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        let chain = finding.text("chain").unwrap_or("").to_owned();
        if !STATES.contains(&finding.class.code) && chain.is_empty() {
            kept.push(finding);
            continue;
        }
        let key = (
            finding.class.code,
            finding.server,
            finding.name.clone(),
            chain,
        );
        let client = finding.client.map(|client| client.0);
        let place = match places.get(&key) {
            Some(&place) => {
                if let Some(known) = kept.get_mut(place) {
                    known.count += finding.count;
                    known.first = known.first.min(finding.first);
                    known.last = known.last.max(finding.last);
                    if worse(&finding, known) {
                        let (count, first, last) = (known.count, known.first, known.last);
                        *known = finding;
                        (known.count, known.first, known.last) = (count, first, last);
                    }
                }
                place
            }
            None => {
                places.insert(key, kept.len());
                kept.push(finding);
                kept.len() - 1
            }
        };
        clients.entry(place).or_default().extend(client);
    }
    for (place, who) in clients {
        if let Some(finding) = kept.get_mut(place).filter(|_| who.len() > 1) {
            let sample = who.iter().take(16).map(ToString::to_string).collect();
            finding.details.push((
                "clients",
                crate::failure::Value::Number(i64::try_from(who.len()).unwrap_or(0)),
            ));
            finding
                .details
                .push(("client_sample", crate::failure::Value::List(sample)));
        }
    }
    kept
}

fn worse(new: &Finding, known: &Finding) -> bool {
    (new.severity, new.fails) > (known.severity, known.fails)
}
