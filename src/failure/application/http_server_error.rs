#![doc = include_str!("http_server_error.en.md")]

use crate::failure::application::exchange::{self, answer, subject};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;
use crate::protocol::http1::Exchange;

/// `application.http-server-error`
pub static CLASS: Class = Class {
    code: "application.http-server-error",
    severity: Severity::Error,
    guide: guide!("http_server_error"),
    summary,
};

/// A 5xx that has no class of its own.
pub fn detect(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    Some(exchange::finding(at, &CLASS, exchange).failing())
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let status = answer(finding, lang);
    match lang {
        Lang::En => format!("{what} answered {client} with {status}"),
        Lang::Zh => format!("{what} 对 {client} 应答 {status}"),
    }
}
