//! Where a RST in a server's name comes from: its distance and its haste beside the server's own answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::hosts::share;
use super::{Found, Item, list, median};
use crate::failure::{Finding, Text};
use crate::incident::case::Case;
use crate::incident::context::Span;
use crate::time::Timestamp;

/// Codes whose findings say how far their RST came (`rst_hops`) and how soon.
const RESETS: [&str; 2] = ["transport.syn-refused", "security.tls-cut-on-hello"];
/// A round trip so long tells a device near by from the server behind it.
const TELLING_MS: i64 = 8;
/// All times that a capture can have.
const ALWAYS: Span = (Timestamp::from_ns(i64::MIN), Timestamp::from_ns(i64::MAX));

pub(in crate::incident) static RESET_BETWEEN: Item = Item {
    id: "reset-from-between",
    text: Text {
        en: "resets in the server's name that come from nearer, or sooner, than the server's own answers: {n} ({what})",
        zh: "以服务器名义发来的 RST 比其本身的应答更近或更快，应由途中设备发出：{n} 次（{what}）",
    },
    measure: |case| {
        let mut found = Found::new(0.0, 0);
        let (mut total, mut how) = (0.0, BTreeSet::new());
        for (place, finding, origin) in origins(case) {
            if let Origin::Between(strength, words) = origin {
                total += strength * finding.count as f64;
                found.number += finding.count;
                found.findings.push(place);
                how.insert(words);
            }
        }
        found.strength = total / case.total.max(1) as f64;
        (found.number > 0).then(|| found.what(list(how)))
    },
};

pub(in crate::incident) static RESET_BY_HOST: Item = Item {
    id: "reset-from-the-host",
    text: Text {
        en: "resets that come from as far, and no sooner, than the server's other packets: {n}",
        zh: "RST 与该服务器其他报文的跳数和时延一致，应由其本机发出：{n} 次",
    },
    measure: |case| {
        let mut found = Found::new(0.0, 0);
        for (place, finding, origin) in origins(case) {
            if matches!(origin, Origin::Host) {
                found.number += finding.count;
                found.findings.push(place);
            }
        }
        found.strength = share(found.number, case.total);
        (found.number > 0).then_some(found)
    },
};

/// Who may have sent a RST.
enum Origin {
    /// Something between, how surely, and by what it is told.
    Between(f64, String),
    /// The host itself, or something that cannot be told from it.
    Host,
}

/// The findings of RSTs whose server is known from other connections, with where each RST comes from.
fn origins<'c>(case: &'c Case<'_>) -> Vec<(usize, &'c Finding, Origin)> {
    let resets = || {
        let members = case.members();
        members.filter(|(_, finding)| RESETS.contains(&finding.class.code))
    };
    let hosts: BTreeSet<IpAddr> = resets()
        .filter_map(|(_, finding)| finding.server.map(|server| server.0))
        .collect();
    let usual: BTreeMap<IpAddr, Usual> = hosts
        .into_iter()
        .filter_map(|host| Some((host, Usual::of(case, host)?)))
        .collect();
    resets()
        .filter_map(|(place, finding)| {
            let origin = origin(finding, usual.get(&finding.server?.0)?)?;
            Some((place, finding, origin))
        })
        .collect()
}

fn origin(finding: &Finding, usual: &Usual) -> Option<Origin> {
    let hops = finding.number("rst_hops")?;
    let after_ms = finding
        .number("answered_ms")
        .or(finding.number("after_ms"))?;
    let nearer = usual.hops_min - hops;
    if usual.rtt_ms >= TELLING_MS && after_ms * 4 <= usual.rtt_ms {
        let words = format!("{after_ms} ms / {} ms", usual.rtt_ms);
        return Some(Origin::Between(1.0, words));
    }
    if nearer > 0 {
        let words = format!("{hops} / {} hops", usual.hops_min);
        // One hop nearer may be a balancer in front of the server, which is a device between as well.
        return Some(Origin::Between(if nearer > 1 { 1.0 } else { 0.7 }, words));
    }
    (hops <= usual.hops_max).then_some(Origin::Host)
}

/// How a host answers otherwise.
struct Usual {
    hops_min: i64,
    hops_max: i64,
    rtt_ms: i64,
}

impl Usual {
    fn of(case: &Case<'_>, host: IpAddr) -> Option<Self> {
        let seen = || case.context.to_host(host, ALWAYS);
        let hops = || seen().filter_map(|seen| seen.server_hops.map(i64::from));
        let rtts = seen().filter_map(|seen| seen.server_rtt_us).collect();
        Some(Self {
            hops_min: hops().min()?,
            hops_max: hops().max()?,
            rtt_ms: i64::from(median(rtts).unwrap_or(0)) / 1_000,
        })
    }
}
