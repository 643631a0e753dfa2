#![doc = include_str!("payload_undecodable.en.md")]

use crate::failure::data::{self, parties};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::http1::{CodingFault, Exchange, Reading};

/// `data.payload-undecodable`
pub static CLASS: Class = Class {
    code: "data.payload-undecodable",
    severity: Severity::Error,
    guide: guide!("payload_undecodable"),
    summary,
};

/// The declared gzip or deflate coding does not decode (RFC 9110 8.4.1).
pub(super) fn finding(
    at: &Episode<'_>,
    exchange: &Exchange,
    fault: &CodingFault,
    sender: &'static str,
) -> Finding {
    let finding = data::finding(at, &CLASS, exchange, sender)
        .detail("coding", Value::Text(fault.coding.to_owned()))
        .detail("error", Value::Text(fault.why.clone()));
    if fault.plain {
        finding.detail("plain", Value::Bool(true))
    } else {
        finding
    }
}

/// A field that a rule calls base64, or zipped in it, does not decode.
pub(super) fn wrapped(
    at: &Episode<'_>,
    exchange: &Exchange,
    reading: &Reading,
    sender: &'static str,
) -> Option<Finding> {
    let (field, coding, why) = reading.undecodable.as_ref()?;
    Some(
        data::read(at, &CLASS, exchange, sender, reading)
            .detail("field", Value::Text(field.clone()))
            .detail("coding", Value::Text((*coding).to_owned()))
            .detail("error", Value::Text(why.clone())),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let ((what, body), client) = (parties(finding, lang), finding.client_text());
    let coding = finding.text("coding").unwrap_or("");
    let error = finding.text("error").unwrap_or("");
    if let Some(field) = finding.text("field") {
        return match lang {
            Lang::En => format!(
                "{field} in the {body} of {what} for {client} is to be {coding} and does not decode: {error}"
            ),
            Lang::Zh => format!(
                "{what}（客户端 {client}）的{body}正文中，{field} 应为 {coding}，但无法解开：{error}"
            ),
        };
    }
    match lang {
        Lang::En => format!(
            "the {body} of {what} for {client} is declared {coding} and does not decode: {error}"
        ),
        Lang::Zh => format!(
            "{what}（客户端 {client}）的{body}正文声明为 {coding} 压缩，但无法解压：{error}"
        ),
    }
}
