#![doc = include_str!("latency_high.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// `transport.latency-high`
pub static CLASS: Class = Class {
    code: "transport.latency-high",
    severity: Severity::Warning,
    guide: guide!("latency_high"),
    summary,
};

/// A handshake that takes longer is told whatever the endpoint's other handshakes took.
pub const ALWAYS: Nanos = 500 * MILLISECOND;
/// A handshake this long is told if it is ten times the endpoint's median.
pub const RELATIVE: Nanos = 200 * MILLISECOND;

/// No stack waits longer for its SYN before it sends another: such a time is the capture's clock, not the network.
const BELIEVED: Nanos = 5 * SECOND;

/// A candidate: the handshake took at least `RELATIVE`, without retries. The surroundings decide below `ALWAYS`.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let ack = at.connection.established?;
    // No stack keeps its ACK back until it has something to say for so long: it passed outside the capture. Then only
    // the server's half of the round trip is known.
    let unseen = at.connection.handshake_unseen || at.client_half().first_data == Some(ack);
    let took = if unseen {
        at.connection
            .server_rtt()
            .filter(|_| at.connection.synacks.count == 1)
    } else {
        at.connection.connect_rtt()
    };
    let took = took.filter(|took| (RELATIVE..BELIEVED).contains(took))?;
    let finding = at
        .finding(&CLASS)
        .seen_if(at.connection.syns.first(), "syn")
        .seen_if(at.connection.synacks.first(), "syn-ack")
        .seen_if(Some(ack).filter(|_| !unseen), "ack");
    Some(finding.detail("connect_ms", Value::Number(took / MILLISECOND)))
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let took = finding.number("connect_ms").unwrap_or(0);
    match lang {
        Lang::En => format!("the handshake with {server} took {took} ms without a retry"),
        Lang::Zh => format!("与 {server} 的三次握手耗时 {took} 毫秒（无重试）"),
    }
}
