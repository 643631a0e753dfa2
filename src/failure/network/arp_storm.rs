#![doc = include_str!("arp_storm.en.md")]

use std::collections::BTreeMap;

use crate::failure::network::arp_unanswered::mac_text;
use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::flow::neighbours::Burst;
use crate::guide;
use crate::time::{Nanos, SECOND, Timestamp};

/// `network.arp-storm`
pub static CLASS: Class = Class {
    code: "network.arp-storm",
    severity: Severity::Error,
    guide: guide!("arp_storm"),
    summary,
};

/// Broadcasts a second that are a storm anywhere.
const RATE: u64 = 500;
/// Broadcasts a second that are one where the median second has a tenth of it.
const RATE_UNUSUAL: u64 = 100;
const UNUSUAL: u64 = 10;
/// The median of a capture that is shorter says nothing.
const CAPTURE_MIN: Nanos = 60 * SECOND;
/// It lasts as long.
const LASTS_MIN: Nanos = SECOND;

/// Storms of a capture that lasts from `begin` to `end`, the first of each VLAN with how many.
pub fn judge(bursts: &[Burst], (begin, end): (Timestamp, Timestamp)) -> Vec<Finding> {
    let mut by_vlan: BTreeMap<Option<u16>, Finding> = BTreeMap::new();
    let length = end.since(begin);
    for burst in bursts {
        let (Some(first), Some(last)) = (burst.marks.first(), burst.marks.last()) else {
            continue;
        };
        let span = last.time.since(first.time);
        let peak = u64::from(burst.peak);
        let mean = burst
            .count
            .saturating_mul(1_000)
            .checked_div((span / 1_000_000).max(1).unsigned_abs())
            .unwrap_or(0);
        let seconds = (length / SECOND).max(1).unsigned_abs();
        let usual = burst.median(seconds);
        let unusual =
            length >= CAPTURE_MIN && peak >= RATE_UNUSUAL && peak >= usual.saturating_mul(UNUSUAL);
        if span < LASTS_MIN || !(peak >= RATE || mean >= RATE || unusual) {
            continue;
        }
        if let Some(known) = by_vlan.get_mut(&burst.vlan) {
            known.count += 1;
            known.last = known.last.max(last.time);
        } else {
            by_vlan.insert(burst.vlan, about(burst, usual, span));
        }
    }
    let mut findings: Vec<Finding> = by_vlan.into_values().collect();
    findings.sort_by_key(|finding| finding.first);
    findings
}

fn about(burst: &Burst, usual: u64, span: Nanos) -> Finding {
    let first = burst.marks.first().copied().unwrap_or_default();
    let mut finding = Finding::new(&CLASS, Subject::Link, first.time);
    for mark in &burst.marks {
        finding = finding.seen(*mark, "arp-broadcast");
    }
    let mut senders = burst.senders.clone();
    senders.sort_by_key(|(mac, count)| (std::cmp::Reverse(*count), *mac));
    let number = |count: u64| Value::Number(i64::try_from(count).unwrap_or(i64::MAX));
    finding = finding
        .detail("broadcasts", number(burst.count))
        .detail("per_second", number(burst.peak.into()))
        .detail("usual_per_second", number(usual))
        .detail("lasted_ms", Value::Number(span / 1_000_000));
    if let Some(vlan) = burst.vlan {
        finding = finding.detail("vlan", Value::Number(vlan.into()));
    }
    if let Some((mac, count)) = senders.first() {
        finding = finding
            .detail("top_mac", Value::Text(mac_text(*mac)))
            .detail("top_count", number(*count));
    }
    finding.detail("senders", number(senders.len() as u64))
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let count = finding.number("broadcasts").unwrap_or(0);
    let peak = finding.number("per_second").unwrap_or(0);
    let seconds = finding.number("lasted_ms").unwrap_or(0) as f64 / 1e3;
    let mac = finding.text("top_mac").unwrap_or("");
    let vlan = finding.number("vlan");
    match lang {
        Lang::En => {
            let vlan = vlan.map_or_else(String::new, |vlan| format!(" in VLAN {vlan}"));
            format!(
                "{count} ARP broadcasts{vlan} in {seconds:.1} s, up to {peak} a second, most of them by {mac}"
            )
        }
        Lang::Zh => {
            let vlan = vlan.map_or_else(String::new, |vlan| format!("VLAN {vlan} 中"));
            format!(
                "{vlan}{seconds:.1} 秒内出现 {count} 个 ARP 广播，峰值每秒 {peak} 个，主要来自 {mac}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Mark;

    /// Broadcasts in so many milliseconds with this peak, in a capture of so many seconds whose other seconds had
    /// `usual` each.
    fn check(count: u64, peak: u32, lasts_ms: i64, capture: i64, usual: usize) -> bool {
        let at = |ms: i64| Mark {
            time: Timestamp::from_ns(ms * 1_000_000),
            ..Mark::default()
        };
        let mut histogram = vec![0; 1_024];
        histogram[usual] = u32::try_from(capture).unwrap_or(0);
        let mut burst = Burst::default();
        burst.count = count;
        burst.peak = peak;
        burst.marks = vec![at(0), at(lasts_ms)];
        burst.histogram = histogram;
        let whole = (Timestamp::from_ns(0), Timestamp::from_ns(capture * SECOND));
        !judge(&[burst], whole).is_empty()
    }

    #[test]
    fn five_hundred_a_second_are_a_storm_in_any_capture() {
        assert!(check(1_200, 600, 2_000, 5, 1));
        assert!(!check(900, 450, 2_000, 5, 1));
        assert!(!check(600, 600, 700, 5, 1));
    }

    #[test]
    fn less_is_one_beside_a_quiet_median_of_a_minute() {
        assert!(check(300, 150, 2_000, 60, 10));
        assert!(!check(300, 150, 2_000, 60, 20));
        assert!(!check(300, 150, 2_000, 59, 10));
    }
}
