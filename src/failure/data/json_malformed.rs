#![doc = include_str!("json_malformed.en.md")]

use crate::failure::data::parties;
use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `data.json-malformed`
pub static CLASS: Class = Class {
    code: "data.json-malformed",
    severity: Severity::Error,
    guide: guide!("json_malformed"),
    summary,
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let ((what, body), client) = (parties(finding, lang), finding.client_text());
    let error = finding.text("error").unwrap_or("");
    let at = finding.number("offset").unwrap_or(0);
    match lang {
        Lang::En => {
            format!("the {body} of {what} for {client} is no well-formed JSON: byte {at}, {error}")
        }
        Lang::Zh => {
            format!("{what}（客户端 {client}）的{body}正文不是合法 JSON：第 {at} 字节处，{error}")
        }
    }
}
