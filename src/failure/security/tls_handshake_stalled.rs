#![doc = include_str!("tls_handshake_stalled.en.md")]

use crate::failure::episode::Episode;
use crate::failure::security::refusal::first_close;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::{ToClient, ToServer};
use crate::protocol::tls::{Session, Stage};
use crate::time::{MILLISECOND, SECOND};

/// `security.tls-handshake-stalled`
pub static CLASS: Class = Class {
    code: "security.tls-handshake-stalled",
    severity: Severity::Error,
    guide: guide!("tls_handshake_stalled"),
    summary,
};

/// Half of a handshake, then silence for 5 s, or a cut by the server; no alert.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let hello = session.client_hello.as_ref()?;
    let stage = session.stage();
    let answered = at.server_half().counts.data_segments > 0;
    // In TLS 1.3 the client's Finished ends the handshake; before that the server's still has to come.
    let over = if session.is_13() {
        Stage::ClientFinished
    } else {
        Stage::Complete
    };
    if !answered || stage >= over || session.alerts.iter().any(|alert| !alert.encrypted) {
        return None;
    }
    if (session.gapped.iter().any(|gapped| *gapped) && !lost_on_the_way(at))
        || session.foreign.iter().any(Option::is_some)
    {
        return None;
    }
    let last = [at.client_half().last_data, at.server_half().last_data]
        .into_iter()
        .flatten()
        .max()?;
    let end = first_close(at);
    let waited = end.map_or(at.until, |end| end.time).since(last.time);
    // The server cuts in the middle: no waiting is needed. A client that leaves at once refused, or changed its mind.
    let server_cut = at
        .server_half()
        .fin
        .map(|fin| fin.at)
        .or(at.server_half().reset.map(|rst| rst.at));
    let by_server = server_cut.is_some_and(|cut| Some(cut) == end);
    if waited < 5 * SECOND && !by_server {
        return None;
    }
    let waits = if stage == Stage::ServerFlight {
        ToServer
    } else {
        ToClient
    };
    let mut finding = at.finding(&CLASS).seen(hello.at, "client-hello").failing();
    finding = finding
        .seen_if(
            session.server_hello.as_ref().map(|hello| hello.at),
            "server-hello",
        )
        .seen(last, "last");
    finding = finding.seen_if(end, "close");
    let repeats = at.half(waits).unacked.repeats;
    Some(
        finding
            .detail("stage", Value::Text(format!("{stage:?}")))
            .detail(
                "waiting_for",
                Value::Text(
                    if waits == ToServer {
                        "client"
                    } else {
                        "server"
                    }
                    .to_owned(),
                ),
            )
            .detail("waited_ms", Value::Number(waited / MILLISECOND))
            .detail("retransmissions", Value::Number(repeats.into())),
    )
}

/// The hole in the server's bytes is the path's, not the capture's: the client never acknowledged past it.
fn lost_on_the_way(at: &Episode<'_>) -> bool {
    let (client, server) = (
        &at.connection.streams[ToServer],
        &at.connection.streams[ToClient],
    );
    client.missed_bytes == 0 && server.missed_bytes == 0 && !at.server_half().all_acked()
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let side = match (finding.text("waiting_for"), lang) {
        (Some("client"), Lang::En) => "client",
        (Some("client"), Lang::Zh) => "客户端",
        (_, Lang::En) => "server",
        (_, Lang::Zh) => "服务器",
    };
    match lang {
        Lang::En => format!(
            "the handshake of {client} with {server} stopped half-way, waiting for the {side}"
        ),
        Lang::Zh => format!("{client} 与 {server} 的握手中途停止，等待{side}"),
    }
}
