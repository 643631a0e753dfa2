//! Hosts of the link: who asked for whose MAC address and got no answer, and who claimed which address.
//!
//! Reads ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861, RFC 4862), and from other packets only which MAC
//! carries which address. What is remembered depends on the packets and their order alone. Every list is bounded; what
//! does not fit is counted in `omitted`. Nothing here judges: `failure::network` does.

mod claims;
mod moves;
mod requests;
mod shown;
mod storm;
mod vantage;
mod vlans;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use hashbrown::{HashMap, HashSet};

use self::claims::{Claim, Claims, Kind};
pub use self::claims::{Conflict, ConflictKind};
pub use self::moves::Moved;
use self::moves::{Moves, NO_PAIR};
pub use self::requests::Outage;
use self::requests::{Request, Requests};
pub use self::storm::Burst;
use self::storm::Storms;
pub use self::vantage::Sight;
use self::vantage::Vantage;
use self::vlans::Vlans;
pub use self::vlans::{Flapping, Ignored, Port, Tagged};
use crate::decode::{ArpPacket, Body, IcmpMessage, IpFacts, LinkFacts, Packet};
use crate::flow::key::{fold, words};
use crate::mark::Mark;
use crate::time::{MILLISECOND, SECOND, Timestamp};

/// An Ethernet address.
pub type Mac = [u8; 6];

/// Addresses whose first packet is remembered; later ones are as if never talked to.
const HOSTS_MAX: usize = 65_536;
/// MACs of which the addresses that they carry are remembered; later ones are never taken for a gateway.
const CARRIERS_MAX: usize = 16_384;
/// Addresses remembered of one carrier: enough to tell a router from a host.
const CARRIED_MAX: usize = 4;
/// Routers that announced themselves.
const ROUTERS_MAX: usize = 256;
/// Pairs of hosts known to have nothing new to tell: 384 KiB of fingerprints, so that most packets cost one comparison
/// and leave their time.
const FAMILIAR: usize = 16_384;

/// What is remembered of the hosts on the link.
#[derive(Debug, Default)]
pub struct Neighbours {
    familiar: Vec<Familiar>,
    hosts: HashMap<IpAddr, Timestamp>,
    carried: HashMap<Mac, Vec<IpAddr>>,
    routers: HashSet<IpAddr>,
    vantage: Vantage,
    requests: Requests,
    claims: Claims,
    moves: Moves,
    storms: Storms,
    vlans: Vlans,
    omitted: u64,
}

/// Frame ends and hosts that were seen: their fingerprint, when they last were, and the pair of MAC and source address.
#[derive(Clone, Copy, Debug, Default)]
struct Familiar {
    fingerprint: u64,
    last: Timestamp,
    pair: u32,
}

/// Where a copy of a packet was seen: two copies at two places are one packet (rule 6 of the catalogue).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    interface: u32,
    vlan: Option<u16>,
    source: Option<Mac>,
}

impl Place {
    fn of(link: &LinkFacts, interface: u32) -> Self {
        Self {
            interface,
            vlan: link.vlan,
            source: link.source,
        }
    }

    /// Is a packet here at `at` a further sighting of the equal one at `earlier`? At another place within a second; at
    /// the same place within two milliseconds, as a switch that mirrors both of its ports writes it.
    fn sights(self, at: Timestamp, earlier: (Self, Timestamp)) -> bool {
        let within = if self == earlier.0 {
            2 * MILLISECOND
        } else {
            SECOND
        };
        at.since(earlier.1).abs() < within
    }
}

/// The ends of a frame and of its packet in a few multiplications: every packet is asked for them.
fn fingerprint(ip: &IpFacts, link: &LinkFacts, interface: u32) -> u64 {
    let mac = |mac: Option<[u8; 6]>, before: u16| {
        let ([x, y], [a, b, c, d, e, f]) = (before.to_be_bytes(), mac.unwrap_or_default());
        u64::from_be_bytes([x, y, a, b, c, d, e, f])
    };
    let vlan = link.vlan.map_or(0, |vlan| vlan | 0x8000);
    let source = mac(link.source, u16::from(link.source.is_some()));
    let place = u64::from(link.tunnel) << 32 | u64::from(interface);
    let frame = [source, mac(link.destination, vlan), place]
        .into_iter()
        .fold(0, |print, word| fold(print ^ word));
    match (ip.source, ip.destination) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            fold(frame ^ (u64::from(u32::from(from)) << 32 | u64::from(u32::from(to))))
        }
        (from, to) => words(from)
            .into_iter()
            .chain(words(to))
            .fold(frame ^ 1, |print, word| fold(print ^ word)),
    }
}

impl Neighbours {
    /// A packet with an IP header, whatever it carries. Costs one hash and one comparison where the same frame ends and
    /// hosts were seen before.
    pub fn on_host(&mut self, ip: &IpFacts, link: &LinkFacts, at: Mark, interface: u32) {
        self.requests.heard(ip.source, at);
        if link.destination.is_some() {
            let moves = &self.moves;
            let before = |port, mac| moves.knows(port, mac, ip.source);
            self.vlans
                .on_packet(ip, Place::of(link, interface), before, at);
        }
        let fingerprint = fingerprint(ip, link, interface);
        if self.familiar.is_empty() {
            self.familiar.resize(FAMILIAR, Familiar::default());
        }
        match self
            .familiar
            .get_mut((fingerprint >> 32) as usize % FAMILIAR)
        {
            Some(known) if known.fingerprint == fingerprint => known.last = at.time,
            Some(known) => {
                let old = std::mem::replace(
                    known,
                    Familiar {
                        fingerprint,
                        last: at.time,
                        pair: NO_PAIR,
                    },
                );
                self.moves.seen(old.pair, old.last);
                self.host(ip, link, at, interface);
                let pair = self.pair(ip.source, link, at, interface);
                if let Some(known) = self
                    .familiar
                    .get_mut((fingerprint >> 32) as usize % FAMILIAR)
                {
                    known.pair = pair;
                }
            }
            None => {}
        }
    }

    /// The MAC that sends packets of this address, by its number.
    fn pair(&mut self, source: IpAddr, link: &LinkFacts, at: Mark, interface: u32) -> u32 {
        let mac = link.source.filter(individual);
        match mac.filter(|_| unicast(source) && !source.is_loopback() && link.tunnel == 0) {
            Some(mac) => self.moves.note((interface, link.vlan), mac, source, at),
            None => NO_PAIR,
        }
    }

    fn host(&mut self, ip: &IpFacts, link: &LinkFacts, at: Mark, interface: u32) {
        if !unicast(ip.source) || ip.source.is_loopback() {
            return;
        }
        self.talked(ip.source, at.time);
        if !unicast(ip.destination) {
            return;
        }
        self.talked(ip.destination, at.time);
        // Inside a tunnel the addresses are not those of the frame's ends.
        if link.tunnel == 0 {
            let seen = Tagged {
                tag: link.tag(),
                macs: (link.source, link.destination),
                at,
            };
            self.vlans.talks(ip.source, ip.destination, seen);
            self.vantage.on_unicast(
                (link.source, ip.source),
                (link.destination, ip.destination),
                interface,
            );
            self.carries(link.source, ip.source);
            self.carries(link.destination, ip.destination);
        }
    }

    /// An ARP packet, a neighbour solicitation or advertisement, or a router advertisement.
    pub fn on_packet(&mut self, packet: &Packet<'_>, at: Mark, interface: u32) {
        match (&packet.body, &packet.ip) {
            (Body::Arp(arp), _) => self.on_arp(arp, &packet.link, at, interface),
            (Body::Icmp(message), Some(ip)) if message.v6 => {
                self.on_icmp(message, ip, &packet.link, at, interface)
            }
            _ => {}
        }
    }

    fn on_arp(&mut self, arp: &ArpPacket, link: &LinkFacts, at: Mark, interface: u32) {
        let (sender, target) = (IpAddr::V4(arp.sender_ip), IpAddr::V4(arp.target_ip));
        let to = link
            .destination
            .or((arp.operation == 2).then_some(arp.target_mac))
            .filter(individual);
        if to.is_some() {
            // Without a destination in the link header the addresses stand for the hosts, as in other packets.
            let named = |mac: Option<Mac>| mac.filter(|_| link.destination.is_some());
            self.vantage.on_unicast(
                (named(Some(arp.sender_mac)), sender),
                (named(to), target),
                interface,
            );
        }
        let place = Place::of(link, interface);
        if to.is_none() {
            self.storms.on_broadcast(arp, place, at);
        }
        match arp.operation {
            1 => self.vlans.asks(sender, target, link.tag(), at),
            2 => self.vlans.answers(target, sender, link.tag(), at),
            _ => {}
        }
        let kind = match arp.operation {
            1 if sender == target => Kind::Announcement,
            1 => Kind::Request,
            2 if to.is_none() => Kind::Announcement,
            2 => Kind::Reply,
            _ => return,
        };
        if arp.sender_ip.is_unspecified() {
            // RFC 5227 2.1.1: a probe is broadcast; switches that watch their hosts ask them with frames of their own.
            if kind == Kind::Request && to.is_none() {
                self.claims.probe(arp.sender_mac, target, at, place);
            }
            return;
        }
        self.requests.heard(sender, at);
        self.claim(
            Claim {
                mac: arp.sender_mac,
                by: link.source,
                audience: to,
                kind,
                at,
                answers: None,
            },
            sender,
            place,
        );
        if kind == Kind::Request && unicast(target) {
            self.ask(Request {
                asker: sender,
                mac: arp.sender_mac,
                target,
                at,
                place,
            });
        }
    }

    fn on_icmp(
        &mut self,
        message: &IcmpMessage<'_>,
        ip: &IpFacts,
        link: &LinkFacts,
        at: Mark,
        interface: u32,
    ) {
        let (to, place) = (
            link.destination.filter(individual),
            Place::of(link, interface),
        );
        if to.is_some() {
            self.vantage
                .on_unicast((link.source, ip.source), (to, ip.destination), interface);
        }
        if message.kind == ROUTER_ADVERTISEMENT && self.routers.len() < ROUTERS_MAX {
            self.routers.insert(ip.source);
        }
        // RFC 4861 7.1: anything with another hop limit came over a router.
        let Some(neighbour) = message.neighbour.filter(|_| ip.ttl == 255) else {
            return;
        };
        let mac = neighbour.mac.or(link.source);
        if message.kind == SOLICITATION && ip.source.is_unspecified() {
            if let Some(mac) = mac {
                self.claims.probe(mac, neighbour.target, at, place);
            }
            return;
        }
        self.requests.heard(ip.source, at);
        match (message.kind, mac) {
            (SOLICITATION, Some(mac)) => {
                let claim = Claim {
                    mac,
                    by: link.source,
                    audience: to,
                    kind: Kind::Solicitation,
                    at,
                    answers: None,
                };
                self.claim(claim, ip.source, place);
                if unicast(neighbour.target) {
                    self.ask(Request {
                        asker: ip.source,
                        mac,
                        target: neighbour.target,
                        at,
                        place,
                    });
                }
            }
            (ADVERTISEMENT, mac) => {
                self.requests.heard(neighbour.target, at);
                // RFC 4861 7.2.8: who answers in another's name leaves the override bit clear.
                if let Some(mac) = mac.filter(|_| neighbour.overrides || neighbour.mac.is_none()) {
                    let claim = Claim {
                        mac,
                        by: link.source,
                        audience: to,
                        kind: Kind::Advertisement,
                        at,
                        answers: None,
                    };
                    self.claim(claim, neighbour.target, place);
                }
            }
            _ => {}
        }
    }

    fn claim(&mut self, claim: Claim, address: IpAddr, place: Place) {
        if unicast(address) && individual(&claim.mac) {
            let link = (place.interface, place.vlan);
            self.moves.note(link, claim.mac, address, claim.at);
            self.claims.claim(claim, address, place);
        }
    }

    fn ask(&mut self, request: Request) {
        self.claims.asked(&request);
        self.requests.ask(request);
    }

    fn talked(&mut self, address: IpAddr, time: Timestamp) {
        if self.hosts.len() < HOSTS_MAX {
            let first = self.hosts.entry(address).or_insert(time);
            *first = time.min(*first);
        } else if let Some(first) = self.hosts.get_mut(&address) {
            *first = time.min(*first);
        } else {
            self.omitted += 1;
        }
    }

    fn carries(&mut self, mac: Option<Mac>, address: IpAddr) {
        let Some(mac) = mac.filter(individual) else {
            return;
        };
        if self.carried.len() >= CARRIERS_MAX && !self.carried.contains_key(&mac) {
            self.omitted += 1;
            return;
        }
        let known = self.carried.entry(mac).or_default();
        if known.len() < CARRIED_MAX && !known.contains(&address) {
            known.push(address);
        }
    }

    /// Addresses that were asked for in vain, sorted by time: at least three times within ten seconds by one asker.
    pub fn outages(&self) -> Vec<Outage> {
        self.requests.outages()
    }

    /// Addresses that more than one MAC claimed, or that were probed for and are held, sorted by time.
    pub fn conflicts(&self) -> Vec<Conflict> {
        self.claims.conflicts()
    }

    /// Addresses of this link, and routers, that passed once from one MAC to another, by time.
    pub fn moved(&mut self) -> Vec<Moved> {
        for known in std::mem::take(&mut self.familiar) {
            self.moves.seen(known.pair, known.last);
        }
        self.moves.moved(&|address| self.claims.holder(address))
    }

    /// An address of this link that `mac` claimed last, the lowest.
    pub fn address_of(&self, mac: Mac) -> Option<IpAddr> {
        self.claims.address_of(mac)
    }

    /// Would an answer of `target` to `asker` have been seen? Frames to the asker's MAC are in the capture, and not
    /// only because the capture was taken at one other host that it talks to.
    pub fn sight(&self, asker: (Mac, IpAddr), target: IpAddr) -> Sight {
        self.vantage
            .sight(asker, (self.claims.holder(target), target))
    }

    /// Did `address` send or get an IP packet up to `time`?
    pub fn talked_to(&self, address: IpAddr, time: Timestamp) -> bool {
        self.hosts.get(&address).is_some_and(|first| *first <= time)
    }

    /// Is `address` known as a gateway: it announced itself as a router, or its MAC carries packets of hosts that are
    /// not on this link?
    pub fn forwards(&self, address: IpAddr) -> bool {
        let carries_others = || {
            let mac = self.claims.holder(address)?;
            let carried = self.carried.get(&mac)?;
            Some(
                carried
                    .iter()
                    .any(|other| !self.claims.on_link(*other) && !near(*other, address)),
            )
        };
        self.routers.contains(&address) || carries_others().unwrap_or(false)
    }

    /// What did not fit the limits.
    pub fn omitted(&self) -> u64 {
        self.omitted
            + self.requests.omitted()
            + self.claims.omitted()
            + self.moves.omitted
            + self.storms.omitted
            + self.vlans.omitted
    }
}

const ROUTER_ADVERTISEMENT: u8 = 134;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// An address of one host.
fn unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    }
}

/// A MAC of one card.
fn individual(mac: &Mac) -> bool {
    matches!(mac, [first, ..] if first & 1 == 0) && *mac != [0; 6]
}

/// In one /24 or /64, or another family: no sign of a router between them.
fn near(a: IpAddr, b: IpAddr) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u32::from(a) >> 8 == u32::from(b) >> 8,
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            a.is_unicast_link_local()
                || b.is_unicast_link_local()
                || u128::from(a) >> 64 == u128::from(b) >> 64
        }
        _ => true,
    }
}
