#![doc = include_str!("dhcp_no_offer.en.md")]

use crate::failure::network::arp_unanswered::mac_text;
use crate::failure::{Class, Finding, Lang, Severity, Subject, Text, Value};
use crate::flow::heard::Heard;
use crate::flow::leases::{Leases, Nak, Unserved};
use crate::flow::neighbours::{Neighbours, Sight};
use crate::guide;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// `network.dhcp-no-offer`
pub static CLASS: Class = Class {
    code: "network.dhcp-no-offer",
    severity: Severity::Error,
    guide: guide!("dhcp_no_offer"),
    summary,
};

/// So many questions.
const SENT_MIN: u32 = 3;
/// A client that is told no begins anew at once, and has an address soon after.
const MENDS: Nanos = 10 * SECOND;
/// A relay was heard so near.
const NEAR: Nanos = 60 * SECOND;

/// Clients that are never offered an address, and those that are told no.
pub fn judge(leases: &Leases, neighbours: &Neighbours, heard: &Heard) -> Vec<Finding> {
    let asked = leases.unserved();
    let asked = asked.into_iter().filter(|asked| asked.sent >= SENT_MIN);
    let mut findings: Vec<Finding> = asked
        .map(|asked| unserved(asked, neighbours, heard))
        .collect();
    findings.extend(leases.naks().iter().map(refused));
    findings.sort_by_key(|finding| finding.first);
    findings
}

fn unserved(asked: &Unserved, neighbours: &Neighbours, heard: &Heard) -> Finding {
    let first = asked.marks.first().copied().unwrap_or_default();
    let role = if asked.v6 { "solicit" } else { "discover" };
    let mut finding = Finding::new(&CLASS, Subject::Link, first.time);
    for mark in &asked.marks {
        finding = finding.seen(*mark, role);
    }
    finding.protocol = 17;
    finding.client = asked.address.or(asked.relay).map(|address| (address, 0));
    let waited = finding.last.since(first.time) / MILLISECOND;
    finding = finding
        .detail("client_mac", Value::Text(mac_text(asked.mac)))
        .detail("requests", Value::Number(asked.sent.into()))
        .detail("waited_ms", Value::Number(waited));
    let everybody = std::net::IpAddr::from([255, 255, 255, 255]);
    let nobody = std::net::IpAddr::from([0, 0, 0, 0]);
    // Broadcast offers reach every port: what hides them from the capture is the client's other side of a relay.
    let (from, to) = (finding.first.plus(-NEAR), finding.last.plus(NEAR));
    let by_relay = asked
        .relay
        .is_some_and(|relay| heard.from_any(relay, from, to));
    let here = || neighbours.sight((asked.mac, nobody), everybody) != Sight::None;
    let seen = by_relay || (asked.near && here());
    // Hosts that have an address by other means ask for one of DHCPv6 for ever, and need none.
    let idle = asked.v6 && neighbours.has_address(asked.mac);
    if idle || !(seen || neighbours.is_observer(asked.mac)) {
        return finding.severity(Severity::Info).at_most(60, UNSEEN);
    }
    if seen {
        finding
    } else {
        finding.at_most(75, REVERSE_UNSEEN)
    }
}

const UNSEEN: Text = Text {
    en: "frames to the client are not in the capture, or it has an address by other means",
    zh: "抓包点看不到发往该客户端的单播帧，或其已通过其他方式获得地址",
};
const REVERSE_UNSEEN: Text = Text {
    en: "reverse path not in the capture",
    zh: "抓包中没有回程报文",
};

fn refused(nak: &Nak) -> Finding {
    let mut finding = Finding::new(&CLASS, Subject::Link, nak.at.time)
        .seen_if(nak.request, "request")
        .seen(nak.at, "nak");
    finding.protocol = 17;
    finding.server = Some((nak.server, 0));
    finding = finding
        .detail("client_mac", Value::Text(mac_text(nak.mac)))
        .detail("nak", Value::Bool(true));
    if let Some(requested) = nak.requested {
        finding = finding.detail("requested", Value::Text(requested.to_string()));
    }
    let mended = nak.mended.map(|time| time.since(nak.at.time));
    match mended.filter(|after| *after <= MENDS) {
        // A host that comes from another network asks for its old address first: that is how it should be.
        Some(after) => finding
            .detail("mended_after_ms", Value::Number(after / MILLISECOND))
            .severity(Severity::Info),
        None => finding,
    }
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let mac = finding.text("client_mac").unwrap_or("");
    if finding.details.contains(&("nak", Value::Bool(true))) {
        let server = finding.server_text();
        let requested = finding.text("requested");
        let mended = finding.number("mended_after_ms").is_some();
        return match (lang, requested) {
            (Lang::En, address) => format!(
                "{server} refuses {} to {mac} (DHCPNAK){}",
                address.unwrap_or("the address"),
                if mended {
                    "; it got another one at once"
                } else {
                    ""
                }
            ),
            (Lang::Zh, address) => format!(
                "{server} 拒绝向 {mac} 分配{}（DHCPNAK）{}",
                address.map_or("所请求的地址".to_owned(), |address| format!(
                    "地址 {address}"
                )),
                if mended {
                    "，随即获得了新地址"
                } else {
                    ""
                }
            ),
        };
    }
    let requests = finding.number("requests").unwrap_or(0);
    let seconds = finding.number("waited_ms").unwrap_or(0) as f64 / 1e3;
    match lang {
        Lang::En => format!(
            "{mac} asked for an address {requests} times in {seconds:.0} s and was offered none"
        ),
        Lang::Zh => format!("{mac} 在 {seconds:.0} 秒内 {requests} 次请求地址，未收到任何 OFFER"),
    }
}
