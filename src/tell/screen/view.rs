//! What the screen shows: the last look, the incidents as they were told, how the run stands. Bounded, and made of values,
//! so that drawing needs no run.

use std::collections::{BTreeMap, VecDeque};

use crate::limits;
use crate::report::schema::{Endpoint, Incident};
use crate::report::stream::Pulse;
use crate::time::{SECOND, Timestamp};

/// Minutes of an endpoint that are shown.
pub(super) const MINUTES: usize = 12;

/// An endpoint's row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) availability: Option<f64>,
    /// Attempts that reached the service, and that failed, of the last minutes; the newest last.
    pub(super) minutes: [(u64, u64); MINUTES],
}

/// The state of everything that is drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// What is read.
    pub(super) source: String,
    pub(super) clock: Timestamp,
    pub(super) packets: u64,
    pub(super) per_second: u64,
    pub(super) lost: u64,
    /// Bytes of the process in memory; 0 where nobody says.
    pub(super) memory: u64,
    pub(super) endpoints: Vec<Row>,
    pub(super) endpoints_omitted: usize,
    pub(super) availability: Option<f64>,
    /// Open ones, the worst first; then the closed ones, the newest first.
    pub(super) incidents: Vec<Incident>,
    pub(super) incidents_omitted: usize,
    /// Sentences that would stand on standard error, the newest last.
    pub(super) said: VecDeque<String>,
    pub(super) known: BTreeMap<String, Incident>,
    /// It differs from what was drawn.
    pub(super) changed: bool,
}

impl View {
    /// How the run stands, a second after the last time.
    pub(super) fn pulse(&mut self, pulse: &Pulse, memory: u64) {
        self.per_second = pulse.packets.saturating_sub(self.packets);
        self.packets = pulse.packets;
        self.lost = pulse.interface_drops.saturating_add(pulse.system_drops);
        self.clock = self.clock.max(pulse.clock);
        self.memory = memory;
        self.changed = true;
    }

    /// The endpoints, in the report's order.
    pub(super) fn look(
        &mut self,
        endpoints: &[Endpoint],
        availability: Option<f64>,
        now: Timestamp,
    ) {
        let shown = endpoints.iter().take(limits::SCREEN_ROWS);
        self.endpoints = shown.map(|endpoint| row(endpoint, now)).collect();
        self.endpoints_omitted = endpoints.len().saturating_sub(limits::SCREEN_ROWS);
        self.availability = availability;
        self.clock = self.clock.max(now);
        self.changed = true;
    }

    /// An incident as it stands now.
    pub(super) fn incident(&mut self, told: &Incident) {
        self.known.insert(told.id.clone(), told.clone());
        while self.known.len() > limits::SCREEN_ROWS {
            let closed = self.known.values().filter(|one| one.state == "closed");
            let oldest = closed.min_by_key(|one| &one.end).map(|one| one.id.clone());
            // Where all are open, the mildest and oldest is shown no more.
            let last = || self.incidents.last().map(|one| one.id.clone());
            let Some(gone) = oldest.or_else(last) else {
                break;
            };
            self.known.remove(&gone);
            self.incidents_omitted += 1;
        }
        self.sort();
    }

    /// What was told does not hold.
    pub(super) fn withdrawn(&mut self, id: &str) {
        if self.known.remove(id).is_some() {
            self.sort();
        }
    }

    fn sort(&mut self) {
        let rank = |one: &Incident| {
            let severity = ["critical", "error", "warning"];
            let severity = severity.iter().position(|name| *name == one.severity);
            (one.state == "closed", severity.unwrap_or(3))
        };
        self.incidents = self.known.values().cloned().collect();
        self.incidents
            .sort_by(|a, b| (rank(a), &b.end, &a.id).cmp(&(rank(b), &a.end, &b.id)));
        self.changed = true;
    }

    /// A sentence from beside.
    pub(super) fn say(&mut self, sentence: &str) {
        if self.said.len() >= limits::SCREEN_SAID {
            self.said.pop_front();
        }
        self.said.push_back(sentence.to_owned());
        self.changed = true;
    }
}

fn row(endpoint: &Endpoint, now: Timestamp) -> Row {
    let minute = |time: Timestamp| time.ns().div_euclid(60 * SECOND);
    let mut minutes = [(0, 0); MINUTES];
    for told in endpoint.shares.minutes.iter().rev().take(MINUTES) {
        let start: Option<jiff::Timestamp> = told.start.parse().ok();
        let Some(start) = start.and_then(|at| i64::try_from(at.as_nanosecond()).ok()) else {
            continue;
        };
        let ago = minute(now).saturating_sub(minute(Timestamp::from_ns(start)));
        let place = usize::try_from(ago)
            .ok()
            .and_then(|ago| (MINUTES - 1).checked_sub(ago));
        if let Some(cell) = place.and_then(|place| minutes.get_mut(place)) {
            cell.0 += told.attempts.ok + told.attempts.answered_no;
            cell.1 += told.attempts.failed;
        }
    }
    Row {
        id: endpoint.id.clone(),
        ok: endpoint.attempts.ok + endpoint.attempts.answered_no,
        failed: endpoint.attempts.failed,
        availability: endpoint.availability,
        minutes,
    }
}
