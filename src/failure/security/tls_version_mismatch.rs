#![doc = include_str!("tls_version_mismatch.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::{ToClient, ToServer};
use crate::protocol::tls::{Session, Stage, names};

/// `security.tls-version-mismatch`
pub static CLASS: Class = Class {
    code: "security.tls-version-mismatch",
    severity: Severity::Error,
    guide: guide!("tls_version_mismatch"),
    summary,
};

/// A protocol_version alert of either side (RFC 8446 4.2.1), or the fallback guard (RFC 7507).
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let alert = session
        .fatal(ToClient)
        .or_else(|| session.fatal(ToServer))
        .filter(|_| session.stage() < Stage::Complete)?;
    if !matches!(alert.description, 70 | 86) {
        return None;
    }
    let hello = session.client_hello.as_ref();
    let server = session.server_hello.as_ref();
    let mut finding = at
        .finding(&CLASS)
        .seen_if(hello.map(|hello| hello.at), "client-hello")
        .failing();
    finding = finding
        .seen_if(server.map(|hello| hello.at), "server-hello")
        .seen(alert.at, "alert");
    finding = finding
        .detail(
            "sender",
            Value::Text(
                if alert.from == ToClient {
                    "server"
                } else {
                    "client"
                }
                .to_owned(),
            ),
        )
        .detail(
            "alert",
            Value::Text(names::alert(alert.description).to_owned()),
        );
    if let Some(hello) = hello {
        finding = finding.detail(
            "client_highest",
            Value::Text(names::version(hello.value.highest())),
        );
        if !hello.value.supported_versions.is_empty() {
            let offered = hello
                .value
                .supported_versions
                .iter()
                .map(|version| names::version(*version))
                .collect();
            finding = finding.detail("client_offers", Value::List(offered));
        }
    }
    if let Some(hello) = server {
        finding = finding.detail(
            "server_chose",
            Value::Text(names::version(hello.value.version)),
        );
    }
    Some(finding)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let offered = finding.text("client_highest").unwrap_or("?");
    let refuser = if finding.text("sender") == Some("client") {
        &client
    } else {
        &server
    };
    if let ("client", Some(chosen)) = (
        finding.text("sender").unwrap_or(""),
        finding.text("server_chose"),
    ) {
        return match lang {
            Lang::En => format!(
                "{client} offers up to {offered}, {server} chooses {chosen} and the client refuses that"
            ),
            Lang::Zh => {
                format!("{client} 最高支持 {offered}，{server} 选用 {chosen}，客户端拒绝该版本")
            }
        };
    }
    match lang {
        Lang::En => format!("{client} offers up to {offered} and {refuser} refuses the version"),
        Lang::Zh => format!("{client} 最高支持 {offered}，{refuser} 拒绝该版本"),
    }
}
