#![doc = include_str!("arp_unanswered.en.md")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::failure::{Class, Finding, Lang, Severity, Subject, Text, Value};
use crate::flow::heard::Heard;
use crate::flow::neighbours::{Mac, Neighbours, Outage, Sight};
use crate::guide;
use crate::time::{MILLISECOND, SECOND, Timestamp};

/// `network.arp-unanswered`
pub static CLASS: Class = Class {
    code: "network.arp-unanswered",
    severity: Severity::Error,
    guide: guide!("arp_unanswered"),
    summary,
};

/// Targets named in the finding about an asker that asks for many.
const TARGETS_MAX: usize = 16;

/// Judges what was asked for in vain: `error` where the answer would have been seen, the target stays silent and
/// somebody needs it; the rest is `info`, one finding for each asker.
pub fn judge(
    neighbours: &Neighbours,
    heard: &Heard,
    name_of: &dyn Fn(IpAddr) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut lesser: BTreeMap<(IpAddr, Mac), Vec<Finding>> = BTreeMap::new();
    for outage in neighbours.outages() {
        let name = name_of(outage.target);
        let next_hop =
            neighbours.forwards(outage.target) || edge_of_subnet(outage.asker, outage.target);
        let needed =
            next_hop || name.is_some() || neighbours.talked_to(outage.target, outage.last.time);
        let sight = neighbours.sight((outage.asker_mac, outage.asker), outage.target);
        let back = back(&outage, heard);
        let mut finding = about(&outage, next_hop, back);
        finding.name = name;
        finding = match sight {
            Sight::None => finding.at_most(60, UNSEEN),
            // The other of the two is the way out or the next hop itself: both would have seen its answer.
            Sight::OfTwo if !next_hop => finding.at_most(85, OF_TWO),
            _ => finding,
        };
        if needed && sight != Sight::None && back.is_none() {
            findings.push(finding);
            continue;
        }
        let finding = finding.severity(Severity::Info);
        lesser
            .entry((outage.asker, outage.asker_mac))
            .or_default()
            .push(finding);
    }
    findings.extend(lesser.into_values().filter_map(folded));
    findings
}

const UNSEEN: Text = Text {
    en: "frames to the asker are not in the capture, so an answer could not be seen",
    zh: "抓包点看不到发往请求方的单播帧，应答可能存在而未被抓到",
};

const OF_TWO: Text = Text {
    en: "captured at the asker or at the one host that it talks to, which of them is not known",
    zh: "抓包点在请求方或与其通信的唯一对端，无法确定是哪一端",
};

/// When the target was heard again, by ARP or by any packet to the asker.
fn back(outage: &Outage, heard: &Heard) -> Option<Timestamp> {
    let end = Timestamp::from_ns(i64::MAX);
    let later = outage.last.time.plus(SECOND);
    let spoke = heard
        .from_host(outage.asker, outage.target, later, end)
        .then_some(later);
    outage.back.map(|back| back.time).or(spoke)
}

fn about(outage: &Outage, next_hop: bool, back: Option<Timestamp>) -> Finding {
    let v4 = outage.target.is_ipv4();
    let role = if v4 { "arp-request" } else { "solicitation" };
    let mut finding = Finding::new(&CLASS, Subject::Link, outage.first.time);
    finding.client = Some((outage.asker, 0));
    finding.server = Some((outage.target, 0));
    let mut marks = outage.marks.clone();
    marks.extend_from_slice(&outage.others);
    marks.sort_unstable();
    for mark in marks {
        finding = finding.seen(mark, role);
    }
    let waited = outage.last.time.since(outage.first.time).max(0) / MILLISECOND;
    finding = finding
        .detail(
            "requests",
            Value::Number(i64::try_from(outage.requests).unwrap_or(i64::MAX)),
        )
        .detail("waited_ms", Value::Number(waited))
        .detail("asker_mac", Value::Text(mac_text(outage.asker_mac)))
        .detail("next_hop", Value::Bool(next_hop));
    if !outage.others.is_empty() {
        finding = finding.detail(
            "other_requests",
            Value::Number(i64::try_from(outage.others.len()).unwrap_or(0)),
        );
    }
    match back {
        Some(back) => {
            let gone = back.since(outage.first.time).max(0) / MILLISECOND;
            finding.detail("back_after_ms", Value::Number(gone))
        }
        None => finding,
    }
}

/// What is only worth knowing is said once for each asker, with the targets.
fn folded(findings: Vec<Finding>) -> Option<Finding> {
    let mut targets: Vec<IpAddr> = findings
        .iter()
        .filter_map(|finding| Some(finding.server?.0))
        .collect();
    targets.sort_unstable();
    targets.dedup();
    let last = findings.iter().map(|finding| finding.last).max()?;
    let count = findings.len() as u64;
    let mut first = findings.into_iter().next()?;
    first.count = count;
    first.last = last;
    if targets.len() > 1 {
        let named = targets
            .iter()
            .take(TARGETS_MAX)
            .map(ToString::to_string)
            .collect();
        first = first
            .detail(
                "targets",
                Value::Number(i64::try_from(targets.len()).unwrap_or(i64::MAX)),
            )
            .detail("target_sample", Value::List(named));
    }
    Some(first)
}

/// `02:00:5e:10:00:01`
pub(crate) fn mac_text([a, b, c, d, e, f]: Mac) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// Where gateways sit: the first or last address of the asker's subnet. Its mask is not on the wire: /24, or wider
/// where the two addresses differ above that (they are on one link, or nobody would ask); /64 for IPv6.
fn edge_of_subnet(asker: IpAddr, target: IpAddr) -> bool {
    match (asker, target) {
        (IpAddr::V4(asker), IpAddr::V4(target)) => {
            let (asker, target) = (u32::from(asker), u32::from(target));
            let prefix = (asker ^ target).leading_zeros().min(24);
            let hosts = u32::MAX.checked_shr(prefix).unwrap_or(0);
            prefix >= 8 && (target & hosts == 1 || target & hosts == hosts - 1)
        }
        (IpAddr::V6(asker), IpAddr::V6(target)) => {
            let (asker, target) = (u128::from(asker), u128::from(target));
            asker >> 64 == target >> 64 && target << 64 == 1 << 64
        }
        _ => false,
    }
}

/// The target of this finding serves its asker as next hop.
pub(super) fn is_next_hop(finding: &Finding) -> bool {
    finding.details.contains(&("next_hop", Value::Bool(true)))
}

/// Is `server` behind a router for `asker`, as far as addresses tell?
pub(super) fn is_remote(asker: IpAddr, server: IpAddr) -> bool {
    match (asker, server) {
        (IpAddr::V4(asker), IpAddr::V4(server)) => u32::from(asker) >> 8 != u32::from(server) >> 8,
        (IpAddr::V6(asker), IpAddr::V6(server)) => {
            server.segments()[0] & 0xffc0 != 0xfe80
                && u128::from(asker) >> 64 != u128::from(server) >> 64
        }
        _ => false,
    }
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (asker, target) = (finding.client_text(), finding.server_text());
    let requests = finding.number("requests").unwrap_or(0);
    let seconds = finding.number("waited_ms").unwrap_or(0) as f64 / 1_000.0;
    let hop = is_next_hop(finding);
    let more = finding.number("targets").unwrap_or(1) - 1;
    match lang {
        Lang::En => {
            let hop = if hop { ", its next hop," } else { "" };
            let more = if more > 0 {
                format!("; {more} more addresses likewise")
            } else {
                String::new()
            };
            format!(
                "{asker} asked {requests} times in {seconds:.1} s who has {target}{hop} and got no answer{more}"
            )
        }
        Lang::Zh => {
            let hop = if hop { "（下一跳）" } else { " " };
            let more = if more > 0 {
                format!("；另有 {more} 个地址同样无应答")
            } else {
                String::new()
            };
            format!(
                "{asker} 在 {seconds:.1} 秒内 {requests} 次询问 {target}{hop}的 MAC 地址，均无应答{more}"
            )
        }
    }
}
