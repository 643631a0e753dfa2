//! The balance of each endpoint: its attempts, times and findings.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::endpoint::Rule;
use crate::engine::diagnosis::{EndpointBalance, Minute};
use crate::engine::endpoints::Endpoints;
use crate::engine::told::Stub;
use crate::failure::Finding;
use crate::failure::flow::Outcomes;
use crate::time::{SECOND, Timestamp};

/// Endpoints by what matters: those of a rule first, then by failures.
pub(super) fn balances(
    stubs: &[Box<Stub>],
    findings: &[Finding],
    endpoints: &Endpoints<'_>,
) -> Vec<EndpointBalance> {
    let mut by_id: BTreeMap<String, EndpointBalance> = BTreeMap::new();
    for stub in stubs {
        let balance = balance(&mut by_id, endpoints.name_of(stub), stub.server, endpoints);
        balance.attempts.add(stub.outcomes);
        for (histogram, ms) in balance.latency.iter_mut().zip(stub.latency_ms) {
            if let Some(ms) = ms {
                histogram.add(ms);
            }
        }
    }
    for finding in findings
        .iter()
        .filter(|finding| finding.class.layer() != "capture")
    {
        let id = match (&finding.name, finding.server) {
            _ if finding.endpoint.is_some() => finding.endpoint.clone().unwrap_or_default(),
            (Some(name), Some((_, port))) if port != 0 => format!("{name}:{port}"),
            (None, Some((ip, port))) if port != 0 => crate::failure::host_port(ip, port),
            _ => continue,
        };
        if let Some(balance) = by_id.get_mut(&id) {
            *balance
                .findings_by_code
                .entry(finding.class.code)
                .or_default() += finding.count;
        }
    }
    let mut all: Vec<EndpointBalance> = by_id.into_values().collect();
    all.sort_by(|a, b| {
        (!a.invoicing, std::cmp::Reverse(a.attempts.failed), &a.id).cmp(&(
            !b.invoicing,
            std::cmp::Reverse(b.attempts.failed),
            &b.id,
        ))
    });
    all
}

/// What was tried minute by minute; `stubs` are those of endpoints.
pub(super) fn minutes(stubs: &[Box<Stub>], endpoints: &Endpoints<'_>) -> Vec<Minute> {
    const MINUTE: i64 = 60 * SECOND;
    let mut all: BTreeMap<(String, Timestamp), Minute> = BTreeMap::new();
    for stub in stubs {
        let name = endpoints.name_of(stub);
        let rule = endpoints.rule(name, stub.server);
        let endpoint = id_of(rule.filter(|rule| rule.takes_id), name, stub.server);
        let start = Timestamp::from_ns(stub.first.ns().div_euclid(MINUTE).saturating_mul(MINUTE));
        let key = (endpoint.clone(), start);
        let minute = all.entry(key).or_insert_with(|| Minute {
            endpoint,
            start,
            attempts: Outcomes::default(),
            latency: Default::default(),
        });
        minute.attempts.add(stub.outcomes);
        for (histogram, ms) in minute.latency.iter_mut().zip(stub.latency_ms) {
            if let Some(ms) = ms {
                histogram.add(ms);
            }
        }
    }
    all.into_values().collect()
}

/// What an endpoint is called: `own` is the rule that gives it its id.
fn id_of(own: Option<&Rule>, name: Option<&str>, server: (IpAddr, u16)) -> String {
    match (own, name) {
        (Some(rule), _) => rule.id.clone(),
        (None, Some(name)) => format!("{name}:{}", server.1),
        (None, None) => crate::failure::host_port(server.0, server.1),
    }
}

fn balance<'b>(
    by_id: &'b mut BTreeMap<String, EndpointBalance>,
    name: Option<&str>,
    server: (IpAddr, u16),
    endpoints: &Endpoints<'_>,
) -> &'b mut EndpointBalance {
    let rule = endpoints.rule(name, server);
    let own = rule.filter(|rule| rule.takes_id);
    let id = id_of(own, name, server);
    let balance = by_id.entry(id.clone()).or_insert_with(|| EndpointBalance {
        region: endpoints.region(rule, name),
        invoicing: rule.is_some(),
        id,
        name: own
            .and_then(|rule| rule.name.clone())
            .or_else(|| name.map(str::to_owned)),
        ..EndpointBalance::default()
    });
    if let Err(place) = balance.addresses.binary_search(&server.0) {
        balance.addresses.insert(place, server.0);
    }
    if let Err(place) = balance.ports.binary_search(&server.1) {
        balance.ports.insert(place, server.1);
    }
    balance
}
