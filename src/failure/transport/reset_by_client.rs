#![doc = include_str!("reset_by_client.en.md")]

use crate::failure::episode::Episode;
use crate::failure::transport::interrupted::{Interrupted, interrupted};
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::time::{MILLISECOND, SECOND};

/// `transport.reset-by-client`
pub static CLASS: Class = Class {
    code: "transport.reset-by-client",
    severity: Severity::Error,
    guide: guide!("reset_by_client"),
    summary,
};

/// A RST by the client inside a message, or before the first byte of an answer that it asked for less than 3 s ago
/// (later it is `no-response`). Silent after its own FIN, and where nothing was asked.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let (client, server) = (at.client_half(), at.server_half());
    let rst = client.reset?;
    if at.connection.established.is_none() && at.connection.syns.count > 0 {
        return None;
    }
    let earlier = |mark: Option<crate::mark::Mark>| mark.is_some_and(|mark| mark < rst.at);
    let own_fin = earlier(client.fin.map(|fin| fin.at));
    if own_fin
        || earlier(server.fin.map(|fin| fin.at))
        || earlier(server.reset.map(|reset| reset.at))
    {
        return None;
    }
    let (why, trigger) = match interrupted(at, rst.at)? {
        Interrupted::Response(mark) => ("inside-response", mark),
        Interrupted::Request(mark) => ("inside-request", mark),
        Interrupted::Waiting(mark)
            if rst.at.time.since(mark.time) < 3 * SECOND && at.tls.is_none() =>
        {
            ("before-response", mark)
        }
        Interrupted::Waiting(_) | Interrupted::Nothing => return None,
    };
    Some(
        at.finding(&CLASS)
            .seen(
                trigger,
                if why == "inside-response" {
                    "response"
                } else {
                    "request"
                },
            )
            .seen(rst.at, "rst")
            .failing()
            .detail("when", Value::Text(why.to_owned()))
            .detail(
                "after_ms",
                Value::Number(rst.at.time.since(trigger.time) / MILLISECOND),
            ),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let when = match (finding.text("when").unwrap_or(""), lang) {
        ("inside-response", Lang::En) => "while the response was passing",
        ("inside-request", Lang::En) => "inside its own request",
        (_, Lang::En) => "before the first byte of the response",
        ("inside-response", Lang::Zh) => "响应传输途中",
        ("inside-request", Lang::Zh) => "自己的请求传输途中",
        (_, Lang::Zh) => "收到首字节之前",
    };
    match lang {
        Lang::En => format!("{client} reset its connection to {server} {when}"),
        Lang::Zh => format!("{client} 在{when}重置了到 {server} 的连接"),
    }
}
