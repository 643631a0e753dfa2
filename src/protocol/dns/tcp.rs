//! DNS over TCP: messages behind a length of two bytes (RFC 1035 4.2.2, RFC 7766).
//!
//! Keeps the messages of both directions until they are taken, at most `MESSAGES_MAX`; further ones are counted.
//! After a gap there is no telling where a message begins, so that direction is given up.

use crate::mark::{Direction, Mark};
use crate::protocol::{Chunk, Next, Observer, Probe};

use super::Message;

/// Messages kept between two calls of `take`; a zone transfer sends more, which nobody here asks about.
const MESSAGES_MAX: usize = 256;
/// Bytes of length before each message.
const PREFIX_LEN: usize = 2;

/// Reader of one DNS connection.
#[derive(Debug, Default)]
pub struct Tcp {
    messages: Vec<(Direction, Message, Mark)>,
    /// Messages that no longer fitted between two calls of `take`.
    pub omitted: u64,
    /// Messages whose bytes were not DNS.
    pub unreadable: u64,
}

/// Does the first message of a direction look like DNS over TCP? For any port: the message must be an ordinary
/// question or answer and fill its length.
pub fn probe(start: &[u8], ports: (u16, u16)) -> Probe {
    let Some((len, rest)) = start.split_first_chunk::<PREFIX_LEN>() else {
        return Probe::NeedMore;
    };
    let len = usize::from(u16::from_be_bytes(*len));
    // The shortest question is a header, a root name, a type and a class: 17 bytes.
    if len < 17 || len > 4_096 && ports.0 != super::PORT && ports.1 != super::PORT {
        return Probe::No;
    }
    // RFC 6762 3: multicast DNS is UDP alone, and resolvers of a house listen on its number too.
    let by_bytes = |port| if port == super::MULTICAST { 0 } else { port };
    let ports = (by_bytes(ports.0), by_bytes(ports.1));
    match rest.get(..len) {
        Some(message) if super::looks_like(message, ports) => Probe::Yes,
        Some(_) => Probe::No,
        None if rest.len() >= 6 && !header_fits(rest) => Probe::No,
        None => Probe::NeedMore,
    }
}

/// Opcode below seven and exactly one question: enough to turn away most other protocols early.
fn header_fits(message: &[u8]) -> bool {
    matches!(message, [_, _, flags, _, 0, 1, ..] if flags >> 3 & 0x0f < 7)
}

impl Tcp {
    /// The messages since the last call, in order: who sent each, and the frame that held its last byte.
    pub fn take(&mut self) -> Vec<(Direction, Message, Mark)> {
        std::mem::take(&mut self.messages)
    }

    fn keep(&mut self, from: Direction, message: &[u8], at: Mark) {
        match super::parse(message) {
            Some(message) if self.messages.len() < MESSAGES_MAX => {
                self.messages.push((from, message, at));
            }
            Some(_) => self.omitted = self.omitted.saturating_add(1),
            None => self.unreadable = self.unreadable.saturating_add(1),
        }
    }
}

impl Observer for Tcp {
    fn on_chunk(&mut self, from: Direction, chunk: Chunk<'_>, at: Mark) -> Next {
        let bytes = match chunk {
            Chunk::Data(bytes) => bytes,
            Chunk::Gap(_) | Chunk::Fin => return Next::Done,
        };
        let mut used = 0_usize;
        loop {
            let rest = bytes.get(used..).unwrap_or(&[]);
            let Some((len, body)) = rest.split_first_chunk::<PREFIX_LEN>() else {
                return if rest.is_empty() {
                    Next::More
                } else {
                    Next::Wait {
                        used,
                        want: PREFIX_LEN,
                    }
                };
            };
            let len = usize::from(u16::from_be_bytes(*len));
            let Some(message) = body.get(..len) else {
                return Next::Wait {
                    used,
                    want: PREFIX_LEN.saturating_add(len),
                };
            };
            self.keep(from, message, at);
            used = used.saturating_add(PREFIX_LEN).saturating_add(len);
        }
    }
}
