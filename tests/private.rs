//! What must not be told is not told: in no format, by no command, in neither language; credentials not even where
//! masking is off.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;

use support::run::{json, list, text, wirefault};
use tempfile::TempDir;

const CAPTURE: &str = "captures/security/cert-self-signed/names-and-numbers.pcap";
/// A tax identifier, a phone and an identity card.
const OF_PEOPLE: [&str; 4] = [
    "91110000ma0000012q",
    "25112000000012345678",
    "13812341234",
    "110105199003071239",
];
/// A password, as sent too, and a token.
const SECRETS: [&str; 3] = ["Spring2026", "Y2xlcms6U3ByaW5nMjAyNg", "24.6c5e1ff107f0"];

/// The capture under a name that tells too.
fn copied() -> (TempDir, String) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder
        .path()
        .join("抓包91110000MA0000012Q_13812341234.pcap");
    fs::copy(CAPTURE, &path).expect("a copy");
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

/// What a command writes, with these options.
fn written(command: &str, path: &str, options: &[&str]) -> String {
    let mut arguments = vec![command, path, "--ca-bundle", support::ROOTS];
    arguments.extend(options);
    let ran = wirefault(&arguments);
    assert_eq!(ran.status, 0, "{arguments:?}: {}", ran.stderr);
    ran.stdout
}

fn check(what: &str, told: &str, never: &[&str]) {
    let told = told.to_lowercase();
    for secret in never {
        assert!(
            !told.contains(&secret.to_lowercase()),
            "{what} tells {secret}"
        );
    }
}

#[test]
fn no_format_tells_numbers_of_people_or_credentials() {
    let (_folder, path) = copied();
    let all: Vec<&str> = OF_PEOPLE.into_iter().chain(SECRETS).collect();
    for format in ["text", "markdown", "html", "json", "jsonl", "csv"] {
        for lang in ["en", "zh"] {
            let options = ["--format", format, "--lang", lang];
            let told = written("analyze", &path, &options);
            assert!(told.contains("91110000********2"), "{format}: {told}");
            check(format, &told, &all);
        }
    }
    for format in ["text", "csv", "json", "jsonl"] {
        check(
            format,
            &written("flows", &path, &["--format", format]),
            &all,
        );
    }
}

/// What a key log opens is masked like what stands in clear.
#[test]
fn what_is_decrypted_is_masked_too() {
    let path = "captures/application/http-not-found/keys-names-and-numbers.pcapng";
    let all: Vec<&str> = OF_PEOPLE.into_iter().chain(SECRETS).collect();
    for format in ["text", "markdown", "html", "json", "jsonl", "csv"] {
        let told = written("analyze", path, &["--format", format, "--lang", "en"]);
        assert!(told.contains("/upload"), "{format} tells no path: {told}");
        check(format, &told, &all);
        let bare = written("analyze", path, &["--format", format, "--redact", "off"]);
        assert!(bare.contains("91110000MA0000012Q"), "{format}");
        check(format, &bare, &SECRETS);
    }
    let report = json(&written("analyze", path, &["--format", "json"]));
    let id = text(&list(&report, "findings")[0], "id").to_owned();
    let ladder = written("show", path, &["--finding", &id, "--lang", "en"]);
    assert!(ladder.contains("HTTP 404"), "{ladder}");
    check("show", &ladder, &all);
}

#[test]
fn neither_ladders_nor_the_comments_of_an_extract_tell_them() {
    let (folder, path) = copied();
    let all: Vec<&str> = OF_PEOPLE.into_iter().chain(SECRETS).collect();
    let report = json(&written("analyze", &path, &["--format", "json"]));
    let ids: Vec<&str> = list(&report, "findings")
        .iter()
        .filter(|finding| !text(finding, "id").is_empty())
        .map(|finding| text(finding, "id"))
        .collect();
    assert!(ids.len() >= 3, "{ids:?}");
    for id in &ids {
        check(id, &written("show", &path, &["--finding", id]), &all);
    }
    let out = folder
        .path()
        .join("out.pcapng")
        .to_string_lossy()
        .into_owned();
    written("extract", &path, &["--finding", ids[0], "-o", &out]);
    let bytes = fs::read(&out).expect("an extract");
    let comment = String::from_utf8_lossy(&bytes).into_owned();
    // The packets are as they were; of the file's name only the mask is told.
    assert!(comment.contains("91110000********2Q_138****1234.pcap"));
    assert!(!comment.contains("13812341234.pcap"));
}

#[test]
fn with_masking_off_numbers_are_told_and_credentials_still_are_not() {
    let (_folder, path) = copied();
    for format in ["text", "markdown", "html", "json", "jsonl", "csv"] {
        let told = written("analyze", &path, &["--format", format, "--redact", "off"]);
        assert!(told.contains("91110000ma0000012q"), "{format}");
        assert!(told.contains("13812341234.pcap"), "{format}");
        check(format, &told, &SECRETS);
    }
}
