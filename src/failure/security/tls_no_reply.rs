#![doc = include_str!("tls_no_reply.en.md")]

use crate::failure::episode::Episode;
use crate::failure::security::tlcp_mismatch::TLCP;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::ToClient;
use crate::mark::Direction::ToServer;
use crate::protocol::tls::Session;
use crate::time::{MILLISECOND, SECOND};

/// `security.tls-no-reply`
pub static CLASS: Class = Class {
    code: "security.tls-no-reply",
    severity: Severity::Error,
    guide: guide!("tls_no_reply"),
    summary,
};

/// The ClientHello was acknowledged, and nothing came back for 5 s or until somebody closed.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let hello = session.client_hello.as_ref()?;
    let (client, server) = (at.client_half(), at.server_half());
    let silent = server.counts.data_segments == 0 && server.reset.is_none();
    if !silent || !client.all_acked() || session.gapped[ToServer] || server.counts.packets == 0 {
        return None;
    }
    // The client gave up, the server closed without a word after waiting itself, or the patience passed.
    let ends = [
        client.fin.map(|fin| fin.at),
        client.reset.map(|rst| rst.at),
        server.fin.map(|fin| fin.at),
    ];
    let end = ends.into_iter().flatten().min();
    let waited = end.map_or(at.until, |end| end.time).since(hello.at.time);
    if waited < 5 * SECOND {
        return None;
    }
    let mut finding = at.finding(&CLASS).seen(hello.at, "client-hello").failing();
    finding = finding
        .seen_if(client.acked_at.filter(|ack| *ack > hello.at), "ack")
        .seen_if(end, "close");
    finding.silence = Some(at.silence_of(ToClient, hello.at, end.unwrap_or(hello.at), false));
    finding = finding.detail("waited_ms", Value::Number(waited / MILLISECOND));
    if hello.value.legacy_version == TLCP {
        finding = finding.detail("hello", Value::Text("TLCP".to_owned()));
    }
    if let Some(sni) = session.sni() {
        finding = finding.detail("sni", Value::Text(sni.to_owned()));
    }
    Some(finding)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    match lang {
        Lang::En => {
            format!("{server} acknowledged the ClientHello of {client} and sent nothing back")
        }
        Lang::Zh => format!("{server} 确认了 {client} 的 ClientHello，但未返回任何数据"),
    }
}
