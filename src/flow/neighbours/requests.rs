//! Requests for a MAC address that nobody answered.
//!
//! A run is what one asker asks for one target since the target was last heard. It becomes an outage with its third
//! request within ten seconds. Whatever the target sends ends all runs for it: those that had become outages more than
//! a second earlier are kept as ended outages, the others were answered.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::{Mac, Place};
use crate::mark::Mark;
use crate::time::{Nanos, SECOND, Timestamp};

/// Three requests within this are an outage.
const BURST: Nanos = 10 * SECOND;
/// An answer within this of a request answers it.
const PATIENCE: Nanos = SECOND;
/// Runs kept at once, fewer than `u16` counts; when full, those that can become nothing any more are forgotten, then newcomers are.
const RUNS_MAX: usize = 16_384;
/// Askers kept of one target.
const ASKERS_MAX: usize = 64;
/// Counters of targets by their last bits: most packets come of hosts that nobody asks for.
const WATCHED: usize = 1_024;
/// Frames kept of one run: the first ones, and the last.
const MARKS_MAX: usize = 16;
/// Ended outages kept: the first ones.
const ENDED_MAX: usize = 1_024;

/// One ARP request or neighbour solicitation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) asker: IpAddr,
    pub(super) mac: Mac,
    pub(super) target: IpAddr,
    pub(super) at: Mark,
    pub(super) place: Place,
}

/// One asker that asked for one target at least three times within ten seconds and got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Who asked.
    pub asker: IpAddr,
    /// With which MAC.
    pub asker_mac: Mac,
    /// For whom.
    pub target: IpAddr,
    /// How often, further sightings aside.
    pub requests: u64,
    /// The first requests, and the last one.
    pub marks: Vec<Mark>,
    /// Requests of others for the same target meanwhile, too few for an outage of their own.
    pub others: Vec<Mark>,
    /// The first request.
    pub first: Mark,
    /// The last request.
    pub last: Mark,
    /// The target's first sign of life afterwards.
    pub back: Option<Mark>,
}

#[derive(Clone, Debug)]
struct Run {
    asker: IpAddr,
    mac: Mac,
    counted: (Place, Timestamp),
    first: Mark,
    last: Mark,
    requests: u64,
    marks: Vec<Mark>,
    recent: [Option<Timestamp>; 3],
    burst: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub(super) struct Requests {
    open: HashMap<IpAddr, Vec<Run>>,
    watched: Vec<u16>,
    runs: usize,
    ended: Vec<Outage>,
    swept: Option<i64>,
    omitted: u64,
}

impl Run {
    fn new(request: &Request) -> Self {
        let mut run = Self {
            asker: request.asker,
            mac: request.mac,
            counted: (request.place, request.at.time),
            first: request.at,
            last: request.at,
            requests: 0,
            marks: Vec::new(),
            recent: [None; 3],
            burst: None,
        };
        run.count(request);
        run
    }

    fn count(&mut self, request: &Request) {
        let now = request.at.time;
        self.requests += 1;
        self.last = request.at;
        self.counted = (request.place, now);
        if self.marks.len() >= MARKS_MAX {
            self.marks.pop();
        }
        self.marks.push(request.at);
        self.recent = [self.recent[1], self.recent[2], Some(now)];
        if self.burst.is_none() && self.recent[0].is_some_and(|third| now.since(third) <= BURST) {
            self.burst = Some(now);
        }
    }

    /// No third request can come in time any more.
    fn stale(&self, now: Timestamp) -> bool {
        self.burst.is_none() && now.since(self.last.time) > BURST
    }

    fn outage(&self, target: IpAddr, back: Option<Mark>) -> Option<Outage> {
        let burst = self.burst?;
        let answered = back.is_some_and(|back| back.time.since(burst) <= PATIENCE);
        (!answered).then(|| Outage {
            asker: self.asker,
            asker_mac: self.mac,
            target,
            requests: self.requests,
            marks: self.marks.clone(),
            others: Vec::new(),
            first: self.first,
            last: self.last,
            back,
        })
    }
}

impl Requests {
    pub(super) fn ask(&mut self, request: Request) {
        if self.runs >= RUNS_MAX {
            self.sweep(request.at.time);
        }
        let known = self.open.get_mut(&request.target);
        let (askers, known) = match known {
            Some(runs) => {
                let askers = runs.len();
                (
                    askers,
                    runs.iter_mut()
                        .find(|run| run.asker == request.asker && run.mac == request.mac),
                )
            }
            None => (0, None),
        };
        match known {
            Some(run) if request.place.sights(request.at.time, run.counted) => {}
            Some(run) if run.stale(request.at.time) => *run = Run::new(&request),
            Some(run) => run.count(&request),
            None if self.runs >= RUNS_MAX || askers >= ASKERS_MAX => self.omitted += 1,
            None => {
                self.open
                    .entry(request.target)
                    .or_default()
                    .push(Run::new(&request));
                self.runs += 1;
                if askers == 0 {
                    self.watch(request.target);
                }
            }
        }
    }

    fn watch(&mut self, target: IpAddr) {
        self.watched.resize(WATCHED, 0);
        if let Some(count) = self.watched.get_mut(slot(target)) {
            *count += 1;
        }
    }

    /// `target` sent something. Costs one look into a small table unless somebody asks for it.
    pub(super) fn heard(&mut self, target: IpAddr, at: Mark) {
        if self
            .watched
            .get(slot(target))
            .is_none_or(|count| *count == 0)
        {
            return;
        }
        let Some(runs) = self.open.remove(&target) else {
            return;
        };
        self.runs -= runs.len();
        if let Some(count) = self.watched.get_mut(slot(target)) {
            *count = count.saturating_sub(1);
        }
        for outage in outages_of(target, &runs, Some(at)) {
            if self.ended.len() < ENDED_MAX {
                self.ended.push(outage);
            } else {
                self.omitted += 1;
            }
        }
    }

    /// Forgets runs that cannot become an outage, at most once a second.
    fn sweep(&mut self, now: Timestamp) {
        if self.swept == Some(now.second()) {
            return;
        }
        self.swept = Some(now.second());
        self.open.retain(|_, runs| {
            runs.retain(|run| !run.stale(now));
            !runs.is_empty()
        });
        self.runs = self.open.values().map(Vec::len).sum();
        self.watched.fill(0);
        let mut targets: Vec<IpAddr> = self.open.keys().copied().collect();
        targets.sort_unstable();
        for target in targets {
            self.watch(target);
        }
    }

    pub(super) fn outages(&self) -> Vec<Outage> {
        let mut all = self.ended.clone();
        let mut open: Vec<_> = self.open.iter().collect();
        open.sort_by_key(|(target, _)| **target);
        all.extend(
            open.into_iter()
                .flat_map(|(target, runs)| outages_of(*target, runs, None)),
        );
        all.sort_by_key(|outage| (outage.first, outage.asker, outage.target));
        all
    }

    pub(super) fn omitted(&self) -> u64 {
        self.omitted
    }
}

fn slot(target: IpAddr) -> usize {
    let bits = match target {
        IpAddr::V4(ip) => u32::from(ip),
        IpAddr::V6(ip) => u128::from(ip) as u32,
    };
    (bits ^ (bits >> 10)) as usize % WATCHED
}

/// The outages among the runs for one target; the first one takes what too few requests of others add.
fn outages_of(target: IpAddr, runs: &[Run], back: Option<Mark>) -> Vec<Outage> {
    let mut outages: Vec<Outage> = runs
        .iter()
        .filter_map(|run| run.outage(target, back))
        .collect();
    outages.sort_by_key(|outage| (outage.first, outage.asker));
    if let Some(first) = outages.first_mut() {
        let others = runs
            .iter()
            .filter(|run| run.burst.is_none() && run.last.time >= first.first.time);
        first.others = others.flat_map(|run| run.marks.iter().copied()).collect();
        first.others.sort_unstable();
        first.others.truncate(MARKS_MAX);
    }
    outages
}
