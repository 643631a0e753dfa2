#![doc = include_str!("tls_obsolete.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::tls::{Session, Stage, names};

/// `security.tls-obsolete`
pub static CLASS: Class = Class {
    code: "security.tls-obsolete",
    severity: Severity::Warning,
    guide: guide!("tls_obsolete"),
    summary,
};

/// SSL 2, SSL 3, TLS 1.0 or TLS 1.1 was negotiated (RFC 8996).
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let hello = session.server_hello.as_ref()?;
    let old = matches!(hello.value.version, 0x0002 | 0x0300..=0x0302);
    if !old || session.stage() < Stage::ClientFinished {
        return None;
    }
    let finding = at.finding(&CLASS).seen(hello.at, "server-hello");
    Some(finding.detail("version", Value::Text(names::version(hello.value.version))))
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let version = finding.text("version").unwrap_or("");
    match lang {
        Lang::En => format!("{client} and {server} negotiated {version}"),
        Lang::Zh => format!("{client} 与 {server} 协商使用 {version}"),
    }
}
