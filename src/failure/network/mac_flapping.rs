#![doc = include_str!("mac_flapping.en.md")]

use crate::failure::network::arp_unanswered::mac_text;
use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::flow::neighbours::{Flapping, Port};
use crate::guide;

/// `network.mac-flapping`
pub static CLASS: Class = Class {
    code: "network.mac-flapping",
    severity: Severity::Warning,
    guide: guide!("mac_flapping"),
    summary,
};

/// Hosts that appear in two VLANs or at two capture ports in turn.
pub fn judge(flapping: &[Flapping]) -> Vec<Finding> {
    flapping.iter().map(about).collect()
}

fn about(host: &Flapping) -> Finding {
    let first = host.changes.first().copied().unwrap_or_default();
    let mut finding = Finding::new(&CLASS, Subject::Link, first.time);
    for mark in &host.changes {
        finding = finding.seen(*mark, "moved");
    }
    finding.server = Some((host.address, 0));
    let (from, to) = host.between;
    finding
        .detail("mac", Value::Text(mac_text(host.mac)))
        .detail(
            "changes",
            Value::Number(i64::try_from(host.count).unwrap_or(i64::MAX)),
        )
        .detail(
            "between",
            Value::List(vec![port_text(from, to), port_text(to, from)]),
        )
}

/// `VLAN 10`, `untagged`, `interface 1`: what tells it from the other one.
fn port_text(port: Port, other: Port) -> String {
    let vlan = match port.1 {
        Some(vlan) => format!("VLAN {vlan}"),
        None => "untagged".to_owned(),
    };
    match (port.0 == other.0, port.1 == other.1) {
        (true, _) => vlan,
        (false, true) => format!("interface {}", port.0),
        (false, false) => format!("interface {} {vlan}", port.0),
    }
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let host = finding.server_text();
    let mac = finding.text("mac").unwrap_or("");
    let changes = finding.number("changes").unwrap_or(0);
    let between = finding
        .details
        .iter()
        .find_map(|(key, value)| match value {
            Value::List(list) if *key == "between" => Some(list.join(", ")),
            _ => None,
        })
        .unwrap_or_default();
    match lang {
        Lang::En => format!("{mac} ({host}) changed its place {changes} times: {between}"),
        Lang::Zh => format!("{mac}（{host}）在不同位置间切换 {changes} 次：{between}"),
    }
}
