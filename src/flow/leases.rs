//! Hosts that ask for an address by DHCP: who is never offered one, and who is told no.
//!
//! A client that is offered an address asks for it by broadcast (RFC 2131 3.1), so its repeated discovers prove by
//! themselves that no usable offer reached it, wherever the capture was taken. Bounded; what does not fit is counted.

use std::net::{IpAddr, Ipv4Addr};

use hashbrown::HashMap;

use crate::decode::LinkFacts;
use crate::flow::neighbours::Mac;
use crate::mark::Mark;
use crate::protocol::dhcp::{self, kind, kind6};
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// Clients remembered; further ones are not followed.
const CLIENTS_MAX: usize = 4_096;
/// Refusals kept.
const NAKS_MAX: usize = 512;
/// Frames kept of one client's asking: the first ones, and the last.
const MARKS_MAX: usize = 8;
/// The same question again within this is a further sighting.
const SIGHTING: Nanos = 400 * MILLISECOND;
/// A pause after which a client begins anew.
const PAUSE: Nanos = 180 * SECOND;

/// A client that asks for an address.
#[derive(Clone, Debug)]
pub struct Unserved {
    /// Its hardware address.
    pub mac: Mac,
    /// DHCPv6.
    pub v6: bool,
    /// Its own address, where it has one to ask from.
    pub address: Option<IpAddr>,
    /// The relay that forwards for it.
    pub relay: Option<IpAddr>,
    /// It was heard itself, not by its relay alone.
    pub near: bool,
    /// Questions since it was last offered something.
    pub sent: u32,
    /// The first of them, and the last.
    pub marks: Vec<Mark>,
}

/// A client that was told no.
#[derive(Clone, Copy, Debug)]
pub struct Nak {
    /// Its hardware address.
    pub mac: Mac,
    /// The server.
    pub server: IpAddr,
    /// What it had asked for.
    pub requested: Option<Ipv4Addr>,
    /// Its request.
    pub request: Option<Mark>,
    /// The refusal.
    pub at: Mark,
    /// When it was given an address afterwards.
    pub mended: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Client {
    asking: Unserved,
    /// The last request, and the address that it is for.
    request: Option<(Mark, Option<Ipv4Addr>)>,
}

/// The clients of a capture.
#[derive(Debug, Default)]
pub struct Leases {
    clients: HashMap<(Mac, bool), Client>,
    ended: Vec<Unserved>,
    naks: Vec<Nak>,
    omitted: u64,
}

impl Leases {
    /// A datagram of the ports of DHCP or DHCPv6.
    pub fn on_datagram(
        &mut self,
        ends: (IpAddr, IpAddr),
        payload: &[u8],
        link: &LinkFacts,
        at: Mark,
    ) {
        if ends.0.is_ipv4() {
            if let Some(message) = dhcp::parse(payload) {
                self.on_message(ends.0, &message, at);
            }
        } else if let Some((kind, _)) = dhcp::parse6(payload) {
            self.on_message6(ends, kind, link, at);
        }
    }

    fn on_message(&mut self, from: IpAddr, message: &dhcp::Message, at: Mark) {
        let relay = Ipv4Addr::from(message.relay);
        let asks = Unserved {
            mac: message.client,
            v6: false,
            address: None,
            relay: (!relay.is_unspecified()).then_some(IpAddr::V4(relay)),
            near: relay.is_unspecified(),
            sent: 1,
            marks: vec![at],
        };
        let key = (message.client, false);
        match message.kind {
            kind::DISCOVER => self.asks(asks),
            kind::OFFER | kind::REQUEST | kind::ACK => {
                if let Some(client) = self.clients.get_mut(&key) {
                    client.asking.sent = 0;
                    client.asking.marks.clear();
                } else if message.kind == kind::REQUEST {
                    self.asks(Unserved {
                        sent: 0,
                        marks: Vec::new(),
                        ..asks
                    });
                }
                if message.kind == kind::REQUEST
                    && let Some(client) = self.clients.get_mut(&key)
                {
                    client.request = Some((at, message.requested.map(Ipv4Addr::from)));
                }
                if message.kind == kind::ACK {
                    let own = self.naks.iter_mut().filter(|nak| nak.mac == message.client);
                    own.for_each(|nak| nak.mended = nak.mended.or(Some(at.time)));
                }
            }
            kind::NAK => self.refused(from, message, at),
            _ => {}
        }
    }

    fn refused(&mut self, from: IpAddr, message: &dhcp::Message, at: Mark) {
        let request = self
            .clients
            .get(&(message.client, false))
            .and_then(|client| client.request);
        let server = message
            .server
            .map_or(from, |ip| IpAddr::from(Ipv4Addr::from(ip)));
        let again = |nak: &Nak| {
            let sighting = at.time.since(nak.at.time) < SIGHTING;
            nak.mac == message.client && (sighting || nak.request == request.map(|(at, _)| at))
        };
        if self.naks.iter().any(again) {
            return;
        }
        if self.naks.len() >= NAKS_MAX {
            self.omitted += 1;
            return;
        }
        self.naks.push(Nak {
            mac: message.client,
            server,
            requested: request.and_then(|(_, requested)| requested),
            request: request.map(|(at, _)| at),
            at,
            mended: None,
        });
    }

    fn on_message6(&mut self, ends: (IpAddr, IpAddr), kind: u8, link: &LinkFacts, at: Mark) {
        match kind {
            kind6::SOLICIT => {
                if let Some(mac) = link.source {
                    self.asks(Unserved {
                        mac,
                        v6: true,
                        address: Some(ends.0),
                        relay: None,
                        near: true,
                        sent: 1,
                        marks: vec![at],
                    });
                }
            }
            kind6::ADVERTISE | kind6::REPLY | kind6::REQUEST => {
                let client = if kind == kind6::REQUEST {
                    ends.0
                } else {
                    ends.1
                };
                for known in self.clients.values_mut() {
                    if known.asking.address == Some(client) {
                        known.asking.sent = 0;
                        known.asking.marks.clear();
                    }
                }
            }
            _ => {}
        }
    }

    fn asks(&mut self, asks: Unserved) {
        let key = (asks.mac, asks.v6);
        if self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&key) {
            self.omitted += 1;
            return;
        }
        let known = self.clients.entry(key).or_insert_with(|| Client {
            asking: Unserved {
                sent: 0,
                marks: Vec::new(),
                ..asks.clone()
            },
            request: None,
        });
        let (Some(&at), known) = (asks.marks.first(), &mut known.asking) else {
            return;
        };
        known.near |= asks.near;
        let since = known.marks.last().map(|last| at.time.since(last.time));
        if since.is_some_and(|since| since < SIGHTING) {
            return;
        }
        if since.is_some_and(|since| since > PAUSE) {
            if known.sent >= 3 && self.ended.len() < NAKS_MAX {
                self.ended.push(known.clone());
            }
            *known = asks;
            return;
        }
        known.sent += 1;
        known.relay = asks.relay.or(known.relay);
        if known.marks.len() >= MARKS_MAX {
            known.marks.pop();
        }
        known.marks.push(at);
    }

    /// Clients that asked and were not offered anything since, by first question.
    pub fn unserved(&self) -> Vec<&Unserved> {
        let open = self.clients.values().map(|client| &client.asking);
        let mut all: Vec<&Unserved> = self
            .ended
            .iter()
            .chain(open)
            .filter(|asking| asking.sent > 0)
            .collect();
        all.sort_by_key(|asking| (asking.marks.first().copied(), asking.mac, asking.v6));
        all
    }

    /// Refusals, as they came.
    pub fn naks(&self) -> &[Nak] {
        &self.naks
    }

    /// Forgets what ended before `time`.
    pub fn forget_before(&mut self, time: Timestamp) {
        let recent = |marks: &[Mark]| marks.last().is_some_and(|last| last.time >= time);
        self.clients.retain(|_, client| {
            recent(&client.asking.marks) || client.request.is_some_and(|(at, _)| at.time >= time)
        });
        self.ended.retain(|asking| recent(&asking.marks));
        self.naks.retain(|nak| nak.at.time >= time);
    }

    /// What did not fit the limits.
    pub const fn omitted(&self) -> u64 {
        self.omitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Second, message type, last byte of the client's MAC; gives (client, questions) of the unserved, and refusals
    /// with whether they were mended.
    fn check(messages: &[(i64, u8, u8)]) -> (Vec<(u8, u32)>, Vec<bool>) {
        let mut leases = Leases::default();
        for ((second, kind, last), frame) in messages.iter().zip(1..) {
            let message = dhcp::Message {
                kind: *kind,
                transaction: 7,
                secs: 0,
                client: [2, 0, 0, 0, 0, *last],
                yours: [0; 4],
                relay: [0; 4],
                requested: None,
                server: None,
            };
            let at = Mark {
                time: Timestamp::from_ns(second * SECOND),
                frame,
                ..Mark::default()
            };
            leases.on_message(IpAddr::from([0, 0, 0, 0]), &message, at);
        }
        let unserved = leases.unserved();
        let unserved = unserved.iter().map(|asking| (asking.mac[5], asking.sent));
        let naks = leases.naks().iter().map(|nak| nak.mended.is_some());
        (unserved.collect(), naks.collect())
    }

    #[test]
    fn discovers_without_an_offer_are_counted() {
        let asked = [
            (1, kind::DISCOVER, 9),
            (4, kind::DISCOVER, 9),
            (11, kind::DISCOVER, 9),
        ];
        assert_eq!(check(&asked).0, [(9, 3)]);
    }

    #[test]
    fn an_offer_or_the_clients_own_request_ends_them() {
        let offered = [
            (1, kind::DISCOVER, 9),
            (4, kind::DISCOVER, 9),
            (4, kind::OFFER, 9),
        ];
        assert_eq!(check(&offered).0, []);
        let asks = [
            (1, kind::DISCOVER, 9),
            (4, kind::DISCOVER, 9),
            (4, kind::REQUEST, 9),
        ];
        assert_eq!(check(&asks).0, []);
    }

    #[test]
    fn a_refusal_is_mended_by_the_next_address() {
        let refused = [(1, kind::REQUEST, 9), (1, kind::NAK, 9)];
        assert_eq!(check(&refused).1, [false]);
        let mended = [(1, kind::REQUEST, 9), (1, kind::NAK, 9), (2, kind::ACK, 9)];
        assert_eq!(check(&mended).1, [true]);
    }

    #[test]
    fn clients_beyond_the_limit_are_counted() {
        let mut leases = Leases::default();
        for number in 0..=u32::try_from(CLIENTS_MAX).unwrap_or(0) {
            let [a, b, c, d] = number.to_be_bytes();
            leases.asks(Unserved {
                mac: [2, 0, a, b, c, d],
                v6: false,
                address: None,
                relay: None,
                near: true,
                sent: 1,
                marks: vec![Mark::default()],
            });
        }
        assert_eq!(leases.omitted(), 1);
    }
}
