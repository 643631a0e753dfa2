//! A connection that several capture points saw is one (catalogue, rule 6): found by its server and its SYN, whatever
//! a gateway between them made of its client.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::failure::{Finding, Subject};
use crate::incident::Tried;
use crate::time::{Nanos, SECOND, Timestamp};

/// Clocks of two points differ by no more.
const CLOCKS: Nanos = 2 * SECOND;

/// Set, client, server and first time of a sighting.
pub(super) type Known = (usize, (IpAddr, u16), (IpAddr, u16), Timestamp);

type Twin = ((IpAddr, u16), (u32, u32));

/// Each connection once: of several sightings one that failed, else the first. And those that are left out.
pub(super) fn once(mut tried: Vec<(usize, Tried)>) -> (Vec<Tried>, HashSet<Known>) {
    tried.sort_by(|(set, a), (other, b)| key(*set, a).cmp(&key(*other, b)));
    let mut met: HashMap<Twin, Vec<(usize, Timestamp)>> = HashMap::new();
    let (mut kept, mut again) = (Vec::new(), HashSet::new());
    for (set, one) in tried {
        if let Some(syn) = one.syn {
            let known = met.entry((one.seen.server, syn)).or_default();
            let same = known
                .iter()
                .any(|(other, at)| *other != set && one.seen.time.since(*at).abs() <= CLOCKS);
            if same {
                let seen = &one.seen;
                again.insert((set, (seen.client, one.port), seen.server, seen.time));
                continue;
            }
            known.push((set, one.seen.time));
        }
        kept.push(one);
    }
    (kept, again)
}

type Key<'a> = (
    bool,
    Timestamp,
    usize,
    (IpAddr, u16),
    (IpAddr, u16),
    Option<&'a str>,
);

fn key(set: usize, one: &Tried) -> Key<'_> {
    let seen = &one.seen;
    (
        !seen.failed(),
        seen.time,
        set,
        (seen.client, one.port),
        seen.server,
        seen.name.as_deref(),
    )
}

/// The finding is of a connection that counts by another sighting.
pub(super) fn is_again(finding: &Finding, set: usize, again: &HashSet<Known>) -> bool {
    let (Some(client), Some(server), Some((_, first))) =
        (finding.client, finding.server, finding.flow)
    else {
        return false;
    };
    again.contains(&(set, client, server, first))
}

type Asked<'a> = (&'static str, (IpAddr, u16), (IpAddr, u16), Option<&'a str>);

/// Lookups that another set told already: the same question from the same port.
#[derive(Default)]
pub(super) struct Lookups<'a>(HashMap<Asked<'a>, Vec<(usize, Timestamp)>>);

impl<'a> Lookups<'a> {
    /// Is it one? Findings are given in one order always.
    pub(super) fn are_told(&mut self, finding: &'a Finding, set: usize) -> bool {
        let (Some(client), Some(server), Subject::Name) =
            (finding.client, finding.server, finding.subject)
        else {
            return false;
        };
        let asked = (finding.class.code, client, server, finding.name.as_deref());
        let known = self.0.entry(asked).or_default();
        let near = |at: &Timestamp| finding.first.since(*at).abs() <= CLOCKS;
        let told = known.iter().any(|(other, at)| *other != set && near(at));
        if !told {
            known.push((set, finding.first));
        }
        told
    }
}
