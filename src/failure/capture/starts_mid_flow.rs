#![doc = include_str!("starts_mid_flow.en.md")]

use crate::failure::capture::{about, number};
use crate::failure::flow::Quality;
use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `capture.starts-mid-flow`
pub static CLASS: Class = Class {
    code: "capture.starts-mid-flow",
    severity: Severity::Info,
    guide: guide!("starts_mid_flow"),
    summary,
};

/// Conversations that are older than the capture.
pub(super) fn judge(quality: &Quality) -> Option<Finding> {
    (quality.mid_flow > 0).then(|| {
        about(&CLASS, quality.first_mid_flow, "first-frame")
            .detail("flows", number(quality.mid_flow))
            .detail("flows_seen", number(quality.flows))
    })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (flows, all) = (
        finding.number("flows").unwrap_or(0),
        finding.number("flows_seen").unwrap_or(0),
    );
    match lang {
        Lang::En => format!("{flows} of {all} TCP connections began before the capture"),
        Lang::Zh => format!("{all} 条 TCP 连接中有 {flows} 条在抓包开始前已建立"),
    }
}
