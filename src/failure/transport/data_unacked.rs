#![doc = include_str!("data_unacked.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::tcp::half::Unacked;
use crate::time::MILLISECOND;

/// `transport.data-unacked`
pub static CLASS: Class = Class {
    code: "transport.data-unacked",
    severity: Severity::Error,
    guide: guide!("data_unacked"),
    summary,
};

/// Retransmissions, or keep-alive probes, that must stay without an acknowledgment before it is said.
const REPEATS: u32 = 3;

/// Data of an established connection sent again and again and never acknowledged: a black hole in mid-flow.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    at.connection.established.or(at
        .connection
        .span
        .filter(|_| at.connection.syns.count == 0)
        .map(|span| span.0))?;
    side(at, ToServer).or_else(|| side(at, ToClient))
}

fn side(at: &Episode<'_>, from: Direction) -> Option<Finding> {
    let half = at.half(from);
    let peer = at.half(from.reverse());
    let (what, repeated) = if half.unacked.repeats >= REPEATS && !half.all_acked() {
        ("data", &half.unacked)
    } else if let Some(probing) = half.probing.as_deref()
        && probing.repeats >= REPEATS
        && peer.last.is_none_or(|last| last < first_repeat(probing))
    {
        ("keep-alive", probing)
    } else {
        return None;
    };
    // The peer closed its window: waiting is what it asked for.
    if peer.closed_since().is_some()
        || peer
            .reset
            .is_some_and(|rst| rst.at < first_repeat(repeated))
    {
        return None;
    }
    let last = half.last?;
    let mut finding = at.finding(&CLASS).seen_if(repeated.first, what).failing();
    for mark in &repeated.marks {
        finding = finding.seen(
            *mark,
            if what == "data" {
                "retransmission"
            } else {
                "keep-alive"
            },
        );
    }
    let began = repeated.first.unwrap_or(last);
    finding.last = finding.last.max(last.time);
    finding.silence = Some(at.silence_of(from.reverse(), began, last, true));
    let sender = if from == ToServer { "client" } else { "server" };
    Some(
        finding
            .detail("sender", Value::Text(sender.to_owned()))
            .detail("repeats", Value::Number(i64::from(repeated.repeats)))
            .detail(
                "unacked_bytes",
                Value::Number(half.data_end.saturating_sub(half.acked).cast_signed()),
            )
            .detail(
                "waited_ms",
                Value::Number(last.time.since(began.time) / MILLISECOND),
            ),
    )
}

fn first_repeat(repeated: &Unacked) -> crate::mark::Mark {
    repeated.marks.first().copied().unwrap_or_default()
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let repeats = finding.number("repeats").unwrap_or(0);
    let (from, to) = if finding.text("sender") == Some("client") {
        (client, server)
    } else {
        (server, client)
    };
    match lang {
        Lang::En => {
            format!("data of {from} to {to} was sent again {repeats} times and never acknowledged")
        }
        Lang::Zh => format!("{from} 发往 {to} 的数据重传 {repeats} 次，始终未被确认"),
    }
}
