//! Shared by the tests: the captures with their notes, the engine in this process, and the program beside it.
//!
//! Tests run in the package's folder, so every path here is relative to it, and so are the paths in reports.
#![allow(
    dead_code,
    reason = "every test file is a crate of its own and uses a part of this"
)]

pub(crate) mod beside;
pub(crate) mod catalogue;
pub(crate) mod dissected;
#[path = "../../fuzz/doors.rs"]
pub(crate) mod doors;
pub(crate) mod run;
pub(crate) mod split;

use std::fs;
use std::path::{Path, PathBuf};

/// The roots of the lab: what the clients in the captures trust.
pub(crate) const ROOTS: &str = "captures/lab/roots.pem";

/// A capture file and what its note says about it.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    /// Relative to the package, with `/`.
    pub(crate) path: String,
    /// `captures/transport/syn-refused/x` of `captures/transport/syn-refused/x.pcap`.
    pub(crate) stem: String,
    /// What the `.md` beside it says.
    pub(crate) note: Note,
}

/// The `.md` beside a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    /// Codes that must be told.
    pub(crate) codes: Vec<String>,
    /// Nothing at `warning` or above may be told.
    pub(crate) silent: bool,
    /// Frames named after the codes.
    pub(crate) frames: Vec<u64>,
}

impl Capture {
    /// The golden report.
    pub(crate) fn golden(&self) -> PathBuf {
        PathBuf::from(format!("{}.json", self.stem))
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }

    /// The folder under `captures/`: `healthy`, `format`, `hostile`, a layer, or nothing for the demonstration.
    pub(crate) fn room(&self) -> &str {
        let mut parts = self.path.split('/').skip(1);
        match (parts.next(), parts.next()) {
            (Some(room), Some(_)) => room,
            _ => "",
        }
    }

    /// `transport.syn-refused`, where the folder is that of a class.
    pub(crate) fn class(&self) -> Option<String> {
        let parts: Vec<&str> = self.path.split('/').collect();
        match parts.as_slice() {
            // An incident lies in the folder of its story, not of a code.
            ["captures", "incident", ..] => None,
            ["captures", layer, class, _] => Some(format!("{layer}.{class}")),
            _ => None,
        }
    }

    /// A near-miss: it must not be called by the class in whose folder it lies.
    pub(crate) fn is_near_miss(&self) -> bool {
        self.path
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("not-"))
    }
}

impl Note {
    /// Reads the line **Expect**. Panics where it says neither codes nor `silent`.
    pub(crate) fn parse(text: &str, name: &str) -> Self {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("- **Expect**: "))
            .unwrap_or_else(|| panic!("{name}: no line `- **Expect**: `"));
        let (told, reason) = line.split_once(" — ").unwrap_or((line, ""));
        let codes: Vec<String> = told
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        let silent = told.trim() == "silent";
        assert!(
            silent == codes.is_empty(),
            "{name}: the line Expect holds `silent` or codes in backticks, not: {told}"
        );
        Self {
            codes,
            silent,
            frames: frames(reason),
        }
    }
}

/// Numbers after `frame` or `frames`: `SYNs frames 1,2, error frame 5` gives 1, 2, 5.
fn frames(text: &str) -> Vec<u64> {
    let mut found = Vec::new();
    let mut words = text.split([' ', ':', ';', '(', ')']);
    while let Some(word) = words.next() {
        if word == "frame" || word == "frames" {
            let list = words.next().unwrap_or("");
            found.extend(
                list.split(',')
                    .filter_map(|number| number.parse::<u64>().ok()),
            );
        }
    }
    found.sort_unstable();
    found
}

/// Every capture below `captures/`, sorted by path. A capture without its note is a failure.
pub(crate) fn captures() -> Vec<Capture> {
    captures_below("captures")
}

/// Every capture below a folder, sorted by path.
pub(crate) fn captures_below(folder: &str) -> Vec<Capture> {
    let mut files = Vec::new();
    walk(Path::new(folder), &mut files);
    let mut found: Vec<Capture> = files
        .iter()
        .filter_map(|path| {
            let stem = stem(path)?;
            let note = fs::read_to_string(format!("{stem}.md"))
                .unwrap_or_else(|error| panic!("{path} has no note {stem}.md: {error}"));
            let note = Note::parse(&note, path);
            Some(Capture {
                path: path.clone(),
                stem,
                note,
            })
        })
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(
        !found.is_empty(),
        "no captures under {folder}: is this the package's folder?"
    );
    found
}

/// The path without what makes it a capture; `None` for other files.
fn stem(path: &str) -> Option<String> {
    let plain = [".gz", ".zst", ".lz4", ".xz"]
        .iter()
        .find_map(|packed| path.strip_suffix(packed))
        .unwrap_or(path);
    let stem = plain
        .strip_suffix(".pcap")
        .or_else(|| plain.strip_suffix(".pcapng"))?;
    Some(stem.to_owned())
}

/// All files below `folder`, with `/`.
pub(crate) fn walk(folder: &Path, files: &mut Vec<String>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry of a folder").path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path.to_string_lossy().replace('\\', "/"));
        }
    }
}

/// Fails with all complaints at once, so that one run shows everything.
pub(crate) fn assert_none(complaints: &[String], what: &str) {
    assert!(
        complaints.is_empty(),
        "{} {what}:\n\n{}\n",
        complaints.len(),
        complaints.join("\n")
    );
}
