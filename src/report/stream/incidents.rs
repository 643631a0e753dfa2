//! Which incidents were written, and how they stand.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::io;

use crate::report::schema::{Incident, Withdrawn};
use crate::report::stream::Tell;
use crate::report::stream::findings::Ledger;
use crate::report::{Findings, Told};
use crate::time::{Nanos, SECOND, Timestamp};

/// An incident without another failure for so long is over.
const OVER: Nanos = 120 * SECOND;

/// An incident that was written and may grow.
#[derive(Debug)]
struct Open {
    /// As it stands; what was written last may be less.
    row: Incident,
    told: Size,
    start: Timestamp,
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

impl Open {
    /// Its own findings were added up for want of room, and others tell the same: `left` are all that there are.
    fn goes_on_as(&self, row: &Incident, start: Timestamp, left: &BTreeSet<String>) -> bool {
        self.row.scope == row.scope
            && self.row.endpoints == row.endpoints
            && start.since(self.end) < OVER
            && !self.row.findings.iter().any(|own| left.contains(own))
    }
}

fn ids(told: &Told<Findings>) -> BTreeSet<String> {
    let all = told.report.findings.entries();
    all.map(|(id, _)| id.text()).collect()
}

/// The incidents that were written and are not over.
#[derive(Debug, Default)]
pub(super) struct Cases {
    open: Vec<Open>,
}

impl Cases {
    /// Writes the incidents of which a finding was written: those that are new, and those that changed. One that is no
    /// longer seen, though it began after `horizon`, is taken back.
    pub(super) fn look<T: Tell + ?Sized>(
        &mut self,
        tell: &mut T,
        told: &Told<Findings>,
        ledger: &Ledger,
        horizon: Timestamp,
    ) -> io::Result<()> {
        let all = told.report.findings.entries().map(|(id, _)| id);
        let written: BTreeSet<String> = all
            .filter(|id| ledger.holds(*id))
            .map(|id| id.text())
            .collect();
        let present: OnceCell<BTreeSet<String>> = OnceCell::new();
        let mut before = std::mem::take(&mut self.open);
        let mut taken: Vec<(BTreeSet<String>, String)> = Vec::new();
        for (row, incident) in told.report.incidents.iter().zip(&told.incidents) {
            if !row.findings.iter().any(|finding| written.contains(finding)) {
                continue;
            }
            let own: BTreeSet<String> = row.findings.iter().cloned().collect();
            let shared = |open: &Open| {
                let both = open.row.findings.iter();
                both.filter(|finding| own.contains(*finding)).count()
            };
            let best = (0..before.len())
                .filter_map(|place| Some((shared(before.get(place)?), place)))
                .filter(|(shared, _)| *shared > 0)
                .max_by_key(|(shared, place)| (*shared, usize::MAX - place));
            let heir = || {
                let left = present.get_or_init(|| ids(told));
                let mut places = 0..before.len();
                places.find(|place| {
                    let open = before.get(*place);
                    open.is_some_and(|open| open.goes_on_as(row, incident.start, left))
                })
            };
            let known = best.map(|(_, place)| place).or_else(heir);
            let known = known.map(|place| before.remove(place));
            let now = following(tell, row.clone(), known, (incident.start, incident.end))?;
            taken.push((own, now.row.id.clone()));
            self.open.push(now);
        }
        self.left(tell, (before, &taken), told, horizon)
    }

    /// What is no longer seen: taken back, or left to the clock where its failures may have been forgotten.
    fn left<T: Tell + ?Sized>(
        &mut self,
        tell: &mut T,
        (before, taken): (Vec<Open>, &[(BTreeSet<String>, String)]),
        told: &Told<Findings>,
        horizon: Timestamp,
    ) -> io::Result<()> {
        for past in before {
            if past.start < horizon {
                // Its failures may have been forgotten: it ends by the clock.
                self.open.push(past);
                continue;
            }
            let by = taken.iter();
            let by = by.filter(|(own, _)| past.row.findings.iter().any(|one| own.contains(one)));
            tell.withdrawn(&Withdrawn {
                by: by.map(|(_, id)| id.clone()).collect(),
                id: past.row.id,
                time: told
                    .span
                    .map_or_else(String::new, |span| span.1.to_string()),
            })?;
        }
        Ok(())
    }

    /// Closes what has not failed again for long.
    pub(super) fn over<T: Tell + ?Sized>(
        &mut self,
        tell: &mut T,
        now: Timestamp,
    ) -> io::Result<()> {
        let open = std::mem::take(&mut self.open).into_iter();
        let (over, open): (Vec<_>, Vec<_>) = open.partition(|open| now.since(open.end) >= OVER);
        self.open = open;
        over.into_iter().try_for_each(|one| closed(tell, one))
    }

    /// Closes all.
    pub(super) fn close<T: Tell + ?Sized>(&mut self, tell: &mut T) -> io::Result<()> {
        let mut open = std::mem::take(&mut self.open).into_iter();
        open.try_for_each(|one| closed(tell, one))
    }
}

/// An incident as a look sees it, after what was known of it; written where it is new or has grown.
fn following<T: Tell + ?Sized>(
    tell: &mut T,
    mut row: Incident,
    known: Option<Open>,
    (start, end): (Timestamp, Timestamp),
) -> io::Result<Open> {
    let Some(known) = known else {
        row.revision = 1;
        row.state = "open";
        tell.incident(&row)?;
        let told = Size::of(&row);
        return Ok(Open {
            row,
            told,
            start,
            end,
        });
    };
    let grown = known.told.grown(&row);
    row.id = known.row.id;
    row.revision = known.row.revision;
    row.state = known.row.state;
    // It began when it began, though its first failures may have left the window.
    if known.start < start {
        row.start = known.row.start;
    }
    let mut told = known.told;
    if grown {
        row.revision = row.revision.saturating_add(1);
        row.state = "grown";
        told = Size::of(&row);
        tell.incident(&row)?;
    }
    Ok(Open {
        row,
        told,
        start: known.start.min(start),
        end,
    })
}

fn closed<T: Tell + ?Sized>(tell: &mut T, open: Open) -> io::Result<()> {
    let row = Incident {
        state: "closed",
        revision: open.row.revision.saturating_add(1),
        ..open.row
    };
    tell.incident(&row)
}
