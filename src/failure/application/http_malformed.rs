#![doc = include_str!("http_malformed.en.md")]

use crate::failure::application::exchange;
use crate::failure::episode::{Episode, Web};
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::protocol::http1::{Exchange, Foreign};

/// `application.http-malformed`
pub static CLASS: Class = Class {
    code: "application.http-malformed",
    severity: Severity::Warning,
    guide: guide!("http_malformed"),
    summary,
};

/// Bytes that are not HTTP where a message of this connection had to begin.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let web = at.http().filter(|_| whole(at))?;
    if let Some(greeted) = greeting(at, web) {
        return Some(greeted);
    }
    let (from, foreign) = [ToClient, ToServer]
        .into_iter()
        .filter_map(|from| Some((from, foreign(at, web, from)?)))
        .min_by_key(|(_, foreign)| foreign.at)?;
    let waiting = web
        .log
        .open()
        .find(|exchange| exchange.unanswered() && from == ToClient);
    let finding = match waiting {
        Some(exchange) => exchange::finding(at, &CLASS, exchange).failing(),
        None => at.finding(&CLASS),
    };
    let (sender, kind) = match (from, waiting) {
        (ToServer, _) => ("client", "request"),
        (ToClient, Some(_)) => ("server", "response"),
        (ToClient, None) => ("server", "after-response"),
    };
    Some(
        finding
            .seen(foreign.at, "foreign")
            .detail("sender", Value::Text(sender.to_owned()))
            .detail("in_place_of", Value::Text(kind.to_owned()))
            .detail(
                "messages_before",
                Value::Number(foreign.messages_before.into()),
            ),
    )
}

/// The server spoke first, in another language, before it was asked in HTTP.
fn greeting(at: &Episode<'_>, web: &Web) -> Option<Finding> {
    let greeting = at.server_half().first_data?;
    let asked = at
        .client_half()
        .first_data
        .filter(|asked| greeting < *asked)?;
    let first = at.first_bytes[ToClient];
    // In HTTP/2 either end may begin.
    let tls = matches!(first, [0x14..=0x17, 3, ..]) || web.log.as_two().is_some();
    if tls || first.starts_with(b"HTTP/1.") || web.log.messages(ToClient) > 0 {
        return None;
    }
    let waiting = web.log.open().find(|exchange| exchange.unanswered())?;
    Some(
        exchange::finding(at, &CLASS, waiting)
            .seen(greeting, "foreign")
            .seen(asked, "request")
            .failing()
            .detail("sender", Value::Text("server".to_owned()))
            .detail("in_place_of", Value::Text("response".to_owned()))
            .detail("messages_before", Value::Number(0)),
    )
}

/// A response whose chunks or lengths contradict themselves (RFC 9112 6.3, 7.1).
pub fn framing(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let response = exchange
        .response
        .as_ref()
        .filter(|response| response.broken && whole(at) && response.body.missed_bytes == 0)?;
    let mut finding = exchange::finding(at, &CLASS, exchange)
        .detail("sender", Value::Text("server".to_owned()))
        .detail("in_place_of", Value::Text("body".to_owned()));
    if response.last != response.head {
        finding = finding.seen(response.last, "foreign");
    }
    Some(if response.complete {
        finding
    } else {
        finding.failing()
    })
}

/// The server answers what is no request with 400: nothing of this connection was read as HTTP.
pub fn refused(at: &Episode<'_>) -> Option<Finding> {
    let (asked, answered) = (at.first_bytes[ToServer], at.first_bytes[ToClient]);
    let refused = matches!(
        answered.get(..12)?,
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            _,
            b' ',
            b'4',
            b'0',
            b'0'
        ]
    );
    let first = [
        at.client_half().first_data.filter(|_| !asked.is_empty())?,
        at.server_half().first_data?,
    ];
    let [request, response] = first;
    if !refused || at.web.is_some() || at.tls.is_some() || !whole(at) || request > response {
        return None;
    }
    // A ClientHello that came in pieces, and HTTP/2 with prior knowledge, are no garbage.
    if matches!(asked, [0x16, 3, ..]) || asked.starts_with(b"PRI * HTTP/2") {
        return None;
    }
    Some(
        at.finding(&CLASS)
            .seen(request, "foreign")
            .seen(response, "response")
            .detail("sender", Value::Text("client".to_owned()))
            .detail("in_place_of", Value::Text("request".to_owned()))
            .detail("status", Value::Number(400))
            .detail("messages_before", Value::Number(0)),
    )
}

/// Was the connection seen from its begin and without a hole, so that nothing but its ends can be to blame?
fn whole(at: &Episode<'_>) -> bool {
    let connection = at.connection;
    let begun = connection.syns.count > 0 || connection.synacks.count > 0;
    let opened = at.tls.is_none_or(|session| session.opened_whole());
    begun
        && opened
        && connection.cut.is_none()
        && connection
            .streams
            .iter()
            .all(|stream| stream.missed_bytes == 0)
}

/// What began where a message had to. TLS is `security.tls-not-tls`; what the server sends to an upgraded or reset
/// connection, and rests below a word, say nothing.
fn foreign(at: &Episode<'_>, web: &Web, from: Direction) -> Option<Foreign> {
    let foreign = web.log.foreign(from).filter(|foreign| !foreign.tls)?;
    let other = at.half(from.reverse());
    let gone = other.reset.is_some_and(|reset| reset.at < foreign.at);
    (!gone).then_some(foreign)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let place = finding.text("in_place_of").unwrap_or("");
    match (place, lang) {
        ("response", Lang::En) => {
            format!("{server} answered the request of {client} with bytes that are not HTTP")
        }
        ("response", Lang::Zh) => format!("{server} 对 {client} 的请求返回了非 HTTP 数据"),
        ("after-response", Lang::En) => {
            format!("{server} sent {client} bytes that are not HTTP after a response had ended")
        }
        ("after-response", Lang::Zh) => {
            format!("{server} 的响应结束后仍向 {client} 发送非 HTTP 数据")
        }
        ("body", Lang::En) => format!(
            "{server} framed its response to {client} wrongly: chunks or lengths contradict themselves"
        ),
        ("body", Lang::Zh) => {
            format!("{server} 发给 {client} 的响应分块或长度自相矛盾")
        }
        ("http2", _) => {
            let code = finding.text("http2_error").unwrap_or("");
            let by_server = finding.text("sender") == Some("server");
            let (one, other) = if by_server {
                (client, server)
            } else {
                (server, client)
            };
            match lang {
                Lang::En => format!("{one} gives up what {other} sends as wrong HTTP/2 ({code})"),
                Lang::Zh => format!("{one} 认为 {other} 发送的 HTTP/2 有误，予以放弃（{code}）"),
            }
        }
        (_, Lang::En) => format!("{client} sent {server} bytes that are not an HTTP request"),
        (_, Lang::Zh) => format!("{client} 向 {server} 发送了不符合 HTTP 的请求"),
    }
}
