//! Incidents that several sets show, or that one set shows and others explain: judged again by all of their
//! surroundings, never by a capture.
//!
//! Findings fall into parts that cannot concern each other (`incident::related`). A part that one set alone speaks of
//! stays as that set told it. Of the others the surroundings are read, set by set, as many parts at once as there is
//! room for; what one part needs is a small share of all. The same sets in any order give the same incidents.

mod near;
mod part;
mod sightings;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::archive::across::near::Near;
use crate::archive::across::part::Part;
use crate::archive::around::{Around, Head};
use crate::archive::store::StoreError;
use crate::endpoint::Rules;
use crate::failure::Finding;
use crate::incident::{Context, Incident, Place, find, is_beside, place, related};
use crate::time::Timestamp;

/// A set as incidents over several see it.
#[derive(Clone, Debug)]
pub(super) struct Set {
    /// Where its surroundings lie.
    pub(super) around: PathBuf,
    /// Where it was captured.
    pub(super) point: String,
    /// From its first frame to its last.
    pub(super) span: Option<(Timestamp, Timestamp)>,
}

/// All that sets told.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) findings: &'a [Finding],
    /// Of each finding, the number of its set.
    pub(super) set_of: &'a [u32],
    pub(super) sets: &'a [Set],
    pub(super) rules: &'a Rules,
}

/// What all parts are judged by.
struct Across<'a> {
    known: Known<'a>,
    /// Of each set: the number of the network that it was captured in, and from when on all its answers are known.
    networks: Vec<u32>,
    answered_from: Vec<Option<Timestamp>>,
    /// Places of findings that found nothing and may be evidence, by the host that they speak of.
    beside: HashMap<Place, Vec<usize>>,
    /// Rows of surroundings held at once.
    room: usize,
}

/// The incidents over all sets, and how many parts were too large to be compared; so many rows of surroundings are held
/// at once.
pub(super) fn judge(
    known: &Known<'_>,
    told: Vec<Incident>,
    room: usize,
) -> Result<(Vec<Incident>, u64), StoreError> {
    let Known { findings, sets, .. } = *known;
    if sets.len() < 2 {
        return Ok((told, 0));
    }
    let heads: Result<Vec<Head>, StoreError> = sets
        .iter()
        .map(|set| Around::open(&set.around).map(|(head, _)| head))
        .collect();
    let heads = heads?;
    let mut across = Across {
        known: *known,
        networks: networks(sets, &heads),
        answered_from: heads.iter().map(Head::answered_from).collect(),
        beside: HashMap::new(),
        room,
    };
    for (at, finding) in findings.iter().enumerate() {
        if let Some((ip, _)) = finding.server.filter(|_| is_beside(finding)) {
            let host = place(across.network(across.set_of(at)), ip);
            across.beside.entry(host).or_default().push(at);
        }
    }
    across.judge(told)
}

/// Sets of one capture point lie in one network, and points that saw the same connection do: numbers from 1 on.
fn networks(sets: &[Set], heads: &[Head]) -> Vec<u32> {
    let mut above: Vec<usize> = (0..sets.len()).collect();
    let mut points: HashMap<&str, usize> = HashMap::new();
    let mut met: HashMap<u64, usize> = HashMap::new();
    for (place, (set, head)) in sets.iter().zip(heads).enumerate() {
        let mut same = vec![*points.entry(&set.point).or_insert(place)];
        same.extend(head.met.iter().map(|one| *met.entry(*one).or_insert(place)));
        for other in same {
            let (a, b) = (root(&above, place), root(&above, other));
            if let Some(of) = above.get_mut(a.max(b)) {
                *of = a.min(b);
            }
        }
    }
    let number = |place| u32::try_from(root(&above, place) + 1).unwrap_or(u32::MAX);
    (0..sets.len()).map(number).collect()
}

fn root(above: &[usize], of: usize) -> usize {
    let mut root = of;
    while let Some(&up) = above.get(root).filter(|up| **up != root) {
        root = up;
    }
    root
}

impl<'a> Across<'a> {
    fn judge(&self, told: Vec<Incident>) -> Result<(Vec<Incident>, u64), StoreError> {
        let places = told.iter().map(|incident| incident.findings.as_slice());
        let network = |at: usize| self.network(self.set_of(at));
        let parts = related(self.known.findings, network, places);
        let mut parts: Vec<Part<'a>> = parts
            .into_iter()
            .map(|places| Part::of(self, places))
            .filter(|part| part.is_clear() && part.may_reach_others(self.known.sets))
            .collect();
        self.count(&mut parts)?;
        parts.retain(Part::reaches_others);
        let before = parts.len();
        parts.retain(|part| part.rows() <= self.room);
        let large = before - parts.len();
        let mut incidents = Vec::new();
        let mut judged = vec![false; self.known.findings.len()];
        let mut rest = parts.as_mut_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at_mut(fitting(rest, self.room));
            self.gather(now)?;
            for part in now {
                incidents.extend(self.tell(part));
                for place in part.places() {
                    if let Some(judged) = judged.get_mut(*place) {
                        *judged = true;
                    }
                }
            }
            rest = later;
        }
        let stays = |incident: &Incident| {
            let first = incident.findings.first();
            first.is_none_or(|place| !judged.get(*place).copied().unwrap_or(false))
        };
        incidents.extend(told.into_iter().filter(stays));
        Ok((incidents, large as u64))
    }

    /// Rows that each part needs, and whether other sets know of it.
    fn count(&self, parts: &mut [Part<'a>]) -> Result<(), StoreError> {
        self.each(parts, &mut |part, set, _| part.count(set))
    }

    /// Rows of the parts.
    fn gather(&self, parts: &mut [Part<'a>]) -> Result<(), StoreError> {
        let mut names: HashMap<String, Arc<str>> = HashMap::new();
        self.each(parts, &mut |part, set, near| {
            part.take(set, near, &mut names)
        })
    }

    /// Hands every row of every set to the parts that it concerns.
    fn each(
        &self,
        parts: &mut [Part<'a>],
        take: &mut dyn FnMut(&mut Part<'a>, usize, &near::Row),
    ) -> Result<(), StoreError> {
        for (place, set) in self.known.sets.iter().enumerate() {
            let near = Near::of(parts, place, set, self.network(place));
            if near.is_empty() {
                continue;
            }
            let (_, mut around) = Around::open(&set.around)?;
            while let Some(line) = around.next()? {
                let row = near::Row::of(line);
                for number in near.parts(&row) {
                    if let Some(part) = parts
                        .get_mut(number)
                        .filter(|part| part.takes(&row, self.network(place)))
                    {
                        take(part, place, &row);
                    }
                }
            }
        }
        Ok(())
    }

    /// The incidents of a part by everything that was gathered for it, which is given up.
    fn tell(&self, part: &mut Part<'a>) -> Vec<Incident> {
        let (surroundings, places) = part.gathered(self);
        let findings: Vec<Finding> = places
            .iter()
            .filter_map(|place| self.known.findings.get(*place).cloned())
            .collect();
        let seen = surroundings.tried.into_iter().map(|tried| tried.seen);
        let context = Context::new(seen.collect(), surroundings.answered, &surroundings.heard)
            .answers_from(surroundings.answered_from)
            .with_rules(self.known.rules);
        let (mut incidents, _) = find(&findings, &context);
        let everywhere = |local: &mut Vec<usize>| {
            let global = local.iter().filter_map(|place| places.get(*place).copied());
            *local = global.collect();
        };
        for incident in &mut incidents {
            everywhere(&mut incident.findings);
            for hypothesis in &mut incident.hypotheses {
                let reasons = hypothesis.favour.iter_mut().chain(&mut hypothesis.against);
                reasons.for_each(|reason| everywhere(&mut reason.findings));
            }
        }
        incidents
    }

    fn network(&self, set: usize) -> u32 {
        self.networks.get(set).copied().unwrap_or(0)
    }

    fn set_of(&self, finding: usize) -> usize {
        self.known
            .set_of
            .get(finding)
            .map_or(0, |set| *set as usize)
    }
}

/// How many of them fit together; at least one.
fn fitting(parts: &[Part<'_>], room: usize) -> usize {
    let mut rows = 0_usize;
    let fit = parts.iter().take_while(|part| {
        rows = rows.saturating_add(part.rows());
        rows <= room
    });
    fit.count().max(1)
}
