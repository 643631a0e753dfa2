//! Attempts by client and by time, added up over sets.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::archive::merge::outcomes;
use crate::archive::stored;
use crate::engine::diagnosis::{Shares, spans};
use crate::failure::flow::Outcomes;
use crate::limits;

/// Sums that grow set by set; in any order they come to the same. A client that one set does not list counts there as
/// omitted, so that of many sets `clients_omitted` is what there are at most.
#[derive(Debug, Default)]
pub(super) struct Sums {
    clients: BTreeMap<IpAddr, Outcomes>,
    omitted: u64,
    minutes: BTreeMap<i64, Outcomes>,
    width: i64,
}

impl Sums {
    /// Adds those of a set.
    pub(super) fn add(&mut self, told: stored::Shares) {
        for (client, sum) in told.clients {
            self.clients.entry(client).or_default().add(outcomes(sum));
        }
        self.omitted = self.omitted.saturating_add(told.clients_omitted);
        for (minute, sum) in told.minutes {
            self.minutes.entry(minute).or_default().add(outcomes(sum));
        }
        let wider = told.width > self.width;
        self.width = self.width.max(told.width);
        // More minutes never make spans narrower: what is put together early would be in the end.
        if wider || self.minutes.len() > limits::SPANS_LISTED {
            let (minutes, width) = spans(std::mem::take(&mut self.minutes), self.width);
            self.minutes = minutes.into_iter().collect();
            self.width = width;
        }
    }

    /// What is told of them.
    pub(super) fn list(self) -> Shares {
        let clients = self.clients.into_iter().collect();
        Shares::of(clients, self.omitted, self.minutes, self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(client: u8, minutes: &[i64], width: i64) -> stored::Shares {
        let count = u32::try_from(minutes.len()).unwrap_or(0);
        stored::Shares {
            clients: vec![([10, 0, 0, client].into(), [count, 0, 0, 0])],
            clients_omitted: 1,
            minutes: minutes.iter().map(|at| (*at, [1, 0, 0, 0])).collect(),
            width,
        }
    }

    fn listed(sets: &[stored::Shares]) -> Shares {
        let mut sums = Sums::default();
        sets.iter().cloned().for_each(|set| sums.add(set));
        sums.list()
    }

    #[test]
    fn sets_add_up_by_client_and_minute() {
        let told = listed(&[set(1, &[5, 6], 1), set(1, &[6, 9], 1), set(2, &[5], 1)]);
        let ok = |ok| outcomes([ok, 0, 0, 0]);
        let ip = |last| IpAddr::from([10, 0, 0, last]);
        assert_eq!(told.clients, [(ip(1), ok(4)), (ip(2), ok(1))]);
        assert_eq!(told.clients_omitted, 3);
        assert_eq!(told.minutes, [(5, ok(2)), (6, ok(2)), (9, ok(1))]);
        assert_eq!(told.width, 1);
    }

    #[test]
    fn the_widest_spans_hold_for_all_in_any_order() {
        let days: Vec<i64> = (0..1_000).collect();
        let later: Vec<i64> = (1_000..2_000).collect();
        let wide: Vec<i64> = (0..900).map(|span| span * 4).collect();
        let sets = [set(1, &days, 1), set(2, &wide, 4), set(3, &later, 1)];
        let told = listed(&sets);
        assert_eq!(told.width, 4);
        let sum: u32 = told.minutes.iter().map(|(_, sum)| sum.ok).sum();
        assert_eq!(sum, 2_900);
        let mut turned = sets;
        turned.reverse();
        assert_eq!(listed(&turned), told);
    }
}
