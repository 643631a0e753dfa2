#![doc = include_str!("tls_not_tls.en.md")]

use crate::failure::application::exchange;
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Direction::{ToClient, ToServer};
use crate::protocol::http1::Exchange;

/// `security.tls-not-tls`
pub static CLASS: Class = Class {
    code: "security.tls-not-tls",
    severity: Severity::Error,
    guide: guide!("tls_not_tls"),
    summary,
};

/// A ClientHello answered by something else, or plain HTTP answered by a TLS alert.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    hello_answered_in_clear(at).or_else(|| request_answered_by_tls(at))
}

fn hello_answered_in_clear(at: &Episode<'_>) -> Option<Finding> {
    let session = at.tls?;
    let hello = session.client_hello.as_ref()?;
    let first = at.first_bytes[ToClient];
    let answer = session.foreign[ToClient].as_ref()?;
    if session.server_hello.is_some() || first.is_empty() || session.gapped[ToClient] {
        return None;
    }
    let answered = at.server_half().first_data.unwrap_or(answer.at);
    let finding = at
        .finding(&CLASS)
        .seen(hello.at, "client-hello")
        .seen(answered, "response")
        .failing();
    Some(
        finding
            .detail("sent", Value::Text("tls".to_owned()))
            .detail("answered", Value::Text(kind(first).to_owned()))
            .detail("first_bytes", Value::Text(readable(first))),
    )
}

/// A plain request on a TLS port: the server's alert record is its answer.
fn request_answered_by_tls(at: &Episode<'_>) -> Option<Finding> {
    at.web?;
    let (asked, answered) = (at.first_bytes[ToServer], at.first_bytes[ToClient]);
    let alert = matches!(answered, [21, 3, 0..=4, 0, 2, ..] | [21, 1, 1, 0, 2, ..]);
    if !alert || asked.first().is_none_or(|byte| !byte.is_ascii_uppercase()) {
        return None;
    }
    Some(
        at.finding(&CLASS)
            .seen_if(at.client_half().first_data, "request")
            .seen_if(at.server_half().first_data, "alert")
            .failing()
            .detail("sent", Value::Text("http".to_owned()))
            .detail("answered", Value::Text("tls alert".to_owned())),
    )
}

/// `400 The plain HTTP request was sent to HTTPS port` and its kin.
pub fn plain_request(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    Some(
        exchange::finding(at, &CLASS, exchange)
            .failing()
            .detail("sent", Value::Text("http".to_owned()))
            .detail(
                "answered",
                Value::Text("400 plain HTTP to an HTTPS port".to_owned()),
            ),
    )
}

/// A hello that was not answered, to a server of which a rule says that it speaks HTTP in clear.
pub fn by_rule(finding: &mut Finding) {
    finding.turned_by_rule(&CLASS, BY_RULE);
    finding
        .details
        .push(("sent", Value::Text("tls".to_owned())));
    finding.details.push(("by_rule", Value::Bool(true)));
}

const BY_RULE: Text = Text {
    en: "that the server speaks HTTP in clear is known from the endpoint rule alone",
    zh: "服务端使用明文 HTTP 仅由端点规则得知",
};

fn kind(first: &[u8]) -> &'static str {
    match first {
        [b'H', b'T', b'T', b'P', b'/', ..] => "http",
        [b'S', b'S', b'H', b'-', ..] => "ssh",
        [b'2', b'2', b'0', ..] => "smtp or ftp",
        [b'<', ..] => "markup",
        _ => "unknown",
    }
}

fn readable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(32)
        .map(|byte| {
            if byte.is_ascii_graphic() || *byte == b' ' {
                char::from(*byte)
            } else {
                '.'
            }
        })
        .collect()
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let answered = finding.text("answered").unwrap_or("");
    if finding.details.contains(&("by_rule", Value::Bool(true))) {
        return match lang {
            Lang::En => {
                format!(
                    "{client} sent TLS to {server}, which speaks HTTP in clear and did not answer"
                )
            }
            Lang::Zh => format!("{client} 向明文 HTTP 端点 {server} 发起 TLS，未获应答"),
        };
    }
    match (finding.text("sent"), lang) {
        (Some("http"), Lang::En) => format!("{client} sent plain HTTP to the TLS port {server}"),
        (Some("http"), Lang::Zh) => format!("{client} 向 TLS 端口 {server} 发送了明文 HTTP"),
        (_, Lang::En) => {
            format!("{client} sent TLS to {server}, which answered in plain ({answered})")
        }
        (_, Lang::Zh) => format!("{client} 向 {server} 发起 TLS，对方以明文应答（{answered}）"),
    }
}
