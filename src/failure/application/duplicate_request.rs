#![doc = include_str!("duplicate_request.en.md")]

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::failure::application::exchange::subject;
use crate::failure::application::trace::Placed;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// `application.duplicate-request`
pub static CLASS: Class = Class {
    code: "application.duplicate-request",
    severity: Severity::Warning,
    guide: guide!("duplicate_request"),
    summary,
};

/// The same within this is the same again.
const WITHIN: Nanos = 5 * 60 * SECOND;
/// A body without a field that identifies a business is told only if nothing but this one repetition came of it,
const UNIDENTIFIED_TIMES: usize = 2;
/// within this,
const UNIDENTIFIED_WITHIN: Nanos = 60 * SECOND;
/// and it is longer than what a heartbeat says.
const UNIDENTIFIED_BYTES: u64 = 64;
/// A serial number asked for again and again at an even pace is a poll.
const POLLED_TIMES: usize = 4;
/// Repetitions cited.
const CITED: usize = 7;

/// Words of targets that ask and change nothing, though by POST: query, poll, `cx` 查询, `hq` 获取 …
const QUERIES: [&str; 42] = [
    "alive",
    "beat",
    "online",
    "report",
    "sync",
    "register",
    "refresh",
    "renew",
    "log",
    "logs",
    "track",
    "collect",
    "event",
    "events",
    "metrics",
    "query",
    "search",
    "find",
    "list",
    "get",
    "poll",
    "status",
    "state",
    "progress",
    "check",
    "verify",
    "validate",
    "heartbeat",
    "ping",
    "health",
    "keepalive",
    "login",
    "token",
    "captcha",
    "count",
    "info",
    "detail",
    "download",
    "export",
    "preview",
    "cx",
    "hq",
];

/// Requests that were answered with success and came again; the exchanges are in the order of their requests.
pub fn judge(traces: &[Placed]) -> Vec<Finding> {
    type Same<'a> = (IpAddr, String, &'a str, &'a str, [u8; 16], u64);
    let mut same: HashMap<Same<'_>, Vec<usize>> = HashMap::new();
    let mut order: Vec<Vec<usize>> = Vec::new();
    for (place, placed) in traces.iter().enumerate() {
        let trace = &placed.trace;
        let Some(content) = trace.content.as_deref().filter(|content| content.bytes > 0) else {
            continue;
        };
        // What an endpoint rule knows as a query may come again.
        if trace.poll.is_some() || asks(&trace.target) {
            continue;
        }
        same.entry((
            placed.client.0,
            placed.endpoint(),
            trace.method.as_str(),
            trace.target.as_str(),
            content.digest,
            content.bytes,
        ))
        .or_default()
        .push(place);
    }
    order.extend(same.into_values().filter(|places| places.len() > 1));
    order.sort();
    order
        .iter()
        .filter_map(|places| {
            let again: Vec<&Placed> = places
                .iter()
                .filter_map(|place| traces.get(*place))
                .collect();
            told(&again)
        })
        .collect()
}

/// The first success, and what came after it within five minutes of the one before.
fn told(again: &[&Placed]) -> Option<Finding> {
    let from = again.iter().position(|placed| placed.trace.well())?;
    let first = *again.get(from)?;
    let mut repeats: Vec<&Placed> = Vec::new();
    let mut before = first;
    for next in again.get(from.saturating_add(1)..)? {
        let pause = next.trace.begun.time.since(before.trace.begun.time);
        let answered = next.trace.begun > first.trace.answered;
        if !answered || is_sighting(before, next) {
            continue;
        }
        if pause > WITHIN {
            break;
        }
        repeats.push(next);
        before = next;
    }
    let last = *repeats.last()?;
    let content = first.trace.content.as_deref()?;
    let span = last.trace.begun.time.since(first.trace.begun.time);
    if !content.identified {
        let once = again.len() == UNIDENTIFIED_TIMES
            && span <= UNIDENTIFIED_WITHIN
            && content.bytes >= UNIDENTIFIED_BYTES;
        if !once {
            return None;
        }
    }
    if repeats.len() + 1 >= POLLED_TIMES && even(first, &repeats) {
        return None;
    }
    let mut finding = first.finding(&CLASS);
    for repeat in repeats.iter().take(CITED) {
        finding = finding
            .seen(repeat.trace.asked, "repeat")
            .seen(repeat.trace.answered, "response");
    }
    finding.last = last.trace.answered.time;
    if !content.identified {
        finding = finding.at_most(65, UNIDENTIFIED);
    }
    let statuses = repeats
        .iter()
        .take(CITED)
        .map(|repeat| repeat.trace.status.to_string())
        .collect();
    let times = i64::try_from(repeats.len()).unwrap_or(i64::MAX);
    let gap = repeats.first().map_or(0, |repeat| {
        repeat.trace.begun.time.since(first.trace.begun.time)
    });
    Some(
        finding
            .detail("repeats", Value::Number(times))
            .detail("after_ms", Value::Number(gap / MILLISECOND))
            .detail(
                "body_bytes",
                Value::Number(i64::try_from(content.bytes).unwrap_or(i64::MAX)),
            )
            .detail("repeat_statuses", Value::List(statuses)),
    )
}

const UNIDENTIFIED: Text = Text {
    en: "no field of the body identifies the business: it may be meant twice",
    zh: "正文中没有可识别业务的字段，可能本来就要发送两次",
};

/// One message that a relay passed on over a connection of its own.
fn is_sighting(a: &Placed, b: &Placed) -> bool {
    let same = (a.flow, a.trace.number) == (b.flow, b.trace.number);
    same || a.twin.is_some() && a.twin == b.twin
}

/// An even pace: no pause differs from the median by more than a fifth.
fn even(first: &Placed, repeats: &[&Placed]) -> bool {
    let times: Vec<_> = std::iter::once(first)
        .chain(repeats.iter().copied())
        .map(|placed| placed.trace.begun.time)
        .collect();
    let mut pauses: Vec<Nanos> = times
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] => Some(b.since(*a)),
            _ => None,
        })
        .collect();
    pauses.sort_unstable();
    let median = pauses.get(pauses.len() / 2).copied().unwrap_or(0);
    let slack = (median / 5).max(50 * MILLISECOND);
    pauses.iter().all(|pause| (pause - median).abs() <= slack) && median >= SECOND
}

/// Does a target ask for something and change nothing?
fn asks(target: &str) -> bool {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // Gateways name the method in the query: `method=invoice.query`.
    let method = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("method="))
        .unwrap_or("");
    [path, method].iter().any(|part| {
        words(part)
            .iter()
            .any(|word| QUERIES.contains(&word.as_str()))
    })
}

/// `queryInvoice_v2` gives `query`, `invoice`, `v2`.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for c in text.chars() {
        let begins = !c.is_ascii_alphanumeric() || c.is_ascii_uppercase() && lower;
        if begins {
            words.push(String::new());
        }
        lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let times = finding.number("repeats").unwrap_or(0);
    let status = finding.number("status").unwrap_or(0);
    let after = finding.number("after_ms").unwrap_or(0) as f64 / 1e3;
    match lang {
        Lang::En => format!(
            "{client} sent the same body again ({times} more, after {after:.1} s) though {what} had answered {status}"
        ),
        Lang::Zh => format!(
            "{what} 已应答 {status}，{client} 在 {after:.1} 秒后仍重复提交相同报文（共重复 {times} 次）"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_that_ask_are_known_by_their_words() {
        assert!(asks("/kpfw/v1/queryInvoice"));
        assert!(asks("/fpcx/fp_cx.do"));
        assert!(asks(
            "/router/rest?method=baiwang.invoice.query&version=6.0"
        ));
        assert!(!asks("/kpfw/v1/issue?check=1"));
        assert!(!asks("/listing/issue"));
        assert!(!asks("/budget/issue"));
    }
}
