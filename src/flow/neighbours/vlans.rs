//! VLAN tags and capture ports: hosts that appear now here, now there, and conversations whose two directions carry
//! different tags.
//!
//! A packet that is seen at two places within a second is one with two sightings (a mirror, a bridge and its ports, a
//! router that passes it on): a host of which that is seen is not followed.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::claims::virtual_mac;
use super::{Mac, Place};
use crate::decode::{IpFacts, Tag};
use crate::mark::Mark;
use crate::time::{Nanos, SECOND, Timestamp};

/// Hosts whose place is followed; further ones are not.
const HOSTS_MAX: usize = 8_192;
/// Pairs of hosts whose tags are kept; further ones are not.
const TALKS_MAX: usize = 16_384;
/// Pairs of hosts whose ARP is kept; further ones are not.
const ASKED_MAX: usize = 4_096;
/// Tags kept of one direction.
const TAGS_MAX: usize = 4;
/// Changes of place that are a flapping host.
const CHANGES_MIN: usize = 3;
/// Within this.
const WITHIN: i64 = 60 * SECOND;
/// Who changes its place sooner than this, again and again, is seen by two ports at once (a bond, two taps of one line).
const DWELLS: Nanos = SECOND / 10;
/// So often.
const QUICK_MAX: u8 = 3;
/// Changes kept.
const CHANGES_MAX: usize = 16;
/// Packets of a host whose further sightings are looked for.
const PRINTS: usize = 4;
/// An answer in the wrong VLAN does not end the asking: so many more requests.
const IGNORED_MIN: u32 = 2;

/// Initial TTLs of the stacks in use.
const INITIAL: [u8; 4] = [32, 64, 128, 255];

/// Interface and VLAN.
pub type Port = (u32, Option<u16>);

/// A host that appears at two places in turn.
#[derive(Clone, Debug)]
pub struct Flapping {
    /// Its MAC.
    pub mac: Mac,
    /// Its address.
    pub address: IpAddr,
    /// Where it was seen before the first change, and after.
    pub between: (Port, Port),
    /// The first frame after each change.
    pub changes: Vec<Mark>,
    /// How many changes.
    pub count: u64,
}

/// ARP whose answers carry another tag than the requests.
#[derive(Clone, Debug)]
pub struct Ignored {
    /// Who asked.
    pub asker: IpAddr,
    /// For whom.
    pub target: IpAddr,
    /// Tag of the requests.
    pub asked_in: Option<Tag>,
    /// Tag of the answers.
    pub answered_in: Option<Tag>,
    /// Requests after the first answer.
    pub ignored: u32,
    /// The first request.
    pub request: Mark,
    /// The first answer.
    pub reply: Mark,
    /// The last request.
    pub last: Mark,
}

/// The first packet of one host to another with some tag.
#[derive(Clone, Copy, Debug)]
pub struct Tagged {
    /// The tag.
    pub tag: Option<Tag>,
    /// Ends of the frame.
    pub macs: (Option<Mac>, Option<Mac>),
    /// Where.
    pub at: Mark,
}

#[derive(Clone, Debug)]
struct Host {
    port: Port,
    from: Option<Port>,
    mirrored: bool,
    came: Timestamp,
    quick: u8,
    prints: [(u64, Timestamp, Port); PRINTS],
    next: usize,
    recent: [Option<Timestamp>; CHANGES_MIN],
    flapping: bool,
    count: u64,
    changes: Vec<Mark>,
}

#[derive(Clone, Debug)]
struct Asked {
    tag: Option<Tag>,
    request: Mark,
    last: Mark,
    reply: Option<(Option<Tag>, Mark)>,
    ignored: u32,
    /// An answer came with the tag of the question, or the asker went on as if it had.
    well: bool,
}

#[derive(Debug, Default)]
pub(super) struct Vlans {
    only: Option<Port>,
    many: bool,
    hosts: HashMap<(Mac, IpAddr), Host>,
    talks: HashMap<(IpAddr, IpAddr), Vec<Tagged>>,
    asked: HashMap<(IpAddr, IpAddr), Asked>,
    pub(super) omitted: u64,
}

impl Vlans {
    /// A packet of a host with a link header. Costs one comparison where the whole capture has one interface and no tags.
    /// `before` tells whether a host was seen at the first place, which is not followed until there is a second one.
    pub(super) fn on_packet(
        &mut self,
        ip: &IpFacts,
        place: Place,
        before: impl Fn(Port, Mac) -> bool,
        at: Mark,
    ) {
        let port = (place.interface, place.vlan);
        if !self.many {
            match self.only {
                None => self.only = Some(port),
                Some(only) if only == port => {}
                Some(_) => self.many = true,
            }
            if !self.many {
                return;
            }
        }
        // The address of a virtual router goes where its master is.
        let Some(mac) = place.source.filter(|mac| !virtual_mac(mac)) else {
            return;
        };
        // What a router passed on has no initial TTL any more; its MAC is at home in every VLAN.
        if !INITIAL.contains(&ip.ttl) {
            return;
        }
        let key = (mac, ip.source);
        if self.hosts.len() >= HOSTS_MAX && !self.hosts.contains_key(&key) {
            self.omitted += 1;
            return;
        }
        let print = u64::from(ip.id.unwrap_or(0)) << 32
            | u64::from(ip.total_len) << 8
            | u64::from(ip.protocol);
        let only = self.only.filter(|only| *only != port);
        let host = self.hosts.entry(key).or_insert_with(|| Host {
            port: only.filter(|only| before(*only, mac)).unwrap_or(port),
            from: None,
            mirrored: false,
            came: at.time,
            quick: 0,
            prints: [(0, Timestamp::from_ns(i64::MIN / 2), port); PRINTS],
            next: 0,
            recent: [None; CHANGES_MIN],
            flapping: false,
            count: 0,
            changes: Vec::new(),
        });
        host.take(print, port, at);
    }

    /// A packet of one host to another; the first with its tag is kept.
    pub(super) fn talks(&mut self, from: IpAddr, to: IpAddr, seen: Tagged) {
        if self.talks.len() >= TALKS_MAX && !self.talks.contains_key(&(from, to)) {
            // Where nothing is tagged nothing is missed.
            self.omitted += u64::from(seen.tag.is_some());
            return;
        }
        let tags = self.talks.entry((from, to)).or_default();
        if tags.len() < TAGS_MAX && tags.iter().all(|known| known.tag != seen.tag) {
            tags.push(seen);
        }
    }

    /// An ARP request of `asker`.
    pub(super) fn asks(&mut self, asker: IpAddr, target: IpAddr, tag: Option<Tag>, at: Mark) {
        let key = (asker, target);
        if let Some(known) = self.asked.get_mut(&key) {
            if known.reply.is_some() && at.time.since(known.last.time) <= 10 * SECOND {
                known.ignored += u32::from(known.tag == tag);
            }
            known.last = at;
            return;
        }
        if self.asked.len() >= ASKED_MAX {
            self.omitted += 1;
            return;
        }
        self.asked.insert(
            key,
            Asked {
                tag,
                request: at,
                last: at,
                reply: None,
                ignored: 0,
                well: false,
            },
        );
    }

    /// An ARP reply of `target` to `asker`.
    pub(super) fn answers(&mut self, asker: IpAddr, target: IpAddr, tag: Option<Tag>, at: Mark) {
        if let Some(known) = self.asked.get_mut(&(asker, target)) {
            known.well |= known.tag == tag;
            known.reply.get_or_insert((tag, at));
        }
    }

    /// ARP whose answers came in another VLAN and were ignored, by first request.
    pub(super) fn ignored(&self) -> Vec<Ignored> {
        let found = self.asked.iter().filter(|(_, asked)| !asked.well);
        let mut all: Vec<Ignored> = found
            .filter(|(_, asked)| asked.ignored >= IGNORED_MIN)
            .filter_map(|((asker, target), asked)| {
                let (answered_in, reply) = asked.reply?;
                Some(Ignored {
                    asker: *asker,
                    target: *target,
                    asked_in: asked.tag,
                    answered_in,
                    ignored: asked.ignored,
                    request: asked.request,
                    reply,
                    last: asked.last,
                })
            })
            .collect();
        all.sort_by_key(|ignored| (ignored.request, ignored.asker, ignored.target));
        all
    }

    /// Tags of what `from` sent to `to`, with their first frames.
    pub(super) fn tags(&self, from: IpAddr, to: IpAddr) -> &[Tagged] {
        self.talks.get(&(from, to)).map_or(&[], Vec::as_slice)
    }

    /// Hosts that alternate, by first change.
    pub(super) fn flapping(&self) -> Vec<Flapping> {
        let found = self.hosts.iter();
        let mut all: Vec<Flapping> = found
            .filter(|(_, host)| host.flapping && !host.mirrored)
            .filter_map(|((mac, address), host)| {
                Some(Flapping {
                    mac: *mac,
                    address: *address,
                    between: (host.from?, host.port),
                    changes: host.changes.clone(),
                    count: host.count,
                })
            })
            .collect();
        all.sort_by_key(|host| (host.changes.first().copied(), host.mac, host.address));
        all
    }
}

impl Host {
    fn take(&mut self, print: u64, port: Port, at: Mark) {
        let sighting = |(known, time, there): &(u64, Timestamp, Port)| {
            *known == print && *there != port && at.time.since(*time).abs() < SECOND
        };
        if self.prints.iter().any(sighting) {
            self.mirrored = true;
        }
        if let Some(slot) = self.prints.get_mut(self.next) {
            *slot = (print, at.time, port);
        }
        self.next = (self.next + 1) % PRINTS;
        if self.mirrored || port == self.port {
            return;
        }
        if self.from.is_some() && at.time.since(self.came) < DWELLS {
            self.quick = self.quick.saturating_add(1);
            self.mirrored |= self.quick >= QUICK_MAX;
        }
        self.came = at.time;
        self.from = Some(std::mem::replace(&mut self.port, port));
        self.count += 1;
        if self.changes.len() < CHANGES_MAX {
            self.changes.push(at);
        }
        self.recent.rotate_left(1);
        if let Some(newest) = self.recent.last_mut() {
            *newest = Some(at.time);
        }
        let oldest = self.recent.first().copied().flatten();
        self.flapping |= oldest.is_some_and(|oldest| at.time.since(oldest) <= WITHIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Sum;

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));

    fn at(second: i64) -> Mark {
        Mark {
            time: Timestamp::from_ns(second * SECOND),
            ..Mark::default()
        }
    }

    /// Second, VLAN, IP identification; gives how often the host changed, if it flaps.
    fn check(packets: &[(i64, u16, u32)]) -> Option<u64> {
        check_of([2, 0, 0, 0, 0, 9], packets)
    }

    fn check_of(mac: Mac, packets: &[(i64, u16, u32)]) -> Option<u64> {
        let mut vlans = Vlans::default();
        let mut seen_before = false;
        for (second, vlan, id) in packets {
            let ip = IpFacts {
                source: HOST,
                destination: HOST,
                ttl: 64,
                id: Some(*id),
                dont_fragment: true,
                total_len: 60,
                protocol: 6,
                head_sum: Sum::default(),
                body_sum: Sum::default(),
            };
            let place = Place {
                interface: 0,
                vlan: Some(*vlan),
                source: Some(mac),
            };
            let before = |_, _| seen_before;
            vlans.on_packet(&ip, place, before, at(*second));
            seen_before = true;
        }
        vlans.flapping().first().map(|host| host.count)
    }

    #[test]
    fn a_host_that_comes_and_goes_flaps() {
        let goes = [
            (0, 10, 1),
            (1, 10, 2),
            (5, 20, 3),
            (9, 10, 4),
            (12, 20, 5),
            (15, 10, 6),
        ];
        assert_eq!(check(&goes), Some(4));
        assert_eq!(check(&goes[..5]), Some(3));
        assert_eq!(check(&goes[..4]), None);
        let virtual_router = [0, 0, 0x5e, 0, 1, 10];
        assert_eq!(check_of(virtual_router, &goes), None);
    }

    #[test]
    fn a_packet_at_two_places_is_a_mirror() {
        let twice: Vec<_> = (0..8)
            .flat_map(|id| [(id, 10, id as u32), (id, 20, id as u32)])
            .collect();
        assert_eq!(check(&twice), None);
    }

    #[test]
    fn answers_in_another_vlan_that_end_no_asking_are_ignored_ones() {
        let other = IpAddr::from([192, 0, 2, 1]);
        let mut vlans = Vlans::default();
        vlans.asks(HOST, other, Some((10, None)), at(1));
        vlans.answers(HOST, other, Some((20, None)), at(1));
        vlans.asks(HOST, other, Some((10, None)), at(2));
        assert_eq!(vlans.ignored().len(), 0);
        vlans.asks(HOST, other, Some((10, None)), at(3));
        assert_eq!(vlans.ignored().len(), 1);
        vlans.answers(HOST, other, Some((10, None)), at(3));
        assert_eq!(vlans.ignored().len(), 0);
    }

    #[test]
    fn pairs_beyond_the_limit_are_counted() {
        let mut vlans = Vlans::default();
        for number in 0..=u32::try_from(ASKED_MAX).unwrap_or(0) {
            let target = IpAddr::from(number.to_be_bytes());
            vlans.asks(HOST, target, None, at(1));
        }
        assert_eq!(vlans.omitted, 1);
        for number in 0..=u32::try_from(TALKS_MAX).unwrap_or(0) {
            let target = IpAddr::from(number.to_be_bytes());
            let seen = Tagged {
                tag: Some((10, None)),
                macs: (None, None),
                at: at(1),
            };
            vlans.talks(HOST, target, seen);
        }
        assert_eq!(vlans.omitted, 2);
    }
}
