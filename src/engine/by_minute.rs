//! Attempts and times of each endpoint, minute by minute: for tables, which are added up elsewhere.

use std::collections::BTreeMap;

use crate::engine::diagnosis::Minute;
use crate::engine::told::Stub;
use crate::failure::flow::Outcomes;
use crate::failure::outcomes::minute_of;
use crate::time::{SECOND, Timestamp};

/// What was tried, by endpoint and minute; nothing where nobody asked.
#[derive(Debug)]
pub(super) struct ByMinute {
    wanted: bool,
    all: BTreeMap<(String, i64), Minute>,
}

impl ByMinute {
    pub(super) const fn new(wanted: bool) -> Self {
        Self {
            wanted,
            all: BTreeMap::new(),
        }
    }

    /// Adds a connection of an endpoint: each attempt in its minute, times in that in which it began.
    pub(super) fn add(&mut self, endpoint: &str, stub: &Stub) {
        if !self.wanted {
            return;
        }
        let began = minute_of(stub.first);
        match stub.minutes() {
            Some(minutes) => minutes
                .iter()
                .for_each(|(minute, sum)| self.one(endpoint, minute, sum)),
            None => self.one(endpoint, began, stub.outcomes),
        }
        for (kind, ms) in stub.times.ms().into_iter().enumerate() {
            if let Some(ms) = ms
                && let Some(histogram) = self.minute(endpoint, began).latency.get_mut(kind)
            {
                histogram.add(ms);
            }
        }
    }

    /// Adds attempts of an endpoint that began in a minute.
    pub(super) fn one(&mut self, endpoint: &str, minute: i64, outcomes: Outcomes) {
        if self.wanted && !outcomes.is_none() {
            self.minute(endpoint, minute).attempts.add(outcomes);
        }
    }

    fn minute(&mut self, endpoint: &str, minute: i64) -> &mut Minute {
        let key = (endpoint.to_owned(), minute);
        self.all.entry(key).or_insert_with(|| Minute {
            endpoint: endpoint.to_owned(),
            start: Timestamp::from_ns(minute.saturating_mul(60 * SECOND)),
            attempts: Outcomes::default(),
            latency: Default::default(),
        })
    }

    /// By endpoint and time.
    pub(super) fn list(self) -> Vec<Minute> {
        self.all.into_values().collect()
    }
}
