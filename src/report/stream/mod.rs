//! What a run that goes on has to tell: a finding when its patience has passed, what became of it, and incidents as they
//! open, grow and close. Given looks at the run, one after the other, it writes what was not written yet.
//!
//! Whoever puts each `finding` down, puts an `amended` one in its place and strikes what is `withdrawn`, holds in the end
//! what a report over the same packets tells.

mod findings;
mod incidents;
pub mod line;
mod tell;
mod words;

use std::io;

use hashbrown::HashSet;

pub use tell::{Pulse, Tell};
pub use words::Words;

use crate::flow::key::FlowKey;
use crate::report::schema::Losses;
use crate::report::{Findings, Told};
use crate::time::{Nanos, SECOND, Timestamp};

use findings::Ledger;
use incidents::Cases;

/// What is judged beside others may miss them where it lies so near to what is forgotten: it is not taken back.
const MARGIN: Nanos = 130 * SECOND;

/// Losses are said again after so many pulses at least.
const LOST_AGAIN: u32 = 10;

/// When a look was taken, and what is still in motion.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// The capture's clock.
    pub now: Timestamp,
    /// Connections that have closed and may still be heard of: nothing is told of them yet.
    pub lingering: HashSet<FlowKey>,
    /// The run ends: nothing more will come.
    pub ends: bool,
}

/// What was written of a run so far.
#[derive(Debug)]
pub struct Stream<T> {
    tell: T,
    ledger: Ledger,
    cases: Cases,
    /// What began earlier may be forgotten, and is not taken back.
    horizon: Timestamp,
    /// Packets lost, as last said, by interfaces and by the system; and pulses since then.
    lost: (u64, u64),
    since_lost: u32,
}

impl<T: Tell> Stream<T> {
    /// A stream with nothing written yet.
    pub fn new(tell: T) -> Self {
        Self {
            tell,
            ledger: Ledger::default(),
            cases: Cases::default(),
            horizon: Timestamp::from_ns(i64::MIN),
            lost: (0, 0),
            since_lost: LOST_AGAIN,
        }
    }

    /// What judges, and how.
    pub fn begin(&mut self, told: &Told<Findings>) -> io::Result<()> {
        self.tell.begin(told)?;
        self.tell.rest()
    }

    /// Writes what a look at the run tells that is settled and new.
    pub fn look(&mut self, told: &Told<Findings>, moment: &Moment) -> io::Result<()> {
        let Self {
            tell,
            ledger,
            cases,
            horizon,
            ..
        } = self;
        ledger.look(tell, told, moment, *horizon)?;
        cases.look(tell, told, ledger, *horizon)?;
        cases.over(tell, moment.now)?;
        tell.look(told, moment.now)?;
        tell.rest()
    }

    /// What ended before `time` is about to be forgotten by the run, at `now`.
    pub fn forget_before(&mut self, time: Timestamp, now: Timestamp) {
        self.horizon = time.plus(MARGIN);
        self.ledger.forget_before(self.horizon, now);
    }

    /// How the run itself stands.
    pub fn pulse(&mut self, pulse: &Pulse) -> io::Result<()> {
        let lost = (pulse.interface_drops, pulse.system_drops);
        self.since_lost = self.since_lost.saturating_add(1);
        if lost != self.lost && self.since_lost >= LOST_AGAIN {
            self.lost = lost;
            self.since_lost = 0;
            self.tell.losses(&Losses {
                time: pulse.clock.to_string(),
                interface_drops: lost.0,
                system_drops: lost.1,
            })?;
            self.tell.rest()?;
        }
        self.tell.pulse(pulse)
    }

    /// The past was forgotten at `now`: what a look tells before and after.
    pub fn forgotten(&mut self, looks: (&Told<Findings>, &Told<Findings>), now: Timestamp) {
        self.tell.forgotten(looks, now);
    }

    /// The endpoints, as the look saw them.
    pub fn endpoints(&mut self, told: &Told<Findings>) -> io::Result<()> {
        self.tell.endpoints(told)?;
        self.tell.rest()
    }

    /// The run ends: everything that is left, every incident closed, then captures, endpoints and the summary.
    pub fn finish(&mut self, told: &Told<Findings>, now: Timestamp) -> io::Result<()> {
        let moment = Moment {
            now,
            ends: true,
            ..Moment::default()
        };
        self.look(told, &moment)?;
        self.cases.close(&mut self.tell)?;
        self.tell.end(told)?;
        self.tell.rest()
    }
}
