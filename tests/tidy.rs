//! The house stays tidy: arrows between rooms, length of files and functions, documentation, nothing left lying.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use support::assert_none;

/// Which rooms a room may use. The line runs ingest, decode, protocol, flow and tcp, failure, incident, engine, report, archive, cli;
/// below it lie `mark`, `time`, `digits`, `limits`, `workers` and `endpoint`. Everyone may use the library's macros.
const ARROWS: &[(&str, &[&str])] = &[
    ("digits", &[]),
    ("workers", &[]),
    ("time", &[]),
    ("mark", &["time"]),
    ("endpoint", &[]),
    // The number of shards divides the bounds.
    ("limits", &["flow"]),
    ("ingest", &["mark", "time", "limits"]),
    ("decode", &["ingest", "mark", "time", "limits"]),
    ("protocol", &["endpoint", "mark", "time", "limits"]),
    // Names and lookups are made of DNS messages.
    ("flow", &["decode", "protocol", "mark", "time", "limits"]),
    // Streams hand their chunks to observers.
    ("tcp", &["decode", "protocol", "mark", "time", "limits"]),
    (
        "failure",
        &[
            "ingest", "decode", "protocol", "flow", "tcp", "mark", "time", "limits", "digits",
        ],
    ),
    (
        "incident",
        &["failure", "flow", "endpoint", "mark", "time", "limits"],
    ),
    (
        "engine",
        &[
            "ingest", "decode", "protocol", "flow", "tcp", "failure", "incident", "endpoint",
            "mark", "time", "limits", "digits",
        ],
    ),
    (
        "report",
        &[
            "ingest", "flow", "failure", "incident", "endpoint", "mark", "time", "engine",
            "digits", "workers",
        ],
    ),
    (
        "archive",
        &[
            "ingest", "flow", "failure", "incident", "endpoint", "mark", "time", "limits",
            "engine", "report", "digits",
        ],
    ),
    // Who else hears what a run tells.
    ("tell", &["failure", "engine", "report", "time", "limits"]),
    (
        "cli",
        &[
            "ingest", "decode", "protocol", "flow", "tcp", "failure", "engine", "report",
            "archive", "tell", "endpoint", "mark", "time", "limits", "digits",
        ],
    ),
];

/// Of the engine, report and archive see the values that it hands over and nothing that works.
const ENGINE_FOR_REPORT: &[&str] = &["engine::diagnosis", "engine::row", "engine::trace"];

/// A file has at most this many lines.
const FILE_LINES_MAX: usize = 500;
/// A function has at most this many.
const FUNCTION_LINES_MAX: usize = 70;

/// Longer files from before the wall: they may shrink, never grow, and leave the list when they fit.
const LONG_FILES: &[(&str, usize)] = &[];
/// The same for functions.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[("src/ingest/note.rs", "fmt", 79)];

/// A source file with its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// `decode` of `src/decode/ip.rs`, `time` of `src/time.rs`.
    fn room(&self) -> &str {
        let rest = self.path.strip_prefix("src/").unwrap_or("");
        rest.split('/').next().unwrap_or("").trim_end_matches(".rs")
    }

    /// Tests of a module that are longer than it, in their own file or folder.
    fn is_tests(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
            || self.path.starts_with("tests/")
    }

    fn lines(&self) -> Vec<&str> {
        self.text.lines().collect()
    }
}

/// All Rust files below these folders.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders.iter().filter(|folder| Path::new(folder).exists()) {
        support::walk(Path::new(folder), &mut paths);
    }
    paths.retain(|path| path.ends_with(".rs") && !path.contains("/target/"));
    let read = |path: String| Source {
        text: fs::read_to_string(&path).expect("a source file"),
        path,
    };
    paths.into_iter().map(read).collect()
}

/// Paths after `crate::` in code, without comments: `engine::row::Row`.
fn used(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            let end = rest
                .find(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':'));
            &rest[..end.unwrap_or(rest.len())]
        })
        .collect()
}

#[test]
fn every_arrow_between_rooms_goes_down_the_line() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut complaints = Vec::new();
    for source in sources(&["src"]) {
        let room = source.room();
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(allowed) = allowed.get(room) else {
            complaints.push(format!(
                "{}: room `{room}` has no row in the table of arrows",
                source.path
            ));
            continue;
        };
        // A module's tests build what lies before it on the line: they may look anywhere but up to the program.
        let tests = source.is_tests();
        for path in used(&source.text) {
            let to = path.split("::").next().unwrap_or("");
            if to == room || to == "guide" {
                continue;
            }
            let known = ARROWS.iter().any(|(room, _)| *room == to);
            if !known {
                complaints.push(format!("{}: crate::{path} is no room", source.path));
                continue;
            }
            let works = ["report", "archive", "tell"].contains(&room)
                && to == "engine"
                && !ENGINE_FOR_REPORT.iter().any(|seen| path.starts_with(seen));
            if works || (!allowed.contains(&to) && (!tests || to == "cli")) {
                complaints.push(format!("{}: {room} may not use crate::{path}", source.path));
            }
        }
    }
    assert_none(
        &complaints,
        "wrong arrows (the table is in tests/tidy.rs and in ARCHITECTURE.md)",
    );
}

#[test]
fn the_table_of_arrows_has_no_cycle_but_the_two_that_are_named() {
    // `limits` takes the number of shards from `flow`; `report` reads values of `engine`, which uses no report.
    let apart = [("limits", "flow")];
    let arrows: BTreeMap<&str, Vec<&str>> = ARROWS
        .iter()
        .map(|(from, to)| {
            (
                *from,
                to.iter()
                    .copied()
                    .filter(|to| !apart.contains(&(*from, *to)))
                    .collect(),
            )
        })
        .collect();
    for start in arrows.keys() {
        let mut seen = BTreeSet::new();
        let mut waiting = arrows[start].clone();
        while let Some(room) = waiting.pop() {
            assert_ne!(&room, start, "a cycle through {start}");
            if seen.insert(room) {
                waiting.extend(&arrows[room]);
            }
        }
    }
}

#[test]
fn architecture_md_tells_the_same_arrows() {
    let text = fs::read_to_string("ARCHITECTURE.md").expect("ARCHITECTURE.md");
    let mut complaints = Vec::new();
    for (room, allowed) in ARROWS {
        let told = if allowed.is_empty() {
            "nothing".to_owned()
        } else {
            allowed.join(", ")
        };
        let row = format!("| `{room}` | {told} |");
        if !text.contains(&row) {
            complaints.push(format!("ARCHITECTURE.md: no row `{row}`"));
        }
    }
    assert_none(&complaints, "rows of the table of arrows are missing");
}

#[test]
fn no_file_is_longer_than_the_wall() {
    let mut complaints = Vec::new();
    for source in sources(&["src", "tests", "benches", "fuzz"]) {
        let lines = source.text.lines().count();
        let before = LONG_FILES
            .iter()
            .find(|(path, _)| *path == source.path)
            .map(|(_, lines)| *lines);
        let exempt = source.path.ends_with("/tests.rs") || source.path.contains("/tests/");
        match before {
            Some(before) if lines > before => {
                complaints.push(format!("{}: {lines} lines, was {before}", source.path))
            }
            Some(_) if lines <= FILE_LINES_MAX => {
                complaints.push(format!("{}: fits now, off the list", source.path))
            }
            None if lines > FILE_LINES_MAX && !exempt => {
                complaints.push(format!("{}: {lines} lines", source.path))
            }
            _ => {}
        }
    }
    assert_none(&complaints, "files are longer than 500 lines");
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let mut complaints = Vec::new();
    // Tables of cases in a module's tests are as long as they are.
    let sources = sources(&["src", "tests"]).into_iter();
    for source in sources.filter(|source| !source.path.ends_with("/tests.rs")) {
        let long: Vec<(String, usize)> = functions(&source.lines())
            .into_iter()
            .filter(|(_, lines)| *lines > FUNCTION_LINES_MAX)
            .collect();
        for (name, lines) in &long {
            let before = LONG_FUNCTIONS
                .iter()
                .find(|(path, long, _)| *path == source.path && long == name);
            if before.is_none_or(|(_, _, before)| lines > before) {
                complaints.push(format!("{}: {name} has {lines} lines", source.path));
            }
        }
        for (path, name, _) in LONG_FUNCTIONS
            .iter()
            .filter(|(path, _, _)| *path == source.path)
        {
            if !long.iter().any(|(long, _)| long == name) {
                complaints.push(format!("{path}: {name} fits now, off the list"));
            }
        }
    }
    assert_none(&complaints, "functions are longer than 70 lines");
}

/// Name and number of lines of every function, by the indentation that rustfmt gives.
fn functions(lines: &[&str]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(place) = words.iter().position(|word| *word == "fn") else {
            continue;
        };
        let modifiers = [
            "pub",
            "pub(crate)",
            "pub(super)",
            "const",
            "async",
            "unsafe",
        ];
        if words[..place].iter().any(|word| !modifiers.contains(word)) {
            continue;
        }
        let name: String = words[place + 1]
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect();
        let end = format!("{}}}", " ".repeat(indent));
        let body = lines[start..].iter().position(|line| *line == end);
        let ends_at_once = line.ends_with('}') || line.ends_with(';');
        if let Some(length) = body.filter(|_| !ends_at_once) {
            found.push((name, length + 1));
        }
    }
    found
}

#[test]
fn every_module_begins_with_what_it_is_for() {
    let mut complaints = Vec::new();
    for source in sources(&["src", "tests", "benches"]) {
        let first = source.text.lines().next().unwrap_or("");
        let begins = first.starts_with("//! ") || first.starts_with("#![doc = include_str!(");
        let tests = source.path.starts_with("src/") && source.is_tests();
        if !begins && !tests {
            complaints.push(format!("{}: begins with `{first}`", source.path));
        }
    }
    assert_none(&complaints, "modules do not begin with their documentation");
}

#[test]
fn nothing_is_left_lying() {
    // Written in two parts, so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
        concat!("#[ign", "ore"),
        concat!("thread::", "sleep"),
    ];
    let mut complaints = Vec::new();
    for source in sources(&["src", "tests", "benches", "fuzz"]) {
        for (line, text) in source.text.lines().enumerate() {
            // An interface that has nothing is asked again after a pause; nothing else waits for time to pass.
            let paused = source.path.starts_with("src/ingest/live/");
            let pause = |word: &str| paused && word.ends_with("sleep");
            for word in words
                .iter()
                .filter(|word| text.contains(*word) && !pause(word))
            {
                complaints.push(format!("{}:{}: {word}", source.path, line + 1));
            }
        }
    }
    assert_none(&complaints, "things are left lying");
}

#[test]
fn only_report_and_archive_serialise() {
    let mut complaints = Vec::new();
    for source in sources(&["src"]) {
        let mirrors = ["report", "archive"].contains(&source.room());
        if !mirrors && source.text.contains("Serialize") {
            complaints.push(source.path.clone());
        }
    }
    assert_none(&complaints, "types outside report/ and archive/ serialise");
}

#[test]
fn captures_stay_small() {
    let mut files = Vec::new();
    support::walk(Path::new("captures"), &mut files);
    let mut total = 0;
    let mut complaints = Vec::new();
    for path in files {
        let bytes = fs::metadata(&path).expect("a file").len();
        total += bytes;
        if bytes > 1 << 20 {
            complaints.push(format!("{path}: {bytes} bytes, more than 1 MiB"));
        }
    }
    if total > 40 << 20 {
        complaints.push(format!("captures/: {total} bytes, more than 40 MiB"));
    }
    assert_none(&complaints, "captures are too large");
}

#[test]
fn functions_are_measured_from_their_line_to_their_brace() {
    let text = "impl A {\n    pub(crate) const fn b() -> u8 {\n        1\n    }\n}\nfn c() {}\nfn d(\n) {\n}";
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        functions(&lines),
        [("b".to_owned(), 3), ("d".to_owned(), 3)]
    );
}

#[test]
fn uses_are_found_wherever_they_stand() {
    let text = "use crate::flow::key::{A};\nlet x = crate::time::Y::z(crate::mark::M);\n// crate::cli::no\n";
    assert_eq!(used(text), ["flow::key::", "time::Y::z", "mark::M"]);
}
