#![doc = include_str!("cert_changed.en.md")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::failure::security::shown::Shown;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;

/// `security.cert-changed`
pub static CLASS: Class = Class {
    code: "security.cert-changed",
    severity: Severity::Info,
    guide: guide!("cert_changed"),
    summary,
};

/// Servers that showed one leaf up to a moment and another from then on, to one client at least both of them. Members of
/// a pool, and servers with a certificate for each kind of key, show theirs in turn: that is no change.
pub fn judge(shown: &[Shown]) -> Vec<Finding> {
    let mut servers: BTreeMap<((IpAddr, u16), &str), Vec<&Shown>> = BTreeMap::new();
    for one in shown {
        servers
            .entry((one.key.1, one.key.2.as_str()))
            .or_default()
            .push(one);
    }
    servers.values().flat_map(|shown| changes(shown)).collect()
}

fn changes(shown: &[&Shown]) -> Vec<Finding> {
    let mut leaves: BTreeMap<(&str, &str), Vec<&Shown>> = BTreeMap::new();
    for one in shown {
        leaves.entry(one.identity()).or_default().push(one);
    }
    let mut order: Vec<Vec<&Shown>> = leaves.into_values().collect();
    for leaf in &mut order {
        leaf.sort_by_key(|one| one.first);
    }
    order.sort_by_key(|leaf| leaf.first().map(|one| one.first));
    order
        .windows(2)
        .filter_map(|pair| match pair {
            [former, latter] => change(former, latter),
            _ => None,
        })
        .collect()
}

fn change(former: &[&Shown], latter: &[&Shown]) -> Option<Finding> {
    let last = former.iter().copied().max_by_key(|one| one.last)?;
    let first = latter.iter().copied().min_by_key(|one| one.first)?;
    let before: BTreeSet<IpAddr> = former.iter().map(|one| one.who()).collect();
    let both = || latter.iter().filter(|one| before.contains(&one.who()));
    if last.last >= first.first || both().next().is_none() {
        return None;
    }
    let went_well: BTreeSet<IpAddr> = former
        .iter()
        .filter(|one| one.accepted > 0)
        .map(|one| one.who())
        .collect();
    let failing = both()
        .filter(|one| one.refused > 0 && one.accepted == 0 && went_well.contains(&one.who()))
        .count();
    let finding = first
        .finding(&CLASS)
        .seen(last.last, "former")
        .seen(first.first, "certificate")
        .detail("former_subject", Value::Text(last.leaf.subject.clone()))
        .detail("former_issuer", Value::Text(last.leaf.issuer.clone()))
        .detail("former_serial", Value::Text(last.leaf.serial.clone()))
        .detail("former_not_after", Value::Time(last.leaf.not_after))
        .detail("not_after", Value::Time(first.leaf.not_after))
        .detail(
            "failing_clients",
            Value::Number(i64::try_from(failing).unwrap_or(i64::MAX)),
        );
    Some(if failing > 0 {
        finding.severity(Severity::Warning)
    } else {
        finding
    })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let failing = finding.number("failing_clients").unwrap_or(0);
    let text = |key| finding.text(key).unwrap_or("");
    let (former, latter) = (text("former_issuer"), text("issuer"));
    let same = former == latter;
    match lang {
        Lang::En => {
            let issuers = if same {
                format!("both issued by {latter}")
            } else {
                format!("issued by {latter} instead of {former}")
            };
            format!(
                "{server} shows another certificate, {issuers}; clients that fail since: {failing}"
            )
        }
        Lang::Zh => {
            let issuers = if same {
                format!("签发者均为 {latter}")
            } else {
                format!("签发者由 {former} 变为 {latter}")
            };
            format!("{server} 更换了证书，{issuers}；此后失败的客户端：{failing}")
        }
    }
}
