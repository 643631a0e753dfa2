//! ESP by pairs of hosts: who sent last, what is missing by sequence number, and who goes on alone.
//!
//! In a tunnel that carries conversations both ends speak. One that goes on alone for ten seconds and more, though the
//! other used to speak, is a silence. Whether the silent one sent nothing or its packets were lost shows when it
//! is heard again: its sequence numbers have gone on or not.

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::decode::Esp;
use crate::mark::Mark;
use crate::time::{Nanos, SECOND, Timestamp};

/// Pairs of hosts remembered; further ones are not followed.
const PAIRS_MAX: usize = 4_096;
/// Silences kept that ended: the first ones.
const SILENCES_MAX: usize = 256;
/// One end alone for so long.
const ALONE_MIN: Nanos = 10 * SECOND;
/// With so many packets.
const ALONE_PACKETS: u64 = 5;
/// The other end had sent so many.
const LIVED_PACKETS: u64 = 5;
/// A silence is longer than the usual ones by this factor.
const UNUSUAL: i64 = 4;
/// A larger step of the sequence number is another counter, not a loss.
const STEP_MAX: u32 = 1 << 20;
/// Frames kept of one silence.
const MARKS_MAX: usize = 8;

/// One end of a tunnel that goes on alone.
#[derive(Clone, Debug)]
pub struct Silence {
    /// Who goes on.
    pub speaker: IpAddr,
    /// Who fell silent.
    pub silent: IpAddr,
    /// SPI of the silent one's last packet.
    pub spi: u32,
    /// The silent one's last packet.
    pub last_heard: Mark,
    /// The first packets alone, and the last.
    pub marks: Vec<Mark>,
    /// How many.
    pub sent: u64,
    /// The silent one's first packet afterwards.
    pub back: Option<Mark>,
    /// Packets that the silent one sent meanwhile, by its sequence numbers.
    pub lost: u64,
}

/// One direction.
#[derive(Clone, Debug, Default)]
struct Way {
    spi: u32,
    seq: u32,
    packets: u64,
    lost: u64,
    first: Option<Mark>,
    last: Option<Mark>,
    /// What it sent since the other end was last heard.
    alone: Vec<Mark>,
    alone_packets: u64,
    /// The longest it was alone before.
    usual: Nanos,
}

#[derive(Clone, Debug, Default)]
struct Pair {
    /// From the lower address, and from the higher one.
    ways: [Way; 2],
}

#[derive(Debug, Default)]
pub(super) struct Pairs {
    pairs: HashMap<(IpAddr, IpAddr), Pair>,
    ended: Vec<Silence>,
    pub(super) omitted: u64,
}

impl Pairs {
    pub(super) fn on_packet(&mut self, from: IpAddr, to: IpAddr, esp: Esp, at: Mark) {
        let key = (from.min(to), from.max(to));
        if self.pairs.len() >= PAIRS_MAX && !self.pairs.contains_key(&key) {
            self.omitted += 1;
            return;
        }
        let pair = self.pairs.entry(key).or_default();
        let Pair { ways: [low, high] } = pair;
        let (own, other) = if from <= to { (low, high) } else { (high, low) };
        let step = own.take(esp, at);
        let Some(step) = step else { return };
        if let Some(silence) = other.silence((to, from), own, step, Some(at)) {
            if self.ended.len() < SILENCES_MAX {
                self.ended.push(silence);
            } else {
                self.omitted += 1;
            }
        } else if let (Some(first), Some(last)) = (other.alone.first(), other.alone.last()) {
            other.usual = other.usual.max(last.time.since(first.time));
        }
        other.alone.clear();
        other.alone_packets = 0;
        own.previous(at);
    }

    pub(super) fn last(&self, a: IpAddr, b: IpAddr) -> Option<Timestamp> {
        let pair = self.pairs.get(&(a.min(b), a.max(b)))?;
        pair.ways
            .iter()
            .filter_map(|way| Some(way.last?.time))
            .max()
    }

    pub(super) fn lost(&self, from: IpAddr, to: IpAddr) -> (u64, u64) {
        let pair = self.pairs.get(&(from.min(to), from.max(to)));
        let way = pair.and_then(|pair| pair.ways.get(usize::from(from > to)));
        way.map_or((0, 0), |way| (way.lost, way.packets))
    }

    /// Those that ended, and those that still last.
    pub(super) fn silences(&self) -> Vec<Silence> {
        let mut all = self.ended.clone();
        for ((low, high), Pair { ways: [a, b] }) in &self.pairs {
            all.extend(a.silence((*low, *high), b, 0, None));
            all.extend(b.silence((*high, *low), a, 0, None));
        }
        all.sort_by_key(|silence| (silence.last_heard, silence.speaker, silence.silent));
        all
    }

    pub(super) fn forget_before(&mut self, time: Timestamp) {
        let recent = |way: &Way| way.last.is_some_and(|last| last.time >= time);
        self.pairs.retain(|_, pair| pair.ways.iter().any(recent));
        self.ended
            .retain(|silence| silence.marks.last().is_some_and(|last| last.time >= time));
    }
}

impl Way {
    /// Takes a packet; gives how many before it are missing, or nothing where it was seen already.
    fn take(&mut self, esp: Esp, at: Mark) -> Option<u64> {
        let step = esp.seq.wrapping_sub(self.seq);
        let mut missing = 0;
        if self.packets > 0 && esp.spi == self.spi {
            if step == 0 || step > u32::MAX / 2 {
                // A further sighting, or out of order: one of those that seemed lost.
                if step != 0 {
                    self.lost = self.lost.saturating_sub(1);
                }
                return None;
            }
            missing = if step < STEP_MAX {
                u64::from(step - 1)
            } else {
                0
            };
            self.lost += missing;
        }
        self.spi = esp.spi;
        self.seq = esp.seq;
        self.packets += 1;
        self.first.get_or_insert(at);
        Some(missing)
    }

    /// Notes a packet among those since the other end was heard.
    fn previous(&mut self, at: Mark) {
        self.last = Some(at);
        self.alone_packets += 1;
        if self.alone.len() >= MARKS_MAX {
            self.alone.pop();
        }
        self.alone.push(at);
    }

    /// Was this end alone for long, though `other` used to speak?
    fn silence(
        &self,
        (speaker, silent): (IpAddr, IpAddr),
        other: &Self,
        lost: u64,
        back: Option<Mark>,
    ) -> Option<Silence> {
        let (begin, end) = (self.alone.first()?, self.alone.last()?);
        let span = end.time.since(begin.time);
        let before = other.packets - u64::from(back.is_some());
        let long = span >= ALONE_MIN && span >= self.usual.saturating_mul(UNUSUAL);
        if !long || self.alone_packets < ALONE_PACKETS || before < LIVED_PACKETS {
            return None;
        }
        let own_before = self.packets.saturating_sub(self.alone_packets);
        let lived = begin.time.since(self.first?.time).max(SECOND);
        // A stream that goes one way by nature had begun before, or swells now; a conversation that breaks off ebbs.
        let talk = before.saturating_mul(4) >= own_before;
        let per_second = |packets: u64, span: Nanos| {
            packets.saturating_mul(1_000) / (span / 1_000_000).max(1) as u64
        };
        let ebbs =
            per_second(self.alone_packets, span) <= per_second(own_before, lived).saturating_mul(2);
        // Heard again with the next number: it had nothing to say.
        let said_nothing = back.is_some() && lost == 0;
        (talk && ebbs && !said_nothing).then(|| Silence {
            speaker,
            silent,
            spi: other.spi,
            last_heard: other.last.unwrap_or(*begin),
            marks: self.alone.clone(),
            sent: self.alone_packets,
            back,
            lost,
        })
    }
}
