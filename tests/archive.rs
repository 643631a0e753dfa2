//! Batch and its reports: resumable at any moment, the same bytes whatever happened, whatever the order.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use support::run::{Ran, program, wirefault};
use tempfile::TempDir;

const ROOTS: &str = "captures/lab/roots.pem";

/// Captures of the lab below a folder of `captures/`, at most so many.
fn lab(folder: &str, at_most: usize) -> Vec<String> {
    let mut paths = Vec::new();
    support::walk(&Path::new("captures").join(folder), &mut paths);
    paths.retain(|path| path.ends_with(".pcap") || path.ends_with(".pcapng"));
    paths.sort();
    paths.truncate(at_most);
    assert!(!paths.is_empty(), "captures/{folder} holds captures");
    paths
}

/// Copies captures into an archive, each under a name of its own.
fn fill(archive: &Path, captures: &[String]) {
    fs::create_dir_all(archive).expect("a folder");
    for path in captures {
        let name = path.replace('/', "+");
        fs::copy(path, archive.join(name)).expect("a copy");
    }
}

/// A ring of two files: the halves of the demo.
fn ring(archive: &Path) {
    let bytes = fs::read("captures/transport/syn-refused/java.pcap").expect("a capture");
    let cut = records(&bytes)[records(&bytes).len() / 2];
    let head = &bytes[..24];
    fs::create_dir_all(archive).expect("a folder");
    let name = |number| archive.join(format!("ring_0000{number}_20260101120000.pcap"));
    fs::write(name(1), &bytes[..cut]).expect("a file");
    fs::write(name(2), [head, &bytes[cut..]].concat()).expect("a file");
}

/// Where the records of a little-endian pcap file begin.
fn records(bytes: &[u8]) -> Vec<usize> {
    let (mut places, mut at) = (Vec::new(), 24);
    while let Some(length) = bytes.get(at + 8..at + 12) {
        places.push(at);
        at += 16 + u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
    }
    places
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn batch(archive: &Path, out: &Path) -> Ran {
    wirefault(&[
        "batch",
        &text(archive),
        "--out",
        &text(out),
        "--ca-bundle",
        ROOTS,
    ])
}

fn report(outs: &[&Path], format: &str) -> String {
    let outs: Vec<String> = outs.iter().map(|out| text(out)).collect();
    let mut arguments = vec!["report", "--format", format];
    arguments.extend(outs.iter().map(String::as_str));
    let ran = wirefault(&arguments);
    assert!(matches!(ran.status, 0 | 4), "{}", ran.stderr);
    ran.stdout
}

/// Everything below OUT by its path, without what only a running batch needs.
fn tree(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut paths = Vec::new();
    support::walk(out, &mut paths);
    let of = |path: String| {
        let below = path.strip_prefix(&text(out)).unwrap_or(&path).to_owned();
        (below, fs::read(&path).expect("an output"))
    };
    paths
        .into_iter()
        .map(of)
        .filter(|(below, _)| below != "/lock" && !below.starts_with("/tmp/"))
        .collect()
}

/// All sets, those done before and now, those not done: of the sentence `6 of 6 sets done: 4 before, 2 now`.
fn counts(ran: &Ran) -> [u64; 4] {
    let line = ran
        .stderr
        .lines()
        .find(|line| line.contains(" sets done: "));
    let line = line.unwrap_or_else(|| panic!("no counts in {}", ran.stderr));
    let words = line.split([' ', ':', ',']);
    let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
    let [done, all, before, now] = numbers.try_into().expect("four counts");
    assert_eq!(done, before + now, "{line}");
    [all, before, now, all - done]
}

#[test]
fn a_report_over_one_set_is_what_analyze_tells() {
    let folder = TempDir::new().expect("a temporary folder");
    let all = ["captures/demo.pcapng".to_owned()];
    for (place, path) in all.into_iter().chain(lab("security", 3)).enumerate() {
        let out = folder.path().join(place.to_string());
        let ran = wirefault(&["batch", &path, "--out", &text(&out), "--ca-bundle", ROOTS]);
        assert!(matches!(ran.status, 0 | 4), "{}", ran.stderr);
        for (format, lang) in [
            ("json", "en"),
            ("json", "zh"),
            ("text", "en"),
            ("html", "zh"),
        ] {
            let options = ["--format", format, "--lang", lang];
            let told = wirefault(&[&["report", &text(&out)], &options[..]].concat());
            let same =
                wirefault(&[&["analyze", &path, "--ca-bundle", ROOTS], &options[..]].concat());
            assert_eq!(told.status, same.status, "{}", told.stderr);
            assert!(told.stdout == same.stdout, "{path}: {format} {lang} differ");
        }
    }
}

#[test]
fn files_of_a_ring_are_one_set() {
    let folder = TempDir::new().expect("a temporary folder");
    let (archive, out) = (folder.path().join("in"), folder.path().join("out"));
    ring(&archive);
    let ran = batch(&archive, &out);
    assert_eq!(counts(&ran), [1, 0, 1, 0], "{}", ran.stderr);
    let analyzed = wirefault(&[
        "analyze",
        &text(&archive),
        "--format",
        "json",
        "--ca-bundle",
        ROOTS,
    ])
    .stdout;
    assert!(report(&[&out], "json") == analyzed);
}

#[test]
fn what_is_done_is_not_done_again_and_changes_are_found() {
    let folder = TempDir::new().expect("a temporary folder");
    let (archive, out) = (folder.path().join("in"), folder.path().join("out"));
    fill(&archive, &lab("transport", 6));
    assert_eq!(counts(&batch(&archive, &out)), [6, 0, 6, 0]);
    let first = tree(&out);
    assert_eq!(counts(&batch(&archive, &out)), [6, 6, 0, 0]);
    assert!(tree(&out) == first, "nothing changes where nothing changed");

    // One is new, one changes, one goes.
    let mut names: Vec<PathBuf> = fs::read_dir(&archive)
        .expect("the archive")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    names.sort();
    fs::copy("captures/demo.pcapng", archive.join("new.pcapng")).expect("a copy");
    let bytes = fs::read(&names[0]).expect("a capture");
    fs::write(&names[0], &bytes[..bytes.len() - 1]).expect("a shorter one");
    fs::remove_file(&names[1]).expect("one less");
    let ran = batch(&archive, &out);
    assert_eq!(counts(&ran), [6, 4, 2, 0], "{}", ran.stderr);
    let fresh = folder.path().join("fresh");
    batch(&archive, &fresh);
    assert!(tree(&out) == tree(&fresh), "as if it had always been so");
}

#[test]
fn a_damaged_file_costs_itself_only() {
    let folder = TempDir::new().expect("a temporary folder");
    let (archive, out) = (folder.path().join("in"), folder.path().join("out"));
    fill(&archive, &lab("transport", 3));
    fs::write(archive.join("none.pcap"), "no capture at all").expect("a file");
    fs::write(archive.join("empty.pcap"), "").expect("a file");
    let ran = batch(&archive, &out);
    assert_eq!(ran.status, 4);
    assert_eq!(counts(&ran), [3, 0, 3, 0], "{}", ran.stderr);
    let told = wirefault(&["report", &text(&out)]);
    assert_eq!(told.status, 4);
    assert!(told.stderr.contains("none.pcap"), "{}", told.stderr);
    assert!(told.stderr.contains("empty.pcap"), "{}", told.stderr);
}

#[test]
fn results_of_several_machines_add_up_in_any_order() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    fill(&path("a"), &lab("transport", 4));
    fill(&path("b"), &lab("network", 4));
    fill(&path("c"), &lab("application", 4));
    for name in ["a", "b", "c"] {
        batch(&path(name), &path(&format!("out-{name}")));
    }
    let together = path("out");
    let all = ["a", "b", "c"].map(|name| text(&path(name)));
    let mut arguments = vec!["batch", "--ca-bundle", ROOTS, "--threads", "3"];
    arguments.extend(all.iter().map(String::as_str));
    let out = text(&together);
    arguments.extend(["--out", &out]);
    assert_eq!(counts(&wirefault(&arguments)), [12, 0, 12, 0]);
    let [a, b, c] = ["out-a", "out-b", "out-c"].map(path);
    for format in ["json", "text"] {
        let told = report(&[&together], format);
        assert!(told == report(&[&a, &b, &c], format));
        assert!(told == report(&[&c, &a, &b], format));
        assert!(
            told == report(&[&b, &c, &a, &together], format),
            "once is once"
        );
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    let (archive, out) = (folder.path().join("in"), folder.path().join("out"));
    fill(&archive, &lab("healthy", 2));
    let inside = archive.join("out");
    for (arguments, sentence) in [
        (vec!["batch", "--out", "OUT"], "DIR is missing"),
        (vec!["batch", "-", "--out", "OUT"], "standard input"),
        (vec!["batch", "IN", "--out", "INSIDE"], "lies within"),
        (vec!["batch", "IN", "--out", "IN"], "lies within"),
        (
            vec!["batch", "IN", "--out", "OUT", "--format", "json"],
            "wirefault report OUT",
        ),
        (
            vec!["batch", "IN", "--out", "src"],
            "choose an empty folder",
        ),
        (vec!["report"], "OUT is missing"),
        (
            vec!["report", "src", "--filter", "tcp"],
            "read by `wirefault batch`",
        ),
    ] {
        let (archive, out, inside) = (text(&archive), text(&out), text(&inside));
        let named = arguments.iter().map(|argument| match *argument {
            "IN" => archive.as_str(),
            "OUT" => out.as_str(),
            "INSIDE" => inside.as_str(),
            other => other,
        });
        let ran = wirefault(&named.collect::<Vec<_>>());
        assert_eq!(ran.status, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(sentence), "{}", ran.stderr);
    }
    assert_eq!(wirefault(&["report", "src"]).status, 3);
    batch(&archive, &out);
    let other = wirefault(&["batch", "captures/healthy", "--out", &text(&out)]);
    assert!(
        other.stderr.contains("choose another --out"),
        "{}",
        other.stderr
    );
}

#[test]
fn a_full_disk_loses_nothing_that_was_done() {
    let folder = TempDir::new().expect("a temporary folder");
    let (archive, disk) = (folder.path().join("in"), folder.path().join("disk"));
    fill(&archive, &lab("transport", 30));
    fs::create_dir(&disk).expect("a folder");
    let mount = |options: &str| {
        let ran = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs", &text(&disk)])
            .output();
        ran.is_ok_and(|output| output.status.success())
    };
    if !mount("size=160k") {
        eprintln!("SKIPPED: no right to mount a small disk; a full one was not tried");
        return;
    }
    let out = disk.join("out");
    let full = batch(&archive, &out);
    let grown = mount("remount,size=64m");
    let after = batch(&archive, &out);
    let fresh = folder.path().join("fresh");
    batch(&archive, &fresh);
    let same = tree(&out) == tree(&fresh);
    let unmounted = std::process::Command::new("umount").arg(&disk).status();
    assert!(unmounted.is_ok_and(|status| status.success()) && grown);
    assert_eq!(full.status, 2, "{}", full.stderr);
    assert!(
        full.stderr.contains("start again to go on"),
        "{}",
        full.stderr
    );
    let [sets, before, now, not] = counts(&after);
    assert_eq!((sets, before + now, not), (30, 30, 0), "{}", after.stderr);
    assert!(before > 0 && now > 0, "{}", after.stderr);
    assert!(same, "as if there had been room from the beginning");
}

/// How many files there are while others come and go.
fn files_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let each = entries.map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => files_below(&entry.path()),
        _ => 1,
    });
    each.sum()
}

/// Kills a run again and again, then lets one end: `WIREFAULT_KILLS` and `WIREFAULT_COPIES` make it longer.
#[test]
fn killed_at_any_moment_the_results_are_those_of_an_undisturbed_run() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
    };
    let (kills, copies) = (number("WIREFAULT_KILLS", 6), number("WIREFAULT_COPIES", 1));
    let folder = TempDir::new().expect("a temporary folder");
    let (archive, out) = (folder.path().join("in"), folder.path().join("out"));
    let mut captures = lab("transport", 60);
    captures.extend(lab("security", 30));
    for copy in 0..copies {
        let shelf = archive.join(copy.to_string());
        fill(&shelf, &captures);
        // The same content twice is read once: each copy ends in a way of its own.
        for entry in fs::read_dir(&shelf).expect("a shelf") {
            let path = entry.expect("an entry").path();
            let bytes = fs::read(&path).expect("a capture");
            let cut = usize::try_from(copy).expect("few copies") % 60;
            fs::write(&path, &bytes[..bytes.len() - cut]).expect("a copy");
        }
    }
    let aside = folder.path().join("undisturbed");
    let ran = batch(&archive, &aside);
    assert!(matches!(ran.status, 0 | 4), "{}", ran.stderr);
    let undisturbed = tree(&aside);
    let mut seed = 0x9e37_79b9_u64;
    for _ in 0..kills {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // So many files more, finished or not, and it is killed: somewhere in the writing of a set, or between two.
        let enough = files_below(&out) + (seed >> 33) % (undisturbed.len() as u64 / kills + 1);
        let (archive, target) = (text(&archive), text(&out));
        let mut child = program(&["batch", &archive, "--out", &target, "--ca-bundle", ROOTS])
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
        while files_below(&out) < enough && child.try_wait().expect("a child").is_none() {}
        // SIGKILL, which no program can answer.
        let _ = child.kill();
        let _ = child.wait();
    }
    let ran = batch(&archive, &out);
    let [sets, before, now, not] = counts(&ran);
    assert_eq!((before + now, not), (sets, 0), "{}", ran.stderr);
    assert!(before > 0, "a killed run leaves what was done");
    let disturbed = tree(&out);
    let names = |tree: &BTreeMap<String, Vec<u8>>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&disturbed), names(&undisturbed));
    assert!(disturbed == undisturbed, "the same names, other bytes");
}
