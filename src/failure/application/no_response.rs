#![doc = include_str!("no_response.en.md")]

use crate::failure::application::exchange::{self, PATIENCE, SLOW, subject};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Mark;
use crate::protocol::http1::{Exchange, Reset};
use crate::time::{MILLISECOND, Nanos, SECOND};

/// `application.no-response`
pub static CLASS: Class = Class {
    code: "application.no-response",
    severity: Severity::Error,
    guide: guide!("no_response"),
    summary,
};

/// Seconds after which clients in use give up.
const GIVE_UP: [i64; 6] = [6, 15, 20, 30, 60, 120];

/// A whole request, acknowledged, and no response byte until the flow ended or the patience passed.
pub fn detect(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let request = exchange
        .request
        .as_ref()
        .filter(|_| exchange.unanswered() && exchange.sure)?;
    // A call of gRPC may be answered by a stream that has nothing to say yet.
    let call = exchange.stream.is_some() && request.is_grpc();
    if call || exchange::is_long_poll(exchange) || !acknowledged(at, request.last) {
        return None;
    }
    let (end, role) = end_of_waiting(at, request.last)?;
    let waited = end
        .map_or(at.until, |end| end.time)
        .since(request.last.time);
    let enough = if end.is_some() { SLOW } else { PATIENCE };
    if waited < enough {
        return None;
    }
    let mut finding = exchange::finding(at, &CLASS, exchange).failing();
    finding = finding
        .seen_if(
            at.client_half().acked_at.filter(|ack| *ack > request.last),
            "ack",
        )
        .seen_if(end, role);
    finding.silence = None;
    Some(finding.detail("waited_ms", Value::Number(waited / MILLISECOND)))
}

/// The same of one stream of HTTP/2: the client gave it up after it had waited. A call of gRPC has to have said that one
/// answer was expected in time; others may be subscriptions that end.
pub(super) fn given_up(at: &Episode<'_>, exchange: &Exchange, reset: Reset) -> Option<Finding> {
    let request = exchange.request.as_ref()?;
    let waits = request.complete && exchange.sure && (request.deadline || !request.is_grpc());
    let waited = reset.at.time.since(request.last.time);
    let silent = waits && !exchange::is_long_poll(exchange) && acknowledged(at, request.last);
    (silent && waited >= SLOW).then(|| {
        exchange::finding(at, &CLASS, exchange)
            .failing()
            .detail("waited_ms", Value::Number(waited / MILLISECOND))
    })
}

/// The same in a closed tunnel: the client's last record is application data, acknowledged, and nothing came back
/// until the client closed.
pub fn detect_encrypted(at: &Episode<'_>) -> Option<Finding> {
    let session = at.tls.filter(|_| at.inside.is_none())?;
    let (last, _) = crate::failure::security::client_spoke_last(session)?;
    if !acknowledged(at, last) {
        return None;
    }
    let client = at.client_half();
    let close = client
        .fin
        .map(|fin| fin.at)
        .or(client.reset.map(|rst| rst.at))
        .filter(|close| *close > last)?;
    let server = at.server_half();
    let server_closed = server
        .fin
        .map(|fin| fin.at)
        .or(server.reset.map(|rst| rst.at));
    let waited = close.time.since(last.time);
    if waited < 5 * SECOND || server_closed.is_some_and(|own| own < close) {
        return None;
    }
    let known = GIVE_UP
        .iter()
        .any(|seconds| (waited - seconds * SECOND).abs() <= 300 * MILLISECOND);
    let finding = at
        .finding(&CLASS)
        .seen(last, "request")
        .seen(close, "close")
        .failing();
    let finding = if known {
        finding.at_most(89, AT_KNOWN_TIME)
    } else {
        finding.at_most(80, BY_RECORDS)
    };
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
const AT_KNOWN_TIME: Text = Text {
    en: "encrypted: told by the order of records and a known give-up time",
    zh: "内容已加密：由记录次序及常见超时时长判断",
};

/// Did the server acknowledge what the client had sent up to here?
fn acknowledged(at: &Episode<'_>, _request: Mark) -> bool {
    at.client_half().all_acked() && at.server_half().counts.packets > 0
}

/// What ended the waiting: the client's close. `None` in the tuple while the connection stands; `None` in all where
/// the server ended it, which is another failure.
fn end_of_waiting(at: &Episode<'_>, request: Mark) -> Option<(Option<Mark>, &'static str)> {
    let (client, server) = (at.client_half(), at.server_half());
    let close = |half: &crate::tcp::half::Half| {
        let fin = half.fin.map(|fin| fin.at).filter(|fin| *fin > request);
        let rst = half.reset.map(|rst| rst.at).filter(|rst| *rst > request);
        [fin, rst].into_iter().flatten().min()
    };
    match (close(client), close(server)) {
        (Some(own), Some(other)) if other < own => None,
        (Some(own), _) => Some((Some(own), "close")),
        (None, Some(_)) => None,
        (None, None) => Some((None, "end")),
    }
}

/// Time waited in seconds, for other classes.
pub(crate) fn seconds(span: Nanos) -> f64 {
    span as f64 / SECOND as f64
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let waited = seconds(
        finding
            .number("waited_ms")
            .unwrap_or(0)
            .saturating_mul(MILLISECOND),
    );
    match lang {
        Lang::En => {
            format!("{what} took the request of {client} and sent nothing back for {waited:.1} s")
        }
        Lang::Zh => format!("{what} 已确认 {client} 的请求，但 {waited:.1} 秒内未返回任何数据"),
    }
}
