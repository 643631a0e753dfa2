#![doc = include_str!("cipher_weak.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::tls::{Session, Stage, names};

/// `security.cipher-weak`
pub static CLASS: Class = Class {
    code: "security.cipher-weak",
    severity: Severity::Warning,
    guide: guide!("cipher_weak"),
    summary,
};

/// A suite with RC4, DES, 3DES, NULL, EXPORT, MD5 or without authentication was negotiated.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let hello = session.server_hello.as_ref()?;
    let why = names::weakness(hello.value.suite)?;
    if session.stage() < Stage::ClientFinished {
        return None;
    }
    Some(
        at.finding(&CLASS)
            .seen(hello.at, "server-hello")
            .detail("suite", Value::Text(names::suite(hello.value.suite)))
            .detail("why", Value::Text(why.to_owned())),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let suite = finding.text("suite").unwrap_or("");
    match lang {
        Lang::En => format!("{client} and {server} negotiated {suite}"),
        Lang::Zh => format!("{client} 与 {server} 协商使用弱套件 {suite}"),
    }
}
