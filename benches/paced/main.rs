//! Every labelled capture on a wire of its own, at its own pace, into `wirefault live -i`: is told what the file tells,
//! and how long after it could be known?
//!
//! Root, `ip`, and a program built with the feature `live` (`WIREFAULT`, else `target/release/wirefault`). Frames go
//! into one end of a veth pair in a namespace without addresses, at the distances that they have in the file; the run
//! listens at the other end. When a finding could be known is asked of the engine itself: it is fed the file frame by
//! frame, time passes between frames as on an interface, and ten times a second it is asked what it has to tell, which
//! is what has stood for 0.9 s. A line of the run is late by how long after the begin of that it was written. `cargo bench --features live --bench paced [TEXT]`
//! takes the captures whose path holds TEXT. `LONGEST` (60) seconds is the longest capture taken.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench fails by panicking, prints, and measures the machine's time"
)]

mod ideal;
mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use wirefault::failure::{Finding, host_port};
use wirefault::protocol::tls::chain::TrustStore;
use wirefault::time::{MILLISECOND, SECOND};

use ideal::known;
use wire::{Wire, frames, sh, until};

const ROOTS: &str = "captures/lab/roots.pem";
/// So many captures at once.
const AT_ONCE: usize = 24;
/// The wire stays open so long after the last frame.
const AFTER: i64 = 8 * SECOND;

/// Code, client and server of a finding: its id holds times, which are others on the wire.
type Key = String;

/// When each finding could be known, in ns from the first frame on; and what the file as a whole tells.
struct Known {
    since: Vec<(Key, i64)>,
    whole: Vec<Key>,
}

/// What became of a capture.
#[derive(Default)]
struct Outcome {
    told: usize,
    late_ms: Vec<i64>,
    late: Vec<String>,
    wrong: Vec<String>,
}

fn key(finding: &Finding) -> Option<Key> {
    let end = |end: Option<(std::net::IpAddr, u16)>| {
        end.map_or(String::new(), |(ip, port)| host_port(ip, port))
    };
    let code = finding.class.code;
    let own = finding.class.layer() != "capture";
    own.then(|| format!("{code} {} {}", end(finding.client), end(finding.server)))
}

fn key_of_line(line: &Value) -> Option<Key> {
    let code = line.get("code")?.as_str()?;
    let end = |name: &str| {
        let end = line.get(name)?;
        let ip = end.get("ip")?.as_str()?.parse().ok()?;
        let port = end.get("port").and_then(Value::as_u64).unwrap_or(0);
        Some(host_port(ip, u16::try_from(port).ok()?))
    };
    let (client, server) = (
        end("client").unwrap_or_default(),
        end("server").unwrap_or_default(),
    );
    (!code.starts_with("capture.")).then(|| format!("{code} {client} {server}"))
}

fn paced(
    number: usize,
    program: &str,
    path: &Path,
    all: &[(i64, Vec<u8>)],
    known: &Known,
) -> Outcome {
    let wire = Wire::new(number);
    let mut run = wire.listen(program, path);
    let lines: Arc<Mutex<Vec<(Instant, Value)>>> = Arc::default();
    let out = BufReader::new(run.stdout.take().expect("a pipe"));
    let heard = Arc::clone(&lines);
    let ear = std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if let Ok(value) = serde_json::from_str(&line) {
                heard.lock().expect("a list").push((Instant::now(), value));
            }
        }
    });
    // The header is written when the interface is open.
    while lines.lock().expect("a list").is_empty() {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    until(Instant::now() + Duration::from_millis(300));
    let began = wire.send(all);
    let last = all.last().map_or(0, |(at, _)| *at);
    let end = began
        + Duration::from_nanos(u64::try_from(last + AFTER).unwrap_or(0))
        + Duration::from_secs(3);
    until(end);
    let pid = run.id();
    sh(&format!("kill -TERM {pid}"));
    let _ = run.wait();
    let _ = ear.join();
    let lines = lines.lock().expect("a list");
    compare(path, &lines, began, end, known)
}

/// The lines of a run against what could be known when.
fn compare(
    path: &Path,
    lines: &[(Instant, Value)],
    began: Instant,
    end: Instant,
    known: &Known,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut stand: BTreeMap<String, (Key, Instant)> = BTreeMap::new();
    for (at, line) in lines.iter().filter(|(at, _)| *at <= end) {
        let id = line
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned();
        match line.get("type").and_then(Value::as_str) {
            Some("finding" | "amended") => {
                if let Some(key) = key_of_line(line) {
                    // What changes in it was told when it was told first.
                    let first = stand
                        .get(&id)
                        .filter(|(known, _)| *known == key)
                        .map_or(*at, |(_, at)| *at);
                    stand.insert(id, (key, first));
                }
            }
            Some("withdrawn") => {
                stand.remove(&id);
            }
            _ => {}
        }
    }
    let mut told: BTreeMap<&Key, Vec<Instant>> = BTreeMap::new();
    for (key, at) in stand.values() {
        told.entry(key).or_default().push(*at);
    }
    let mut could: BTreeMap<&Key, Vec<i64>> = BTreeMap::new();
    for (key, at) in &known.since {
        could.entry(key).or_default().push(*at);
    }
    for (key, times) in &mut could {
        times.sort_unstable();
        let mut own = told.remove(*key).unwrap_or_default();
        own.sort_unstable();
        outcome.told += own.len();
        if own.len() != times.len() {
            outcome.wrong.push(format!(
                "{}: {key}: told {} of {}",
                path.display(),
                own.len(),
                times.len()
            ));
        }
        for (at, could) in own.iter().zip(times) {
            let since = i64::try_from(at.duration_since(began).as_millis()).unwrap_or(0);
            let late = since - *could / MILLISECOND;
            if late > 2_000 {
                outcome.late.push(format!(
                    "{}: {key}: {late} ms late, known at {could} ns",
                    path.display()
                ));
            }
            outcome.late_ms.push(late);
        }
    }
    for (key, own) in told {
        outcome.wrong.push(format!(
            "{}: {key}: told {} that the engine alone does not",
            path.display(),
            own.len()
        ));
    }
    // What only the end of a file says is not said of a wire that stays open.
    let missed = known.whole.iter().filter(|key| !could.contains_key(key));
    for key in missed {
        outcome
            .wrong
            .push(format!("{}: {key}: told of the file alone", path.display()));
    }
    outcome
}

fn captures(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            captures(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "pcap") {
            all.push(path);
        }
    }
}

fn main() {
    let wanted = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let longest: i64 = std::env::var("LONGEST").map_or(60, |text| text.parse().expect("seconds"));
    let program =
        std::env::var("WIREFAULT").unwrap_or_else(|_| "target/release/wirefault".to_owned());
    let trust = fs::read(ROOTS).expect("the lab's roots");
    let trust = Arc::new(TrustStore::from_pem(&trust).expect("PEM"));
    let mut paths = Vec::new();
    captures(Path::new("captures"), &mut paths);
    paths.sort();
    paths.retain(|path| {
        wanted
            .as_ref()
            .is_none_or(|text| path.to_string_lossy().contains(text))
    });
    let all = paths.len();
    let work: Vec<_> = paths
        .into_iter()
        .filter_map(|path| Some((frames(&path)?, path)))
        .filter(|(frames, _)| frames.last().is_some_and(|(at, _)| *at <= longest * SECOND))
        .collect();
    println!(
        "{} of {all} captures; the others are longer, of another link, out of order or cut",
        work.len()
    );
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    // One after the other: what the machine is asked here it must not be busy with there.
    let known: Vec<Known> = work.iter().map(|(_, path)| known(path, &trust)).collect();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((frames, path)) = work.get(number) else {
                        break;
                    };
                    // Entering a namespace is for the thread's life.
                    let outcome = std::thread::scope(|alone| {
                        let paced =
                            alone.spawn(|| paced(number, &program, path, frames, &known[number]));
                        paced.join().expect("a paced run")
                    });
                    outcomes.lock().expect("a list").push(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("a list");
    let mut late: Vec<i64> = outcomes
        .iter()
        .flat_map(|one| one.late_ms.clone())
        .collect();
    late.sort_unstable();
    let mut wrong: Vec<&String> = outcomes.iter().flat_map(|one| &one.wrong).collect();
    wrong.sort();
    wrong.iter().for_each(|line| println!("{line}"));
    let mut lately: Vec<&String> = outcomes.iter().flat_map(|one| &one.late).collect();
    lately.sort();
    lately.iter().for_each(|line| println!("{line}"));
    let told: usize = outcomes.iter().map(|one| one.told).sum();
    let share = |of: usize| {
        late.get(late.len().saturating_sub(1) * of / 100)
            .copied()
            .unwrap_or(0)
    };
    println!(
        "{told} findings told; after they could be known: median {} ms, 95 % {} ms, 99 % {} ms, at most {} ms; beyond 2 s: {}",
        share(50),
        share(95),
        share(99),
        share(100),
        late.iter().filter(|ms| **ms > 2_000).count()
    );
    println!("{} differences", wrong.len());
}
