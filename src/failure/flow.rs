//! One conversation against all the classes that speak of conversations: the most specific code wins, one failure
//! is one finding, and what became of the attempt.

use std::net::IpAddr;

use crate::failure::episode::Episode;
pub use crate::failure::outcomes::{Minutes, Outcomes};
use crate::failure::{Finding, application, network, security, transport};
use crate::mark::Mark;
use crate::protocol::tls::{Opening, Session};
use crate::time::Timestamp;

/// A request with credentials that was answered with success: it settles a 401 or 407 before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Who asked.
    pub client: IpAddr,
    /// Whom.
    pub server: (IpAddr, u16),
    /// For what, query string aside.
    pub target: String,
    /// When it was answered.
    pub at: Timestamp,
}

/// What conversations tell of the capture itself.
#[derive(Clone, Debug, Default)]
pub struct Quality {
    /// Packets that were further sightings, and the first of them.
    pub sightings: u64,
    /// First sighting.
    pub first_sighting: Option<Mark>,
    /// Flows of which one direction is absent although it must exist.
    pub one_sided: u64,
    /// First such flow's first frame.
    pub first_one_sided: Option<Mark>,
    /// Flows that began before the capture.
    pub mid_flow: u64,
    /// First such flow's first frame.
    pub first_mid_flow: Option<Mark>,
    /// Encrypted flows whose application layer could not be judged.
    pub blind: u64,
    /// TLS flows whose content was read by their keys.
    pub decrypted: u64,
    /// First encrypted application data.
    pub first_blind: Option<Mark>,
    /// Flows in which a snaplen cut payload.
    pub cut: u64,
    /// First such frame.
    pub first_cut: Option<Mark>,
    /// Bytes that were acknowledged and never captured.
    pub missed_bytes: u64,
    /// The first flow with such bytes: its last frame.
    pub first_missed: Option<Mark>,
    /// Flows looked at.
    pub flows: u64,
}

impl Quality {
    /// One further sighting of a packet.
    pub fn sighting(&mut self, at: Mark) {
        self.sightings += 1;
        earlier(&mut self.first_sighting, Some(at));
    }

    /// What one conversation says of the capture.
    pub fn add(&mut self, at: &Episode<'_>) {
        self.flows += 1;
        let connection = at.connection;
        let first = connection.span.map(|span| span.0);
        if connection.one_sided().is_some() {
            self.one_sided += 1;
            earlier(&mut self.first_one_sided, first);
        }
        let carries = connection
            .halves
            .iter()
            .any(|half| half.counts.data_segments > 0 || half.fin.is_some());
        if carries && connection.syns.count == 0 && connection.synacks.count == 0 {
            self.mid_flow += 1;
            earlier(&mut self.first_mid_flow, first);
        }
        if at.tls.map(Session::opening) == Some(Opening::Opened) {
            self.decrypted += 1;
        } else if let Some(encrypted) = at.tls.and_then(security::first_application_data) {
            self.blind += 1;
            earlier(&mut self.first_blind, Some(encrypted));
        }
        if connection.cut.is_some() && (at.tls.is_some() || at.web.is_some()) {
            self.cut += 1;
            earlier(&mut self.first_cut, connection.cut);
        }
        let missed: u64 = connection
            .streams
            .iter()
            .map(|stream| stream.missed_bytes)
            .sum();
        // What another direction or a snaplen hides was not dropped.
        if missed > 0 && connection.one_sided().is_none() && connection.cut.is_none() {
            self.missed_bytes += missed;
            earlier(&mut self.first_missed, connection.span.map(|span| span.1));
        }
    }

    /// Adds another shard's.
    pub fn merge(&mut self, other: &Self) {
        self.sightings += other.sightings;
        self.one_sided += other.one_sided;
        self.mid_flow += other.mid_flow;
        self.blind += other.blind;
        self.decrypted += other.decrypted;
        self.cut += other.cut;
        self.missed_bytes += other.missed_bytes;
        self.flows += other.flows;
        earlier(&mut self.first_sighting, other.first_sighting);
        earlier(&mut self.first_one_sided, other.first_one_sided);
        earlier(&mut self.first_mid_flow, other.first_mid_flow);
        earlier(&mut self.first_blind, other.first_blind);
        earlier(&mut self.first_cut, other.first_cut);
        earlier(&mut self.first_missed, other.first_missed);
    }
}

fn earlier(known: &mut Option<Mark>, new: Option<Mark>) {
    *known = match (*known, new) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
}

/// What was told of one conversation.
#[derive(Debug, Default)]
pub struct Judged {
    /// Findings; those of silence still need their surroundings.
    pub findings: Vec<Finding>,
    /// Attempts by outcome.
    pub outcomes: Outcomes,
    /// The same by the minute in which they began.
    pub minutes: Minutes,
    /// Why the connection itself could not be judged.
    pub undetermined: Option<&'static str>,
    /// The finding explains this conversation's retransmissions: they are no loss of the endpoint's path.
    pub explains_loss: bool,
    /// Authenticated successes.
    pub authenticated: Vec<Authenticated>,
    /// Handshake, TLS and first-byte times in milliseconds.
    pub latency_ms: [Option<u32>; 3],
}

type Detect = fn(&Episode<'_>) -> Option<Finding>;

/// Before a connection stands, outermost cause first.
const CONNECT: [Detect; 8] = [
    network::routing_loop::detect,
    network::firewall_rejected::detect,
    network::icmp_unreachable::detect,
    network::ttl_exceeded::detect,
    transport::syn_refused::detect,
    transport::port_reuse_stalled::detect,
    transport::handshake_incomplete::detect,
    transport::syn_unanswered::detect,
];

/// What ends a conversation after TLS had its say.
const CUT: [Detect; 4] = [
    transport::reset_injected::detect,
    transport::data_unacked::detect,
    transport::reset_by_server::detect,
    transport::reset_by_client::detect,
];

/// What does not make an attempt fail.
const STATE: [Detect; 9] = [
    network::congestion::detect,
    network::routing_loop::healed,
    network::pmtu_blackhole::healed,
    transport::port_reuse_stalled::slow,
    transport::connect_slow::detect,
    transport::zero_window::detect,
    transport::latency_high::detect,
    security::cleartext_credentials::detect,
    application::http_malformed::refused,
];

/// What the path does to an established conversation: it explains whatever stalls for it above.
const PATH: [Detect; 2] = [
    network::pmtu_blackhole::detect,
    transport::idle_dropped::detect,
];

/// What follows where the path swallows segments.
const OF_PATH: [&str; 8] = [
    "security.tls-no-reply",
    "security.tls-handshake-stalled",
    "security.tls-cut-on-hello",
    "transport.reset-injected",
    "transport.reset-by-server",
    "transport.reset-by-client",
    "application.no-response",
    "application.response-truncated",
];

/// Judges one conversation that ended, or that the capture left.
pub fn judge(at: &Episode<'_>) -> Judged {
    let mut judged = told(at);
    let began = at.connection.span.map_or(at.until, |span| span.0.time);
    judged.minutes.settle(judged.outcomes, began);
    judged
}

fn told(at: &Episode<'_>) -> Judged {
    let mut judged = Judged {
        latency_ms: latencies(at),
        ..Judged::default()
    };
    if let Some(finding) = CONNECT.iter().find_map(|detect| detect(at)) {
        judged.outcomes.failed = 1;
        judged.explains_loss = true;
        judged.findings.push(finding);
        return judged;
    }
    if let Some(finding) = transport::data_injected::detect(at) {
        let took_it = finding.fails;
        judged.findings.push(finding);
        if took_it {
            // What the client made of a false answer follows from it.
            judged.outcomes.failed = 1;
            judged.explains_loss = true;
            return judged;
        }
    }
    let told = STATE.iter().filter_map(|detect| detect(at));
    judged.findings.extend(told);
    application::authenticated(at, &mut judged);
    let mut failed = security::judge(at, &mut judged);
    // What was opened was said before the alert that ended it, if one did.
    if at.http().is_some() && (failed.is_none() || at.inside.is_some()) {
        application::judge(at, &mut judged);
    }
    failed = failed.or_else(|| application::http_proxy_failed::socks(at));
    failed = by_path(at, failed, &mut judged);
    if failed.is_none() && !judged.findings.iter().any(|finding| finding.fails) {
        failed = CUT
            .iter()
            .find_map(|detect| detect(at))
            .or_else(|| application::silent(at));
    }
    match failed {
        Some(finding) => {
            judged.explains_loss = true;
            judged.outcomes.failed += 1;
            judged.findings.push(finding);
        }
        None => {
            judged
                .findings
                .extend(application::slow_response::detect_encrypted(at));
            settle(at, &mut judged);
        }
    }
    judged
}

/// What the path did, in place of what followed from it.
fn by_path(at: &Episode<'_>, failed: Option<Finding>, judged: &mut Judged) -> Option<Finding> {
    // A certificate that never arrived was not refused, unless the client says so in an alert.
    let unseen = |finding: &Finding| {
        let code = finding.class.code;
        code.starts_with("security.cert-")
            && finding.evidence.iter().all(|seen| seen.role != "alert")
    };
    let follows = |finding: &Finding| OF_PATH.contains(&finding.class.code) || unseen(finding);
    if failed.as_ref().is_some_and(|finding| !follows(finding)) {
        return failed;
    }
    let Some(mut finding) = PATH.iter().find_map(|detect| detect(at)) else {
        return failed;
    };
    finding
        .consequences
        .extend(failed.map(|failed| failed.class.code));
    let open = judged
        .findings
        .extract_if(.., |told| told.fails && follows(told));
    for told in open {
        judged.outcomes.failed = judged.outcomes.failed.saturating_sub(1);
        finding.consequences.push(told.class.code);
    }
    finding.consequences.dedup();
    Some(finding)
}

/// No failure of the connection itself: was the attempt a success, or can it not be told?
fn settle(at: &Episode<'_>, judged: &mut Judged) {
    let counted = judged.outcomes != Outcomes::default();
    if counted {
        return;
    }
    if judged.findings.iter().any(|finding| finding.fails) {
        judged.outcomes.failed = 1;
        return;
    }
    let both_spoke = at
        .connection
        .halves
        .iter()
        .all(|half| half.counts.data_segments > 0);
    let served = match at.tls {
        // Its requests and answers are counted one by one, like those in clear.
        Some(_) if at.inside.is_some() => false,
        Some(session) => security::served(session),
        // What a SOCKS proxy connected and nobody used tells nothing of the endpoint.
        None if at.socks.is_some_and(|proxy| proxy.connected) => {
            both_spoke && at.first_bytes.iter().all(|bytes| !bytes.is_empty())
        }
        None => both_spoke && at.web.is_none(),
    };
    if served {
        judged.outcomes.ok = 1;
        return;
    }
    judged.outcomes.undetermined = 1;
    judged.undetermined = Some(if at.connection.one_sided().is_some() {
        "one-sided"
    } else if at.connection.established.is_none() && at.connection.syns.count > 0 {
        "handshake-not-seen-to-end"
    } else if at.connection.syns.count == 0 {
        "starts-mid-flow"
    } else {
        "nothing-said"
    });
}

fn latencies(at: &Episode<'_>) -> [Option<u32>; 3] {
    let connect = at.connection.connect_rtt();
    let tls = at.tls.and_then(security::handshake_time);
    let first_byte = application::first_byte_time(at);
    [connect, tls, first_byte]
        .map(|span| span.and_then(|span| u32::try_from(span / crate::time::MILLISECOND).ok()))
}
