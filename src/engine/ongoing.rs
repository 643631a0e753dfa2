//! A run that does not end: what would be said if the capture ended now, and what is forgotten of long ago.
//!
//! A look changes nothing: connections that are open are judged as they stand and go on. What is told of the past
//! is kept for as long as the caller's window says, so that memory depends on traffic and not on time.

use hashbrown::HashSet;

use crate::engine::Engine;
use crate::engine::close;
use crate::engine::diagnosis::Diagnosis;
use crate::engine::told::Told;
use crate::flow::key::FlowKey;
use crate::ingest::FileReport;
use crate::time::{Nanos, SECOND, Timestamp};

/// What a finding is judged beside may lie so long before it (rule 1b, and a SYN's last pause).
const BESIDE: Nanos = 130 * SECOND;

impl Engine {
    /// How far the capture's clock has come.
    pub const fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Time passed and nothing arrived: what was waited for until `now` did not come.
    pub fn tick(&mut self, now: Timestamp) {
        self.clock = self.clock.max(now);
        let clock = self.clock;
        self.shards.iter_mut().for_each(|shard| shard.tick(clock));
    }

    /// What would be said if the capture ended now.
    pub fn look(&mut self, files: &[FileReport]) -> Diagnosis {
        let told = close::merge(self.shards.iter_mut().map(super::shard::Shard::look));
        let kept = (
            self.heard.clone(),
            self.undecoded.clone(),
            self.lookups.clone(),
        );
        let mut diagnosis = close::judge(told, self, files);
        (self.heard, self.undecoded, self.lookups) = kept;
        diagnosis.attempts.add(self.past);
        diagnosis
    }

    /// Connections that have closed and may still be heard of.
    pub fn lingering(&self) -> HashSet<FlowKey> {
        self.shards
            .iter()
            .flat_map(super::shard::Shard::lingering)
            .collect()
    }

    /// Forgets what was told of connections, lookups and hosts that ended before `time`; their attempts stay counted.
    pub fn forget_before(&mut self, time: Timestamp) {
        // What connections came to as attempts is known only beside each other.
        self.horizon = time;
        let forgotten = self.look(&[]).forgotten;
        self.past.add(forgotten);
        for shard in &mut self.shards {
            shard.told.forget_before(time);
        }
        self.heard.forget_before(time.plus(-BESIDE));
        self.lookups.forget_before(time);
        self.outside.forget_before(time);
    }
}

impl Told {
    fn forget_before(&mut self, time: Timestamp) {
        self.findings.retain(|finding| finding.last >= time);
        self.stubs.retain(|stub| stub.first >= time);
        self.authenticated
            .retain(|success| success.at >= time.plus(-BESIDE));
        self.traces
            .retain(|placed| placed.trace.answered.time >= time);
        self.shown.retain(|_, shown| shown.last.time >= time);
        self.waits.retain(|wait| wait.until() >= time);
        self.unnamed.forget_before(time);
        self.heard.forget_before(time.plus(-BESIDE));
        // Sums over all time hide what begins to fail now.
        self.tallies.clear();
    }
}
