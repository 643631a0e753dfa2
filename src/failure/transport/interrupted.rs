//! What a RST cut short: an answer, a request, the wait between them, or nothing. Shared by both `reset-by-*`.

use crate::failure::episode::Episode;
use crate::failure::security;
use crate::mark::Direction::{ToClient, ToServer};
use crate::mark::Mark;

/// What was going on when a connection was reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// A response had begun (its first frame) and not ended.
    Response(Mark),
    /// A request had begun and not ended.
    Request(Mark),
    /// A whole request waited for its first response byte; the request's last frame.
    Waiting(Mark),
    /// An exchange was complete, or close_notify had passed.
    Nothing,
}

/// `None` where nothing at all was said, or nothing can be told.
pub(crate) fn interrupted(at: &Episode<'_>, rst: Mark) -> Option<Interrupted> {
    if let Some(session) = at.tls {
        return security::interrupted(at, session, rst);
    }
    if let Some(web) = at.web {
        return Some(in_http(at, web));
    }
    // An unknown protocol: a client that spoke and got no byte was waiting.
    let (client, server) = (at.client_half(), at.server_half());
    match (client.last_data, server.counts.data_segments) {
        (Some(asked), 0) if at.connection.syns.count > 0 => Some(Interrupted::Waiting(asked)),
        (None, 0) => None,
        _ => Some(Interrupted::Nothing),
    }
}

/// The same of HTTP, in clear or opened.
pub(crate) fn in_http(at: &Episode<'_>, web: &crate::failure::episode::Web) -> Interrupted {
    // What was given up stream by stream was not cut by the connection's end.
    let exchanges = || {
        let all = web.log.open().chain(&web.adverse);
        all.filter(|exchange| exchange.reset.is_none())
    };
    for exchange in exchanges() {
        let Some(response) = &exchange.response else {
            continue;
        };
        if !response.complete && !response.broken && response.status != 101 {
            return Interrupted::Response(response.first);
        }
    }
    if let Some(partial) = web.log.partial(ToClient) {
        return Interrupted::Response(partial);
    }
    for exchange in exchanges().filter(|exchange| exchange.response.is_none()) {
        let Some(request) = &exchange.request else {
            continue;
        };
        if request.method == "CONNECT" && !exchange.sure {
            continue;
        }
        return if request.complete {
            Interrupted::Waiting(request.last)
        } else {
            Interrupted::Request(request.first)
        };
    }
    match web.log.partial(ToServer) {
        Some(partial) => Interrupted::Request(partial),
        None if web.healthy == 0
            && web.adverse.is_empty()
            && at.server_half().counts.data_segments == 0 =>
        {
            at.client_half()
                .last_data
                .map_or(Interrupted::Nothing, Interrupted::Waiting)
        }
        None => Interrupted::Nothing,
    }
}
