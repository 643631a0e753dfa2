//! No bytes make it panic, and whatever it reads it tells in valid JSON: captures cut at every record and in between,
//! bits flipped at random, and the corpus that fuzzing has grown.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rayon::prelude::*;
use support::run::{json, report_of_bytes, text};
use support::{Capture, assert_none, captures, split};

/// Cuts of one capture at ends of records; of a longer one every n-th is taken.
const CUTS_MAX: usize = 12;
/// Cuts of one capture in the middle of records.
const ODD_CUTS: u64 = 4;
/// Spoilt copies of one capture.
const SPOILT: u64 = 5;
/// Larger captures are spoilt less: their bytes times their copies stay below this.
const BYTES_MAX: usize = 1 << 20;

/// Marsaglia's xorshift64*: the same numbers on every machine.
struct Random(u64);

impl Random {
    /// Seeded by a name, so that a capture's spoilt copies do not depend on its neighbours.
    fn of(name: &str) -> Self {
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Reads these bytes; the complaint says what happened if that was not a report.
fn survives(bytes: Vec<u8>) -> Result<(), String> {
    let told = catch_unwind(AssertUnwindSafe(|| {
        if let Some(report) = report_of_bytes("-", bytes) {
            assert_eq!(text(&json(&report), "schema"), "wirefault.report/1");
        }
    }));
    told.map_err(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        message
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
            .unwrap_or_default()
    })
}

/// Runs over every capture; `spoil` gives named variants of its bytes.
fn check_all(what: &str, spoil: impl Fn(&Capture, Vec<u8>) -> Vec<(String, Vec<u8>)> + Sync) {
    let complaints: Vec<String> = captures()
        .par_iter()
        .flat_map_iter(|capture| {
            spoil(capture, capture.bytes())
                .into_iter()
                .filter_map(|(how, bytes)| {
                    let complaint = survives(bytes).err()?;
                    Some(format!("{} {how}: {complaint}", capture.path))
                })
        })
        .collect();
    assert_none(&complaints, what);
}

/// How many copies of a capture are within the budget.
fn copies(bytes: &[u8], wanted: u64) -> u64 {
    wanted.min((BYTES_MAX / bytes.len().max(1)) as u64).max(1)
}

#[test]
fn captures_cut_at_a_record_are_told_up_to_there() {
    check_all("cut captures were not survived", |_, bytes| {
        let Some(ends) = split::records(&bytes) else {
            return Vec::new();
        };
        let wanted = copies(&bytes, CUTS_MAX as u64) as usize;
        let step = ends.len().div_ceil(wanted).max(1);
        ends.iter()
            .step_by(step)
            .map(|end| (format!("cut at {end}"), bytes[..*end].to_vec()))
            .collect()
    });
}

#[test]
fn captures_cut_anywhere_are_survived() {
    check_all("cut captures were not survived", |capture, bytes| {
        let mut random = Random::of(&capture.path);
        (0..copies(&bytes, ODD_CUTS))
            .map(|_| {
                let end = random.below(bytes.len());
                (format!("cut at {end}"), bytes[..end].to_vec())
            })
            .collect()
    });
}

#[test]
fn captures_with_flipped_bits_are_survived() {
    check_all("spoilt captures were not survived", |capture, bytes| {
        let mut random = Random::of(&capture.path);
        (0..copies(&bytes, SPOILT))
            .map(|copy| {
                let mut spoilt = bytes.clone();
                // From one flip to one in fifty bytes.
                for _ in 0..=random.below(spoilt.len() / 50 + 1) {
                    let place = random.below(spoilt.len());
                    spoilt[place] ^= 1 << random.below(8);
                }
                (format!("spoilt copy {copy}"), spoilt)
            })
            .collect()
    });
}

/// Flips in what the packets carry only, so that the file is read to its end: the decoders get the nonsense.
#[test]
fn packets_with_spoilt_payloads_are_survived() {
    check_all("spoilt packets were not survived", |capture, bytes| {
        let Some(starts) = split::records(&bytes) else {
            return Vec::new();
        };
        let mut random = Random::of(&capture.stem);
        (0..copies(&bytes, SPOILT))
            .map(|copy| {
                let mut spoilt = bytes.clone();
                for record in starts.windows(2) {
                    let (from, to) = (record[0] + 16, record[1]);
                    if to > from && random.below(3) == 0 {
                        let place = from + random.below(to - from);
                        spoilt[place] = match random.below(4) {
                            0 => 0,
                            1 => 0xff,
                            2 => spoilt[place].wrapping_add(1),
                            _ => random.next() as u8,
                        };
                    }
                }
                (format!("spoilt payloads {copy}"), spoilt)
            })
            .collect()
    });
}

/// Records swapped, doubled and left out: what reassembly and the lookups see in another order.
#[test]
fn captures_with_records_out_of_order_are_survived() {
    check_all("shuffled captures were not survived", |capture, bytes| {
        let Some(starts) = split::records(&bytes).filter(|starts| starts.len() > 2) else {
            return Vec::new();
        };
        let mut random = Random::of(&capture.path);
        (0..copies(&bytes, SPOILT / 2))
            .map(|copy| {
                let mut records: Vec<&[u8]> = starts
                    .windows(2)
                    .map(|record| &bytes[record[0]..record[1]])
                    .collect();
                for _ in 0..=records.len() / 4 {
                    let (a, b) = (random.below(records.len()), random.below(records.len()));
                    match random.below(3) {
                        0 => records.swap(a, b),
                        1 => records[a] = records[b],
                        _ => records[a] = &[],
                    }
                }
                (
                    format!("shuffled {copy}"),
                    [&bytes[..starts[0]], &records.concat()].concat(),
                )
            })
            .collect()
    });
}

#[test]
fn every_short_beginning_of_every_format_is_survived() {
    let complaints: Vec<String> = captures()
        .par_iter()
        .filter(|capture| matches!(capture.room(), "format" | "hostile"))
        .flat_map_iter(|capture| {
            let bytes = capture.bytes();
            (0..bytes.len().min(120)).filter_map(move |end| {
                let complaint = survives(bytes[..end].to_vec()).err()?;
                Some(format!("{} cut at {end}: {complaint}", capture.path))
            })
        })
        .collect();
    assert_none(&complaints, "short beginnings were not survived");
}

/// What fuzzing found worth keeping, through the same doors as `fuzz/fuzz_targets/`.
#[test]
fn the_corpus_of_the_fuzzers_is_survived() {
    let folder = Path::new("fuzz/corpus");
    let mut files = Vec::new();
    support::walk(folder, &mut files);
    assert!(!files.is_empty(), "fuzz/corpus holds nothing");
    let complaints: Vec<String> = files
        .par_iter()
        .filter_map(|path| {
            let target = path.split('/').nth(2)?;
            let bytes = fs::read(path).expect("a corpus file");
            let told = catch_unwind(AssertUnwindSafe(|| support::doors::enter(target, &bytes)));
            told.err().map(|_| path.clone())
        })
        .collect();
    assert_none(&complaints, "corpus files were not survived");
}

#[test]
fn the_random_numbers_are_the_same_everywhere() {
    let mut random = Random::of("captures");
    let numbers = [random.below(1000), random.below(1000), random.below(1000)];
    let mut again = Random::of("captures");
    assert_eq!(
        numbers,
        [again.below(1000), again.below(1000), again.below(1000)]
    );
    assert_ne!(numbers[0], numbers[1]);
}
