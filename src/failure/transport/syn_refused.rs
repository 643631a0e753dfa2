#![doc = include_str!("syn_refused.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::tcp::half::hops;
use crate::time::MILLISECOND;

/// `transport.syn-refused`
pub static CLASS: Class = Class {
    code: "transport.syn-refused",
    severity: Severity::Error,
    guide: guide!("syn_refused"),
    summary,
};

/// A RST in the server's name that acknowledges the SYN (RFC 9293 3.10.7.3).
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let connection = at.connection;
    let (syn, rst) = (connection.syns.first()?, at.server_half().reset?);
    let isn = at.client_half().isn?;
    // Data in the SYN may be acknowledged with it (RFC 7413 4.2).
    let acknowledges = rst
        .ack
        .is_some_and(|ack| ack.wrapping_sub(isn).wrapping_sub(1) < (1 << 11));
    if !acknowledges || connection.synacks.count > 0 || connection.established.is_some() {
        return None;
    }
    let mut finding = at
        .finding(&CLASS)
        .seen(syn, "syn")
        .seen(rst.at, "rst")
        .failing();
    // Windows asks again about 0.5 s after a refusal, twice: one finding with its retries.
    for retry in connection.syns.kept().skip(1) {
        finding = finding.seen(retry, "syn-retry");
    }
    finding.evidence.sort_by_key(|seen| seen.at);
    let retries = i64::from(connection.syns.count.saturating_sub(1));
    let answered_ms = rst.at.time.since(syn.time) / MILLISECOND;
    Some(
        finding
            .detail("retries", Value::Number(retries))
            .detail("answered_ms", Value::Number(answered_ms))
            .detail("rst_hops", Value::Number(i64::from(hops(rst.ttl)))),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    match lang {
        Lang::En => format!("{server} refused the connection of {client} (RST to the SYN)"),
        Lang::Zh => format!("{server} 拒绝了 {client} 的连接（以 RST 应答 SYN）"),
    }
}
