#![doc = include_str!("http_not_found.en.md")]

use crate::failure::application::exchange::{self, subject};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;
use crate::protocol::http1::Exchange;

/// `application.http-not-found`
pub static CLASS: Class = Class {
    code: "application.http-not-found",
    severity: Severity::Error,
    guide: guide!("http_not_found"),
    summary,
};

/// 404 or 410 on a path of an interface; icons, robots.txt and the like are ordinary.
pub fn detect(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    if exchange
        .request
        .as_ref()
        .is_none_or(|request| exchange::is_furniture(&request.target))
    {
        return None;
    }
    Some(exchange::finding(at, &CLASS, exchange))
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let status = finding.number("status").unwrap_or(0);
    match lang {
        Lang::En => format!("{what} answered {client} with {status}: no such resource"),
        Lang::Zh => format!("{what} 对 {client} 应答 {status}：资源不存在"),
    }
}
