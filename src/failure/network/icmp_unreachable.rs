#![doc = include_str!("icmp_unreachable.en.md")]

use crate::failure::episode::{Episode, Unreachable};
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;

/// `network.icmp-unreachable`
pub static CLASS: Class = Class {
    code: "network.icmp-unreachable",
    severity: Severity::Error,
    guide: guide!("icmp_unreachable"),
    summary,
};

/// An attempt answered by "destination unreachable" (RFC 792, RFC 4443 3.1), administrative codes aside.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let error = at
        .unreachable()
        .filter(|error| reason(error).is_some_and(|(_, rejected)| !rejected))?;
    about(at, error, &CLASS)
}

/// What the code says, and whether it is an administrator's decision; `None` for errors that are neither.
pub(crate) fn reason(error: &Unreachable) -> Option<(&'static str, bool)> {
    Some(match (error.v6, error.kind, error.code) {
        (false, 3, 0 | 6 | 11) => ("net", false),
        (false, 3, 1 | 7 | 12) => ("host", false),
        (false, 3, 2) => ("protocol", false),
        (false, 3, 3) | (true, 1, 4) => ("port", false),
        (false, 3, 9) => ("net-prohibited", true),
        (false, 3, 10) => ("host-prohibited", true),
        (false, 3, 13) | (true, 1, 1) => ("admin-prohibited", true),
        (true, 1, 0) => ("no-route", false),
        (true, 1, 3) => ("address", false),
        (true, 1, 5) => ("source-policy", true),
        (true, 1, 6) => ("reject-route", true),
        _ => return None,
    })
}

/// The finding about an attempt that failed by this error. Said only where the attempt did not get any further:
/// not connected, or connected and its data never acknowledged again.
pub(crate) fn about(
    at: &Episode<'_>,
    error: &Unreachable,
    class: &'static Class,
) -> Option<Finding> {
    let mut finding = stopped(at, error, class).filter(|_| error.quoted.ttl != 0)?;
    let (what, _) = reason(error)?;
    finding = finding
        .detail("unreachable", Value::Text(what.to_owned()))
        .detail("icmp_type", Value::Number(i64::from(error.kind)))
        .detail("icmp_code", Value::Number(i64::from(error.code)))
        .detail("router", Value::Text(error.router.to_string()));
    Some(finding.detail("retries", retries(at)))
}

/// The client's SYNs after the first.
pub(super) fn retries(at: &Episode<'_>) -> Value {
    Value::Number(i64::from(at.connection.syns.count.saturating_sub(1)))
}

/// An attempt that got no further than what this error quotes of it, with SYN or data and the error as evidence. Not in
/// answer to a traceroute: those stay below 30 hops.
pub(super) fn stopped(
    at: &Episode<'_>,
    error: &Unreachable,
    class: &'static Class,
) -> Option<Finding> {
    let traceroute = at.client_ttl_min < 30;
    let connected = at.connection.established.is_some() && at.server_half().counts.packets > 0;
    let stuck = at.client_half().unacked.repeats >= 1 && !at.client_half().all_acked();
    let by_client = at.client.0 == error.quoted.source;
    if traceroute || !by_client || (connected && !stuck) {
        return None;
    }
    let mut finding = at.finding(class).failing();
    finding = if connected {
        finding.seen_if(at.client_half().unacked.first, "data")
    } else {
        finding.seen_if(at.connection.syns.first(), "syn")
    };
    Some(finding.seen(error.at, "icmp"))
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let router = finding.text("router").unwrap_or("");
    let what = finding.text("unreachable").unwrap_or("");
    match lang {
        Lang::En => format!("{router} answered {client} that {server} is unreachable ({what})"),
        Lang::Zh => format!("{router} 向 {client} 报告 {server} 不可达（{what}）"),
    }
}
