#![doc = include_str!("response_empty.en.md")]

use crate::failure::application::exchange::{self, subject};
use crate::failure::application::trace;
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value, data};
use crate::guide;
use crate::protocol::http1::{Declared, Exchange, Reading};

/// `data.response-empty`
pub static CLASS: Class = Class {
    code: "data.response-empty",
    severity: Severity::Warning,
    guide: guide!("response_empty"),
    summary,
};

/// 200 or 201 without a body where data was asked for.
pub(super) fn detect(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    is_empty(exchange).then(|| exchange::finding(at, &CLASS, exchange))
}

/// A success without the data that a rule names.
pub(super) fn lacking(at: &Episode<'_>, exchange: &Exchange, reading: &Reading) -> Option<Finding> {
    let field = reading.lacking.as_ref()?;
    let finding = data::read(at, &CLASS, exchange, "server", reading);
    Some(finding.detail("lacking", Value::Text(field.clone())))
}

/// Is there nothing in a response that had to hold something? What has no body by its nature aside: HEAD, OPTIONS, PUT
/// and DELETE, statuses other than 200 and 201, streams, and whatever asked for no data.
pub(crate) fn is_empty(exchange: &Exchange) -> bool {
    let (Some(request), Some(response)) = (&exchange.request, &exchange.response) else {
        return false;
    };
    // What costs nothing is asked first: nearly every response holds something.
    let nothing = matches!(response.status, 200 | 201)
        && response.complete
        && !response.streams
        && !response.broken
        && response.body.seen_bytes == 0
        && response.body.missed_bytes == 0
        && exchange.sure;
    nothing
        && matches!(request.method.as_str(), "GET" | "POST")
        && !is_notice(&request.target)
        && !exchange::is_furniture(&request.target)
        && (request.wants_data()
            || trace::is_api(request)
            || matches!(
                Declared::of(response.content_type.as_deref()),
                Some(Declared::Json | Declared::Xml)
            ))
}

/// Does a target take notice of something and have nothing to say: counters, signs of life, callbacks?
fn is_notice(target: &str) -> bool {
    const WORDS: [&str; 21] = [
        "health",
        "ping",
        "heartbeat",
        "alive",
        "ready",
        "live",
        "beacon",
        "collect",
        "log",
        "logs",
        "report",
        "event",
        "events",
        "metrics",
        "track",
        "callback",
        "notify",
        "notice",
        "webhook",
        "ack",
        "upload",
    ];
    let path = exchange::path(target).to_ascii_lowercase();
    path.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| WORDS.contains(&word))
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let status = finding.number("status").unwrap_or(0);
    if let Some(field) = finding.text("lacking") {
        return match lang {
            Lang::En => format!("{what} answered {client} with success and without {field}"),
            Lang::Zh => format!("{what} 对 {client} 应答成功，但没有 {field}"),
        };
    }
    match lang {
        Lang::En => format!("{what} answered {client} with {status} and nothing in it"),
        Lang::Zh => format!("{what} 对 {client} 应答 {status}，但正文为空"),
    }
}
