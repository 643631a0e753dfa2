//! Questions that are repeated until something comes back.
//!
//! A question is known by who asks whom, the attempt, the exchange, and what its repetitions have in common. Any answer
//! that fits ends it. One that was repeated three times and more is kept when its asker gives up.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::{End, Kind};
use crate::mark::Mark;
use crate::protocol::ike::{self, exchange};
use crate::time::{MILLISECOND, Nanos, Timestamp};

/// Open questions kept; when full, further ones are not followed.
const OPEN_MAX: usize = 4_096;
/// Questions kept whose askers gave up: the first ones.
const ENDED_MAX: usize = 512;
/// Pairs of hosts of which it is known that a tunnel lived.
const LIVES_MAX: usize = 4_096;
/// Frames kept of one question: the first ones, and the last.
const MARKS_MAX: usize = 8;
/// The same question again within this is a further sighting (rule 6): nobody repeats so soon.
const SIGHTING: Nanos = 400 * MILLISECOND;
/// Sent so often it is worth keeping.
const SENT_MIN: u32 = 3;

/// A question without an answer.
#[derive(Clone, Debug)]
pub struct Ask {
    /// By which means.
    pub kind: Kind,
    /// What was asked for.
    pub stage: &'static str,
    /// Who asked.
    pub asker: End,
    /// Whom.
    pub asked: End,
    /// The attempt: the initiator's SPI, else the ports.
    pub id: u64,
    /// How often it was sent, sightings aside.
    pub sent: u32,
    /// The first frames, and the last.
    pub marks: Vec<Mark>,
    /// It asks whether the other end still lives.
    pub liveness: bool,
    /// When the other end last proved, before this, that the tunnel stood.
    pub lived: Option<Mark>,
    /// Something of the other end came meanwhile that was no answer.
    pub other: Option<Mark>,
    /// An ICMP error came.
    pub icmp: Option<Mark>,
}

impl Ask {
    /// The first frame.
    pub fn first(&self) -> Mark {
        self.marks.first().copied().unwrap_or_default()
    }

    /// The last frame.
    pub fn last(&self) -> Mark {
        self.marks.last().copied().unwrap_or_default()
    }
}

/// One message that wants an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) kind: Kind,
    pub(super) stage: &'static str,
    pub(super) from: End,
    pub(super) to: End,
    pub(super) id: u64,
    pub(super) exchange: u8,
    /// What repetitions have in common, and no other question.
    pub(super) token: u64,
    pub(super) liveness: bool,
    pub(super) at: Mark,
}

type Key = (Kind, IpAddr, IpAddr, u64, u8);

#[derive(Debug, Default)]
pub(super) struct Asks {
    open: HashMap<Key, (u64, Ask)>,
    ended: Vec<Ask>,
    /// Family, who was heard, by whom: the last time.
    lives: HashMap<(Kind, IpAddr, IpAddr), Mark>,
    pub(super) omitted: u64,
}

/// Both ends' ports as one number, the same in either direction.
pub(super) fn by_ports(a: End, b: End) -> u64 {
    let (low, high) = if a <= b { (a.1, b.1) } else { (b.1, a.1) };
    u64::from(low) << 16 | u64::from(high)
}

impl Asks {
    pub(super) fn asked(&mut self, question: &Question) {
        let key = (
            question.kind,
            question.from.0,
            question.to.0,
            question.id,
            question.exchange,
        );
        if let Some((token, ask)) = self.open.get_mut(&key)
            && *token == question.token
        {
            if question.at.time.since(ask.last().time) >= SIGHTING {
                ask.sent += 1;
                ask.asked = question.to;
                if ask.marks.len() >= MARKS_MAX {
                    ask.marks.pop();
                }
                ask.marks.push(question.at);
            }
            return;
        }
        if let Some((_, old)) = self.open.remove(&key) {
            self.end(old);
        }
        if self.open.len() >= OPEN_MAX {
            self.omitted += 1;
            return;
        }
        let life = (question.kind.family(), question.to.0, question.from.0);
        let ask = Ask {
            kind: question.kind,
            stage: question.stage,
            asker: question.from,
            asked: question.to,
            id: question.id,
            sent: 1,
            marks: vec![question.at],
            liveness: question.liveness,
            lived: self.lives.get(&life).copied(),
            other: None,
            icmp: None,
        };
        self.open.insert(key, (question.token, ask));
    }

    fn end(&mut self, ask: Ask) {
        if ask.sent < SENT_MIN {
            return;
        }
        if self.ended.len() < ENDED_MAX {
            self.ended.push(ask);
        } else {
            self.omitted += 1;
        }
    }

    /// `from` answered what `to` asked of it in this exchange.
    pub(super) fn answered(
        &mut self,
        kind: Kind,
        (from, to): (End, End),
        id: u64,
        exchange: u8,
        token: u64,
    ) {
        let key = (kind, to.0, from.0, id, exchange);
        if self.open.get(&key).is_some_and(|(open, _)| *open == token) {
            self.open.remove(&key);
        }
    }

    /// `from` goes on as if its question had been answered.
    pub(super) fn settled(&mut self, kind: Kind, (from, to): (End, End), id: u64) {
        self.open.remove(&(kind, from.0, to.0, id, 0));
    }

    /// `from` said something to what `to` asked of it, which is no answer until `to` goes on by it.
    pub(super) fn other(&mut self, kind: Kind, (from, to): (End, End), id: u64, at: Mark) {
        if let Some((_, ask)) = self.open.get_mut(&(kind, to.0, from.0, id, 0)) {
            ask.other.get_or_insert(at);
        }
    }

    /// Whatever `from` sends answers everything that `to` asked of it by these ports.
    pub(super) fn answered_all(&mut self, kind: Kind, from: End, to: End, _at: Mark) {
        let id = if from.1 == 0 && to.1 == 0 {
            0
        } else {
            by_ports(from, to)
        };
        for exchange in [0, 1, 9] {
            self.open.remove(&(kind, to.0, from.0, id, exchange));
        }
    }

    /// `from` sent what only a standing tunnel carries.
    pub(super) fn lives(&mut self, kind: Kind, from: IpAddr, to: IpAddr, at: Mark) {
        let key = (kind.family(), from, to);
        if self.lives.len() < LIVES_MAX || self.lives.contains_key(&key) {
            self.lives.insert(key, at);
        } else {
            self.omitted += 1;
        }
    }

    pub(super) fn on_ike(
        &mut self,
        from: End,
        to: End,
        message: &ike::Message,
        bytes: &[u8],
        at: Mark,
    ) {
        let (id, exchange) = (message.initiator_spi, message.exchange);
        if message.fragment != 1 {
            return;
        }
        let token = u64::from(message.id);
        if message.version == 2 {
            let kind = Kind::IkeV2;
            if message.response {
                self.answered(kind, (from, to), id, exchange, token);
                if matches!(exchange, exchange::CREATE_CHILD | exchange::INFORMATIONAL) {
                    self.lives(kind, from.0, to.0, at);
                }
                return;
            }
            self.asked(&Question {
                kind,
                stage: stage(exchange, message.encrypted),
                from,
                to,
                id,
                exchange,
                token,
                liveness: matches!(exchange, exchange::CREATE_CHILD | exchange::INFORMATIONAL),
                at,
            });
            return;
        }
        self.on_ike1(from, to, message, bytes, at);
    }

    /// IKEv1 has no responses but messages of the same exchange; a repetition is the same bytes (RFC 2408 5.1).
    fn on_ike1(&mut self, from: End, to: End, message: &ike::Message, bytes: &[u8], at: Mark) {
        let (id, kind) = (message.initiator_spi, Kind::IkeV1);
        let informational = message.exchange == exchange::INFORMATIONAL_V1;
        for exchange in [
            exchange::MAIN,
            exchange::AGGRESSIVE,
            exchange::QUICK,
            exchange::INFORMATIONAL_V1,
        ] {
            let key = (kind, to.0, from.0, id, exchange);
            if exchange == message.exchange || exchange == exchange::INFORMATIONAL_V1 {
                self.open.remove(&key);
            } else if let Some((_, ask)) = self.open.get_mut(&key).filter(|_| informational) {
                ask.other.get_or_insert(at);
            }
        }
        if message.exchange == exchange::QUICK || (informational && message.encrypted) {
            self.lives(kind, from.0, to.0, at);
        }
        if informational && !message.encrypted {
            return;
        }
        self.asked(&Question {
            kind,
            stage: stage(message.exchange, message.encrypted),
            from,
            to,
            id,
            exchange: message.exchange,
            token: if informational { 0 } else { print(bytes) },
            liveness: informational,
            at,
        });
    }

    /// When `from` last sent what only a standing tunnel carries.
    pub(super) fn lived(&self, kind: Kind, from: IpAddr, to: IpAddr) -> Option<Mark> {
        self.lives.get(&(kind.family(), from, to)).copied()
    }

    /// An ICMP error about a datagram of `from` to `to`.
    pub(super) fn unreachable(&mut self, from: End, to: End, at: Mark) {
        for (_, ask) in self.open.values_mut() {
            if (ask.asker.0, ask.asked) == (from.0, to) {
                ask.icmp.get_or_insert(at);
            }
        }
    }

    /// Open and given up, by first frame.
    pub(super) fn all(&self) -> Vec<Ask> {
        let open = self.open.values().map(|(_, ask)| ask);
        let mut all: Vec<Ask> = self.ended.iter().chain(open).cloned().collect();
        all.sort_by_key(|ask| (ask.first(), ask.asker, ask.asked, ask.stage));
        all
    }

    pub(super) fn forget_before(&mut self, time: Timestamp) {
        self.open.retain(|_, (_, ask)| ask.last().time >= time);
        self.ended.retain(|ask| ask.last().time >= time);
        self.lives.retain(|_, last| last.time >= time);
    }
}

/// FNV-1a of a message: tells a repetition from the next one.
fn print(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

const fn stage(exchange: u8, encrypted: bool) -> &'static str {
    match (exchange, encrypted) {
        (exchange::SA_INIT, _) => "sa-init",
        (exchange::AUTH, _) => "auth",
        (exchange::CREATE_CHILD, _) => "create-child",
        (exchange::INTERMEDIATE, _) => "intermediate",
        (exchange::MAIN, true) => "main-mode-auth",
        (exchange::MAIN, false) => "main-mode",
        (exchange::AGGRESSIVE, _) => "aggressive-mode",
        (exchange::QUICK, _) => "quick-mode",
        _ => "informational",
    }
}
