#![doc = include_str!("charset_mismatch.en.md")]

use crate::failure::data::{self, parties};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::http1::Exchange;

/// `data.charset-mismatch`
pub static CLASS: Class = Class {
    code: "data.charset-mismatch",
    severity: Severity::Warning,
    guide: guide!("charset_mismatch"),
    summary,
};

/// The declared character set does not decode the body, another does.
pub(super) fn finding(
    at: &Episode<'_>,
    exchange: &Exchange,
    (declared, by, fits): (&str, &str, &str),
    sender: &'static str,
) -> Finding {
    data::finding(at, &CLASS, exchange, sender)
        .detail("declared", Value::Text(declared.to_owned()))
        .detail("declared_by", Value::Text(by.to_owned()))
        .detail("fits", Value::Text(fits.to_owned()))
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let ((what, body), client) = (parties(finding, lang), finding.client_text());
    let declared = finding.text("declared").unwrap_or("");
    let fits = finding.text("fits").unwrap_or("");
    match lang {
        Lang::En => format!(
            "the {body} of {what} for {client} is declared {declared} and does not decode as that; it does as {fits}"
        ),
        Lang::Zh => format!(
            "{what}（客户端 {client}）的{body}正文声明为 {declared} 却无法按其解码，按 {fits} 可以"
        ),
    }
}
