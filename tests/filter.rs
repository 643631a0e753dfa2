//! `--filter`: what a build without libpcap says, and what one with it reads. The second half is tested with
//! `cargo test --features live --test filter`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

/// 874 of its 3,687 packets are those of port 80.
const DEMO: &str = "captures/demo.pcapng";

#[cfg(not(feature = "live"))]
#[test]
fn a_build_without_libpcap_says_so_and_how_to_build_one() {
    let said = "--filter: this build has no filter; build it with `cargo build --release --features live` (needs libpcap-dev), or filter with `tcpdump -r in.pcap -w out.pcap FILTER` first";
    for command in ["analyze", "flows"] {
        let ran = support::run::wirefault(&[command, DEMO, "--filter", "tcp port 443"]);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
        assert_eq!(ran.stderr, format!("wirefault: {said}\n"));
    }
}

#[cfg(feature = "live")]
mod with_libpcap {
    use std::fs;

    use serde_json::Value;
    use tempfile::TempDir;

    use super::DEMO;
    use super::support::run::{json, list, text, wirefault};
    use super::support::{self};

    fn ids(report: &Value) -> Vec<&str> {
        let endpoints = list(report, "endpoints").iter();
        endpoints.map(|endpoint| text(endpoint, "id")).collect()
    }

    /// A secrets block keeps its place where frames before it are left out.
    #[test]
    fn secrets_of_a_capture_open_what_the_filter_leaves() {
        let path = "captures/application/http-503/keys-tls12-gcm-python.pcapng";
        for (filter, opened) in [("tcp port 443", 1), ("tcp[tcpflags] & tcp-syn == 0", 1)] {
            let options = ["analyze", path, "--filter", filter, "--format", "json"];
            let ran = wirefault(&[&options[..], &["--ca-bundle", support::ROOTS]].concat());
            assert_eq!(ran.status, 0, "{}", ran.stderr);
            assert_eq!(
                json(&ran.stdout)["summary"]["decrypted"],
                opened,
                "{filter}"
            );
        }
    }

    #[test]
    fn only_frames_that_fit_the_filter_are_read() {
        let filter = |filter: &str, format| {
            wirefault(&[
                "analyze",
                DEMO,
                "--filter",
                filter,
                "--ca-bundle",
                support::ROOTS,
                "--format",
                format,
            ])
        };
        let told = json(&filter("tcp port 80", "json").stdout);
        assert_eq!(told["summary"]["packets"], 874);
        assert_eq!(told["unjudged"]["filtered-out"], 2_813);
        assert_eq!(
            ids(&told),
            ["api.einvoice.example:80", "www.office-supplies.example:80"]
        );
        // Frames keep the numbers that they have in the file.
        let all = wirefault(&[
            "analyze",
            DEMO,
            "--ca-bundle",
            support::ROOTS,
            "--format",
            "json",
        ]);
        let frames = |report: &Value| {
            let findings = list(report, "findings").iter();
            let of = findings.filter(|finding| text(finding, "code") == "application.http-503");
            of.map(|finding| finding["evidence"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(frames(&told), frames(&json(&all.stdout)));
        let events = filter("tcp port 80", "jsonl").stdout;
        assert_eq!(
            json(events.lines().next().expect("a header"))["options"]["filter"],
            "tcp port 80"
        );
    }

    #[test]
    fn a_filter_is_compiled_for_every_link_type() {
        let links = [
            "cooked-1",
            "cooked-2",
            "link-80211",
            "link-radiotap",
            "link-ipv4-228",
            "link-ipv6-229",
            "link-loop",
            "link-null-little-endian",
            "link-ppp",
            "link-pppoe-51",
            "link-raw-101",
            "link-raw-12",
        ];
        let paths: Vec<String> = links
            .iter()
            .map(|link| format!("captures/format/{link}.pcap"))
            .collect();
        let rows = |paths: &[String], filter: &str| {
            let mut arguments = vec!["flows", "--format", "csv", "--filter", filter];
            arguments.extend(paths.iter().map(String::as_str));
            let ran = wirefault(&arguments);
            assert_eq!(ran.status, 0, "{}", ran.stderr);
            ran.stdout.lines().count()
        };
        for path in &paths {
            let path = std::slice::from_ref(path);
            assert_eq!((rows(path, "tcp"), rows(path, "udp")), (3, 1), "{path:?}");
        }
        // Also where one run has them all.
        assert!(rows(&paths, "tcp") > 3);
        assert_eq!(rows(&paths, "udp"), 1);
    }

    #[test]
    fn a_filter_that_does_not_parse_is_told_with_libpcaps_reason() {
        let says = "write it as tcpdump takes it, such as `host 192.0.2.1 and port 443`";
        for command in ["analyze", "flows"] {
            let ran = wirefault(&[command, DEMO, "--filter", "tcp prt 80"]);
            assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
            assert!(
                ran.stderr.starts_with("wirefault: --filter tcp prt 80: "),
                "{}",
                ran.stderr
            );
            assert!(
                ran.stderr.contains("syntax error (link type ETHERNET)"),
                "{}",
                ran.stderr
            );
            assert!(ran.stderr.trim_end().ends_with(says) && ran.stderr.lines().count() == 1);
        }
        let folder = TempDir::new().expect("a folder");
        let empty = folder.path().join("empty.pcap");
        let head = fs::read("captures/transport/syn-refused/java.pcap").expect("a capture");
        fs::write(&empty, &head[..24]).expect("a file");
        let ran = wirefault(&[
            "analyze",
            &empty.to_string_lossy(),
            "--filter",
            "tcp prt 80",
        ]);
        assert_eq!(ran.status, 2);
    }
}
