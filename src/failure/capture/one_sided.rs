#![doc = include_str!("one_sided.en.md")]

use crate::failure::capture::{about, number};
use crate::failure::flow::Quality;
use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `capture.one-sided`
pub static CLASS: Class = Class {
    code: "capture.one-sided",
    severity: Severity::Info,
    guide: guide!("one_sided"),
    summary,
};

/// Conversations of which one direction is absent although it must exist.
pub(super) fn judge(quality: &Quality) -> Option<Finding> {
    (quality.one_sided > 0).then(|| {
        about(&CLASS, quality.first_one_sided, "first-frame")
            .detail("flows", number(quality.one_sided))
            .detail("flows_seen", number(quality.flows))
    })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (flows, all) = (
        finding.number("flows").unwrap_or(0),
        finding.number("flows_seen").unwrap_or(0),
    );
    match lang {
        Lang::En => format!("{flows} of {all} TCP connections show one direction only"),
        Lang::Zh => format!("{all} 条 TCP 连接中有 {flows} 条只抓到单方向报文"),
    }
}
