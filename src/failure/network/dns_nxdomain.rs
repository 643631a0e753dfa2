#![doc = include_str!("dns_nxdomain.en.md")]

use crate::failure::network::dns::{Try, resolvers_text};
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::flow::lookup::Outcome;
use crate::guide;

/// `network.dns-nxdomain`
pub static CLASS: Class = Class {
    code: "network.dns-nxdomain",
    severity: Severity::Error,
    guide: guide!("dns_nxdomain"),
    summary,
};

/// A resolver says that the name does not exist, and no other answer repairs it.
pub fn detect(at: &Try<'_>) -> Option<Finding> {
    if at.outcome() != Outcome::NxDomain {
        return None;
    }
    let alias = at
        .with(Outcome::NxDomain)
        .find_map(|lookup| lookup.answer()?.alias.clone());
    let mut finding = at
        .finding(&CLASS)
        .detail("rcode", Value::Text("NXDOMAIN".to_owned()));
    if let Some(alias) = alias {
        // RFC 2308 2.1: the code speaks of the alias's target, not of the name asked for.
        finding = finding.detail("alias", Value::Text(alias));
    }
    Some(finding)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (name, client) = (finding.name.as_deref().unwrap_or(""), finding.client_text());
    let resolvers = resolvers_text(finding, lang);
    match lang {
        Lang::En => format!("{resolvers} told {client} that the name {name} does not exist"),
        Lang::Zh => format!("{resolvers} 答复 {client}：域名 {name} 不存在"),
    }
}
