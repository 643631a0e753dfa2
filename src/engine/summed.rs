//! What no longer fits is added up: ended connections and findings beyond a shard's room.
//!
//! The older half is summed by client, server and name; where that is not enough (a flood from forged addresses) by server
//! and name, then by the server's address alone. Attempts and counts stay whole. What is lost is which of them: their own
//! times, frames and numbers. How many were summed is counted, and the report says so.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::engine::told::{Stub, Told};
use crate::failure::Finding;
use crate::failure::outcomes::Minutes;
use crate::time::{SECOND, Timestamp};

/// A quarter of it must be one at least.
const ROOM_MIN: usize = 8;
/// How many ways of summing there are, from the finest on.
const LEVELS: usize = 3;

/// Something that can stand for others like it.
trait Sums {
    /// What is alike at a level.
    type Alike: Hash + Eq;

    fn alike(&self, level: usize) -> Self::Alike;

    fn add(&mut self, other: Self);
}

impl Sums for Box<Stub> {
    type Alike = (Option<IpAddr>, IpAddr, Option<(u16, Option<Arc<str>>)>);

    fn alike(&self, level: usize) -> Self::Alike {
        (
            (level == 0).then_some(self.client.0),
            self.to.server.0,
            (level < 2).then(|| (self.to.server.1, self.to.name.clone())),
        )
    }

    fn add(&mut self, other: Self) {
        let (began, own) = (self.first, self.outcomes);
        let rare = self.rare.get_or_insert_default();
        let minutes = rare.minutes.get_or_insert_with(|| {
            let mut minutes = Minutes::default();
            minutes.add(began, own);
            minutes
        });
        match other.minutes() {
            Some(all) => all.iter().for_each(|(minute, outcomes)| {
                minutes.add(
                    Timestamp::from_ns(minute.saturating_mul(60 * SECOND)),
                    outcomes,
                );
            }),
            None => minutes.add(other.first, other.outcomes),
        }
        self.outcomes.add(other.outcomes);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.established = self.established.or(other.established);
    }
}

impl Sums for Finding {
    type Alike = (
        &'static str,
        Option<IpAddr>,
        Option<IpAddr>,
        Option<(u16, Option<String>)>,
    );

    fn alike(&self, level: usize) -> Self::Alike {
        (
            self.class.code,
            self.client.map(|client| client.0).filter(|_| level == 0),
            self.server.map(|server| server.0),
            (level < 2).then(|| (self.server.map_or(0, |server| server.1), self.name.clone())),
        )
    }

    fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.severity = self.severity.max(other.severity);
        self.fails |= other.fails;
    }
}

impl Told {
    /// Adds up ended connections once there are `stubs` of them, and findings once there are `findings`.
    pub(super) fn sum_up(&mut self, stubs: usize, findings: usize) {
        for (reason, summed) in [
            ("connections-summed", sum(&mut self.stubs, stubs)),
            ("findings-summed", sum(&mut self.findings, findings)),
        ] {
            if summed > 0 {
                *self.unjudged.entry(reason).or_default() += summed;
            }
        }
    }
}

/// Sums the older half once there are `max`; gives how many stand for themselves no more.
fn sum<T: Sums>(all: &mut Vec<T>, max: usize) -> u64 {
    let before = all.len();
    if before < max.max(ROOM_MIN) {
        return 0;
    }
    let newer = all.split_off(before / 2);
    let mut older = std::mem::take(all);
    for level in 0..LEVELS {
        older = summed(older, level);
        if older.len() <= before / 4 {
            break;
        }
    }
    // Servers without number: the first ones stand for all.
    let surplus = older.split_off(older.len().min(before / 4));
    if let Some(last) = older.last_mut() {
        surplus.into_iter().for_each(|other| last.add(other));
    }
    older.extend(newer);
    *all = older;
    (before - all.len()) as u64
}

fn summed<T: Sums>(all: Vec<T>, level: usize) -> Vec<T> {
    let mut places: HashMap<T::Alike, usize> = HashMap::new();
    let mut kept: Vec<T> = Vec::new();
    for one in all {
        let next = kept.len();
        let place = *places.entry(one.alike(level)).or_insert(next);
        match kept.get_mut(place) {
            Some(known) => known.add(one),
            None => kept.push(one),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::transport::syn_unanswered;
    use crate::failure::{Finding, Subject};

    fn found(client: u8, server: u8, second: i64) -> Finding {
        let at = Timestamp::from_ns(second * SECOND);
        let mut finding = Finding::new(&syn_unanswered::CLASS, Subject::Flow, at);
        finding.client = Some((IpAddr::from([10, 0, 0, client]), 40_000));
        finding.server = Some((IpAddr::from([192, 0, 2, server]), 443));
        finding
    }

    fn total(all: &[Finding]) -> u64 {
        all.iter().map(|finding| finding.count).sum()
    }

    #[test]
    fn below_the_limit_nothing_is_summed() {
        let mut all: Vec<Finding> = (0..15).map(|place| found(1, 1, place)).collect();
        assert_eq!(sum(&mut all, 16), 0);
        assert_eq!(all.len(), 15);
    }

    #[test]
    fn a_limit_of_nothing_loses_nothing() {
        let mut all: Vec<Finding> = Vec::new();
        for place in 0..40 {
            all.push(found(place, place, place.into()));
            sum(&mut all, 0);
        }
        assert!(all.len() <= 8);
        assert_eq!(total(&all), 40);
    }

    #[test]
    fn at_the_limit_the_older_half_is_summed_by_client_and_none_is_lost() {
        let mut all: Vec<Finding> = (0..16)
            .map(|place| found((place % 2) as u8, 1, place))
            .collect();
        assert_eq!(sum(&mut all, 16), 6);
        assert_eq!((all.len(), total(&all)), (10, 16));
        let [first, second, third, ..] = all.as_slice() else {
            panic!("three findings")
        };
        assert_eq!((first.count, second.count, third.count), (4, 4, 1));
        assert_eq!(first.last, Timestamp::from_ns(6 * SECOND));
    }

    #[test]
    fn forged_clients_are_summed_by_server_and_servers_without_number_into_the_first() {
        let mut all: Vec<Finding> = (0..16).map(|place| found(place, 1, 0)).collect();
        sum(&mut all, 16);
        assert_eq!((all.len(), total(&all)), (9, 16));
        let mut all: Vec<Finding> = (0..16).map(|place| found(place, place, 0)).collect();
        sum(&mut all, 16);
        assert_eq!((all.len(), total(&all)), (12, 16));
    }
}
