//! What befalls a run of weeks that needs no interface to be shown: kills, a full disk, a second run, systemd.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for other programs by the machine's time"
)]

mod support;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::beside::{Live, installed, until};
use support::run::{json, text};

const DEMO: &str = "captures/demo.pcapng";

/// The types of the lines of a file; panics where a line is no JSON or the last one is cut.
fn lines(path: &Path) -> Vec<String> {
    let all = fs::read_to_string(path).expect("a file");
    assert!(
        all.is_empty() || all.ends_with('\n'),
        "{}: a line is cut",
        path.display()
    );
    all.lines()
        .map(|line| text(&json(line), "type").to_owned())
        .collect()
}

#[test]
fn files_hold_whole_lines_whenever_a_run_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (logs, own) = (folder.path().join("said"), folder.path().join("out"));
    fs::create_dir_all(&logs).expect("a folder");
    fs::create_dir_all(&own).expect("a folder");
    let path = own.join("events.jsonl").display().to_string();
    let options = [
        "--format",
        "jsonl",
        "-o",
        &path,
        "--rotate-size",
        "24K",
        "--rotate-keep",
        "3",
    ];
    for round in 0..10_u64 {
        let mut live = Live::start(&options, &logs);
        live.pour(DEMO);
        // Spread over what such a run takes.
        std::thread::park_timeout(Duration::from_millis(round * 41 % 400));
        live.kill();
    }
    // The next run cuts what a kill left of a line.
    let mut live = Live::start(&options, &logs);
    live.feed(DEMO);
    live.end();
    let mut files: Vec<_> = fs::read_dir(&own)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    assert!((2..=4).contains(&files.len()), "{files:?}");
    for file in &files {
        let lines = lines(file);
        assert_eq!(
            lines.first().map(String::as_str),
            Some("header"),
            "{}",
            file.display()
        );
        assert!(
            file.metadata().expect("a file").len() <= 160 << 10,
            "{}",
            file.display()
        );
    }
    assert_eq!(
        lines(Path::new(&path)).last().map(String::as_str),
        Some("summary")
    );
}

#[test]
fn a_second_run_on_the_same_file_or_queue_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl").display().to_string();
    let mut first = Live::start(&["--format", "jsonl", "-o", &path], folder.path());
    until("the first run writes", || fs::metadata(&path).is_ok());
    let second = Live::start(&["--format", "jsonl", "-o", &path], folder.path());
    second.says("another wirefault writes to it", "choose another --output");
    first.end_of_nothing();
}

#[test]
fn a_full_disk_is_said_and_the_run_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut live = Live::start(&["--format", "jsonl", "-o", "/dev/full"], folder.path());
    live.feed(DEMO);
    live.says(
        "/dev/full: cannot be written",
        "the run goes on and tries again",
    );
    live.end();
}

#[test]
fn systemd_hears_that_the_run_is_ready_alive_and_stopping() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("notify");
    let heard = UnixDatagram::bind(&socket).expect("a socket");
    heard
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a socket");
    let set = [("NOTIFY_SOCKET", socket.display().to_string())];
    let mut live = Live::start_with(&["-o", "/dev/null"], folder.path(), &set);
    live.feed(DEMO);
    let mut all = String::new();
    let mut hear = |until: &str| {
        while !all.contains(until) {
            let mut words = [0; 512];
            let count = heard.recv(&mut words).expect("it says something");
            all.push_str(&String::from_utf8_lossy(&words[..count]));
            all.push('\n');
        }
        all.clone()
    };
    let said = hear("WATCHDOG=1");
    assert!(said.starts_with("READY=1"), "{said}");
    hear("STATUS=");
    live.stop();
    hear("STOPPING=1");
    live.end();
}

#[test]
fn the_service_unit_is_as_closed_as_it_can_be() {
    if !installed("systemd-analyze") {
        eprintln!("SKIPPED: no systemd-analyze: the unit is judged by nobody");
        return;
    }
    let judged = Command::new("systemd-analyze")
        .args([
            "security",
            "--offline=yes",
            "--threshold=25",
            "scripts/wirefault.service",
        ])
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&judged.stdout);
    assert!(
        judged.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&judged.stderr)
    );
    assert!(said.contains("Overall exposure level"), "{said}");
}
