#![doc = include_str!("dns_no_address.en.md")]

use crate::failure::network::dns::{Try, resolvers_text};
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::flow::lookup::Outcome;
use crate::guide;
use crate::protocol::dns::kind;

/// `network.dns-no-address`
pub static CLASS: Class = Class {
    code: "network.dns-no-address",
    severity: Severity::Warning,
    guide: guide!("dns_no_address"),
    summary,
};

/// The name exists, and neither A nor AAAA gave an address. An AAAA alone without address is what every IPv4 server
/// has, so the A must be seen to be empty.
pub fn detect(at: &Try<'_>) -> Option<Finding> {
    let empty_a = at
        .with(Outcome::NoAddress)
        .find(|lookup| lookup.kind == kind::A)?;
    if at.outcome() != Outcome::NoAddress {
        return None;
    }
    let mut finding = at.finding(&CLASS);
    if let Some(alias) = empty_a.answer().and_then(|answer| answer.alias.clone()) {
        finding = finding.detail("alias", Value::Text(alias));
    }
    Some(finding)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (name, client) = (finding.name.as_deref().unwrap_or(""), finding.client_text());
    let resolvers = resolvers_text(finding, lang);
    match lang {
        Lang::En => {
            format!("{resolvers} knows the name {name} but gave {client} no address for it")
        }
        Lang::Zh => format!("{resolvers} 答复 {client}：{name} 存在，但没有任何地址"),
    }
}
