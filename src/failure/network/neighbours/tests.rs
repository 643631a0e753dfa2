//! Hand-made links, and what is said of them.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::decode::{ArpPacket, Body, IpFacts, LinkFacts, Packet, Sum};
use crate::failure::transport::syn_unanswered;
use crate::failure::{Subject, Value, network};
use crate::flow::neighbours::Mac;
use crate::mark::Mark;
use crate::time::{MILLISECOND, Timestamp};

const CLIENT: Mac = [0x02, 1, 0, 0, 0, 0x15];
const GATEWAY: Mac = [0x02, 2, 0, 0, 0, 1];

fn at(ms: i64) -> Mark {
    let frame = u32::try_from(ms / 100).unwrap_or(0) + 1;
    Mark {
        time: Timestamp::from_ns(ms * MILLISECOND),
        frame,
        ..Mark::default()
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap_or(Ipv4Addr::UNSPECIFIED)
}

fn segment(seen: &mut Neighbours, ms: i64, from: (Mac, &str), to: (Mac, &str)) {
    let link = LinkFacts {
        source: Some(from.0),
        destination: Some(to.0),
        ..LinkFacts::default()
    };
    let ip = IpFacts {
        source: ip(from.1),
        destination: ip(to.1),
        ttl: 64,
        id: None,
        dont_fragment: true,
        total_len: 60,
        protocol: 6,
        head_sum: Sum::default(),
        body_sum: Sum::default(),
    };
    seen.on_host(&ip, &link, at(ms), 0);
}

fn requests(seen: &mut Neighbours, from: i64, count: i64, target: &str) {
    for index in 0..count {
        let arp = ArpPacket {
            operation: 1,
            sender_mac: CLIENT,
            sender_ip: v4("192.0.2.15"),
            target_mac: [0; 6],
            target_ip: v4(target),
        };
        let link = LinkFacts {
            source: Some(CLIENT),
            destination: Some([0xff; 6]),
            ..LinkFacts::default()
        };
        let packet = Packet {
            link,
            ip: None,
            body: Body::Arp(arp),
            stopped: None,
        };
        seen.on_packet(&packet, at(from + index * 1_000), 0);
    }
}

/// The client exchanged packets with a server behind its gateway.
fn talking() -> Neighbours {
    let mut seen = Neighbours::default();
    segment(
        &mut seen,
        0,
        (CLIENT, "192.0.2.15"),
        (GATEWAY, "203.0.113.20"),
    );
    segment(
        &mut seen,
        1,
        (GATEWAY, "203.0.113.20"),
        (CLIENT, "192.0.2.15"),
    );
    seen
}

fn judge(seen: &Neighbours) -> Vec<Finding> {
    judge_neighbours(seen, &Heard::default(), &|_| None)
}

/// `server severity` of each finding.
fn told(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| format!("{} {}", finding.server_text(), finding.severity.name()))
        .collect()
}

#[test]
fn a_gateway_that_does_not_answer_is_an_error() {
    let mut seen = talking();
    requests(&mut seen, 1_000, 5, "192.0.2.1");
    let findings = judge(&seen);
    assert_eq!(told(&findings), ["192.0.2.1 error"]);
    assert_eq!(
        findings
            .iter()
            .map(|finding| finding.evidence.len())
            .sum::<usize>(),
        5
    );
}

#[test]
fn an_address_that_nobody_needs_is_worth_knowing_only() {
    let mut seen = talking();
    requests(&mut seen, 1_000, 5, "192.0.2.77");
    requests(&mut seen, 1_050, 5, "192.0.2.78");
    let findings = judge(&seen);
    assert_eq!(told(&findings), ["192.0.2.77 info"]);
    assert_eq!(findings.first().map(|finding| finding.count), Some(2));
}

#[test]
fn an_endpoint_or_a_host_talked_to_before_is_needed() {
    let mut seen = talking();
    requests(&mut seen, 1_000, 5, "192.0.2.77");
    let named = judge_neighbours(&seen, &Heard::default(), &|_| {
        Some("invoice.test".to_owned())
    });
    assert_eq!(told(&named), ["invoice.test (192.0.2.77) error"]);
    segment(
        &mut seen,
        500,
        (CLIENT, "192.0.2.15"),
        ([0x02, 9, 9, 9, 9, 9], "192.0.2.77"),
    );
    assert_eq!(told(&judge(&seen)), ["192.0.2.77 error"]);
}

#[test]
fn a_third_host_cannot_know_whether_an_answer_came() {
    let mut seen = Neighbours::default();
    requests(&mut seen, 1_000, 5, "192.0.2.1");
    assert_eq!(told(&judge(&seen)), ["192.0.2.1 info"]);
}

#[test]
fn a_target_that_is_heard_afterwards_is_no_error() {
    let mut seen = talking();
    requests(&mut seen, 1_000, 5, "192.0.2.1");
    let mut heard = Heard::default();
    heard.note(
        ip("192.0.2.15"),
        ip("192.0.2.1"),
        Timestamp::from_ns(90_000 * MILLISECOND),
    );
    let findings = judge_neighbours(&seen, &heard, &|_| None);
    assert_eq!(told(&findings), ["192.0.2.1 info"]);
    assert!(
        findings
            .iter()
            .all(|finding| finding.number("back_after_ms").is_some())
    );
}

fn failed(class: &'static crate::failure::Class, client: &str, server: &str, ms: i64) -> Finding {
    let mut finding = Finding::new(class, Subject::Flow, at(ms).time).failing();
    finding.client = Some((ip(client), 40_000));
    finding.server = Some((ip(server), 443));
    finding
}

#[test]
fn a_missing_gateway_explains_what_its_asker_could_not_reach() {
    let mut seen = talking();
    requests(&mut seen, 1_000, 5, "192.0.2.1");
    let mut arp = judge(&seen);
    let syn = &syn_unanswered::CLASS;
    let remote = failed(syn, "192.0.2.15", "203.0.113.20", 2_000);
    let on_link = failed(syn, "192.0.2.15", "192.0.2.20", 2_000);
    let other_client = failed(syn, "192.0.2.16", "203.0.113.20", 2_000);
    let much_later = failed(syn, "192.0.2.15", "203.0.113.20", 600_000);
    assert!(suppresses(&arp, &remote));
    for finding in [&on_link, &other_client, &much_later] {
        assert!(!suppresses(&arp, finding));
    }
    let kept = fold(&mut arp, vec![remote, on_link]);
    assert_eq!(told(&kept), ["192.0.2.20:443 error"]);
    assert_eq!(
        arp.first().map(|finding| finding.consequences.clone()),
        Some(vec!["transport.syn-unanswered"])
    );
}

#[test]
fn a_router_that_finds_no_neighbour_explains_what_it_reports() {
    let mut seen = talking();
    segment(
        &mut seen,
        500,
        (CLIENT, "192.0.2.15"),
        ([0x02, 9, 9, 9, 9, 9], "192.0.2.77"),
    );
    requests(&mut seen, 1_000, 5, "192.0.2.77");
    let arp = judge(&seen);
    let report = |router: &str| {
        failed(
            &network::icmp_unreachable::CLASS,
            "198.51.100.9",
            "192.0.2.77",
            3_000,
        )
        .detail("router", Value::Text(router.to_owned()))
    };
    assert!(suppresses(&arp, &report("192.0.2.15")));
    assert!(!suppresses(&arp, &report("192.0.2.99")));
    // The same router by its address on the client's side.
    let host = report("198.51.100.1").detail("unreachable", Value::Text("host".to_owned()));
    assert!(suppresses(&arp, &host));
    let port = report("198.51.100.1").detail("unreachable", Value::Text("port".to_owned()));
    assert!(!suppresses(&arp, &port));
}

#[test]
fn what_is_only_worth_knowing_explains_nothing() {
    let mut seen = Neighbours::default();
    requests(&mut seen, 1_000, 5, "192.0.2.1");
    let arp = judge(&seen);
    assert!(!suppresses(
        &arp,
        &failed(&syn_unanswered::CLASS, "192.0.2.15", "203.0.113.20", 2_000)
    ));
}
