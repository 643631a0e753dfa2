#![doc = include_str!("http_forbidden.en.md")]

use crate::failure::application::exchange::{self, answer, subject};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::http1::{Declared, Exchange};

/// `application.http-forbidden`
pub static CLASS: Class = Class {
    code: "application.http-forbidden",
    severity: Severity::Error,
    guide: guide!("http_forbidden"),
    summary,
};

/// 403, and whether an application firewall left its mark on it. Page furniture aside.
pub fn detect(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    if exchange
        .request
        .as_ref()
        .is_some_and(|request| exchange::is_furniture(&request.target))
    {
        return None;
    }
    let firewall = exchange
        .response
        .as_ref()
        .and_then(|response| response.firewall);
    let mut finding = exchange::finding(at, &CLASS, exchange);
    if let Some(answered) = answered(exchange) {
        finding = finding.detail("answered", Value::Text(answered.to_owned()));
    }
    Some(match firewall {
        Some(mark) => finding
            .detail("waf", Value::Text(mark.to_owned()))
            .failing(),
        None => finding,
    })
}

/// What data was asked for was refused with: data, or a page for people, which the service itself does not speak.
fn answered(exchange: &Exchange) -> Option<&'static str> {
    let (request, response) = (exchange.request.as_ref()?, exchange.response.as_ref()?);
    let accept = request.accept.as_deref().unwrap_or("").to_ascii_lowercase();
    let sent = Declared::of(request.content_type.as_deref());
    let data = matches!(sent, Some(Declared::Json | Declared::Xml))
        || ((accept.contains("json") || accept.contains("xml")) && !accept.contains("html"));
    match Declared::of(response.content_type.as_deref())? {
        _ if !data => None,
        Declared::Html => Some("page"),
        Declared::Json | Declared::Xml => Some("data"),
    }
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let status = answer(finding, lang);
    match lang {
        Lang::Zh if finding.number("grpc_status").is_some() => {
            format!("{what} 对 {client} 应答 {status}")
        }
        Lang::En if finding.number("grpc_status").is_some() => {
            format!("{what} answered {client} with {status}")
        }
        Lang::En => format!("{what} answered {client} with {status} Forbidden"),
        Lang::Zh => format!("{what} 对 {client} 应答 {status} 禁止访问"),
    }
}
