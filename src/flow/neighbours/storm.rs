//! ARP broadcasts by the second, for each interface and VLAN.
//!
//! Copies that a mirror makes are set aside; what a loop repeats on and on is not. Kept are seconds of a hundred and
//! more, joined where they follow each other, and how many seconds had how many: the median of a whole capture.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{Mac, Place};
use crate::decode::ArpPacket;
use crate::mark::Mark;
use crate::time::{MILLISECOND, Nanos, Timestamp};

/// Interfaces and VLANs that are told apart; further ones are not watched.
const LINKS_MAX: usize = 256;
/// Bursts kept of one link: the first ones.
const BURSTS_MAX: usize = 32;
/// Counts of a second that are told apart; a larger one counts as this.
const COUNTS: usize = 1_024;
/// A second with so many is worth keeping.
const BUSY: u32 = 100;
/// Frames kept of a burst: the first ones, and the last.
const MARKS_MAX: usize = 8;
/// Senders kept of a burst.
const SENDERS_MAX: usize = 16;
/// Copies of one packet within two milliseconds that are a mirror's; more are a loop's.
const COPIES_MAX: u8 = 3;
/// Packets whose copies are looked for.
const RECENT: usize = 64;

type Link = (u32, Option<u16>);

/// Broadcasts that came thick and fast.
#[derive(Clone, Debug, Default)]
pub struct Burst {
    /// VLAN.
    pub vlan: Option<u16>,
    /// How many.
    pub count: u64,
    /// In the busiest second.
    pub peak: u32,
    /// The first frames, and the last.
    pub marks: Vec<Mark>,
    /// Senders with their counts, as far as they are kept.
    pub senders: Vec<(Mac, u64)>,
    /// Seconds of the link in this order: with no more broadcasts than this each, how many.
    pub histogram: Vec<u32>,
    last_second: i64,
}

#[derive(Debug, Default)]
struct Traffic {
    second: i64,
    count: u32,
    marks: Vec<Mark>,
    senders: Vec<(Mac, u64)>,
    histogram: Vec<u32>,
    bursts: Vec<Burst>,
}

#[derive(Debug, Default)]
pub(super) struct Storms {
    links: HashMap<Link, Traffic>,
    recent: Vec<(u64, Place, Timestamp, u8)>,
    pub(super) omitted: u64,
}

impl Storms {
    /// An ARP packet to everybody.
    pub(super) fn on_broadcast(&mut self, arp: &ArpPacket, place: Place, at: Mark) {
        if self.is_copy(print(arp), place, at.time) {
            return;
        }
        let link = (place.interface, place.vlan);
        if self.links.len() >= LINKS_MAX && !self.links.contains_key(&link) {
            self.omitted += 1;
            return;
        }
        let traffic = self.links.entry(link).or_default();
        let second = at.time.second();
        if second != traffic.second {
            traffic.close(link.1);
            traffic.second = second;
        }
        traffic.count = traffic.count.saturating_add(1);
        if traffic.marks.len() >= MARKS_MAX {
            traffic.marks.pop();
        }
        traffic.marks.push(at);
        count(&mut traffic.senders, arp.sender_mac, 1);
    }

    /// A copy of a packet that was seen within two milliseconds.
    fn is_copy(&mut self, print: u64, place: Place, time: Timestamp) -> bool {
        const SOON: Nanos = 2 * MILLISECOND;
        if self.recent.is_empty() {
            let none = (0, Place::default(), Timestamp::from_ns(i64::MIN / 2), 0);
            self.recent.resize(RECENT, none);
        }
        let slot = (print ^ print >> 32) as usize % RECENT;
        let Some(known) = self.recent.get_mut(slot) else {
            return false;
        };
        let same_link = (known.1.interface, known.1.vlan) == (place.interface, place.vlan);
        if known.0 != print || !same_link || time.since(known.2).abs() >= SOON {
            *known = (print, place, time, 0);
            return false;
        }
        known.2 = time;
        known.3 = known.3.saturating_add(1);
        known.3 <= COPIES_MAX
    }

    /// Busy times of all links, with the link's seconds, by first frame.
    pub(super) fn bursts(&self) -> Vec<Burst> {
        let links: BTreeMap<_, _> = self.links.iter().collect();
        let mut all = Vec::new();
        for ((_, vlan), traffic) in links {
            let mut open = Traffic {
                bursts: traffic.bursts.clone(),
                histogram: traffic.histogram.clone(),
                marks: traffic.marks.clone(),
                senders: traffic.senders.clone(),
                ..*traffic
            };
            open.close(*vlan);
            for burst in &mut open.bursts {
                burst.histogram.clone_from(&open.histogram);
            }
            all.append(&mut open.bursts);
        }
        all.sort_by_key(|burst| (burst.marks.first().copied(), burst.vlan));
        all
    }
}

impl Traffic {
    /// The second is over.
    fn close(&mut self, vlan: Option<u16>) {
        if self.count == 0 {
            return;
        }
        if self.histogram.is_empty() {
            self.histogram.resize(COUNTS, 0);
        }
        let place = (self.count as usize).min(COUNTS - 1);
        if let Some(seconds) = self.histogram.get_mut(place) {
            *seconds = seconds.saturating_add(1);
        }
        let (marks, senders) = (
            std::mem::take(&mut self.marks),
            std::mem::take(&mut self.senders),
        );
        let number = std::mem::take(&mut self.count);
        if number < BUSY {
            return;
        }
        if let Some(burst) = self.bursts.last_mut()
            && burst.last_second.saturating_add(1) == self.second
        {
            burst.last_second = self.second;
            burst.count += u64::from(number);
            burst.peak = burst.peak.max(number);
            if let Some(last) = marks.last() {
                burst.marks.truncate(MARKS_MAX - 1);
                burst.marks.push(*last);
            }
            for (mac, by) in senders {
                count(&mut burst.senders, mac, by);
            }
        } else if self.bursts.len() < BURSTS_MAX {
            self.bursts.push(Burst {
                vlan,
                count: number.into(),
                peak: number,
                marks,
                senders,
                histogram: Vec::new(),
                last_second: self.second,
            });
        }
    }
}

impl Burst {
    /// The middle second of so many that the capture lasted: broadcasts in it.
    pub fn median(&self, seconds: u64) -> u64 {
        let with: u64 = self.histogram.iter().map(|count| u64::from(*count)).sum();
        let mut below = seconds.saturating_sub(with);
        for (count, number) in self.histogram.iter().enumerate() {
            if below >= seconds.div_ceil(2) && count > 0 {
                return count.saturating_sub(1) as u64;
            }
            below += u64::from(*number);
        }
        COUNTS as u64
    }
}

/// What two copies have in common: the same at every run, so that what displaces what is too (FNV-1a).
fn print(arp: &ArpPacket) -> u64 {
    let (sender, target) = (arp.sender_ip.octets(), arp.target_ip.octets());
    let operation = arp.operation.to_be_bytes();
    let parts = [&arp.sender_mac[..], &sender, &target, &operation];
    parts
        .into_iter()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

fn count(senders: &mut Vec<(Mac, u64)>, mac: Mac, by: u64) {
    if let Some((_, count)) = senders.iter_mut().find(|(known, _)| *known == mac) {
        *count += by;
    } else if senders.len() < SENDERS_MAX {
        senders.push((mac, by));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::time::SECOND;

    /// So many broadcasts in each second, evenly, each for another address; gives counts of the bursts and medians.
    fn check(seconds: &[u32], copies: u32) -> Vec<(u64, u64)> {
        let mut storms = Storms::default();
        let mut print = 0_u32;
        for (second, number) in (0..).zip(seconds) {
            for index in 0..*number {
                print += 1;
                let arp = ArpPacket {
                    operation: 1,
                    sender_mac: [2, 0, 0, 0, 0, 9],
                    sender_ip: Ipv4Addr::new(192, 0, 2, 9),
                    target_mac: [0; 6],
                    target_ip: Ipv4Addr::from(print),
                };
                let time = second * SECOND + i64::from(index) * SECOND / i64::from(*number);
                for _ in 0..copies {
                    let at = Mark {
                        time: Timestamp::from_ns(time),
                        ..Mark::default()
                    };
                    storms.on_broadcast(&arp, Place::default(), at);
                }
            }
        }
        let bursts = storms.bursts();
        let length = seconds.len() as u64;
        bursts
            .iter()
            .map(|one| (one.count, one.median(length)))
            .collect()
    }

    #[test]
    fn busy_seconds_that_follow_each_other_are_one_burst() {
        assert_eq!(check(&[1, 600, 700, 2, 2], 1), [(1_300, 2)]);
        assert_eq!(check(&[1, 99, 1], 1), []);
    }

    #[test]
    fn a_mirrors_copies_are_set_aside_and_a_loops_are_not() {
        assert_eq!(check(&[60, 60], 2), []);
        assert_eq!(check(&[60, 60], 20).len(), 1);
    }

    #[test]
    fn the_median_counts_quiet_seconds() {
        assert_eq!(check(&[0, 0, 0, 150, 0], 1), [(150, 0)]);
        assert_eq!(check(&[40, 40, 40, 150, 40], 1), [(150, 40)]);
    }

    #[test]
    fn links_beyond_the_limit_are_counted() {
        let mut storms = Storms::default();
        let arp = ArpPacket {
            operation: 1,
            sender_mac: [2; 6],
            sender_ip: Ipv4Addr::LOCALHOST,
            target_mac: [0; 6],
            target_ip: Ipv4Addr::LOCALHOST,
        };
        for interface in 0..=u32::try_from(LINKS_MAX).unwrap_or(0) {
            let place = Place {
                interface,
                ..Place::default()
            };
            storms.on_broadcast(&arp, place, Mark::default());
        }
        assert_eq!(storms.omitted, 1);
    }
}
