//! Which MACs claim which address, and which address probes were answered.
//!
//! Claims are kept per interface and VLAN, because private addresses repeat from link to link. Of an address that one
//! MAC claims only the last few claims are kept. When a second one does, the claims are kept as turns: what one MAC
//! said in a row to one audience (a host, or everybody). A bond that gives each of its neighbours another of its MACs
//! (balance-alb) never takes turns before one audience; two hosts with one address do.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::requests::Request;
use super::{Mac, Place};
use crate::mark::Mark;
use crate::time::{Nanos, SECOND, Timestamp};

/// A, B, A within this is a conflict.
const ALTERNATION: Nanos = 60 * SECOND;
/// A probe is answered within this, or not at all.
const PROBE_PATIENCE: Nanos = 3 * SECOND;
/// Replies within this of a request answer it.
const REPLY_PATIENCE: Nanos = SECOND;
/// Addresses watched; later ones are not.
const ADDRESSES_MAX: usize = 16_384;
/// Addresses with turns; further ones keep their last claims only.
const CONTESTED_MAX: usize = 1_024;
/// Claims kept of an address with one MAC: the last.
const CLAIMS_MAX: usize = 4;
/// Turns kept of one address: the last, but once they alternate the first.
const TURNS_MAX: usize = 64;
/// Frames kept of one turn.
const MARKS_MAX: usize = 8;
/// A MAC that claims this many IPv4 addresses answers for others (proxy ARP).
const PROXY_V4: usize = 3;
/// The same for IPv6, where every host has several: link-local, stable and temporary ones.
const PROXY_V6: usize = 9;
/// Distance of MACs of one card or one bond: ports of one machine are numbered in a row.
const SIBLING_DISTANCE: u32 = 8;

/// What a claim was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Reply,
    Announcement,
    Solicitation,
    Advertisement,
}

impl Kind {
    const fn role(self) -> &'static str {
        match self {
            Self::Request => "arp-request",
            Self::Reply => "arp-reply",
            Self::Announcement => "announcement",
            Self::Solicitation => "solicitation",
            Self::Advertisement => "advertisement",
        }
    }
}

/// A MAC says that an address is its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) mac: Mac,
    /// Who sent the frame.
    pub(super) by: Option<Mac>,
    /// To whom; `None` for everybody.
    pub(super) audience: Option<Mac>,
    pub(super) kind: Kind,
    pub(super) at: Mark,
    /// The request that it answers.
    pub(super) answers: Option<Mark>,
}

/// How a conflict showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// Several MACs claim the address in turn.
    Alternation,
    /// Who was about to take the address asked first, and was answered.
    ProbeAnswered,
}

/// One address that more than one machine has, or was about to have.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The address.
    pub address: IpAddr,
    /// How it showed.
    pub kind: ConflictKind,
    /// The MACs, in the order in which they were seen; of an answered probe the holder, then the prober.
    pub macs: Vec<Mac>,
    /// The frames, in order, with their roles.
    pub frames: Vec<(Mark, &'static str)>,
    /// Claims by these MACs, those without a kept frame included.
    pub claims: u64,
    /// How often the holder changed.
    pub changes: u64,
    /// The last claim.
    pub last: Mark,
}

#[derive(Clone, Debug)]
struct Turn {
    mac: Mac,
    audience: Option<Mac>,
    first: Mark,
    last: Mark,
    count: u64,
    kept: Vec<(Mark, Kind)>,
    /// The request that its first reply answers.
    answers: Option<Mark>,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    mac: Mac,
    at: Mark,
}

#[derive(Debug, Default)]
struct Address {
    claims: Vec<(Claim, Place)>,
    turns: Vec<Turn>,
    settled: bool,
    request: Option<(Mac, Mark)>,
    probes: Vec<Probe>,
    answered: Vec<(Probe, Claim)>,
}

#[derive(Debug, Default)]
pub(super) struct Claims {
    addresses: HashMap<(u32, Option<u16>, IpAddr), Address>,
    of_mac: HashMap<(Option<u16>, Mac), Vec<IpAddr>>,
    holders: HashMap<IpAddr, Mac>,
    contested: usize,
    omitted: u64,
}

impl Claims {
    fn address(&mut self, place: Place, address: IpAddr) -> Option<&mut Address> {
        let key = (place.interface, place.vlan, address);
        if self.addresses.len() >= ADDRESSES_MAX && !self.addresses.contains_key(&key) {
            self.omitted += 1;
            return None;
        }
        Some(self.addresses.entry(key).or_default())
    }

    /// Somebody who has no address yet asks whether this one is free.
    pub(super) fn probe(&mut self, mac: Mac, address: IpAddr, at: Mark, place: Place) {
        let Some(known) = self.address(place, address) else {
            return;
        };
        if known.probes.len() >= CLAIMS_MAX {
            known.probes.remove(0);
        }
        known.probes.push(Probe { mac, at });
    }

    /// Somebody asks for `request.target`.
    pub(super) fn asked(&mut self, request: &Request) {
        if let Some(known) = self.address(request.place, request.target) {
            let copy = known.request.is_some_and(|(mac, at)| {
                mac == request.mac
                    && request
                        .place
                        .sights(request.at.time, (request.place, at.time))
            });
            if !copy {
                known.request = Some((request.mac, request.at));
            }
        }
    }

    pub(super) fn claim(&mut self, mut claim: Claim, address: IpAddr, place: Place) {
        if self.holders.len() < ADDRESSES_MAX || self.holders.contains_key(&address) {
            self.holders.insert(address, claim.mac);
        }
        if virtual_mac(&claim.mac) {
            return;
        }
        let of_mac = self.of_mac.entry((place.vlan, claim.mac)).or_default();
        if of_mac.len() < PROXY_V6 * 2 && !of_mac.contains(&address) {
            of_mac.push(address);
        }
        let room = self.contested < CONTESTED_MAX;
        let Some(known) = self.address(place, address) else {
            return;
        };
        let copy = |earlier: &(Claim, Place)| {
            earlier.0.mac == claim.mac
                && earlier.0.kind == claim.kind
                && earlier.0.audience == claim.audience
                && place.sights(claim.at.time, (earlier.1, earlier.0.at.time))
        };
        // A frame of one holder that names another: a slip, or a damaged frame, of one station. It is no second one.
        let slip = |(earlier, _): &(Claim, Place)| {
            claim.by == Some(earlier.mac) && earlier.mac != claim.mac
        };
        if known.claims.iter().any(copy) || known.claims.iter().any(slip) {
            return;
        }
        claim.answers = known
            .request
            .filter(|(asker, at)| {
                claim.audience == Some(*asker) && claim.at.time.since(at.time) <= REPLY_PATIENCE
            })
            .map(|(_, at)| at);
        known.answer_probes(&claim);
        let contested = known.take(claim, place, room);
        self.contested += usize::from(contested);
    }

    /// The MAC that claimed `address` last.
    pub(super) fn holder(&self, address: IpAddr) -> Option<Mac> {
        self.holders.get(&address).copied()
    }

    /// The lowest address that `mac` claimed last.
    pub(super) fn address_of(&self, mac: Mac) -> Option<IpAddr> {
        let own = self.holders.iter().filter(|(_, holder)| **holder == mac);
        own.map(|(address, _)| *address).min()
    }

    /// Did anybody claim `address` here?
    pub(super) fn on_link(&self, address: IpAddr) -> bool {
        self.holders.contains_key(&address)
    }

    pub(super) fn omitted(&self) -> u64 {
        self.omitted
    }

    /// Proxy ARP: this MAC answers for others.
    fn proxy(&self, vlan: Option<u16>, mac: Mac) -> bool {
        self.of_mac.get(&(vlan, mac)).is_some_and(|addresses| {
            let v4 = addresses.iter().filter(|address| address.is_ipv4()).count();
            v4 >= PROXY_V4 || addresses.len() - v4 >= PROXY_V6
        })
    }

    pub(super) fn conflicts(&self) -> Vec<Conflict> {
        let mut keys: Vec<_> = self.addresses.iter().collect();
        keys.sort_by_key(|(key, _)| **key);
        let mut by_address: BTreeMap<IpAddr, Conflict> = BTreeMap::new();
        for ((_, vlan, address), known) in keys {
            let honest = |mac: Mac| !self.proxy(*vlan, mac);
            for conflict in [
                known.alternation(*address, &honest),
                known.probed(*address, &honest),
            ]
            .into_iter()
            .flatten()
            {
                by_address
                    .entry(*address)
                    .and_modify(|told| told.join(&conflict))
                    .or_insert(conflict);
            }
        }
        let mut all: Vec<Conflict> = by_address.into_values().collect();
        all.sort_by_key(|conflict| {
            (
                conflict.frames.first().map(|frame| frame.0),
                conflict.address,
            )
        });
        all
    }
}

impl Conflict {
    /// The same address on another interface, or by another sign: what is new of it.
    fn join(&mut self, other: &Self) {
        if self.kind != other.kind {
            self.frames.extend_from_slice(&other.frames);
            self.frames.sort_unstable();
            self.frames.dedup();
            self.claims = self.claims.max(other.claims);
            self.changes = self.changes.max(other.changes);
        }
        for mac in &other.macs {
            if !self.macs.contains(mac) {
                self.macs.push(*mac);
            }
        }
        self.last = self.last.max(other.last);
    }
}

impl Address {
    fn answer_probes(&mut self, claim: &Claim) {
        let about = matches!(
            claim.kind,
            Kind::Reply | Kind::Announcement | Kind::Advertisement
        );
        if let Some(probe) = self
            .probes
            .iter()
            .rev()
            .find(|probe| probe.mac != claim.mac)
            .copied()
            && about
            && claim.audience.is_none_or(|mac| mac == probe.mac)
            && (0..=PROBE_PATIENCE).contains(&claim.at.time.since(probe.at.time))
            && !siblings(&probe.mac, &claim.mac)
            && self.answered.len() < MARKS_MAX
        {
            self.answered.push((probe, *claim));
        }
        self.probes.retain(|probe| probe.mac != claim.mac);
    }

    /// Keeps a claim; true where it is the first of a second MAC.
    fn take(&mut self, claim: Claim, place: Place, room: bool) -> bool {
        let second =
            self.turns.is_empty() && self.claims.iter().any(|(known, _)| known.mac != claim.mac);
        if second && room {
            for (earlier, _) in self.claims.clone() {
                self.turn(&earlier);
            }
        }
        if self.claims.len() >= CLAIMS_MAX {
            self.claims.remove(0);
        }
        self.claims.push((claim, place));
        if !self.turns.is_empty() {
            self.turn(&claim);
        }
        second && room
    }

    fn turn(&mut self, claim: &Claim) {
        let same = self
            .turns
            .iter_mut()
            .rev()
            .find(|turn| turn.audience == claim.audience);
        if let Some(turn) = same.filter(|turn| turn.mac == claim.mac) {
            turn.last = claim.at;
            turn.count += 1;
            if turn.kept.len() < MARKS_MAX {
                turn.kept.push((claim.at, claim.kind));
            }
            return;
        }
        if self.turns.len() >= TURNS_MAX {
            self.settled = self.settled || takes_turns(&self.turns.iter().collect::<Vec<_>>());
            if self.settled {
                if let Some(last) = self.turns.last_mut() {
                    last.count += 1;
                    last.last = claim.at;
                }
                return;
            }
            self.turns.remove(0);
        }
        self.turns.push(Turn {
            mac: claim.mac,
            audience: claim.audience,
            first: claim.at,
            last: claim.at,
            count: 1,
            kept: vec![(claim.at, claim.kind)],
            answers: claim.answers,
        });
    }

    fn alternation(&self, address: IpAddr, honest: &dyn Fn(Mac) -> bool) -> Option<Conflict> {
        let turns: Vec<&Turn> = self.turns.iter().filter(|turn| honest(turn.mac)).collect();
        if !takes_turns(&turns) {
            return None;
        }
        let mut macs: Vec<Mac> = Vec::new();
        let mut frames: Vec<(Mark, &'static str)> = Vec::new();
        for turn in &turns {
            if !macs.contains(&turn.mac) {
                macs.push(turn.mac);
            }
            frames.extend(turn.kept.iter().map(|(at, kind)| (*at, kind.role())));
        }
        frames.sort_unstable();
        Some(Conflict {
            address,
            kind: ConflictKind::Alternation,
            macs,
            frames,
            claims: turns.iter().map(|turn| turn.count).sum(),
            changes: (turns.len() as u64).saturating_sub(1),
            last: turns.iter().map(|turn| turn.last).max()?,
        })
    }

    fn probed(&self, address: IpAddr, honest: &dyn Fn(Mac) -> bool) -> Option<Conflict> {
        let mut macs: Vec<Mac> = Vec::new();
        let mut frames: Vec<(Mark, &'static str)> = Vec::new();
        let mut last = None;
        for (probe, claim) in self.answered.iter().filter(|(_, claim)| honest(claim.mac)) {
            for mac in [claim.mac, probe.mac] {
                if !macs.contains(&mac) {
                    macs.push(mac);
                }
            }
            frames.push((
                probe.at,
                if address.is_ipv4() {
                    "arp-probe"
                } else {
                    "address-probe"
                },
            ));
            frames.push((claim.at, claim.kind.role()));
            last = last.max(Some(claim.at));
        }
        frames.sort_unstable();
        frames.dedup();
        let claims = frames
            .iter()
            .filter(|(_, role)| !role.ends_with("probe"))
            .count() as u64;
        Some(Conflict {
            address,
            kind: ConflictKind::ProbeAnswered,
            macs,
            frames,
            claims,
            changes: 0,
            last: last?,
        })
    }
}

/// Two MACs before one audience: A, B, A within a minute, or both in answer to one request.
fn takes_turns(turns: &[&Turn]) -> bool {
    turns.iter().enumerate().any(|(place, a)| {
        let mut other: Option<&Turn> = None;
        for turn in turns
            .iter()
            .skip(place + 1)
            .filter(|turn| turn.audience == a.audience)
        {
            if within(turn.first.time, a.last.time) && turn.mac == a.mac && other.is_some() {
                return true;
            }
            if turn.mac != a.mac && !siblings(&turn.mac, &a.mac) {
                if turn.answers.is_some() && turn.answers == a.answers {
                    return true;
                }
                other = other.or(Some(turn));
            }
        }
        false
    })
}

fn within(later: Timestamp, earlier: Timestamp) -> bool {
    later.since(earlier) <= ALTERNATION
}

/// MACs that belong to no single machine: VRRP and CARP (RFC 9568 7.3), HSRP, GLBP, Microsoft network load balancing.
pub(super) fn virtual_mac(mac: &Mac) -> bool {
    matches!(
        mac,
        [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _]
            | [0x00, 0x00, 0x0c, 0x07, 0xac, _]
            | [0x00, 0x00, 0x0c, 0x9f, 0xf0..=0xff, _]
            | [0x00, 0x05, 0x73, 0xa0, ..]
            | [0x00, 0x07, 0xb4, ..]
            | [0x02 | 0x03, 0xbf, ..]
    )
}

/// Ports of one machine: same maker, numbers in a row.
pub(super) fn siblings(a: &Mac, b: &Mac) -> bool {
    let ([a0, a1, a2, a3, a4, a5], [b0, b1, b2, b3, b4, b5]) = (*a, *b);
    let (left, right) = (
        u32::from_be_bytes([0, a3, a4, a5]),
        u32::from_be_bytes([0, b3, b4, b5]),
    );
    [a0, a1, a2] == [b0, b1, b2] && left.abs_diff(right) <= SIBLING_DISTANCE
}
