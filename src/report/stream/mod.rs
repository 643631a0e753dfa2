//! What a run that goes on has to tell: every finding once, when nothing more can change it, and incidents as they
//! open, grow and close. Given looks at the run, one after the other, it writes what was not written yet.

mod tell;
mod words;

use std::collections::BTreeSet;
use std::io;

use hashbrown::HashMap;

pub use tell::{Pulse, Tell};
pub use words::Words;

use crate::report::id::Id;
use crate::report::schema::Incident;
use crate::report::{Findings, Told};
use crate::time::{Nanos, SECOND, Timestamp};

/// Silence is judged by who was heard up to a minute later (catalogue, rule 1b).
const SETTLED: Nanos = 65 * SECOND;
/// Nothing was added to the finding for so long.
const QUIET: Nanos = 5 * SECOND;
/// A finding that never rests is told after so long all the same.
const LONGEST: Nanos = 130 * SECOND;
/// An incident without another failure for so long is over.
const OVER: Nanos = 120 * SECOND;
/// Findings remembered as written; those of long ago make room.
const WRITTEN_MAX: usize = 262_144;

/// An incident that was written and may grow.
#[derive(Debug)]
struct Open {
    /// As it stands; what was written last may be less.
    row: Incident,
    told: Size,
    end: Timestamp,
}

/// What of an incident is worth another line when it changes.
#[derive(Debug)]
struct Size {
    title: String,
    clients: u64,
    findings: usize,
    failed: u64,
}

impl Size {
    fn of(row: &Incident) -> Self {
        Self {
            title: row.title.clone(),
            clients: row.clients,
            findings: row.findings.len(),
            failed: row.attempts.failed,
        }
    }

    /// Another cause, another client, or half as many failures again.
    fn grown(&self, row: &Incident) -> bool {
        let failures = |before: u64, now: u64| now > before && now >= before + before.div_ceil(2);
        self.title != row.title
            || row.clients > self.clients
            || failures(self.failed, row.attempts.failed)
            || failures(self.findings as u64, row.findings.len() as u64)
    }
}

/// What was written of a run so far.
#[derive(Debug)]
pub struct Stream<T> {
    tell: T,
    written: HashMap<Id, Timestamp>,
    open: Vec<Open>,
}

impl<T: Tell> Stream<T> {
    /// A stream with nothing written yet.
    pub fn new(tell: T) -> Self {
        Self {
            tell,
            written: HashMap::new(),
            open: Vec::new(),
        }
    }

    /// What judges, and how.
    pub fn begin(&mut self, told: &Told<Findings>) -> io::Result<()> {
        self.tell.begin(told)?;
        self.tell.rest()
    }

    /// Writes what a look at the run at `now` tells that is settled and new.
    pub fn look(&mut self, told: &Told<Findings>, now: Timestamp) -> io::Result<()> {
        self.findings(told, &|first, last| {
            let settled = now.since(first) >= SETTLED && now.since(last) >= QUIET;
            settled || now.since(first) >= LONGEST
        })?;
        self.incidents(told)?;
        self.over(now)?;
        self.tell.rest()
    }

    /// How the run itself stands.
    pub fn pulse(&mut self, pulse: &Pulse) -> io::Result<()> {
        self.tell.pulse(pulse)
    }

    /// The endpoints, as the look saw them.
    pub fn endpoints(&mut self, told: &Told<Findings>) -> io::Result<()> {
        self.tell.endpoints(told)?;
        self.tell.rest()
    }

    /// The run ends: everything that is left, every incident closed, then captures, endpoints and the summary.
    pub fn finish(&mut self, told: &Told<Findings>) -> io::Result<()> {
        self.findings(told, &|_, _| true)?;
        self.incidents(told)?;
        for open in std::mem::take(&mut self.open) {
            self.close(open)?;
        }
        self.tell.end(told)?;
        self.tell.rest()
    }

    fn findings(
        &mut self,
        told: &Told<Findings>,
        settled: &dyn Fn(Timestamp, Timestamp) -> bool,
    ) -> io::Result<()> {
        let ends = settled(Timestamp::from_ns(i64::MAX), Timestamp::from_ns(i64::MAX));
        for (kept, row) in told.report.findings.each() {
            let finding = &kept.finding;
            // What is said of the capture as a whole is said at its end.
            let whole = finding.class.layer() == "capture" && !ends;
            if whole || !settled(finding.first, finding.last) || self.written.contains_key(&kept.id)
            {
                continue;
            }
            self.tell.finding(&row())?;
            self.written.insert(kept.id, finding.last);
        }
        if self.written.len() > WRITTEN_MAX {
            let mut times: Vec<Timestamp> = self.written.values().copied().collect();
            times.sort_unstable();
            let median = times.get(times.len() / 2).copied().unwrap_or_default();
            self.written.retain(|_, time| *time > median);
        }
        Ok(())
    }

    /// Incidents of which a finding was written: those that are new, and those that changed.
    fn incidents(&mut self, told: &Told<Findings>) -> io::Result<()> {
        let all = told.report.findings.each().map(|(kept, _)| kept.id);
        let written: BTreeSet<String> = all
            .filter(|id| self.written.contains_key(id))
            .map(|id| id.to_string())
            .collect();
        for (row, incident) in told.report.incidents.iter().zip(&told.incidents) {
            if !row.findings.iter().any(|finding| written.contains(finding)) {
                continue;
            }
            let shared = |open: &Open| {
                let known: BTreeSet<&String> = open.row.findings.iter().collect();
                row.findings.iter().any(|finding| known.contains(finding))
            };
            let known = self.open.iter_mut().find(|open| shared(open));
            let mut row = row.clone();
            match known {
                Some(known) => {
                    let grown = known.told.grown(&row);
                    row.id.clone_from(&known.row.id);
                    row.revision = known.row.revision;
                    row.state = known.row.state;
                    // It began when it began, though its first failures may have left the window.
                    row.start.clone_from(&known.row.start);
                    if grown {
                        row.revision = row.revision.saturating_add(1);
                        row.state = "grown";
                        known.told = Size::of(&row);
                        self.tell.incident(&row)?;
                    }
                    known.row = row;
                    known.end = incident.end;
                }
                None => {
                    row.revision = 1;
                    row.state = "open";
                    self.tell.incident(&row)?;
                    let end = incident.end;
                    let told = Size::of(&row);
                    self.open.push(Open { row, told, end });
                }
            }
        }
        Ok(())
    }

    /// Closes what has not failed again for long.
    fn over(&mut self, now: Timestamp) -> io::Result<()> {
        let open = std::mem::take(&mut self.open).into_iter();
        let (over, open): (Vec<_>, Vec<_>) = open.partition(|open| now.since(open.end) >= OVER);
        self.open = open;
        for incident in over {
            self.close(incident)?;
        }
        Ok(())
    }

    fn close(&mut self, open: Open) -> io::Result<()> {
        let row = Incident {
            state: "closed",
            revision: open.row.revision.saturating_add(1),
            ..open.row
        };
        self.tell.incident(&row)
    }
}
