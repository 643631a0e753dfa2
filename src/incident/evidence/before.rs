//! What changed just before: the server's certificate, the machine or the way behind an address, the address of a name.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Found, Item, list};
use crate::failure::{Finding, Text};
use crate::incident::case::Case;
use crate::time::{Nanos, SECOND};

/// A change belongs to what begins within this after it.
const JUST_BEFORE: Nanos = 120 * SECOND;
/// A change is noticed by the first packet after it, which may be one of the failures.
const NOTICED: Nanos = 2 * SECOND;

pub(in crate::incident) static CERT_CHANGED: Item = Item {
    id: "certificate-changed",
    text: Text {
        en: "the server's certificate changed just before ({what})",
        zh: "此前服务器证书刚刚更换（{what}）",
    },
    measure: |case| {
        let found = changes(case, "security.cert-changed")?;
        let issuers: BTreeSet<String> = changed(case, "security.cert-changed")
            .map(|(_, finding)| match issuers(finding) {
                (former, latter) if former == latter => former.to_owned(),
                (former, latter) => format!("{former} → {latter}"),
            })
            .collect();
        Some(found.what(list(issuers)))
    },
};

pub(in crate::incident) static NEW_ISSUER: Item = Item {
    id: "issuer-changed",
    text: Text {
        en: "another authority issued the new certificate: {what}",
        zh: "新证书由另一家机构签发：{what}",
    },
    measure: |case| {
        let latter: BTreeSet<&str> = changed(case, "security.cert-changed")
            .map(|(_, finding)| issuers(finding))
            .filter(|(former, latter)| former != latter)
            .map(|(_, latter)| latter)
            .collect();
        (!latter.is_empty()).then(|| Found::new(1.0, latter.len()).what(list(latter)))
    },
};

pub(in crate::incident) static MACHINE_CHANGED: Item = Item {
    id: "machine-changed",
    text: Text {
        en: "the address passed to another machine just before ({what})",
        zh: "此前该地址刚切换到另一台机器（{what}）",
    },
    measure: |case| {
        let found = changes(case, "network.vip-moved")?;
        let macs: BTreeSet<&str> = changed(case, "network.vip-moved")
            .filter_map(|(_, finding)| finding.text("to_mac"))
            .collect();
        Some(found.what(list(macs)))
    },
};

pub(in crate::incident) static DISTANCE_CHANGED: Item = Item {
    id: "distance-changed",
    text: Text {
        en: "the server's packets come from another distance than just before (TTL)",
        zh: "服务器报文的跳数（TTL）与此前不同",
    },
    measure: |case| changes(case, "network.path-changed"),
};

pub(in crate::incident) static ADDRESS_CHANGED: Item = Item {
    id: "address-changed",
    text: Text {
        en: "the name led to other addresses just before, which served ({what})",
        zh: "此前该域名指向其他地址，且服务正常（{what}）",
    },
    measure: |case| {
        let before = (case.span.0.plus(-JUST_BEFORE), case.span.0.plus(-1));
        let (hosts, context) = (case.hosts(), case.context);
        let mut former: BTreeSet<IpAddr> = BTreeSet::new();
        for name in &case.names {
            let served = context.of_name(name, before).filter(|seen| seen.reached());
            former.extend(served.map(|seen| seen.server.0));
        }
        let family = hosts.first().map(IpAddr::is_ipv4);
        former.retain(|address| Some(address.is_ipv4()) == family);
        // Addresses that serve on beside it, or served before as well, are those of a pool.
        let gone = |address: &IpAddr| context.to_host(*address, case.span).next().is_none();
        let moved = former.is_disjoint(&hosts) && former.iter().all(gone);
        (moved && !former.is_empty()).then(|| Found::new(1.0, former.len()).what(list(former)))
    },
};

fn issuers(finding: &Finding) -> (&str, &str) {
    let text = |key| finding.text(key).unwrap_or("");
    (text("former_issuer"), text("issuer"))
}

/// Findings of a change at the failing servers, of this incident or not, that was noticed just before it began.
fn changed<'c>(
    case: &'c Case<'_>,
    code: &'static str,
) -> impl Iterator<Item = (usize, &'c Finding)> {
    let hosts = case.hosts();
    let (from, to) = (case.span.0.plus(-JUST_BEFORE), case.span.0.plus(NOTICED));
    let here = move |finding: &Finding| {
        finding.server.is_some_and(|(ip, port)| {
            let own = |own: &(IpAddr, u16)| own.0 == ip && [port, 0].contains(&own.1);
            hosts.contains(&ip) && (port == 0 || case.servers.iter().any(own))
        })
    };
    case.findings
        .iter()
        .enumerate()
        .filter(move |(_, finding)| {
            finding.class.code == code && (from..=to).contains(&finding.first)
        })
        .filter(move |(_, finding)| here(finding))
}

fn changes(case: &Case<'_>, code: &'static str) -> Option<Found> {
    let places: Vec<usize> = changed(case, code).map(|(place, _)| place).collect();
    let mut found = Found::new(1.0, places.len());
    found.findings = places;
    (found.number > 0).then_some(found)
}
