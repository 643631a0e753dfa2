//! Counters that never go down, made of looks at a window that moves.
//!
//! A look tells sums over what is kept of the past. When the past is forgotten, the same look is taken before and after,
//! and the difference is what left: `past`. The truth at a look is what left and what is kept; a counter shows the
//! highest truth so far, since a later packet may take something back (a failure that was none) for a while.

use std::collections::BTreeMap;

use crate::engine::diagnosis::{BOUNDS_MS, Histogram};
use crate::limits::{FINDINGS_MEASURED, RESOLVERS_MEASURED};
use crate::report::schema::{Endpoint, Latency};
use crate::report::{Findings, Settings, Told, shown};
use crate::tell::metrics::slots::{OTHER, Places, SHARED, own};
use crate::time::{Nanos, SECOND, Timestamp};

/// Upper bounds of the histograms that are told, in milliseconds: some of the engine's, since each costs a series at each
/// endpoint.
pub(super) const TOLD_MS: [u32; 9] = [5, 20, 50, 200, 500, 1_000, 5_000, 10_000, 30_000];

/// A finding is counted when it stands for so long: later packets may show otherwise, and a counter takes nothing back.
const STANDS: Nanos = 5 * SECOND;

/// Times of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// By bound, not added up; last those above all bounds.
    pub(super) counts: [u64; TOLD_MS.len() + 1],
    pub(super) total_ms: u64,
}

impl Times {
    fn of(counts: &[u64], total_ms: u64) -> Self {
        let mut times = Self {
            total_ms,
            ..Self::default()
        };
        for (place, count) in counts.iter().enumerate() {
            let bound = BOUNDS_MS.get(place).copied().unwrap_or(u32::MAX);
            let slot = TOLD_MS.partition_point(|told| *told < bound);
            if let Some(sum) = times.counts.get_mut(slot) {
                *sum += count;
            }
        }
        times
    }

    fn of_latency(latency: Option<&Latency>, total_ms: u64) -> Self {
        latency.map_or_else(Self::default, |latency| {
            Self::of(&latency.histogram.counts, total_ms)
        })
    }

    fn each(&mut self, other: &Self, with: fn(u64, u64) -> u64) {
        for (own, other) in self.counts.iter_mut().zip(other.counts) {
            *own = with(*own, other);
        }
        self.total_ms = with(self.total_ms, other.total_ms);
    }
}

/// What is counted of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// Reached, failed, refused by the service.
    pub(super) outcomes: [u64; 3],
    /// Handshake, TLS, first byte.
    pub(super) times: [Times; 3],
}

impl Sum {
    fn of(row: &Endpoint, total_ms: [u64; 3]) -> Self {
        let kinds = &row.latency_ms;
        let [connect, tls, first_byte] = total_ms;
        Self {
            outcomes: [
                row.attempts.ok,
                row.attempts.failed,
                row.attempts.answered_no,
            ],
            times: [
                Times::of_latency(kinds.connect.as_ref(), connect),
                Times::of_latency(kinds.tls.as_ref(), tls),
                Times::of_latency(kinds.first_byte.as_ref(), first_byte),
            ],
        }
    }

    fn each(&mut self, other: &Self, with: fn(u64, u64) -> u64) {
        for (own, other) in self.outcomes.iter_mut().zip(other.outcomes) {
            *own = with(*own, other);
        }
        for (own, other) in self.times.iter_mut().zip(&other.times) {
            own.each(other, with);
        }
    }
}

/// Everything that only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// By place.
    pub(super) endpoints: BTreeMap<usize, Sum>,
    /// By place, or none, and code.
    pub(super) findings: BTreeMap<(Option<usize>, &'static str), u64>,
    /// By resolver.
    pub(super) resolvers: BTreeMap<String, Times>,
}

impl Sums {
    /// With each figure of `other`; what one side lacks is 0 there.
    fn each(&mut self, other: &Self, with: fn(u64, u64) -> u64) {
        for (place, sum) in &other.endpoints {
            self.endpoints.entry(*place).or_default().each(sum, with);
        }
        for (key, count) in &other.findings {
            let own = self.findings.entry(*key).or_default();
            *own = with(*own, *count);
        }
        for (resolver, times) in &other.resolvers {
            let own = self.resolvers.entry(resolver.clone());
            own.or_default().each(times, with);
        }
    }
}

/// What holds now, of one endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Now {
    pub(super) undetermined: u64,
    /// Reached and decided, of the last minutes.
    pub(super) reached: (u64, u64),
}

/// The counters of a run.
#[derive(Debug)]
pub(super) struct Ledger {
    settings: Settings,
    pub(super) places: Places,
    past: Sums,
    /// What is told.
    pub(super) told: Sums,
    pub(super) now: BTreeMap<usize, Now>,
    /// When leaves expire, by place: the last that was seen.
    pub(super) not_after: BTreeMap<usize, Timestamp>,
}

impl Ledger {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            places: Places::new(),
            past: Sums::default(),
            told: Sums::default(),
            now: BTreeMap::new(),
            not_after: BTreeMap::new(),
        }
    }

    /// Counts what a look tells.
    pub(super) fn look(&mut self, told: &Told<Findings>, now: Timestamp) {
        let kept = self.sums(told, now);
        let mut truth = self.past.clone();
        truth.each(&kept, u64::saturating_add);
        self.told.each(&truth, u64::max);
        self.now.clear();
        for (row, beside) in told.report.endpoints.iter().zip(&told.beside) {
            let place = self.places.of(&row.id).unwrap_or(SHARED);
            let at = self.now.entry(place).or_default();
            let (attempts, reached) = (&row.attempts, row.attempts.ok + row.attempts.answered_no);
            at.undetermined += attempts.undetermined;
            at.reached.0 += reached;
            at.reached.1 += reached + attempts.failed;
            if let Some(until) = beside.not_after.filter(|_| place != SHARED) {
                self.not_after.insert(place, until);
            }
        }
    }

    /// What left between two looks at the same time.
    pub(super) fn forgotten(&mut self, looks: (&Told<Findings>, &Told<Findings>), now: Timestamp) {
        let mut left = self.sums(looks.0, now);
        let kept = self.sums(looks.1, now);
        left.each(&kept, u64::saturating_sub);
        self.past.each(&left, u64::saturating_add);
    }

    fn sums(&mut self, told: &Told<Findings>, now: Timestamp) -> Sums {
        let mut sums = Sums::default();
        self.places.folded = 0;
        let mut rows: Vec<_> = told.report.endpoints.iter().zip(&told.beside).collect();
        // Who is tried most comes first, where places are few.
        rows.sort_by_key(|(row, _)| std::cmp::Reverse(row.attempts.ok + row.attempts.failed));
        for (row, beside) in rows {
            let place = self.places.give(&row.id, beside.ruled);
            let own = sums.endpoints.entry(place).or_default();
            own.each(&Sum::of(row, beside.total_ms), u64::saturating_add);
        }
        let mut fresh = 0;
        for (_, finding) in told.report.findings.entries() {
            if finding.class.layer() == "capture" || now.since(finding.first) < STANDS {
                continue;
            }
            let id = finding.endpoint_id().map(|id| shown(&id, &self.settings));
            let place = id.map(|id| self.places.of(&id).unwrap_or(SHARED));
            let mut key = (place, finding.class.code);
            if !self.told.findings.contains_key(&key) && !sums.findings.contains_key(&key) {
                if self.told.findings.len() + fresh < FINDINGS_MEASURED {
                    fresh += 1;
                } else {
                    key = (Some(SHARED), OTHER);
                }
            }
            *sums.findings.entry(key).or_default() += finding.count;
        }
        for (resolver, times) in &told.resolvers {
            let known = (&self.told.resolvers, &sums.resolvers);
            let name = own(known.0, known.1, &resolver.to_string(), RESOLVERS_MEASURED);
            let Histogram { counts, total_ms } = times;
            let own = sums.resolvers.entry(name).or_default();
            own.each(&Times::of(counts, *total_ms), u64::saturating_add);
        }
        sums
    }
}
