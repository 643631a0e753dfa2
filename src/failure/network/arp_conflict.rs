#![doc = include_str!("arp_conflict.en.md")]

use std::net::IpAddr;

use crate::failure::network::arp_unanswered::mac_text;
use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::flow::neighbours::{Conflict, ConflictKind};
use crate::guide;
use crate::time::MILLISECOND;

/// `network.arp-conflict`
pub static CLASS: Class = Class {
    code: "network.arp-conflict",
    severity: Severity::Critical,
    guide: guide!("arp_conflict"),
    summary,
};

/// Frames cited.
const EXAMPLES_MAX: usize = 16;
/// MACs named.
const MACS_MAX: usize = 16;

/// The finding about one address with more than one holder.
pub(super) fn judge(
    seen: &Conflict,
    name_of: &dyn Fn(IpAddr) -> Option<String>,
) -> Option<Finding> {
    let first = seen.frames.first()?.0.time;
    let mut finding = Finding::new(&CLASS, Subject::Host, first);
    finding.server = Some((seen.address, 0));
    finding.name = name_of(seen.address);
    for (at, role) in seen.frames.iter().take(EXAMPLES_MAX) {
        finding = finding.seen(*at, role);
    }
    finding.last = finding.last.max(seen.last.time);
    let number = |count: u64| Value::Number(i64::try_from(count).unwrap_or(i64::MAX));
    let macs = seen
        .macs
        .iter()
        .take(MACS_MAX)
        .map(|mac| mac_text(*mac))
        .collect();
    let span = finding.last.since(first).max(0) / MILLISECOND;
    finding = finding
        .detail("macs", Value::List(macs))
        .detail("claims", number(seen.claims))
        .detail(
            "probe_answered",
            Value::Bool(seen.kind == ConflictKind::ProbeAnswered),
        )
        .detail("lasted_ms", Value::Number(span));
    Some(if seen.changes > 0 {
        finding.detail("changes", number(seen.changes))
    } else {
        finding
    })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let address = finding.server_text();
    let macs = finding.details.iter().find_map(|(key, value)| match value {
        Value::List(macs) if *key == "macs" => Some(macs.as_slice()),
        _ => None,
    });
    let macs = macs.unwrap_or_default();
    let probed = finding
        .details
        .contains(&("probe_answered", Value::Bool(true)));
    match (lang, probed, macs) {
        (Lang::En, true, [holder, prober, ..]) => {
            format!(
                "{prober} asked whether {address} is free, and {holder} answered that it has it"
            )
        }
        (Lang::Zh, true, [holder, prober, ..]) => {
            format!("{prober} 探测 {address} 是否空闲，{holder} 应答该地址已在使用")
        }
        (Lang::En, ..) => format!(
            "{address} is claimed by {} MAC addresses: {}",
            macs.len(),
            macs.join(", ")
        ),
        (Lang::Zh, ..) => format!(
            "{} 个 MAC 地址同时声称拥有 {address}：{}",
            macs.len(),
            macs.join("、")
        ),
    }
}
