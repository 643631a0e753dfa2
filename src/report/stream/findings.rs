//! Which findings were written, as what, and what became of them.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use std::io;

use foldhash::quality::FixedState;
use hashbrown::{HashMap, HashSet};

use crate::failure::network::packet_loss;
use crate::failure::{Finding, Value};
use crate::flow::key::FlowKey;
use crate::report::id::Id;
use crate::report::order::Kept;
use crate::report::schema::Withdrawn;
use crate::report::stream::{Moment, Tell};
use crate::report::{Findings, Told};
use crate::time::{Nanos, SECOND, Timestamp};

/// A finding is told when it stood for so long: two looks saw it, which come twice a second and may come early.
const STANDS: Nanos = SECOND * 9 / 10;
/// A request with credentials settles a challenge within this (catalogue, rule 3).
const SETTLES: Nanos = 30 * SECOND;
/// What changes is told again when it has not changed for so long,
const QUIET: Nanos = 5 * SECOND;
/// and while it goes on changing, so often.
const AGAIN: Nanos = 60 * SECOND;
/// Findings remembered as written; those of long ago make room.
const WRITTEN_MAX: usize = 262_144;

/// A finding that was written.
#[derive(Clone, Debug)]
struct Written {
    code: &'static str,
    first: Timestamp,
    /// What was written: a hash of all that can change.
    told: u64,
    at: Timestamp,
    revision: u64,
    /// As the last look saw it.
    seen: u64,
    changed: Timestamp,
    ends: Ends,
}

/// Whom a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ends {
    flow: Option<FlowKey>,
    client: Option<std::net::IpAddr>,
    server: Option<(std::net::IpAddr, u16)>,
}

impl Ends {
    fn of(finding: &Finding) -> Self {
        Self {
            flow: finding.flow.map(|(key, _)| key),
            client: finding.client.map(|(ip, _)| ip),
            server: finding.server,
        }
    }

    /// The same connection, or the same two hosts.
    fn meets(&self, other: &Self) -> bool {
        let flow = self.flow.is_some() && self.flow == other.flow;
        let hosts = self.client.is_some() && self.server.is_some();
        flow || (hosts && self.client == other.client && self.server == other.server)
    }
}

/// The findings written so far, and those that wait.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    written: HashMap<Id, Written>,
    /// Since when looks see what is not written yet.
    waiting: HashMap<Id, Timestamp>,
    /// When sums were begun anew.
    summed: Timestamp,
    hasher: FixedState,
}

impl Ledger {
    pub(super) fn holds(&self, id: Id) -> bool {
        self.written.contains_key(&id)
    }

    /// Writes what a look tells that is settled and new, then what changed, and takes back what no longer holds. What
    /// began before `horizon` may be missing because it was forgotten.
    pub(super) fn look<T: Tell + ?Sized>(
        &mut self,
        tell: &mut T,
        told: &Told<Findings>,
        moment: &Moment,
        horizon: Timestamp,
    ) -> io::Result<()> {
        let seen: HashSet<Id> = told.report.findings.entries().map(|(id, _)| id).collect();
        let overturned = self.overturned(&seen, horizon);
        let mut instead: HashMap<Id, Vec<String>> = HashMap::new();
        let mut waiting = HashMap::new();
        for (kept, row) in told.report.findings.each() {
            if self.holds(kept.id) {
                self.again(tell, kept, &row, moment)?;
                continue;
            }
            let since = self.waiting.get(&kept.id).copied();
            let since = since.unwrap_or(moment.now);
            let ends = Ends::of(&kept.finding);
            let over: Vec<Id> = overturned
                .iter()
                .filter(|(_, past)| past.meets(&ends) && !instead.contains_key(&kept.id))
                .map(|(id, _)| *id)
                .collect();
            // What takes the place of what was told does not wait: a gap would read as if all were well.
            if !settled(&kept.finding, since, moment)
                && (over.is_empty() || held(&kept.finding, moment.now))
            {
                waiting.insert(kept.id, since);
                continue;
            }
            let mut row = row();
            row.supersedes = over.first().map(|id| id.text());
            tell.finding(&row)?;
            for past in over {
                instead.entry(past).or_default().push(row.id.clone());
            }
            let print = self.print(kept);
            self.written
                .insert(kept.id, Written::new(kept, print, ends, moment.now));
        }
        self.waiting = waiting;
        for (id, _) in overturned {
            let by = instead.remove(&id).unwrap_or_default();
            tell.withdrawn(&Withdrawn {
                id: id.text(),
                time: moment.now.to_string(),
                by,
            })?;
            self.written.remove(&id);
        }
        self.make_room();
        Ok(())
    }

    /// What began before `horizon` is past; sums are begun anew at `now`.
    pub(super) fn forget_before(&mut self, horizon: Timestamp, now: Timestamp) {
        self.summed = now;
        self.written
            .retain(|_, written| written.first >= horizon || written.changed >= horizon);
    }

    /// Written, and no longer seen though it was not forgotten; by time.
    fn overturned(&self, seen: &HashSet<Id>, horizon: Timestamp) -> Vec<(Id, Ends)> {
        let missing = self.written.iter().filter(|(id, written)| {
            let sum = written.code == packet_loss::CLASS.code && written.first < self.summed;
            let kept = written.first >= horizon && !sum;
            kept && !seen.contains(*id)
        });
        let mut missing: Vec<_> = missing
            .map(|(id, written)| (written.first, *id, written.ends.clone()))
            .collect();
        missing.sort_by_key(|(first, id, _)| (*first, *id));
        missing
            .into_iter()
            .map(|(_, id, ends)| (id, ends))
            .collect()
    }

    /// A finding that was written: told anew when what it says has changed and rests.
    fn again<T: Tell + ?Sized>(
        &mut self,
        tell: &mut T,
        kept: &Kept,
        row: &impl Fn() -> crate::report::schema::Finding,
        moment: &Moment,
    ) -> io::Result<()> {
        let print = self.print(kept);
        let Some(written) = self.written.get_mut(&kept.id) else {
            return Ok(());
        };
        if written.seen != print {
            written.seen = print;
            written.changed = moment.now;
        }
        if written.told == print {
            return Ok(());
        }
        let rests = moment.now.since(written.changed) >= QUIET;
        if moment.ends || rests || moment.now.since(written.at) >= AGAIN {
            written.told = print;
            written.at = moment.now;
            written.revision += 1;
            tell.amended(&row(), written.revision)?;
        }
        Ok(())
    }

    /// A hash of all that a finding's mirror is made of and that may change under its id.
    fn print(&self, kept: &Kept) -> u64 {
        let finding = &kept.finding;
        let mut hash = self.hasher.build_hasher();
        (finding.count, finding.confidence, finding.fails).hash(&mut hash);
        (finding.severity.name(), finding.last.ns()).hash(&mut hash);
        (
            &finding.name,
            &finding.endpoint,
            &finding.also,
            &finding.consequences,
        )
            .hash(&mut hash);
        for seen in &finding.evidence {
            (seen.at.file, seen.at.frame, seen.role).hash(&mut hash);
        }
        for (key, value) in &finding.details {
            key.hash(&mut hash);
            match value {
                Value::Number(number) => number.hash(&mut hash),
                other => format!("{other:?}").hash(&mut hash),
            }
        }
        finding.reason.map(|reason| reason.en).hash(&mut hash);
        hash.finish()
    }

    fn make_room(&mut self) {
        if self.written.len() > WRITTEN_MAX {
            let mut times: Vec<Timestamp> = self.written.values().map(|one| one.at).collect();
            times.sort_unstable();
            let median = times.get(times.len() / 2).copied().unwrap_or_default();
            self.written.retain(|_, written| written.at > median);
        }
    }
}

impl Written {
    fn new(kept: &Kept, print: u64, ends: Ends, now: Timestamp) -> Self {
        Self {
            code: kept.finding.class.code,
            first: kept.finding.first,
            told: print,
            at: now,
            revision: 1,
            seen: print,
            changed: now,
            ends,
        }
    }
}

/// Nothing that is still waited for can change it.
fn settled(finding: &Finding, since: Timestamp, moment: &Moment) -> bool {
    if moment.ends {
        return true;
    }
    // What is said of the capture as a whole is said at its end.
    if finding.class.layer() == "capture" {
        return false;
    }
    let lingers = finding
        .flow
        .is_some_and(|(key, _)| moment.lingering.contains(&key));
    !lingers && !held(finding, moment.now) && moment.now.since(since) >= STANDS
}

/// A challenge may still be settled.
fn held(finding: &Finding, now: Timestamp) -> bool {
    let challenge = matches!(finding.number("status"), Some(401 | 407));
    challenge && now.since(finding.last) < SETTLES
}
