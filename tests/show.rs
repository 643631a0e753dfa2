//! `wirefault show`: ladders as they are printed, what fits a terminal, what is masked.
//!
//! `BLESS=1 cargo test --test show` writes the golden ladders.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;

use rayon::prelude::*;
use support::run::{Ran, json, keylog, list, program, report_of, text, wirefault};
use support::{assert_none, captures};
use unicode_width::UnicodeWidthStr as _;

const DEMO: &str = "captures/demo.pcapng";
const LOSS: &str = "captures/network/packet-loss/beside-tail-probes-at-server.pcap";

/// Runs `show` with this width.
fn show(columns: &str, arguments: &[&str]) -> Ran {
    let all = [
        &["show", "--ca-bundle", support::ROOTS, "--tz", "UTC"],
        arguments,
    ]
    .concat();
    let output = program(&all)
        .env("COLUMNS", columns)
        .output()
        .expect("the program starts");
    Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Id of the first finding of this code.
fn id(path: &str, code: &str) -> String {
    let report = json(&report_of(&[path.to_owned()], 1));
    let finding = list(&report, "findings")
        .iter()
        .find(|finding| text(finding, "code") == code)
        .unwrap_or_else(|| panic!("{path}: no {code}"));
    text(finding, "id").to_owned()
}

/// The ladder of a finding is the golden text `tests/show/<name>.txt`.
fn golden(name: &str, path: &str, code: &str, columns: &str, lang: &str) {
    let ran = show(
        columns,
        &[path, "--finding", &id(path, code), "--lang", lang],
    );
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{name}");
    let file = format!("tests/show/{name}.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &ran.stdout).expect("the golden text");
    }
    let golden = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(ran.stdout, golden, "{file}; BLESS=1 writes it");
}

#[test]
fn syns_that_nobody_answers() {
    let path = "captures/transport/syn-unanswered/drop-rule.pcap";
    golden(
        "syn-unanswered",
        path,
        "transport.syn-unanswered",
        "80",
        "en",
    );
}

#[test]
fn a_handshake_that_the_client_refuses() {
    golden("cert-expired", DEMO, "security.cert-expired", "80", "en");
}

#[test]
fn a_503_in_chinese() {
    golden("http-503", DEMO, "application.http-503", "100", "zh");
}

#[test]
fn a_resolver_that_does_not_answer() {
    let path = "captures/network/dns-timeout/c-ares.pcap";
    golden("dns-timeout", path, "network.dns-timeout", "80", "en");
}

#[test]
fn a_closed_window() {
    let path = "captures/transport/zero-window/client-does-not-read-ipv6.pcap";
    golden("zero-window", path, "transport.zero-window", "80", "en");
}

#[test]
fn every_ladder_fits_its_terminal_and_marks_its_evidence() {
    let all: Vec<_> = captures().into_iter().step_by(6).collect();
    let complaints: Vec<String> = all
        .into_par_iter()
        .flat_map_iter(|capture| {
            let path = capture.path.clone();
            let report = json(&report_of(std::slice::from_ref(&path), 1));
            let finding = list(&report, "findings")
                .iter()
                .find(|finding| !list(finding, "evidence").is_empty())
                .cloned();
            let mut complaints = Vec::new();
            let Some(finding) = finding else {
                return complaints;
            };
            for (columns, lang) in [("80", "en"), ("80", "zh"), ("120", "zh")] {
                let keys = keylog(&path);
                let mut asked = vec![path.as_str(), "--lang", lang];
                asked.extend(["--finding", text(&finding, "id")]);
                asked.extend(keys.iter().map(String::as_str));
                let ran = show(columns, &asked);
                let limit: usize = columns.parse().expect("a number");
                let wide = ran.stdout.lines().find(|line| line.width() > limit);
                if !matches!(ran.status, 0 | 4) || wide.is_some() {
                    complaints.push(format!("{path}: {} {} {wide:?}", ran.status, ran.stderr));
                }
                let marked = ran
                    .stdout
                    .lines()
                    .filter(|line| line.starts_with('●'))
                    .count();
                let mut frames: Vec<_> = list(&finding, "evidence")
                    .iter()
                    .map(|seen| (text(seen, "file"), seen["frame"].as_u64()))
                    .collect();
                frames.sort_unstable();
                frames.dedup();
                if marked != frames.len() {
                    complaints.push(format!("{path}: {marked} of {} marked", frames.len()));
                }
            }
            complaints
        })
        .collect();
    assert_none(&complaints, "ladders are wrong");
}

#[test]
fn the_middle_of_a_long_flow_is_left_out_but_with_all() {
    let flows = wirefault(&["flows", "--format", "jsonl", LOSS]);
    let row = flows
        .stdout
        .lines()
        .map(json)
        .find(|row| row["resp_pkts"].as_u64() > Some(90));
    let row = row.expect("the long flow");
    let flow = text(&row, "flow");
    let short = show("100", &[LOSS, "--flow", flow]);
    assert!(
        short.stdout.contains(" more segments, --all shows them …"),
        "{}",
        short.stdout
    );
    assert!(!short.stdout.contains("\n    100  "), "{}", short.stdout);
    let whole = show("100", &[LOSS, "--flow", flow, "--all"]);
    assert!(
        !whole.stdout.contains("--all shows them"),
        "{}",
        whole.stdout
    );
    assert!(whole.stdout.contains("\n    100  "), "{}", whole.stdout);
    assert!(
        whole.stdout.contains("fast retransmission; seq 1,554"),
        "{}",
        whole.stdout
    );
}

#[test]
fn a_flow_shows_all_its_findings_and_a_finding_its_own_marks() {
    let rows = wirefault(&["flows", "--format", "jsonl", DEMO]);
    let row = rows
        .stdout
        .lines()
        .map(json)
        .find(|row| text(row, "conn_state") == "S0");
    let row = row.expect("a flow without an answer");
    let ran = show("80", &[DEMO, "--flow", text(&row, "flow")]);
    assert!(
        ran.stdout.contains("transport.syn-unanswered"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("[syn-retry]"), "{}", ran.stdout);
}

#[test]
fn colour_is_for_terminals_or_for_whom_asks() {
    let finding = id(DEMO, "security.cert-expired");
    let plain = show("80", &[DEMO, "--finding", &finding]);
    assert!(!plain.stdout.contains('\u{1b}'));
    let painted = show("80", &[DEMO, "--finding", &finding, "--color", "always"]);
    assert!(
        painted.stdout.contains("\u{1b}[1;31m[alert]\u{1b}[0m"),
        "{}",
        painted.stdout
    );
}

#[test]
fn what_is_quoted_from_payload_is_masked_as_in_the_report() {
    let request = b"GET /91110108551385082Q_0/x?token=abc HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let path = folder.path().join("x.pcap");
    fs::write(&path, one_segment(request)).expect("a capture");
    let path = path.to_string_lossy().into_owned();
    let rows = wirefault(&["flows", "--format", "jsonl", &path]);
    let row = json(rows.stdout.trim());
    let masked = show("100", &[&path, "--flow", text(&row, "flow")]);
    assert!(
        masked.stdout.contains("GET /91110108********2Q_0/x"),
        "{}",
        masked.stdout
    );
    let open = show(
        "100",
        &[&path, "--flow", text(&row, "flow"), "--redact", "off"],
    );
    assert!(
        open.stdout.contains("GET /91110108551385082Q_0/x"),
        "{}",
        open.stdout
    );
    assert!(!open.stdout.contains("abc"), "{}", open.stdout);
}

/// A capture of one TCP segment from 192.0.2.15:40000 to 203.0.113.20:80.
fn one_segment(payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    let total = u16::try_from(40 + payload.len()).expect("a small packet");
    packet.extend_from_slice(&total.to_be_bytes());
    packet.extend_from_slice(&[0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 15, 203, 0, 113, 20]);
    packet.extend_from_slice(&[
        0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0,
    ]);
    packet.extend_from_slice(payload);
    let mut file = vec![
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0,
    ];
    let length = u32::try_from(packet.len())
        .expect("a small packet")
        .to_le_bytes();
    file.extend_from_slice(&[0, 0, 0x40, 0x6b, 0, 0, 0, 0]);
    file.extend_from_slice(&length);
    file.extend_from_slice(&length);
    file.extend_from_slice(&packet);
    file
}
