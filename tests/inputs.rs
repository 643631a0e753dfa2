//! What becomes of inputs beside the report: what of a folder is read, and what may not be written over.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;

use support::run::wirefault;
use tempfile::TempDir;

const REFUSED: &str = "captures/transport/syn-refused/java.pcap";

#[test]
fn an_archive_in_a_folder_is_named_and_the_rest_is_read() {
    let folder = TempDir::new().expect("a temporary folder");
    let zip = [b"PK\x03\x04".as_slice(), &[0; 60]].concat();
    fs::write(folder.path().join("a.zip"), zip).expect("a file");
    fs::copy(REFUSED, folder.path().join("b.pcap")).expect("a copy");
    let ran = wirefault(&[
        "analyze",
        "--format",
        "json",
        &folder.path().to_string_lossy(),
    ]);
    assert_eq!(ran.status, 4, "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("a.zip: expected a capture, found a zip"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("transport.syn-refused"));
}

#[test]
fn a_report_never_replaces_the_capture_that_it_tells_of() {
    let folder = TempDir::new().expect("a temporary folder");
    let bytes = fs::read(REFUSED).expect("a capture");
    let path = folder
        .path()
        .join("good.pcap")
        .to_string_lossy()
        .into_owned();
    fs::write(&path, &bytes).expect("a file");
    for command in ["analyze", "flows"] {
        let ran = wirefault(&[command, &path, "-o", &path]);
        assert_eq!(ran.status, 2, "{}", ran.stderr);
        assert!(
            ran.stderr.contains("one of the captures that are read"),
            "{}",
            ran.stderr
        );
        assert_eq!(fs::read(&path).expect("the capture"), bytes);
    }
}
