//! `wirefault extract`: the frames behind findings in a file of their own, unchanged, with comments.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rayon::prelude::*;
use serde_json::Value;
use support::run::{Ran, json, keylog, list, report_of, text, wirefault};
use support::{Capture, assert_none, captures};
use wirefault::ingest::{Batch, Feed, Note, Options};

const DEMO: &str = "captures/demo.pcapng";
const SYN: &str = "captures/transport/syn-unanswered/drop-rule.pcap";

/// A frame as it must come through: time in ns, bytes on the wire, link type, bytes.
type Kept = (i64, u32, u16, Vec<u8>);

/// All frames of a file with their numbers, and its comments.
fn frames(path: &str) -> (Vec<(u64, Kept)>, Vec<String>) {
    let (mut feed, errors) = Feed::open(&[path.to_owned()], &Options::default());
    assert!(errors.is_empty(), "{path}: {errors:?}");
    let (mut batch, mut found) = (Batch::default(), Vec::new());
    while feed.next(&mut batch) {
        for frame in batch.frames.iter().map(|frame| batch.frame(frame)) {
            let kept = (
                frame.at.time.ns(),
                frame.wire_len,
                frame.link.0,
                frame.bytes.to_vec(),
            );
            found.push((u64::from(frame.at.frame), kept));
        }
    }
    let notes = feed.files().iter().flat_map(|file| &file.notes);
    let comments = notes.filter_map(|note| match note {
        Note::Comment { text, .. } => Some(text.clone()),
        _ => None,
    });
    (found, comments.collect())
}

/// A path for an output of this test.
fn target(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("extract");
    fs::create_dir_all(&folder).expect("a folder for outputs");
    folder.join(name).to_string_lossy().into_owned()
}

/// Findings of a report with frames: ids, and the numbers of all their frames in file `path`.
fn behind(report: &Value, path: &str) -> (Vec<String>, BTreeSet<u64>) {
    let (mut ids, mut numbers) = (Vec::new(), BTreeSet::new());
    for finding in list(report, "findings") {
        let evidence = list(finding, "evidence");
        if !evidence.is_empty() {
            ids.push(text(finding, "id").to_owned());
        }
        for seen in evidence.iter().filter(|seen| text(seen, "file") == path) {
            numbers.insert(seen["frame"].as_u64().expect("a frame number"));
        }
    }
    (ids, numbers)
}

/// Every capture of a kind of file, and one in `step` of the others.
fn sample(step: usize) -> Vec<Capture> {
    let all = captures().into_iter().enumerate();
    all.filter(|(place, capture)| {
        matches!(capture.room(), "format" | "hostile") || place % step == 0
    })
    .map(|(_, capture)| capture)
    .collect()
}

/// Runs `extract` on findings of a capture, with its keys.
fn extracted(path: &str, ids: &str, out: &str) -> Ran {
    let keys = keylog(path);
    let mut arguments = vec!["extract", path, "--ca-bundle", support::ROOTS, "--quiet"];
    arguments.extend(["--finding", ids, "-o", out]);
    arguments.extend(keys.iter().map(String::as_str));
    wirefault(&arguments)
}

#[test]
fn evidence_comes_through_unchanged_in_the_order_of_time() {
    let complaints: Vec<String> = sample(7)
        .into_par_iter()
        .filter_map(|capture| {
            let path = capture.path.as_str();
            let report = json(&report_of(&[path.to_owned()], 1));
            let (ids, numbers) = behind(&report, path);
            if ids.is_empty() {
                return None;
            }
            let out = target(&path.replace('/', "_"));
            let ids = ids.join(",");
            let ran = extracted(path, &ids, &out);
            if !matches!(ran.status, 0 | 4) || !ran.stderr.is_empty() {
                return Some(format!("{path}: {} {}", ran.status, ran.stderr));
            }
            let (all, _) = frames(path);
            let mut expect: Vec<Kept> = all
                .into_iter()
                .filter(|(number, _)| numbers.contains(number))
                .map(|(_, mut kept)| {
                    // pcapng knows no time before 1970.
                    kept.0 = kept.0.max(0);
                    kept
                })
                .collect();
            expect.sort_by_key(|kept| kept.0);
            let (found, _) = frames(&out);
            let found: Vec<Kept> = found.into_iter().map(|(_, kept)| kept).collect();
            (found != expect)
                .then(|| format!("{path}: {} frames, expected {}", found.len(), expect.len()))
        })
        .collect();
    assert_none(&complaints, "captures do not come through");
}

#[test]
fn a_frame_says_its_role_its_code_its_finding_and_where_it_stood() {
    let out = target("comments.pcapng");
    let ran = wirefault(&[
        "extract",
        SYN,
        "--finding",
        "f-d598e34b4e58a6c9",
        "-o",
        &out,
    ]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(
        ran.stderr,
        format!("7 packets written to {out}; the bytes are as captured, nothing is masked\n")
    );
    let (_, comments) = frames(&out);
    assert_eq!(
        comments.first().map(String::as_str),
        Some(
            "syn: transport.syn-unanswered f-d598e34b4e58a6c9 (frame 3 of captures/transport/syn-unanswered/drop-rule.pcap)"
        )
    );
    let retry = "syn-retry: transport.syn-unanswered f-d598e34b4e58a6c9 (frame 4 of ";
    assert!(
        comments.iter().any(|comment| comment.starts_with(retry)),
        "{comments:?}"
    );
}

#[test]
fn a_flow_comes_whole_and_nothing_else_with_it() {
    let out = target("flow.pcapng");
    let ran = wirefault(&["flows", "--format", "jsonl", DEMO]);
    for line in ran.stdout.lines().step_by(37) {
        let row = json(line);
        let packets = row["orig_pkts"].as_u64().unwrap() + row["resp_pkts"].as_u64().unwrap();
        let id = text(&row, "flow");
        let ran = wirefault(&["extract", DEMO, "--quiet", "--flow", id, "-o", &out]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{id}");
        assert_eq!(frames(&out).0.len() as u64, packets, "{id}");
        let again = wirefault(&["flows", "--format", "jsonl", &out]);
        assert_eq!(again.stdout.lines().count(), 1, "{id}");
        let again = json(again.stdout.trim());
        for key in ["flow", "conn_state", "history", "duration", "orig_bytes"] {
            assert_eq!(again[key], row[key], "{id} {key}");
        }
    }
}

#[test]
fn flows_on_the_same_ports_are_kept_apart() {
    let path = "captures/transport/syn-unanswered/not-port-reuse.pcap";
    let rows = wirefault(&["flows", "--format", "jsonl", path]);
    let rows: Vec<Value> = rows.stdout.lines().map(json).collect();
    let out = target("reuse.pcapng");
    let mut total = 0;
    for row in &rows {
        let id = text(row, "flow");
        let ran = wirefault(&["extract", path, "--quiet", "--flow", id, "-o", &out]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        let packets = row["orig_pkts"].as_u64().unwrap() + row["resp_pkts"].as_u64().unwrap();
        let found = frames(&out).0.len() as u64;
        assert!(found >= packets, "{id}: {found} of {packets}");
        total += found;
    }
    assert!(rows.len() > 1);
    assert!(total <= frames(path).0.len() as u64);
}

#[test]
fn a_fragmented_segment_comes_with_all_its_fragments() {
    // A SYN of 203.0.113.20:80 in two fragments, its header cut behind the first eight bytes.
    let segment = [
        0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 1, 0, 0, 0, 0, 0,
    ];
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    file.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0]);
    for (offset, part) in [(0x2000_u16, &segment[..8]), (1, &segment[8..])] {
        let length = 20 + u8::try_from(part.len()).unwrap();
        file.extend_from_slice(&[
            0, 0, 0x40, 0x6b, 0, 0, 0, 0, length, 0, 0, 0, length, 0, 0, 0,
        ]);
        file.extend_from_slice(&[0x45, 0, 0, length, 0, 9]);
        file.extend_from_slice(&offset.to_be_bytes());
        file.extend_from_slice(&[64, 6, 0, 0, 192, 0, 2, 15, 203, 0, 113, 20]);
        file.extend_from_slice(part);
    }
    let (path, out) = (target("pieces.pcap"), target("pieces.pcapng"));
    fs::write(&path, file).unwrap();
    let rows = wirefault(&["flows", "--format", "jsonl", &path]);
    let row = json(rows.stdout.trim());
    let ran = wirefault(&[
        "extract",
        &path,
        "--quiet",
        "--flow",
        text(&row, "flow"),
        "-o",
        &out,
    ]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let kept = |path: &str| {
        frames(path)
            .0
            .into_iter()
            .map(|(_, kept)| kept)
            .collect::<Vec<_>>()
    };
    assert_eq!(kept(&out), kept(&path));
}

#[test]
fn several_ids_are_given_with_commas_the_option_again_or_one_after_the_other() {
    let two = ["f-59de360f0e4d2eba", "f-643d6c571dae9162"];
    let joined = two.join(",");
    let ways: [&[&str]; 3] = [
        &["--finding", &joined],
        &["--finding", two[0], "--finding", two[1]],
        &["--finding", two[0], two[1]],
    ];
    let out = target("several.pcapng");
    for way in ways {
        let arguments = [
            &[
                "extract",
                DEMO,
                "--quiet",
                "-o",
                &out,
                "--ca-bundle",
                support::ROOTS,
            ],
            way,
        ]
        .concat();
        let ran = wirefault(&arguments);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{way:?}");
        assert_eq!(frames(&out).0.len(), 11, "{way:?}");
    }
}

#[test]
fn interfaces_of_several_files_stay_apart_with_names_link_types_and_resolution() {
    let files = [SYN, "captures/transport/syn-refused/closed-port.pcap", DEMO];
    let report = json(&report_of(&files.map(str::to_owned), 1));
    let ids: Vec<&str> = list(&report, "findings")
        .iter()
        .map(|finding| text(finding, "id"))
        .collect();
    let ids = ids.join(",");
    let out = target("interfaces.pcapng");
    let arguments = [
        &[
            "extract",
            "--quiet",
            "-o",
            &out,
            "--ca-bundle",
            support::ROOTS,
            "--finding",
            &ids,
        ],
        &files[..],
    ]
    .concat();
    let ran = wirefault(&arguments);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let (mut feed, _) = Feed::open(&[out], &Options::default());
    let mut batch = Batch::default();
    while feed.next(&mut batch) {}
    let (mut source, _) = Feed::open(&files.map(str::to_owned), &Options::default());
    while source.next(&mut batch) {}
    let told = |feed: &Feed, path: bool| {
        let mut faces: Vec<_> = feed
            .interfaces()
            .iter()
            .map(|face| {
                let named = if face.description.is_empty() && path {
                    feed.files()
                        .iter()
                        .find(|file| file.point == face.point)
                        .map(|file| file.path.clone())
                } else {
                    Some(face.description.clone())
                };
                (
                    face.link,
                    face.snaplen,
                    face.ticks_per_second,
                    face.name.clone(),
                    named,
                )
            })
            .collect();
        faces.sort();
        faces
    };
    assert_eq!(told(&feed, false), told(&source, true));
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_and_leaves_nothing() {
    let ran = wirefault(&[
        "extract",
        SYN,
        "--finding",
        "f-d598e34b4e58a6c9",
        "-o",
        "/nowhere/x.pcapng",
    ]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr
            .starts_with("wirefault: /nowhere/x.pcapng: cannot be written: "),
        "{}",
        ran.stderr
    );
}

/// Captures that tshark reads otherwise, with the reason: they are not compared.
const READ_APART: [&str; 5] = [
    // tshark ends at damage, or reads zeros as empty records.
    "captures/capture/file-damaged/garbage-in-the-middle.pcap",
    "captures/hostile/garbage-in-the-middle.pcap",
    "captures/capture/file-damaged/zeros-in-the-middle.pcap",
    // tshark does not unpack xz.
    "captures/format/packed-xz.pcap.xz",
    // Simple packet blocks have no time, enhanced ones have one always.
    "captures/format/pcapng-simple-packets.pcapng",
];

/// What tshark says of each frame: time, lengths, protocols.
fn dissect(path: &str, filter: &str) -> Vec<String> {
    let ran = Command::new("tshark")
        .args(["-n", "-r", path, "-Y", filter, "-T", "fields"])
        .args([
            "-e",
            "frame.time_epoch",
            "-e",
            "frame.len",
            "-e",
            "frame.cap_len",
        ])
        .args([
            "-e",
            "frame.encap_type",
            "-e",
            "ip.src",
            "-e",
            "tcp.flags",
            "-e",
            "udp.port",
        ])
        .stdin(Stdio::null())
        .output()
        .expect("tshark starts");
    // A damaged capture is read up to the damage; what is written here has none.
    let hurt = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success() || !filter.is_empty(), "{path}: {hurt}");
    String::from_utf8_lossy(&ran.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn tshark_reads_the_same_frames() {
    let asked = Command::new("tshark")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if asked.is_err() {
        eprintln!("SKIPPED: tshark is not installed; extracted frames were not compared with it");
        return;
    }
    let complaints: Vec<String> = sample(20)
        .into_par_iter()
        .filter(|capture| !READ_APART.contains(&capture.path.as_str()))
        .filter_map(|capture| {
            let path = capture.path.as_str();
            let report = json(&report_of(&[path.to_owned()], 1));
            let (ids, numbers) = behind(&report, path);
            if ids.is_empty() {
                return None;
            }
            let (out, ids) = (
                target(&format!("tshark_{}", path.replace('/', "_"))),
                ids.join(","),
            );
            let ran = extracted(path, &ids, &out);
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            let mut expect = dissect(path, &format!("frame.number in {{{}}}", numbers.join(",")));
            expect.sort();
            let mut found = dissect(&out, "");
            found.sort();
            let apart = |one: &[String], other: &[String]| {
                let only = one.iter().filter(|line| !other.contains(line));
                only.take(3).cloned().collect::<Vec<_>>()
            };
            (found != expect).then(|| {
                let (ours, theirs) = (apart(&found, &expect), apart(&expect, &found));
                format!("{path}: {} ours {ours:?} theirs {theirs:?}", ran.stderr)
            })
        })
        .collect();
    assert_none(
        &complaints,
        "extracts are not what tshark sees in their captures",
    );
}
