//! Random segments against the plainest model there is: which bytes arrived, each at its place.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What a stream delivered: `None` where it told a gap.
fn delivered(start: u64, segments: &[(u64, Vec<u8>)], length: u64) -> (Vec<Option<u8>>, u64) {
    let mut out = Vec::new();
    let mut fins = 0;
    let mut stream = Stream::default();
    let mut sink = |chunk: Chunk<'_>, _: Mark| {
        match chunk {
            Chunk::Data(bytes) => out.extend(bytes.iter().copied().map(Some)),
            Chunk::Gap(missing) => out.extend((0..missing).map(|_| None)),
            Chunk::Fin => fins += 1,
        }
        Next::More
    };
    stream.start_at(start);
    for (at, bytes) in segments {
        stream.push(start + at, bytes, 0, 0, Mark::default(), &mut sink);
    }
    stream.fin(start + length, Mark::default(), &mut sink);
    stream.finish(start + length, Mark::default(), &mut sink);
    assert!(fins <= 1, "a FIN is told once");
    (out, stream.missed_bytes)
}

/// A byte that its place decides, so that a misplaced one is seen.
fn byte(place: u64) -> u8 {
    (place.wrapping_mul(167) >> 3) as u8
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_that_arrived_is_delivered_once_at_its_place(
        start in prop_oneof![Just(0), Just((1_u64 << 32) - 40), 0..=u64::from(u32::MAX)],
        ranges in vec((0..400_u64, 1..80_u64), 1..60),
    ) {
        let segments: Vec<(u64, Vec<u8>)> = ranges
            .iter()
            .map(|&(at, len)| (at, (at..at + len).map(byte).collect()))
            .collect();
        let length = ranges.iter().map(|(at, len)| at + len).max().unwrap_or(0);
        let mut model: Vec<Option<u8>> = vec![None; usize::try_from(length).unwrap_or(0)];
        for (at, bytes) in &segments {
            for (place, byte) in (*at..).zip(bytes) {
                if let Some(slot) = usize::try_from(place).ok().and_then(|place| model.get_mut(place)) {
                    *slot = Some(*byte);
                }
            }
        }
        let (out, missed) = delivered(start, &segments, length);
        prop_assert_eq!(out, model.clone());
        prop_assert_eq!(missed, model.iter().filter(|byte| byte.is_none()).count() as u64);
    }
}

#[test]
fn of_two_versions_of_a_byte_the_first_seen_is_delivered() {
    let segments = [
        (4, b"later".to_vec()),
        (6, b"XXXXX".to_vec()),
        (0, b"firs".to_vec()),
        (0, b"FIRST".to_vec()),
    ];
    let (out, _) = delivered(0, &segments, 11);
    let bytes: Vec<u8> = out.into_iter().flatten().collect();
    assert_eq!(bytes, b"firslaterXX");
    // Also where the hole is filled by a segment that reaches over what came earlier.
    let (out, _) = delivered(
        0,
        &[(4, b"later".to_vec()), (0, b"FIRSTLATERX".to_vec())],
        11,
    );
    let bytes: Vec<u8> = out.into_iter().flatten().collect();
    assert_eq!(bytes, b"FIRSlaterRX");
}

#[test]
fn a_hole_that_is_acknowledged_later_is_missed_though_nobody_reads() {
    let missed = |fill: Option<(u64, usize)>| {
        let mut stream = Stream::default();
        let mut sink = |_: Chunk<'_>, _: Mark| Next::Done;
        stream.push(100, &[0; 10], 0, 0, Mark::default(), &mut sink);
        stream.push(150, &[0; 10], 0, 110, Mark::default(), &mut sink);
        if let Some((start, len)) = fill {
            stream.push(start, &vec![0; len], 0, 110, Mark::default(), &mut sink);
        }
        stream.push(160, &[0; 10], 0, 160, Mark::default(), &mut sink);
        stream.finish(170, Mark::default(), &mut sink);
        stream.missed_bytes
    };
    assert_eq!(missed(None), 40);
    assert_eq!(missed(Some((110, 40))), 0);
    assert_eq!(missed(Some((110, 30))), 10);
}

#[test]
fn what_lies_before_an_acknowledged_fin_is_missed() {
    let told = |acked| {
        let mut stream = Stream::default();
        let mut out = Vec::new();
        let mut sink = |chunk: Chunk<'_>, _: Mark| {
            out.push(match chunk {
                Chunk::Data(bytes) => bytes.len() as u64,
                Chunk::Gap(missing) => missing,
                Chunk::Fin => 0,
            });
            Next::More
        };
        stream.push(100, &[0; 10], 0, 110, Mark::default(), &mut sink);
        stream.fin(150, Mark::default(), &mut sink);
        assert!(stream.fin_beyond_hole());
        stream.finish(acked, Mark::default(), &mut sink);
        (stream.missed_bytes, stream.fin_beyond_hole(), out)
    };
    assert_eq!(told(151), (40, false, vec![10, 40, 0]));
    assert_eq!(told(110), (0, true, vec![10]));
}
