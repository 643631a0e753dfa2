//! An archive of two gigabytes: killed and begun again it gives what an undisturbed run gives, within its memory.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};
use support::run::program;
use tempfile::TempDir;

/// Of all sets in work together.
const MEMORY: u64 = 128 << 20;

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn batch(archive: &Path, out: &Path) -> Child {
    let (archive, out) = (text(archive), text(out));
    let memory = format!("{}M", MEMORY >> 20);
    program(&[
        "batch",
        &archive,
        "--out",
        &out,
        "--memory",
        &memory,
        "--threads",
        "2",
    ])
    .stdout(Stdio::null())
    .stderr(Stdio::null())
    .spawn()
    .expect("the program starts")
}

/// The most that a process ever held, in bytes, as the kernel counts it; `None` once it has ended.
fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

/// Sets that are done, while others come.
fn done(out: &Path) -> usize {
    let below = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let shelves = below(&out.join("manifest"));
    shelves.iter().map(|shelf| below(shelf).len()).sum()
}

/// Hashes of all outputs.
fn tree(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut paths = Vec::new();
    support::walk(out, &mut paths);
    let of = |path: String| {
        let below = path.strip_prefix(&text(out)).unwrap_or(&path).to_owned();
        (
            below,
            Sha256::digest(fs::read(&path).expect("an output")).to_vec(),
        )
    };
    let wanted = |below: &String| below != "/lock" && !below.starts_with("/tmp/");
    paths
        .into_iter()
        .map(of)
        .filter(|(below, _)| wanted(below))
        .collect()
}

#[test]
fn two_gigabytes_killed_and_begun_again() {
    let folder = TempDir::new().expect("a temporary folder");
    let (archive, out) = (folder.path().join("in"), folder.path().join("out"));
    let made = Command::new("python3")
        .args(["scripts/archive.py", &text(&archive), "200", "2G"])
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: no python3, or no room for two gigabytes below the temporary folder");
        return;
    }
    let aside = folder.path().join("undisturbed");
    let mut child = batch(&archive, &aside);
    let mut most = 0;
    while child.try_wait().expect("a child").is_none() {
        most = most.max(peak(&child).unwrap_or(0));
        std::thread::park_timeout(Duration::from_millis(5));
    }
    assert!(most > 0, "the peak was read");
    assert!(most < MEMORY, "{most} bytes are more than {MEMORY}");
    let undisturbed = tree(&aside);
    let sets = done(&aside);
    assert_eq!(sets, 40, "200 files in rings of five");
    for kill in 1..=3 {
        let mut child = batch(&archive, &out);
        while done(&out) < kill * sets / 5 && child.try_wait().expect("a child").is_none() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let _ = child.kill();
        let _ = child.wait();
        assert!(done(&out) < sets, "it was killed before its end");
    }
    let mut last = batch(&archive, &out);
    assert!(
        last.wait()
            .expect("a child")
            .code()
            .is_some_and(|code| [0, 4].contains(&code))
    );
    assert!(tree(&out) == undisturbed, "other results than undisturbed");
}
