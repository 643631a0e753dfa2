#![doc = include_str!("closed_early.en.md")]

use crate::failure::application::exchange;
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::time::{MILLISECOND, SECOND};

/// `transport.closed-early`
pub static CLASS: Class = Class {
    code: "transport.closed-early",
    severity: Severity::Error,
    guide: guide!("closed_early"),
    summary,
};

/// The server's FIN acknowledges the whole request, and no response byte came before it. A FIN that does not
/// acknowledge the request crossed it on the way: the keep-alive race.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let (client, server) = (at.client_half(), at.server_half());
    let fin = server.fin?;
    let client_first = client.fin.is_some_and(|own| own.at < fin.at)
        || client.reset.is_some_and(|rst| rst.at < fin.at);
    // The FIN's own acknowledgment decides, not a later one.
    let whole = server
        .fin_acks
        .is_some_and(|acked| acked >= request_end(at).unwrap_or(u64::MAX));
    let hidden = at.tls.is_some() && at.inside.is_none();
    if client_first || !whole || hidden {
        return None;
    }
    let mut finding = match at.http() {
        Some(web) => {
            let open = web
                .log
                .open()
                .find(|exchange| exchange.unanswered() && exchange.sure);
            let dropped = web
                .adverse
                .iter()
                .find(|exchange| exchange.unanswered() && exchange.sure);
            exchange::finding(at, &CLASS, open.or(dropped)?)
        }
        // What is asked in a protocol that is not read here may want no answer: only a whole, short flow is told.
        None if server.counts.data_segments == 0
            && client.counts.data_segments > 0
            && at.connection.syns.count > 0
            && client
                .last_data
                .is_some_and(|asked| fin.at.time.since(asked.time) < 30 * SECOND) =>
        {
            at.finding(&CLASS)
                .seen_if(client.last_data, "request")
                .at_most(70, UNREAD)
        }
        None => return None,
    };
    let asked = client.last_data.filter(|data| *data < fin.at);
    if let Some(asked) = asked {
        finding = finding.detail(
            "waited_ms",
            Value::Number(fin.at.time.since(asked.time) / MILLISECOND),
        );
    }
    Some(finding.seen(fin.at, "fin").failing())
}

const UNREAD: Text = Text {
    en: "the protocol is not read: the client may have wanted no answer",
    zh: "未解析该协议：客户端可能并不需要应答",
};

/// Position after the last byte of the request.
fn request_end(at: &Episode<'_>) -> Option<u64> {
    let client = at.client_half();
    (client.counts.data_segments > 0).then_some(client.data_end)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    match lang {
        Lang::En => format!(
            "{server} closed the connection of {client} after the whole request, without an answer"
        ),
        Lang::Zh => format!("{server} 收完 {client} 的整个请求后未应答即关闭连接"),
    }
}
