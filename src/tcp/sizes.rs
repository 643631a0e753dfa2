//! Which sizes of IP packet of one end get through, and which do not: what a path MTU black hole is told by.
//!
//! RFC 2923 2.1: where the errors of RFC 1191 are lost, small segments pass and full ones vanish again and again. Kept are
//! the largest packet known to have arrived, the sizes in which the oldest unacknowledged range was repeated, and the
//! first sign that something smaller arrived beyond it. Constant work and size.

use crate::decode::TcpOptions;
use crate::mark::Mark;
use crate::tcp::half::Half;

/// IP packets smaller than this pass everywhere in practice (RFC 8200 5 asks for 1280).
pub const LARGE: u32 = 1_200;
/// Repetitions in full size after which a sender that then takes a smaller one has found the black hole.
const TRIED: u32 = 2;

/// Something smaller that arrived while the large range did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smaller {
    /// The acknowledgment that tells so.
    pub at: Mark,
    /// Bytes of payload that it selects; 0 for a duplicate acknowledgment, which names none.
    pub bytes: u64,
}

/// Sizes of one end's packets.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    /// The largest seen at all.
    pub seen: u32,
    /// The largest that is known to have arrived.
    pub passed: u32,
    /// How often the oldest unacknowledged range was repeated in a large packet that must not be fragmented.
    pub repeats: u32,
    /// The smallest of those packets.
    pub lost: u32,
    /// The last of them.
    pub last: Option<Box<Mark>>,
    /// The first sign of something smaller beyond the range.
    pub smaller: Option<Box<Smaller>>,
    /// Ended that way before: size lost, size that then got through, where it did.
    pub healed: Option<Box<(u32, u32, Mark)>>,
    /// The first of the repetitions, of the hole that is open or of the one that healed.
    pub first: Option<Box<Mark>>,
    /// Largest packet not known to have arrived: position of its end, size.
    flying: Option<(u64, u32)>,
    /// The range was last repeated in a packet of this size, smaller than those that were lost.
    shrunk: Option<u32>,
    /// A small segment of new data left while the large range was open.
    small_sent: bool,
}

impl Sizes {
    /// New data leaves: `end` is its position, `size` that of its IP packet; `behind` says that older data is open.
    pub fn on_new(&mut self, end: u64, size: u32, behind: bool) {
        self.seen = self.seen.max(size);
        self.small_sent |= behind && size < LARGE;
        if size > self.passed && self.flying.is_none_or(|(_, known)| size > known) {
            self.flying = Some((end, size));
        }
    }

    /// The oldest unacknowledged range leaves again.
    pub fn on_repeat(&mut self, size: u32, dont_fragment: bool, at: Mark) {
        self.seen = self.seen.max(size);
        // What arrives now may be this copy.
        self.flying = None;
        if size >= LARGE && dont_fragment {
            if self.repeats == 0 {
                self.first = Some(Box::new(at));
                self.lost = size;
            }
            self.lost = self.lost.min(size);
            self.repeats = self.repeats.saturating_add(1);
            self.last = Some(Box::new(at));
            self.shrunk = None;
        } else if self.repeats > TRIED && size < self.lost {
            self.shrunk = Some(size);
        }
    }

    /// The peer acknowledged up to `position`, which is news.
    pub fn on_acknowledged(&mut self, position: u64, at: Mark) {
        if let Some((_, size)) = self.flying.filter(|(end, _)| *end <= position) {
            self.passed = self.passed.max(size);
            self.flying = None;
        }
        if let Some(size) = self.shrunk {
            self.passed = self.passed.max(size);
            self.healed
                .get_or_insert_with(|| Box::new((self.lost, size, at)));
        }
        if self.healed.is_none() {
            self.first = None;
        }
        (self.repeats, self.lost, self.last) = (0, 0, None);
        (self.smaller, self.shrunk, self.small_sent) = (None, None, false);
    }

    /// The peer selects so many bytes beyond the open range (RFC 2018).
    pub fn on_selected(&mut self, bytes: u64, at: Mark) {
        match &mut self.smaller {
            Some(known) if known.bytes > 0 => known.bytes = known.bytes.min(bytes),
            _ => self.smaller = Some(Box::new(Smaller { at, bytes })),
        }
    }

    /// The peer repeats its acknowledgment and cannot select: something arrived beyond the open range.
    pub fn on_duplicate(&mut self, at: Mark) {
        if self.small_sent && self.smaller.is_none() {
            self.smaller = Some(Box::new(Smaller { at, bytes: 0 }));
        }
    }
}

impl Half {
    /// RFC 2018 3: the blocks that the peer has of what lies beyond its acknowledgment.
    pub fn note_selected(&mut self, options: &TcpOptions, at: Mark) {
        for (left, right) in options.sack.iter().take(usize::from(options.sack_len)) {
            let (Some(left), Some(right)) =
                (self.position_of_ack(*left), self.position_of_ack(*right))
            else {
                continue;
            };
            if left > self.acked && right > left {
                self.sizes.on_selected(right - left, at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(frame: u32) -> Mark {
        Mark {
            frame,
            ..Mark::default()
        }
    }

    #[test]
    fn an_acknowledgment_of_the_first_copy_says_that_its_size_passes() {
        let mut sizes = Sizes::default();
        sizes.on_new(1_000, 1_500, false);
        sizes.on_acknowledged(1_000, at(2));
        assert_eq!(sizes.passed, 1_500);
    }

    #[test]
    fn after_a_repetition_it_says_nothing() {
        let mut sizes = Sizes::default();
        sizes.on_new(1_000, 1_500, false);
        sizes.on_repeat(900, true, at(2));
        sizes.on_acknowledged(1_000, at(3));
        assert_eq!(sizes.passed, 0);
    }

    #[test]
    fn what_passes_in_a_smaller_packet_after_three_large_ones_healed() {
        let mut sizes = Sizes::default();
        sizes.on_new(1_000, 1_500, false);
        for frame in 2..5 {
            sizes.on_repeat(1_500, true, at(frame));
        }
        sizes.on_repeat(1_064, true, at(5));
        sizes.on_acknowledged(1_000, at(6));
        assert_eq!(sizes.healed.as_deref(), Some(&(1_500, 1_064, at(6))));
        assert_eq!(sizes.first.as_deref(), Some(&at(2)));
    }

    #[test]
    fn a_smaller_copy_after_one_large_one_is_ordinary() {
        let mut sizes = Sizes::default();
        sizes.on_repeat(1_500, true, at(2));
        sizes.on_repeat(700, true, at(3));
        sizes.on_acknowledged(1_000, at(4));
        assert_eq!(sizes.healed, None);
    }

    #[test]
    fn a_duplicate_acknowledgment_counts_after_something_small_was_sent() {
        let mut sizes = Sizes::default();
        sizes.on_new(1_000, 1_500, false);
        sizes.on_duplicate(at(2));
        assert_eq!(sizes.smaller, None);
        sizes.on_new(1_100, 152, true);
        sizes.on_duplicate(at(3));
        assert_eq!(
            sizes.smaller.as_deref(),
            Some(&Smaller {
                at: at(3),
                bytes: 0
            })
        );
    }
}
