//! Data sent again and counted as lost, until its receiver says that it had it already (RFC 2883, D-SACK).
//!
//! A tail-loss probe (RFC 8985 7) or a timer that was too short sends again what was only late. The receiver reports
//! the duplicate once, by the first SACK block of its next acknowledgment, and the loss is taken back: this very one,
//! since a segment that the network doubled is reported in the same way. Bounded: the last `RESENT_MAX` of one end.

use crate::decode::TcpSegment;
use crate::mark::Mark;

/// Retransmissions of one end that may still be taken back; a receiver reports within a round trip.
pub const RESENT_MAX: usize = 16;

/// One retransmission that counts as a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resent {
    /// Position of its first byte.
    pub start: u64,
    /// One past its last.
    pub end: u64,
    /// Where it was seen.
    pub at: Mark,
    /// The first copy never passed the capture point.
    pub upstream: bool,
    /// It followed duplicate acknowledgments.
    pub fast: bool,
}

/// The last retransmissions of one end.
#[derive(Clone, Debug, Default)]
pub struct Latest(Vec<Resent>);

impl Latest {
    /// One more; beyond `RESENT_MAX` the oldest stays counted for good.
    pub fn add(&mut self, resent: Resent) {
        if self.0.len() >= RESENT_MAX {
            self.0.remove(0);
        }
        self.0.push(resent);
    }

    /// The latest one that overlaps the range, which is given up.
    pub fn take(&mut self, start: u64, end: u64) -> Option<Resent> {
        let index = self
            .0
            .iter()
            .rposition(|resent| resent.start < end && start < resent.end)?;
        Some(self.0.remove(index))
    }
}

/// The sequence numbers that a segment reports as received twice. RFC 2883 4: a first block below the acknowledgment
/// number (4.1), or inside the second block (4.2).
pub fn duplicate(segment: &TcpSegment<'_>) -> Option<(u32, u32)> {
    let options = &segment.options;
    let blocks = options.sack.get(..usize::from(options.sack_len))?;
    let (&(left, right), others) = blocks.split_first()?;
    let not_after = |a: u32, b: u32| b.wrapping_sub(a).cast_signed() >= 0;
    let below = not_after(right, segment.ack);
    let inside = others
        .first()
        .is_some_and(|&(from, to)| not_after(from, left) && not_after(right, to));
    ((below || inside) && left != right && not_after(left, right)).then_some((left, right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::TcpOptions;

    fn check(ack: u32, blocks: &[(u32, u32)], expected: Option<(u32, u32)>) {
        let mut options = TcpOptions::default();
        for (block, slot) in blocks.iter().zip(&mut options.sack) {
            *slot = *block;
            options.sack_len += 1;
        }
        let segment = TcpSegment {
            source_port: 443,
            destination_port: 50_000,
            seq: 1,
            ack,
            flags: 0x10,
            window: 1_000,
            checksum: 0,
            options,
            payload: &[],
            payload_len: 0,
        };
        assert_eq!(duplicate(&segment), expected, "ack {ack}, {blocks:?}");
    }

    #[test]
    fn a_first_block_below_the_acknowledgment_is_a_duplicate() {
        check(4_000, &[(3_000, 3_500)], Some((3_000, 3_500)));
        check(4_000, &[(3_500, 4_000)], Some((3_500, 4_000)));
        check(100, &[(0xffff_ff00, 50)], Some((0xffff_ff00, 50)));
        check(
            4_000,
            &[(3_000, 3_500), (4_500, 5_500)],
            Some((3_000, 3_500)),
        );
    }

    #[test]
    fn a_first_block_inside_the_second_is_a_duplicate() {
        check(
            4_000,
            &[(5_000, 5_500), (4_500, 5_500)],
            Some((5_000, 5_500)),
        );
        check(
            4_000,
            &[(5_000, 5_500), (4_500, 5_500), (7_000, 7_500)],
            Some((5_000, 5_500)),
        );
    }

    #[test]
    fn blocks_of_data_beyond_a_hole_are_none() {
        check(4_000, &[], None);
        check(4_000, &[(5_000, 5_500)], None);
        check(4_000, &[(7_000, 7_500), (5_000, 5_500)], None);
        check(4_000, &[(5_000, 6_000), (5_000, 5_500)], None);
        check(4_000, &[(3_500, 4_500)], None);
    }

    #[test]
    fn blocks_that_no_receiver_sends_are_none() {
        check(4_000, &[(3_000, 3_000)], None);
        check(4_000, &[(3_500, 3_000)], None);
    }

    #[test]
    fn the_retransmission_that_was_reported_is_given_up_once() {
        let resent = |start, frame| Resent {
            start,
            end: start + 10,
            at: Mark {
                frame,
                ..Mark::default()
            },
            upstream: false,
            fast: false,
        };
        let mut latest = Latest::default();
        latest.add(resent(100, 1));
        latest.add(resent(200, 2));
        assert_eq!(latest.take(110, 200), None);
        assert_eq!(latest.take(100, 110), Some(resent(100, 1)));
        assert_eq!(latest.take(100, 110), None);
        assert_eq!(latest.take(205, 300), Some(resent(200, 2)));
    }

    #[test]
    fn the_oldest_is_not_remembered_beyond_the_limit() {
        let mut latest = Latest::default();
        for place in 0..=RESENT_MAX as u64 {
            latest.add(Resent {
                start: place * 10,
                end: place * 10 + 10,
                at: Mark::default(),
                upstream: false,
                fast: false,
            });
        }
        assert_eq!(latest.take(0, 10), None);
        assert!(latest.take(10, 20).is_some());
    }
}
