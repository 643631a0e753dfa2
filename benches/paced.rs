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

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use wirefault::endpoint::Rules;
use wirefault::engine::{Engine, Options};
use wirefault::failure::{Finding, Lang, host_port};
use wirefault::ingest::{self, Batch, Feed};
use wirefault::protocol::tls::KeyLog;
use wirefault::protocol::tls::chain::TrustStore;
use wirefault::report::json::Lines;
use wirefault::report::stream::{Moment, Stream};
use wirefault::report::{Settings, Told};
use wirefault::time::{MILLISECOND, SECOND, Timestamp};

const ROOTS: &str = "captures/lab/roots.pem";
/// So many captures at once.
const AT_ONCE: usize = 24;
/// The wire stays open so long after the last frame.
const AFTER: i64 = 8 * SECOND;
/// How often the engine is asked.
const ASKED: i64 = 100 * MILLISECOND;

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

fn engine(path: &Path, trust: &Arc<TrustStore>) -> Engine {
    let options = Options {
        threads: 1,
        rows: false,
        trust: Arc::clone(trust),
    };
    let mut engine = Engine::new(&options).expect("an engine");
    if let Ok(text) = fs::read_to_string(path.with_file_name("endpoints.toml")) {
        let rules = Rules::of_file(&text).expect("sound rules");
        engine.judge_by(Arc::new(rules), &Default::default());
    }
    if let Ok(text) = fs::read(path.with_extension("keys")) {
        let keys = KeyLog::default();
        keys.read(text.as_slice()).expect("memory can be read");
        engine.open_by(Arc::new(keys), None);
    }
    engine
}

fn feed(path: &Path) -> Option<Feed> {
    let sizes = ingest::Options {
        block_bytes: 4 << 10,
        batch_frames: 1,
    };
    let (feed, errors) = Feed::open(&[path.to_string_lossy().into_owned()], &sizes);
    errors.is_empty().then_some(feed)
}

fn known(path: &Path, trust: &Arc<TrustStore>) -> Known {
    let mut feed_of = feed(path).expect("a capture");
    let mut whole = engine(path, trust);
    let mut batch = Batch::default();
    while feed_of.next(&mut batch) {
        whole.push(&batch);
    }
    let files = feed_of.files().to_vec();
    let whole = whole
        .finish(&files)
        .findings
        .iter()
        .filter_map(key)
        .collect();

    let records = Records::new(fs::read(path).expect("a capture"));
    let sizes = ingest::Options::default();
    let name = path.to_string_lossy();
    let mut feed = Feed::of_live(&name, Box::new(records), &sizes).expect("a capture");
    let engine = engine(path, trust);
    let mut ideal = Ideal {
        engine,
        stream: Stream::new(Lines::new(Written::default())),
        since: BTreeMap::new(),
        first: None,
        asked: Timestamp::default(),
    };
    let mut last = Timestamp::default();
    while feed.next(&mut batch) {
        let Some(at) = batch.frames.first().map(|frame| frame.at.time) else {
            continue;
        };
        assert_eq!(batch.frames.len(), 1, "frame by frame");
        ideal.pass(&feed, at);
        ideal.engine.push(&batch);
        last = last.max(at);
        ideal.first.get_or_insert(at);
        if ideal.asked == Timestamp::default() {
            ideal.ask(&feed, at);
        }
    }
    ideal.pass(&feed, last.plus(AFTER));
    let since = ideal.since.into_values();
    Known {
        since: since.collect(),
        whole,
    }
}

/// A pcap file that comes record by record: after each one nothing is there for now.
struct Records {
    bytes: Vec<u8>,
    at: usize,
    end: usize,
    pauses: bool,
}

impl Records {
    const fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            at: 0,
            end: 24,
            pauses: false,
        }
    }
}

impl io::Read for Records {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.at == self.end {
            if std::mem::replace(&mut self.pauses, false) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let Some(length) = self.bytes.get(self.at + 8..self.at + 12) else {
                return Ok(0);
            };
            let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
            self.end = self.at + 16 + length as usize;
        }
        let count = room.len().min(self.end - self.at);
        room[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        self.pauses = self.at == self.end;
        Ok(count)
    }
}

/// A run that is asked ten times a second what it has to tell.
struct Ideal {
    engine: Engine,
    stream: Stream<Lines<Written>>,
    /// By id: the key, and when it was told.
    since: BTreeMap<String, (Key, i64)>,
    first: Option<Timestamp>,
    asked: Timestamp,
}

impl Ideal {
    /// Time passes up to then.
    fn pass(&mut self, feed: &Feed, to: Timestamp) {
        while self.asked != Timestamp::default() && self.asked.plus(ASKED) < to {
            let now = self.asked.plus(ASKED);
            self.engine.tick(now);
            self.ask(feed, now);
        }
    }

    fn ask(&mut self, feed: &Feed, now: Timestamp) {
        self.asked = now;
        let seen = self.engine.look(feed.files());
        let told = Told::lazily(seen, feed.files(), feed.interfaces(), &settings());
        let moment = Moment {
            now,
            lingering: self.engine.lingering(),
            ends: false,
        };
        self.stream.look(&told, &moment).expect("memory");
        // It has to stand for 0.9 s before it is told: it could be known so long before.
        let known = now.since(self.first.unwrap_or(now)) - SECOND * 9 / 10;
        for line in Written::take() {
            let id = line["id"].as_str().unwrap_or("").to_owned();
            match line["type"].as_str() {
                Some("finding" | "amended") => {
                    if let Some(key) = key_of_line(&line) {
                        let first = self.since.get(&id).filter(|(own, _)| *own == key);
                        let first = first.map_or(known, |(_, at)| *at);
                        self.since.insert(id, (key, first));
                    }
                }
                Some("withdrawn") => {
                    self.since.remove(&id);
                }
                _ => {}
            }
        }
    }
}

fn settings() -> Settings {
    Settings {
        lang: Lang::En,
        zone: jiff::tz::TimeZone::UTC,
        findings_max: 1_000,
        since: None,
        until: None,
        redact: true,
        color: false,
        width: 100,
        threads: 1,
    }
}

/// Lines as they are written, for whoever asks next in this thread.
#[derive(Debug, Default)]
struct Written;

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Written {
    fn take() -> Vec<Value> {
        let bytes = LINES.with_borrow_mut(std::mem::take);
        let text = String::from_utf8(bytes).expect("JSON is UTF-8");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A namespace with a cable both of whose ends are in it.
struct Wire(String);

fn sh(command: &str) -> bool {
    let ran = Command::new("sh")
        .args(["-c", command])
        .stderr(Stdio::null())
        .status();
    ran.is_ok_and(|status| status.success())
}

impl Wire {
    fn new(number: usize) -> Self {
        let name = format!("wfp{}x{number}", std::process::id());
        let made = sh(&format!(
            "ip netns add {name} && ip netns exec {name} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 &&
             ip -n {name} link add near type veth peer name far &&
             ip -n {name} link set near mtu 65000 arp off up && ip -n {name} link set far mtu 65000 arp off up promisc on"
        ));
        assert!(made, "a namespace and a veth pair need root and `ip`");
        Self(name)
    }

    fn listen(&self, program: &str, path: &Path) -> Child {
        let mut command = Command::new("ip");
        command.args([
            "netns", "exec", &self.0, program, "live", "-i", "far", "--format", "jsonl", "--user",
            "root",
        ]);
        command.args(["--ca-bundle", ROOTS]);
        let beside = [
            ("--endpoints", path.with_file_name("endpoints.toml")),
            ("--keylog", path.with_extension("keys")),
        ];
        for (option, file) in beside.iter().filter(|(_, file)| file.is_file()) {
            command.arg(option).arg(file);
        }
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts")
    }

    /// Sends the frames at their distances; gives when the first one was sent.
    fn send(&self, frames: &[(i64, Vec<u8>)]) -> Instant {
        let space = File::open(format!("/var/run/netns/{}", self.0)).expect("the namespace");
        let network = rustix::thread::LinkNameSpaceType::Network;
        rustix::thread::move_into_link_name_space(space.as_fd(), Some(network))
            .expect("the right to enter it");
        let mut end = pcap::Capture::from_device("near")
            .and_then(|end| end.open())
            .expect("an interface");
        let began = Instant::now();
        for (at, frame) in frames {
            let due = began + Duration::from_nanos(u64::try_from(*at).unwrap_or(0));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            end.sendpacket(frame.as_slice()).expect("a frame is sent");
        }
        began
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        sh(&format!("ip netns del {}", self.0));
    }
}

/// Whole Ethernet frames in their order of time, from the first one on; `None` where a wire cannot carry them.
fn frames(path: &Path) -> Option<Vec<(i64, Vec<u8>)>> {
    let bytes = fs::read(path).ok()?;
    let unit = match bytes.get(..4)? {
        [0xd4, 0xc3, 0xb2, 0xa1] => 1_000,
        [0x4d, 0x3c, 0xb2, 0xa1] => 1,
        _ => return None,
    };
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if word(20)? != 1 {
        return None;
    }
    let (mut at, mut all) = (24, Vec::new());
    while at < bytes.len() {
        let (stored, long) = (word(at + 8)? as usize, word(at + 12)? as usize);
        if stored != long || !(14..=65_000).contains(&stored) {
            return None;
        }
        let time = i64::from(word(at)?) * SECOND + i64::from(word(at + 4)?) * unit;
        all.push((time, bytes.get(at + 16..at + 16 + stored)?.to_vec()));
        at += 16 + stored;
    }
    let first = all.first()?.0;
    // A wire has no past.
    let in_order = all.is_sorted_by_key(|(time, _)| *time);
    all.iter_mut().for_each(|(time, _)| *time -= first);
    in_order.then_some(all)
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
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    let began = wire.send(all);
    let last = all.last().map_or(0, |(at, _)| *at);
    let end = began
        + Duration::from_nanos(u64::try_from(last + AFTER).unwrap_or(0))
        + Duration::from_secs(3);
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
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
