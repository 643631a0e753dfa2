//! Flows: segments through the engine's table and both half-connections, decoding included, at few and many flows.
//!
//! Every packet meets a flow last touched a whole round ago: with 100,000 flows that is a cache miss each, the worst
//! order there is. Opening the flows is measured apart.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench fails by panicking"
)]

mod support;

use std::sync::Arc;

use support::{Suite, Work, batches, capture, frames, pcap};
use wirefault::engine::{Engine, Options};
use wirefault::ingest::Batch;
use wirefault::protocol::tls::chain::TrustStore;

fn engine(trust: &Arc<TrustStore>) -> Engine {
    let options = Options {
        threads: 1,
        rows: false,
        trust: Arc::clone(trust),
    };
    Engine::new(&options).expect("one thread is always to be had")
}

fn push(mut engine: Engine, batches: &[Batch]) -> Engine {
    for batch in batches {
        engine.push(batch);
    }
    engine
}

fn main() {
    let suite = Suite::from_arguments();
    let trust = Arc::new(TrustStore::bundled());
    for (scale, flows, rounds) in [("1k", 1_000, 100), ("100k", 100_000, 1)] {
        let (opening, talk) = capture::spread(flows, rounds);
        let (opening, talk) = (pcap::pcap(&opening), pcap::pcap(&talk));
        let (open, said) = (batches(&opening), batches(&talk));
        suite.bench(
            &format!("flow/open/{scale}_flows"),
            Work::packets(frames(&open), opening.len()),
            || engine(&trust),
            |engine| push(engine, &open),
        );
        suite.bench(
            &format!("flow/segments/{scale}_flows"),
            Work::packets(frames(&said), talk.len()),
            || push(engine(&trust), &open),
            |engine| push(engine, &said),
        );
    }
}
