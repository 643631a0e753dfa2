//! The running clock of a capture.
//!
//! The largest time stamp met so far, except that a frame more than 60 s ahead does not move it unless 16 frames
//! in a row are that far ahead: one frame stamped in the next century must not let every deadline pass.

use crate::time::{Nanos, SECOND, Timestamp};

/// How far one frame may move the clock by itself.
pub(super) const STEP_MAX: Nanos = 60 * SECOND;
/// How many frames in a row must agree on a longer step.
pub(super) const AGREEING: u32 = 16;

/// Largest credible time stamp so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    now: Option<Timestamp>,
    ahead: u32,
    lowest_ahead: Timestamp,
}

impl Clock {
    /// The clock once a frame stamped `time` was met.
    pub(super) fn meet(&mut self, time: Timestamp) -> Timestamp {
        let Some(now) = self.now else {
            self.now = Some(time);
            return time;
        };
        if time.since(now) <= STEP_MAX {
            self.ahead = 0;
            let now = now.max(time);
            self.now = Some(now);
            return now;
        }
        self.lowest_ahead = if self.ahead == 0 {
            time
        } else {
            self.lowest_ahead.min(time)
        };
        self.ahead += 1;
        if self.ahead < AGREEING {
            return now;
        }
        self.ahead = 0;
        self.now = Some(self.lowest_ahead);
        self.lowest_ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(seconds: i64) -> Timestamp {
        Timestamp::from_ns(seconds * SECOND)
    }

    #[test]
    fn never_goes_back() {
        let mut clock = Clock::default();
        assert_eq!(clock.meet(second(100)), second(100));
        assert_eq!(clock.meet(second(90)), second(100));
        assert_eq!(clock.meet(second(160)), second(160));
    }

    #[test]
    fn a_frame_far_ahead_moves_it_only_with_fifteen_others() {
        let mut clock = Clock::default();
        clock.meet(second(100));
        assert_eq!(clock.meet(second(161)), second(100));
        assert_eq!(clock.meet(second(101)), second(101));
        for _ in 0..15 {
            assert_eq!(clock.meet(second(500)), second(101));
        }
        assert_eq!(clock.meet(second(501)), second(500));
        assert_eq!(clock.meet(second(502)), second(502));
    }

    #[test]
    fn the_extremes_do_not_overflow() {
        let mut clock = Clock::default();
        clock.meet(Timestamp::from_ns(i64::MIN));
        assert_eq!(
            clock.meet(Timestamp::from_ns(i64::MAX)),
            Timestamp::from_ns(i64::MIN)
        );
    }
}
