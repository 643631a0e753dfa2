#![doc = include_str!("duplicated.en.md")]

use crate::failure::capture::{about, counted, number, share};
use crate::failure::flow::Quality;
use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `capture.duplicated`
pub static CLASS: Class = Class {
    code: "capture.duplicated",
    severity: Severity::Info,
    guide: guide!("duplicated"),
    summary,
};

/// Packets that are further sightings of one seen before; they are set aside.
pub(super) fn judge(quality: &Quality, packets: u64) -> Option<Finding> {
    (quality.sightings > 0).then(|| {
        about(&CLASS, quality.first_sighting, "duplicate")
            .detail("packets", number(quality.sightings))
            .detail("share", share(quality.sightings, packets))
    })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let packets = finding.number("packets").unwrap_or(0);
    let share = finding.number("share").unwrap_or(0) as f64 / 10.0;
    match lang {
        Lang::En => format!(
            "{} ({share:.1} %) captured more than once and set aside",
            counted(packets, "packet")
        ),
        Lang::Zh => format!("{packets} 个报文（{share:.1} %）被重复抓到，分析时已剔除"),
    }
}
