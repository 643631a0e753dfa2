#![doc = include_str!("idle_dropped.en.md")]

use crate::failure::episode::Episode;
use crate::failure::transport::reset_injected;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::{self, ToServer};
use crate::mark::Mark;
use crate::tcp::idle::Idle;
use crate::time::{MILLISECOND, SECOND};

/// `transport.idle-dropped`
pub static CLASS: Class = Class {
    code: "transport.idle-dropped",
    severity: Severity::Error,
    guide: guide!("idle_dropped"),
    summary,
};

/// Repetitions, or keep-alives, that must stay without an answer before it is said.
const REPEATS: u32 = 3;

/// The first data after a rest of 30 s and more is never acknowledged, or answered by a RST.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let idle = *at.connection.idle.as_deref()?;
    if at.connection.established.is_none() && at.connection.syns.count > 0 {
        return None;
    }
    // Who ends a session that rested (close_notify) owes nothing to anybody, whatever becomes of that record.
    let ends = at.tls.and_then(|session| session.close_notify(idle.by));
    if ends.is_some_and(|end| end >= idle.until) {
        return None;
    }
    let peer = at.half(idle.by.reverse());
    // What came back since, a RST aside, shows a connection that went on.
    let answered = peer.last_data.is_some_and(|data| data > idle.until)
        || at
            .half(idle.by)
            .acked_at
            .is_some_and(|acked| acked > idle.until)
        || peer.fin.is_some();
    if answered || peer.closed_since().is_some() {
        return None;
    }
    match peer.reset.filter(|reset| reset.at > idle.until) {
        Some(reset) => reset_after(at, &idle, reset.at),
        None => unanswered(at, &idle),
    }
}

fn reset_after(at: &Episode<'_>, idle: &Idle, rst: Mark) -> Option<Finding> {
    let half = at.half(idle.by);
    // Who closes what rested owes nothing to anybody: close_notify and FIN, answered by a RST, are no failure.
    let closing = half.fin.is_some_and(|fin| fin.at < rst);
    let data = half.last_data.is_some_and(|data| data >= idle.until);
    if closing || !data {
        return None;
    }
    let mut finding = about(at, idle).seen(rst, "rst");
    finding.last = finding.last.max(rst.time);
    finding = finding.detail("answer", Value::Text("rst".to_owned()));
    let injected = reset_injected::detect(at);
    let traits = injected.and_then(|injected| {
        let (_, traits) = injected
            .into_body()
            .details
            .into_iter()
            .find(|(key, _)| *key == "traits")?;
        Some(traits)
    });
    Some(match traits {
        Some(traits) => finding.detail("rst_traits", traits),
        None => finding,
    })
}

fn unanswered(at: &Episode<'_>, idle: &Idle) -> Option<Finding> {
    let half = at.half(idle.by);
    let (repeated, role, first) = if half.unacked.repeats >= REPEATS && !half.all_acked() {
        (&half.unacked, "retransmission", half.unacked.first)
    } else if let Some(probing) = half.probing.as_deref()
        && probing.repeats >= REPEATS
    {
        (probing, "keep-alive", probing.marks.first().copied())
    } else {
        return None;
    };
    if first != Some(idle.until) {
        return None;
    }
    let last = half.last?;
    let mut finding = about(at, idle);
    for mark in repeated.marks.iter().filter(|mark| **mark > idle.until) {
        finding = finding.seen(*mark, role);
    }
    finding.last = finding.last.max(last.time);
    finding.silence = Some(at.silence_of(idle.by.reverse(), idle.until, last, true));
    let waited = last.time.since(idle.until.time) / MILLISECOND;
    Some(
        finding
            .detail("answer", Value::Text("none".to_owned()))
            .detail("repeats", Value::Number(i64::from(repeated.repeats)))
            .detail("waited_ms", Value::Number(waited)),
    )
}

fn about(at: &Episode<'_>, idle: &Idle) -> Finding {
    let probing = at.half(idle.by).probing.as_deref();
    let probe = probing.and_then(|probing| probing.marks.first()) == Some(&idle.until);
    let first = if probe { "keep-alive" } else { "data" };
    let rest = idle.until.time.since(idle.since.time) / SECOND;
    at.finding(&CLASS)
        .failing()
        .seen(idle.until, first)
        .detail("idle_s", Value::Number(rest))
        .detail("idle_since", Value::Time(idle.since.time))
        .detail("sender", Value::Text(name(idle.by).to_owned()))
}

fn name(from: Direction) -> &'static str {
    if from == ToServer { "client" } else { "server" }
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let (from, to) = if finding.text("sender") == Some("client") {
        (client, server)
    } else {
        (server, client)
    };
    let idle = finding.number("idle_s").unwrap_or(0);
    let reset = finding.text("answer") == Some("rst");
    match (lang, reset) {
        (Lang::En, false) => format!(
            "after {idle} s of rest nothing that {from} sends to {to} is acknowledged any more"
        ),
        (Lang::Zh, false) => {
            format!("连接空闲 {idle} 秒后，{from} 发往 {to} 的数据再未被确认")
        }
        (Lang::En, true) => {
            format!("after {idle} s of rest the first data of {from} to {to} is answered by a RST")
        }
        (Lang::Zh, true) => {
            format!("连接空闲 {idle} 秒后，{from} 发往 {to} 的首个数据被 RST 应答")
        }
    }
}
