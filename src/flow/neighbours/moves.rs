//! Which MAC sent packets of which address from when to when: what shows an address that passes to another machine.
//!
//! Kept are, for each interface, VLAN, MAC and source address, the first frame and the time of the last. Two MACs whose
//! times do not touch are a move; what alternates is none. Of addresses behind a router the MAC is the router's: when
//! three of them pass together, and the old router carries nothing any more, the router moved.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::Mac;
use super::claims::{siblings, virtual_mac};
use crate::mark::Mark;
use crate::time::{Nanos, SECOND, Timestamp};

/// Addresses with their MACs that are watched; later ones are not.
const PAIRS_MAX: usize = 65_536;
/// Addresses behind a router that pass together.
const TOGETHER_MIN: usize = 3;
/// They do so within this.
const TOGETHER: Nanos = 10 * SECOND;

/// Where frames were seen.
type Link = (u32, Option<u16>);

/// One MAC that sends packets of one address.
#[derive(Clone, Copy, Debug)]
struct Pair {
    link: Link,
    mac: Mac,
    address: IpAddr,
    first: Mark,
    last: Timestamp,
}

/// An address, or a router, that passed from one MAC to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The address; of a router one that lies behind it.
    pub address: IpAddr,
    /// Who had it.
    pub from: Mac,
    /// Who has it now.
    pub to: Mac,
    /// The first frame of the old holder.
    pub before: Mark,
    /// When the old holder was last seen with it.
    pub left: Timestamp,
    /// The first frame of the new holder.
    pub came: Mark,
    /// How many addresses behind a router passed together; 0 for an address of its own.
    pub carried: u64,
}

/// The MACs of all addresses.
#[derive(Debug, Default)]
pub(super) struct Moves {
    index: HashMap<(Link, Mac, IpAddr), u32>,
    pairs: Vec<Pair>,
    pub(super) omitted: u64,
}

/// No pair: the frame has no MAC, or the limit is reached.
pub(super) const NO_PAIR: u32 = u32::MAX;

impl Moves {
    /// A frame of `mac` with a packet of `address`; gives the pair's number for `seen`.
    pub(super) fn note(&mut self, link: Link, mac: Mac, address: IpAddr, at: Mark) -> u32 {
        let key = (link, mac, address);
        if let Some(&number) = self.index.get(&key) {
            if let Some(pair) = self.pairs.get_mut(number as usize) {
                pair.first = pair.first.min(at);
                pair.last = pair.last.max(at.time);
            }
            return number;
        }
        if self.pairs.len() >= PAIRS_MAX {
            self.omitted += 1;
            return NO_PAIR;
        }
        let number = u32::try_from(self.pairs.len()).unwrap_or(NO_PAIR);
        self.index.insert(key, number);
        self.pairs.push(Pair {
            link,
            mac,
            address,
            first: at,
            last: at.time,
        });
        number
    }

    /// Was this MAC seen with this address on this link?
    pub(super) fn knows(&self, link: Link, mac: Mac, address: IpAddr) -> bool {
        self.index.contains_key(&(link, mac, address))
    }

    /// The pair was seen until then.
    pub(super) fn seen(&mut self, number: u32, last: Timestamp) {
        if let Some(pair) = self.pairs.get_mut(number as usize) {
            pair.last = pair.last.max(last);
        }
    }

    /// What passed once, by time. `holder` gives who claims an address of this link by ARP or neighbour discovery.
    pub(super) fn moved(&self, holder: &dyn Fn(IpAddr) -> Option<Mac>) -> Vec<Moved> {
        let mut by_address: BTreeMap<(Link, IpAddr), Vec<&Pair>> = BTreeMap::new();
        for pair in &self.pairs {
            by_address
                .entry((pair.link, pair.address))
                .or_default()
                .push(pair);
        }
        let passed = by_address.values_mut().filter_map(|pairs| passed(pairs));
        let (own, behind): (Vec<_>, Vec<_>) =
            passed.partition(|(_, moved)| holder(moved.address).is_some());
        let mut all: Vec<Moved> = own
            .into_iter()
            .map(|(_, moved)| moved)
            .filter(|moved| holder(moved.address) == Some(moved.to))
            .collect();
        let mut routers: BTreeMap<(Link, Mac, Mac), Vec<Moved>> = BTreeMap::new();
        for (link, moved) in behind {
            routers
                .entry((link, moved.from, moved.to))
                .or_default()
                .push(moved);
        }
        for ((link, from, _), mut together) in routers {
            together.sort_by_key(|moved| moved.came);
            let (Some(&first), count) = (together.first(), together.len()) else {
                continue;
            };
            let at_once = |moved: &&Moved| moved.came.time.since(first.came.time) <= TOGETHER;
            let at_once = together.iter().filter(at_once).count();
            let left = self
                .pairs
                .iter()
                .filter(|pair| (pair.link, pair.mac) == (link, from))
                .filter(|pair| holder(pair.address).is_none())
                .map(|pair| pair.last)
                .max();
            let silent = left.is_some_and(|left| left <= first.came.time.plus(SECOND));
            if at_once >= TOGETHER_MIN && silent {
                let carried = count as u64;
                let left = left.unwrap_or(first.left);
                all.push(Moved {
                    carried,
                    left,
                    ..first
                });
            }
        }
        all.sort_by_key(|moved| (moved.came, moved.address));
        all
    }
}

/// One address with two MACs whose times do not touch.
fn passed(pairs: &mut [&Pair]) -> Option<(Link, Moved)> {
    pairs.sort_by_key(|pair| (pair.first, pair.mac));
    let [old, new] = pairs else { return None };
    let apart = old.last < new.first.time;
    let same = siblings(&old.mac, &new.mac) || virtual_mac(&old.mac) || virtual_mac(&new.mac);
    (apart && !same).then_some((
        old.link,
        Moved {
            address: old.address,
            from: old.mac,
            to: new.mac,
            before: old.first,
            left: old.last,
            came: new.first,
            carried: 0,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = [2, 1, 0, 0, 0, 1];
    const B: Mac = [2, 2, 0, 0, 0, 2];

    fn host(last: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, last])
    }

    /// Second, MAC, last octet of the address; addresses from 100 on lie behind a router. Gives what moved: the address,
    /// and how many were carried.
    fn check(frames: &[(i64, Mac, u8)]) -> Vec<(u8, u64)> {
        let mut moves = Moves::default();
        for ((second, mac, last), frame) in frames.iter().zip(1..) {
            let at = Mark {
                time: Timestamp::from_ns(second * SECOND),
                frame,
                ..Mark::default()
            };
            moves.note((0, None), *mac, host(*last), at);
        }
        let holder = |address: IpAddr| {
            let own = frames
                .iter()
                .rfind(|(_, _, last)| host(*last) == address && *last < 100);
            own.map(|(_, mac, _)| *mac)
        };
        let octet = |address: IpAddr| match address {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(_) => 0,
        };
        let moved = moves.moved(&holder).into_iter();
        moved
            .map(|moved| (octet(moved.address), moved.carried))
            .collect()
    }

    #[test]
    fn an_address_that_passes_once_moved() {
        assert_eq!(check(&[(1, A, 20), (5, A, 20), (9, B, 20)]), [(20, 0)]);
    }

    #[test]
    fn an_address_that_alternates_did_not() {
        assert_eq!(check(&[(1, A, 20), (5, B, 20), (9, A, 20)]), []);
    }

    #[test]
    fn three_addresses_behind_a_router_that_pass_together_are_the_router() {
        let frames = [
            (1, A, 101),
            (1, A, 102),
            (2, A, 103),
            (5, B, 101),
            (6, B, 102),
            (6, B, 103),
        ];
        assert_eq!(check(&frames), [(101, 3)]);
        assert_eq!(check(&frames[..5]), []);
    }

    #[test]
    fn a_router_that_still_carries_others_did_not_move() {
        let frames = [
            (1, A, 101),
            (1, A, 102),
            (2, A, 103),
            (5, B, 101),
            (6, B, 102),
            (6, B, 103),
            (9, A, 104),
        ];
        assert_eq!(check(&frames), []);
    }

    #[test]
    fn pairs_beyond_the_limit_are_counted() {
        let mut moves = Moves::default();
        for number in 0..=u32::try_from(PAIRS_MAX).unwrap_or(0) {
            let address = IpAddr::from(number.to_be_bytes());
            moves.note((0, None), A, address, Mark::default());
        }
        assert_eq!(moves.omitted, 1);
    }
}
