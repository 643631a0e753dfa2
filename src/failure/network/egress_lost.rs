#![doc = include_str!("egress_lost.en.md")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::failure::network::outage::{clusters, is_silence, passed_over, take_over};
use crate::failure::{Class, Finding, Lang, Severity, Subject, Text, Value};
use crate::flow::heard::Heard;
use crate::guide;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// `network.egress-lost`
pub static CLASS: Class = Class {
    code: "network.egress-lost",
    severity: Severity::Error,
    guide: guide!("egress_lost"),
    summary,
};

/// Unrelated endpoints: other names, or addresses where no name is known.
const ENDPOINTS_MIN: usize = 3;
/// A silence shorter than the patience of one SYN says nothing.
const LASTS_MIN: Nanos = 3 * SECOND;
/// Endpoints named.
const SAMPLE_MAX: usize = 16;

/// Networks whose hosts hear each other and nobody outside, while three unrelated endpoints and more are tried. `site`
/// gives the network of an address.
pub fn judge(
    mut findings: Vec<Finding>,
    heard: &Heard,
    site: &dyn Fn(IpAddr) -> IpAddr,
) -> Vec<Finding> {
    let mut sites: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (place, finding) in findings
        .iter()
        .enumerate()
        .filter(|(_, one)| is_silence(one))
    {
        if let (Some((client, _)), Some((server, _))) = (finding.client, finding.server)
            && site(client) != site(server)
        {
            sites.entry(site(client)).or_default().push(place);
        }
    }
    let mut causes: Vec<(IpAddr, Finding)> = Vec::new();
    for (home, places) in &sites {
        for cluster in clusters(&findings, places) {
            let members: Vec<&Finding> = cluster
                .iter()
                .filter_map(|place| findings.get(*place))
                .collect();
            let cause = lost(*home, &members, heard, site);
            causes.extend(cause.map(|cause| (*home, cause)));
        }
    }
    for (home, mut cause) in causes {
        let (from, to) = (cause.first, cause.last);
        findings = take_over(&mut cause, findings, &|finding| {
            let leaves = match (finding.client, finding.server) {
                (Some((client, _)), Some((server, _))) => {
                    site(client) == home && site(server) != home
                }
                _ => false,
            };
            leaves && is_silence(finding) && finding.first >= from && finding.last <= to
        });
        findings.push(cause);
    }
    findings
}

fn lost(
    home: IpAddr,
    members: &[&Finding],
    heard: &Heard,
    site: &dyn Fn(IpAddr) -> IpAddr,
) -> Option<Finding> {
    let from = members.iter().map(|finding| finding.first).min()?;
    let to = members.iter().map(|finding| finding.last).max()?;
    let syns = members
        .iter()
        .filter(|finding| passed_over(finding) || finding.class.code == "transport.syn-unanswered");
    let endpoints: BTreeSet<String> = syns
        .filter_map(|finding| match &finding.name {
            Some(name) => Some(name.clone()),
            None => Some(finding.server?.0.to_string()),
        })
        .collect();
    let servers: BTreeSet<IpAddr> = members
        .iter()
        .filter_map(|one| Some(one.server?.0))
        .collect();
    let clients: BTreeSet<IpAddr> = members
        .iter()
        .filter_map(|one| Some(one.client?.0))
        .collect();
    if endpoints.len() < ENDPOINTS_MIN
        || servers.len() < ENDPOINTS_MIN
        || to.since(from) < LASTS_MIN
    {
        return None;
    }
    let inside = (from.plus(SECOND), to.plus(-SECOND));
    let hears_home = |client: &IpAddr| {
        heard.from_any_of(*client, inside.0, inside.1, |sender| {
            sender != *client && site(sender) == home
        })
    };
    if !clients.iter().any(hears_home) {
        return None;
    }
    // Of all hosts of the network, not of those alone that failed: a connection that goes on shows a way out.
    let outside = heard.across(inside.0, inside.1, |receiver, sender| {
        site(receiver) == home && site(sender) != home
    });
    if outside {
        return None;
    }
    let died = members
        .iter()
        .any(|finding| finding.class.code == "transport.data-unacked");
    let mut finding = Finding::new(&CLASS, Subject::Link, from);
    finding.last = to;
    let named = endpoints.iter().take(SAMPLE_MAX).cloned().collect();
    finding = finding
        .detail("network", Value::Text(home.to_string()))
        .detail("lasted_ms", Value::Number(to.since(from) / MILLISECOND))
        .detail(
            "endpoints",
            Value::Number(i64::try_from(endpoints.len()).unwrap_or(i64::MAX)),
        )
        .detail("endpoint_sample", Value::List(named));
    Some(if died {
        finding
    } else {
        finding.at_most(85, NO_OLD_FLOW)
    })
}

const NO_OLD_FLOW: Text = Text {
    en: "no established connection was seen to die with it: a gateway that takes no new ones looks the same",
    zh: "未见已建立的连接同时中断，网关仅无法新建会话时看起来也是如此",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let seconds = finding.number("lasted_ms").unwrap_or(0) as f64 / 1e3;
    let number = |key| finding.number(key).unwrap_or(0);
    let (endpoints, clients) = (number("endpoints"), number("clients"));
    let network = finding.text("network").unwrap_or("");
    match lang {
        Lang::En => format!(
            "for {seconds:.0} s nothing from outside reached the network {network}: {clients} of its hosts tried {endpoints} unrelated endpoints in vain, while its own hosts answered"
        ),
        Lang::Zh => format!(
            "{seconds:.0} 秒内没有任何外部报文到达网段 {network}：{clients} 台主机尝试 {endpoints} 个互不相关的目标均无应答，而本网主机相互正常"
        ),
    }
}
