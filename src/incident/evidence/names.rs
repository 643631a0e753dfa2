//! Name resolution: whether the resolver answers at all, for whom, and for which names.

use std::collections::BTreeSet;

use super::hosts::share;
use super::{Found, Item, by_count, list};
use crate::failure::{Finding, Text, Value};
use crate::incident::case::Case;
use crate::incident::context::{Answered, Span};
use crate::time::Timestamp;

const DNS: [&str; 5] = [
    "network.dns-timeout",
    "network.dns-servfail",
    "network.dns-refused",
    "network.dns-nxdomain",
    "network.dns-no-address",
];

pub(in crate::incident) static RESOLVER_ANSWERS: Item = Item {
    id: "resolver-answers-others",
    text: Text {
        en: "the same resolver answers other questions meanwhile: {n} ({what})",
        zh: "同一解析服务器期间仍应答其他查询：{n} 次（{what}）",
    },
    measure: |case| {
        let answers: Vec<&Answered> = answers(case, within(case))
            .filter(|answer| !case.names.contains(&*answer.name))
            .collect();
        let names: BTreeSet<&str> = answers.iter().map(|answer| &*answer.name).collect();
        // A stray answer at the edge of an outage is none to others.
        let answered = answers.len() as f64 / (answers.len() as f64 + case.total as f64);
        let strength = by_count(answers.len()).min(answered / 0.3);
        Some(Found::new(strength, answers.len()).what(list(names)))
    },
};

pub(in crate::incident) static RESOLVER_DUMB: Item = Item {
    id: "resolver-answers-nothing",
    text: Text {
        en: "no question to the resolver gets an address while it lasts; at other times: {n}",
        zh: "期间解析服务器未给出任何地址；其他时间共解析成功 {n} 次",
    },
    measure: |case| {
        let dns = case.count(&["network.dns-timeout", "network.dns-servfail"]);
        let known = case.context.knows_answers(case.inside().0);
        if dns == 0 || !known || answers(case, case.inside()).next().is_some() {
            return None;
        }
        let earlier = answers(case, ALWAYS).count();
        Some(Found::new(if earlier > 0 { 1.0 } else { 0.6 }, earlier))
    },
};

pub(in crate::incident) static RESOLVED_ELSEWHERE: Item = Item {
    id: "resolved-otherwise",
    text: Text {
        en: "the same name was resolved for others or at another time: {n}×",
        zh: "同一域名对其他客户端或在其他时间解析成功 {n} 次",
    },
    measure: |case| {
        let count = answers(case, ALWAYS)
            .filter(|answer| case.names.contains(&*answer.name))
            .count();
        Some(Found::new(by_count(count), count))
    },
};

pub(in crate::incident) static SEVERAL_NAMES: Item = Item {
    id: "several-names",
    text: Text {
        en: "{n} unrelated names fail at once ({what})",
        zh: "{n} 个不相关的域名同时解析失败（{what}）",
    },
    measure: |case| {
        let names: BTreeSet<&str> = case
            .members()
            .filter(|(_, finding)| DNS.contains(&finding.class.code))
            .filter_map(|(_, finding)| finding.name.as_deref())
            .collect();
        let zones: BTreeSet<&str> = names.iter().map(|name| zone(name)).collect();
        Some(Found::new(if zones.len() > 1 { 1.0 } else { 0.0 }, names.len()).what(list(names)))
    },
};

pub(in crate::incident) static NAMES_RESOLVE: Item = Item {
    id: "names-resolve",
    text: Text {
        en: "names resolve for these clients meanwhile: {n}",
        zh: "期间这些客户端的域名解析正常：{n} 次应答",
    },
    measure: |case| {
        let count: usize = case
            .looked_at()
            .map(|client| case.context.answered_to(client, case.meanwhile()).count())
            .sum();
        Some(Found::new(by_count(count), count))
    },
};

pub(in crate::incident) static RESOLVER_CLOSED: Item = Item {
    id: "resolver-port-closed",
    text: Text {
        en: "ICMP says that the resolver takes no questions ({n}×)",
        zh: "ICMP 报告解析服务器不可达：{n} 次",
    },
    measure: |case| {
        let says = |finding: &Finding| {
            let icmp = ("icmp_unreachable", Value::Bool(true));
            finding.class.code == "network.dns-timeout" && finding.details.contains(&icmp)
        };
        let mut found = Found::new(0.0, 0);
        for (place, finding) in case.members().filter(|(_, finding)| says(finding)) {
            found.number += finding.count;
            found.findings.push(place);
        }
        found.strength = share(found.number, case.count(&["network.dns-timeout"]));
        (found.number > 0).then_some(found)
    },
};

const ALWAYS: Span = (Timestamp::from_ns(i64::MIN), Timestamp::from_ns(i64::MAX));

/// Well inside what lasts, around what is short.
fn within(case: &Case<'_>) -> Span {
    if case.meanwhile() == case.span {
        case.inside()
    } else {
        case.meanwhile()
    }
}

/// Answers of the resolvers that failed.
fn answers<'c>(case: &'c Case<'_>, span: Span) -> impl Iterator<Item = &'c Answered> {
    let context = case.context;
    let resolvers: BTreeSet<_> = case
        .servers
        .iter()
        .filter(|server| server.1 == 53)
        .map(|server| server.0)
        .collect();
    resolvers
        .into_iter()
        .flat_map(move |resolver| context.answered_by(resolver, span))
}

/// The last two labels, or three below a two-letter domain: good enough to tell unrelated names.
fn zone(name: &str) -> &str {
    let labels = if name.rsplit('.').next().is_some_and(|top| top.len() == 2) {
        3
    } else {
        2
    };
    let start = name
        .rmatch_indices('.')
        .nth(labels - 1)
        .map_or(0, |(at, _)| at + 1);
    name.get(start..).unwrap_or(name)
}
