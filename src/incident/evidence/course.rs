//! The course of things: what was before, what came after, how the load stood.

use std::collections::BTreeSet;

use super::{Found, Item, by_count, median};
use crate::failure::Text;
use crate::incident::case::Case;
use crate::incident::context::{Seen, Span};
use crate::time::{SECOND, Timestamp};

pub(in crate::incident) static WORKED_BEFORE: Item = Item {
    id: "worked-before",
    text: Text {
        en: "the same address and port served well earlier in the capture: {n}",
        zh: "此前同一地址和端口在抓包中正常服务过 {n} 条连接",
    },
    measure: |case| {
        let count = at_servers(case, case.before())
            .filter(|seen| seen.reached())
            .count();
        Some(Found::new(by_count(count), count))
    },
};

pub(in crate::incident) static TAKEN_NOT_SERVED: Item = Item {
    id: "taken-and-not-served",
    text: Text {
        en: "the very port takes other connections and their requests, and serves none of them: {n}",
        zh: "同一端口上另有 {n} 条连接已建立、请求已被确认，却始终无人处理",
    },
    measure: |case| {
        let silent: BTreeSet<_> = case
            .members()
            .filter(|(_, finding)| finding.class.code == "transport.syn-unanswered")
            .filter_map(|(_, finding)| finding.server)
            .collect();
        // What the kernel took and no program has fetched: its ACKs are no program's.
        let places: Vec<usize> = case
            .members()
            .filter(|(_, finding)| {
                ["application.no-response", "security.tls-no-reply"].contains(&finding.class.code)
                    && finding
                        .server
                        .is_some_and(|server| silent.contains(&server))
            })
            .map(|(place, _)| place)
            .collect();
        let mut found = Found::new(by_count(places.len()), places.len());
        found.findings = places;
        Some(found)
    },
};

pub(in crate::incident) static NEVER_WORKED: Item = Item {
    id: "never-worked",
    text: Text {
        en: "nobody reaches it in the whole capture, in tries: {n}",
        zh: "整个抓包期间对其发起的 {n} 条连接无一成功",
    },
    measure: |case| {
        let all: Vec<&Seen> = at_servers(case, ALWAYS).collect();
        let never = all.len() >= 3 && !all.iter().any(|seen| seen.reached());
        Some(Found::new(if never { 1.0 } else { 0.0 }, all.len()))
    },
};

pub(in crate::incident) static RECOVERED: Item = Item {
    id: "recovered",
    text: Text {
        en: "it serves again afterwards: {n} well",
        zh: "之后自行恢复：{n} 条连接成功",
    },
    measure: |case| {
        let after = (case.span.1.plus(1), ALWAYS.1);
        let count = at_servers(case, after)
            .filter(|seen| seen.reached())
            .count();
        Some(Found::new(by_count(count), count))
    },
};

pub(in crate::incident) static INTERMITTENT: Item = Item {
    id: "comes-and-goes",
    text: Text {
        en: "it fails now and then, not always: the same clients meanwhile, well: {n}",
        zh: "同一批客户端期间有 {n} 条连接成功：时好时坏，并非始终失败",
    },
    measure: |case| {
        let own = || {
            case.here
                .iter()
                .filter(|seen| case.clients.contains(&seen.client))
        };
        // Where nothing fails and the answer is no, a connection went well that was told nothing else.
        let refused = !case.members().any(|(_, finding)| finding.fails);
        let (well, ill) = if refused {
            let no = |seen: &Seen| seen.outcomes.answered_no > 0;
            let well = own().filter(|seen| seen.reached() && !no(seen)).count();
            (well, own().filter(|seen| no(seen)).count())
        } else {
            let well = own().filter(|seen| seen.reached()).count();
            (well, own().filter(|seen| seen.failed()).count())
        };
        // A fifth on either side is a mixture.
        let lesser = well.min(ill) as f64 / (well + ill).max(1) as f64;
        Some(Found::new(lesser / 0.2, well))
    },
};

pub(in crate::incident) static LOAD_ROSE: Item = Item {
    id: "load-rose",
    text: Text {
        en: "more came at once: {n} connections a minute instead of {what}",
        zh: "并发上升：每分钟 {n} 条连接，此前为 {what} 条",
    },
    measure: |case| {
        let before = case.before();
        let rate = |count: usize, span: Span| {
            let seconds = span.1.since(span.0) / SECOND;
            (seconds >= 10 && count >= 5).then(|| count as f64 * 60.0 / seconds as f64)
        };
        let then = rate(at_servers(case, before).count(), before)?;
        let now = rate(case.here.len(), case.span)?;
        // Half as much again counts for half, three times as much in full.
        let strength = ((now / then) - 1.0) / 2.0;
        let strength = if strength < 0.25 { 0.0 } else { strength };
        Some(Found::new(strength, now.round() as usize).what(format!("{then:.0}")))
    },
};

pub(in crate::incident) static SLOWER_THEN: Item = Item {
    id: "slower-then",
    text: Text {
        en: "what it does answer is slower: {n} ms to the first byte (median), otherwise {what} ms",
        zh: "成功的应答明显变慢：首字节中位数 {n} 毫秒，平时 {what} 毫秒",
    },
    measure: |case| {
        let first_byte = |seen: &Seen| seen.latency_ms.get(2).copied().flatten();
        let (now, then) = medians(case, first_byte)?;
        let slow = now >= 50 && now >= then.saturating_mul(3);
        Some(Found::new(if slow { 1.0 } else { 0.0 }, now as usize).what(then.to_string()))
    },
};

pub(in crate::incident) static CONNECT_SLOWER_THEN: Item = Item {
    id: "round-trip-rose",
    text: Text {
        en: "round trips grew: {n} ms to connect (median), otherwise {what} ms",
        zh: "往返时延变大：建连中位数 {n} 毫秒，平时 {what} 毫秒",
    },
    measure: |case| {
        let connect = |seen: &Seen| seen.latency_ms.first().copied().flatten();
        let (now, then) = medians(case, connect)?;
        let slow = now >= 50 && now >= then.saturating_mul(4);
        Some(Found::new(if slow { 1.0 } else { 0.0 }, now as usize).what(then.to_string()))
    },
};

/// All times that a capture can have.
const ALWAYS: Span = (Timestamp::from_ns(i64::MIN), Timestamp::from_ns(i64::MAX));

/// Connections to the failing addresses and ports.
fn at_servers<'c>(case: &'c Case<'_>, span: Span) -> impl Iterator<Item = &'c Seen> {
    case.at_servers(span)
}

/// Of a time at the failing endpoints: the median while the incident lasts, and otherwise.
fn medians(case: &Case<'_>, time: impl Fn(&Seen) -> Option<u32>) -> Option<(u32, u32)> {
    let (mut now, mut then) = (Vec::new(), Vec::new());
    for seen in at_servers(case, ALWAYS) {
        let Some(ms) = time(seen) else { continue };
        if case.span.0 <= seen.time && seen.time <= case.span.1 {
            now.push(ms);
        } else {
            then.push(ms);
        }
    }
    if now.len() < 3 || then.len() < 3 {
        return None;
    }
    Some((median(now)?, median(then)?))
}
