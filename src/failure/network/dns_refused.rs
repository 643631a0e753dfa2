#![doc = include_str!("dns_refused.en.md")]

use crate::failure::network::dns::{Try, resolvers_text};
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::flow::lookup::Outcome;
use crate::guide;

/// `network.dns-refused`
pub static CLASS: Class = Class {
    code: "network.dns-refused",
    severity: Severity::Error,
    guide: guide!("dns_refused"),
    summary,
};

/// Resolvers refuse to answer for the name, and none that was asked gives an address.
pub fn detect(at: &Try<'_>) -> Option<Finding> {
    (at.outcome() == Outcome::Refused).then(|| {
        at.finding(&CLASS)
            .detail("rcode", Value::Text("REFUSED".to_owned()))
    })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (name, client) = (finding.name.as_deref().unwrap_or(""), finding.client_text());
    let resolvers = resolvers_text(finding, lang);
    match lang {
        Lang::En => format!("{resolvers} refused to resolve {name} for {client}"),
        Lang::Zh => format!("{resolvers} 拒绝为 {client} 解析 {name}"),
    }
}
