//! How attempts ended, and in which minute they began (catalogue, "The attempt").

use crate::limits;
use crate::time::{SECOND, Timestamp};

/// How many attempts ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// A response below 500, or a tunnel in use.
    pub ok: u32,
    /// No name, connection, handshake or response; 5xx, 407, 429.
    pub failed: u32,
    /// Other 4xx: the service was reached.
    pub answered_no: u32,
    /// The capture does not tell.
    pub undetermined: u32,
}

impl Outcomes {
    /// One attempt that failed.
    pub const FAILED: Self = Self {
        ok: 0,
        failed: 1,
        answered_no: 0,
        undetermined: 0,
    };

    /// Adds another count.
    pub const fn add(&mut self, other: Self) {
        self.ok = self.ok.saturating_add(other.ok);
        self.failed = self.failed.saturating_add(other.failed);
        self.answered_no = self.answered_no.saturating_add(other.answered_no);
        self.undetermined = self.undetermined.saturating_add(other.undetermined);
    }

    /// What of it another count leaves.
    const fn without(self, other: Self) -> Self {
        Self {
            ok: self.ok.saturating_sub(other.ok),
            failed: self.failed.saturating_sub(other.failed),
            answered_no: self.answered_no.saturating_sub(other.answered_no),
            undetermined: self.undetermined.saturating_sub(other.undetermined),
        }
    }

    /// No attempt at all.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// Minutes since 1970 of a moment.
pub const fn minute_of(time: Timestamp) -> i64 {
    time.ns().div_euclid(60 * SECOND)
}

/// The attempts of one connection by the minute in which they began, in the order of their ends. About 24 bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Minutes(Vec<(i64, Outcomes)>);

impl Minutes {
    /// Adds attempts that began at `time`. Beyond the limit they count in the minute that was added last.
    pub fn add(&mut self, time: Timestamp, outcomes: Outcomes) {
        let minute = minute_of(time);
        let full = self.0.len() >= limits::MINUTES_PER_FLOW;
        // Exchanges end nearly in the order in which they began: the minute is the last one, or close to it.
        let known = self.0.iter().rposition(|(known, _)| *known == minute);
        let known = known.or_else(|| full.then(|| self.0.len() - 1));
        match known.and_then(|place| self.0.get_mut(place)) {
            Some((_, sum)) => sum.add(outcomes),
            None => {
                // Most connections live in one minute.
                if self.0.is_empty() {
                    self.0.reserve_exact(1);
                }
                self.0.push((minute, outcomes));
            }
        }
    }

    /// The minutes with their attempts.
    pub fn iter(&self) -> impl Iterator<Item = (i64, Outcomes)> + '_ {
        self.0.iter().copied()
    }

    /// Their sum.
    pub fn total(&self) -> Outcomes {
        let mut total = Outcomes::default();
        self.iter().for_each(|(_, outcomes)| total.add(outcomes));
        total
    }

    /// Makes the sum `total`: what is more is taken off the last minutes, what is less is added at `time`.
    pub fn settle(&mut self, total: Outcomes, time: Timestamp) {
        let mut excess = self.total().without(total);
        for (_, outcomes) in self.0.iter_mut().rev() {
            let rest = excess.without(*outcomes);
            *outcomes = outcomes.without(excess);
            excess = rest;
        }
        self.0.retain(|(_, outcomes)| !outcomes.is_none());
        let lacking = total.without(self.total());
        if !lacking.is_none() {
            self.add(time, lacking);
        }
    }

    /// Takes back one failure: that of the minute of `time`, else the last.
    pub fn forgive(&mut self, time: Timestamp) {
        let minute = minute_of(time);
        let failed = |(_, outcomes): &&mut (i64, Outcomes)| outcomes.failed > 0;
        let there = self.0.iter().position(|(known, _)| *known == minute);
        let there = there.and_then(|place| self.0.get_mut(place)).filter(failed);
        let place = match there {
            Some(place) => Some(place),
            None => self.0.iter_mut().rev().find(failed),
        };
        if let Some((_, outcomes)) = place {
            outcomes.failed -= 1;
        }
        self.0.retain(|(_, outcomes)| !outcomes.is_none());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Outcomes = Outcomes {
        ok: 1,
        failed: 0,
        answered_no: 0,
        undetermined: 0,
    };

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_ns(minute * 60 * SECOND + SECOND)
    }

    #[test]
    fn attempts_count_in_the_minute_in_which_they_began() {
        let mut minutes = Minutes::default();
        for (minute, outcomes) in [
            (7, OK),
            (7, Outcomes::FAILED),
            (9, OK),
            (7, OK),
            (-1, Outcomes::FAILED),
        ] {
            minutes.add(at(minute), outcomes);
        }
        let told: Vec<_> = minutes
            .iter()
            .map(|(minute, sum)| (minute, sum.ok, sum.failed))
            .collect();
        assert_eq!(told, [(7, 2, 1), (9, 1, 0), (-1, 0, 1)]);
    }

    #[test]
    fn beyond_the_limit_attempts_stay_counted_in_the_last_minute() {
        let mut minutes = Minutes::default();
        let (max, beyond) = (limits::MINUTES_PER_FLOW as i64, 5);
        (0..max + beyond).for_each(|minute| minutes.add(at(minute), OK));
        assert_eq!(minutes.iter().count() as i64, max);
        assert_eq!(i64::from(minutes.total().ok), max + beyond);
        assert_eq!(minutes.iter().last().map(|(_, sum)| sum.ok), Some(6));
    }

    #[test]
    fn a_failure_that_was_none_leaves_its_minute() {
        let mut minutes = Minutes::default();
        minutes.add(at(1), Outcomes::FAILED);
        minutes.add(at(2), Outcomes::FAILED);
        minutes.forgive(at(1));
        assert_eq!(
            minutes.iter().map(|(minute, _)| minute).collect::<Vec<_>>(),
            [2]
        );
        minutes.forgive(at(1));
        assert_eq!(minutes.total(), Outcomes::default());
        minutes.forgive(at(1));
        assert_eq!(minutes.total(), Outcomes::default());
    }

    #[test]
    fn the_sum_is_made_what_the_connection_came_to() {
        let mut minutes = Minutes::default();
        minutes.add(at(1), OK);
        minutes.add(at(2), Outcomes::FAILED);
        let total = Outcomes {
            ok: 1,
            undetermined: 1,
            ..Outcomes::default()
        };
        minutes.settle(total, at(3));
        assert_eq!(minutes.total(), total);
        assert_eq!(
            minutes.iter().map(|(minute, _)| minute).collect::<Vec<_>>(),
            [1, 3]
        );
    }
}
