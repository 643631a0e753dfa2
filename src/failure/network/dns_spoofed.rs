#![doc = include_str!("dns_spoofed.en.md")]

use std::net::IpAddr;

use crate::failure::network::dns::{Around, Try};
use crate::failure::{Class, Finding, Lang, Severity, Subject, Text, Value};
use crate::flow::lookup::{Lookup, Reply};
use crate::flow::names::Unroutable;
use crate::guide;
use crate::protocol::dns::PORT;
use crate::time::{Nanos, SECOND};

/// `network.dns-spoofed`
pub static CLASS: Class = Class {
    code: "network.dns-spoofed",
    severity: Severity::Critical,
    guide: guide!("dns_spoofed"),
    summary,
};

/// Two answers to one query lie at most this far apart.
const APART_MAX: Nanos = 5 * SECOND;

/// Two responses to one query that share no address and were not sent by one host: another TTL, or other header bits.
pub fn detect(at: &Try<'_>) -> Option<Finding> {
    let (lookup, first, second) = at
        .lookups
        .iter()
        .find_map(|lookup| pair(lookup).map(|(first, second)| (*lookup, first, second)))?;
    let query = lookup
        .queries
        .iter()
        .find(|query| query.id == first.id && query.resolver == first.resolver)?;
    let mut finding = Finding::new(&CLASS, Subject::Name, query.at.time)
        .seen(query.at, "query")
        .seen(first.at, "response")
        .seen(second.at, "response");
    finding.protocol = 17;
    finding.client = Some((at.client, 0));
    finding.server = Some((first.resolver, PORT));
    finding.name = Some(at.name.to_owned());
    if !at.endpoint {
        finding.severity = Severity::Info;
    }
    let mut traits = Vec::new();
    if first.ttl != second.ttl {
        traits.push("ip-ttl".to_owned());
    }
    if first.flags != second.flags {
        traits.push("dns-flags".to_owned());
    }
    let ttl = |reply: &Reply| Value::Number(reply.ttl.map_or(0, i64::from));
    Some(
        finding
            .detail("first_addresses", list(&first.addresses))
            .detail("second_addresses", list(&second.addresses))
            .detail("first_ttl", ttl(first))
            .detail("second_ttl", ttl(second))
            .detail("traits", Value::List(traits)),
    )
}

/// The first two replies of that kind. A query sent twice may be answered twice.
fn pair(lookup: &Lookup) -> Option<(&Reply, &Reply)> {
    for (index, first) in lookup.replies.iter().enumerate() {
        for second in lookup.replies.iter().skip(index.saturating_add(1)) {
            let one_query = (first.resolver, first.id) == (second.resolver, second.id)
                && !first.tcp
                && !second.tcp;
            let soon = second.at.time.since(first.at.time) <= APART_MAX;
            let disjoint = !first.addresses.is_empty()
                && !second.addresses.is_empty()
                && first
                    .addresses
                    .iter()
                    .all(|ip| !second.addresses.contains(ip));
            let strange = first.ttl != second.ttl || first.flags != second.flags;
            let of_query = |id: u16, resolver: IpAddr| {
                let asked = lookup.queries.iter();
                asked
                    .filter(|query| query.id == id && query.resolver == resolver)
                    .count()
            };
            let replies = lookup.replies.iter();
            let replies = replies
                .filter(|reply| reply.id == first.id && reply.resolver == first.resolver)
                .count();
            let asked = of_query(first.id, first.resolver);
            if one_query && soon && disjoint && strange && asked > 0 && replies > asked {
                return Some((first, second));
            }
        }
    }
    None
}

/// Answers that lead to a loopback or private address although the name has a public one for others, or had it before,
/// and nobody came to stand there.
pub fn unroutable(around: &Around<'_>) -> Vec<Finding> {
    let odd = around.names.unroutable().into_iter();
    odd.filter(|(client, _, answer, _)| {
        let (_, stood) = (around.tried)(*client, &[answer.address], answer.at.time);
        !stood
    })
    .map(|(client, name, answer, other)| {
        let mut finding =
            Finding::new(&CLASS, Subject::Name, answer.at.time).seen(answer.at, "response");
        finding.protocol = 17;
        finding.client = Some((client, 0));
        finding.server = Some((answer.resolver, PORT));
        finding.name = Some(name.to_owned());
        let of_endpoint = (around.is_endpoint)(name) || (around.is_server)(other);
        if !of_endpoint || of_a_proxy(&answer) {
            finding.severity = Severity::Info;
        }
        finding = finding
            .detail("first_addresses", list(&[answer.address]))
            .detail("public_address", Value::Text(other.to_string()));
        if answer.address.is_loopback() || answer.address.is_unspecified() {
            finding
        } else {
            finding.at_most(80, OWN_VIEW)
        }
    })
    .collect()
}

/// 198.18/15: a proxy on the client makes these up and leads what goes there elsewhere.
fn of_a_proxy(answer: &Unroutable) -> bool {
    matches!(answer.address, IpAddr::V4(ip) if ip.octets()[0] == 198)
}

fn list(addresses: &[IpAddr]) -> Value {
    Value::List(addresses.iter().map(ToString::to_string).collect())
}

/// Where the answers of a finding lead.
pub(super) fn addresses(finding: &Finding) -> Vec<IpAddr> {
    let lists = finding
        .details
        .iter()
        .filter_map(|(key, value)| match value {
            Value::List(list) if key.ends_with("_addresses") => Some(list),
            _ => None,
        });
    lists.flatten().filter_map(|ip| ip.parse().ok()).collect()
}

const OWN_VIEW: Text = Text {
    en: "a resolver that shows the own network other addresses (split horizon) looks the same",
    zh: "为内网返回不同地址的解析服务器（分区解析）看起来也是如此",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (name, client) = (finding.name.as_deref().unwrap_or(""), finding.client_text());
    let words = |key: &str| {
        let list = finding
            .details
            .iter()
            .find_map(|(known, value)| match value {
                Value::List(list) if *known == key => Some(list.join(", ")),
                _ => None,
            });
        list.unwrap_or_default()
    };
    let (first, second) = (words("first_addresses"), words("second_addresses"));
    match (lang, finding.text("public_address")) {
        (Lang::En, Some(public)) => format!(
            "{client} was told that {name} has the address {first}, which no public server has; elsewhere it is {public}"
        ),
        (Lang::Zh, Some(public)) => {
            format!("{client} 得到的 {name} 地址为 {first}，并非公网地址；其他应答为 {public}")
        }
        (Lang::En, None) => format!(
            "{client} got two answers to one query for {name}, from different senders: {first} and {second}"
        ),
        (Lang::Zh, None) => {
            format!("{client} 对 {name} 的一次查询收到两份来源不同的应答：{first} 与 {second}")
        }
    }
}
