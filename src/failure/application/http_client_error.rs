#![doc = include_str!("http_client_error.en.md")]

use crate::failure::application::exchange::{self, answer, subject};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::http1::Exchange;

/// `application.http-client-error`
pub static CLASS: Class = Class {
    code: "application.http-client-error",
    severity: Severity::Warning,
    guide: guide!("http_client_error"),
    summary,
};

/// A 4xx that has no class of its own. Ordinary are page furniture, 408 where nothing was asked, and 417 where the
/// client only asked leave to send its body (RFC 9110 10.1.1: it repeats the request without).
pub fn detect(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let request = exchange.request.as_ref()?;
    let leave = exchange.status() == Some(417) && request.expects_continue;
    if leave || exchange::is_furniture(&request.target) {
        return None;
    }
    let response = exchange.response.as_ref()?;
    let mut finding = exchange::finding(at, &CLASS, exchange);
    if !response.reason.is_empty() {
        finding = finding.detail("reason_phrase", Value::Text(response.reason.to_string()));
    }
    Some(match response.firewall {
        Some(mark) => finding.detail("waf", Value::Text(mark.to_owned())),
        None => finding,
    })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let status = answer(finding, lang);
    match lang {
        Lang::En => format!("{what} answered {client} with {status}: the request does not suit it"),
        Lang::Zh => format!("{what} 对 {client} 应答 {status}：请求不符合要求"),
    }
}
