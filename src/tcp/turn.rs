//! The first segment of what an end says after the other, and whether another segment contradicts it.
//!
//! Who answers in another's name races the true answer: both begin at the same sequence number and cannot both be what
//! one end sent. The ends' hop counts tell which of them came from elsewhere. Costs a copy of 64 bytes a turn.

use crate::decode::{TcpSegment, flag};
use crate::mark::{Both, Direction, Mark};
use crate::tcp::half::{Half, hops};

/// Bytes kept of a turn's first segment.
const KEPT: usize = 64;
/// Fewer bytes in common prove nothing: keep-alives and window probes carry one.
const COMMON_MIN: usize = 4;
/// Hops by which a foreign packet differs from all others.
const FOREIGN: u16 = 2;

/// The first segment of a turn.
#[derive(Clone, Debug)]
struct Turn {
    start: u64,
    kept: [u8; KEPT],
    len: usize,
    hops: u8,
    at: Mark,
    /// Fewest and most hops of what its sender had sent before.
    known: Option<(u8, u8)>,
}

/// Two different payloads for one range in one end's name, one of them from another distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The foreign segment.
    pub foreign: Mark,
    /// The other.
    pub own: Mark,
    /// Hops that the foreign one had travelled.
    pub foreign_hops: u8,
    /// Hops of the end's own packets.
    pub own_hops: u8,
    /// The foreign one came first: the receiver took it for the answer.
    pub foreign_first: bool,
}

/// The turns of a connection.
#[derive(Debug, Default)]
pub struct Turns {
    current: Both<Option<Box<Turn>>>,
    speaker: Option<Direction>,
    /// The first contradiction in each end's name.
    pub contradictions: Both<Option<Box<Contradiction>>>,
}

impl Turns {
    /// Takes a segment of `from`, of which `half` is what was seen before.
    pub fn note(
        &mut self,
        from: Direction,
        half: &Half,
        segment: &TcpSegment<'_>,
        ttl: u8,
        at: Mark,
    ) {
        if segment.payload.is_empty() || segment.flags & (flag::RST | flag::SYN) != 0 {
            return;
        }
        let Some(start) = half.position_of_ack(segment.seq) else {
            return;
        };
        let distance = hops(ttl);
        match &self.current[from] {
            Some(turn) if turn.begins_at(start) => {
                let known = self.contradictions[from].take();
                let found = || turn.against(segment.payload, distance, at).map(Box::new);
                self.contradictions[from] = known.or_else(found);
            }
            _ if self.speaker != Some(from) => {
                let turn = Turn::new(start, segment.payload, distance, at, half.hops);
                self.current[from] = Some(Box::new(turn));
            }
            _ => {}
        }
        self.speaker = Some(from);
    }

    /// The roles turned out to be the other way round.
    pub fn flip(&mut self) {
        self.current.swap();
        self.contradictions.swap();
        self.speaker = self.speaker.map(Direction::reverse);
    }
}

impl Turn {
    /// A segment that begins a turn at `start`.
    fn new(start: u64, payload: &[u8], hops: u8, at: Mark, known: Option<(u8, u8)>) -> Self {
        let mut kept = [0; KEPT];
        let len = payload.len().min(KEPT);
        if let Some((kept, payload)) = kept.get_mut(..len).zip(payload.get(..len)) {
            kept.copy_from_slice(payload);
        }
        Self {
            start,
            kept,
            len,
            hops,
            at,
            known,
        }
    }

    /// Does it begin where this segment does?
    const fn begins_at(&self, start: u64) -> bool {
        self.start == start
    }

    /// What another segment for the same place shows.
    fn against(&self, payload: &[u8], hops: u8, at: Mark) -> Option<Contradiction> {
        let common = self.len.min(payload.len());
        if common < COMMON_MIN || self.kept.get(..common) == payload.get(..common) {
            return None;
        }
        let (low, high) = self.known?;
        let foreign = |hops: u8| {
            let hops = u16::from(hops);
            hops.saturating_add(FOREIGN) <= u16::from(low)
                || hops >= u16::from(high).saturating_add(FOREIGN)
        };
        match (foreign(self.hops), foreign(hops)) {
            (true, false) => Some(Contradiction {
                foreign: self.at,
                own: at,
                foreign_hops: self.hops,
                own_hops: hops,
                foreign_first: true,
            }),
            (false, true) => Some(Contradiction {
                foreign: at,
                own: self.at,
                foreign_hops: hops,
                own_hops: self.hops,
                foreign_first: false,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(first: (&[u8], u8), second: (&[u8], u8), foreign_first: Option<bool>) {
        let turn = Turn::new(1, first.0, first.1, Mark::default(), Some((11, 12)));
        let found = turn.against(second.0, second.1, Mark::default());
        assert_eq!(found.map(|found| found.foreign_first), foreign_first);
    }

    #[test]
    fn other_bytes_from_another_distance_contradict() {
        check(
            (b"HTTP/1.1 302 Found", 3),
            (b"HTTP/1.1 200 OK", 12),
            Some(true),
        );
        check(
            (b"HTTP/1.1 200 OK", 12),
            (b"HTTP/1.1 302 Found", 3),
            Some(false),
        );
    }

    #[test]
    fn the_same_bytes_the_same_distance_or_a_probe_do_not() {
        check(
            (b"HTTP/1.1 200 OK", 3),
            (b"HTTP/1.1 200 OK and more", 12),
            None,
        );
        check((b"HTTP/1.1 302 Found", 12), (b"HTTP/1.1 200 OK", 11), None);
        check((b"HTTP/1.1 302 Found", 3), (b"\0", 12), None);
        check((b"HTTP/1.1 302 Found", 3), (b"HTTP/1.1 200 OK", 2), None);
    }
}
