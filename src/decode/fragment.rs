//! IP packets put together from their fragments (RFC 791 3.2, RFC 8200 4.5).
//!
//! Promises: at most `BYTES_MAX` of memory and `AGE_MAX` of the capture's clock for what waits; every datagram given up
//! is counted. Bytes seen first win where fragments overlap, and nothing is believed beyond 65,535 bytes. Copies of
//! fragments (mirrors, several interfaces) change nothing: a datagram comes out once within `COPY_MAX`. A fragment
//! that the snaplen cut yields a datagram whose captured bytes end there, with its length on the wire.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use super::bytes::{len32, upto};
use super::ip::{Ip, extensions};
use super::{Around, Body, Fragment, IpFacts, LinkFacts, Packet, ip};
use crate::time::{Nanos, SECOND, Timestamp};

/// Bytes that may wait, with what remembering them costs.
const BYTES_MAX: usize = 4 << 20;
/// RFC 8200 4.5 gives up after 60 s, Linux after 30.
const AGE_MAX: Nanos = 30 * SECOND;
/// A finished datagram's fragments that come again within this time are copies.
const COPY_MAX: Nanos = SECOND;
/// Finished datagrams remembered for their copies.
const FINISHED_MAX: usize = 4_096;
/// Pieces of one datagram; 65,535 bytes in packets of 576 are 119.
const PIECES_MAX: usize = 512;
/// What a piece or a datagram costs besides its bytes.
const OVERHEAD: usize = 128;
/// RFC 791 3.1: the longest datagram.
const DATAGRAM_MAX: u32 = 65_535;
/// Fragments within reassembled fragments that are followed at once.
const NESTED_MAX: usize = 4;

/// Fragments that wait for the rest of their packets.
#[derive(Debug, Default)]
pub struct Fragments {
    entries: BTreeMap<Key, Entry>,
    /// Waiting datagrams by the order of their first fragments.
    waiting: BTreeMap<u64, Key>,
    /// Finished or refused ones, with the moment of that.
    finished: VecDeque<(Key, Timestamp)>,
    serial: u64,
    bytes: usize,
    dropped: u64,
}

/// What the fragments of one packet share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    id: u32,
    tunnel: u32,
}

#[derive(Debug)]
enum Entry {
    Waiting(Waiting),
    /// Joined or refused: what comes now is a copy or of no use.
    Finished,
}

#[derive(Debug)]
struct Waiting {
    serial: u64,
    since: Timestamp,
    /// Bytes and overhead counted in `Fragments::bytes`.
    cost: usize,
    /// Payload bytes covered.
    covered: u32,
    /// Payload bytes of the whole, once the last fragment was seen.
    total: Option<u32>,
    /// The first fragment's link, header, and bytes of IP header.
    first: Option<(LinkFacts, IpFacts, u32)>,
    /// In order of `start`, never overlapping.
    pieces: Vec<Piece>,
}

/// A run of payload; `bytes` is shorter than the run where the snaplen cut it.
#[derive(Debug)]
struct Piece {
    start: u32,
    end: u32,
    bytes: Vec<u8>,
}

/// A packet put together; it owns its bytes.
#[derive(Clone, Debug)]
pub struct Joined {
    link: LinkFacts,
    ip: IpFacts,
    bytes: Vec<u8>,
    len: u32,
}

impl Joined {
    /// The whole packet, decoded: header of the first fragment with the length of the whole.
    pub fn packet(&self) -> Packet<'_> {
        let len = self.len as usize;
        let payload = upto(&self.bytes, len);
        let mut whole = Ip {
            facts: self.ip,
            payload,
            len,
            fragment: None,
            stopped: None,
        };
        if self.ip.source.is_ipv6() || self.ip.protocol == 51 {
            whole = extensions(whole);
        }
        // How deep the fragments lay is not remembered: each joined packet has used up its tunnels' bytes.
        ip::body(
            whole,
            Around {
                link: self.link,
                ..Around::default()
            },
        )
    }
}

impl Fragments {
    /// Takes one fragment; gives the packet that it completes. Packets that are no fragments are ignored.
    ///
    /// Copies the fragment's payload, and once more when joining.
    pub fn push(&mut self, packet: &Packet<'_>, clock: Timestamp) -> Option<Joined> {
        self.expire(clock);
        let mut joined = self.take(packet, clock)?;
        // A tunnel's fragments may carry fragments.
        for _ in 0..NESTED_MAX {
            let inner = joined.packet();
            if !matches!(inner.body, Body::Fragment(_)) {
                return Some(joined);
            }
            joined = self.take(&inner, clock)?;
        }
        self.dropped += 1;
        None
    }

    /// Packets given up so far: too old, too much waiting, contradictory or too long.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Packets that were never put together, those still waiting included: at the end of a capture, all that is lost.
    pub fn incomplete(&self) -> u64 {
        self.dropped + self.waiting.len() as u64
    }

    fn take(&mut self, packet: &Packet<'_>, clock: Timestamp) -> Option<Joined> {
        let (Body::Fragment(fragment), Some(ip)) = (&packet.body, &packet.ip) else {
            return None;
        };
        let (start, len) = (fragment.offset, fragment.payload_len);
        // RFC 8200 4.5: all but the last are multiples of eight. What is not, or is empty, says nothing.
        if len == 0 || (fragment.more && len % 8 != 0) {
            self.dropped += 1;
            return None;
        }
        let key = Key {
            source: ip.source,
            destination: ip.destination,
            protocol: ip.protocol,
            id: fragment.id,
            tunnel: packet.link.tunnel,
        };
        let end = start.saturating_add(len);
        match self.entries.get(&key) {
            Some(Entry::Finished) => return None,
            Some(Entry::Waiting(_)) => {}
            None => self.open(key, clock),
        }
        let Some(Entry::Waiting(waiting)) = self.entries.get_mut(&key) else {
            return None;
        };
        let before = waiting.cost;
        let taken = end <= DATAGRAM_MAX && waiting.add(packet.link, ip, fragment, end);
        self.bytes = self.bytes + waiting.cost - before;
        if !taken {
            self.dropped += 1;
            self.finish(key, clock);
            return None;
        }
        if waiting.is_whole() {
            let whole = self.finish(key, clock)?;
            return whole.join();
        }
        while self.bytes > BYTES_MAX {
            let Some((_, oldest)) = self.waiting.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            self.dropped += 1;
            self.finish(oldest, clock);
        }
        None
    }

    fn open(&mut self, key: Key, clock: Timestamp) {
        self.serial += 1;
        self.bytes += OVERHEAD;
        self.waiting.insert(self.serial, key);
        self.entries.insert(
            key,
            Entry::Waiting(Waiting {
                serial: self.serial,
                since: clock,
                cost: OVERHEAD,
                covered: 0,
                total: None,
                first: None,
                pieces: Vec::new(),
            }),
        );
    }

    /// Takes a waiting datagram out and remembers that it is done with.
    fn finish(&mut self, key: Key, clock: Timestamp) -> Option<Waiting> {
        if self.finished.len() >= FINISHED_MAX
            && let Some((oldest, _)) = self.finished.pop_front()
        {
            self.entries.remove(&oldest);
        }
        self.finished.push_back((key, clock));
        match self.entries.insert(key, Entry::Finished) {
            Some(Entry::Waiting(waiting)) => {
                self.waiting.remove(&waiting.serial);
                self.bytes = self.bytes.saturating_sub(waiting.cost);
                Some(waiting)
            }
            _ => None,
        }
    }

    /// Gives up a waiting datagram.
    fn forget(&mut self, key: &Key) {
        if let Some(Entry::Waiting(waiting)) = self.entries.remove(key) {
            self.waiting.remove(&waiting.serial);
            self.bytes = self.bytes.saturating_sub(waiting.cost);
            self.dropped += 1;
        }
    }

    fn expire(&mut self, clock: Timestamp) {
        while let Some((key, at)) = self.finished.front().copied()
            && clock.since(at) > COPY_MAX
        {
            self.finished.pop_front();
            self.entries.remove(&key);
        }
        while let Some((_, key)) = self.waiting.first_key_value() {
            let key = *key;
            match self.entries.get(&key) {
                Some(Entry::Waiting(waiting)) if clock.since(waiting.since) <= AGE_MAX => break,
                _ => self.forget(&key),
            }
        }
    }
}

impl Waiting {
    /// Adds what is new in a fragment; false where it contradicts what is known.
    fn add(&mut self, link: LinkFacts, ip: &IpFacts, fragment: &Fragment<'_>, end: u32) -> bool {
        let known = self.pieces.last().map_or(0, |last| last.end);
        match self.total {
            _ if fragment.more => {}
            None if known > end => return false,
            None => self.total = Some(end),
            Some(_) => {}
        }
        if fragment.offset == 0 && self.first.is_none() {
            // An IPv6 fragment header of eight bytes is not part of the whole.
            let extra = if ip.source.is_ipv6() { 8 } else { 0 };
            let header = ip
                .total_len
                .saturating_sub(fragment.payload_len)
                .saturating_sub(extra);
            self.first = Some((link, *ip, header));
        }
        let end = end.min(self.total.unwrap_or(end));
        let mut start = fragment.offset;
        while start < end {
            // The first piece that ends behind `start`: what it covers was seen before.
            let at = self.pieces.partition_point(|piece| piece.end <= start);
            let (next_start, next_end) = self
                .pieces
                .get(at)
                .map_or((end, end), |piece| (piece.start, piece.end));
            let stop = next_start.min(end);
            if start < stop {
                if self.pieces.len() >= PIECES_MAX {
                    return false;
                }
                let bytes = slice(fragment, start, stop).to_vec();
                self.cost += bytes.len() + OVERHEAD;
                self.covered += stop - start;
                self.pieces.insert(
                    at,
                    Piece {
                        start,
                        end: stop,
                        bytes,
                    },
                );
            }
            start = next_end.max(stop);
        }
        true
    }

    fn is_whole(&self) -> bool {
        self.first.is_some() && self.total == Some(self.covered)
    }

    fn join(self) -> Option<Joined> {
        let ((link, mut ip, header), len) = (self.first?, self.total?);
        let mut bytes = Vec::with_capacity(len as usize);
        for piece in &self.pieces {
            bytes.extend_from_slice(&piece.bytes);
            if len32(piece.bytes.len()) < piece.end - piece.start {
                break;
            }
        }
        ip.total_len = header.saturating_add(len);
        Some(Joined {
            link,
            ip,
            bytes,
            len,
        })
    }
}

/// The captured bytes of a fragment from `start` up to `end`, both offsets in the whole.
fn slice<'a>(fragment: &Fragment<'a>, start: u32, end: u32) -> &'a [u8] {
    let from = start.saturating_sub(fragment.offset) as usize;
    let to = end.saturating_sub(fragment.offset) as usize;
    upto(fragment.payload, to).get(from..).unwrap_or(&[])
}
