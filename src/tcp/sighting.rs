//! The same packet seen twice: SPAN ports, routers, `-i any`, bridges and merged captures (catalogue, rule 6).
//!
//! A second sighting is told from a retransmission by the IP identification, which a sender changes for every
//! packet it makes; where there is none (IPv6, zero with DF) by the TCP time stamp together with another link,
//! interface or TTL, or an interval far below any retransmission timer. Where this does not decide, the segment is
//! taken for a new one.

use crate::time::{MICROSECOND, MILLISECOND, Nanos, SECOND, Timestamp};

/// Places of the table: sets of `WAYS` packets.
const SETS: usize = 256;
/// Packets that share a set; the oldest makes room.
const WAYS: usize = 4;
/// Two sightings of one packet lie at most this far apart.
const APART_MAX: Nanos = SECOND;
/// No stack retransmits sooner than this (RFC 6298 asks for 1 s, Linux does 200 ms).
const RETRANSMIT_MIN: Nanos = 190 * MILLISECOND;
/// Copies made by one mirror follow each other within this.
const COPY_MAX: Nanos = 200 * MICROSECOND;

/// What identifies one packet.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// Hash over the flow, the direction, and what every copy has: sequence and acknowledgment numbers, length, flags,
    /// window, time stamp and IP identification.
    pub print: u64,
    /// When it passed.
    pub time: Timestamp,
    /// Interface, VLAN and source MAC, hashed; where it was seen.
    pub place: u32,
    /// TCP checksum field.
    pub checksum: u16,
    /// Time to live.
    pub ttl: u8,
    /// It has an IP identification.
    pub identified: bool,
    /// It carries a TCP time stamp.
    pub stamped: bool,
    /// It carries payload, SYN, FIN, or a RST that acknowledges. RFC 9293 3.10.7.1: a closed port answers each late
    /// segment that acknowledges with a RST that does not, and these are all alike.
    pub weighty: bool,
}

/// What a later packet of the same print is compared by; the print tells the rest. 16 bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    time: Timestamp,
    place: u32,
    checksum: u16,
    ttl: u8,
}

impl Kept {
    const fn of(signature: &Signature) -> Self {
        Self {
            time: signature.time,
            place: signature.place,
            checksum: signature.checksum,
            ttl: signature.ttl,
        }
    }

    /// Is `later`, whose print is the same, this very packet?
    fn same_packet(&self, later: &Signature) -> bool {
        let apart = later.time.since(self.time).abs();
        if apart > APART_MAX {
            return false;
        }
        if later.identified {
            return true;
        }
        if self.place != later.place || self.ttl != later.ttl {
            apart < RETRANSMIT_MIN || later.stamped
        } else {
            apart < COPY_MAX && self.checksum == later.checksum && later.weighty
        }
    }
}

/// The last packets of many flows: a table of fixed size (25 KiB), so that a flow costs nothing. A copy is found while
/// fewer than `WAYS` later packets fell into its set, which a mirror's or a router's delay of some hundred packets
/// leaves room for. The prints lie by themselves: a packet that is new, as most are, touches little more.
#[derive(Clone, Debug)]
pub struct Recent {
    prints: Box<[[u64; WAYS]; SETS]>,
    kept: Box<[[Kept; WAYS]; SETS]>,
    /// Which of each set gives way next: the oldest.
    oldest: Box<[u8; SETS]>,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            prints: Box::new([[0; WAYS]; SETS]),
            kept: Box::new([[Kept::default(); WAYS]; SETS]),
            oldest: Box::new([0; SETS]),
        }
    }
}

impl Recent {
    /// Is this packet a further sighting of one that was just seen? If not it is remembered.
    pub fn is_sighting(&mut self, new: Signature) -> bool {
        // The middle bits chose the shard.
        let place = new.print as usize % SETS;
        let (Some(prints), Some(set), Some(oldest)) = (
            self.prints.get_mut(place),
            self.kept.get_mut(place),
            self.oldest.get_mut(place),
        ) else {
            return false;
        };
        let copy = |(print, old): (&u64, &Kept)| *print == new.print && old.same_packet(&new);
        if prints.contains(&new.print) && prints.iter().zip(set.iter()).any(copy) {
            return true;
        }
        let way = usize::from(*oldest) % WAYS;
        if let (Some(print), Some(kept)) = (prints.get_mut(way), set.get_mut(way)) {
            (*print, *kept) = (new.print, Kept::of(&new));
        }
        *oldest = oldest.wrapping_add(1);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: Signature = Signature {
        print: 0x1234_5678_9abc_def0,
        time: Timestamp::from_ns(0),
        place: 1,
        checksum: 0x1234,
        ttl: 64,
        identified: true,
        stamped: false,
        weighty: true,
    };

    fn check(later: Signature, expected: bool) {
        let mut recent = Recent::default();
        assert!(!recent.is_sighting(DATA));
        assert_eq!(recent.is_sighting(later), expected);
    }

    #[test]
    fn the_same_identification_is_the_same_packet() {
        check(
            Signature {
                time: Timestamp::from_ns(900 * MILLISECOND),
                ttl: 63,
                checksum: 0,
                ..DATA
            },
            true,
        );
    }

    #[test]
    fn a_new_identification_is_a_retransmission() {
        check(
            Signature {
                print: 8 << 32,
                ..DATA
            },
            false,
        );
    }

    #[test]
    fn without_identification_another_place_within_the_timer_is_a_sighting() {
        let mut recent = Recent::default();
        let first = Signature {
            identified: false,
            ..DATA
        };
        assert!(!recent.is_sighting(first));
        assert!(recent.is_sighting(Signature {
            place: 2,
            time: Timestamp::from_ns(MILLISECOND),
            ..first
        }));
        assert!(!recent.is_sighting(Signature {
            time: Timestamp::from_ns(250 * MILLISECOND),
            ..first
        }));
    }

    #[test]
    fn without_identification_or_weight_the_same_place_shows_another_packet() {
        let mut recent = Recent::default();
        let reset = Signature {
            identified: false,
            weighty: false,
            ..DATA
        };
        assert!(!recent.is_sighting(reset));
        assert!(!recent.is_sighting(Signature {
            time: Timestamp::from_ns(20 * MICROSECOND),
            ..reset
        }));
    }
}
