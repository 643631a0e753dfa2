//! The same packet seen twice: SPAN ports, routers, `-i any`, bridges and merged captures (catalogue, rule 6).
//!
//! A second sighting is told from a retransmission by the IP identification, which a sender changes for every
//! packet it makes; where there is none (IPv6, zero with DF) by the TCP time stamp together with another link,
//! interface or TTL, or an interval far below any retransmission timer. Where this does not decide, the segment is
//! taken for a new one.

use crate::time::{MICROSECOND, MILLISECOND, Nanos, SECOND, Timestamp};

/// Segments of one direction that a later one is compared with.
const RECENT_MAX: usize = 32;
/// Two sightings of one packet lie at most this far apart.
const APART_MAX: Nanos = SECOND;
/// No stack retransmits sooner than this (RFC 6298 asks for 1 s, Linux does 200 ms).
const RETRANSMIT_MIN: Nanos = 190 * MILLISECOND;
/// Copies made by one mirror follow each other within this.
const COPY_MAX: Nanos = 200 * MICROSECOND;

/// What identifies one packet of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// When it passed.
    pub time: Timestamp,
    /// Sequence number on the wire.
    pub seq: u32,
    /// Acknowledgment number on the wire.
    pub ack: u32,
    /// IP identification, 0 where there is none.
    pub id: u32,
    /// TSval, 0 where there is none.
    pub ts_value: u32,
    /// Payload bytes on the wire.
    pub payload_len: u32,
    /// Interface, VLAN and source MAC, hashed; where it was seen.
    pub place: u32,
    /// Window field.
    pub window: u16,
    /// TCP checksum field.
    pub checksum: u16,
    /// Control bits.
    pub flags: u8,
    /// Time to live.
    pub ttl: u8,
}

impl Signature {
    fn same_packet(&self, later: &Self) -> bool {
        let alike = (self.seq, self.payload_len, self.flags, self.window)
            == (later.seq, later.payload_len, later.flags, later.window)
            && self.ack == later.ack
            && self.ts_value == later.ts_value;
        let apart = later.time.since(self.time).abs();
        if !alike || apart > APART_MAX || self.id != later.id {
            return false;
        }
        if self.id != 0 {
            return true;
        }
        let elsewhere = self.place != later.place || self.ttl != later.ttl;
        if elsewhere {
            apart < RETRANSMIT_MIN || self.ts_value != 0
        } else {
            apart < COPY_MAX
                && self.checksum == later.checksum
                && (self.payload_len > 0 || self.flags & 0x07 != 0)
        }
    }
}

/// The last segments of one direction.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    signatures: Vec<Signature>,
    oldest: usize,
}

impl Recent {
    /// Is this packet a further sighting of one that was just seen? If not it is remembered.
    pub fn is_sighting(&mut self, new: Signature) -> bool {
        if self.signatures.iter().any(|old| old.same_packet(&new)) {
            return true;
        }
        if self.signatures.len() < RECENT_MAX {
            self.signatures.push(new);
        } else if let Some(slot) = self.signatures.get_mut(self.oldest) {
            *slot = new;
            self.oldest = (self.oldest + 1) % RECENT_MAX;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: Signature = Signature {
        time: Timestamp::from_ns(0),
        seq: 100,
        ack: 200,
        id: 7,
        ts_value: 0,
        payload_len: 10,
        place: 1,
        window: 500,
        checksum: 0x1234,
        flags: 0x18,
        ttl: 64,
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
        check(Signature { id: 8, ..DATA }, false);
    }

    #[test]
    fn without_identification_another_place_within_the_timer_is_a_sighting() {
        let mut recent = Recent::default();
        let first = Signature { id: 0, ..DATA };
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
}
