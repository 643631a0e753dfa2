#![doc = include_str!("dns_slow.en.md")]

use crate::failure::network::dns::{Try, ms, resolvers_text};
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::flow::lookup::{Lookup, Outcome, SLOW};
use crate::guide;

/// `network.dns-slow`
pub static CLASS: Class = Class {
    code: "network.dns-slow",
    severity: Severity::Warning,
    guide: guide!("dns_slow"),
    summary,
};

/// The address came a second or more after the first query, or from a resolver that was asked only because the
/// first one failed. Resolvers that are asked at once race each other; the slower one is no failure.
pub fn detect(at: &Try<'_>) -> Option<Finding> {
    let late = |lookup: &&Lookup| {
        lookup.by_fallback() || lookup.latency().is_some_and(|latency| latency >= SLOW)
    };
    if at.outcome() != Outcome::Resolved {
        return None;
    }
    let lookup = at
        .with(Outcome::Resolved)
        .filter(late)
        .max_by_key(|lookup| lookup.latency())?;
    let (latency, answer) = (lookup.latency()?, lookup.answer()?);
    let mut finding = at.finding(&CLASS);
    finding.fails = false;
    finding.server = Some((answer.resolver, answer.resolver_port));
    Some(
        finding
            .detail("waited_ms", ms(latency))
            .detail("fallback", Value::Bool(lookup.by_fallback()))
            .detail("answered_by", Value::Text(answer.resolver.to_string())),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (name, client) = (finding.name.as_deref().unwrap_or(""), finding.client_text());
    let seconds = finding.number("waited_ms").unwrap_or(0) as f64 / 1e3;
    let answered_by = finding.text("answered_by").unwrap_or("");
    let fallback = finding.details.contains(&("fallback", Value::Bool(true)));
    match (lang, fallback) {
        (Lang::En, false) => {
            format!("{client} waited {seconds:.1} s for the address of {name} from {answered_by}")
        }
        (Lang::Zh, false) => {
            format!("{client} 解析 {name} 等待了 {seconds:.1} 秒，由 {answered_by} 应答")
        }
        (Lang::En, true) => {
            let asked = resolvers_text(finding, lang);
            format!(
                "{client} got the address of {name} after {seconds:.1} s from {answered_by} only, of {asked}"
            )
        }
        (Lang::Zh, true) => {
            let asked = resolvers_text(finding, lang);
            format!(
                "{client} 解析 {name} 用时 {seconds:.1} 秒，查询过 {asked}，仅 {answered_by} 给出地址"
            )
        }
    }
}
