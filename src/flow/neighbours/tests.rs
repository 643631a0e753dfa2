//! Hand-made ARP and neighbour discovery, and what is remembered of it.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::decode::{Neighbour, Sum};

const BROADCAST: Mac = [0xff; 6];
const CLIENT: Mac = [0x02, 1, 0, 0, 0, 0x15];
const OTHER: Mac = [0x02, 2, 0, 0, 0, 0x16];
const A: Mac = [0x02, 0xaa, 1, 2, 3, 4];
const B: Mac = [0x02, 0xbb, 5, 6, 7, 8];

/// Packets at milliseconds, numbered from 1.
#[derive(Default)]
struct Link {
    seen: Neighbours,
    frame: u32,
    interface: u32,
}

fn v4(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, last)
}

fn v6(last: u16) -> IpAddr {
    IpAddr::from([0x2001, 0xdb8, 1, 0, 0, 0, 0, last])
}

impl Link {
    fn mark(&mut self, ms: i64) -> Mark {
        self.frame += 1;
        Mark {
            time: Timestamp::from_ns(ms * MILLISECOND),
            frame: self.frame,
            ..Mark::default()
        }
    }

    fn arp(
        &mut self,
        ms: i64,
        operation: u16,
        from: (Mac, Ipv4Addr),
        to: (Mac, Ipv4Addr),
    ) -> &mut Self {
        let arp = ArpPacket {
            operation,
            sender_mac: from.0,
            sender_ip: from.1,
            target_mac: to.0,
            target_ip: to.1,
        };
        let link = LinkFacts {
            source: Some(from.0),
            destination: Some(to.0),
            ..LinkFacts::default()
        };
        let (at, interface) = (self.mark(ms), self.interface);
        self.seen.on_packet(
            &Packet {
                link,
                ip: None,
                body: Body::Arp(arp),
                stopped: None,
            },
            at,
            interface,
        );
        self
    }

    fn request(&mut self, ms: i64, from: (Mac, u8), target: u8) -> &mut Self {
        self.arp(ms, 1, (from.0, v4(from.1)), (BROADCAST, v4(target)))
    }

    fn reply(&mut self, ms: i64, from: (Mac, u8), to: (Mac, u8)) -> &mut Self {
        self.arp(ms, 2, (from.0, v4(from.1)), (to.0, v4(to.1)))
    }

    fn announce(&mut self, ms: i64, from: (Mac, u8)) -> &mut Self {
        self.request(ms, from, from.1)
    }

    fn probe(&mut self, ms: i64, mac: Mac, to: Mac, target: u8) -> &mut Self {
        self.arp(ms, 1, (mac, Ipv4Addr::UNSPECIFIED), (to, v4(target)))
    }

    fn segment(&mut self, ms: i64, from: (Mac, IpAddr), to: (Mac, IpAddr)) -> &mut Self {
        let link = LinkFacts {
            source: Some(from.0),
            destination: Some(to.0),
            ..LinkFacts::default()
        };
        let (at, interface) = (self.mark(ms), self.interface);
        self.seen
            .on_host(&ip(from.1, to.1, 64), &link, at, interface);
        self
    }

    fn discovery(
        &mut self,
        ms: i64,
        kind: u8,
        from: (Mac, IpAddr),
        to: Mac,
        target: IpAddr,
    ) -> &mut Self {
        let neighbour = Neighbour {
            target,
            mac: Some(from.0),
            solicited: false,
            overrides: kind == 136,
        };
        let message = IcmpMessage {
            v6: true,
            kind,
            code: 0,
            rest: 0,
            quoted: None,
            neighbour: Some(neighbour),
            payload: &[],
        };
        let link = LinkFacts {
            source: Some(from.0),
            destination: Some(to),
            ..LinkFacts::default()
        };
        let header = ip(from.1, v6(0xffff), 255);
        let (at, interface) = (self.mark(ms), self.interface);
        let packet = Packet {
            link,
            ip: Some(header),
            body: Body::Icmp(message),
            stopped: None,
        };
        self.seen.on_packet(&packet, at, interface);
        self
    }

    /// `asker>target:requests` of every outage, with `+` where the target came back.
    fn outages(&self) -> Vec<String> {
        let told = |outage: &Outage| {
            let back = if outage.back.is_some() { "+" } else { "" };
            format!(
                "{}>{}:{}{back}",
                outage.asker, outage.target, outage.requests
            )
        };
        self.seen.outages().iter().map(told).collect()
    }

    /// `address:frames` of every conflict.
    fn conflicts(&self) -> Vec<String> {
        let told = |conflict: &Conflict| {
            let frames: Vec<String> = conflict
                .frames
                .iter()
                .map(|(at, _)| at.frame.to_string())
                .collect();
            format!("{}:{}", conflict.address, frames.join(","))
        };
        self.seen.conflicts().iter().map(told).collect()
    }
}

fn ip(source: IpAddr, destination: IpAddr, ttl: u8) -> IpFacts {
    IpFacts {
        source,
        destination,
        ttl,
        id: None,
        dont_fragment: true,
        total_len: 60,
        protocol: 6,
        head_sum: Sum::default(),
        body_sum: Sum::default(),
    }
}

#[test]
fn the_third_request_within_ten_seconds_makes_an_outage() {
    let mut link = Link::default();
    link.request(0, (CLIENT, 15), 20)
        .request(1_000, (CLIENT, 15), 20);
    assert!(link.outages().is_empty());
    link.request(2_000, (CLIENT, 15), 20);
    assert_eq!(link.outages(), ["192.0.2.15>192.0.2.20:3"]);
}

#[test]
fn requests_further_apart_than_ten_seconds_are_none() {
    let mut link = Link::default();
    for minute in 0..20 {
        link.request(minute * 60_000, (CLIENT, 15), 20);
    }
    assert!(link.outages().is_empty());
}

#[test]
fn a_scan_that_asks_once_for_each_address_is_none() {
    let mut link = Link::default();
    for target in 100..200 {
        link.request(i64::from(target) * 10, (CLIENT, 15), target);
    }
    assert!(link.outages().is_empty());
}

#[test]
fn an_answer_to_the_third_request_answers() {
    let mut link = Link::default();
    link.request(0, (CLIENT, 15), 20)
        .request(1_000, (CLIENT, 15), 20)
        .request(2_000, (CLIENT, 15), 20);
    link.reply(2_001, (A, 20), (CLIENT, 15));
    assert!(link.outages().is_empty());
}

#[test]
fn a_target_that_comes_back_later_ends_its_outage() {
    let mut link = Link::default();
    for second in 0..30 {
        link.request(second * 1_000, (CLIENT, 15), 20);
    }
    link.reply(29_500, (A, 20), (CLIENT, 15));
    assert_eq!(link.outages(), ["192.0.2.15>192.0.2.20:30+"]);
}

#[test]
fn any_packet_of_the_target_is_a_sign_of_life() {
    let mut link = Link::default();
    let (client, target) = (IpAddr::V4(v4(15)), IpAddr::V4(v4(20)));
    link.segment(0, (A, target), (CLIENT, client));
    link.request(100, (CLIENT, 15), 20)
        .request(200, (CLIENT, 15), 20)
        .request(300, (CLIENT, 15), 20);
    // The same second and the same two hosts as before: it must be looked at all the same.
    link.segment(400, (A, target), (CLIENT, client));
    assert!(link.outages().is_empty());
}

#[test]
fn a_request_seen_at_two_places_counts_once() {
    let mut link = Link::default();
    for second in 0..2 {
        for copy in 0..3 {
            link.interface = copy;
            link.request(second * 1_000 + i64::from(copy), (CLIENT, 15), 20);
        }
    }
    assert!(link.outages().is_empty());
    link.request(2_000, (CLIENT, 15), 20);
    assert_eq!(link.outages(), ["192.0.2.15>192.0.2.20:3"]);
}

#[test]
fn announcements_and_probes_ask_nobody() {
    let mut link = Link::default();
    for second in 0..4 {
        link.probe(second * 1_000, CLIENT, BROADCAST, 44)
            .announce(second * 1_000 + 500, (CLIENT, 44));
    }
    assert!(link.outages().is_empty());
    assert!(link.conflicts().is_empty());
}

#[test]
fn solicitations_count_like_requests_and_address_detection_does_not() {
    let mut link = Link::default();
    let unspecified = IpAddr::from([0_u16; 8]);
    for second in 0..3 {
        link.discovery(
            second * 1_000,
            135,
            (CLIENT, v6(0x15)),
            [0x33, 0x33, 0xff, 0, 0, 0x20],
            v6(0x20),
        );
        link.discovery(
            second * 1_000,
            135,
            (OTHER, unspecified),
            [0x33, 0x33, 0xff, 0, 0, 0x21],
            v6(0x21),
        );
    }
    assert_eq!(link.outages(), ["2001:db8:1::15>2001:db8:1::20:3"]);
    assert!(link.conflicts().is_empty());
}

#[test]
fn requests_of_others_for_the_same_target_are_kept_beside() {
    let mut link = Link::default();
    link.request(0, (CLIENT, 15), 20)
        .request(1_000, (CLIENT, 15), 20)
        .request(1_500, (OTHER, 1), 20);
    link.request(2_000, (CLIENT, 15), 20);
    assert_eq!(link.outages(), ["192.0.2.15>192.0.2.20:3"]);
    let others = link
        .seen
        .outages()
        .first()
        .map(|outage| outage.others.len());
    assert_eq!(others, Some(1));
}

#[test]
fn memory_of_requests_is_bounded() {
    let mut link = Link::default();
    for index in 0..40_000_u32 {
        let target = Ipv4Addr::from(0x0a00_0000 + index);
        link.arp(
            i64::from(index) / 100,
            1,
            (CLIENT, v4(15)),
            (BROADCAST, target),
        );
    }
    assert!(link.seen.omitted() > 0);
    // What can become nothing any more makes room.
    link.request(100_000, (OTHER, 16), 20)
        .request(101_000, (OTHER, 16), 20)
        .request(102_000, (OTHER, 16), 20);
    assert_eq!(link.outages(), ["192.0.2.16>192.0.2.20:3"]);
}

#[test]
fn answers_to_a_host_that_gets_frames_here_would_be_seen() {
    let mut link = Link::default();
    let (client, server) = (IpAddr::V4(v4(15)), IpAddr::from([203, 0, 113, 20]));
    let sight = |link: &Link| link.seen.sight((CLIENT, client), v4(1).into());
    assert_eq!(sight(&link), Sight::None);
    link.segment(0, (CLIENT, client), (A, server));
    assert_eq!(sight(&link), Sight::None);
    link.segment(0, (A, server), (CLIENT, client));
    assert_eq!(sight(&link), Sight::OfTwo);
    link.segment(1, (CLIENT, client), (B, v4(20).into()));
    assert_eq!(sight(&link), Sight::Full);
}

#[test]
fn a_third_host_that_talks_to_the_asker_does_not_see_its_other_answers() {
    let mut link = Link::default();
    let (client, third, more) = (IpAddr::V4(v4(15)), IpAddr::V4(v4(30)), IpAddr::V4(v4(31)));
    link.segment(0, (OTHER, third), (CLIENT, client))
        .segment(1, (CLIENT, client), (OTHER, third));
    link.segment(1, (OTHER, third), (B, more));
    assert_eq!(
        link.seen.sight((CLIENT, client), v4(99).into()),
        Sight::None
    );
    // What it asks itself, and what others ask it, would be seen answered.
    assert_eq!(link.seen.sight((OTHER, third), v4(99).into()), Sight::Full);
    link.announce(2, (OTHER, 30));
    assert_eq!(link.seen.sight((CLIENT, client), third), Sight::Full);
    // A frame between two others: a mirror port sees everybody.
    link.segment(2, (A, v4(40).into()), (CLIENT, client));
    assert_eq!(
        link.seen.sight((CLIENT, client), v4(99).into()),
        Sight::Full
    );
}

#[test]
fn without_destinations_in_the_link_header_addresses_stand_for_hosts() {
    let mut link = Link::default();
    let (client, server) = (IpAddr::V4(v4(15)), IpAddr::from([203, 0, 113, 20]));
    let cooked = |source| LinkFacts {
        source: Some(source),
        ..LinkFacts::default()
    };
    for (from, to, mac) in [
        (client, server, CLIENT),
        (server, client, A),
        (client, v4(20).into(), CLIENT),
    ] {
        let at = link.mark(0);
        link.seen.on_host(&ip(from, to, 64), &cooked(mac), at, 0);
    }
    assert_eq!(link.seen.sight((CLIENT, client), v4(1).into()), Sight::Full);
    assert_eq!(
        link.seen.sight((OTHER, v4(16).into()), v4(1).into()),
        Sight::None
    );
}

#[test]
fn a_mac_that_carries_packets_of_strangers_is_a_gateway() {
    let mut link = Link::default();
    let client = IpAddr::V4(v4(15));
    link.reply(0, (A, 254), (CLIENT, 15))
        .reply(0, (B, 20), (CLIENT, 15));
    link.segment(1, (CLIENT, client), (A, IpAddr::from([203, 0, 113, 20])));
    link.segment(2, (CLIENT, client), (B, v4(20).into()));
    assert!(link.seen.forwards(v4(254).into()));
    assert!(!link.seen.forwards(v4(20).into()));
}

#[test]
fn two_macs_in_turn_are_a_conflict() {
    let mut link = Link::default();
    link.announce(0, (A, 20)).announce(1_000, (B, 20));
    assert!(link.conflicts().is_empty());
    link.announce(2_000, (A, 20));
    assert_eq!(link.conflicts(), ["192.0.2.20:1,2,3"]);
}

#[test]
fn a_frame_of_the_holder_that_names_another_mac_is_no_second_holder() {
    let mut link = Link::default();
    link.announce(0, (A, 20));
    let arp = ArpPacket {
        operation: 1,
        sender_mac: B,
        sender_ip: v4(20),
        target_mac: BROADCAST,
        target_ip: v4(20),
    };
    let facts = LinkFacts {
        source: Some(A),
        destination: Some(BROADCAST),
        ..LinkFacts::default()
    };
    let at = link.mark(1_000);
    link.seen.on_arp(&arp, &facts, at, 0);
    link.announce(2_000, (A, 20));
    assert!(link.conflicts().is_empty());
}

#[test]
fn an_address_that_moves_once_is_no_conflict() {
    let mut link = Link::default();
    link.announce(0, (A, 20))
        .announce(1_000, (A, 20))
        .announce(2_000, (B, 20))
        .announce(3_000, (B, 20));
    assert!(link.conflicts().is_empty());
}

#[test]
fn turns_more_than_a_minute_apart_are_no_conflict() {
    let mut link = Link::default();
    link.announce(0, (A, 20))
        .announce(30_000, (B, 20))
        .announce(61_000, (A, 20));
    assert!(link.conflicts().is_empty());
}

#[test]
fn two_replies_to_one_request_are_a_conflict() {
    let mut link = Link::default();
    link.request(0, (CLIENT, 15), 20)
        .reply(1, (A, 20), (CLIENT, 15))
        .reply(2, (B, 20), (CLIENT, 15));
    assert_eq!(link.conflicts(), ["192.0.2.20:2,3"]);
}

#[test]
fn one_claim_seen_at_several_places_is_no_alternation() {
    let mut link = Link::default();
    link.announce(0, (A, 20))
        .announce(1, (A, 20))
        .announce(1_000, (B, 20))
        .announce(1_001, (B, 20));
    assert!(link.conflicts().is_empty());
}

#[test]
fn virtual_router_and_cluster_macs_are_no_conflict() {
    for shared in [
        [0x00, 0x00, 0x5e, 0x00, 0x01, 7],
        [0x00, 0x00, 0x5e, 0x00, 0x02, 7],
        [0x00, 0x00, 0x0c, 0x07, 0xac, 1],
        [0x00, 0x05, 0x73, 0xa0, 0, 1],
        [0x00, 0x07, 0xb4, 0, 1, 1],
        [0x02, 0xbf, 192, 0, 2, 20],
        [0x03, 0xbf, 192, 0, 2, 20],
    ] {
        let mut link = Link::default();
        link.announce(0, (A, 20))
            .announce(1_000, (shared, 20))
            .announce(2_000, (A, 20))
            .announce(3_000, (shared, 20));
        assert!(link.conflicts().is_empty(), "{shared:02x?}");
    }
}

#[test]
fn who_answers_for_three_addresses_is_a_proxy() {
    let mut link = Link::default();
    link.reply(0, (A, 21), (CLIENT, 15))
        .reply(1, (A, 22), (CLIENT, 15));
    link.reply(1_000, (A, 20), (CLIENT, 15))
        .reply(2_000, (B, 20), (CLIENT, 15))
        .reply(3_000, (A, 20), (CLIENT, 15));
    assert!(link.conflicts().is_empty());
}

#[test]
fn a_bond_that_gives_each_neighbour_another_mac_is_no_conflict() {
    let mut link = Link::default();
    for second in 0..5 {
        let ms = second * 1_000;
        link.reply(ms, (A, 20), (CLIENT, 15))
            .reply(ms + 300, (B, 20), (OTHER, 16));
    }
    assert!(link.conflicts().is_empty());
}

#[test]
fn ports_of_one_machine_are_no_conflict() {
    let (left, right) = (
        [0x3c, 0xfd, 0xfe, 1, 2, 0x10],
        [0x3c, 0xfd, 0xfe, 1, 2, 0x11],
    );
    let mut link = Link::default();
    link.announce(0, (left, 20))
        .announce(1_000, (right, 20))
        .announce(2_000, (left, 20));
    assert!(link.conflicts().is_empty());
}

#[test]
fn the_same_address_on_two_links_is_no_conflict() {
    let mut link = Link::default();
    for second in 0..6_u32 {
        link.interface = second % 2;
        link.announce(
            i64::from(second) * 1_000,
            (if second % 2 == 0 { A } else { B }, 20),
        );
    }
    assert!(link.conflicts().is_empty());
}

#[test]
fn a_probe_that_is_answered_is_a_conflict_and_one_that_is_not_is_none() {
    let mut link = Link::default();
    link.probe(0, CLIENT, BROADCAST, 20)
        .probe(1_000, CLIENT, BROADCAST, 44);
    link.arp(20, 2, (A, v4(20)), (CLIENT, Ipv4Addr::UNSPECIFIED));
    assert_eq!(link.conflicts(), ["192.0.2.20:1,3"]);
}

#[test]
fn a_switch_that_asks_its_own_hosts_is_no_conflict() {
    let mut link = Link::default();
    link.probe(0, OTHER, A, 20)
        .arp(1, 2, (A, v4(20)), (OTHER, Ipv4Addr::UNSPECIFIED));
    assert!(link.conflicts().is_empty());
}

#[test]
fn duplicate_address_detection_that_is_answered_is_a_conflict() {
    let mut link = Link::default();
    let unspecified = IpAddr::from([0_u16; 8]);
    link.discovery(
        0,
        135,
        (CLIENT, unspecified),
        [0x33, 0x33, 0xff, 0, 0, 0x20],
        v6(0x20),
    );
    link.discovery(5, 136, (A, v6(0x20)), [0x33, 0x33, 0, 0, 0, 1], v6(0x20));
    assert_eq!(link.conflicts(), ["2001:db8:1::20:1,2"]);
}

#[test]
fn neighbour_discovery_from_beyond_a_router_is_ignored() {
    let mut link = Link::default();
    for second in 0..3 {
        let neighbour = Neighbour {
            target: v6(0x20),
            mac: Some(CLIENT),
            solicited: false,
            overrides: false,
        };
        let message = IcmpMessage {
            v6: true,
            kind: 135,
            code: 0,
            rest: 0,
            quoted: None,
            neighbour: Some(neighbour),
            payload: &[],
        };
        let header = ip(v6(0x15), v6(0x20), 63);
        let at = link.mark(second * 1_000);
        let packet = Packet {
            link: LinkFacts::default(),
            ip: Some(header),
            body: Body::Icmp(message),
            stopped: None,
        };
        link.seen.on_packet(&packet, at, 0);
    }
    assert!(link.outages().is_empty());
}

#[test]
fn turns_of_a_long_conflict_stay_bounded() {
    let mut link = Link::default();
    for second in 0..5_000 {
        link.announce(second * 1_000, (if second % 2 == 0 { A } else { B }, 20));
    }
    let conflicts = link.seen.conflicts();
    let told = conflicts.first().map(|conflict| {
        (
            conflict.macs.len(),
            conflict.claims,
            conflict.frames.len() < 600,
        )
    });
    assert_eq!((conflicts.len(), told), (1, Some((2, 5_000, true))));
}
