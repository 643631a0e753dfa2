//! What tshark reads in a frame, and whether that is what a finding's role says of it.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

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
    "http2.type",
    "http2.headers.method",
    "http2.headers.status",
    "quic.long.packet_type",
    "quic.long.packet_type_v2",
    "tls.handshake.extensions_server_name",
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

/// Frames by number.
pub(crate) type Frames = BTreeMap<u64, Dissected>;

/// One frame as tshark reads it: values by field.
pub(crate) struct Dissected(pub(crate) BTreeMap<&'static str, Vec<String>>);

impl Dissected {
    pub(crate) fn values(&self, field: &str) -> &[String] {
        self.0.get(field).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        !self.values(field).is_empty()
    }

    pub(crate) fn is(&self, field: &str, number: u64) -> bool {
        self.values(field)
            .iter()
            .any(|value| value.parse() == Ok(number))
    }

    /// A flag; newer versions write it as a word.
    pub(crate) fn set(&self, field: &str) -> bool {
        self.values(field)
            .iter()
            .any(|value| value == "1" || value == "True")
    }

    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        self.values(field).first()?.parse().ok()
    }

    /// Does tshark read one of these protocols in it?
    pub(crate) fn speaks(&self, protocols: &[&str]) -> bool {
        let all = self.values("frame.protocols").iter();
        all.flat_map(|all| all.split(':'))
            .any(|one| protocols.contains(&one))
    }
}

/// What tunnels are made of.
const VPN: &[&str] = &["isakmp", "esp", "udpencap", "wg", "openvpn", "l2tp", "gre"];

/// Does the frame play this role in a finding about a tunnel, a link, a stream or QUIC? `None` where such findings have no role of it.
pub(crate) fn plays_beside_flows(frame: &Dissected, role: &str, code: &str) -> Option<bool> {
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
        (_, "trailers") => frame.is("http2.type", 1),
        (_, "rst-stream") => frame.is("http2.type", 3),
        (_, "goaway") => frame.is("http2.type", 7),
        (_, "quic-initial" | "quic-initial-retry") => {
            frame.is("quic.long.packet_type", 0) || frame.is("quic.long.packet_type_v2", 1)
        }
        ("network.pppoe-failed", "refusal") => frame.speaks(&["pap", "chap", "lcp"]),
        _ => return None,
    })
}

/// Runs tshark once over a capture.
pub(crate) fn dissect(path: &str) -> Frames {
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
        // So it knows HTTP/2 where it did not hear the begin.
        "-d",
        "tcp.port==50051,http2",
    ]);
    // Where a tunnel has the port of TLS, it takes it for TLS.
    if path.contains("openvpn-tcp") {
        command.args(["-d", "tcp.port==443,openvpn"]);
    }
    command.args(super::run::tshark_keys(path));
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

/// A close_notify closes too; TLS 1.3 hides that it is an alert.
fn closes(frame: &Dissected) -> bool {
    let word = || frame.is("tls.record.content_type", 21) || encrypted(frame);
    frame.set("tcp.flags.fin") || frame.set("tcp.flags.reset") || word()
}

/// Does the frame hold a record whose type TLS 1.3 hides?
pub(crate) fn encrypted(frame: &Dissected) -> bool {
    frame.is("tls.record.opaque_type", 23) || frame.is("tls.record.content_type", 23)
}

/// The frame in which what begins in this one ends: there tshark reads a record of several segments.
pub(crate) fn ending<'a>(frame: &'a Dissected, frames: &'a Frames) -> &'a Dissected {
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

/// What shows a request, and a response.
const ASKS: &[&str] = &["http.request.method", "http2.headers.method"];
const ANSWERS: &[&str] = &["http.response.code", "http2.headers.status"];

/// Does the frame play this role in a finding of this code?
pub(crate) fn plays(frame: &Dissected, role: &str, code: &str) -> bool {
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
        "close" => closes(frame),
        "query" | "query-retry" => {
            frame.has("dns.flags.response") && !frame.set("dns.flags.response")
        }
        "response" if dns => frame.set("dns.flags.response"),
        "request" => any(ASKS) || any(SOCKS_ASKS) || unfinished,
        "response" => any(ANSWERS) || any(SOCKS_ANSWERS) || unfinished,
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
