#![doc = include_str!("dns_timeout.en.md")]

use crate::failure::network::dns::{Try, ms, resolvers_text};
use crate::failure::{Class, Finding, Lang, Severity, Silence, Value};
use crate::flow::lookup::Outcome;
use crate::guide;

/// `network.dns-timeout`
pub static CLASS: Class = Class {
    code: "network.dns-timeout",
    severity: Severity::Error,
    guide: guide!("dns_timeout"),
    summary,
};

/// A query and its retries without a reply from any resolver asked, or a truncated answer whose retry over TCP is in
/// vain. Whether the silence may be said is decided with the surroundings.
pub fn detect(at: &Try<'_>) -> Option<Finding> {
    let outcome = at.outcome();
    let over_tcp = outcome == Outcome::TcpUnanswered;
    if outcome != Outcome::Unanswered && !over_tcp {
        return None;
    }
    let mut finding = at.finding(&CLASS);
    let last_query = at.lookups.iter().map(|lookup| lookup.last_query).max()?;
    finding = finding.detail("waited_ms", ms(last_query.since(at.first())));
    if over_tcp {
        finding = finding.detail("tcp53", Value::Bool(true));
    }
    if let Some(failed) = at.tcp53 {
        finding.consequences.push(failed.class.code);
        let connect = failed
            .evidence
            .iter()
            .take(4)
            .map(|evidence| (evidence.at, evidence.role));
        for (frame, role) in connect {
            finding = finding.seen(frame, role);
        }
    }
    let queries = || at.lookups.iter().flat_map(|lookup| &lookup.queries);
    if queries().any(|query| query.unreachable.is_some()) {
        finding = finding.detail("icmp_unreachable", Value::Bool(true));
    }
    // An ICMP error for every query is an answer of a kind, and a failed connect was judged already.
    let silent = queries().any(|query| query.unreachable.is_none()) && at.tcp53.is_none();
    if let Some((asked, _)) = finding.server.filter(|_| silent) {
        finding.silence = Some(Silence {
            asker: at.client,
            asked,
            from: at.first(),
            to: last_query,
            proven: at.lookups.iter().any(|lookup| lookup.proves_silence()),
        });
    }
    Some(finding)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (name, client) = (finding.name.as_deref().unwrap_or(""), finding.client_text());
    let resolvers = resolvers_text(finding, lang);
    let retries = finding.number("retries").unwrap_or(0);
    let over_tcp = finding.details.contains(&("tcp53", Value::Bool(true)));
    match (lang, over_tcp) {
        (Lang::En, false) => {
            format!("no answer from {resolvers} to {client}'s lookup of {name}, {retries} retries")
        }
        (Lang::Zh, false) => format!("{client} 解析 {name}，{resolvers} 未应答，重试 {retries} 次"),
        (Lang::En, true) => {
            format!(
                "{resolvers} gave {client} a truncated answer for {name}, and none over TCP port 53"
            )
        }
        (Lang::Zh, true) => {
            format!("{resolvers} 对 {client} 查询 {name} 的应答被截断，改用 TCP 53 端口后没有应答")
        }
    }
}
