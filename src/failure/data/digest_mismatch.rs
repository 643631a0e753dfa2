#![doc = include_str!("digest_mismatch.en.md")]

use crate::failure::data::{self, parties};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::http1::{Exchange, Reading};

/// `data.digest-mismatch`
pub static CLASS: Class = Class {
    code: "data.digest-mismatch",
    severity: Severity::Error,
    guide: guide!("digest_mismatch"),
    summary,
};

/// A digest field is the digest neither of its data field nor of what that field wraps.
pub(super) fn detect(
    at: &Episode<'_>,
    exchange: &Exchange,
    reading: &Reading,
    sender: &'static str,
) -> Option<Finding> {
    let (field, digest) = reading.digest.as_ref()?;
    Some(
        data::read(at, &CLASS, exchange, sender, reading)
            .detail("field", Value::Text(field.clone()))
            .detail("digest", Value::Text(digest.clone())),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let ((what, body), client) = (parties(finding, lang), finding.client_text());
    let field = finding.text("field").unwrap_or("");
    match lang {
        Lang::En => format!(
            "the digest {field} in the {body} of {what} for {client} is not that of its data"
        ),
        Lang::Zh => format!("{what}（客户端 {client}）的{body}正文中，摘要 {field} 与其数据不符"),
    }
}
