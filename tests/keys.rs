//! `--keylog` and the secrets blocks of captures: what they open, from where, and what is said of those that do not fit.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::run::{Ran, json, list, text, wirefault, wirefault_fed};
use tempfile::TempDir;

const CAPTURE: &str = "captures/application/http-503/keys-tls13-curl.pcap";
const KEYS: &str = "captures/application/http-503/keys-tls13-curl.keys";
const INSIDE: &str = "captures/application/http-503/keys-tls12-gcm-python.pcapng";

fn analyzed(path: &str, more: &[&str]) -> Ran {
    let mut arguments = vec![
        "analyze",
        path,
        "--ca-bundle",
        support::ROOTS,
        "--format",
        "json",
    ];
    arguments.extend(more);
    wirefault(&arguments)
}

fn codes(report: &Value) -> Vec<&str> {
    list(report, "findings")
        .iter()
        .map(|finding| text(finding, "code"))
        .collect()
}

fn written(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content).expect("a file");
    path.to_string_lossy().into_owned()
}

/// The blocks of a little-endian pcapng.
fn blocks(bytes: &[u8]) -> Vec<&[u8]> {
    let mut rest = bytes;
    let mut all = Vec::new();
    while let Some(length) = rest.get(4..8) {
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let (block, later) = rest.split_at(length);
        all.push(block);
        rest = later;
    }
    all
}

const SECRETS: [u8; 4] = [10, 0, 0, 0];
const PACKET: [u8; 4] = [6, 0, 0, 0];

/// The capture with its secrets block before packet number `place`, or behind all.
fn moved(place: usize) -> Vec<u8> {
    let bytes = fs::read(INSIDE).expect("a capture");
    let all = blocks(&bytes);
    let secrets = *all
        .iter()
        .find(|block| block[..4] == SECRETS)
        .expect("a secrets block");
    let mut out = Vec::new();
    let mut packets = 0;
    for block in all.iter().filter(|block| block[..4] != SECRETS) {
        if block[..4] == PACKET {
            if packets == place {
                out.extend_from_slice(secrets);
            }
            packets += 1;
        }
        out.extend_from_slice(block);
    }
    if place >= packets {
        out.extend_from_slice(secrets);
    }
    out
}

#[test]
fn without_its_keys_a_session_stays_blind_and_with_them_it_is_told() {
    let blind = json(&analyzed(CAPTURE, &[]).stdout);
    assert_eq!(codes(&blind), ["capture.encrypted-blind"]);
    assert!(blind["summary"].get("decrypted").is_none());
    let ran = analyzed(CAPTURE, &["--keylog", KEYS]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let told = json(&ran.stdout);
    assert_eq!(codes(&told), ["application.http-503"]);
    assert_eq!(told["summary"]["decrypted"], 1);
    assert_eq!(text(&told["tool"], "key_log").len(), 16);
}

#[test]
fn a_missing_key_log_is_one_sentence() {
    let ran = analyzed(CAPTURE, &["--keylog", "no/such/keys.log"]);
    assert_eq!(ran.status, 2);
    assert_eq!(
        ran.stderr,
        "wirefault: --keylog no/such/keys.log: cannot be read: No such file or directory (os error 2)\n"
    );
}

#[test]
fn lines_that_are_none_are_told_once_and_the_others_count() {
    let folder = TempDir::new().expect("a folder");
    let keys = fs::read_to_string(KEYS).expect("keys");
    let path = written(
        &folder,
        "keys.log",
        format!("# made by hand\n{keys}what is this\n\nCLIENT_RANDOM 12 34\n"),
    );
    let ran = analyzed(CAPTURE, &["--keylog", &path]);
    assert_eq!(ran.status, 0);
    assert_eq!(codes(&json(&ran.stdout)), ["application.http-503"]);
    let first = keys.lines().count() + 2;
    assert_eq!(
        ran.stderr,
        format!(
            "wirefault: --keylog {path}: 2 lines are not those of a key log and are passed over, the first is line {first}; a line reads \
             CLIENT_RANDOM, or another label, then the client random and the secret in hexadecimal\n"
        )
    );
    for (name, content, says) in [
        (
            "empty.log",
            "",
            "no secret of a TLS session in it: nothing is decrypted",
        ),
        (
            "other.log",
            "\0\u{1}\n\0",
            "none of its 2 lines is one of a key log: nothing is decrypted",
        ),
    ] {
        let path = written(&folder, name, content);
        let ran = analyzed(CAPTURE, &["--keylog", &path]);
        assert_eq!(ran.status, 0);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!(codes(&json(&ran.stdout)), ["capture.encrypted-blind"]);
    }
}

/// In a file a secrets block counts wherever it stands; of a stream what follows it, and whole connections only.
#[test]
fn a_secrets_block_counts_wherever_it_stands_in_a_file() {
    let folder = TempDir::new().expect("a folder");
    let usual = json(&analyzed(INSIDE, &[]).stdout);
    for place in [0, 1, 4, 9, usize::MAX] {
        let bytes = moved(place);
        let path = written(&folder, "moved.pcapng", &bytes);
        let ran = analyzed(&path, &[]);
        assert_eq!(ran.status, 0, "before packet {place}: {}", ran.stderr);
        let report = json(&ran.stdout);
        assert_eq!(codes(&report), codes(&usual), "before packet {place}");
        let piped = wirefault_fed(
            &[
                "analyze",
                "-",
                "--ca-bundle",
                support::ROOTS,
                "--format",
                "json",
            ],
            &bytes,
        );
        let report = json(&piped.stdout);
        let expected = if place <= 3 {
            codes(&usual)
        } else {
            vec!["capture.encrypted-blind"]
        };
        assert_eq!(codes(&report), expected, "piped, before packet {place}");
    }
}

#[test]
fn every_command_takes_the_key_log() {
    let rows = wirefault(&[
        "flows",
        CAPTURE,
        "--keylog",
        KEYS,
        "--format",
        "csv",
        "--ca-bundle",
        support::ROOTS,
    ]);
    assert!(
        rows.stdout.contains("\"ssl,http\"") && rows.stdout.contains("application.http-503"),
        "{}",
        rows.stdout
    );
    let report = json(&analyzed(CAPTURE, &["--keylog", KEYS]).stdout);
    let id = text(&list(&report, "findings")[0], "id").to_owned();
    let common = [
        "--keylog",
        KEYS,
        "--ca-bundle",
        support::ROOTS,
        "--finding",
        &id,
    ];
    let ladder = wirefault(&[&["show", CAPTURE, "--lang", "en"], &common[..]].concat());
    for words in [
        "Certificate",
        "Finished",
        "POST /kpfw/v1/invoice",
        "HTTP 503",
        "Alert close_notify",
    ] {
        assert!(
            ladder.stdout.contains(words),
            "{words} is not in\n{}",
            ladder.stdout
        );
    }
    let folder = TempDir::new().expect("a folder");
    let out = folder
        .path()
        .join("out.pcapng")
        .to_string_lossy()
        .into_owned();
    let ran = wirefault(&[&["extract", CAPTURE, "-o", &out], &common[..]].concat());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(Path::new(&out).metadata().expect("an extract").len() > 0);
    let bytes = fs::read(CAPTURE).expect("a capture");
    let live = wirefault_fed(
        &[
            "live",
            "-",
            "--keylog",
            KEYS,
            "--format",
            "jsonl",
            "--ca-bundle",
            support::ROOTS,
        ],
        &bytes,
    );
    assert!(
        live.stdout.contains("application.http-503"),
        "{}",
        live.stdout
    );
}

#[test]
fn a_batch_opens_its_sets_and_makes_them_anew_with_other_keys() {
    let folder = TempDir::new().expect("a folder");
    let source = folder.path().join("in");
    fs::create_dir(&source).expect("a folder");
    fs::copy(CAPTURE, source.join("a.pcap")).expect("a copy");
    let (source, out) = (
        source.to_string_lossy().into_owned(),
        folder.path().join("out").to_string_lossy().into_owned(),
    );
    let batch = |keys: &[&str]| {
        let arguments = [
            "batch",
            &source,
            "--out",
            &out,
            "--ca-bundle",
            support::ROOTS,
        ];
        let ran = wirefault(&[&arguments[..], keys].concat());
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        json(
            &wirefault(&[
                "report",
                &out,
                "--format",
                "json",
                "--ca-bundle",
                support::ROOTS,
            ])
            .stdout,
        )
    };
    assert_eq!(codes(&batch(&[])), ["capture.encrypted-blind"]);
    let opened = batch(&["--keylog", KEYS]);
    assert_eq!(codes(&opened), ["application.http-503"]);
    let analyzed = json(&analyzed(&format!("{source}/a.pcap"), &["--keylog", KEYS]).stdout);
    assert_eq!(opened, analyzed);
    assert_eq!(codes(&batch(&[])), ["capture.encrypted-blind"]);
}

/// A capture without one of its packets: what is lost is not made up for by an accusation.
#[test]
fn a_lost_packet_accuses_nobody() {
    for (capture, layer) in [
        (
            "captures/application/http-503/not-keys-tls13-healthy",
            "pcap",
        ),
        (
            "captures/capture/encrypted-blind/not-keys-node-keeps-alive",
            "pcap",
        ),
        (
            "captures/application/http-bad-gateway/not-keys-tls12-cbc-healthy",
            "pcapng",
        ),
    ] {
        let bytes = fs::read(format!("{capture}.{layer}")).expect("a capture");
        let keys = format!("{capture}.keys");
        let folder = TempDir::new().expect("a folder");
        let more: Vec<&str> = if Path::new(&keys).is_file() {
            vec!["--keylog", &keys]
        } else {
            Vec::new()
        };
        let mut number = 0;
        while let Some(less) = without(&bytes, layer, number) {
            let path = written(&folder, &format!("less.{layer}"), less);
            let report = json(&analyzed(&path, &more).stdout);
            let loud = list(&report, "findings").iter().filter(|finding| {
                let layer = text(finding, "layer");
                text(finding, "severity") != "info"
                    && ["security", "application", "data"].contains(&layer)
            });
            let loud: Vec<&str> = loud.map(|finding| text(finding, "code")).collect();
            assert!(
                loud.is_empty(),
                "{capture} without packet {number}: {loud:?}"
            );
            number += 1;
        }
        assert!(number > 15, "{capture}: {number} packets");
    }
}

/// The capture without packet `number`, counted from 0; `None` where it has no such packet.
fn without(bytes: &[u8], layer: &str, number: usize) -> Option<Vec<u8>> {
    if layer == "pcapng" {
        let all = blocks(bytes);
        let places = all
            .iter()
            .enumerate()
            .filter(|(_, block)| block[..4] == PACKET);
        let (place, _) = places.into_iter().nth(number)?;
        let kept = all.iter().enumerate().filter(|(other, _)| *other != place);
        return Some(kept.flat_map(|(_, block)| block.to_vec()).collect());
    }
    let mut start = 24;
    for _ in 0..number {
        start += 16 + length(bytes, start)?;
    }
    let end = start + 16 + length(bytes, start)?;
    Some([&bytes[..start], &bytes[end..]].concat())
}

fn length(bytes: &[u8], start: usize) -> Option<usize> {
    let captured = bytes.get(start + 8..start + 12)?;
    Some(u32::from_le_bytes(captured.try_into().ok()?) as usize)
}
