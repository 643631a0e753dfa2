//! One row per flow: Zeek's `conn.log` columns with Zeek's meaning, then ours.

use std::net::IpAddr;

use crate::failure::episode::Episode;
use crate::failure::flow::Judged;
use crate::failure::security;
use crate::flow::key::FlowKey;
use crate::mark::Direction::{ToClient, ToServer};
use crate::mark::Mark;
use crate::time::{Nanos, Timestamp};

/// A flow as `wirefault flows` prints it. Times in ns, sizes in bytes.
#[derive(Clone, Debug)]
pub struct Row {
    /// Key, for the id.
    pub key: FlowKey,
    /// First frame's time.
    pub ts: Timestamp,
    /// First frame; absent where every frame was a further sighting.
    pub began: Option<Mark>,
    /// `id.orig_h`, `id.orig_p`.
    pub orig: (IpAddr, u16),
    /// `id.resp_h`, `id.resp_p`.
    pub resp: (IpAddr, u16),
    /// `tcp`.
    pub proto: &'static str,
    /// `ssl`, `http`, `dns`.
    pub service: Option<&'static str>,
    /// First to last frame.
    pub duration_ns: Nanos,
    /// Payload bytes of the originator by sequence numbers.
    pub orig_bytes: u64,
    /// Payload bytes of the responder by sequence numbers.
    pub resp_bytes: u64,
    /// Zeek's `conn_state`.
    pub conn_state: &'static str,
    /// Bytes in content gaps.
    pub missed_bytes: u64,
    /// Zeek's letters.
    pub history: String,
    /// Packets of the originator.
    pub orig_pkts: u64,
    /// Their IP bytes.
    pub orig_ip_bytes: u64,
    /// Packets of the responder.
    pub resp_pkts: u64,
    /// Their IP bytes.
    pub resp_ip_bytes: u64,
    /// `ok`, `failed`, `answered-no`, `undetermined`.
    pub attempt_outcome: &'static str,
    /// How far TLS came.
    pub tls_outcome: Option<&'static str>,
    /// Round trip capture point to server.
    pub server_rtt_ns: Option<Nanos>,
    /// Round trip capture point to client.
    pub client_rtt_ns: Option<Nanos>,
    /// SYNs repeated.
    pub syn_retries: u32,
    /// Retransmitted segments of the originator.
    pub orig_retransmitted: u32,
    /// Retransmitted segments of the responder.
    pub resp_retransmitted: u32,
    /// Name the client asked for.
    pub name: Option<String>,
    /// Codes told of it.
    pub codes: Vec<&'static str>,
}

/// The row of a judged conversation.
pub fn row(at: &Episode<'_>, judged: &Judged) -> Row {
    let connection = at.connection;
    let (orig, resp) = (connection.half(ToServer), connection.half(ToClient));
    let span = connection.span.map(|(first, last)| (first.time, last.time));
    let (first, last) = span.unwrap_or((at.until, at.until));
    let outcomes = judged.outcomes;
    let attempt_outcome = match () {
        () if outcomes.failed > 0 => "failed",
        () if outcomes.answered_no > 0 => "answered-no",
        () if outcomes.ok > 0 => "ok",
        () => "undetermined",
    };
    Row {
        key: at.key,
        ts: first,
        began: connection.span.map(|span| span.0),
        orig: at.client,
        resp: at.server,
        proto: "tcp",
        service: match (at.tls, at.http()) {
            (Some(_), Some(_)) => Some("ssl,http"),
            (Some(_), None) => Some("ssl"),
            (None, web) => web.map(|_| "http"),
        },
        duration_ns: last.since(first),
        orig_bytes: orig.payload_bytes(),
        resp_bytes: resp.payload_bytes(),
        conn_state: connection.history.conn_state(),
        missed_bytes: connection
            .streams
            .iter()
            .map(|stream| stream.missed_bytes)
            .sum(),
        history: connection.history.letters().to_owned(),
        orig_pkts: orig.counts.packets,
        orig_ip_bytes: orig.counts.ip_bytes,
        resp_pkts: resp.counts.packets,
        resp_ip_bytes: resp.counts.ip_bytes,
        attempt_outcome,
        tls_outcome: at.tls.map(security::outcome),
        server_rtt_ns: connection.server_rtt(),
        client_rtt_ns: connection.client_rtt(),
        syn_retries: connection.syns.count.saturating_sub(1),
        orig_retransmitted: orig.counts.retransmitted,
        resp_retransmitted: resp.counts.retransmitted,
        name: at.name().map(str::to_owned),
        codes: judged
            .findings
            .iter()
            .map(|finding| finding.class.code)
            .collect(),
    }
}
