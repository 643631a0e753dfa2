//! tshark as the oracle: the same packets, the same streams, and every cited frame is what its role says.
//!
//! Where tshark is absent the test says so aloud and passes. Differences stand in lists with their reasons.
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
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use rayon::prelude::*;
use serde_json::Value;
use support::dissected::{Dissected, Frames, dissect, encrypted, ending, plays};
use support::run::{json, list, report_of, text};
use support::{Capture, assert_none, captures};

/// A capture with its report and what tshark says of its frames, by number; `None` where tshark is absent.
static SEEN: LazyLock<Option<Vec<(Capture, Value, Frames)>>> = LazyLock::new(|| {
    if Command::new("tshark")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        eprintln!("SKIPPED: tshark is not installed; frames and fields were not compared with it");
        return None;
    }
    let seen = captures().into_par_iter().map(|capture| {
        let report = json(&report_of(std::slice::from_ref(&capture.path), 1));
        let frames = dissect(&capture.path);
        (capture, report, frames)
    });
    Some(seen.collect())
});

/// Captures that tshark reads otherwise, with the reason: they are not compared.
const READ_APART: &[(&str, &str)] = &[
    (
        "captures/capture/file-damaged/garbage-in-the-middle.pcap",
        "tshark ends at damage",
    ),
    (
        "captures/hostile/garbage-in-the-middle.pcap",
        "tshark ends at damage",
    ),
    (
        "captures/capture/file-damaged/zeros-in-the-middle.pcap",
        "tshark reads zeros as empty records",
    ),
    (
        "captures/application/http-503/http2-joined.pcap",
        "tshark reads HTTP/2 from its begin on",
    ),
    (
        "captures/application/http-client-error/http2-to-http1-only.pcap",
        "tshark takes an answer in HTTP/1 for HTTP/2",
    ),
    (
        "captures/format/packed-xz.pcap.xz",
        "tshark does not unpack xz",
    ),
];

/// Captures in which tshark counts other streams, with the reason.
const STREAMS_APART: &[(&str, &str)] = &[(
    "captures/hostile/headers-that-lie.pcap",
    "a TCP header that its own length field denies is no flow here",
)];

/// Captures whose statuses are told by no class yet, with the reason.
const ERRORS_APART: &[(&str, &str)] = &[(
    "captures/application/http-proxy-failed/connect-502.pcap",
    "a proxy's answer to CONNECT",
)];

/// Is the capture in this list?
fn apart(list: &[(&str, &str)], capture: &Capture) -> bool {
    list.iter().any(|(path, _)| *path == capture.path)
}

/// Runs `wrong` over every capture.
fn check_all(what: &str, wrong: impl Fn(&Capture, &Value, &Frames) -> Vec<String>) {
    let Some(seen) = SEEN.as_ref() else { return };
    let mut complaints = Vec::new();
    for (capture, report, frames) in seen.iter().filter(|seen| !apart(READ_APART, &seen.0)) {
        for complaint in wrong(capture, report, frames) {
            complaints.push(format!("{}: {complaint}", capture.path));
        }
    }
    assert_none(&complaints, what);
}

#[test]
fn tshark_reads_as_many_packets() {
    check_all(
        "packets are counted differently",
        |capture, report, frames| {
            let ours = report["summary"]["packets"].as_u64().unwrap_or(0);
            // In pcapng, custom and journal blocks have numbers and are no packets: nothing in them has a name.
            let blocks = capture.path.ends_with(".pcapng");
            let named = |frame: &Dissected| {
                let protocols = frame.values("frame.protocols");
                protocols.iter().any(|of| of.contains(':'))
            };
            let packet = |frame: &&Dissected| !blocks || named(frame);
            let theirs = frames.values().filter(packet).count() as u64;
            if ours == theirs {
                Vec::new()
            } else {
                vec![format!("{ours} packets, tshark {theirs}")]
            }
        },
    );
}

#[test]
fn tshark_sees_as_many_tcp_streams() {
    check_all(
        "TCP streams are counted differently",
        |capture, report, frames| {
            let ours = report["summary"]["flows"].as_u64().unwrap_or(0);
            let theirs: BTreeSet<&String> = frames
                .values()
                .flat_map(|frame| frame.values("tcp.stream"))
                .collect();
            let theirs = theirs.len() as u64;
            if ours == theirs || apart(STREAMS_APART, capture) {
                Vec::new()
            } else {
                vec![format!("{ours} flows, tshark {theirs}")]
            }
        },
    );
}

#[test]
fn every_cited_frame_is_what_its_role_says() {
    check_all(
        "cited frames are something else to tshark",
        |_, report, frames| {
            let mut complaints = Vec::new();
            // An answer whose body ends in a later segment is an answer to tshark only there.
            let ends = |frame: &Dissected, role: &str, code: &str| {
                role == "response" && plays(ending(frame, frames), role, code)
            };
            for finding in list(report, "findings") {
                let code = text(finding, "code");
                let inferred = finding["details"]["inferred"] == true;
                for seen in list(finding, "evidence") {
                    let (role, number) = (text(seen, "role"), seen["frame"].as_u64().unwrap_or(0));
                    match frames.get(&number) {
                        None => {
                            complaints.push(format!("{code}: {role} frame {number} is not there"))
                        }
                        Some(frame) if inferred && HIDDEN.contains(&role) => {
                            if !encrypted(frame) && !encrypted(ending(frame, frames)) {
                                complaints.push(format!(
                                    "{code}: frame {number} hides no {role}: {:?}",
                                    frame.0
                                ));
                            }
                        }
                        Some(frame) if !plays(frame, role, code) && !ends(frame, role, code) => {
                            complaints.push(format!(
                                "{code}: frame {number} is no {role}: {:?}",
                                frame.0
                            ));
                        }
                        Some(_) => {}
                    }
                }
            }
            complaints
        },
    );
}

/// Roles that a finding infers from sizes, because TLS 1.3 hides what the record holds.
const HIDDEN: &[&str] = &["alert", "client-certificate"];

#[test]
fn statuses_and_codes_are_those_that_tshark_reads() {
    // Detail, role of the frame that carries it, fields of which one must hold it.
    let details: [(&str, &str, &[&str]); 6] = [
        (
            "status",
            "response",
            &["http.response.code", "http2.headers.status"],
        ),
        (
            "reply_code",
            "response",
            &["socks.auth_status", "socks.results"],
        ),
        ("rcode", "response", &["dns.flags.rcode"]),
        ("alert_code", "alert", &["tls.alert_message.desc"]),
        ("icmp_type", "icmp", &["icmp.type", "icmpv6.type"]),
        ("icmp_code", "icmp", &["icmp.code", "icmpv6.code"]),
    ];
    check_all(
        "details differ from tshark's fields",
        |_, report, frames| {
            let mut complaints = Vec::new();
            for finding in list(report, "findings") {
                for (detail, role, fields) in details {
                    let Some(told) = finding["details"][detail].as_u64() else {
                        continue;
                    };
                    let cited = list(finding, "evidence")
                        .iter()
                        .filter(|seen| text(seen, "role") == role);
                    let cited: Vec<_> = cited
                        .filter_map(|seen| frames.get(&seen["frame"].as_u64()?))
                        .collect();
                    let read = |frame: &&Dissected| fields.iter().any(|field| frame.has(field));
                    let holds =
                        |frame: &&Dissected| fields.iter().any(|field| frame.is(field, told));
                    if cited.iter().any(read) && !cited.iter().any(holds) {
                        let code = text(finding, "code");
                        complaints.push(format!(
                            "{code}: {detail} {told} is in none of its {role} frames"
                        ));
                    }
                }
            }
            complaints
        },
    );
}

/// Every failing status that tshark sees on an endpoint's connections is in the report or in a list of what is
/// ordinary: nothing is overlooked.
#[test]
fn no_server_error_is_overlooked() {
    check_all("server errors are not told", |capture, report, frames| {
        let errors = frames.values().flat_map(|frame| {
            let second = frame.values("http2.headers.status");
            frame.values("http.response.code").iter().chain(second)
        });
        let theirs = errors.filter(|code| code.starts_with('5')).count() as u64;
        let told = list(report, "findings")
            .iter()
            .filter(|finding| finding["details"]["status"].as_u64() >= Some(500));
        let ours: u64 = told.filter_map(|finding| finding["count"].as_u64()).sum();
        if ours >= theirs || apart(ERRORS_APART, capture) {
            Vec::new()
        } else {
            vec![format!("{ours} told of {theirs}")]
        }
    });
}

/// Every stream of HTTP/2 that tshark sees answered by 4xx or 5xx is told, and nothing else of them.
#[test]
fn streams_fail_where_tshark_sees_them_fail() {
    check_all("streams differ", |_, report, frames| {
        let fails = |status: &&String| status.starts_with(['4', '5']);
        let theirs: usize = frames
            .values()
            .map(|frame| {
                frame
                    .values("http2.headers.status")
                    .iter()
                    .filter(fails)
                    .count()
            })
            .sum();
        let ours = list(report, "findings").iter().filter(|finding| {
            let details = &finding["details"];
            let second = details["stream"].as_u64().is_some() && details["answered_in"].is_null();
            second && details["status"].as_u64() >= Some(400)
        });
        let ours: u64 = ours.filter_map(|finding| finding["count"].as_u64()).sum();
        // Where it did not hear the begin, tshark reads nothing.
        let heard = frames.values().any(|frame| frame.has("http2.type"));
        if ours == theirs as u64 || !heard {
            Vec::new()
        } else {
            vec![format!("{ours} told of {theirs}")]
        }
    });
}

#[test]
fn quic_is_meant_for_whom_tshark_reads() {
    check_all("names of QUIC differ", |_, report, frames| {
        let quic = list(report, "findings");
        let quic = quic
            .iter()
            .filter(|finding| finding["details"]["failed_protocol"] == "quic");
        let named = |finding: &&Value| {
            let name = finding["server"]["name"].as_str().unwrap_or("");
            frames.values().any(|frame| {
                let first =
                    frame.has("quic.long.packet_type") || frame.has("quic.long.packet_type_v2");
                let names = frame.values("tls.handshake.extensions_server_name");
                first && names.iter().any(|own| own == name)
            })
        };
        quic.filter(|finding| !named(finding))
            .map(|finding| format!("{} is not in the Initials", finding["server"]))
            .collect()
    });
}
