#![doc = include_str!("routing_loop.en.md")]

use std::net::IpAddr;

use crate::failure::episode::Episode;
use crate::failure::network::icmp_unreachable::{retries, stopped};
use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::flow::circling::Circling;
use crate::guide;
use crate::mark::Direction::{self, ToServer};

/// `network.routing-loop`
pub static CLASS: Class = Class {
    code: "network.routing-loop",
    severity: Severity::Critical,
    guide: guide!("routing_loop"),
    summary,
};

/// One packet passes again and again with a smaller TTL, or "time exceeded" comes from two routers.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    if let Some((from, circling)) = at.circling {
        let mut finding = of_flow(at, from, circling);
        for error in at.errors.iter().flat_map(|errors| &errors.expired).take(2) {
            finding = finding.seen(error.at, "icmp");
        }
        return stuck(at).then(|| finding.failing().detail("retries", retries(at)));
    }
    let expired = &at.errors?.expired;
    let [first, second, ..] = expired.as_slice() else {
        return None;
    };
    let routers = expired.iter().map(|error| error.router.to_string());
    Some(
        stopped(at, first, &CLASS)?
            .seen(second.at, "icmp")
            .detail("routers", Value::List(routers.collect()))
            .detail("retries", retries(at)),
    )
}

/// A loop that healed within the attempt failed nothing.
pub fn healed(at: &Episode<'_>) -> Option<Finding> {
    let (from, circling) = at.circling.filter(|_| !stuck(at))?;
    Some(of_flow(at, from, circling))
}

fn stuck(at: &Episode<'_>) -> bool {
    at.server_half().counts.packets == 0 || !at.client_half().all_acked()
}

fn of_flow(at: &Episode<'_>, from: Direction, circling: &Circling) -> Finding {
    let sender = if from == ToServer { "client" } else { "server" };
    with_passes(at.finding(&CLASS), circling).detail("sender", Value::Text(sender.to_owned()))
}

/// A loop that packets of no connection (a ping, a lookup) show.
pub fn beside_flows(source: IpAddr, destination: IpAddr, circling: &Circling) -> Finding {
    let first = circling.marks.first().copied().unwrap_or_default();
    let mut finding = Finding::new(&CLASS, Subject::Link, first.time);
    finding.client = Some((source, 0));
    finding.server = Some((destination, 0));
    with_passes(finding, circling)
}

fn with_passes(mut finding: Finding, circling: &Circling) -> Finding {
    for mark in &circling.marks {
        finding = finding.seen(*mark, "pass");
    }
    finding.last = finding.last.max(circling.last.time);
    finding
        .detail("passes", Value::Number(i64::from(circling.passes)))
        .detail("ttl_step", Value::Number(i64::from(circling.step)))
        .detail("ttl_first", Value::Number(i64::from(circling.ttl.0)))
        .detail("ttl_last", Value::Number(i64::from(circling.ttl.1)))
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (mut server, mut client) = (finding.server_text(), finding.client_text());
    if finding.text("sender") == Some("server") {
        std::mem::swap(&mut server, &mut client);
    }
    let passes = finding.number("passes");
    match (lang, passes) {
        (Lang::En, Some(passes)) => {
            let (from, to) = (number(finding, "ttl_first"), number(finding, "ttl_last"));
            format!(
                "one packet of {client} to {server} passed {passes} times, its TTL falling from {from} to {to}"
            )
        }
        (Lang::Zh, Some(passes)) => {
            let (from, to) = (number(finding, "ttl_first"), number(finding, "ttl_last"));
            format!("{client} 发往 {server} 的同一报文经过 {passes} 次，TTL 从 {from} 递减到 {to}")
        }
        (Lang::En, None) => {
            format!("packets of {client} to {server} run out of hops at several routers in turn")
        }
        (Lang::Zh, None) => {
            format!("{client} 发往 {server} 的报文先后在多台路由器上 TTL 耗尽")
        }
    }
}

fn number(finding: &Finding, key: &str) -> i64 {
    finding.number(key).unwrap_or(0)
}
