//! A batch on several threads.
//!
//! What concerns a flow and what concerns none touch nothing of each other, so they go side by side; so does whatever the
//! caller has to do meanwhile, such as reading the next batch.

use rayon::prelude::*;

use crate::engine::Engine;
use crate::engine::lane::{LANE, Lane, flow};
use crate::engine::shard::Shard;
use crate::flow::key::SHARDS;
use crate::ingest::{Batch, FrameRef};

/// Each thread has so many portions of the shards, so that none waits long for another.
const PORTIONS: usize = 2;

impl Engine {
    /// As `push`, and does `beside` at the same time where there are several threads, else after it.
    pub fn push_beside<R: Send>(&mut self, batch: &Batch, beside: impl FnOnce() -> R + Send) -> R {
        let several = self.pool.take_if(|_| batch.secrets.is_empty());
        let Some(pool) = several else {
            self.push(batch);
            return beside();
        };
        self.packets += batch.frames.len() as u64;
        let ((), done) = pool.join(|| self.push_parallel(batch, &batch.frames), beside);
        self.pool = Some(pool);
        self.take_names();
        done
    }

    /// Decodes in parallel, then lets each thread have its shards while one takes what concerns no flow, in order. To be
    /// called within the pool.
    pub(super) fn push_parallel(&mut self, batch: &Batch, frames: &[FrameRef]) {
        let hasher = &self.hasher;
        let lanes: Vec<Lane<'_>> = frames
            .par_chunks(LANE)
            .map(|frames| Lane::decode(batch, frames, hasher))
            .collect();
        if lanes.iter().any(|lane| lane.fragments) {
            // A joined packet takes its place at the frame that completed it: rare, and only order keeps it right.
            for item in lanes.iter().flat_map(|lane| &lane.items) {
                self.step(item);
            }
            return;
        }
        let mut shards = std::mem::take(&mut self.shards);
        rayon::join(
            || take_flows(&mut shards, &lanes),
            || {
                for item in lanes.iter().flat_map(|lane| &lane.items) {
                    self.serial(item);
                }
            },
        );
        self.shards = shards;
    }
}

/// Each shard takes its own frames of all lanes, in order.
fn take_flows(shards: &mut [Shard], lanes: &[Lane<'_>]) {
    let portions = PORTIONS.saturating_mul(rayon::current_num_threads()).max(1);
    let share = SHARDS.div_ceil(portions);
    let portions = shards.par_chunks_mut(share).enumerate();
    portions.for_each(|(place, own)| {
        let first = place * share;
        for lane in lanes {
            for (shard, item) in lane.shards.iter().zip(&lane.items) {
                let own = usize::from(*shard)
                    .checked_sub(first)
                    .and_then(|index| own.get_mut(index));
                if let Some(shard) = own {
                    flow(shard, item);
                }
            }
        }
    });
}
