//! Who received packets from whom, in seconds of the capture's clock.
//!
//! Silence is accused only where the way back to the asker is visible (catalogue, rule 1b). This keeps, for every
//! receiver and sender, the seconds in which a packet passed, as intervals. A pair has at most
//! `INTERVALS_MAX` of them; beyond that the two with the smallest pause between them become one.

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::limits;
use crate::time::{SECOND, Timestamp};

/// Intervals kept for one pair of hosts.
const INTERVALS_MAX: usize = 32;

/// Sets of whole seconds, as sorted closed intervals that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seconds(Vec<(i64, i64)>);

impl Seconds {
    fn add(&mut self, first: i64, last: i64) {
        // Time mostly goes on: the last interval has it, or grows by it.
        if let Some(newest) = self.0.last_mut()
            && newest.0 <= first
            && first <= newest.1.saturating_add(1)
        {
            newest.1 = newest.1.max(last);
            return;
        }
        let at = self
            .0
            .partition_point(|&(_, end)| end.saturating_add(1) < first);
        let mut merged = (first, last);
        let mut until = at;
        while let Some(&(start, end)) = self.0.get(until) {
            if start > last.saturating_add(1) {
                break;
            }
            merged = (merged.0.min(start), merged.1.max(end));
            until += 1;
        }
        self.0.splice(at..until, [merged]);
        if self.0.len() > INTERVALS_MAX {
            self.join_closest();
        }
    }

    fn join_closest(&mut self) {
        let closest = self
            .0
            .windows(2)
            .enumerate()
            .filter_map(|(index, pair)| match pair {
                [left, right] => Some((right.0 - left.1, index)),
                _ => None,
            })
            .min();
        if let Some((_, index)) = closest {
            let right = self.0.remove(index + 1);
            if let Some(left) = self.0.get_mut(index) {
                left.1 = right.1;
            }
        }
    }

    /// The last second at or before `until`.
    fn last(&self, until: i64) -> Option<i64> {
        let next = self.0.partition_point(|&(start, _)| start <= until);
        let (_, end) = self.0.get(next.checked_sub(1)?)?;
        Some((*end).min(until))
    }

    fn touches(&self, first: i64, last: i64) -> bool {
        let at = self.0.partition_point(|&(_, end)| end < first);
        self.0.get(at).is_some_and(|&(start, _)| start <= last)
    }
}

/// Packets received, by receiver and sender. Merging is associative and commutative while no pair overflows.
#[derive(Clone, Debug)]
pub struct Heard {
    by_receiver: HashMap<IpAddr, HashMap<IpAddr, Seconds>>,
    pairs: usize,
    pairs_max: usize,
    /// The second in which the first pair was not noted, and how often none was.
    full: Option<(i64, u64)>,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            by_receiver: HashMap::new(),
            pairs: 0,
            pairs_max: limits::PAIRS_PER_SHARD,
            full: None,
        }
    }
}

impl Heard {
    /// `receiver` got a packet of `sender` in the second of `time`. Call it once a second and pair, not per packet.
    pub fn note(&mut self, receiver: IpAddr, sender: IpAddr, time: Timestamp) {
        let second = time.second();
        let known = self.by_receiver.get_mut(&receiver);
        if let Some(seconds) = known.and_then(|senders| senders.get_mut(&sender)) {
            seconds.add(second, second);
        } else if self.pairs < self.pairs_max {
            self.pairs += 1;
            let senders = self.by_receiver.entry(receiver).or_default();
            senders.entry(sender).or_default().add(second, second);
        } else {
            let (since, times) = self.full.unwrap_or((second, 0));
            self.full = Some((since.min(second), times.saturating_add(1)));
        }
    }

    /// Receiver, sender and the seconds from first to last in which packets passed, of all pairs, sorted.
    pub fn pairs(&self) -> impl Iterator<Item = (IpAddr, IpAddr, &[(i64, i64)])> {
        let pairs = self.by_receiver.iter().flat_map(|(receiver, senders)| {
            let senders = senders.iter();
            senders.map(|(sender, seconds)| (*receiver, *sender, seconds.0.as_slice()))
        });
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_unstable();
        pairs.into_iter()
    }

    /// `receiver` got packets of `sender` in these seconds, from first to last.
    pub fn note_span(&mut self, receiver: IpAddr, sender: IpAddr, (first, last): (i64, i64)) {
        let senders = self.by_receiver.entry(receiver).or_default();
        if let Some(seconds) = senders.get_mut(&sender) {
            seconds.add(first, last);
        } else {
            self.pairs += 1;
            senders.entry(sender).or_default().add(first, last);
        }
    }

    /// Notes at most so many pairs.
    pub fn remember_at_most(&mut self, pairs: usize) {
        self.pairs_max = pairs;
    }

    /// How often a pair was not noted for want of room.
    pub fn omitted(&self) -> u64 {
        self.full.map_or(0, |(_, times)| times)
    }

    /// May something have been heard until `to` that was not noted?
    fn may_have(&self, to: Timestamp) -> bool {
        self.full.is_some_and(|(since, _)| since <= to.second())
    }

    /// Forgets what passed before the second of `time`.
    pub fn forget_before(&mut self, time: Timestamp) {
        let first = time.second();
        self.by_receiver.retain(|_, senders| {
            senders.retain(|_, seconds| {
                seconds.0.retain(|&(_, end)| end >= first);
                !seconds.0.is_empty()
            });
            !senders.is_empty()
        });
        self.pairs = self.by_receiver.values().map(HashMap::len).sum();
        // What was not noted before is forgotten like what was.
        if self.pairs < self.pairs_max && self.full.is_some_and(|(since, _)| since < first) {
            self.full = None;
        }
    }

    /// Takes over what another shard heard.
    pub fn merge(&mut self, other: Self) {
        self.full = match (self.full, other.full) {
            (Some((a, x)), Some((b, y))) => Some((a.min(b), x.saturating_add(y))),
            (one, other) => one.or(other),
        };
        for (receiver, senders) in drain_sorted(other.by_receiver) {
            let mine = self.by_receiver.entry(receiver).or_default();
            for (sender, seconds) in drain_sorted(senders) {
                let kept = mine.entry(sender).or_default();
                for (first, last) in seconds.0 {
                    kept.add(first, last);
                }
            }
        }
    }

    /// Did `receiver` get a packet of `sender` between the seconds of `from` and `to`, both included?
    pub fn from_host(
        &self,
        receiver: IpAddr,
        sender: IpAddr,
        from: Timestamp,
        to: Timestamp,
    ) -> bool {
        self.by_receiver
            .get(&receiver)
            .and_then(|senders| senders.get(&sender))
            .is_some_and(|seconds| seconds.touches(from.second(), to.second()))
    }

    /// Did `receiver` get a packet of anybody between the seconds of `from` and `to`, both included?
    pub fn from_any(&self, receiver: IpAddr, from: Timestamp, to: Timestamp) -> bool {
        self.by_receiver.get(&receiver).is_some_and(|senders| {
            senders
                .values()
                .any(|seconds| seconds.touches(from.second(), to.second()))
        })
    }

    /// When anybody last got a packet of `sender`, at or before the second of `until`.
    pub fn last_of(&self, sender: IpAddr, until: Timestamp) -> Option<Timestamp> {
        let of_sender = self
            .by_receiver
            .values()
            .filter_map(|senders| senders.get(&sender));
        let last = of_sender
            .filter_map(|seconds| seconds.last(until.second()))
            .max()?;
        Some(Timestamp::from_ns(last.saturating_mul(SECOND)))
    }

    /// Did anybody get a packet of `sender` between the seconds of `from` and `to`, both included? Yes where that may
    /// be: silence is accused by it.
    pub fn spoke(&self, sender: IpAddr, from: Timestamp, to: Timestamp) -> bool {
        let mut of_sender = self
            .by_receiver
            .values()
            .filter_map(|senders| senders.get(&sender));
        self.may_have(to) || of_sender.any(|seconds| seconds.touches(from.second(), to.second()))
    }

    /// Did a packet pass between the seconds of `from` and `to` of which `whom` accepts receiver and sender? Yes where
    /// that may be: silence is accused by it.
    pub fn across(
        &self,
        from: Timestamp,
        to: Timestamp,
        whom: impl Fn(IpAddr, IpAddr) -> bool,
    ) -> bool {
        let mut all = self.by_receiver.iter();
        self.may_have(to)
            || all.any(|(receiver, senders)| {
                senders.iter().any(|(sender, seconds)| {
                    whom(*receiver, *sender) && seconds.touches(from.second(), to.second())
                })
            })
    }

    /// Did `receiver` get a packet, between the seconds of `from` and `to`, of somebody whom `whom` accepts?
    pub fn from_any_of(
        &self,
        receiver: IpAddr,
        from: Timestamp,
        to: Timestamp,
        whom: impl Fn(IpAddr) -> bool,
    ) -> bool {
        self.by_receiver.get(&receiver).is_some_and(|senders| {
            senders.iter().any(|(sender, seconds)| {
                whom(*sender) && seconds.touches(from.second(), to.second())
            })
        })
    }
}

/// The entries of a map in the order of their keys, so that no result depends on hashing.
fn drain_sorted<V>(map: HashMap<IpAddr, V>) -> Vec<(IpAddr, V)> {
    let mut entries: Vec<_> = map.into_iter().collect();
    entries.sort_by_key(|entry| entry.0);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(intervals: &[(i64, i64)]) -> Seconds {
        let mut seconds = Seconds::default();
        for &(first, last) in intervals {
            seconds.add(first, last);
        }
        seconds
    }

    #[test]
    fn a_full_table_accuses_nobody_of_silence() {
        let host = |last: u8| IpAddr::from([192, 0, 2, last]);
        let at = |second: i64| Timestamp::from_ns(second * SECOND);
        let mut heard = Heard::default();
        heard.remember_at_most(1);
        heard.note(host(1), host(2), at(10));
        assert!(!heard.spoke(host(9), at(0), at(100)));
        heard.note(host(1), host(2), at(20));
        assert_eq!(heard.omitted(), 0);
        heard.note(host(1), host(3), at(30));
        assert_eq!(heard.omitted(), 1);
        assert!(!heard.from_host(host(1), host(3), at(0), at(100)));
        assert!(heard.spoke(host(9), at(0), at(100)) && heard.across(at(0), at(30), |_, _| false));
        assert!(!heard.spoke(host(9), at(0), at(29)));
    }

    #[test]
    fn neighbouring_seconds_become_one_interval() {
        assert_eq!(seconds(&[(5, 5), (7, 7), (6, 6)]).0, vec![(5, 7)]);
        assert_eq!(seconds(&[(1, 2), (9, 9), (4, 5), (0, 10)]).0, vec![(0, 10)]);
    }

    #[test]
    fn intervals_stay_bounded_by_joining_the_closest() {
        let mut many = Seconds::default();
        for index in 0..1_000 {
            many.add(index * index, index * index);
        }
        assert_eq!(many.0.len(), INTERVALS_MAX);
        assert!(many.touches(999 * 999, 999 * 999));
    }

    #[test]
    fn a_window_beside_the_packets_hears_nothing() {
        let (asker, server) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut heard = Heard::default();
        heard.note(asker, server, Timestamp::from_ns(100 * SECOND));
        let at = |second: i64| Timestamp::from_ns(second * SECOND);
        assert!(heard.from_host(asker, server, at(40), at(100)));
        assert!(!heard.from_host(asker, server, at(101), at(160)));
        assert!(!heard.from_any(server, at(0), at(200)));
    }
}
