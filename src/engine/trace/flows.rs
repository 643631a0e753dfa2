//! Which frames belong to chosen flows, when a capture is read again: its rows say where each flow begins.
//!
//! A flow takes every segment of its addresses and ports from its first frame up to the first of the next flow on them:
//! further sightings and what came after its end too, and the ICMP errors that quote it.

use std::collections::BTreeMap;

use crate::decode::Body;
use crate::decode::fragment::Fragments;
use crate::engine::lane::{Item, item_of, prepare};
use crate::engine::row::Row;
use crate::flow::key::{FlowKey, KeyHasher};
use crate::ingest::Frame;
use crate::mark::Mark;
use crate::time::Timestamp;

/// What one pair of ends goes through: the flows on it by their first frames.
#[derive(Debug, Default)]
struct Course {
    /// First frames; with the place of the flow where it is a chosen one.
    starts: Vec<(Mark, Option<usize>)>,
    now: Option<usize>,
}

/// The chosen flows of a run.
#[derive(Debug)]
pub struct Flows {
    hasher: KeyHasher,
    fragments: Fragments,
    courses: BTreeMap<FlowKey, Course>,
}

impl Flows {
    /// These flows, each by its key and its first frame's time, among all rows of the run.
    pub fn new(rows: &[Row], chosen: &[(FlowKey, Timestamp)]) -> Self {
        let mut courses: BTreeMap<FlowKey, Course> = BTreeMap::new();
        for (key, _) in chosen {
            courses.entry(*key).or_default();
        }
        for row in rows {
            let Some(course) = courses.get_mut(&row.key) else {
                continue;
            };
            let place = chosen.iter().position(|flow| *flow == (row.key, row.ts));
            match row.began {
                Some(began) => course.starts.push((began, place)),
                // Nothing but further sightings: whatever passes up to the next flow.
                None => course.now = course.now.or(place),
            }
        }
        Self {
            hasher: KeyHasher::new(0),
            fragments: Fragments::default(),
            courses,
        }
    }

    /// The place of the chosen flow that a frame belongs to. Of a fragmented packet it is the frame that completes it.
    pub fn of(&mut self, frame: &Frame<'_>) -> Option<usize> {
        let mut found = None;
        self.visit(frame, &mut |place, _| found = Some(place));
        found
    }

    /// The same, with the packet.
    pub(super) fn visit(&mut self, frame: &Frame<'_>, take: &mut dyn FnMut(usize, &Item<'_>)) {
        let item = prepare(frame, &self.hasher);
        if !matches!(item.packet.body, Body::Fragment(_)) {
            self.step(&item, take);
        } else if let Some(whole) = self.fragments.push(&item.packet, item.clock) {
            let joined = item_of(
                whole.packet(),
                item.at,
                item.clock,
                item.interface,
                &self.hasher,
            );
            self.step(&joined, take);
        }
    }

    fn step(&mut self, item: &Item<'_>, take: &mut dyn FnMut(usize, &Item<'_>)) {
        let course = item.key.and_then(|(key, _)| self.courses.get_mut(&key));
        let Some(course) = course else { return };
        if let Some((_, place)) = course.starts.iter().find(|(began, _)| *began == item.at) {
            course.now = *place;
        }
        if let Some(place) = course.now {
            take(place, item);
        }
    }
}
