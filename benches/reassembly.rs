//! Reassembly: one direction of 16 MB in segments of 1,448 bytes, delivered to an observer that takes everything.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench fails by panicking"
)]

mod support;

use support::{Suite, Work};
use wirefault::mark::Mark;
use wirefault::protocol::{Chunk, Next};
use wirefault::tcp::stream::Stream;
use wirefault::time::Timestamp;

/// Payload of a segment with time stamps.
const SEGMENT: usize = 1_448;
/// Segments of a run.
const SEGMENTS: usize = 11_586;

/// Pushes the segments in this order, 12 µs apart (1 Gbit/s); the receiver acknowledges what lies 64 segments back.
/// Gives bytes delivered and bytes given up.
fn reassemble(order: &[u64], payload: &[u8]) -> (u64, u64) {
    let mut stream = Stream::default();
    stream.start_at(0);
    let (mut delivered, mut lost) = (0_u64, 0_u64);
    let mut sink = |chunk: Chunk<'_>, _: Mark| {
        match chunk {
            Chunk::Data(bytes) => delivered += bytes.len() as u64,
            Chunk::Gap(bytes) => lost += bytes,
            Chunk::Fin => {}
        }
        Next::More
    };
    let mut at = Mark::default();
    for (number, segment) in order.iter().enumerate() {
        at.frame = number as u32 + 1;
        at.time = Timestamp::from_ns(number as i64 * 12_000);
        let acked = segment.saturating_sub(64) * SEGMENT as u64;
        stream.push(segment * SEGMENT as u64, payload, 0, acked, at, &mut sink);
    }
    stream.finish(SEGMENTS as u64 * SEGMENT as u64, at, &mut sink);
    (delivered, lost)
}

fn main() {
    let suite = Suite::from_arguments();
    let payload = [b'x'; SEGMENT];
    let in_order: Vec<u64> = (0..SEGMENTS as u64).collect();
    let swapped: Vec<u64> = in_order.iter().map(|number| number ^ 1).collect();
    let lossy: Vec<u64> = in_order
        .iter()
        .copied()
        .filter(|number| number % 100 != 50)
        .collect();
    let lossless = (SEGMENTS * SEGMENT) as u64;
    assert_eq!(reassemble(&swapped, &payload), (lossless, 0));
    assert_eq!(
        reassemble(&lossy, &payload).0,
        (lossy.len() * SEGMENT) as u64
    );
    for (name, order) in [
        ("reassembly/in_order", &in_order),
        ("reassembly/every_second_swapped", &swapped),
        ("reassembly/every_hundredth_lost", &lossy),
    ] {
        let work = Work::packets(order.len(), order.len() * SEGMENT);
        suite.bench(name, work, || (), |()| reassemble(order, &payload));
    }
}
