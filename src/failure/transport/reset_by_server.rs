#![doc = include_str!("reset_by_server.en.md")]

use crate::failure::episode::Episode;
use crate::failure::transport::interrupted::{Interrupted, interrupted};
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Direction::ToClient;
use crate::time::{MILLISECOND, SECOND};

/// `transport.reset-by-server`
pub static CLASS: Class = Class {
    code: "transport.reset-by-server",
    severity: Severity::Error,
    guide: guide!("reset_by_server"),
    summary,
};

/// A RST by the server while something was still owed. Silent after both FINs, after close_notify, after a complete
/// exchange, and on a connection idle for 5 s.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let (client, server) = (at.client_half(), at.server_half());
    let rst = server.reset?;
    if at.connection.established.is_none() && at.connection.syns.count > 0 {
        return None;
    }
    let earlier = |mark: Option<crate::mark::Mark>| mark.is_some_and(|mark| mark < rst.at);
    let closing =
        earlier(client.fin.map(|fin| fin.at)) || earlier(client.reset.map(|reset| reset.at));
    if earlier(server.fin.map(|fin| fin.at)) {
        return None;
    }
    let spoke = client.counts.data_segments + server.counts.data_segments > 0;
    let after = at
        .connection
        .established
        .map(|ack| rst.at.time.since(ack.time));
    let (why, trigger) = match interrupted(at, rst.at) {
        Some(Interrupted::Nothing) => return None,
        Some(Interrupted::Response(mark)) => ("inside-response", Some(mark)),
        Some(Interrupted::Request(mark)) => ("inside-request", Some(mark)),
        Some(Interrupted::Waiting(mark)) if !closing => ("before-response", Some(mark)),
        Some(Interrupted::Waiting(_)) => return None,
        None if !spoke && !closing && after.is_some_and(|after| after <= 5 * SECOND) => {
            ("nothing-sent", None)
        }
        None => return None,
    };
    let mut finding = at
        .finding(&CLASS)
        .seen_if(trigger, "request")
        .seen(rst.at, "rst")
        .failing();
    if trigger.is_none() {
        finding = finding.seen_if(at.connection.established, "ack");
    }
    if at.tls.is_some() && why == "before-response" {
        finding = finding.at_most(80, BY_RECORDS);
    }
    if let Some(trigger) = trigger {
        finding = finding.detail(
            "after_ms",
            Value::Number(rst.at.time.since(trigger.time) / MILLISECOND),
        );
    }
    let got = at.half(ToClient).payload_bytes();
    Some(
        finding
            .detail("when", Value::Text(why.to_owned()))
            .detail("server_bytes", Value::Number(got.cast_signed()))
            .detail("rst_ttl", Value::Number(rst.ttl.into())),
    )
}

pub(super) const BY_RECORDS: Text = Text {
    en: "encrypted: told by the order of records alone",
    zh: "内容已加密：仅由记录次序判断",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let when = match (finding.text("when").unwrap_or(""), lang) {
        ("inside-response", Lang::En) => "inside its response",
        ("inside-request", Lang::En) => "inside the request",
        ("before-response", Lang::En) => "before the first byte of the response",
        (_, Lang::En) => "right after the handshake",
        ("inside-response", Lang::Zh) => "响应传输途中",
        ("inside-request", Lang::Zh) => "请求传输途中",
        ("before-response", Lang::Zh) => "返回首字节之前",
        (_, Lang::Zh) => "握手之后立即",
    };
    match lang {
        Lang::En => format!("{server} reset the connection of {client} {when}"),
        Lang::Zh => format!("{server} 在{when}重置了 {client} 的连接"),
    }
}
