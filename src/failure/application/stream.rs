//! What only HTTP/2 can say of a request: its stream was given up (RST_STREAM), the connection takes no more (GOAWAY), or
//! the gRPC call in it ended with a status of its own. All is told by the codes of HTTP/1, whichever says the same.

use crate::failure::application::exchange::{self, PATIENCE};
use crate::failure::application::{
    http_client_error, http_forbidden, http_malformed, http_server_error, http_throttled,
    http_unauthorized, no_response, response_truncated,
};
use crate::failure::episode::Episode;
use crate::failure::flow::Judged;
use crate::failure::{Class, Finding, Value};
use crate::mark::Direction::{ToClient, ToServer};
use crate::protocol::http1::{Exchange, Grpc, Reset};
use crate::protocol::http2::{self, Away};

/// What is said of an exchange, once it is settled here; `None` where HTTP has its say.
pub(super) fn one(at: &Episode<'_>, exchange: &Exchange) -> Option<Option<Finding>> {
    exchange.stream?;
    if let Some(reset) = exchange.reset {
        match &exchange.response {
            None => return Some(given_up(at, exchange, reset)),
            Some(response) if !reset.by_client && !response.complete && response.status < 400 => {
                return Some(Some(response_truncated::reset(at, exchange)));
            }
            Some(_) => {}
        }
    }
    let answered = exchange.response.as_ref();
    if let Some(grpc) = answered.and_then(|response| response.grpc.as_deref()) {
        return (grpc.status != 0).then(|| called(at, exchange, grpc));
    }
    let away = away(at).filter(|_| exchange.response.is_none())?;
    Some(refused(at, Some(exchange), away.code).map(|finding| finding.seen(away.at, "goaway")))
}

/// The server's GOAWAY, where it speaks of an error.
fn away<'a>(at: &Episode<'a>) -> Option<&'a Away> {
    let log = at.http()?.log.as_two()?;
    log.away(ToClient).filter(|away| away.code != 0)
}

/// A stream that one end gave up before a response.
fn given_up(at: &Episode<'_>, exchange: &Exchange, reset: Reset) -> Option<Finding> {
    if !reset.by_client {
        return refused(at, Some(exchange), reset.code);
    }
    if is_complaint(reset.code) {
        return Some(malformed(at, Some(exchange), "server", reset.code));
    }
    no_response::given_up(at, exchange, reset)
}

/// Codes by which an end says that the other's HTTP/2 is wrong.
const fn is_complaint(code: u32) -> bool {
    matches!(code, 1 | 3 | 5 | 6 | 9)
}

/// The server gave a stream or the connection up with this code.
fn refused(at: &Episode<'_>, exchange: Option<&Exchange>, code: u32) -> Option<Finding> {
    if is_complaint(code) {
        return Some(malformed(at, exchange, "client", code));
    }
    let class = match code {
        // ENHANCE_YOUR_CALM: what 429 says.
        11 => &http_throttled::CLASS,
        // HTTP_1_1_REQUIRED: the client asks again in HTTP/1.1.
        13 => return None,
        _ => &http_server_error::CLASS,
    };
    Some(with_code(finding(at, class, exchange), at, code))
}

fn malformed(at: &Episode<'_>, exchange: Option<&Exchange>, sender: &str, code: u32) -> Finding {
    with_code(finding(at, &http_malformed::CLASS, exchange), at, code)
        .detail("sender", Value::Text(sender.to_owned()))
        .detail("in_place_of", Value::Text("http2".to_owned()))
}

fn finding(at: &Episode<'_>, class: &'static Class, exchange: Option<&Exchange>) -> Finding {
    match exchange {
        Some(exchange) => exchange::finding(at, class, exchange).failing(),
        None => at.finding(class),
    }
}

fn with_code(finding: Finding, at: &Episode<'_>, code: u32) -> Finding {
    let finding = finding.detail("http2_error", Value::Text(http2::error_name(code)));
    let log = at.http().and_then(|web| web.log.as_two());
    match log.and_then(|log| log.streams_max) {
        Some(most) => finding.detail("max_concurrent_streams", Value::Number(most.into())),
        None => finding,
    }
}

/// A gRPC call that ended with another status than OK.
fn called(at: &Episode<'_>, exchange: &Exchange, grpc: &Grpc) -> Option<Finding> {
    let class = match exchange::grpc_as_http(grpc.status) {
        // The client cancelled it.
        499 => return None,
        401 if settled(at, exchange, grpc) => return None,
        401 => &http_unauthorized::CLASS,
        403 => &http_forbidden::CLASS,
        429 => &http_throttled::CLASS,
        400..=498 => &http_client_error::CLASS,
        _ => &http_server_error::CLASS,
    };
    let failing = matches!(exchange::grpc_as_http(grpc.status), 429 | 500..);
    let finding = exchange::finding(at, class, exchange);
    Some(if failing { finding.failing() } else { finding })
}

/// The same call went through with credentials soon after.
fn settled(at: &Episode<'_>, exchange: &Exchange, grpc: &Grpc) -> bool {
    let Some((web, request)) = at.http().zip(exchange.request.as_ref()) else {
        return false;
    };
    let target = exchange::path(&request.target);
    web.authenticated.iter().any(|(done, answered)| {
        let after = answered.since(grpc.at.time);
        *done == target && (0..=PATIENCE).contains(&after)
    })
}

/// What an end says of the connection where no request suffers by it.
pub(super) fn connection(at: &Episode<'_>, judged: &mut Judged) {
    // What the client says of an answer in HTTP/1 follows from it.
    let log = at.http().and_then(|web| web.log.as_two());
    let Some(log) = log.filter(|log| !log.plain) else {
        return;
    };
    let told = |code: &str| {
        judged
            .findings
            .iter()
            .any(|finding| finding.class.code == code)
    };
    let mut said = Vec::new();
    for (from, sender) in [(ToClient, "client"), (ToServer, "server")] {
        let Some(away) = log.away(from).filter(|away| away.code != 0) else {
            continue;
        };
        let finding = match away.code {
            code if is_complaint(code) => malformed(at, None, sender, code),
            11 if from == ToClient => with_code(finding(at, &http_throttled::CLASS, None), at, 11),
            _ => continue,
        };
        if !told(finding.class.code) {
            let words = away.words.clone();
            let finding = finding.seen(away.at, "goaway");
            said.push(match words {
                Some(words) => finding.detail("goaway_words", Value::Text(words)),
                None => finding,
            });
        }
    }
    judged.findings.extend(said);
}
