#![doc = include_str!("http_throttled.en.md")]

use crate::failure::application::exchange::{self, answer, subject};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::http1::Exchange;

/// `application.http-throttled`
pub static CLASS: Class = Class {
    code: "application.http-throttled",
    severity: Severity::Warning,
    guide: guide!("http_throttled"),
    summary,
};

/// 429 Too Many Requests (RFC 6585 4).
pub fn detect(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let mut finding = exchange::finding(at, &CLASS, exchange).failing();
    if let Some(after) = exchange
        .response
        .as_ref()
        .and_then(|response| response.retry_after.clone())
    {
        finding = finding.detail("retry_after", Value::Text(after.into()));
    }
    Some(finding)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let status = answer(finding, lang);
    match lang {
        Lang::En if finding.number("status") == Some(429) => {
            format!("{what} answered {client} with {status} Too Many Requests")
        }
        Lang::En => format!("{what} answered {client} with {status}: too many requests"),
        Lang::Zh => format!("{what} 对 {client} 应答 {status}：请求过多"),
    }
}
