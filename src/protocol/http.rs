//! HTTP of whatever version a connection speaks: HTTP/1, HTTP/2 from its first byte, or one that becomes the other.
//!
//! Both readers tell the same `Exchange`s, so that nobody above has to know which it was. Whoever has a connection's bytes
//! in order can feed them, decrypted ones too: `Log::of` chooses by the client's first bytes, `Log::two` where the choice
//! was made elsewhere (ALPN).

use std::net::IpAddr;
use std::sync::Arc;

use crate::endpoint::Rules;
use crate::mark::{Both, Direction, Mark};
use crate::protocol::http1::{Exchange, Foreign, Tunnel};
use crate::protocol::{Chunk, Next, Observer, Probe, http1, http2};

/// Reader of one connection.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are HTTP/1, and it lies on the heap as a part of what is known of a connection"
)]
pub enum Log {
    /// HTTP/1.
    One(http1::Log),
    /// HTTP/2.
    Two(Box<http2::Log>),
}

impl Default for Log {
    fn default() -> Self {
        Self::One(http1::Log::default())
    }
}

impl Log {
    /// HTTP/2, whatever its first bytes are.
    pub fn two() -> Self {
        Self::Two(Box::default())
    }

    /// The reader for a connection in which a direction begins so.
    pub fn of(start: &[u8]) -> Self {
        match http2::probe(start) {
            Probe::Yes => Self::two(),
            Probe::No | Probe::NeedMore => Self::default(),
        }
    }

    /// What only HTTP/2 knows.
    pub fn as_two(&self) -> Option<&http2::Log> {
        match self {
            Self::One(_) => None,
            Self::Two(log) => Some(log),
        }
    }

    /// Reads bodies as the endpoint rules say.
    pub fn read_by(&mut self, rules: &Arc<Rules>, server: (IpAddr, u16)) {
        match self {
            Self::One(log) => log.read_by(rules, server),
            Self::Two(log) => log.read_by(rules, server),
        }
    }

    /// The exchange that ended first of those since the last call.
    pub fn next_ended(&mut self) -> Option<Box<Exchange>> {
        match self {
            Self::One(log) => log.next_ended(),
            Self::Two(log) => log.next_ended(),
        }
    }

    /// The exchanges that have not ended.
    pub fn open(&self) -> impl Iterator<Item = &Exchange> {
        let (one, two) = match self {
            Self::One(log) => (Some(log), None),
            Self::Two(log) => (None, Some(log)),
        };
        let one = one.into_iter().flat_map(http1::Log::open);
        one.chain(two.into_iter().flat_map(|log| log.open()))
    }

    /// No more will come. Call it before the last `next_ended`.
    pub fn finish(&mut self) {
        match self {
            Self::One(log) => log.finish(),
            Self::Two(log) => log.finish(),
        }
    }

    /// The frame in which a head began that is not complete yet, in one direction.
    pub fn partial(&self, from: Direction) -> Option<Mark> {
        match self {
            Self::One(log) => log.partial(from),
            Self::Two(log) => log.partial(from),
        }
    }

    /// Bytes of one direction that are no HTTP where a message or frame had to begin: the first such.
    pub fn foreign(&self, from: Direction) -> Option<Foreign> {
        match self {
            Self::One(log) => log.foreign(from),
            Self::Two(log) => log.foreign(from),
        }
    }

    /// Messages that a direction began so far.
    pub fn messages(&self, from: Direction) -> u32 {
        match self {
            Self::One(log) => log.messages(from),
            Self::Two(log) => log.messages(from),
        }
    }

    /// Exchanges that were let go untold for want of room.
    pub fn omitted(&self) -> u64 {
        match self {
            Self::One(log) => log.omitted,
            Self::Two(log) => log.omitted,
        }
    }

    /// One exchange more is let go.
    pub fn omit(&mut self) {
        match self {
            Self::One(log) => log.omitted += 1,
            Self::Two(log) => log.omitted += 1,
        }
    }

    /// The tunnel that the last chunk opened (`http1::Log::take_tunnel`).
    pub fn take_tunnel(&mut self) -> Option<Box<Tunnel>> {
        match self {
            Self::One(log) => log.take_tunnel(),
            Self::Two(_) => None,
        }
    }

    /// An upgrade that the last chunk completed: the other reader goes on with what was said already.
    fn upgrade(&mut self, at: Mark) -> bool {
        let Self::One(log) = self else { return false };
        let Some((upgraded, payloads)) = log.take_upgraded() else {
            return false;
        };
        let mut log = http2::Log::upgraded(upgraded.request, payloads);
        let Both([there, back]) = &upgraded.early;
        for (from, early) in [(Direction::ToServer, there), (Direction::ToClient, back)] {
            if !early.is_empty() {
                log.on_chunk(from, Chunk::Data(early), at);
            }
        }
        *self = Self::Two(Box::new(log));
        true
    }
}

impl Observer for Log {
    fn on_chunk(&mut self, from: Direction, chunk: Chunk<'_>, at: Mark) -> Next {
        let next = match self {
            Self::One(log) => log.on_chunk(from, chunk, at),
            Self::Two(log) => log.on_chunk(from, chunk, at),
        };
        if self.upgrade(at) {
            return Next::More;
        }
        next
    }
}
