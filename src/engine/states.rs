//! What is a state of the house rather than of a try: said once, with how often and to whom.
//!
//! A chain that some clients refuse and others accept is said once too, of those that refuse it; `accepted_by` is how
//! many others took it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::failure::{Finding, Value};

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
    let mut accepting: BTreeMap<usize, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        let chain = finding.text("chain").unwrap_or("").to_owned();
        let of_chain = !chain.is_empty();
        if !STATES.contains(&finding.class.code) && !of_chain {
            kept.push(finding);
            continue;
        }
        let (name, server) = (finding.name.clone(), finding.server);
        let key = (finding.class.code, server, name, chain);
        let client = finding.client.map(|client| client.0);
        let place = *places.entry(key).or_insert(kept.len());
        if of_chain && finding.details.contains(&("accepted", Value::Bool(true))) {
            accepting.entry(place).or_default().extend(client);
        }
        match kept.get_mut(place) {
            None => kept.push(finding),
            Some(known) if of_chain && known.fails != finding.fails => {
                if known.fails {
                    continue;
                }
                *known = finding;
                clients.remove(&place);
            }
            Some(known) => again(known, finding),
        }
        clients.entry(place).or_default().extend(client);
    }
    for (place, who) in accepting {
        let refusing = clients.get(&place);
        let others = who
            .iter()
            .filter(|one| refusing.is_none_or(|refusing| !refusing.contains(*one)));
        let others = i64::try_from(others.count()).unwrap_or(i64::MAX);
        if let Some(finding) = kept.get_mut(place).filter(|one| one.fails && others > 0) {
            finding.details.push(("accepted_by", Value::Number(others)));
        }
    }
    for (place, who) in clients {
        if let Some(finding) = kept.get_mut(place).filter(|_| who.len() > 1) {
            let sample = who.iter().take(16).map(ToString::to_string).collect();
            finding.details.push((
                "clients",
                Value::Number(i64::try_from(who.len()).unwrap_or(0)),
            ));
            finding.details.push(("client_sample", Value::List(sample)));
        }
    }
    kept
}

/// The same once more; the worse one speaks.
fn again(known: &mut Finding, finding: Finding) {
    let count = known.count + finding.count;
    let first = known.first.min(finding.first);
    let last = known.last.max(finding.last);
    if worse(&finding, known) {
        *known = finding;
    }
    (known.count, known.first, known.last) = (count, first, last);
}

fn worse(new: &Finding, known: &Finding) -> bool {
    (new.severity, new.fails) > (known.severity, known.fails)
}
