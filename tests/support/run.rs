//! Running: the engine in this process for speed, the program itself where the command line is what is tested.

use std::io::{Cursor, Read, Write as _};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, LazyLock};

use serde_json::Value;
use wirefault::endpoint::Rules;
use wirefault::engine::shard::Anchors;
use wirefault::engine::{Engine, Options};
use wirefault::failure::Lang;
use wirefault::ingest::{self, Batch, Feed};
use wirefault::protocol::tls::KeyLog;
use wirefault::protocol::tls::chain::TrustStore;
use wirefault::report::{self, Settings, Told};

/// The lab's roots, parsed once.
pub(crate) static TRUST: LazyLock<Arc<TrustStore>> = LazyLock::new(|| {
    let pem = std::fs::read(super::ROOTS).expect("the lab's roots");
    Arc::new(TrustStore::from_pem(&pem).expect("the lab's roots are PEM"))
});

/// Settings of `--lang en --tz UTC`, everything else as by default.
pub(crate) fn settings() -> Settings {
    Settings {
        lang: Lang::En,
        zone: jiff::tz::TimeZone::UTC,
        findings_max: 1_000,
        since: None,
        until: None,
        color: false,
        width: 100,
        threads: 1,
        redact: true,
    }
}

/// The JSON report of these paths.
pub(crate) fn report_of(paths: &[String], threads: usize) -> String {
    let (feed, errors) = Feed::open(paths, &ingest::Options::default());
    assert!(errors.is_empty(), "{paths:?}: {errors:?}");
    finish_by(feed, threads, None, None, keys_beside(paths))
}

/// The same by the rules beside the capture, where there are some.
pub(crate) fn judged(path: &String) -> String {
    let paths = std::slice::from_ref(path);
    let (feed, errors) = Feed::open(paths, &ingest::Options::default());
    assert!(errors.is_empty(), "{paths:?}: {errors:?}");
    finish_by(feed, 1, None, rules_beside(paths), keys_beside(paths))
}

/// The rules that the captures of a folder are judged by: its `endpoints.toml`.
pub(crate) fn rules_beside(paths: &[String]) -> Option<Arc<Rules>> {
    let path = std::path::Path::new(paths.first()?).with_file_name("endpoints.toml");
    let text = std::fs::read_to_string(path).ok()?;
    Some(Arc::new(Rules::of_file(&text).expect("sound rules")))
}

/// Runs what `feed` gives through the engine, with the keys that lie beside the capture `path`.
pub(crate) fn finish_beside(feed: Feed, threads: usize, path: &String) -> String {
    let keys = keys_beside(std::slice::from_ref(path));
    finish_by(feed, threads, None, None, keys)
}

/// The key log of a capture: `NAME.keys` beside it.
fn keys_file(path: &str) -> Option<std::path::PathBuf> {
    let keys = std::path::Path::new(path).with_extension("keys");
    keys.is_file().then_some(keys)
}

/// The option by which they are given, for a capture that has some.
pub(crate) fn keylog(path: &str) -> Vec<String> {
    let file = keys_file(path);
    file.map_or_else(Vec::new, |keys| {
        vec!["--keylog".to_owned(), keys.display().to_string()]
    })
}

/// The option by which tshark takes them.
pub(crate) fn tshark_keys(path: &str) -> Vec<String> {
    let file = keys_file(path);
    file.map_or_else(Vec::new, |keys| {
        vec![
            "-o".to_owned(),
            format!("tls.keylog_file:{}", keys.display()),
        ]
    })
}

pub(crate) fn keys_beside(paths: &[String]) -> Option<Arc<KeyLog>> {
    let text = std::fs::read(keys_file(paths.first()?)?).ok()?;
    let keys = KeyLog::default();
    let lines = keys.read(text.as_slice()).expect("memory can be read");
    assert_eq!(lines.malformed, 0, "{paths:?}: a line is none of a key log");
    Some(Arc::new(keys))
}

/// The JSON report of a stream of these bytes; `None` where they are no capture.
pub(crate) fn report_of_bytes(name: &str, bytes: Vec<u8>) -> Option<String> {
    let stream: Box<dyn Read + Send> = Box::new(Cursor::new(bytes));
    let feed = Feed::of_stream(name, stream, &ingest::Options::default()).ok()?;
    Some(finish(feed, 1))
}

/// Runs what `feed` gives through the engine, and writes the report.
pub(crate) fn finish(feed: Feed, threads: usize) -> String {
    finish_within(feed, threads, None)
}

/// The same, remembering at most `flows` conversations at once.
pub(crate) fn finish_within(feed: Feed, threads: usize, flows: Option<usize>) -> String {
    finish_by(feed, threads, flows, None, None)
}

fn finish_by(
    mut feed: Feed,
    threads: usize,
    flows: Option<usize>,
    rules: Option<Arc<Rules>>,
    keys: Option<Arc<KeyLog>>,
) -> String {
    let options = Options {
        threads,
        rows: true,
        trust: Arc::clone(&TRUST),
    };
    let mut engine = Engine::new(&options).expect("an engine");
    if let Some(rules) = rules {
        engine.judge_by(rules, &Anchors::new());
    }
    if let Some(keys) = keys {
        engine.open_by(keys, None);
    }
    if let Some(flows) = flows {
        engine.remember_at_most(flows);
    }
    let (mut batch, mut next) = (Batch::default(), Batch::default());
    let mut more = feed.next(&mut batch);
    while more {
        more = engine.push_beside(&batch, || feed.next(&mut next));
        std::mem::swap(&mut batch, &mut next);
    }
    let files = feed.files().to_vec();
    let diagnosis = engine.finish(&files);
    let settings = Settings {
        threads,
        ..settings()
    };
    let told = Told::lazily(diagnosis, &files, feed.interfaces(), &settings);
    let mut text = Vec::new();
    report::json::report(&told, &mut text).expect("memory can be written to");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// A report as JSON; panics where it is none.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text)
        .unwrap_or_else(|error| panic!("the report is no JSON: {error}\n{text}"))
}

/// An array of a report.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A text member, empty where absent.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

/// How a run of the program ended.
pub(crate) struct Ran {
    /// Exit status.
    pub(crate) status: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

/// Runs the program, with a locale and without what the caller's environment would change.
pub(crate) fn wirefault(arguments: &[&str]) -> Ran {
    ran(&program(arguments).output().expect("the program starts"))
}

/// The same with bytes on standard input.
pub(crate) fn wirefault_fed(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = program(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It may stop reading early: that is its right.
    let _ = stdin.write_all(input);
    drop(stdin);
    ran(&child.wait_with_output().expect("the program ends"))
}

/// The program's command line.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wirefault"));
    command.args(arguments).stdin(Stdio::null());
    for name in [
        "LC_ALL",
        "LC_MESSAGES",
        "LANG",
        "NO_COLOR",
        "COLUMNS",
        "RUST_BACKTRACE",
    ] {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C").env("TZ", "UTC");
    command
}

fn ran(output: &Output) -> Ran {
    Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
