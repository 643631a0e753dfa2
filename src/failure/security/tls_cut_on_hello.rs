#![doc = include_str!("tls_cut_on_hello.en.md")]

use crate::failure::episode::Episode;
use crate::failure::security::tlcp_mismatch::TLCP;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::tls::Session;
use crate::tcp::half::hops;
use crate::time::{MILLISECOND, SECOND};

/// `security.tls-cut-on-hello`
pub static CLASS: Class = Class {
    code: "security.tls-cut-on-hello",
    severity: Severity::Error,
    guide: guide!("tls_cut_on_hello"),
    summary,
};

/// RST or FIN of the server straight after the ClientHello, nothing else.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let hello = session.client_hello.as_ref()?;
    let (client, server) = (at.client_half(), at.server_half());
    if server.counts.data_segments > 0 {
        return None;
    }
    let cut = [
        server.reset.map(|rst| (rst.at, "rst")),
        server.fin.map(|fin| (fin.at, "fin")),
    ];
    let (cut, role) = cut.into_iter().flatten().min_by_key(|(at, _)| *at)?;
    let client_first =
        client.fin.is_some_and(|fin| fin.at < cut) || client.reset.is_some_and(|rst| rst.at < cut);
    if client_first || cut < hello.at || cut.time.since(hello.at.time) >= 5 * SECOND {
        return None;
    }
    let mut finding = at
        .finding(&CLASS)
        .seen(hello.at, "client-hello")
        .seen(cut, role)
        .failing();
    finding = finding.detail("by", Value::Text(role.to_owned())).detail(
        "after_ms",
        Value::Number(cut.time.since(hello.at.time) / MILLISECOND),
    );
    if let Some(rst) = server.reset.filter(|_| role == "rst") {
        finding = finding.detail("rst_hops", Value::Number(i64::from(hops(rst.ttl))));
    }
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
        Lang::En => format!("{server} cut the connection of {client} right after its ClientHello"),
        Lang::Zh => format!("{server} 在 {client} 发出 ClientHello 后立即中断连接"),
    }
}
