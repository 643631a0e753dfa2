#![doc = include_str!("business_error.en.md")]

use crate::failure::application::exchange::subject;
use crate::failure::data;
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::http1::{Exchange, Reading};

/// `data.business-error`
pub static CLASS: Class = Class {
    code: "data.business-error",
    severity: Severity::Error,
    guide: guide!("business_error"),
    summary,
};

/// The return code that a rule names holds none of its success values.
pub(super) fn detect(at: &Episode<'_>, exchange: &Exchange, reading: &Reading) -> Option<Finding> {
    let (field, code) = reading.code.as_ref().filter(|_| !reading.success)?;
    let finding = data::read(at, &CLASS, exchange, "server", reading)
        .detail("code", Value::Text(code.clone()))
        .detail("field", Value::Text(field.clone()));
    Some(match &reading.message {
        Some(message) => finding.detail("message", Value::Text(message.clone())),
        None => finding,
    })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let code = finding.text("code").unwrap_or("");
    let message = finding.text("message").unwrap_or("");
    match (lang, message.is_empty()) {
        (Lang::En, true) => format!("{what} refused the business of {client} with code {code}"),
        (Lang::En, false) => {
            format!("{what} refused the business of {client} with code {code}: {message}")
        }
        (Lang::Zh, true) => format!("{what} 对 {client} 返回业务失败码 {code}"),
        (Lang::Zh, false) => format!("{what} 对 {client} 返回业务失败码 {code}：{message}"),
    }
}
