#![doc = include_str!("vlan_mismatch.en.md")]

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hashbrown::HashSet;

use crate::decode::Tag;
use crate::failure::network::outage::take_over;
use crate::failure::{Class, Evidence, Finding, Lang, Severity, Subject, Value};
use crate::flow::heard::Heard;
use crate::flow::neighbours::{Ignored, Neighbours, Tagged};
use crate::guide;
use crate::mark::Mark;

/// `network.vlan-mismatch`
pub static CLASS: Class = Class {
    code: "network.vlan-mismatch",
    severity: Severity::Error,
    guide: guide!("vlan_mismatch"),
    summary,
};

/// What fails by it: one of the two goes unanswered.
const FOLLOWS: [&str; 7] = [
    "network.arp-unanswered",
    "network.dns-timeout",
    "network.host-silent",
    "transport.syn-unanswered",
    "transport.handshake-incomplete",
    "transport.connect-slow",
    "transport.data-unacked",
];

/// Frames taken over from the failure that shows it.
const EVIDENCE_MAX: usize = 8;

/// Tags of the client's packets and of the server's: disjoint.
type Tags = (Option<Tag>, Option<Tag>);

/// Conversations that fail and whose two directions carry different tags; `worked` gives pairs of hosts, client first,
/// that got along with each other. What fails by it is taken over, once for each pair of tags.
pub fn judge(
    mut findings: Vec<Finding>,
    neighbours: &Neighbours,
    heard: &Heard,
    worked: &dyn Fn() -> HashSet<(IpAddr, IpAddr)>,
) -> Vec<Finding> {
    // A capture that shows one direction with its tags and the other without is no fault.
    let usual = LazyCell::new(|| -> BTreeSet<Tags> {
        let tags = |(client, server)| Some(tags(neighbours, client, server)?.0);
        worked().into_iter().filter_map(tags).collect()
    });
    let mut causes: BTreeMap<Tags, Finding> = BTreeMap::new();
    let mut members: BTreeMap<Tags, BTreeSet<(IpAddr, IpAddr)>> = BTreeMap::new();
    for ignored in neighbours.ignored() {
        let of = (ignored.asked_in, ignored.answered_in);
        if usual.contains(&of) {
            continue;
        }
        let ends = (ignored.asker, ignored.target);
        members.entry(of).or_default().insert(ends);
        causes
            .entry(of)
            .and_modify(|cause| cause.count += 1)
            .or_insert_with(|| by_arp(&ignored));
    }
    for finding in findings
        .iter()
        .filter(|one| FOLLOWS.contains(&one.class.code))
    {
        let (Some((client, _)), Some((server, _))) = (finding.client, finding.server) else {
            continue;
        };
        let answered = heard.from_host(client, server, finding.first, finding.last);
        let Some((of, marks)) = tags(neighbours, client, server).filter(|_| answered) else {
            continue;
        };
        if usual.contains(&of) {
            continue;
        }
        members.entry(of).or_default().insert((client, server));
        causes
            .entry(of)
            .or_insert_with(|| about(of, (client, server), finding, &marks));
    }
    for (of, mut cause) in causes {
        let pairs = members.remove(&of).unwrap_or_default();
        findings = take_over(&mut cause, findings, &|finding| {
            let ends = finding.client.zip(finding.server);
            let ends = ends.map(|((client, _), (server, _))| (client, server));
            FOLLOWS.contains(&finding.class.code) && ends.is_some_and(|ends| pairs.contains(&ends))
        });
        findings.push(cause);
    }
    findings
}

/// The tags of two directions where they have none in common, with the first frames that carry them. Only between the
/// same two cards: a router joins VLANs that differ, and its MAC stands in for the host behind it.
fn tags(neighbours: &Neighbours, client: IpAddr, server: IpAddr) -> Option<(Tags, Vec<Mark>)> {
    let to = neighbours.tags(client, server);
    let back = neighbours.tags(server, client);
    let common = to
        .iter()
        .any(|seen| back.iter().any(|other| seen.tag == other.tag));
    let direct = |seen: &Tagged, other: &Tagged| {
        let own = (seen.macs.0, seen.macs.1);
        own == (other.macs.1, other.macs.0) && own.0.is_some() && own.1.is_some()
    };
    let (first, answer) = to.first().zip(back.first())?;
    if common || !direct(first, answer) {
        return None;
    }
    Some(((first.tag, answer.tag), vec![first.at, answer.at]))
}

fn about(of: Tags, ends: (IpAddr, IpAddr), by: &Finding, marks: &[Mark]) -> Finding {
    let mut finding = Finding::new(&CLASS, Subject::Link, by.first);
    finding.last = by.last;
    finding.client = Some((ends.0, 0));
    finding.server = Some((ends.1, 0));
    finding.name.clone_from(&by.name);
    finding.evidence = by.evidence.iter().take(EVIDENCE_MAX).copied().collect();
    finding.evidence.extend(marks.iter().map(|mark| Evidence {
        at: *mark,
        role: "tagged",
    }));
    finding.evidence.sort_by_key(|seen| seen.at);
    finding.evidence.dedup_by_key(|seen| seen.at);
    told(finding, of)
}

fn by_arp(ignored: &Ignored) -> Finding {
    let mut finding = Finding::new(&CLASS, Subject::Link, ignored.request.time)
        .seen(ignored.request, "arp-request")
        .seen(ignored.reply, "arp-reply")
        .seen(ignored.last, "arp-retry");
    finding.client = Some((ignored.asker, 0));
    finding.server = Some((ignored.target, 0));
    told(finding, (ignored.asked_in, ignored.answered_in))
        .detail("ignored_replies", Value::Number(ignored.ignored.into()))
}

fn told(finding: Finding, (to, back): Tags) -> Finding {
    let text = |tag: Option<Tag>| match tag {
        Some((outer, Some(inner))) => Value::Text(format!("{outer}.{inner}")),
        Some((outer, None)) => Value::Text(outer.to_string()),
        None => Value::Text("untagged".to_owned()),
    };
    finding
        .detail("client_vlan", text(to))
        .detail("server_vlan", text(back))
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (client, server) = (finding.client_text(), finding.server_text());
    let vlan = |key: &str| match (finding.text(key), lang) {
        (Some("untagged") | None, Lang::En) => "no tag".to_owned(),
        (Some("untagged") | None, Lang::Zh) => "无标签".to_owned(),
        (Some(tag), _) => format!("VLAN {tag}"),
    };
    let (to, back) = (vlan("client_vlan"), vlan("server_vlan"));
    match lang {
        Lang::En => format!(
            "packets of {client} carry {to}, those of {server} carry {back}, and go unanswered"
        ),
        Lang::Zh => {
            format!("{client} 发出的报文为{to}，{server} 返回的报文为{back}，双方无法互通")
        }
    }
}
