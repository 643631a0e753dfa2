//! One end of a connection: what it sent, how far it was acknowledged, what it repeated (RFC 9293 3.3).
//!
//! Positions are 64-bit: the first sequence number seen of an end lies at `ORIGIN`, so that a wrap of the 32-bit
//! numbers and data captured before it are both ordinary. The four kinds of repetition are told apart by what is
//! known of the range, the IP identification and the time (`Repeat`); where that does not decide, `Ambiguous`.

use crate::mark::{Mark, Seen};
use crate::tcp::counts::Counts;
use crate::tcp::resent::{Latest, Resent};
use crate::tcp::sizes::Sizes;
use crate::tcp::trips::Trips;
use crate::time::{MILLISECOND, Nanos, Timestamp};

/// Position of the first sequence number seen of an end.
pub const ORIGIN: u64 = 1 << 32;
/// Ranges below the highest position that were not seen, kept for one end.
const HOLES_MAX: usize = 32;
/// Nobody has so much under way that he would send again what lies so far back.
const FAR_BEHIND: u64 = 1 << 28;
/// Marks kept of the repetitions of one segment.
pub const REPEATS_MAX: usize = 4;

/// What a segment was to what its sender had sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// New data, in order or after a hole.
    New,
    /// Sent before what was seen earlier, and only late (filled a hole at once).
    OutOfOrder,
    /// Data sent again; `upstream` when the first copy never passed the capture point.
    Retransmission {
        /// The first copy was lost before the capture point.
        upstream: bool,
    },
    /// Sent again within 20 ms of the duplicate acknowledgments that ask for it.
    Fast,
    /// Sent again though already acknowledged.
    Spurious,
    /// A keep-alive: 0 or 1 byte below the next position (RFC 9293 3.8.4).
    KeepAlive,
    /// A byte or less into a closed window (RFC 9293 3.8.6.1).
    WindowProbe,
    /// Repeated, and the evidence does not say whether by the sender or the network.
    Ambiguous,
}

/// A range that was not seen although later data was.
#[derive(Clone, Copy, Debug)]
struct Hole {
    start: u64,
    end: u64,
    since: Timestamp,
    id: Option<u32>,
}

/// Repetitions of the oldest unacknowledged data.
#[derive(Clone, Debug, Default)]
pub struct Unacked {
    /// The data was first sent here.
    pub first: Option<Mark>,
    /// How often it was sent again.
    pub repeats: u32,
    /// The first repetitions.
    pub marks: Vec<Mark>,
}

impl Unacked {
    fn clear(&mut self) {
        self.first = None;
        self.repeats = 0;
        self.marks.clear();
    }

    fn repeat(&mut self, at: Mark) {
        if self.marks.len() < REPEATS_MAX {
            self.marks.push(at);
        }
        self.repeats = self.repeats.saturating_add(1);
    }
}

/// A RST as it stood on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Where.
    pub at: Mark,
    /// Position of its sequence number, where one is known.
    pub position: u64,
    /// Its acknowledgment number, with ACK.
    pub ack: Option<u32>,
    /// Time to live.
    pub ttl: u8,
    /// IP identification.
    pub id: Option<u32>,
    /// Window field.
    pub window: u16,
}

/// A closed window.
#[derive(Clone, Copy, Debug, Default)]
pub struct ZeroWindow {
    /// Closed since; `None` while open.
    pub since: Option<Mark>,
    /// The longest time it stayed closed, with both ends.
    pub longest: Option<(Mark, Mark)>,
}

/// What one end sent: about 700 bytes, and lists and boxes that stay empty where nothing unusual happens.
#[derive(Clone, Debug, Default)]
pub struct Half {
    reference: Option<(u32, u64)>,
    /// Initial sequence number, where the SYN was seen.
    pub isn: Option<u32>,
    /// One past the highest position sent (SYN and FIN count one each).
    pub next: u64,
    /// The peer acknowledged up to here.
    pub acked: u64,
    /// When `acked` last moved.
    pub acked_at: Option<Mark>,
    /// Highest data position sent so far, FIN aside.
    pub data_end: u64,
    /// Position of the FIN.
    pub fin: Option<Seen<u64>>,
    /// How far the FIN acknowledged the peer.
    pub fin_acks: Option<u64>,
    /// First RST.
    pub reset: Option<Reset>,
    /// Second RST at another sequence number.
    pub second_reset: Option<Box<Reset>>,
    /// First segment after the RST that an end which reset would not send.
    pub alive_after_reset: Option<Box<Mark>>,
    /// Window scale shift of the SYN.
    pub window_scale: Option<u8>,
    /// Maximum segment size of the SYN.
    pub mss: Option<u16>,
    /// SACK permitted by the SYN.
    pub sack_permitted: bool,
    /// Last window advertised, in bytes.
    pub window_bytes: Option<u32>,
    /// Its window, where it was ever closed.
    pub zero_window: Option<Box<ZeroWindow>>,
    /// Counters.
    pub counts: Counts,
    /// First and last segment.
    pub first: Option<Mark>,
    /// Last segment.
    pub last: Option<Mark>,
    /// First segment with payload.
    pub first_data: Option<Mark>,
    /// Last segment with payload.
    pub last_data: Option<Mark>,
    /// Fewest and most hops from the sender, over all segments but RSTs.
    pub hops: Option<(u8, u8)>,
    /// Hops of its last segment, RSTs aside.
    pub last_hops: u8,
    /// Where its hops changed first, and how often they did.
    pub hops_changed: Option<Box<(Mark, u32)>>,
    /// Last IP identification, RSTs aside.
    pub last_id: Option<u32>,
    /// It sent a segment with ACK.
    pub acked_any: bool,
    /// Segments carried TCP time stamps.
    pub timestamps: bool,
    /// Repetitions of its oldest unacknowledged data.
    pub unacked: Unacked,
    /// Unanswered keep-alives in a row.
    pub probing: Option<Box<Unacked>>,
    /// Which sizes of its packets get through.
    pub sizes: Sizes,
    /// Round trips of its data.
    pub trips: Trips,
    dup_acks: u32,
    dup_ack_time: Timestamp,
    holes: Vec<Hole>,
    /// First retransmitted segments.
    pub retransmissions: Vec<Mark>,
    /// Those that the peer may still report as duplicates.
    pub resent: Latest,
}

impl Half {
    /// The 64-bit position of a sequence number on the wire: the one nearest to what is known.
    pub fn position(&mut self, seq: u32) -> u64 {
        let (wire, position) = *self.reference.get_or_insert((seq, ORIGIN));
        let distance = seq.wrapping_sub(wire).cast_signed();
        let here = position.saturating_add_signed(i64::from(distance));
        // RFC 9293 3.4: numbers are compared modulo 2^32; the reference follows so that a long flow never leaves
        // the half window around it.
        if distance > 1 << 28 {
            self.reference = Some((seq, here));
        }
        here
    }

    /// Was anything but a RST of this end seen, so that its numbers mean something?
    pub const fn first_position_known(&self) -> bool {
        self.reference.is_some()
    }

    /// The position of an acknowledgment of this end's bytes, if anything of this end was seen.
    pub fn position_of_ack(&self, ack: u32) -> Option<u64> {
        let (wire, position) = self.reference?;
        Some(position.saturating_add_signed(i64::from(ack.wrapping_sub(wire).cast_signed())))
    }

    /// Position of the first data byte.
    pub fn data_start(&self) -> u64 {
        if self.isn.is_some() {
            ORIGIN + 1
        } else {
            ORIGIN
        }
    }

    /// Payload bytes sent, each once.
    pub fn payload_bytes(&self) -> u64 {
        self.data_end.saturating_sub(self.data_start())
    }

    /// Its window has been closed since.
    pub fn closed_since(&self) -> Option<Mark> {
        self.zero_window.as_ref()?.since
    }

    /// Was everything that this end sent acknowledged?
    pub fn all_acked(&self) -> bool {
        self.data_end == 0 || self.acked >= self.data_end
    }

    /// The peer acknowledged up to `position`. True if that was news.
    pub fn acknowledge(&mut self, position: u64, at: Mark) -> bool {
        if position <= self.acked {
            return false;
        }
        let news = position - self.acked.max(ORIGIN.min(position));
        self.trips.on_acknowledged(position, news, at);
        self.acked = position;
        self.acked_at = Some(at);
        self.dup_acks = 0;
        self.unacked.clear();
        self.unacked.first = (self.data_end > position).then_some(at);
        self.probing = None;
        self.sizes.on_acknowledged(position, at);
        true
    }

    /// The peer had the data of this range already: what was sent again of it was not lost.
    pub fn take_back(&mut self, start: u64, end: u64) {
        let Some(resent) = self.resent.take(start, end) else {
            return;
        };
        let counts = &mut self.counts;
        counts.retransmitted = counts.retransmitted.saturating_sub(1);
        counts.upstream = counts.upstream.saturating_sub(u32::from(resent.upstream));
        counts.fast = counts.fast.saturating_sub(u32::from(resent.fast));
        counts.spurious += 1;
        self.retransmissions.retain(|at| *at != resent.at);
    }

    /// The peer sent a duplicate acknowledgment.
    pub fn duplicate_ack(&mut self, at: Timestamp) {
        self.dup_acks = self.dup_acks.saturating_add(1);
        self.dup_ack_time = at;
    }

    /// The hole that the peer waits for, if its first bytes were never seen: its end, and since when later data was.
    pub fn open_hole(&self) -> Option<(u64, Timestamp)> {
        let hole = self.holes.iter().find(|hole| hole.start == self.acked)?;
        Some((hole.end, hole.since))
    }

    /// Counts a segment by what it was to those before it.
    pub(super) fn count(&mut self, kind: Repeat, start: u64, end: u64, at: Mark) {
        if let Repeat::Retransmission { .. } | Repeat::Fast = kind {
            if self.retransmissions.len() < 4 {
                self.retransmissions.push(at);
            }
            self.resent.add(Resent {
                start,
                end,
                at,
                upstream: kind == Repeat::Retransmission { upstream: true },
                fast: kind == Repeat::Fast,
            });
        }
        if kind != Repeat::New {
            self.trips.on_repeat();
        }
        self.counts.add(kind);
    }

    /// Does a segment at `seq` begin behind bytes that were not seen, where it is the first after the SYN?
    pub(super) fn skips_to(&mut self, seq: u32) -> bool {
        self.position(seq) > self.data_start()
    }

    /// Takes the payload range `[start, end)` and says what it was. `peer_window` is the peer's last window, `rtt`
    /// the handshake's round trip.
    pub fn range(
        &mut self,
        start: u64,
        end: u64,
        at: Mark,
        id: Option<u32>,
        peer_window: Option<u32>,
        rtt: Option<Nanos>,
    ) -> Repeat {
        let len = end - start;
        if self.next == 0 {
            self.next = start;
            self.data_end = start;
        }
        if peer_window == Some(0) && len <= 1 && (start == self.next || start + 1 == self.next) {
            self.next = self.next.max(end);
            return Repeat::WindowProbe;
        }
        if len <= 1 && start + 1 == self.next && self.acked >= start {
            self.probing.get_or_insert_default().repeat(at);
            return Repeat::KeepAlive;
        }
        if start >= self.next {
            self.append(start, end, at, id);
            return Repeat::New;
        }
        if end > self.next {
            self.append(self.next, end, at, id);
            return Repeat::New;
        }
        self.repeated(start, end, at, id, rtt)
    }

    fn append(&mut self, start: u64, end: u64, at: Mark, id: Option<u32>) {
        if start > self.next && self.holes.len() < HOLES_MAX {
            self.holes.push(Hole {
                start: self.next,
                end: start,
                since: at.time,
                id,
            });
        }
        if self.unacked.first.is_none() {
            self.unacked.first = Some(at);
        }
        self.next = end;
        self.data_end = end;
    }

    fn repeated(
        &mut self,
        start: u64,
        end: u64,
        at: Mark,
        id: Option<u32>,
        rtt: Option<Nanos>,
    ) -> Repeat {
        // A firewall that gives a connection other numbers, captured on both of its sides.
        if self.next.saturating_sub(end) > FAR_BEHIND {
            return Repeat::Ambiguous;
        }
        if let Some(index) = self
            .holes
            .iter()
            .position(|hole| start < hole.end && end > hole.start)
        {
            return self.fill(index, start, end, at, id, rtt);
        }
        if end <= self.acked {
            return Repeat::Spurious;
        }
        if start <= self.acked.max(self.data_start()) {
            self.unacked.repeat(at);
        }
        if self.dup_acks >= 2 && at.time.since(self.dup_ack_time) < 20 * MILLISECOND {
            return Repeat::Fast;
        }
        Repeat::Retransmission { upstream: false }
    }

    fn fill(
        &mut self,
        index: usize,
        start: u64,
        end: u64,
        at: Mark,
        id: Option<u32>,
        rtt: Option<Nanos>,
    ) -> Repeat {
        let Some(hole) = self.holes.get(index).copied() else {
            return Repeat::Ambiguous;
        };
        self.holes.swap_remove(index);
        for (from, to) in [
            (hole.start, start.min(hole.end)),
            (end.max(hole.start), hole.end),
        ] {
            if from < to && self.holes.len() < HOLES_MAX {
                self.holes.push(Hole {
                    start: from,
                    end: to,
                    ..hole
                });
            }
        }
        let waited = at.time.since(hole.since);
        let newer = match (id, hole.id) {
            (Some(now), Some(then)) if now != 0 && then != 0 => {
                Some((now.wrapping_sub(then) & 0xffff) < 0x8000 && now != then)
            }
            _ => None,
        };
        let soon = waited < (3 * MILLISECOND).max(rtt.unwrap_or(0));
        match (newer, soon) {
            (Some(false), _) | (None, true) => Repeat::OutOfOrder,
            (Some(true), false) | (None, false) => Repeat::Retransmission { upstream: true },
            // A newer identification within one round trip: several queues of one sender, or a fast repair.
            (Some(true), true) if self.dup_acks >= 2 => Repeat::Retransmission { upstream: true },
            (Some(true), true) => Repeat::Ambiguous,
        }
    }
}

/// Hops from the sender: the distance to the next initial TTL in use (32, 64, 128, 255).
pub const fn hops(ttl: u8) -> u8 {
    let initial = match ttl {
        0..=32 => 32,
        33..=64 => 64,
        65..=128 => 128,
        _ => 255,
    };
    initial - ttl
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::resent::Resent;
    use crate::time::SECOND;

    fn at(frame: u32, ns: Nanos) -> Mark {
        Mark {
            time: Timestamp::from_ns(ns),
            frame,
            ..Mark::default()
        }
    }

    #[test]
    fn data_sent_again_that_the_peer_reports_as_duplicate_was_not_lost() {
        let mut half = Half::default();
        let start = half.position(100);
        half.counts = Counts {
            retransmitted: 2,
            upstream: 1,
            ..Counts::default()
        };
        for (place, upstream) in [(0, true), (1, false)] {
            half.retransmissions.push(at(place, SECOND));
            half.resent.add(Resent {
                start: start + u64::from(place) * 10,
                end: start + u64::from(place) * 10 + 10,
                at: at(place, SECOND),
                upstream,
                fast: false,
            });
        }
        half.take_back(start, start + 10);
        let counts = half.counts;
        assert_eq!((counts.retransmitted, counts.upstream), (1, 0));
        assert_eq!(counts.spurious, 1);
        assert_eq!(half.retransmissions, [at(1, SECOND)]);
        half.take_back(start, start + 10);
        assert_eq!(half.counts, counts);
    }

    #[test]
    fn data_numbered_far_from_the_flow_is_nothing_sent_again() {
        let mut half = Half::default();
        let start = half.position(7);
        let mut take = |from: u64, ms: Nanos| {
            let (end, at) = (from + 1_357, at(1, ms * MILLISECOND));
            half.range(from, end, at, None, None, None)
        };
        assert_eq!(take(start, 0), Repeat::New);
        assert_eq!(take(start - 808_500_230, 0), Repeat::Ambiguous);
        assert_eq!(take(start, 300), Repeat::Retransmission { upstream: false });
    }

    #[test]
    fn a_first_segment_behind_unseen_bytes_is_told_from_the_handshake_s_ack() {
        let (mut half, isn) = (Half::default(), 1_000);
        half.isn = Some(isn);
        let skips = [0, 1, 38].map(|on| half.skips_to(isn + on));
        assert_eq!(skips, [false, false, true]);
    }
}
