#![doc = include_str!("handshake_incomplete.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::time::{MILLISECOND, SECOND};

/// `transport.handshake-incomplete`
pub static CLASS: Class = Class {
    code: "transport.handshake-incomplete",
    severity: Severity::Error,
    guide: guide!("handshake_incomplete"),
    summary,
};

/// A SYN-ACK that was repeated in vain, or that its receiver had not asked for.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    unexpected(at)
        .or_else(|| never_acknowledged(at))
        .or_else(|| acknowledged_in_vain(at))
}

/// The client resets a SYN-ACK that answers none of its SYNs. A RST to one that it asked for is a health check, a
/// scan, or the loser of a race between addresses: ordinary.
fn unexpected(at: &Episode<'_>) -> Option<Finding> {
    let rst = at.client_half().reset?;
    let synack = match at.connection.unexpected_synack.as_deref().copied() {
        Some(stray) if at.connection.synacks.count == 0 => stray,
        _ => return None,
    };
    if at
        .connection
        .established
        .is_some_and(|ack| ack.time < rst.at.time && at.client_half().first_data.is_some())
    {
        return None;
    }
    Some(
        at.finding(&CLASS)
            .seen_if(at.connection.syns.first(), "syn")
            .seen(synack, "syn-ack")
            .seen(rst.at, "rst")
            .failing()
            .detail("unexpected_synack", Value::Bool(true)),
    )
}

fn never_acknowledged(at: &Episode<'_>) -> Option<Finding> {
    let synacks = &at.connection.synacks;
    let (first, last) = (synacks.first()?, synacks.last?);
    if at.connection.established.is_some()
        || synacks.count < 2
        || last.time.since(first.time) < 900 * MILLISECOND
    {
        return None;
    }
    let client = at.client_half();
    if client.reset.is_some_and(|rst| rst.at.time >= first.time) || client.counts.data_segments > 0
    {
        return None;
    }
    let mut finding = at
        .finding(&CLASS)
        .seen_if(at.connection.syns.first(), "syn")
        .seen(first, "syn-ack")
        .failing();
    for retry in synacks.kept().skip(1) {
        finding = finding.seen(retry, "syn-ack-retry");
    }
    let retried = at.connection.syns.count > 1;
    if client.counts.packets == 0 {
        finding = finding.at_most(75, FORWARD_UNSEEN);
    }
    Some(
        finding
            .detail("client_acked", Value::Bool(false))
            .detail(
                "retries",
                Value::Number(i64::from(synacks.count.saturating_sub(1))),
            )
            .detail("client_retried_syn", Value::Bool(retried)),
    )
}

/// The client acknowledged, the server goes on repeating its SYN-ACK and takes nothing.
fn acknowledged_in_vain(at: &Episode<'_>) -> Option<Finding> {
    let ack = at.connection.established?;
    let again = at.connection.synacks_after_ack.as_deref()?;
    let (first, last) = (again.first()?, again.last?);
    let (client, server) = (at.client_half(), at.server_half());
    let accepted = server.counts.data_segments > 0 || client.acked > client.data_start();
    if accepted || server.fin.is_some() {
        return None;
    }
    // A server that defers accepting until data comes (TCP_DEFER_ACCEPT) repeats its SYN-ACK once, half a minute later,
    // to a spare connection.
    let spoke = client.counts.data_segments > 0;
    if !spoke && first.time.since(ack.time) >= 5 * SECOND {
        return None;
    }
    let twice = again.count >= 2 || at.until.since(first.time) >= 3 * SECOND;
    if !twice {
        return None;
    }
    let mut finding = at
        .finding(&CLASS)
        .seen_if(at.connection.syns.first(), "syn")
        .seen_if(at.connection.synacks.first(), "syn-ack")
        .seen(ack, "ack")
        .failing();
    for retry in again.kept() {
        finding = finding.seen(retry, "syn-ack-retry");
    }
    finding.last = finding.last.max(last.time);
    Some(
        finding
            .detail("client_acked", Value::Bool(true))
            .detail("retries", Value::Number(i64::from(again.count))),
    )
}

const FORWARD_UNSEEN: Text = Text {
    en: "the client's direction is not in the capture",
    zh: "抓包中没有客户端方向的报文",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let retries = finding.number("retries").unwrap_or(0);
    let flag = |key: &str| {
        finding
            .details
            .iter()
            .any(|(name, value)| *name == key && *value == Value::Bool(true))
    };
    match (flag("unexpected_synack"), flag("client_acked"), lang) {
        (true, _, Lang::En) => {
            format!("{client} reset a SYN-ACK of {server} that answers none of its SYNs")
        }
        (true, _, Lang::Zh) => format!("{client} 重置了 {server} 发来的、并未请求的 SYN-ACK"),
        (_, true, Lang::En) => {
            format!(
                "{server} repeated its SYN-ACK {retries} times though {client} had acknowledged it"
            )
        }
        (_, true, Lang::Zh) => format!("{client} 已确认，{server} 仍重发 SYN-ACK {retries} 次"),
        (_, _, Lang::En) => {
            format!("{client} never acknowledged the SYN-ACK of {server}, repeated {retries} times")
        }
        (_, _, Lang::Zh) => {
            format!("{client} 始终未确认 {server} 的 SYN-ACK，服务器重发 {retries} 次")
        }
    }
}
