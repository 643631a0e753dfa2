#![doc = include_str!("encrypted_blind.en.md")]

use crate::failure::capture::{about, number};
use crate::failure::flow::Quality;
use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `capture.encrypted-blind`
pub static CLASS: Class = Class {
    code: "capture.encrypted-blind",
    severity: Severity::Info,
    guide: guide!("encrypted_blind"),
    summary,
};

/// Conversations whose application layer could not be judged for want of keys.
pub(super) fn judge(quality: &Quality) -> Option<Finding> {
    (quality.blind > 0).then(|| {
        about(&CLASS, quality.first_blind, "encrypted")
            .detail("flows", number(quality.blind))
            .detail("flows_seen", number(quality.flows))
    })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (flows, all) = (
        finding.number("flows").unwrap_or(0),
        finding.number("flows_seen").unwrap_or(0),
    );
    match lang {
        Lang::En => format!(
            "{flows} of {all} TCP connections are encrypted: requests and status codes are not visible"
        ),
        Lang::Zh => format!("{all} 条 TCP 连接中有 {flows} 条已加密，看不到请求内容和状态码"),
    }
}
