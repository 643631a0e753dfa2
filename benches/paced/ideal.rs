//! When each finding of a capture could be known: a run that is asked ten times a second.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use wirefault::endpoint::Rules;
use wirefault::engine::{Engine, Options};
use wirefault::failure::Lang;
use wirefault::ingest::{self, Batch, Feed};
use wirefault::protocol::tls::KeyLog;
use wirefault::protocol::tls::chain::TrustStore;
use wirefault::report::json::Lines;
use wirefault::report::stream::{Moment, Stream};
use wirefault::report::{Settings, Told};
use wirefault::time::{MILLISECOND, SECOND, Timestamp};

use crate::{AFTER, Key, Known, key, key_of_line};

/// How often the engine is asked.
const ASKED: i64 = 100 * MILLISECOND;

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

pub(crate) fn known(path: &Path, trust: &Arc<TrustStore>) -> Known {
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
        stream: Stream::new(Lines::new(Written)),
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
