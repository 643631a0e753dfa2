//! Connections by QUIC: who tried one, what it was for, and whether anything came back.
//!
//! A try begins with an Initial of the client that opens (`protocol::quic`); nothing else is taken for QUIC, on any port.
//! One that the snaplen cut cannot be opened: it is believed on port 443, and has no name. Whatever comes back from the
//! server is an answer, also a Retry, the versions it speaks instead, or a refusal. Every list is bounded; what does not
//! fit is counted in `omitted`. Nothing here judges: `failure::quic` does.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::mark::Mark;
use crate::protocol::quic::initial::{self, Frame, Sender};
use crate::protocol::quic::{self, Gather, Kind, Long, Packet, Version};
use crate::protocol::tls::ClientHello;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// Tries followed at once: about 600 bytes each, up to 8 KiB more while a ClientHello is put together.
const OPEN_MAX: usize = 2_048;
/// Tries kept that ended without an answer: the first ones.
const ENDED_MAX: usize = 1_024;
/// Frames kept of one try: the first ones, and the last.
const MARKS_MAX: usize = 8;
/// Initials of one flight, and further sightings of one, are this close to each other.
const FLIGHT: Nanos = 100 * MILLISECOND;
/// A try is over when its client has been silent for so long (RFC 9308 3.2: no middlebox keeps it much longer either).
const IDLE: Nanos = 120 * SECOND;
/// The port of a try that cannot be opened.
const HTTPS: u16 = 443;

/// An address and port.
pub type End = (IpAddr, u16);

/// One try of a client.
#[derive(Clone, Debug)]
pub struct Try {
    /// Who.
    pub client: End,
    /// Whom.
    pub server: End,
    /// The version of the last Initial.
    pub version: Version,
    /// The name in the ClientHello.
    pub name: Option<String>,
    /// The application protocols in it (`h3`).
    pub alpn: Vec<String>,
    /// The first frames of the client, and the last: one of each flight.
    pub marks: Vec<Mark>,
    /// Flights of the client, the first included.
    pub sent: u32,
    /// The client's last frame.
    pub last: Mark,
    /// The first frame of the server.
    pub answered: Option<Mark>,
    /// The client went on as if it had been answered: the way back is not in the capture.
    pub went_on: bool,
    /// The server asked for a proof of the client's address.
    pub retry: bool,
    /// The server does not speak the version.
    pub negotiated: bool,
    /// The server refused it with this error code (RFC 9000 20.1), in clear enough to be read.
    pub refused: Option<(Mark, u64)>,
    /// "Unreachable" came back by ICMP.
    pub icmp: Option<Mark>,
    chosen: Vec<u8>,
    /// The client has to begin anew, with another connection id or version.
    anew: bool,
    gather: Option<Box<Gather>>,
}

impl Try {
    /// Nothing came of it, as far as the capture shows.
    pub const fn unanswered(&self) -> bool {
        self.answered.is_none() && !self.went_on
    }

    /// The first frame.
    pub fn first(&self) -> Mark {
        self.marks.first().copied().unwrap_or(self.last)
    }
}

/// All tries of a run.
#[derive(Debug, Default)]
pub struct Tries {
    /// By client and server. In order, so that what is told does not depend on hashing.
    open: BTreeMap<(End, End), Try>,
    ended: Vec<Try>,
    /// Tries that were answered and are followed no longer.
    answered: u64,
    omitted: u64,
}

impl Tries {
    /// A datagram; `len` is its payload's length on the wire.
    pub fn on_datagram(&mut self, from: End, to: End, payload: &[u8], len: usize, at: Mark) {
        if !self.open.is_empty() {
            if let Some(known) = self.open.get_mut(&(to, from)) {
                known.on_answer(payload, at);
                return;
            }
            if let Some(known) = self.open.get_mut(&(from, to)) {
                if at.time.since(known.last.time) <= IDLE {
                    known.on_more(payload, at);
                    return;
                }
                let over = self.open.remove(&(from, to));
                over.into_iter().for_each(|known| self.end(known));
            }
        }
        if quic::begins(payload) {
            self.begin(from, to, payload, len, at);
        }
    }

    fn begin(&mut self, client: End, server: End, payload: &[u8], len: usize, at: Mark) {
        let Some(Packet::Long(packet)) = quic::packets(payload).next() else {
            return;
        };
        let opened = initial::open(&packet, packet.to, Sender::Client).is_some();
        let cut = !packet.whole && len > payload.len() && server.1 == HTTPS;
        if !opened && !cut {
            return;
        }
        self.make_room(at.time);
        if self.open.len() >= OPEN_MAX {
            self.omitted += 1;
            return;
        }
        let mut new = Try {
            client,
            server,
            version: packet.version,
            name: None,
            alpn: Vec::new(),
            marks: vec![at],
            sent: 1,
            last: at,
            answered: None,
            went_on: false,
            retry: false,
            negotiated: false,
            refused: None,
            icmp: None,
            chosen: packet.to.to_vec(),
            anew: false,
            gather: opened.then(Box::default),
        };
        new.read(payload);
        self.open.insert((client, server), new);
    }

    /// Full: tries that are over give way.
    fn make_room(&mut self, now: Timestamp) {
        if self.open.len() < OPEN_MAX {
            return;
        }
        let over = |known: &Try| {
            let silent = now.since(known.last.time);
            silent > IDLE || (!known.unanswered() && silent > SECOND)
        };
        let gone: Vec<_> = self
            .open
            .extract_if(.., |_, known| over(known))
            .map(|(_, known)| known)
            .collect();
        gone.into_iter().for_each(|known| self.end(known));
    }

    fn end(&mut self, mut known: Try) {
        known.gather = None;
        if !known.unanswered() {
            self.answered += 1;
        } else if self.ended.len() < ENDED_MAX {
            self.ended.push(known);
        } else {
            self.omitted += 1;
        }
    }

    /// "Unreachable" about a datagram from `source` to `destination`.
    pub fn on_unreachable(&mut self, source: End, destination: End, at: Mark) {
        if let Some(known) = self.open.get_mut(&(source, destination)) {
            known.icmp.get_or_insert(at);
        }
    }

    /// Forgets what ended before `time`.
    pub fn forget_before(&mut self, time: Timestamp) {
        self.open.retain(|_, known| known.last.time >= time);
        self.ended.retain(|known| known.last.time >= time);
    }

    /// Tries without an answer, by their first frame.
    pub fn unanswered(&self) -> Vec<&Try> {
        let open = self.open.values().filter(|known| known.unanswered());
        let mut all: Vec<&Try> = self.ended.iter().chain(open).collect();
        all.sort_by_key(|known| (known.first(), known.client, known.server));
        all
    }

    /// How many were answered.
    pub fn answered(&self) -> u64 {
        let open = self.open.values().filter(|known| !known.unanswered());
        self.answered + open.count() as u64
    }

    /// What did not fit.
    pub const fn omitted(&self) -> u64 {
        self.omitted
    }
}

impl Try {
    /// Another datagram of the client.
    fn on_more(&mut self, payload: &[u8], at: Mark) {
        if at.time.since(self.last.time) >= FLIGHT {
            self.sent = self.sent.saturating_add(1);
            if self.marks.len() >= MARKS_MAX {
                self.marks.pop();
            }
            self.marks.push(at);
        }
        self.last = at;
        // An answer that was captured settles it; nothing needs to be read any more.
        if self.answered.is_none() {
            self.went_on |= quic::packets(payload).any(|packet| match packet {
                Packet::Short => true,
                Packet::Long(long) => long.kind == Kind::Handshake,
                Packet::Negotiation(_) => false,
            });
        }
        if self.gather.is_some() || self.anew {
            self.read(payload);
        }
    }

    /// Reads on in the ClientHello.
    fn read(&mut self, payload: &[u8]) {
        for packet in quic::packets(payload) {
            if let Packet::Long(packet) = packet
                && packet.kind == Kind::Initial
            {
                self.read_packet(&packet);
            }
        }
    }

    fn read_packet(&mut self, packet: &Long<'_>) {
        let mut opened = initial::open(packet, &self.chosen, Sender::Client);
        if opened.is_none() && self.anew {
            opened = initial::open(packet, packet.to, Sender::Client);
            if opened.is_some() {
                self.chosen = packet.to.to_vec();
                self.anew = false;
                self.gather = self.name.is_none().then(Box::default);
            }
        }
        let Some(opened) = opened else { return };
        self.version = packet.version;
        let Some(gather) = &mut self.gather else {
            return;
        };
        let mut hello = None;
        for frame in opened.frames() {
            if let Frame::Crypto(offset, piece) = frame {
                hello = hello.or_else(|| gather.add(offset, piece));
            }
        }
        if let Some(hello) = hello {
            self.named(hello);
        }
    }

    fn named(&mut self, hello: ClientHello) {
        self.name = hello.sni;
        self.alpn = hello.alpn;
        self.gather = None;
    }

    /// Nothing that this datagram says could change what is known.
    fn settled(&self, payload: &[u8]) -> bool {
        let short = payload.first().is_some_and(|first| first & 0x80 == 0);
        self.answered.is_some() && (short || self.refused.is_some())
    }

    /// A datagram of the server.
    fn on_answer(&mut self, payload: &[u8], at: Mark) {
        if self.settled(payload) {
            return;
        }
        self.answered.get_or_insert(at);
        for packet in quic::packets(payload) {
            match packet {
                Packet::Negotiation(_) => (self.negotiated, self.anew) = (true, true),
                Packet::Long(long) if long.kind == Kind::Retry => {
                    (self.retry, self.anew) = (true, true);
                }
                Packet::Long(long) if long.kind == Kind::Initial && self.refused.is_none() => {
                    let opened = initial::open(&long, &self.chosen, Sender::Server);
                    let code = opened.and_then(|opened| {
                        opened.frames().find_map(|frame| match frame {
                            Frame::Close(code, _) => Some(code),
                            Frame::Crypto(..) => None,
                        })
                    });
                    self.refused = code.map(|code| (at, code));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
