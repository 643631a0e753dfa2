//! The balance of each endpoint and region, and of all: attempts, times and findings.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::endpoint::Rule;
use crate::engine::by_minute::ByMinute;
use crate::engine::diagnosis::{EndpointBalance, RegionBalance, Shares, regions};
use crate::engine::endpoints::Endpoints;
use crate::engine::shares::Sums;
use crate::engine::told::{Stub, Target};
use crate::failure::flow::Outcomes;
use crate::failure::outcomes::minute_of;
use crate::failure::{Finding, Subject};
use crate::time::Timestamp;

/// A name that could not be resolved: an attempt whose connection never came.
#[derive(Clone, Debug)]
pub(super) struct FailedLookup {
    client: Option<IpAddr>,
    name: String,
    at: Timestamp,
    attempts: Outcomes,
}

impl FailedLookup {
    /// The lookup that a finding speaks of, where it made an attempt fail.
    pub(super) fn of(finding: &Finding) -> Option<Self> {
        Some(Self {
            client: finding.client.map(|(client, _)| client),
            name: finding.name.clone().filter(|_| finding.fails)?,
            at: finding.first,
            attempts: Outcomes {
                failed: u32::try_from(finding.count).unwrap_or(u32::MAX),
                ..Outcomes::default()
            },
        })
    }
}

/// What all attempts came to.
#[derive(Debug, Default)]
pub(super) struct Balances {
    pub(super) attempts: Outcomes,
    /// Those that began before the horizon.
    pub(super) forgotten: Outcomes,
    pub(super) shares: Shares,
    pub(super) regions: Vec<RegionBalance>,
    /// By what matters: those of a rule first, then by failures.
    pub(super) endpoints: Vec<EndpointBalance>,
}

/// The balances of the connections, and of the lookups that failed before any; what began before the third is about to
/// be forgotten. They are counted by minute too. Findings about names learn the id of their endpoint.
pub(super) fn balances(
    began: (&[Box<Stub>], &[FailedLookup], Timestamp),
    findings: &mut [Finding],
    endpoints: &Endpoints<'_>,
    by_minute: &mut ByMinute,
) -> Balances {
    let (stubs, lookups, horizon) = began;
    let mut forgotten = Outcomes::default();
    let mut all = Balanced::default();
    let (mut attempts, mut sums) = (Outcomes::default(), Sums::default());
    for stub in stubs {
        let Some((balance, own)) = all.of(stub, endpoints) else {
            continue;
        };
        balance.attempts.add(stub.outcomes);
        own.add(stub);
        by_minute.add(&balance.id, stub);
        attempts.add(stub.outcomes);
        if stub.first < horizon && !stub.open {
            forgotten.add(stub.outcomes);
        }
        sums.add(stub);
        for (histogram, ms) in balance.latency.iter_mut().zip(stub.times.ms()) {
            if let Some(ms) = ms {
                histogram.add(ms);
            }
        }
    }
    let mut by_id = all.by_id();
    let named = ids_by_name(&by_id);
    for lookup in lookups {
        let id = named.get(&lookup.name).unwrap_or(&lookup.name).clone();
        let (balance, own) = of_name(&mut by_id, id, &lookup.name, endpoints);
        let minute = minute_of(lookup.at);
        balance.attempts.add(lookup.attempts);
        own.one(lookup.client, minute, lookup.attempts);
        by_minute.one(&balance.id, minute, lookup.attempts);
        attempts.add(lookup.attempts);
        if lookup.at < horizon {
            forgotten.add(lookup.attempts);
        }
        sums.one(lookup.client, minute, lookup.attempts);
    }
    count_findings(&mut by_id, findings, &named);
    let finished = by_id.into_values().map(|(balance, sums)| EndpointBalance {
        shares: sums.list(),
        ..balance
    });
    // The dead address of an attempt that went to another one is no endpoint of its own.
    let told = |balance: &EndpointBalance| {
        !balance.attempts.is_none() || !balance.findings_by_code.is_empty()
    };
    let mut all: Vec<EndpointBalance> = finished.filter(told).collect();
    all.sort_by(|a, b| {
        (!a.invoicing, std::cmp::Reverse(a.attempts.failed), &a.id).cmp(&(
            !b.invoicing,
            std::cmp::Reverse(b.attempts.failed),
            &b.id,
        ))
    });
    Balances {
        attempts,
        forgotten,
        shares: sums.list(),
        regions: regions(&all),
        endpoints: all,
    }
}

/// Of the endpoints of each name the one with the most attempts.
fn ids_by_name(by_id: &BTreeMap<String, (EndpointBalance, Sums)>) -> BTreeMap<String, String> {
    let mut named: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for (balance, _) in by_id.values() {
        let Some(name) = &balance.host else { continue };
        let count = u64::from(balance.attempts.ok) + u64::from(balance.attempts.failed);
        let best = named.entry(name.clone()).or_default();
        if best.1.is_empty() || count > best.0 {
            *best = (count, balance.id.clone());
        }
    }
    named
        .into_iter()
        .map(|(name, (_, id))| (name, id))
        .collect()
}

fn count_findings(
    by_id: &mut BTreeMap<String, (EndpointBalance, Sums)>,
    findings: &mut [Finding],
    named: &BTreeMap<String, String>,
) {
    for finding in findings {
        if finding.class.layer() == "capture" {
            continue;
        }
        if finding.subject == Subject::Name && finding.endpoint.is_none() {
            let name = finding.name.as_ref();
            finding.endpoint = name.and_then(|name| named.get(name)).cloned();
        }
        let id = finding.endpoint_id();
        if let Some((balance, _)) = id.and_then(|id| by_id.get_mut(&id)) {
            *balance
                .findings_by_code
                .entry(finding.class.code)
                .or_default() += finding.count;
        }
    }
}

/// The endpoint of a name for which there is no server.
fn of_name<'b>(
    by_id: &'b mut BTreeMap<String, (EndpointBalance, Sums)>,
    id: String,
    name: &str,
    endpoints: &Endpoints<'_>,
) -> &'b mut (EndpointBalance, Sums) {
    let rule = endpoints.of_name(name);
    let own = rule.filter(|rule| rule.takes_id);
    let id = own.map_or(id, |rule| rule.id.clone());
    by_id.entry(id.clone()).or_insert_with(|| {
        let balance = EndpointBalance {
            region: endpoints.region(rule, Some(name)),
            invoicing: rule.is_some(),
            id,
            name: own
                .and_then(|rule| rule.name.clone())
                .or_else(|| Some(name.to_owned())),
            host: Some(name.to_owned()),
            ..EndpointBalance::default()
        };
        (balance, Sums::default())
    })
}

/// The id of an endpoint: what its rule calls it, else name and port, else address and port.
pub(super) fn id_of(own: Option<&Rule>, name: Option<&str>, server: (IpAddr, u16)) -> String {
    match (own, name) {
        (Some(rule), _) => rule.id.clone(),
        (None, Some(name)) => format!("{name}:{}", server.1),
        (None, None) => crate::failure::host_port(server.0, server.1),
    }
}

/// The balances of connections: what a connection meant leads to its endpoint's, and is looked up once.
#[derive(Default)]
struct Balanced<'s> {
    all: Vec<(EndpointBalance, Sums)>,
    places: BTreeMap<String, usize>,
    /// By target, and by the name that its server has where nobody asked for one.
    met: HashMap<(*const Target, Option<&'s str>), usize>,
}

impl<'s> Balanced<'s> {
    /// The balance of the endpoint that a connection meant.
    fn of(
        &mut self,
        stub: &'s Stub,
        endpoints: &'s Endpoints<'_>,
    ) -> Option<&mut (EndpointBalance, Sums)> {
        let found = match stub.to.name {
            Some(_) => None,
            None => endpoints.name_of(stub),
        };
        let kind = (Arc::as_ptr(&stub.to), found);
        let place = match self.met.get(&kind) {
            Some(place) => *place,
            None => {
                let place = self.meet(&stub.to, endpoints.name_of(stub), endpoints);
                self.met.insert(kind, place);
                place
            }
        };
        self.all.get_mut(place)
    }

    /// The place of a target's endpoint, which learns what this one adds to it.
    fn meet(&mut self, to: &Target, name: Option<&str>, endpoints: &Endpoints<'_>) -> usize {
        let (address, port) = to.means();
        let rule = endpoints.rule(name, to.server);
        let own = rule.filter(|rule| rule.takes_id);
        let id = id_of(own, name, (address.unwrap_or(to.server.0), port));
        let place = *self.places.entry(id).or_insert_with_key(|id| {
            let balance = EndpointBalance {
                region: endpoints.region(rule, name),
                invoicing: rule.is_some(),
                id: id.clone(),
                name: own
                    .and_then(|rule| rule.name.clone())
                    .or_else(|| name.map(str::to_owned)),
                host: name.map(str::to_owned),
                ..EndpointBalance::default()
            };
            self.all.push((balance, Sums::default()));
            self.all.len() - 1
        });
        if let Some((balance, _)) = self.all.get_mut(place) {
            insert(&mut balance.addresses, address);
            insert(&mut balance.proxies, to.behind.map(|_| to.server));
            insert(&mut balance.ports, Some(port));
        }
        place
    }

    /// All of them by their ids.
    fn by_id(self) -> BTreeMap<String, (EndpointBalance, Sums)> {
        let all = self.all.into_iter();
        all.map(|entry| (entry.0.id.clone(), entry)).collect()
    }
}

/// Puts it into a sorted list that does not hold it yet.
fn insert<T: Ord>(list: &mut Vec<T>, new: Option<T>) {
    if let Some(new) = new
        && let Err(place) = list.binary_search(&new)
    {
        list.insert(place, new);
    }
}
