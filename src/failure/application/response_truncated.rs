#![doc = include_str!("response_truncated.en.md")]

use crate::failure::application::exchange::{self, subject};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::ToClient;
use crate::protocol::http1::{Exchange, Framing};

/// `application.response-truncated`
pub static CLASS: Class = Class {
    code: "application.response-truncated",
    severity: Severity::Error,
    guide: guide!("response_truncated"),
    summary,
};

/// The server closed before the body's declared length or its last chunk (RFC 9112 8). A RST inside the body is
/// `transport.reset-by-server`; a client that closes first wanted no more.
pub fn detect(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let response = exchange.response.as_ref()?;
    let fin = at.server_half().fin?;
    let declared = matches!(response.body.framing, Framing::Length(_) | Framing::Chunked);
    let stream = &at.connection.streams[ToClient];
    let unseen = stream.missed_bytes > 0 || stream.fin_beyond_hole();
    if response.complete || !declared || unseen {
        return None;
    }
    let client = at.client_half();
    let client_first = client.fin.is_some_and(|own| own.at < fin.at)
        || client.reset.is_some_and(|rst| rst.at < fin.at);
    if client_first || at.connection.cut.is_some() {
        return None;
    }
    let lacking = response.body.lacking_bytes();
    let mut finding = exchange::finding(at, &CLASS, exchange)
        .seen(fin.at, "fin")
        .failing()
        .detail(
            "received_bytes",
            Value::Number(response.body.seen_bytes.cast_signed()),
        );
    if let Framing::Length(length) = response.body.framing {
        finding = finding
            .detail("declared_bytes", Value::Number(length.cast_signed()))
            .detail("lacking_bytes", Value::Number(lacking.cast_signed()));
    }
    Some(finding)
}

/// The server gave the stream up inside the response (RFC 9113 5.4.2).
pub(super) fn reset(at: &Episode<'_>, exchange: &Exchange) -> Finding {
    let mut finding = exchange::finding(at, &CLASS, exchange).failing();
    if let Some(reset) = exchange.reset {
        let code = crate::protocol::http2::error_name(reset.code);
        finding = finding.detail("http2_error", Value::Text(code));
    }
    let body = exchange.response.as_ref().map(|response| response.body);
    let received = body.map_or(0, |body| body.seen_bytes);
    finding.detail("received_bytes", Value::Number(received.cast_signed()))
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let got = finding.number("received_bytes").unwrap_or(0);
    if let Some(code) = finding.text("http2_error") {
        return match lang {
            Lang::En => {
                format!("{what} gave the stream up ({code}) after {got} body bytes for {client}")
            }
            Lang::Zh => format!("{what} 发给 {client} 的响应发送 {got} 字节后放弃该流（{code}）"),
        };
    }
    match (finding.number("declared_bytes"), lang) {
        (Some(all), Lang::En) => {
            format!("{what} closed after {got} of {all} body bytes for {client}")
        }
        (Some(all), Lang::Zh) => {
            format!("{what} 发给 {client} 的响应体 {all} 字节，仅发送 {got} 字节即关闭")
        }
        (None, Lang::En) => {
            format!("{what} closed before the last chunk for {client}, after {got} bytes")
        }
        (None, Lang::Zh) => {
            format!("{what} 发给 {client} 的分块响应未结束即关闭，已发送 {got} 字节")
        }
    }
}
