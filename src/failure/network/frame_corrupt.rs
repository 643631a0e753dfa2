#![doc = include_str!("frame_corrupt.en.md")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::failure::{Class, Finding, Lang, Severity, Subject, Text, Value};
use crate::flow::checksums::{Checksums, Damage};
use crate::guide;
use crate::mark::Mark;

/// `network.frame-corrupt`
pub static CLASS: Class = Class {
    code: "network.frame-corrupt",
    severity: Severity::Warning,
    guide: guide!("frame_corrupt"),
    summary,
};

/// Of a host that sends right ones too, at most this share is wrong: one in so many.
const SHARE: u64 = 4;
/// So many right ones, before that a host is not known.
const RIGHT_MIN: u64 = 4;
/// So many wrong ones that nobody would repeat; a segment that was taken is not repeated, and was no damage.
const ALONE_MIN: u64 = 3;
/// Senders named.
const SAMPLE_MAX: usize = 16;

/// Wrong checksums among right ones of the same host: one finding for each receiver.
pub fn judge(checksums: &Checksums) -> Vec<Finding> {
    let mut by_receiver: BTreeMap<IpAddr, Vec<&Damage>> = BTreeMap::new();
    for damage in checksums.damaged() {
        if is_damage(damage) {
            let own = by_receiver.entry(damage.destination).or_default();
            own.push(damage);
        }
    }
    let mut findings: Vec<Finding> = by_receiver
        .into_iter()
        .map(|(receiver, all)| about(receiver, &all))
        .collect();
    findings.sort_by_key(|finding| (finding.first, finding.client));
    findings
}

/// All wrong is the work of a card, or of whoever rewrote addresses in the capture; some beside what is left to a card
/// are its own doing.
fn is_damage(damage: &Damage) -> bool {
    damage.right >= RIGHT_MIN
        && damage.right >= damage.wrong.saturating_mul(SHARE)
        && damage.offloaded == 0
        && (damage.repeated > 0 || damage.unrepeatable >= ALONE_MIN)
}

fn about(receiver: IpAddr, all: &[&Damage]) -> Finding {
    let mut marks: Vec<Mark> = all.iter().flat_map(|one| one.marks.clone()).collect();
    marks.sort_unstable();
    marks.dedup();
    let first = marks.first().copied().unwrap_or_default();
    let mut finding = Finding::new(&CLASS, Subject::Link, first.time);
    for mark in marks.iter().take(SAMPLE_MAX) {
        finding = finding.seen(*mark, "wrong-checksum");
    }
    let mut senders: Vec<IpAddr> = all.iter().map(|one| one.source).collect();
    senders.sort_unstable();
    senders.dedup();
    finding.client = Some((receiver, 0));
    if let [only] = senders.as_slice() {
        finding.server = Some((*only, 0));
    }
    let sum = |of: fn(&Damage) -> u64| {
        let total: u64 = all.iter().map(|one| of(one)).sum();
        Value::Number(i64::try_from(total).unwrap_or(i64::MAX))
    };
    let mut layers: Vec<String> = all.iter().map(|one| one.layer.name().to_owned()).collect();
    layers.sort_unstable();
    layers.dedup();
    finding = finding
        .detail("wrong", sum(|one| one.wrong))
        .detail("right", sum(|one| one.right))
        .detail("repeated", sum(|one| one.repeated))
        .detail("layers", Value::List(layers));
    if senders.len() > 1 {
        let named = senders.iter().take(SAMPLE_MAX).map(ToString::to_string);
        finding = finding.detail("senders", Value::List(named.collect()));
    }
    if all.iter().all(|one| one.repeated == 0) {
        finding = finding.at_most(75, NOT_REPEATED);
    }
    finding
}

const NOT_REPEATED: Text = Text {
    en: "no repetition shows that they were dropped: a device that rewrites packets and forgets the checksum looks the same",
    zh: "未见重传印证其被丢弃：改写报文却未更新校验和的设备看起来也是如此",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (receiver, sender) = (finding.client_text(), finding.server_text());
    let wrong = finding.number("wrong").unwrap_or(0);
    let right = finding.number("right").unwrap_or(0);
    let packets = match wrong {
        1 => "1 packet".to_owned(),
        wrong => format!("{wrong} packets"),
    };
    let sums = if wrong == 1 {
        "has a wrong checksum"
    } else {
        "have wrong checksums"
    };
    match (lang, sender.is_empty()) {
        (Lang::En, false) => format!(
            "{packets} of {sender} to {receiver} {sums}, {right} are right: damaged on the way"
        ),
        (Lang::En, true) => {
            format!("{packets} to {receiver} {sums}, {right} are right: damaged on the way")
        }
        (Lang::Zh, false) => format!(
            "{sender} 发往 {receiver} 的报文中有 {wrong} 个校验和错误，{right} 个正确：途中损坏"
        ),
        (Lang::Zh, true) => {
            format!("发往 {receiver} 的报文中有 {wrong} 个校验和错误，{right} 个正确：途中损坏")
        }
    }
}
