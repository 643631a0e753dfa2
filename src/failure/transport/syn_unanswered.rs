#![doc = include_str!("syn_unanswered.en.md")]

use crate::failure::episode::Episode;
use crate::failure::transport::port_reuse_stalled;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::ToClient;
use crate::time::{MILLISECOND, SECOND};

/// `transport.syn-unanswered`
pub static CLASS: Class = Class {
    code: "transport.syn-unanswered",
    severity: Severity::Error,
    guide: guide!("syn_unanswered"),
    summary,
};

/// A SYN and its retries with nothing after them. Whether the silence may be said is decided with the surroundings.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let connection = at.connection;
    let (syn, last) = (connection.syns.first()?, connection.syns.last?);
    let client = at.client_half();
    let only_syns = client.counts.packets == u64::from(connection.syns.count);
    if at.server_half().counts.packets > 0 || !only_syns || connection.simultaneous_open {
        return None;
    }
    // Rule 1a: Linux and macOS do not repeat a SYN after a RST, Windows does about 0.5 s later.
    let mut apart = 0;
    let mut before = syn;
    for retry in connection.syns.kept().skip(1) {
        apart = apart.max(retry.time.since(before.time));
        before = retry;
    }
    let proven = apart >= 900 * MILLISECOND;
    // Copies of one SYN within a moment are no retry.
    let retried = last.time.since(syn.time) >= 200 * MILLISECOND;
    if !retried && !at.waited(syn, 3 * SECOND) {
        return None;
    }
    let mut finding = at.finding(&CLASS).seen(syn, "syn").failing();
    for retry in connection.syns.kept().skip(1) {
        finding = finding.seen(retry, "syn-retry");
    }
    finding.last = last.time;
    finding.silence = Some(at.silence_of(ToClient, syn, last, proven));
    if let Some(closed) = at.reused {
        finding = finding.detail("reused_after_ms", port_reuse_stalled::after(closed, syn));
    }
    Some(
        finding
            .detail(
                "retries",
                Value::Number(i64::from(connection.syns.count.saturating_sub(1))),
            )
            .detail(
                "waited_ms",
                Value::Number(last.time.since(syn.time).max(0) / MILLISECOND),
            ),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let retries = finding.number("retries").unwrap_or(0);
    let seconds = finding.number("waited_ms").unwrap_or(0) as f64 / 1e3;
    match (retries, lang) {
        (0, Lang::En) => format!("{server} never answered the SYN of {client}"),
        (0, Lang::Zh) => format!("{server} 始终未应答 {client} 的 SYN"),
        (1, Lang::En) => format!(
            "{server} never answered the SYN of {client}, retried once after {seconds:.1} s"
        ),
        (_, Lang::En) => format!(
            "{server} never answered the SYN of {client}, retried {retries} times over {seconds:.1} s"
        ),
        (_, Lang::Zh) => {
            format!("{server} 始终未应答 {client} 的 SYN，{seconds:.1} 秒内重试 {retries} 次")
        }
    }
}
