//! Attempts of one endpoint, or of all, shared out by client and by minute.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;

use crate::engine::diagnosis::Shares;
use crate::engine::told::Stub;
use crate::failure::flow::Outcomes;
use crate::failure::outcomes::minute_of;
use crate::limits;

/// Sums that grow attempt by attempt; in any order they come to the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    clients: HashMap<IpAddr, Outcomes>,
    /// Connections of clients beyond the limit.
    beyond: u64,
    minutes: BTreeMap<i64, Outcomes>,
}

impl Sums {
    /// Adds the attempts of one connection.
    pub(super) fn add(&mut self, stub: &Stub) {
        if stub.outcomes.is_none() {
            return;
        }
        self.of_client(stub.client.0, stub.outcomes);
        match stub.minutes() {
            Some(minutes) => minutes.iter().for_each(|(minute, sum)| {
                self.minutes.entry(minute).or_default().add(sum);
            }),
            None => self
                .minutes
                .entry(minute_of(stub.first))
                .or_default()
                .add(stub.outcomes),
        }
    }

    /// Adds one attempt of a client.
    pub(super) fn one(&mut self, client: Option<IpAddr>, minute: i64, outcomes: Outcomes) {
        if let Some(client) = client {
            self.of_client(client, outcomes);
        }
        self.minutes.entry(minute).or_default().add(outcomes);
    }

    fn of_client(&mut self, client: IpAddr, outcomes: Outcomes) {
        let room = self.clients.len() < limits::CLIENTS_COUNTED;
        match self.clients.get_mut(&client) {
            Some(sum) => sum.add(outcomes),
            None if room => drop(self.clients.insert(client, outcomes)),
            None => self.beyond += 1,
        }
    }

    /// What is told of them.
    pub(super) fn list(self) -> Shares {
        let clients = self.clients.into_iter().collect();
        Shares::of(clients, self.beyond, self.minutes, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + last))
    }

    fn outcomes(ok: u32, failed: u32) -> Outcomes {
        Outcomes {
            ok,
            failed,
            ..Outcomes::default()
        }
    }

    #[test]
    fn the_clients_that_fail_most_are_listed_and_the_others_counted() {
        let mut sums = Sums::default();
        let max = limits::CLIENTS_LISTED as u32;
        for client in 0..max + 7 {
            sums.one(Some(ip(client)), 5, outcomes(1, 0));
        }
        sums.one(Some(ip(max + 6)), 5, outcomes(0, 2));
        let told = sums.list();
        assert_eq!(told.clients.len(), limits::CLIENTS_LISTED);
        assert_eq!(told.clients_omitted, 7);
        assert_eq!(told.clients.first(), Some(&(ip(max + 6), outcomes(1, 2))));
        assert_eq!(told.clients.get(1), Some(&(ip(0), outcomes(1, 0))));
        assert_eq!(told.minutes, [(5, outcomes(max + 7, 2))]);
    }

    #[test]
    fn clients_beyond_the_limit_are_counted_and_those_within_go_on() {
        let mut sums = Sums::default();
        let max = limits::CLIENTS_COUNTED as u32;
        for client in 0..max + 3 {
            sums.one(Some(ip(client)), 5, outcomes(1, 0));
        }
        sums.one(Some(ip(7)), 5, outcomes(0, 1));
        let told = sums.list();
        let omitted = limits::CLIENTS_COUNTED - limits::CLIENTS_LISTED + 3;
        assert_eq!(told.clients_omitted, omitted as u64);
        assert_eq!(told.clients.first(), Some(&(ip(7), outcomes(1, 1))));
        assert_eq!(told.minutes, [(5, outcomes(max + 3, 1))]);
    }

    #[test]
    fn a_long_run_is_told_in_wider_spans_and_nothing_is_left_out() {
        let mut sums = Sums::default();
        let days = limits::SPANS_LISTED as i64 * 3;
        for minute in -3..days - 3 {
            sums.one(None, minute, outcomes(1, 0));
        }
        let told = sums.list();
        assert_eq!(told.width, 4);
        assert!(told.minutes.len() <= limits::SPANS_LISTED);
        assert_eq!(told.minutes.first(), Some(&(-4, outcomes(3, 0))));
        let sum: u32 = told.minutes.iter().map(|(_, sum)| sum.ok).sum();
        assert_eq!(i64::from(sum), days);
    }
}
