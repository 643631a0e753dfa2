//! Several capture points into one time order.
//!
//! Each point keeps its own order; the point whose next frame is oldest goes first. A frame stamped far ahead of
//! its own point's clock does not hold its point back. Points are opened when their first frame is due, and their
//! bytes are copied: one point alone takes neither this way nor its cost.

use super::clock::{AGREEING, STEP_MAX};
use super::point::{BATCH_BYTES, Point, Portion};
use super::report::FileReport;
use super::{Batch, FrameRef, Secrets};
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A point that is being read: two batches, so that the next frames are always in sight.
struct Lane {
    point: usize,
    now: Batch,
    then: Batch,
    at: usize,
    clock: Option<Timestamp>,
}

/// The state of the merge.
pub(super) struct Merge {
    lanes: Vec<Lane>,
    due: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// Points not begun, the latest first.
    unopened: Vec<(Timestamp, usize)>,
    portion: Portion,
}

/// What the merge reads from.
pub(super) struct Inputs<'a> {
    pub(super) points: &'a mut [Point],
    pub(super) files: &'a mut [FileReport],
    pub(super) spare: &'a mut Vec<Vec<u8>>,
    pub(super) read: &'a Arc<AtomicU64>,
}

impl Merge {
    pub(super) fn new(points: &[Point], portion: Portion) -> Self {
        let mut unopened: Vec<_> = points
            .iter()
            .enumerate()
            .map(|(place, point)| {
                (
                    point.first_time().unwrap_or(Timestamp::from_ns(i64::MIN)),
                    place,
                )
            })
            .collect();
        unopened.sort_by(|a, b| b.cmp(a));
        Self {
            lanes: Vec::new(),
            due: BinaryHeap::new(),
            unopened,
            // Many lanes at once: each is kept small.
            portion: Portion {
                block_bytes: portion.block_bytes.min(128 << 10),
                frames: portion.frames.min(1024),
            },
        }
    }

    /// Fills an empty batch with up to `frames` frames of about `block_bytes` a block. `point_of` learns the point
    /// of each.
    pub(super) fn fill(
        &mut self,
        batch: &mut Batch,
        point_of: &mut Vec<u32>,
        inputs: &mut Inputs<'_>,
        whole: Portion,
    ) -> bool {
        let mut bytes = 0;
        while batch.frames.len() < whole.frames && bytes < BATCH_BYTES {
            self.open_due(inputs);
            let Some(Reverse((_, number))) = self.due.pop() else {
                break;
            };
            let Some(lane) = self.lanes.get_mut(number) else {
                continue;
            };
            // The same lane goes on while nobody else is due.
            let limit = self.due.peek().map(|Reverse(next)| *next);
            let opening = self.unopened.last().copied();
            while let Some(key) = lane.key() {
                let mine = limit.is_none_or(|limit| (key, number) <= limit)
                    && opening.is_none_or(|(first, _)| key < first);
                if !mine || batch.frames.len() >= whole.frames || bytes >= BATCH_BYTES {
                    self.due.push(Reverse((key, number)));
                    break;
                }
                bytes += lane.hand_over(key, batch, inputs.spare, whole.block_bytes);
                point_of.push(u32::try_from(lane.point).unwrap_or(u32::MAX));
                if lane.at >= lane.now.frames.len() {
                    lane.load(inputs, self.portion);
                }
            }
        }
        !batch.frames.is_empty()
    }

    /// Begins every point whose first frame may be the next.
    fn open_due(&mut self, inputs: &mut Inputs<'_>) {
        while let Some(&(first, point)) = self.unopened.last() {
            let due = self.due.peek().map(|Reverse((key, _))| *key);
            if due.is_some_and(|due| due < first) {
                break;
            }
            self.unopened.pop();
            let mut lane = Lane {
                point,
                now: Batch::default(),
                then: Batch::default(),
                at: 0,
                clock: None,
            };
            lane.load(inputs, self.portion);
            lane.load(inputs, self.portion);
            if let Some(key) = lane.key() {
                self.due.push(Reverse((key, self.lanes.len())));
                self.lanes.push(lane);
            }
        }
    }
}

impl Lane {
    /// Goes to the next batch and reads one more ahead.
    fn load(&mut self, inputs: &mut Inputs<'_>, portion: Portion) {
        let passed = std::mem::take(&mut self.now.secrets);
        std::mem::swap(&mut self.now, &mut self.then);
        self.at = 0;
        for secrets in passed.into_iter().rev() {
            self.now.secrets.insert(
                0,
                Secrets {
                    place: 0,
                    ..secrets
                },
            );
        }
        self.then.clear(inputs.spare);
        if let Some(point) = inputs.points.get_mut(self.point) {
            point.fill(
                &mut self.then,
                inputs.spare,
                inputs.files,
                portion,
                inputs.read,
            );
        }
    }

    fn ahead(&self) -> impl Iterator<Item = &FrameRef> {
        self.now
            .frames
            .get(self.at..)
            .unwrap_or(&[])
            .iter()
            .chain(&self.then.frames)
    }

    /// When the next frame is due: its time, unless its own point's neighbours contradict it.
    fn key(&self) -> Option<Timestamp> {
        let next = self.now.frames.get(self.at)?.at.time;
        let Some(clock) = self.clock else {
            return Some(next);
        };
        let credible = next.since(clock) <= STEP_MAX
            || self
                .ahead()
                .take(AGREEING as usize)
                .all(|frame| frame.at.time.since(clock) > STEP_MAX);
        Some(if credible { next.max(clock) } else { clock })
    }

    /// Copies the next frame into `batch`; says how many bytes it has.
    fn hand_over(
        &mut self,
        key: Timestamp,
        batch: &mut Batch,
        spare: &mut Vec<Vec<u8>>,
        block_bytes: usize,
    ) -> usize {
        self.hand_secrets(batch);
        let Some(from) = self.now.frames.get(self.at) else {
            return 0;
        };
        let bytes = self.now.frame(from).bytes;
        let fits = batch
            .blocks
            .last()
            .is_some_and(|block| block.len() + bytes.len() <= block_bytes);
        if !fits {
            let mut block = spare.pop().unwrap_or_default();
            block.clear();
            batch.blocks.push(block);
        }
        let place = batch.blocks.len().saturating_sub(1);
        let mut frame = *from;
        if let Some(block) = batch.blocks.get_mut(place) {
            frame.start = u32::try_from(block.len()).unwrap_or(u32::MAX);
            block.extend_from_slice(bytes);
        }
        frame.block = u16::try_from(place).unwrap_or(u16::MAX);
        let count = bytes.len();
        batch.frames.push(frame);
        self.clock = Some(key);
        self.at += 1;
        count
    }

    /// Hands over the secrets that stand before the next frame.
    fn hand_secrets(&mut self, batch: &mut Batch) {
        let (at, place) = (self.at, batch.frames.len());
        let due = self
            .now
            .secrets
            .extract_if(.., |secrets| secrets.place <= at);
        let placed = due.map(|secrets| Secrets { place, ..secrets });
        batch.secrets.extend(placed);
    }
}
