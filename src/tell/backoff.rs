//! Pauses between tries: twice as long each time up to a bound, and never the same for two senders.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// Pauses that grow.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    tries: u32,
}

impl Backoff {
    /// The first pause is about `first`, none is longer than `most`.
    pub(crate) const fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            tries: 0,
        }
    }

    /// How many pauses there were since the last success.
    pub(crate) const fn tries(&self) -> u32 {
        self.tries
    }

    /// The next pause: between the half and the whole of what is due, so that many senders that lost their receiver in
    /// one moment do not all come back in one.
    pub(crate) fn pause(&mut self) -> Duration {
        let due = self.first.saturating_mul(1 << self.tries.min(20));
        let due = due.min(self.most);
        self.tries = self.tries.saturating_add(1);
        let random = RandomState::new().build_hasher().finish();
        let share = f64::from(u32::try_from(random & 0xffff).unwrap_or(0)) / f64::from(0xffff);
        due.mul_f64(0.5 + share / 2.0)
    }

    /// It went well: the next pause is the first.
    pub(crate) const fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_bound_and_are_spread() {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(300));
        let mut backoff = Backoff::new(first, most);
        for due in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let pause = backoff.pause();
            let due = Duration::from_secs(due);
            assert!(pause >= due / 2 && pause <= due, "{pause:?} of {due:?}");
        }
        backoff.reset();
        assert!(backoff.pause() <= first);
        let mut pauses: Vec<Duration> = (0..16).map(|_| Backoff::new(most, most).pause()).collect();
        pauses.sort();
        pauses.dedup();
        assert!(pauses.len() > 8, "jitter: {pauses:?}");
    }
}
