#![doc = include_str!("http_503.en.md")]

use crate::failure::application::exchange::{self, subject};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::http1::Exchange;

/// `application.http-503`
pub static CLASS: Class = Class {
    code: "application.http-503",
    severity: Severity::Error,
    guide: guide!("http_503"),
    summary,
};

/// 503 Service Unavailable (RFC 9110 15.6.4).
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
    let status = finding.number("status").unwrap_or(0);
    match lang {
        Lang::En => format!("{what} answered {client} with {status} Service Unavailable"),
        Lang::Zh => format!("{what} 对 {client} 应答 {status} 服务不可用"),
    }
}
