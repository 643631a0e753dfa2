//! One request and its response against the classes that speak of HTTP: at most one finding each, and the outcome
//! of the attempt that it was.

use std::borrow::Cow;

use crate::failure::episode::Episode;
use crate::failure::flow::{Authenticated, Judged, Outcomes};
use crate::failure::{Class, Finding, Lang, Value, application, data, security};
use crate::protocol::http1::Exchange;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// A first byte later than this after the request's last is slow.
pub const SLOW: Nanos = 3 * SECOND;
/// A request without an answer for so long is told although the connection goes on.
pub const PATIENCE: Nanos = 30 * SECOND;

/// Judges every exchange that was kept, and those that never ended.
pub fn judge(at: &Episode<'_>, judged: &mut Judged) {
    let Some(web) = at.http() else { return };
    judged.outcomes.ok = judged.outcomes.ok.saturating_add(web.healthy);
    judged.outcomes.add(web.beyond);
    judged.minutes = web.minutes.clone();
    let asked = web.adverse.iter().chain(web.log.open());
    let malformed = application::http_malformed::detect(at);
    let answered_so = malformed.as_ref().is_some_and(|finding| finding.fails);
    if answered_so {
        judged.outcomes.failed += 1;
    }
    // A body whose length was wrong is cut: its form follows from that.
    let cut = malformed.is_some();
    judged.findings.extend(malformed);
    for exchange in
        asked.filter(|exchange| !application::http_proxy_failed::taken_up(web, exchange))
    {
        if answered_so && exchange.unanswered() {
            continue;
        }
        let told = one(at, exchange).filter(|finding| {
            !(cut && finding.class.code.ends_with("-malformed") && finding.class.layer() == "data")
        });
        if let Some(outcome) = outcome(exchange, told.as_ref()) {
            judged.outcomes.add(outcome);
            judged.minutes.add(exchange.began(), outcome);
        }
        judged.findings.extend(told);
    }
    application::stream::connection(at, judged);
}

/// Requests with credentials that were answered with success, those for a tunnel too.
pub fn authenticated(at: &Episode<'_>, judged: &mut Judged) {
    let webs = [at.web, at.inside].into_iter().flatten();
    judged
        .authenticated
        .extend(
            webs.flat_map(|web| &web.authenticated)
                .map(|(target, answered)| Authenticated {
                    client: at.client.0,
                    server: at.server,
                    target: target.clone(),
                    at: *answered,
                }),
        );
}

/// What became of the attempt that an exchange was; none where it was not seen to be one.
fn outcome(exchange: &Exchange, told: Option<&Finding>) -> Option<Outcomes> {
    let mut outcome = Outcomes::default();
    let count = match answer_of(exchange) {
        _ if told.is_some_and(|finding| finding.fails) => &mut outcome.failed,
        _ if told.is_some_and(|finding| finding.class.layer() == "data") => {
            &mut outcome.answered_no
        }
        Some(407 | 429 | 500..) => &mut outcome.failed,
        Some(400..) if exchange.request.is_none() => return None,
        Some(400..) => &mut outcome.answered_no,
        Some(_) => &mut outcome.ok,
        None => return None,
    };
    *count = 1;
    Some(outcome)
}

/// The same by its status alone: a response that was cut failed.
pub(crate) fn outcome_alone(exchange: &Exchange) -> Option<Outcomes> {
    let response = exchange.response.as_ref()?;
    if response.status < 400 && !response.complete {
        return Some(Outcomes::FAILED);
    }
    outcome(exchange, None)
}

/// The status by which an answer counts: of a gRPC call that ended with another status than OK, what HTTP would say.
pub(crate) fn answer_of(exchange: &Exchange) -> Option<u16> {
    let response = exchange.response.as_ref()?;
    let grpc = response.grpc.as_deref().filter(|grpc| grpc.status != 0);
    Some(grpc.map_or(response.status, |grpc| grpc_as_http(grpc.status)))
}

/// A status of gRPC in the words of HTTP, by the table of grpc-gateway.
pub(crate) const fn grpc_as_http(status: u16) -> u16 {
    match status {
        0 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}

/// `14 UNAVAILABLE`.
pub(crate) fn grpc_name(status: u16) -> String {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    match NAMES.get(usize::from(status)) {
        Some(name) => format!("{status} {name}"),
        None => status.to_string(),
    }
}

/// What was answered, for summaries: a status, that of a gRPC call, or an error code of HTTP/2.
pub(crate) fn answer(finding: &Finding, lang: Lang) -> String {
    let status = finding.number("status").unwrap_or(0);
    let grpc = finding.number("grpc_status").filter(|status| *status != 0);
    let grpc = grpc.and_then(|status| u16::try_from(status).ok());
    match (grpc, finding.text("http2_error"), lang) {
        (Some(status), _, Lang::En) => format!("gRPC status {}", grpc_name(status)),
        (Some(status), _, Lang::Zh) => format!("gRPC 状态 {}", grpc_name(status)),
        (None, Some(code), Lang::En) => format!("the HTTP/2 error {code}"),
        (None, Some(code), Lang::Zh) => format!("HTTP/2 错误 {code}"),
        (None, None, _) => status.to_string(),
    }
}

/// The most specific thing to say of one exchange.
fn one(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let connect = exchange
        .request
        .as_ref()
        .is_some_and(|request| request.method == "CONNECT");
    if let Some(finding) = data::of_request(at, exchange) {
        return Some(finding);
    }
    if let Some(settled) = application::stream::one(at, exchange) {
        return settled;
    }
    if let Some(status) = exchange.status() {
        let plain_to_tls = exchange
            .response
            .as_ref()
            .is_some_and(|response| response.plain_to_tls);
        let told = match status {
            400 if plain_to_tls => security::tls_not_tls::plain_request(at, exchange),
            300.. if connect => application::http_proxy_failed::refused(at, exchange),
            407 => application::http_proxy_failed::refused(at, exchange),
            401 => application::http_unauthorized::detect(at, exchange),
            403 => application::http_forbidden::detect(at, exchange),
            404 | 410 => application::http_not_found::detect(at, exchange),
            429 => application::http_throttled::detect(at, exchange),
            503 => application::http_503::detect(at, exchange),
            502 | 504 => application::http_bad_gateway::detect(at, exchange),
            400..=499 => application::http_client_error::detect(at, exchange),
            500..=599 => application::http_server_error::detect(at, exchange),
            _ => None,
        };
        if told.is_some() || status >= 400 {
            return told;
        }
    }
    if let Some(cut) = connect
        .then(|| application::http_proxy_failed::cut(at, exchange))
        .flatten()
    {
        return Some(cut);
    }
    application::http_malformed::framing(at, exchange)
        .or_else(|| application::response_truncated::detect(at, exchange))
        .or_else(|| data::of_response(at, exchange))
        .or_else(|| application::no_response::detect(at, exchange))
        .or_else(|| application::slow_response::detect(at, exchange))
}

/// A finding with the frames of the exchange and what every HTTP class details.
pub(crate) fn finding(at: &Episode<'_>, class: &'static Class, exchange: &Exchange) -> Finding {
    let mut finding = at.finding(class);
    if let Some(request) = &exchange.request {
        finding = finding
            .seen(request.head, "request")
            .detail("method", Value::Text(request.method.to_string()))
            .detail("path", Value::Text(path(&request.target).into_owned()));
        if let Some(host) = &request.host {
            finding = finding.detail("host", Value::Text(host.to_string()));
            finding.name = Some(host_name(host).to_owned())
                .filter(|name| name.parse::<std::net::IpAddr>().is_err());
        }
    }
    if let Some(response) = &exchange.response {
        finding = finding
            .seen(response.head, "response")
            .detail("status", Value::Number(response.status.into()));
        if let Some(server) = &response.server {
            finding = finding.detail("server_header", Value::Text(server.to_string()));
        }
        if let Some(grpc) = &response.grpc {
            finding = finding.detail("grpc_status", Value::Number(grpc.status.into()));
            if grpc.at != response.head {
                finding = finding.seen(grpc.at, "trailers");
            }
            if let Some(words) = &grpc.message {
                finding = finding.detail("grpc_message", Value::Text(words.to_string()));
            }
        }
    }
    if let Some(stream) = exchange.stream {
        finding = finding.detail("stream", Value::Number(stream.into()));
        let log = at.http().and_then(|web| web.log.as_two());
        if log.is_some_and(|log| log.plain) {
            finding = finding.detail("answered_in", Value::Text("HTTP/1".to_owned()));
        }
    }
    if let Some(reset) = exchange.reset {
        finding = finding.seen(reset.at, "rst-stream");
    }
    if let Some(waited) = waited(exchange) {
        finding = finding.detail("waited_ms", Value::Number(waited / MILLISECOND));
    }
    finding.twin = finding
        .twin
        .map(|(isn, value)| (isn.wrapping_add(exchange.number), value));
    finding
}

/// From the request's last byte to the response's first.
pub(crate) fn waited(exchange: &Exchange) -> Option<Nanos> {
    let (request, response) = (exchange.request.as_ref()?, exchange.response.as_ref()?);
    (request.complete).then(|| response.first.time.since(request.last.time))
}

/// Time to the first byte of the first answered exchange.
pub fn first_byte_time(at: &Episode<'_>) -> Option<Nanos> {
    at.inside.or(at.web).and_then(|web| web.first_byte)
}

/// The target without its query, which may hold credentials.
pub(crate) fn path(target: &str) -> Cow<'_, str> {
    let bare = target.split(['?', '#']).next().unwrap_or("");
    let whole: String = bare.chars().filter(|c| !c.is_control()).take(200).collect();
    Cow::Owned(whole)
}

/// `host` without its port.
pub(crate) fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.contains(':') =>
        {
            name
        }
        _ => host,
    }
}

/// Icons, robots.txt, source maps, style and pictures: what a browser asks for besides the page.
pub(crate) fn is_furniture(target: &str) -> bool {
    const ENDINGS: [&str; 16] = [
        ".ico",
        ".map",
        ".css",
        ".js",
        ".mjs",
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".svg",
        ".webp",
        ".woff",
        ".woff2",
        ".ttf",
        ".webmanifest",
        ".bmp",
    ];
    let bare = path(target).to_ascii_lowercase();
    let file = bare.rsplit('/').next().unwrap_or("");
    matches!(
        file,
        "robots.txt"
            | "humans.txt"
            | "security.txt"
            | "manifest.json"
            | "browserconfig.xml"
            | "crossdomain.xml"
            | "ads.txt"
            | "sitemap.xml"
    ) || file.starts_with("apple-touch-icon")
        || file.starts_with("favicon")
        || ENDINGS.iter().any(|ending| file.ends_with(ending))
        || bare.starts_with("/.well-known/")
}

/// A request whose answer is meant to take its time: long polls and event streams, told by the names in use.
pub(crate) fn is_long_poll(exchange: &Exchange) -> bool {
    const WORDS: [&str; 16] = [
        "poll",
        "comet",
        "subscribe",
        "stream",
        "events",
        "/event",
        "wait=",
        "timeout=",
        "/wait",
        "notif",
        "signalr",
        "http-bind",
        "/watch",
        "watch=",
        "push",
        "listen",
    ];
    let Some(request) = &exchange.request else {
        return false;
    };
    let target = request.target.to_ascii_lowercase();
    exchange.may_last() || WORDS.iter().any(|word| target.contains(word))
}

/// `GET /path on name (10.0.0.1:80)`, for summaries.
pub(crate) fn subject(finding: &Finding, lang: Lang) -> String {
    let method = finding.text("method").unwrap_or("");
    let path = finding.text("path").unwrap_or("");
    let server = finding.server_text();
    match (method.is_empty(), lang) {
        (true, _) => server,
        (false, Lang::En) => format!("{method} {path} at {server}"),
        (false, Lang::Zh) => format!("{server} 的 {method} {path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn furniture_is_told_from_an_interface() {
        assert!(is_furniture("/favicon.ico"));
        assert!(is_furniture("/assets/app.js.map?v=3"));
        assert!(is_furniture("/robots.txt"));
        assert!(is_furniture("/humans.txt"));
        assert!(!is_furniture("/v1/humans"));
        assert!(!is_furniture("/api/v1/invoice"));
        assert!(!is_furniture("/router/rest?method=x.js"));
    }

    #[test]
    fn a_query_never_reaches_a_report() {
        assert_eq!(path("/login?password=secret#x"), "/login");
        assert_eq!(host_name("dppt.example.com:8443"), "dppt.example.com");
        assert_eq!(host_name("[2001:db8::1]"), "[2001:db8::1]");
    }
}
