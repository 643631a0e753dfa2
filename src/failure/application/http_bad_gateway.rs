#![doc = include_str!("http_bad_gateway.en.md")]

use crate::failure::application::exchange::{self, subject};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;
use crate::protocol::http1::Exchange;

/// `application.http-bad-gateway`
pub static CLASS: Class = Class {
    code: "application.http-bad-gateway",
    severity: Severity::Error,
    guide: guide!("http_bad_gateway"),
    summary,
};

/// 502 Bad Gateway or 504 Gateway Timeout (RFC 9110 15.6.3, 15.6.5).
pub fn detect(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    Some(exchange::finding(at, &CLASS, exchange).failing())
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let status = finding.number("status").unwrap_or(0);
    match lang {
        Lang::En => format!(
            "{what} answered {client} with {status}: the gateway got nothing usable from behind it"
        ),
        Lang::Zh => format!("{what} 对 {client} 应答 {status}：网关未从后端得到可用响应"),
    }
}
