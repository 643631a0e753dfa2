//! Zeek's `history` letters and `conn_state` of one connection, with Zeek's meaning.
//!
//! Letters `s h a d f r c g t w i q ^`, upper case for the originator: `a d i q` once a direction; `s h f r` again
//! when the sequence number differs; `g t w` on their 1st, 10th, 100th … occurrence. On purpose unlike Zeek: an
//! attempt is never timed out, so that all SYN retries stay one flow. Checksums are not read: `c` never occurs.

use crate::decode::flag;
use crate::mark::Both;
use crate::mark::Direction;

/// Zeek's endpoint states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Inactive,
    SynSent,
    SynAckSent,
    Partial,
    Established,
    Closed,
    Reset,
}

#[derive(Clone, Copy, Debug, Default)]
struct Side {
    state: State,
    once: u8,
    syn: Option<u32>,
    synack: Option<u32>,
    fin: Option<u32>,
    rst: Option<u32>,
    gaps: u32,
    retransmissions: u32,
    zero_windows: u32,
    bytes: bool,
}

const ONCE_A: u8 = 1;
const ONCE_D: u8 = 2;
const ONCE_I: u8 = 4;
const ONCE_Q: u8 = 8;
/// Letters kept of one connection; a healthy one has about ten.
const LETTERS_MAX: usize = 64;

/// What Zeek would remember of a connection.
#[derive(Clone, Debug, Default)]
pub struct History {
    letters: String,
    sides: Both<Side>,
}

impl History {
    /// Takes a segment; sightings are left out by the caller. `payload_len` in bytes on the wire.
    pub fn on_segment(&mut self, from: Direction, flags: u8, seq: u32, payload_len: u32) {
        let fin_seq = seq.wrapping_add(payload_len);
        let (syn, fin, rst, ack) = (
            flags & flag::SYN != 0,
            flags & flag::FIN != 0,
            flags & flag::RST != 0,
            flags & flag::ACK != 0,
        );
        if syn && (fin || rst) {
            self.once(from, ONCE_Q, 'q');
        } else if fin && rst {
            self.once(from, ONCE_I, 'i');
        }
        if syn {
            let letter = if ack { 'h' } else { 's' };
            let side = &mut self.sides[from];
            let last = if ack { &mut side.synack } else { &mut side.syn };
            if last.replace(seq) != Some(seq) {
                self.letter(from, letter);
            }
        }
        if payload_len > 0 {
            self.once(from, ONCE_D, 'd');
            self.sides[from].bytes = true;
        } else if ack && !syn && !fin && !rst {
            self.once(from, ONCE_A, 'a');
        }
        if fin && self.sides[from].fin.replace(fin_seq) != Some(fin_seq) {
            self.letter(from, 'f');
        }
        if rst && self.sides[from].rst.replace(seq) != Some(seq) {
            self.letter(from, 'r');
        }
        self.advance(from, flags, payload_len);
    }

    /// A content gap in what `from` sent.
    pub fn on_gap(&mut self, from: Direction) {
        self.sides[from].gaps = self.sides[from].gaps.saturating_add(1);
        let count = self.sides[from].gaps;
        self.logarithmic(from, count, 'g');
    }

    /// A retransmitted payload of `from`.
    pub fn on_retransmission(&mut self, from: Direction) {
        self.sides[from].retransmissions = self.sides[from].retransmissions.saturating_add(1);
        let count = self.sides[from].retransmissions;
        self.logarithmic(from, count, 't');
    }

    /// `from` advertised a zero window.
    pub fn on_zero_window(&mut self, from: Direction) {
        self.sides[from].zero_windows = self.sides[from].zero_windows.saturating_add(1);
        let count = self.sides[from].zero_windows;
        self.logarithmic(from, count, 'w');
    }

    /// The roles turned out to be the other way round: what was said so far changes its case, after a `^`.
    pub fn flip(&mut self) {
        let swapped: String = self
            .letters
            .chars()
            .map(|c| {
                if c.is_ascii_uppercase() {
                    c.to_ascii_lowercase()
                } else {
                    c.to_ascii_uppercase()
                }
            })
            .collect();
        self.letters = format!("^{swapped}");
        self.sides.swap();
    }

    /// The letters so far.
    pub fn letters(&self) -> &str {
        &self.letters
    }

    /// Zeek's `conn_state` by its ordered rule (`base/protocols/conn`).
    pub fn conn_state(&self) -> &'static str {
        use State::{Closed, Established, Inactive, Partial, Reset, SynAckSent, SynSent};
        let Both([orig, resp]) = self.sides;
        let inactive = |state| matches!(state, Inactive | Partial);
        match (orig.state, resp.state) {
            (SynSent | SynAckSent, Reset) => "REJ",
            (Reset, Reset) if !orig.bytes && !resp.bytes => "REJ",
            (os, Reset) if inactive(os) => "RSTRH",
            (_, Reset) => "RSTR",
            (Reset, rs) if inactive(rs) && self.half_open_then_reset() => "RSTOS0",
            (Reset, rs) if inactive(rs) => "OTH",
            (Reset, _) => "RSTO",
            (Closed, Closed) => "SF",
            (Closed, rs) if inactive(rs) => "SH",
            (Closed, _) => "S2",
            (os, Closed) if inactive(os) => "SHR",
            (_, Closed) => "S3",
            (SynSent, Inactive) => "S0",
            (Established, Established) => "S1",
            _ => "OTH",
        }
    }

    /// Zeek's `^?S[^HAFGIQ]*R.*` over the letters.
    fn half_open_then_reset(&self) -> bool {
        let Some(rest) = self.letters.trim_start_matches('^').strip_prefix('S') else {
            return false;
        };
        rest.find('R').is_some_and(|at| {
            !rest
                .get(..at)
                .unwrap_or("")
                .contains(['H', 'A', 'F', 'G', 'I', 'Q'])
        })
    }

    fn advance(&mut self, from: Direction, flags: u8, payload_len: u32) {
        let (me, peer) = (from, from.reverse());
        let (syn, fin, rst, ack) = (
            flags & flag::SYN != 0,
            flags & flag::FIN != 0,
            flags & flag::RST != 0,
            flags & flag::ACK != 0,
        );
        let state = self.sides[me].state;
        let next = if rst {
            if state == State::Closed && self.sides[peer].state == State::Closed {
                State::Closed
            } else {
                State::Reset
            }
        } else if fin {
            State::Closed
        } else if syn && ack {
            if from == Direction::ToServer {
                State::SynAckSent
            } else {
                if matches!(self.sides[peer].state, State::Inactive | State::SynSent) {
                    self.sides[peer].state = State::Established;
                }
                if matches!(state, State::Inactive | State::SynSent) {
                    State::Established
                } else {
                    state
                }
            }
        } else if syn {
            if state == State::Inactive {
                State::SynSent
            } else {
                state
            }
        } else {
            self.plain(from, payload_len)
        };
        self.sides[me].state = next;
    }

    fn plain(&self, from: Direction, payload_len: u32) -> State {
        let (state, peer) = (self.sides[from].state, self.sides[from.reverse()].state);
        match state {
            State::Inactive
                if from == Direction::ToClient && peer == State::SynSent && payload_len == 0 =>
            {
                state
            }
            State::Inactive if from == Direction::ToServer && peer == State::Established => {
                State::Established
            }
            State::Inactive => State::Partial,
            State::SynSent | State::SynAckSent if peer == State::Established => State::Established,
            _ => state,
        }
    }

    fn once(&mut self, from: Direction, bit: u8, letter: char) {
        if self.sides[from].once & bit == 0 {
            self.sides[from].once |= bit;
            self.letter(from, letter);
        }
    }

    fn logarithmic(&mut self, from: Direction, count: u32, letter: char) {
        if matches!(count, 1 | 10 | 100 | 1_000 | 10_000 | 100_000 | 1_000_000) {
            self.letter(from, letter);
        }
    }

    fn letter(&mut self, from: Direction, letter: char) {
        if self.letters.len() < LETTERS_MAX {
            self.letters.push(match from {
                Direction::ToServer => letter.to_ascii_uppercase(),
                Direction::ToClient => letter,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::flag::{ACK, FIN, RST, SYN};
    use crate::mark::Direction::{ToClient, ToServer};

    fn check(segments: &[(Direction, u8, u32, u32)], letters: &str, state: &str) {
        let mut history = History::default();
        for &(from, flags, seq, len) in segments {
            history.on_segment(from, flags, seq, len);
        }
        assert_eq!((history.letters(), history.conn_state()), (letters, state));
    }

    #[test]
    fn a_whole_connection_is_sf() {
        check(
            &[
                (ToServer, SYN, 10, 0),
                (ToClient, SYN | ACK, 90, 0),
                (ToServer, ACK, 11, 0),
                (ToServer, ACK, 11, 5),
                (ToClient, ACK, 91, 7),
                (ToServer, FIN | ACK, 16, 0),
                (ToClient, FIN | ACK, 98, 0),
                (ToServer, ACK, 17, 0),
            ],
            "ShADdFf",
            "SF",
        );
    }

    #[test]
    fn a_reset_to_an_end_that_said_nothing_is_oth_unless_a_syn_came_before() {
        check(&[(ToServer, RST, 10, 0)], "R", "OTH");
        check(
            &[(ToServer, SYN, 10, 0), (ToServer, RST, 11, 0)],
            "SR",
            "RSTOS0",
        );
    }

    #[test]
    fn retried_syns_are_one_s_and_s0() {
        check(
            &[
                (ToServer, SYN, 10, 0),
                (ToServer, SYN, 10, 0),
                (ToServer, SYN, 10, 0),
            ],
            "S",
            "S0",
        );
    }

    #[test]
    fn a_refused_syn_is_rej() {
        check(
            &[(ToServer, SYN, 10, 0), (ToClient, RST | ACK, 0, 0)],
            "Sr",
            "REJ",
        );
    }

    #[test]
    fn a_syn_that_its_sender_resets_is_rstos0() {
        check(
            &[(ToServer, SYN, 10, 0), (ToServer, RST, 11, 0)],
            "SR",
            "RSTOS0",
        );
    }

    #[test]
    fn a_connection_joined_in_the_middle_is_oth() {
        check(
            &[(ToServer, ACK, 10, 5), (ToClient, ACK, 90, 5)],
            "Dd",
            "OTH",
        );
    }

    #[test]
    fn a_reset_by_the_responder_is_rstr() {
        check(
            &[
                (ToServer, SYN, 10, 0),
                (ToClient, SYN | ACK, 90, 0),
                (ToServer, ACK, 11, 4),
                (ToClient, RST, 91, 0),
            ],
            "ShDr",
            "RSTR",
        );
    }
}
