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

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use rayon::prelude::*;
use serde_json::Value;
use support::run::{json, list, report_of, text};
use support::{Capture, assert_none, captures};

/// What tshark is asked of every frame.
const FIELDS: &[&str] = &[
    "frame.number",
    "frame.protocols",
    "frame.len",
    "frame.cap_len",
    "dhcp.option.dhcp",
    "tcp.stream",
    "tcp.flags.syn",
    "tcp.flags.ack",
    "tcp.flags.reset",
    "tcp.flags.fin",
    "tcp.len",
    "tcp.window_size_value",
    "tcp.analysis.retransmission",
    "tcp.analysis.out_of_order",
    "tcp.analysis.keep_alive",
    "tcp.options.sack_le",
    "tcp.reassembled_in",
    "tls.record.content_type",
    "tls.record.opaque_type",
    "tls.handshake.type",
    "tls.alert_message.desc",
    "http.request.method",
    "http.response.code",
    "socks.auth_method_count",
    "socks.auth_accepted_method",
    "socks.username",
    "socks.auth_status",
    "socks.command",
    "socks.results",
    "dns.flags.response",
    "dns.flags.rcode",
    "icmp.type",
    "icmp.code",
    "icmpv6.type",
    "icmpv6.code",
    "arp.opcode",
    "eth.src",
    "ip.ttl",
    "ipv6.hlim",
];

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

type Frames = BTreeMap<u64, Dissected>;

/// One frame as tshark reads it: values by field.
struct Dissected(BTreeMap<&'static str, Vec<String>>);

impl Dissected {
    fn values(&self, field: &str) -> &[String] {
        self.0.get(field).map_or(&[], Vec::as_slice)
    }

    fn has(&self, field: &str) -> bool {
        !self.values(field).is_empty()
    }

    fn is(&self, field: &str, number: u64) -> bool {
        self.values(field)
            .iter()
            .any(|value| value.parse() == Ok(number))
    }

    /// A flag; newer versions write it as a word.
    fn set(&self, field: &str) -> bool {
        self.values(field)
            .iter()
            .any(|value| value == "1" || value == "True")
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.values(field).first()?.parse().ok()
    }

    /// Does tshark read one of these protocols in it?
    fn speaks(&self, protocols: &[&str]) -> bool {
        let all = self.values("frame.protocols").iter();
        all.flat_map(|all| all.split(':'))
            .any(|one| protocols.contains(&one))
    }
}

/// What tunnels are made of.
const VPN: &[&str] = &["isakmp", "esp", "udpencap", "wg", "openvpn", "l2tp", "gre"];

/// Does the frame play this role in a finding about a tunnel or a link? `None` where such findings have no role of it.
fn plays_beside_flows(frame: &Dissected, role: &str, code: &str) -> Option<bool> {
    Some(match (code, role) {
        ("security.vpn-tunnel-lost", "esp") => frame.speaks(&["esp"]),
        (
            _,
            "initiation"
            | "retry"
            | "response"
            | "authentication"
            | "informational"
            | "notify"
            | "dead-peer-detection"
            | "last-heard",
        ) if code.starts_with("security.vpn-") => frame.speaks(VPN),
        ("network.arp-storm", "arp-broadcast") => frame.has("arp.opcode"),
        (_, "discover") => frame.is("dhcp.option.dhcp", 1),
        ("network.dhcp-no-offer", "request") => frame.is("dhcp.option.dhcp", 3),
        (_, "nak") => frame.is("dhcp.option.dhcp", 6),
        ("network.frame-corrupt", "wrong-checksum") => frame.speaks(&["ip", "ipv6"]),
        ("network.pppoe-failed", "lcp-configure-request") => frame.speaks(&["lcp"]),
        ("network.pppoe-failed", "padi") => frame.speaks(&["pppoed"]),
        ("network.pppoe-failed", "refusal") => frame.speaks(&["pap", "chap", "lcp"]),
        _ => return None,
    })
}

/// Runs tshark once over a capture.
fn dissect(path: &str) -> Frames {
    let mut command = Command::new("tshark");
    command.args([
        "-n",
        "-2",
        "-r",
        path,
        "-o",
        "tcp.reassemble_out_of_order:TRUE",
        // tshark knows DNS by its port alone.
        "-d",
        "tcp.port==8053,dns",
    ]);
    command.args(["-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,"]);
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = command
        .stderr(Stdio::null())
        .output()
        .expect("tshark starts");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let frame = |line: &str| {
        let cells = FIELDS.iter().zip(line.split('\t'));
        let values = cells
            .filter(|(_, cell)| !cell.is_empty())
            .map(|(field, cell)| (*field, cell.split(',').map(str::to_owned).collect()))
            .collect();
        let frame = Dissected(values);
        Some((frame.number("frame.number")?, frame))
    };
    output.lines().filter_map(frame).collect()
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

/// Does the frame hold a record whose type TLS 1.3 hides?
fn encrypted(frame: &Dissected) -> bool {
    frame.is("tls.record.opaque_type", 23) || frame.is("tls.record.content_type", 23)
}

/// The frame in which what begins in this one ends: there tshark reads a record of several segments.
fn ending<'a>(frame: &'a Dissected, frames: &'a Frames) -> &'a Dissected {
    let end = frame.number("tcp.reassembled_in");
    end.and_then(|end| frames.get(&end)).unwrap_or(frame)
}

/// What only a SOCKS client says: its methods, its login, its command.
const SOCKS_ASKS: &[&str] = &["socks.auth_method_count", "socks.username", "socks.command"];

/// What only a SOCKS proxy says: its choice, its verdict, its reply.
const SOCKS_ANSWERS: &[&str] = &[
    "socks.auth_accepted_method",
    "socks.auth_status",
    "socks.results",
];

/// Does the frame play this role in a finding of this code?
fn plays(frame: &Dissected, role: &str, code: &str) -> bool {
    let (syn, ack) = (frame.set("tcp.flags.syn"), frame.set("tcp.flags.ack"));
    let data = frame.number("tcp.len").is_some_and(|length| length > 0);
    // TLS 1.3 hides the type of what it encrypts.
    let encrypted = encrypted(frame);
    let tls = encrypted || frame.has("tls.record.content_type");
    // A message that never ended is no message to tshark; on a TLS port it looks for nothing else.
    // So is the head of one whose body follows in another segment, and whatever stands beside bytes that are no HTTP.
    let unfinished = data
        && (!code.starts_with("application.http-")
            || code == "application.http-malformed"
            || frame.has("tcp.reassembled_in"));
    let dns = code.starts_with("network.dns-");
    let any = |fields: &[&str]| fields.iter().any(|field| frame.has(field));
    let beside = plays_beside_flows(frame, role, code);
    match role {
        _ if beside.is_some() => beside == Some(true),
        "syn" | "syn-retry" => syn && !ack,
        "syn-ack" | "syn-ack-retry" => syn && ack,
        "ack" => ack && !syn,
        "rst" => frame.set("tcp.flags.reset"),
        "fin" => frame.set("tcp.flags.fin"),
        "close" => frame.set("tcp.flags.fin") || frame.set("tcp.flags.reset"),
        "query" | "query-retry" => {
            frame.has("dns.flags.response") && !frame.set("dns.flags.response")
        }
        "response" if dns => frame.set("dns.flags.response"),
        "request" => frame.has("http.request.method") || any(SOCKS_ASKS) || unfinished,
        "response" => frame.has("http.response.code") || any(SOCKS_ANSWERS) || unfinished,
        "redirect" | "accepted" | "last-response" => frame.has("http.response.code") || unfinished,
        "repeat" | "last-request" => frame.has("http.request.method") || unfinished,
        "body" | "foreign" | "injected" | "own" | "data" | "trigger" | "last" => data,
        "attempt" | "retry" => data || syn,
        // The fetch of what a certificate names: a lookup or a connection.
        "fetch" => frame.has("dns.flags.response") || syn || frame.set("tcp.flags.reset"),
        "client-goes-on" => tls,
        "former" | "other-certificate" | "client-certificate" => frame.is("tls.handshake.type", 11),
        "client-hello" if code == "security.tls-not-tls" => data,
        "client-hello" => frame.is("tls.handshake.type", 1),
        "server-hello" => frame.is("tls.handshake.type", 2),
        // TLS 1.3 sends it encrypted, and an alert too.
        "certificate" => frame.is("tls.handshake.type", 11) || encrypted,
        "ocsp-response" => frame.is("tls.handshake.type", 22),
        "certificate-request" => frame.is("tls.handshake.type", 13),
        "alert" if code == "security.cert-rejected-inferred" => tls,
        "alert" => frame.has("tls.alert_message.desc"),
        "icmp" => frame.has("icmp.type") || frame.has("icmpv6.type"),
        "arp-request" | "arp-probe" | "arp-retry" => frame.is("arp.opcode", 1),
        "arp-reply" => frame.is("arp.opcode", 2),
        "announcement" => frame.has("arp.opcode") || frame.is("icmpv6.type", 136),
        "solicitation" => frame.is("icmpv6.type", 135),
        "zero-window" => frame.is("tcp.window_size_value", 0),
        "window" => frame
            .number("tcp.window_size_value")
            .is_some_and(|window| window > 0),
        // A hole that is filled within a round trip is out of order to tshark, whoever sent it twice.
        "retransmission" => {
            frame.has("tcp.analysis.retransmission") || frame.has("tcp.analysis.out_of_order")
        }
        "keep-alive" => frame.has("tcp.analysis.keep_alive"),
        "sack" => frame.has("tcp.options.sack_le"),
        "pass" | "before" | "after" => any(&["ip.ttl", "ipv6.hlim"]),
        "old-holder" | "new-holder" | "moved" => frame.has("eth.src"),
        "encrypted" => tls || unfinished,
        "cut" => frame.number("frame.len") > frame.number("frame.cap_len"),
        _ => ROLES_APART.contains(&role),
    }
}

/// Roles for which tshark has no field: what was seen twice, what lies around a hole in the file, stamps, and packets
/// that prove something by their place alone.
const ROLES_APART: &[&str] = &[
    "acknowledged-unseen",
    "after-drops",
    "alive",
    "duplicate",
    "end",
    "first-after",
    "first-frame",
    "last-good",
    "stamped-back",
];

#[test]
fn statuses_and_codes_are_those_that_tshark_reads() {
    // Detail, role of the frame that carries it, fields of which one must hold it.
    let details: [(&str, &str, &[&str]); 6] = [
        ("status", "response", &["http.response.code"]),
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
        let errors = frames
            .values()
            .flat_map(|frame| frame.values("http.response.code"));
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
