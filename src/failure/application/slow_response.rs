#![doc = include_str!("slow_response.en.md")]

use crate::failure::application::exchange::{self, SLOW, subject};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::protocol::http1::Exchange;
use crate::time::MILLISECOND;

/// `application.slow-response`
pub static CLASS: Class = Class {
    code: "application.slow-response",
    severity: Severity::Warning,
    guide: guide!("slow_response"),
    summary,
};

/// The first response byte came later than 3 s after the request's last. Long polls and event streams aside.
pub fn detect(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let waited = exchange::waited(exchange)?;
    if waited <= SLOW || exchange::is_long_poll(exchange) || !exchange.sure {
        return None;
    }
    Some(exchange::finding(at, &CLASS, exchange))
}

/// The same in a closed tunnel: the longest wait of the client's records for the server's. Several long waits on one
/// connection are the pace of a long poll.
pub fn detect_encrypted(at: &Episode<'_>) -> Option<Finding> {
    let session = at.tls.filter(|_| at.inside.is_none())?;
    let (asked, answered) = session.turns.slowest.filter(|_| session.turns.slow == 1)?;
    let waited = answered.time.since(asked.time);
    if waited <= SLOW || session.gapped.iter().any(|gapped| *gapped) {
        return None;
    }
    let finding = at
        .finding(&CLASS)
        .seen(asked, "request")
        .seen(answered, "response")
        .at_most(80, BY_RECORDS);
    Some(
        finding
            .detail("waited_ms", Value::Number(waited / MILLISECOND))
            .detail("encrypted", Value::Bool(true)),
    )
}

const BY_RECORDS: Text = Text {
    en: "encrypted: told by the order of records alone",
    zh: "内容已加密：仅由记录次序判断",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let seconds = finding.number("waited_ms").unwrap_or(0) as f64 / 1e3;
    match lang {
        Lang::En => format!("{what} let {client} wait {seconds:.1} s for the first byte"),
        Lang::Zh => format!("{what} 让 {client} 等待首字节 {seconds:.1} 秒"),
    }
}
