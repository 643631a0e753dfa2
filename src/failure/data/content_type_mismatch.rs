#![doc = include_str!("content_type_mismatch.en.md")]

use crate::failure::application::exchange::{self, subject};
use crate::failure::data;
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::http1::{Declared, Exchange};

/// `data.content-type-mismatch`
pub static CLASS: Class = Class {
    code: "data.content-type-mismatch",
    severity: Severity::Warning,
    guide: guide!("content_type_mismatch"),
    summary,
};

/// An HTML page with a status of success where JSON or XML was asked for or declared.
pub(super) fn detect(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let request = exchange.request.as_ref()?;
    let response = exchange.response.as_ref()?;
    let declared = Declared::of(response.content_type.as_deref());
    let template = exchange::path(&request.target).to_ascii_lowercase();
    // Programs of the browser load pieces of pages with the headers of data.
    if [".html", ".htm", ".tpl", ".vue"]
        .iter()
        .any(|ending| template.ends_with(ending))
    {
        return None;
    }
    let asked = match (declared, &request.accept) {
        (Some(Declared::Json), _) => "json",
        (Some(Declared::Xml), _) => "xml",
        (_, Some(accept)) if accept.to_ascii_lowercase().contains("json") => "json",
        (_, Some(accept)) if accept.to_ascii_lowercase().contains("xml") => "xml",
        _ => match Declared::of(request.content_type.as_deref()) {
            Some(Declared::Xml) => "xml",
            _ => "json",
        },
    };
    Some(
        data::finding(at, &CLASS, exchange, "server")
            .detail("asked_for", Value::Text(asked.to_owned()))
            .detail("answered", Value::Text("html".to_owned())),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let status = finding.number("status").unwrap_or(0);
    let asked = finding.text("asked_for").unwrap_or("").to_ascii_uppercase();
    match lang {
        Lang::En => {
            format!("{what} answered {client} with {status} and a web page instead of {asked}")
        }
        Lang::Zh => format!("{what} 对 {client} 应答 {status}，返回的是网页而非 {asked} 数据"),
    }
}
