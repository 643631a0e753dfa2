//! The command line as scripts see it: exit status, the sentence on standard error, data on standard output alone.
//!
//! 0 done, 1 findings at or above `--fail-on`, 2 usage or configuration, 3 no input could be read, 4 some input
//! was skipped or cut short. If several apply: 2, 3, 1, 4. A closed pipe is 0.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use support::run::{Ran, json, list, program, text, wirefault, wirefault_fed};
use tempfile::TempDir;

/// Two packets: a SYN and the RST that refuses it.
const REFUSED: &str = "captures/transport/syn-refused/java.pcap";
/// Nothing to tell.
const HEALTHY: &str = "captures/healthy/http-100-continue.pcap";
/// Its last record is cut.
const CUT: &str = "captures/hostile/truncated-record.pcap";

/// A folder of files for one test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and gives its path.
    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        path.to_string_lossy().into_owned()
    }
}

/// Exit status and a part of the sentence on standard error, with nothing on standard output.
fn check_refused(arguments: &[&str], status: i32, says: &str) {
    let ran = wirefault(arguments);
    assert_eq!(ran.status, status, "{arguments:?}: {}", ran.stderr);
    assert!(
        ran.stderr.contains(says),
        "{arguments:?}: no `{says}` in: {}",
        ran.stderr
    );
    assert!(
        ran.stderr.starts_with("wirefault: "),
        "{arguments:?}: {}",
        ran.stderr
    );
    assert_eq!(ran.stdout, "", "{arguments:?}");
}

/// One input that cannot be read: alone it is 3; beside a good one it is 4, named, and the good one is analysed.
fn check_skipped(path: &str, says: &str) {
    check_refused(&["analyze", path], 3, says);
    check_refused(&["flows", path], 3, says);
    let ran = wirefault(&["analyze", "--format", "json", path, REFUSED]);
    assert_eq!(ran.status, 4, "{path}: {}", ran.stderr);
    assert!(ran.stderr.contains(says), "{path}: {}", ran.stderr);
    let report = json(&ran.stdout);
    assert_eq!(list(&report, "captures").len(), 1, "{path}");
    assert_eq!(codes(&ran), ["transport.syn-refused"], "{path}");
}

/// Codes of a JSON report.
fn codes(ran: &Ran) -> Vec<String> {
    list(&json(&ran.stdout), "findings")
        .iter()
        .map(|finding| text(finding, "code").to_owned())
        .collect()
}

/// A pcap file with this link type and one record of these bytes.
fn pcap(link: u32, record_len: u32, bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [
        0xa1b2_c3d4_u32,
        0x0004_0002,
        0,
        0,
        65_535,
        link,
        1_795_540_000,
        0,
        record_len,
        record_len,
    ] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(bytes);
    file
}

#[test]
fn a_report_without_failure_is_0_and_says_nothing_on_standard_error() {
    for path in [HEALTHY, REFUSED] {
        let ran = wirefault(&["analyze", path]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{path}");
        assert!(!ran.stdout.is_empty(), "{path}");
    }
}

#[test]
fn an_empty_file_is_named() {
    let folder = Folder::new();
    check_skipped(
        &folder.file("empty.pcap", b""),
        "empty.pcap: expected a capture, found an empty file",
    );
}

#[test]
fn a_text_file_is_named() {
    let folder = Folder::new();
    check_skipped(
        &folder.file("notes.txt", b"SYN, SYN, SYN\n"),
        "found text; save the packets with tcpdump -w",
    );
}

#[test]
fn an_unknown_magic_is_shown() {
    let folder = Folder::new();
    let path = folder.file(
        "x.pcap",
        &[0x4b, 0xfd, 0x14, 0x1b, 0xe8, 0x9a, 0x0f, 0xce, 1, 2, 3, 4],
    );
    check_skipped(&path, "found the bytes 4b fd 14 1b");
}

#[test]
fn a_missing_file_is_named() {
    check_skipped(
        "captures/no/such.pcap",
        "captures/no/such.pcap: no such file or folder; check the path",
    );
}

#[test]
fn a_pattern_without_a_match_is_named() {
    check_skipped(
        "captures/*.nothing",
        "captures/*.nothing: no file matches this pattern",
    );
}

#[test]
fn a_folder_without_captures_is_named() {
    let folder = Folder::new();
    folder.file("only/notes.txt", b"nothing here\n");
    check_skipped(
        &folder.path("only").to_string_lossy(),
        "no capture in this folder",
    );
    fs::create_dir(folder.path("bare")).expect("a folder");
    check_skipped(
        &folder.path("bare").to_string_lossy(),
        "no capture in this folder",
    );
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let path = folder.file("secret.pcap", &fs::read(REFUSED).expect("a capture"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("permissions");
    if fs::read(&path).is_ok() {
        eprintln!("SKIPPED: this user reads everything");
        return;
    }
    check_skipped(&path, "cannot be read");
}

#[test]
fn a_header_that_is_cut_is_named() {
    let folder = Folder::new();
    let whole = fs::read(REFUSED).expect("a capture");
    check_skipped(
        &folder.file("short.pcap", &whole[..20]),
        "expected a pcap header of 24 bytes, found the end of the file after 20",
    );
    let whole = fs::read("captures/demo.pcapng").expect("a capture");
    check_skipped(
        &folder.file("short.pcapng", &whole[..10]),
        "expected a pcapng header of 28 bytes",
    );
}

#[test]
fn archives_are_refused_with_the_command_that_unpacks_them() {
    let folder = Folder::new();
    let zip = [b"PK\x03\x04".as_slice(), &[0; 60]].concat();
    check_skipped(
        &folder.file("a.zip", &zip),
        "found a zip archive; unpack it first (unzip FILE)",
    );
    let mut tar = vec![0_u8; 1024];
    tar[..6].copy_from_slice(b"x.pcap");
    tar[257..263].copy_from_slice(b"ustar\0");
    check_skipped(
        &folder.file("a.tar", &tar),
        "found a tar archive; unpack it first (tar -xf FILE)",
    );
}

#[test]
fn an_unknown_link_type_is_counted_and_its_file_named() {
    let folder = Folder::new();
    let path = folder.file("usb.pcap", &pcap(220, 64, &[0; 64]));
    let ran = wirefault(&["analyze", "--format", "json", &path]);
    assert_eq!(ran.status, 4, "{}", ran.stderr);
    let says =
        "usb.pcap: packets of link type USB_LINUX_MMAPPED are counted and not read; capture on";
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
    let report = json(&ran.stdout);
    assert_eq!(report["summary"]["packets"], 1);
    let unjudged = report["unjudged"].as_object().expect("an object");
    assert!(
        unjudged.keys().any(|reason| reason.contains("220")),
        "{unjudged:?}"
    );
}

#[test]
fn versions_that_nobody_reads_are_refused() {
    let folder = Folder::new();
    let mut old = pcap(1, 64, &[0; 64]);
    old[4] = 1;
    check_skipped(
        &folder.file("old.pcap", &old),
        "expected pcap version 2.4, found version 1.4",
    );
    let mut section = std::fs::read("captures/demo.pcapng").expect("a capture");
    section[12] = 9;
    check_skipped(
        &folder.file("new.pcapng", &section),
        "expected pcapng version 1.0, found version 9.0",
    );
}

#[test]
fn a_file_cut_short_is_4_and_told_up_to_the_cut() {
    let ran = wirefault(&["analyze", "--format", "json", CUT]);
    assert_eq!(ran.status, 4, "{}", ran.stderr);
    assert_eq!(json(&ran.stdout)["captures"][0]["complete"], false);
    assert!(codes(&ran).contains(&"transport.syn-refused".to_owned()));
    let folder = Folder::new();
    let absurd = folder.file("absurd.pcap", &pcap(1, 0x7fff_ffff, &[0; 64]));
    let ran = wirefault(&["analyze", "--format", "json", &absurd]);
    assert_eq!(ran.status, 4, "{}", ran.stderr);
}

#[test]
fn a_ca_bundle_must_hold_certificates() {
    let folder = Folder::new();
    let bare = folder.file("none.pem", b"no certificate\n");
    check_refused(
        &["analyze", "--ca-bundle", &bare, REFUSED],
        2,
        "none.pem: holds no certificate; expected PEM",
    );
    let bad = folder.file(
        "bad.pem",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    check_refused(
        &["analyze", "--ca-bundle", &bad, REFUSED],
        2,
        "bad.pem: holds a certificate that cannot be read",
    );
    check_refused(
        &["analyze", "--ca-bundle", "no/such.pem", REFUSED],
        2,
        "--ca-bundle no/such.pem: cannot be read",
    );
}

#[test]
fn options_that_cannot_be_meant_are_2() {
    let window = [
        "analyze",
        "--since",
        "2026-11-24T12:00:00Z",
        "--until",
        "2026-11-24T11:00:00Z",
        REFUSED,
    ];
    check_refused(&window, 2, "--until lies before --since");
    check_refused(
        &["analyze", "--since", "yesterday", REFUSED],
        2,
        "--since yesterday: not a time",
    );
    check_refused(
        &["analyze", "--tz", "Mars/Base", REFUSED],
        2,
        "--tz Mars/Base: no such time zone",
    );
    check_refused(
        &["analyze", "--threads", "0", REFUSED],
        2,
        "--threads 0: at least one thread is needed",
    );
    check_refused(
        &["analyze", "--memory", "10M", REFUSED],
        2,
        "--memory 10M: at least 96M are needed",
    );
    check_refused(
        &["flows", "--format", "markdown", REFUSED],
        2,
        "--format markdown is not offered",
    );
    check_refused(
        &["flows", "--format", "html", REFUSED],
        2,
        "--format html is not offered",
    );
    for bad in [
        ["analyze", "--format", "yaml", REFUSED].as_slice(),
        &["analyze", "--fail-on", "always", REFUSED],
        &["analyze", "--colour", "always", REFUSED],
        &["analyse", REFUSED],
        &["analyze"],
        &[],
    ] {
        let ran = wirefault(bad);
        assert_eq!(ran.status, 2, "{bad:?}");
        assert!(
            ran.stderr.contains("Usage") || ran.stderr.contains("--help"),
            "{bad:?}: {}",
            ran.stderr
        );
        assert_eq!(ran.stdout, "", "{bad:?}");
    }
}

#[test]
fn a_time_zone_by_name_is_understood() {
    for zone in ["UTC", "Asia/Shanghai"] {
        let ran = wirefault(&["analyze", "--tz", zone, REFUSED]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{zone}");
    }
}

#[test]
fn findings_fail_only_where_asked_and_only_from_that_severity_on() {
    let status = |arguments: &[&str]| wirefault(&[&["analyze"], arguments].concat()).status;
    assert_eq!(status(&[REFUSED]), 0);
    assert_eq!(status(&["--fail-on", "info", REFUSED]), 1);
    assert_eq!(status(&["--fail-on", "warning", REFUSED]), 1);
    assert_eq!(status(&["--fail-on", "error", REFUSED]), 1);
    assert_eq!(status(&["--fail-on", "critical", REFUSED]), 0);
    assert_eq!(status(&["--fail-on", "info", HEALTHY]), 0);
}

#[test]
fn codes_of_the_capture_itself_never_fail() {
    let path = "captures/capture/packets-dropped/interface-statistics.pcapng";
    let ran = wirefault(&["analyze", "--fail-on", "info", "--format", "json", path]);
    assert_eq!(codes(&ran), ["capture.packets-dropped"]);
    assert_eq!(ran.status, 0);
}

#[test]
fn of_several_statuses_2_comes_before_3_before_1_before_4() {
    let status = |arguments: &[&str]| wirefault(&[&["analyze"], arguments].concat()).status;
    assert_eq!(
        status(&["--tz", "No/Where", "no/such.pcap"]),
        2,
        "configuration before inputs"
    );
    assert_eq!(
        status(&["--fail-on", "info", "no/such.pcap"]),
        3,
        "no input before findings"
    );
    assert_eq!(
        status(&["--fail-on", "info", "no/such.pcap", REFUSED]),
        1,
        "findings before skipped input"
    );
    assert_eq!(
        status(&["--fail-on", "info", CUT]),
        1,
        "findings before input cut short"
    );
    assert_eq!(
        status(&["--fail-on", "critical", "no/such.pcap", REFUSED]),
        4
    );
}

#[test]
fn a_closed_pipe_is_0() {
    for arguments in [
        ["analyze", "-"].as_slice(),
        &["flows", "-"],
        &["analyze", "--format", "json", "-"],
    ] {
        let mut child = program(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // The reader leaves before the program has anything to write.
        drop(child.stdout.take());
        let mut stdin = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut stdin, &fs::read(REFUSED).expect("a capture"))
            .expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

#[test]
fn standard_input_is_a_capture_like_any_other() {
    let bytes = fs::read(REFUSED).expect("a capture");
    let piped = wirefault_fed(&["analyze", "--format", "json", "-"], &bytes);
    assert_eq!((piped.status, piped.stderr.as_str()), (0, ""));
    assert_eq!(json(&piped.stdout)["captures"][0]["path"], "-");
    assert_eq!(codes(&piped), ["transport.syn-refused"]);
    let packed = fs::read("captures/format/packed-zst.pcap.zst").expect("a capture");
    assert_eq!(wirefault_fed(&["analyze", "-"], &packed).status, 0);
    let nothing = wirefault_fed(&["analyze", "-"], b"");
    assert_eq!(nothing.status, 3);
    assert!(
        nothing
            .stderr
            .contains("-: expected a capture, found an empty"),
        "{}",
        nothing.stderr
    );
    let twice = wirefault_fed(&["analyze", "-", "-"], &bytes);
    assert_eq!(twice.status, 4);
    assert!(
        twice
            .stderr
            .contains("-: standard input can be read only once"),
        "{}",
        twice.stderr
    );
}

#[test]
fn folders_and_patterns_hold_what_they_hold() {
    let captures = |path: &str| {
        let ran = wirefault(&["analyze", "--format", "json", path]);
        assert_eq!(ran.status, 0, "{path}: {}", ran.stderr);
        list(&json(&ran.stdout), "captures")
            .iter()
            .map(|capture| text(capture, "path").to_owned())
            .collect::<Vec<_>>()
    };
    let folder = captures("captures/network/dns-slow");
    let pattern = captures("captures/network/dns-slow/*.pcap");
    assert_eq!(
        folder.len(),
        fs::read_dir("captures/network/dns-slow")
            .expect("a folder")
            .filter(|entry| entry
                .as_ref()
                .is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "pcap")))
            .count()
    );
    assert_eq!(folder, pattern);
    assert!(
        folder
            .iter()
            .all(|path| path.starts_with("captures/network/dns-slow/")),
        "{folder:?}"
    );
}
