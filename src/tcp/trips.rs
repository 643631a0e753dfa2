//! Round trips between the capture point and one end's peer while data flows, and what of them tells a full queue.
//!
//! One segment is timed at a time: from its first copy to the acknowledgment of its end, and not at all where anything
//! was sent again meanwhile (Karn's rule, RFC 6298 3). From the first trip that is inflated on, acknowledged bytes are
//! counted second by second. Constant work; the seconds are kept only for connections that inflate.

use crate::mark::Mark;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// A trip is inflated from so many times the base.
const TIMES: Nanos = 4;
/// And by so much above it.
const ABOVE: Nanos = 50 * MILLISECOND;
/// Trips that make a base.
const BASE_MIN: u32 = 3;
/// Seconds counted.
pub const SECONDS_MAX: usize = 32;

/// Round trips of one end's data.
#[derive(Clone, Debug, Default)]
pub struct Trips {
    timed: Option<(u64, Timestamp)>,
    /// The shortest, and how many were taken before any was inflated.
    pub base: Option<Nanos>,
    taken: u32,
    /// What followed the first inflated one.
    pub inflated: Option<Box<Inflated>>,
}

/// A connection whose trips grew.
#[derive(Clone, Debug)]
pub struct Inflated {
    /// The acknowledgment of the first inflated trip, and of the last.
    pub first: Mark,
    /// The last one.
    pub last: Mark,
    /// The base before it.
    pub base: Nanos,
    /// The longest.
    pub longest: Nanos,
    /// Inflated trips, and all since the first of them.
    pub count: u32,
    /// All trips since the first of them.
    pub of: u32,
    /// Bytes acknowledged in each second since then.
    pub bytes: Vec<u64>,
}

impl Trips {
    /// New data whose end is at `end` leaves.
    pub fn on_new(&mut self, end: u64, at: Mark) {
        self.timed.get_or_insert((end, at.time));
    }

    /// Something is sent again: what is being timed says nothing any more.
    pub fn on_repeat(&mut self) {
        self.timed = None;
    }

    /// The peer acknowledged `news` more bytes, up to `position`.
    pub fn on_acknowledged(&mut self, position: u64, news: u64, at: Mark) {
        if let Some(inflated) = &mut self.inflated {
            inflated.count_bytes(news, at);
        }
        let Some((_, sent)) = self.timed.filter(|(end, _)| *end <= position) else {
            return;
        };
        self.timed = None;
        let trip = at.time.since(sent).max(1);
        let base = self.base.map_or(trip, |base| base.min(trip));
        self.base = Some(base);
        self.taken = self.taken.saturating_add(1);
        let long = self.taken > BASE_MIN && trip >= base * TIMES && trip >= base + ABOVE;
        match &mut self.inflated {
            Some(inflated) => {
                inflated.of = inflated.of.saturating_add(1);
                if long {
                    inflated.count = inflated.count.saturating_add(1);
                    inflated.longest = inflated.longest.max(trip);
                    inflated.last = at;
                }
            }
            None if long => {
                self.inflated = Some(Box::new(Inflated {
                    first: at,
                    last: at,
                    base,
                    longest: trip,
                    count: 1,
                    of: 1,
                    bytes: vec![0; 1],
                }));
            }
            None => {}
        }
    }
}

impl Inflated {
    fn count_bytes(&mut self, news: u64, at: Mark) {
        let second = at.time.since(self.first.time) / SECOND;
        let Ok(second) = usize::try_from(second) else {
            return;
        };
        if second >= SECONDS_MAX {
            return;
        }
        if self.bytes.len() <= second {
            self.bytes.resize(second + 1, 0);
        }
        if let Some(bytes) = self.bytes.get_mut(second) {
            *bytes = bytes.saturating_add(news);
        }
    }

    /// Bytes a second of the whole seconds, if they lie on a plateau: the least is at least half of the most.
    pub fn plateau(&self) -> Option<u64> {
        let whole = self.bytes.get(..self.bytes.len().checked_sub(1)?)?;
        let (least, most) = (whole.iter().min()?, whole.iter().max()?);
        let even = whole.len() >= 2 && *least > 0 && least.saturating_mul(2) >= *most;
        even.then(|| whole.iter().sum::<u64>() / whole.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trips in milliseconds, one after the other, each of 1,000 bytes. Gives how many were inflated.
    fn check(trips: &[i64]) -> Option<u32> {
        let mut table = Trips::default();
        let (mut now, mut end) = (0, 0);
        for trip in trips {
            let at = |ms: i64| Mark {
                time: Timestamp::from_ns(ms * MILLISECOND),
                ..Mark::default()
            };
            end += 1_000;
            table.on_new(end, at(now));
            now += trip;
            table.on_acknowledged(end, 1_000, at(now));
        }
        table.inflated.map(|inflated| inflated.count)
    }

    #[test]
    fn trips_of_four_times_the_base_and_fifty_more_are_inflated() {
        assert_eq!(check(&[20, 20, 20, 20, 100, 120]), Some(2));
    }

    #[test]
    fn long_trips_that_are_the_base_are_not() {
        assert_eq!(check(&[300, 310, 320, 400, 500]), None);
        assert_eq!(check(&[1, 1, 1, 1, 30, 40]), None);
    }

    #[test]
    fn a_repetition_spoils_what_is_timed() {
        let mut table = Trips::default();
        table.on_new(1_000, Mark::default());
        table.on_repeat();
        table.on_acknowledged(1_000, 1_000, Mark::default());
        assert_eq!(table.base, None);
    }

    #[test]
    fn seconds_beyond_the_limit_are_not_counted() {
        let mut inflated = Inflated {
            first: Mark::default(),
            last: Mark::default(),
            base: 1,
            longest: 1,
            count: 1,
            of: 1,
            bytes: Vec::new(),
        };
        for second in 0..100 {
            let at = Mark {
                time: Timestamp::from_ns(second * SECOND),
                ..Mark::default()
            };
            inflated.count_bytes(5, at);
        }
        assert_eq!(inflated.bytes.len(), SECONDS_MAX);
        assert_eq!(inflated.plateau(), Some(5));
    }
}
