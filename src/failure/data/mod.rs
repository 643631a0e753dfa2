//! 数据层: what bodies hold, of plain HTTP whose bodies came in full. One body, one code: its coding before its
//! characters, and those before its form.

pub mod business_error;
pub mod charset_mismatch;
pub mod content_type_mismatch;
pub mod digest_mismatch;
pub mod json_malformed;
pub mod payload_undecodable;
pub mod response_empty;
pub mod session_expired;
pub mod status_stuck;
pub mod version_mismatch;
pub mod xml_malformed;

use crate::failure::application::exchange;
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Value};
use crate::protocol::http1::{Content, Exchange, Fault, FormFault, Reading};

/// Is there something to be said of an exchange that went well otherwise?
pub(crate) fn is_odd(exchange: &Exchange) -> bool {
    let faulty = |content: Option<&Content>| {
        let odd = |reading: &Reading| {
            reading.code.is_some() && !reading.success
                || reading.session_lost.is_some()
                || reading.version_refused.is_some()
                || reading.digest.is_some()
                || reading.undecodable.is_some()
                || reading.lacking.is_some()
        };
        content.is_some_and(|content| {
            content.fault.is_some() || content.reading.as_deref().is_some_and(odd)
        })
    };
    let request = exchange
        .request
        .as_ref()
        .and_then(|request| request.content.as_deref());
    let response = exchange
        .response
        .as_ref()
        .and_then(|response| response.content.as_deref());
    let asked = request.and_then(|content| content.reading.as_deref());
    let answer = response.and_then(|content| content.reading.as_deref());
    let versions = answer.is_some_and(|reading| version_mismatch::is_odd(asked, reading));
    faulty(request)
        || faulty(response)
        || versions
        || response.is_some_and(|content| content.page)
        || response_empty::is_empty(exchange)
}

/// What is wrong with the request's body; told where the answer does not say that it was understood.
pub(crate) fn of_request(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let content = exchange.request.as_ref()?.content.as_deref()?;
    let refused = exchange
        .status()
        .is_none_or(|status| matches!(status, 400 | 415 | 422) || status < 300);
    if !refused {
        return None;
    }
    match (&content.fault, content.reading.as_deref()) {
        (Some(fault), _) => Some(told(at, exchange, fault, "client")),
        (None, reading) => of_wrapping(at, exchange, reading?, "client"),
    }
}

/// What is wrong with the response's body.
pub(crate) fn of_response(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let response = exchange.response.as_ref()?;
    if response
        .content
        .as_ref()
        .is_some_and(|content| content.page)
    {
        return content_type_mismatch::detect(at, exchange);
    }
    let fault = response
        .content
        .as_ref()
        .and_then(|content| content.fault.as_ref());
    match fault {
        Some(fault) => Some(told(at, exchange, fault, "server")),
        None => of_reading(at, exchange).or_else(|| response_empty::detect(at, exchange)),
    }
}

/// What endpoint rules read in the answer; the most specific first.
fn of_reading(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let content = exchange
        .request
        .as_ref()
        .and_then(|request| request.content.as_deref());
    let asked = content.and_then(|content| content.reading.as_deref());
    let reading = exchange
        .response
        .as_ref()?
        .content
        .as_deref()?
        .reading
        .as_deref()?;
    of_wrapping(at, exchange, reading, "server")
        .or_else(|| session_expired::detect(at, exchange, reading))
        .or_else(|| version_mismatch::detect(at, exchange, asked, reading))
        .or_else(|| business_error::detect(at, exchange, reading))
        .or_else(|| response_empty::lacking(at, exchange, reading))
}

/// What is wrong with what a body wraps.
fn of_wrapping(
    at: &Episode<'_>,
    exchange: &Exchange,
    reading: &Reading,
    sender: &'static str,
) -> Option<Finding> {
    payload_undecodable::wrapped(at, exchange, reading, sender)
        .or_else(|| digest_mismatch::detect(at, exchange, reading, sender))
}

/// A finding about what a rule read in a body.
fn read(
    at: &Episode<'_>,
    class: &'static Class,
    exchange: &Exchange,
    sender: &'static str,
    reading: &Reading,
) -> Finding {
    let finding = finding(at, class, exchange, sender)
        .detail("rule", Value::Text(reading.payload.to_string()));
    match &reading.serial {
        Some(serial) => finding.detail("serial", Value::Text(serial.clone())),
        None => finding,
    }
}

fn told(at: &Episode<'_>, exchange: &Exchange, fault: &Fault, sender: &'static str) -> Finding {
    match fault {
        Fault::Coding(coding) => payload_undecodable::finding(at, exchange, coding, sender),
        Fault::Charset { declared, by, fits } => {
            charset_mismatch::finding(at, exchange, (declared, by, fits), sender)
        }
        Fault::Json(form) => formed(finding(at, &json_malformed::CLASS, exchange, sender), form),
        Fault::Xml(form) => formed(finding(at, &xml_malformed::CLASS, exchange, sender), form),
    }
}

/// A finding about a body, with who sent it.
fn finding(
    at: &Episode<'_>,
    class: &'static Class,
    exchange: &Exchange,
    sender: &'static str,
) -> Finding {
    let mut finding =
        exchange::finding(at, class, exchange).detail("sender", Value::Text(sender.to_owned()));
    let (kind, last) = if sender == "client" {
        let request = exchange.request.as_ref();
        (
            request.and_then(|request| request.content_type.clone()),
            request.map(|request| (request.last, request.head)),
        )
    } else {
        let response = exchange.response.as_ref();
        (
            response.and_then(|response| response.content_type.clone()),
            response.map(|response| (response.last, response.head)),
        )
    };
    if let Some((last, _)) = last.filter(|(last, head)| last != head) {
        finding = finding.seen(last, "body");
    }
    match kind {
        Some(kind) => finding.detail("content_type", Value::Text(kind.into())),
        None => finding,
    }
}

fn formed(finding: Finding, form: &FormFault) -> Finding {
    finding
        .detail(
            "offset",
            Value::Number(i64::try_from(form.at).unwrap_or(i64::MAX)),
        )
        .detail("error", Value::Text(form.why.clone()))
}

/// Who sent the body of a finding to whom.
fn parties(finding: &Finding, lang: Lang) -> (String, &'static str) {
    let subject = exchange::subject(finding, lang);
    let sent = finding.text("sender") == Some("client");
    let word = match (sent, lang) {
        (true, Lang::En) => "request",
        (false, Lang::En) => "response",
        (true, Lang::Zh) => "请求",
        (false, Lang::Zh) => "响应",
    };
    (subject, word)
}
