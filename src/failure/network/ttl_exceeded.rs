#![doc = include_str!("ttl_exceeded.en.md")]

use crate::failure::episode::Episode;
use crate::failure::network::icmp_unreachable::{retries, stopped};
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;

/// `network.ttl-exceeded`
pub static CLASS: Class = Class {
    code: "network.ttl-exceeded",
    severity: Severity::Error,
    guide: guide!("ttl_exceeded"),
    summary,
};

/// An attempt answered by "time exceeded in transit" (RFC 792, RFC 4443 3.3) of one router. Of two and more it is a
/// routing loop.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let error = at.errors?.expired.first()?;
    Some(
        stopped(at, error, &CLASS)?
            .detail("router", Value::Text(error.router.to_string()))
            .detail("errors", Value::Number(i64::from(error.count)))
            .detail("client_ttl", Value::Number(i64::from(at.client_ttl_min)))
            .detail("retries", retries(at)),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let router = finding.text("router").unwrap_or("");
    match lang {
        Lang::En => {
            format!("{router} dropped packets of {client} to {server}: their time to live ran out")
        }
        Lang::Zh => format!("{client} 发往 {server} 的报文 TTL 耗尽，被 {router} 丢弃"),
    }
}
