//! Wrong checksums by sending host: a few among right ones are damage on the way; all of them are the work of a card
//! or of whoever edited the capture.
//!
//! A card that computes checksums while sending is known by what it leaves (`decode::Sum::Offload`). Bounded; hosts
//! beyond the limit are not watched, counted as `checksums-omitted`.

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::decode::{IpFacts, Sum, TcpSegment, flag};
use crate::mark::Mark;
use crate::time::Timestamp;

/// Hosts with wrong checksums that are watched.
const HOSTS_MAX: usize = 4_096;
/// Frames kept of one host.
const MARKS_MAX: usize = 16;
/// Senders whose right checksums are counted: a table of this many places.
const RIGHT: usize = 4_096;

/// Which checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// IPv4 header.
    Ip,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Layer {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "IP",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// What a host sent with wrong checksums.
#[derive(Clone, Debug)]
pub struct Damage {
    /// The host.
    pub source: IpAddr,
    /// Where most of them went.
    pub destination: IpAddr,
    /// Which checksum.
    pub layer: Layer,
    /// How many.
    pub wrong: u64,
    /// How many of it were right from its first wrong one on, and shortly before.
    pub right: u64,
    /// How many were left to a card.
    pub offloaded: u64,
    /// Wrong ones that the sender repeated with a right checksum: nobody had taken them.
    pub repeated: u64,
    /// Wrong ones that nobody would repeat: datagrams, bare acknowledgments.
    pub unrepeatable: u64,
    /// Wrong segments whose repetition is looked for: ports, sequence number.
    waiting: Vec<(u16, u16, u32)>,
    /// The first wrong ones, and the last.
    pub marks: Vec<Mark>,
}

/// The hosts of a capture.
#[derive(Debug, Default)]
pub struct Checksums {
    hosts: HashMap<(IpAddr, Layer), Damage>,
    /// Right checksums by sender, of hosts without wrong ones so far: address, layer, how many. Newer ones displace.
    right: Vec<Option<(IpAddr, u32, u32)>>,
    omitted: u64,
}

impl Checksums {
    /// A packet; `segment` where it is TCP.
    pub fn on_packet(&mut self, ip: &IpFacts, segment: Option<&TcpSegment<'_>>, at: Mark) {
        let number = segment.filter(|segment| {
            segment.payload_len > 0 || segment.flags & (flag::SYN | flag::FIN) != 0
        });
        let number =
            number.map(|segment| (segment.source_port, segment.destination_port, segment.seq));
        let body = match ip.protocol {
            6 => Layer::Tcp,
            _ => Layer::Udp,
        };
        // What is right and concerns no watched host costs one place in a small table.
        if self.hosts.is_empty() && ip.head_sum != Sum::Wrong && ip.body_sum != Sum::Wrong {
            self.note_right(ip, 1);
            return;
        }
        self.take(ip, Layer::Ip, ip.head_sum, number, at);
        // A wrong header may have a wrong length: what it carries is not judged.
        if ip.head_sum != Sum::Wrong {
            self.take(ip, body, ip.body_sum, number, at);
        }
        self.note_right(ip, 1);
    }

    fn note_right(&mut self, ip: &IpFacts, by: u32) {
        let body = u32::from(ip.body_sum == Sum::Right) * by;
        let head = u32::from(ip.head_sum == Sum::Right) * by;
        if body == 0 && head == 0 {
            return;
        }
        if self.right.is_empty() {
            self.right.resize(RIGHT, None);
        }
        let place = place_of(ip);
        let Some(slot) = self.right.get_mut(place) else {
            return;
        };
        match slot {
            Some((source, heads, bodies)) if *source == ip.source => {
                *heads = heads.saturating_add(head);
                *bodies = bodies.saturating_add(body);
            }
            _ => *slot = Some((ip.source, head, body)),
        }
    }

    fn known_right(&self, ip: &IpFacts, layer: Layer) -> u64 {
        let place = place_of(ip);
        match self.right.get(place) {
            Some(Some((source, heads, bodies))) if *source == ip.source => {
                let count = if layer == Layer::Ip { heads } else { bodies };
                u64::from(*count)
            }
            _ => 0,
        }
    }

    fn take(
        &mut self,
        ip: &IpFacts,
        layer: Layer,
        sum: Sum,
        number: Option<(u16, u16, u32)>,
        at: Mark,
    ) {
        let key = (ip.source, layer);
        if let Some(known) = self.hosts.get_mut(&key) {
            match sum {
                Sum::Unknown => {}
                Sum::Right => known.is_right(number),
                Sum::Offload => known.offloaded += 1,
                Sum::Wrong => known.is_wrong(number, at),
            }
            return;
        }
        if sum != Sum::Wrong {
            return;
        }
        if self.hosts.len() >= HOSTS_MAX {
            self.omitted += 1;
            return;
        }
        let right = self.known_right(ip, layer);
        let mut damage = Damage {
            source: ip.source,
            destination: ip.destination,
            layer,
            wrong: 0,
            right,
            offloaded: 0,
            repeated: 0,
            unrepeatable: 0,
            waiting: Vec::new(),
            marks: Vec::new(),
        };
        damage.is_wrong(number, at);
        self.hosts.insert(key, damage);
    }

    /// Hosts with wrong checksums, by first frame.
    pub fn damaged(&self) -> Vec<&Damage> {
        let mut all: Vec<&Damage> = self.hosts.values().collect();
        all.sort_by_key(|damage| (damage.marks.first().copied(), damage.source, damage.layer));
        all
    }

    /// Forgets hosts of which nothing was wrong since `time`.
    pub fn forget_before(&mut self, time: Timestamp) {
        let recent = |damage: &Damage| damage.marks.last().is_some_and(|last| last.time >= time);
        self.hosts.retain(|_, damage| recent(damage));
    }

    /// What did not fit the limits.
    pub const fn omitted(&self) -> u64 {
        self.omitted
    }
}

/// The place of a sender: by its address, so that it is the same at every run.
fn place_of(ip: &IpFacts) -> usize {
    let bits = match ip.source {
        IpAddr::V4(ip) => u32::from(ip),
        IpAddr::V6(ip) => {
            let bits = u128::from(ip);
            (bits ^ bits >> 64) as u32
        }
    };
    (bits ^ bits >> 12 ^ u32::from(ip.protocol) << 6) as usize % RIGHT
}

impl Damage {
    fn is_right(&mut self, number: Option<(u16, u16, u32)>) {
        self.right += 1;
        if let Some(number) = number.filter(|_| !self.waiting.is_empty()) {
            let before = self.waiting.len();
            self.waiting.retain(|known| *known != number);
            self.repeated += (before - self.waiting.len()) as u64;
        }
    }

    fn is_wrong(&mut self, number: Option<(u16, u16, u32)>, at: Mark) {
        self.wrong += 1;
        if self.marks.len() >= MARKS_MAX {
            self.marks.pop();
        }
        self.marks.push(at);
        match number {
            None => self.unrepeatable += 1,
            Some(number) if self.waiting.len() < MARKS_MAX => self.waiting.push(number),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(last: u32, body_sum: Sum) -> IpFacts {
        IpFacts {
            source: IpAddr::from((0xc000_0200 + last).to_be_bytes()),
            destination: IpAddr::from([192, 0, 2, 1]),
            ttl: 64,
            id: Some(1),
            dont_fragment: true,
            total_len: 60,
            protocol: 6,
            head_sum: Sum::Right,
            body_sum,
        }
    }

    #[test]
    fn right_ones_before_and_after_the_first_wrong_one_count() {
        let mut sums = Checksums::default();
        for sum in [Sum::Right, Sum::Right, Sum::Wrong, Sum::Right, Sum::Wrong] {
            sums.on_packet(&packet(9, sum), None, Mark::default());
        }
        let found: Vec<_> = sums
            .damaged()
            .iter()
            .map(|one| (one.wrong, one.right))
            .collect();
        assert_eq!(found, [(2, 3)]);
    }

    #[test]
    fn hosts_beyond_the_limit_are_counted() {
        let mut sums = Checksums::default();
        for last in 0..=u32::try_from(HOSTS_MAX).unwrap_or(0) {
            sums.on_packet(&packet(last, Sum::Wrong), None, Mark::default());
        }
        assert_eq!(sums.omitted(), 1);
    }
}
