#![doc = include_str!("cert_intercepted.en.md")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::failure::security::shown::{Key, Shown, same_site};
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::time::{Nanos, SECOND};

/// `security.cert-intercepted`
pub static CLASS: Class = Class {
    code: "security.cert-intercepted",
    severity: Severity::Critical,
    guide: guide!("cert_intercepted"),
    summary,
};

/// Two leaves for one name within this are compared.
const TOGETHER: Nanos = 600 * SECOND;

/// An issuer that comes up for so many names at once is no server's new one.
const SIGNS_FOR: usize = 3;

/// Words of issuers that sign for every name on the way: inspecting firewalls and gateways, virus scanners, debugging
/// proxies. In lower case, as they stand in their subject names.
const INSPECTORS: [(&str, &str); 34] = [
    ("fortinet", "Fortinet"),
    ("fortigate", "Fortinet"),
    ("zscaler", "Zscaler"),
    ("palo alto networks", "Palo Alto Networks"),
    ("blue coat", "Blue Coat"),
    ("bluecoat", "Blue Coat"),
    ("netskope", "Netskope"),
    ("sophos", "Sophos"),
    ("check point", "Check Point"),
    ("mcafee web gateway", "McAfee"),
    ("sangfor", "Sangfor"),
    ("深信服", "Sangfor"),
    ("netentsec", "NetentSec"),
    ("网康", "NetentSec"),
    ("奇安信", "QiAnXin"),
    ("topsec", "Topsec"),
    ("hillstone", "Hillstone"),
    ("kaspersky anti-virus", "Kaspersky"),
    ("avast", "Avast"),
    ("avg technologies", "AVG"),
    ("eset ssl filter", "ESET"),
    ("bitdefender personal", "Bitdefender"),
    ("adguard", "AdGuard"),
    ("fiddler", "Fiddler"),
    ("charles proxy", "Charles"),
    ("mitmproxy", "mitmproxy"),
    ("portswigger", "Burp"),
    ("cisco umbrella", "Cisco Umbrella"),
    ("watchguard", "WatchGuard"),
    ("sonicwall", "SonicWall"),
    ("superfish", "Superfish"),
    ("ssl inspection", "unknown"),
    ("https inspection", "unknown"),
    ("ssl decryption", "unknown"),
];
/// Codes that it is said instead of, where they speak of the same chain.
const GIVES_WAY: [&str; 3] = [
    "security.cert-untrusted-root",
    "security.cert-chain-incomplete",
    "security.cert-rejected",
];

/// Why a chain is taken for a device's on the way.
#[derive(Clone, Copy, Debug)]
enum Why<'s> {
    /// Its issuer is known for it.
    Known(&'static str),
    /// Another client was shown this one, at the same address.
    Other(&'s Shown),
}

/// Chains that come from a device on the way: findings about them are renamed, the rest is told anew.
pub fn judge(findings: &mut [Finding], shown: &[Shown]) -> Vec<Finding> {
    let mut foreign: BTreeMap<&Key, (&Shown, Why<'_>)> = BTreeMap::new();
    let mut beside: BTreeMap<(IpAddr, u16, &str), Vec<&Shown>> = BTreeMap::new();
    for one in shown.iter().filter(|one| one.covers) {
        let (address, port) = one.key.1;
        beside
            .entry((address, port, one.key.2.as_str()))
            .or_default()
            .push(one);
    }
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in shown.iter().filter(|one| one.covers && !one.trusted) {
        let own = names.entry(one.leaf.issuer.as_str()).or_default();
        own.insert(one.key.2.as_str());
    }
    for (one, beside) in beside
        .values()
        .flat_map(|all| all.iter().map(move |one| (*one, all.as_slice())))
        .filter(|(one, _)| !one.self_signed)
    {
        if let Some(product) = inspector(&one.leaf.issuer) {
            foreign.insert(&one.key, (one, Why::Known(product)));
        } else if let Some(other) = contradicted(one, beside)
            && !(names
                .get(one.leaf.issuer.as_str())
                .is_none_or(|names| names.len() < SIGNS_FOR)
                && replaced(one, beside))
        {
            foreign.insert(&one.key, (one, Why::Other(other)));
        }
    }
    let mut told: BTreeSet<&Key> = BTreeSet::new();
    for finding in findings
        .iter_mut()
        .filter(|finding| GIVES_WAY.contains(&finding.class.code))
    {
        let (Some((client, _)), Some(server), Some(name), Some(chain)) = (
            finding.client,
            finding.server,
            finding.name.as_ref(),
            finding.text("chain"),
        ) else {
            continue;
        };
        let key = (client, server, name.to_ascii_lowercase(), chain.to_owned());
        if let Some((known, (_, why))) = foreign.get_key_value(&key) {
            told.insert(known);
            let own = finding.class.code;
            finding.also.insert(0, own);
            finding.class = &CLASS;
            finding.severity = CLASS.severity;
            *finding = explained(finding.clone(), *why);
        }
    }
    foreign
        .into_iter()
        .filter(|(key, _)| !told.contains(key))
        .map(|(_, (one, why))| {
            let finding = one
                .finding(&CLASS)
                .seen(one.first, "certificate")
                .detail("accepted", Value::Bool(one.refused == 0));
            explained(finding, why)
        })
        .collect()
}

fn explained(finding: Finding, why: Why<'_>) -> Finding {
    match why {
        Why::Known(product) => finding.detail("inspector", Value::Text(product.to_owned())),
        Why::Other(other) => {
            let (first, last) = (finding.first, finding.last);
            let mut finding = finding
                .seen(other.first, "other-certificate")
                .detail("other_issuer", Value::Text(other.leaf.issuer.clone()))
                .detail("other_client", Value::Text(other.who().to_string()));
            (finding.first, finding.last) = (first, last);
            if finding.also.first() == Some(&"security.cert-chain-incomplete") {
                return finding.at_most(70, INCOMPLETE);
            }
            finding
        }
    }
}

const INCOMPLETE: Text = Text {
    en: "the chain is incomplete: its root is not seen",
    zh: "证书链不完整，未见其根证书",
};

/// A trusted chain of another issuer, shown to another client of the site at the same address and for the same name. One
/// client that saw first this and then that saw a change of the server's own.
fn contradicted<'s>(one: &Shown, beside: &[&'s Shown]) -> Option<&'s Shown> {
    if one.trusted {
        return None;
    }
    let same = |other: &&Shown| other.trusted && other.leaf.issuer != one.leaf.issuer;
    let own = beside
        .iter()
        .copied()
        .filter(same)
        .find(|other| other.who() == one.who());
    let switched = own.is_some_and(|own| own.last < one.first || one.last < own.first);
    if own.is_some() && !switched {
        // Now this, now that to one client: members of a pool.
        return None;
    }
    let others = || {
        beside
            .iter()
            .copied()
            .filter(same)
            .filter(|other| other.who() != one.who())
    };
    let near = |other: &&Shown| {
        let apart =
            (one.first.time.since(other.last.time)).max(other.first.time.since(one.last.time));
        same_site(one.who(), other.who()) && apart <= TOGETHER
    };
    // The others go on seeing the trusted one while this client sees it no more.
    let meanwhile = |other: &&Shown| !switched || other.last > one.first && other.first < one.last;
    others().filter(near).find(meanwhile)
}

/// Nobody was shown the trusted ones any more once this issuer's had come, and somebody saw first those, then this: the
/// server's own certificate was replaced, for everybody at one moment.
fn replaced(one: &Shown, beside: &[&Shown]) -> bool {
    let new = || {
        beside
            .iter()
            .filter(|shown| shown.leaf.issuer == one.leaf.issuer)
    };
    let old = || {
        let trusted = beside.iter().filter(|shown| shown.trusted);
        trusted.filter(|shown| shown.leaf.issuer != one.leaf.issuer)
    };
    let came = new().map(|shown| shown.first).min();
    let went = old().map(|shown| shown.last).max();
    let both = new().any(|shown| old().any(|former| former.who() == shown.who()));
    both && went.is_some() && went < came
}

fn inspector(issuer: &str) -> Option<&'static str> {
    let issuer = issuer.to_lowercase();
    INSPECTORS
        .iter()
        .find(|(word, _)| issuer.contains(word))
        .map(|(_, product)| *product)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let issuer = finding.text("issuer").unwrap_or("");
    match (finding.text("other_issuer"), lang) {
        (Some(other), Lang::En) => format!(
            "{client} was shown a certificate of {server} issued by {issuer}, others of its site one by {other}"
        ),
        (Some(other), Lang::Zh) => format!(
            "{client} 看到的 {server} 证书由 {issuer} 签发，而同一网段其他客户端看到的由 {other} 签发"
        ),
        (None, Lang::En) => format!(
            "{client} was shown a certificate of {server} issued by {issuer}, which signs on the way"
        ),
        (None, Lang::Zh) => {
            format!("{client} 看到的 {server} 证书由中间检测设备 {issuer} 签发")
        }
    }
}
