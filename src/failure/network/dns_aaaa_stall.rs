#![doc = include_str!("dns_aaaa_stall.en.md")]

use std::net::IpAddr;

use crate::failure::network::dns::{Around, Try, ms, resolvers_text};
use crate::failure::{Class, Finding, Lang, Severity, Silence, Value};
use crate::flow::lookup::{Lookup, Outcome};
use crate::guide;
use crate::protocol::dns::kind;
use crate::time::{Nanos, SECOND, Timestamp};

/// `network.dns-aaaa-stall`
pub static CLASS: Class = Class {
    code: "network.dns-aaaa-stall",
    severity: Severity::Warning,
    guide: guide!("dns_aaaa_stall"),
    summary,
};

/// A shorter wait is nobody's trouble.
const STALL_MIN: Nanos = SECOND;
/// The A that goes with it is asked this close to it.
const TOGETHER: Nanos = 2 * SECOND;
/// What connects later than this did not wait for it.
const CONNECT_MAX: Nanos = 30 * SECOND;

/// The name has its IPv4 address and was not asked for it in vain beside, the AAAA is asked again and again in vain, and the first SYN comes only after that.
pub fn detect(at: &Try<'_>, around: &Around<'_>) -> Option<Finding> {
    let stalled = at
        .with(Outcome::Unanswered)
        .find(|lookup| lookup.kind == kind::AAAA && lookup.retries() > 0)?;
    let first = stalled.first().time;
    let in_vain = |lookup: &&Lookup| {
        lookup.kind == kind::A
            && lookup.outcome(at.end) != Outcome::Resolved
            && lookup.first().time.since(first).abs() <= TOGETHER
    };
    if at.lookups.iter().any(in_vain) {
        return None;
    }
    let addresses = answered(around, stalled, first)?;
    let (syn, _) = (around.tried)(at.client, &addresses, first);
    let syn = syn?;
    let waited = syn.since(first);
    if syn < stalled.last_query || !(STALL_MIN..=CONNECT_MAX).contains(&waited) {
        return None;
    }
    let one = Try {
        lookups: &[stalled],
        endpoint: true,
        tcp53: None,
        ..*at
    };
    let mut finding = one.finding(&CLASS);
    finding.fails = false;
    finding.last = finding.last.max(syn);
    if let Some((asked, _)) = finding.server {
        finding.silence = Some(Silence {
            asker: at.client,
            asked,
            from: first,
            to: stalled.last_query,
            proven: stalled.proves_silence(),
        });
    }
    Some(
        finding
            .detail("waited_ms", ms(waited))
            .detail("connected_at", Value::Time(syn)),
    )
}

/// The IPv4 addresses that the client had got for the name, if the A was answered while the AAAA was open.
fn answered(around: &Around<'_>, stalled: &Lookup, first: Timestamp) -> Option<Vec<IpAddr>> {
    let (client, name) = (stalled.client, stalled.name.as_str());
    let (from, to) = (first.plus(-TOGETHER), first.plus(TOGETHER));
    if !around.names.resolved_between(client, name, from, to) {
        return None;
    }
    let addresses = around
        .names
        .resolved(client, name)
        .flat_map(|resolved| resolved.addresses.iter().copied());
    let addresses: Vec<IpAddr> = addresses.filter(IpAddr::is_ipv4).collect();
    (!addresses.is_empty()).then_some(addresses)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (name, client) = (finding.name.as_deref().unwrap_or(""), finding.client_text());
    let resolvers = resolvers_text(finding, lang);
    let seconds = finding.number("waited_ms").unwrap_or(0) as f64 / 1e3;
    match lang {
        Lang::En => format!(
            "{client} connected to {name} {seconds:.1} s late: {resolvers} gave the IPv4 address and never answered for IPv6"
        ),
        Lang::Zh => format!(
            "{client} 连接 {name} 被拖慢 {seconds:.1} 秒：{resolvers} 已返回 IPv4 地址，却始终不应答 AAAA 查询"
        ),
    }
}
