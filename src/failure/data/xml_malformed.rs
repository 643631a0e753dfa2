#![doc = include_str!("xml_malformed.en.md")]

use crate::failure::data::parties;
use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `data.xml-malformed`
pub static CLASS: Class = Class {
    code: "data.xml-malformed",
    severity: Severity::Error,
    guide: guide!("xml_malformed"),
    summary,
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let ((what, body), client) = (parties(finding, lang), finding.client_text());
    let error = finding.text("error").unwrap_or("");
    let at = finding.number("offset").unwrap_or(0);
    match lang {
        Lang::En => {
            format!("the {body} of {what} for {client} is no well-formed XML: byte {at}, {error}")
        }
        Lang::Zh => {
            format!("{what}（客户端 {client}）的{body}正文不是合法 XML：第 {at} 字节处，{error}")
        }
    }
}
