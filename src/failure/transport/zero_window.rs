#![doc = include_str!("zero_window.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::Mark;
use crate::time::{MILLISECOND, SECOND};

/// `transport.zero-window`
pub static CLASS: Class = Class {
    code: "transport.zero-window",
    severity: Severity::Warning,
    guide: guide!("zero_window"),
    summary,
};

/// A receiver that keeps its window closed for longer than a second (RFC 9293 3.8.6).
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    side(at, ToClient).or_else(|| side(at, ToServer))
}

fn side(at: &Episode<'_>, receiver: Direction) -> Option<Finding> {
    let half = at.half(receiver);
    let last = at.connection.span?.1;
    let closed = half.zero_window.as_deref()?;
    let open_end = closed.since.map(|since| (since, last));
    let length = |span: &(Mark, Mark)| span.1.time.since(span.0.time);
    let (since, until) = [closed.longest, open_end]
        .into_iter()
        .flatten()
        .max_by_key(length)?;
    if until.time.since(since.time) <= SECOND {
        return None;
    }
    // Still closed where the flow, or the capture, ends: the longest stretch is the open one.
    let open = closed.since.is_some_and(|began| began == since);
    let died = open && at.connection.closed.is_some();
    let who = if receiver == ToServer {
        "client"
    } else {
        "server"
    };
    let mut finding = at
        .finding(&CLASS)
        .seen(since, "zero-window")
        .seen(until, if open { "end" } else { "window" });
    if died {
        finding = finding.severity(Severity::Error).failing();
    }
    Some(
        finding
            .detail("receiver", Value::Text(who.to_owned()))
            .detail(
                "closed_ms",
                Value::Number(until.time.since(since.time) / MILLISECOND),
            ),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let seconds = finding.number("closed_ms").unwrap_or(0) as f64 / 1e3;
    let who = if finding.text("receiver") == Some("client") {
        client
    } else {
        server
    };
    match lang {
        Lang::En => format!("{who} kept its receive window closed for {seconds:.1} s"),
        Lang::Zh => format!("{who} 的接收窗口保持为零达 {seconds:.1} 秒"),
    }
}
