#![doc = include_str!("cleartext_credentials.en.md")]

use std::net::IpAddr;

use crate::failure::application::exchange;
use crate::failure::episode::{Episode, Exposure};
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;

/// `security.cleartext-credentials`
pub static CLASS: Class = Class {
    code: "security.cleartext-credentials",
    severity: Severity::Critical,
    guide: guide!("cleartext_credentials"),
    summary,
};

/// A request in clear with Basic credentials, a bearer token, or a password or access token in a field. A state of
/// the house: told once per endpoint, and never what an attempt fails by. What does not leave the machine is no matter.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let web = at
        .web
        .filter(|_| !is_own(at.client.0) && !is_own(at.server.0))?;
    let open: Vec<Exposure> = web.log.open().filter_map(Exposure::of).collect();
    let first = web
        .exposed
        .as_deref()
        .into_iter()
        .chain(&open)
        .min_by_key(|exposure| exposure.at)?;
    let count = u64::from(web.exposures).saturating_add(open.len() as u64);
    let mut finding = at
        .finding(&CLASS)
        .seen(first.at, "request")
        .detail("kind", Value::Text(first.what.kind.to_owned()))
        .detail("field", Value::Text(first.what.field.clone()))
        .detail("method", Value::Text(first.method.clone()))
        .detail("path", Value::Text(first.path.clone()));
    if let Some(host) = &first.host {
        finding = finding.detail("host", Value::Text(host.to_string()));
        finding.name = Some(exchange::host_name(host).to_owned())
            .filter(|name| name.parse::<IpAddr>().is_err());
    }
    // What a proxy was given is not the business of the server behind it.
    if first.what.kind == "proxy-basic" {
        finding.name = None;
    }
    finding.count = count.max(1);
    Some(if first.what.hidden {
        finding.at_most(80, HIDDEN)
    } else {
        finding
    })
}

const HIDDEN: Text = Text {
    en: "the value looks like a digest or ciphertext: it may be replayed, but the password itself may not be in it",
    zh: "该值形似摘要或密文：可被重放，但未必含口令原文",
};

fn is_own(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let field = finding.text("field").unwrap_or("");
    match (finding.text("kind").unwrap_or(""), lang) {
        ("basic" | "proxy-basic", Lang::En) => {
            format!("{client} sent a Basic login to {server} unencrypted")
        }
        ("basic" | "proxy-basic", Lang::Zh) => {
            format!("{client} 以未加密的 HTTP 向 {server} 发送 Basic 认证口令")
        }
        ("bearer", Lang::En) => format!("{client} sent a bearer token to {server} unencrypted"),
        ("bearer", Lang::Zh) => format!("{client} 以未加密的 HTTP 向 {server} 发送 Bearer 令牌"),
        (_, Lang::En) => format!("{client} sent the field {field} to {server} unencrypted"),
        (_, Lang::Zh) => format!("{client} 以未加密的 HTTP 向 {server} 发送字段 {field}"),
    }
}
