#![doc = include_str!("dns_servfail.en.md")]

use crate::failure::network::dns::{Try, resolvers_text};
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::flow::lookup::Outcome;
use crate::guide;
use crate::protocol::dns::rcode;

/// `network.dns-servfail`
pub static CLASS: Class = Class {
    code: "network.dns-servfail",
    severity: Severity::Error,
    guide: guide!("dns_servfail"),
    summary,
};

/// Resolvers answer with SERVFAIL, FORMERR, NOTIMP or another error, and none that was asked gives an address.
pub fn detect(at: &Try<'_>) -> Option<Finding> {
    let Outcome::ServerFailure(code) = at.outcome() else {
        return None;
    };
    Some(
        at.finding(&CLASS)
            .detail("rcode", Value::Text(rcode::name(code))),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (name, client) = (finding.name.as_deref().unwrap_or(""), finding.client_text());
    let (resolvers, code) = (
        resolvers_text(finding, lang),
        finding.text("rcode").unwrap_or(""),
    );
    match lang {
        Lang::En => format!("{resolvers} answered {client}'s lookup of {name} with {code}"),
        Lang::Zh => format!("{resolvers} 对 {client} 查询 {name} 的应答为 {code}"),
    }
}
