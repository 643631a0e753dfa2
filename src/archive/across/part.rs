//! A part of the findings that no other part can concern, and what is gathered around it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use crate::archive::across::near::Row;
use crate::archive::across::sightings;
use crate::archive::across::{Across, Set};
use crate::archive::around::Line;
use crate::archive::stored::time;
use crate::failure::{Finding, Value};
use crate::incident::{Answered, Place, Surroundings, Tried, place, site};
use crate::time::{Nanos, SECOND, Timestamp};

/// What goes on so long before and after it may say something of it.
const LOOK: Nanos = 120 * SECOND;
/// A change is noticed within so long of what it brings about.
const CHANGES: Nanos = 3_600 * SECOND;

/// Local addresses by what they are written as, each with its network; `None` where two networks have it.
type Local = BTreeMap<IpAddr, Option<u32>>;

/// What is known of a part before its surroundings are read, and then those.
pub(super) struct Part<'a> {
    places: Vec<usize>,
    sets: BTreeSet<usize>,
    span: (Timestamp, Timestamp),
    hosts: BTreeSet<Place>,
    clients: BTreeSet<Place>,
    names: BTreeSet<&'a str>,
    local_hosts: Local,
    homes: Local,
    rows: usize,
    foreign: bool,
    tried: Vec<(usize, Tried)>,
    around: Surroundings,
}

impl<'a> Part<'a> {
    pub(super) fn of(across: &Across<'a>, places: Vec<usize>) -> Self {
        let mut part = Self {
            places: Vec::new(),
            sets: BTreeSet::new(),
            span: (Timestamp::from_ns(i64::MAX), Timestamp::from_ns(i64::MIN)),
            hosts: BTreeSet::new(),
            clients: BTreeSet::new(),
            names: BTreeSet::new(),
            local_hosts: Local::new(),
            homes: Local::new(),
            rows: 0,
            foreign: false,
            tried: Vec::new(),
            around: Surroundings::default(),
        };
        for at in &places {
            if let Some(finding) = across.known.findings.get(*at) {
                part.add(finding, across.set_of(*at), across);
            }
        }
        part.places = places;
        part
    }

    fn add(&mut self, finding: &'a Finding, set: usize, across: &Across<'a>) {
        let network = across.network(set);
        self.sets.insert(set);
        self.span.0 = self.span.0.min(finding.first);
        self.span.1 = self.span.1.max(finding.last);
        let behind = finding.behind.and_then(|(ip, _)| ip);
        for ip in finding.server.map(|(ip, _)| ip).into_iter().chain(behind) {
            self.hosts.insert(place(network, ip));
            note(&mut self.local_hosts, network, ip, ip);
        }
        let clients = finding.client.map(|(ip, _)| ip).into_iter();
        for ip in clients.chain(listed(finding)) {
            self.clients.insert(place(network, ip));
            note(&mut self.homes, network, ip, site(ip));
        }
        self.names.extend(finding.name.as_deref());
    }

    /// No local address stands for hosts of two networks: that would be one where there are two.
    pub(super) fn is_clear(&self) -> bool {
        let mut all = self.local_hosts.values().chain(self.homes.values());
        all.all(Option::is_some)
    }

    /// Its findings are of several sets, or other sets were captured at its time.
    pub(super) fn may_reach_others(&self, sets: &[Set]) -> bool {
        let mut sets = sets.iter().enumerate();
        self.sets.len() > 1
            || sets.any(|(number, set)| !self.sets.contains(&number) && self.is_near(number, set))
    }

    /// The set speaks of it, or of the time around it.
    pub(super) fn is_near(&self, number: usize, set: &Set) -> bool {
        let (from, to) = (self.span.0.plus(-LOOK), self.span.1.plus(LOOK));
        self.sets.contains(&number)
            || set
                .span
                .is_some_and(|(first, last)| first <= to && last >= from)
    }

    /// Several sets know of it.
    pub(super) fn reaches_others(&self) -> bool {
        self.sets.len() > 1 || self.foreign
    }

    pub(super) fn places(&self) -> &[usize] {
        &self.places
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = Place> {
        self.hosts.iter().copied()
    }

    pub(super) fn clients(&self) -> impl Iterator<Item = Place> {
        self.clients.iter().copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.names.iter().copied()
    }

    /// Its addresses are those of this part, and no others that are only written alike.
    pub(super) fn takes(&self, row: &Row, network: u32) -> bool {
        let same = |local: &Local, ip: IpAddr, key: IpAddr| {
            let everywhere = place(network, ip).0 == 0;
            everywhere || local.get(&key).is_none_or(|known| *known == Some(network))
        };
        same(&self.homes, row.client, site(row.client))
            && row.server.is_none_or(|ip| same(&self.local_hosts, ip, ip))
    }

    pub(super) fn count(&mut self, set: usize) {
        self.rows += 1;
        self.foreign |= !self.sets.contains(&set);
    }

    pub(super) fn take(&mut self, set: usize, row: &Row, names: &mut HashMap<String, Arc<str>>) {
        let mut shared = |name: &str| match names.get(name) {
            Some(known) => Arc::clone(known),
            None => {
                let known: Arc<str> = Arc::from(name);
                names.insert(name.to_owned(), Arc::clone(&known));
                known
            }
        };
        match &row.line {
            Line::Tried(one) => self.tried.push((set, one.tried(&mut shared))),
            Line::Answered(client, resolver, name, at) => self.around.answered.push(Answered {
                client: *client,
                resolver: *resolver,
                name: shared(name),
                time: time(*at),
            }),
            Line::Heard(receiver, sender, seconds) => {
                for span in seconds {
                    self.around.heard.note_span(*receiver, *sender, *span);
                }
            }
        }
    }

    /// Its surroundings, and the places of its findings with those of changes near it.
    pub(super) fn gathered(&mut self, across: &Across<'_>) -> (Surroundings, Vec<usize>) {
        let mut around = std::mem::take(&mut self.around);
        let (once, again) = sightings::once(std::mem::take(&mut self.tried));
        around.tried = once;
        let known = self.sets.iter();
        let known = known.filter_map(|set| across.answered_from.get(*set).copied().flatten());
        around.answered_from = known.max();
        let beside = self.hosts.iter().filter_map(|host| across.beside.get(host));
        let changes = beside.flatten().filter(|at| {
            let finding = across.known.findings.get(**at);
            finding.is_some_and(|finding| self.is_near_before(finding))
        });
        let mut places: Vec<usize> = self.places.iter().chain(changes).copied().collect();
        places.sort_unstable();
        let mut lookups = sightings::Lookups::default();
        places.retain(|at| {
            let set = across.set_of(*at);
            across.known.findings.get(*at).is_some_and(|finding| {
                !sightings::is_again(finding, set, &again) && !lookups.are_told(finding, set)
            })
        });
        (around, places)
    }

    /// It happened meanwhile, or shortly before.
    fn is_near_before(&self, finding: &Finding) -> bool {
        (self.span.0.plus(-CHANGES)..=self.span.1).contains(&finding.first)
    }
}

fn note(local: &mut Local, network: u32, ip: IpAddr, key: IpAddr) {
    if place(network, ip).0 != 0 {
        let known = local.entry(key).or_insert(Some(network));
        *known = known.filter(|known| *known == network);
    }
}

/// Clients that a finding told once per endpoint lists.
fn listed(finding: &Finding) -> impl Iterator<Item = IpAddr> {
    let lists = finding
        .details
        .iter()
        .filter_map(|(key, value)| match value {
            Value::List(list) if *key == "client_sample" => Some(list),
            _ => None,
        });
    lists.flatten().filter_map(|client| client.parse().ok())
}
