#![doc = include_str!("session_expired.en.md")]

use crate::failure::application::exchange::subject;
use crate::failure::data;
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::http1::{Exchange, Reading};

/// `data.session-expired`
pub static CLASS: Class = Class {
    code: "data.session-expired",
    severity: Severity::Error,
    guide: guide!("session_expired"),
    summary,
};

/// A field holds what a rule calls the mark of a lost session.
pub(super) fn detect(at: &Episode<'_>, exchange: &Exchange, reading: &Reading) -> Option<Finding> {
    let marker = reading.session_lost.as_ref()?;
    let mut finding = data::read(at, &CLASS, exchange, "server", reading)
        .detail("marker", Value::Text(marker.clone()));
    if let Some((_, code)) = reading.code.as_ref().filter(|_| !reading.success) {
        finding = finding.detail("code", Value::Text(code.clone()));
    }
    Some(match &reading.message {
        Some(message) => finding.detail("message", Value::Text(message.clone())),
        None => finding,
    })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let marker = finding
        .text("message")
        .or(finding.text("marker"))
        .unwrap_or("");
    match lang {
        Lang::En => format!("{what} no longer knows the session of {client}: {marker}"),
        Lang::Zh => format!("{what} 已不认 {client} 的登录会话：{marker}"),
    }
}
