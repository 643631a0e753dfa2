//! The findings of a report in their order, with their ids: by first time and id, the excess folded.

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::failure::Finding;
use crate::report::id::{self, Id};
use crate::workers::Workers;

/// The place in the report and the id of every finding, by its place in the diagnosis; none outside the window.
#[derive(Debug, Default)]
pub(super) struct Named(Vec<Option<(u32, Id)>>);

impl Named {
    pub(super) fn of(rows: &[Kept]) -> Self {
        let last = rows.iter().flat_map(Kept::places).max();
        let mut all = vec![None; last.map_or(0, |last| last + 1)];
        for (at, kept) in (0_u32..).zip(rows) {
            for place in kept.places() {
                if let Some(named) = all.get_mut(*place) {
                    *named = Some((at, kept.id));
                }
            }
        }
        Self(all)
    }

    /// The ids of the findings at these places of the diagnosis, each once, in the report's order.
    pub(super) fn ids(&self, places: &[usize]) -> Vec<Id> {
        let mut found: Vec<(u32, Id)> = places
            .iter()
            .filter_map(|place| self.0.get(*place).copied().flatten())
            .collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|(_, id)| id).collect()
    }
}

/// A finding of the report: its id, and where it and those folded into it stood in the diagnosis.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) id: Id,
    pub(super) finding: Finding,
    place: usize,
    folded: Vec<usize>,
}

impl Kept {
    fn places(&self) -> impl Iterator<Item = &usize> {
        std::iter::once(&self.place).chain(&self.folded)
    }
}

/// By first time and id, the excess folded. Two findings may share what ids are made of (answers to two pipelined
/// requests, two names asked for in one tick of the clock): the second is numbered, in an order that content gives.
pub(super) fn in_order(findings: Vec<(usize, Finding)>, max: usize, threads: usize) -> Vec<Kept> {
    let tie = |finding: &Finding| {
        let seen: Vec<_> = finding
            .evidence
            .iter()
            .map(|seen| (seen.at.time, seen.role))
            .collect();
        format!(
            "{:?}{:?}{:?}{seen:?}",
            finding.name, finding.last, finding.details
        )
    };
    let workers = Workers::new(threads, findings.len());
    let ids = workers.map(&findings, |(_, finding)| id::finding(finding, 0));
    let mut rows: Vec<Kept> = findings
        .into_iter()
        .zip(ids)
        .map(|((place, finding), id)| Kept {
            id,
            finding,
            place,
            folded: Vec::new(),
        })
        .collect();
    rows.sort_by(|a, b| {
        (a.finding.first, a.id)
            .cmp(&(b.finding.first, b.id))
            .then_with(|| tie(&a.finding).cmp(&tie(&b.finding)))
    });
    let mut rows = fold_excess(rows, max);
    let mut known: HashMap<Id, u32> = HashMap::with_capacity(rows.len());
    let mut numbered = false;
    for kept in &mut rows {
        let alike = known.entry(kept.id).or_default();
        if *alike > 0 {
            kept.id = id::finding(&kept.finding, *alike);
            numbered = true;
        }
        *alike += 1;
    }
    if numbered || !rows.is_sorted_by_key(|kept| (kept.finding.first, kept.id)) {
        rows.sort_by_key(|kept| (kept.finding.first, kept.id));
    }
    rows
}

/// Numbers for pairs of code and endpoint. Findings without a name or rule are told apart by the address and port that
/// their endpoint's id is made of.
#[derive(Default)]
struct Numbers {
    by_server: HashMap<(&'static str, IpAddr, u16), usize>,
    by_id: HashMap<(&'static str, Option<String>), usize>,
}

impl Numbers {
    fn of(&mut self, finding: &Finding) -> usize {
        let next = self.by_server.len() + self.by_id.len();
        let code = finding.class.code;
        match (&finding.endpoint, &finding.name, finding.server) {
            (None, None, Some((ip, port))) => {
                *self.by_server.entry((code, ip, port)).or_insert(next)
            }
            _ => *self
                .by_id
                .entry((code, finding.endpoint_id()))
                .or_insert(next),
        }
    }
}

/// Beyond `max` findings of one code and endpoint, further ones fold into one per client.
fn fold_excess(findings: Vec<Kept>, max: usize) -> Vec<Kept> {
    let mut numbers = Numbers::default();
    let mut seen: Vec<usize> = Vec::new();
    let mut folded: HashMap<(usize, Option<IpAddr>), usize> = HashMap::new();
    let mut kept: Vec<Kept> = Vec::with_capacity(findings.len());
    for one in findings {
        let finding = &one.finding;
        let key = numbers.of(finding);
        if seen.len() <= key {
            seen.resize(key + 1, 0);
        }
        let count = seen.get_mut(key).map_or(0, |count| {
            *count += 1;
            *count
        });
        if count <= max {
            kept.push(one);
            continue;
        }
        let by_client = (key, finding.client.map(|client| client.0));
        match folded
            .get(&by_client)
            .and_then(|index| kept.get_mut(*index))
        {
            Some(Kept {
                finding: into,
                folded: places,
                ..
            }) => {
                into.count += finding.count;
                into.first = into.first.min(finding.first);
                into.last = into.last.max(finding.last);
                into.severity = into.severity.max(finding.severity);
                into.fails |= finding.fails;
                places.extend(one.places());
            }
            None => {
                folded.insert(by_client, kept.len());
                kept.push(one);
            }
        }
    }
    kept
}
