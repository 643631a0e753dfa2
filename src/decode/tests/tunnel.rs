//! Packets within packets.

use super::*;

/// An outer IPv4 header; nothing checks that its length is exact, so it is as long as needed.
fn outer(protocol: &str) -> String {
    format!("45 00 00a0 0009 0000 3d {protocol} 0000 c6336401 c6336402")
}

/// The same with UDP to a port.
fn udp(port: u16) -> String {
    format!("{} c000 {port:04x} 008c 0000", outer("11"))
}

/// A datagram that is not what its port promises stays one.
fn check_datagram(port: u16, payload: &[&str]) {
    let head = udp(port);
    let bytes = hex(&[&[head.as_str()], payload].concat());
    // As much as the outer length says.
    let mut whole = bytes.clone();
    whole.resize(160, 0);
    let packet = decode(&frame(101, &whole));
    let found = match packet.body {
        Body::Udp(datagram) => Some((datagram.destination_port, datagram.payload_len)),
        _ => None,
    };
    assert_eq!(
        (found, packet.stopped, packet.link.tunnel),
        (Some((port, 132)), None, 0),
        "{packet:?}"
    );
    assert_eq!(packet.ip.map(|facts| facts.ttl), Some(0x3d));
}

fn tunnel(parts: &[&str]) -> u32 {
    check_syn(101, parts).tunnel
}

#[test]
fn ip_in_ip_has_no_identity() {
    assert_eq!(tunnel(&[&outer("04"), SYN]), 0);
    assert_eq!(tunnel(&[&outer("29"), SYN6]), 0);
    let six =
        "60000000 00a0 29 40 20010db8000000000000000000000007 20010db8000000000000000000000008";
    assert_eq!(tunnel(&[six, SYN6]), 0);
    assert_eq!(tunnel(&[&outer("61"), "3000", MACS, "0800", SYN]), 0);
    assert_eq!(tunnel(&[&outer("89"), "00011140", SYN]), 0);
}

#[test]
fn gre_fields_come_and_go_by_their_flags() {
    assert_eq!(tunnel(&[&outer("2f"), "0000 0800", SYN]), 0);
    assert_eq!(tunnel(&[&outer("2f"), "0000 86dd", SYN6]), 0);
    assert_eq!(
        tunnel(&[&outer("2f"), "b000 0800 abcd0000 00000063 00000001", SYN]),
        0x63
    );
    assert_eq!(
        tunnel(&[&outer("2f"), "9000 0800 abcd0000 00000001", SYN]),
        0
    );
    assert_eq!(tunnel(&[&outer("2f"), "0000 883e 00000000", SYN]), 0);
    check_stop(
        101,
        &[&outer("2f"), "4000 0800 00000000"],
        "gre",
        StopReason::Malformed,
    );
    check_stop(
        101,
        &[&outer("2f"), "0000 0000 00000000"],
        "gre",
        StopReason::Unknown(0),
    );
    check_stop(
        101,
        &[&outer("2f"), "0002 0800 00000000"],
        "gre",
        StopReason::Unknown(2),
    );
}

#[test]
fn an_unread_tunnel_leaves_the_packet_around_it() {
    let bytes = hex(&[&outer("2f"), "0000 00fe 00000000"]);
    let packet = decode(&frame(101, &bytes));
    assert_eq!(packet.ip.map(|facts| facts.ttl), Some(0x3d));
}

#[test]
fn the_flow_byte_of_nvgre_is_no_identity() {
    assert_eq!(
        tunnel(&[&outer("2f"), "2000 6558 00100142", MACS, "0800", SYN]),
        0x1001
    );
    assert_eq!(
        tunnel(&[&outer("2f"), "2000 6558 00000064", MACS, "0800", SYN]),
        100
    );
}

#[test]
fn pptp_carries_ppp_or_an_acknowledgment() {
    assert_eq!(
        tunnel(&[
            &outer("2f"),
            "3081 880b 0034 0007 00000001 00000000 ff03 0021",
            SYN
        ]),
        0
    );
    let bytes = hex(&[&outer("2f"), "2081 880b 0000 0007 00000001"]);
    let packet = decode(&frame(101, &bytes));
    assert_eq!(
        (packet.stopped, packet.ip.map(|facts| facts.protocol)),
        (None, Some(47))
    );
    check_stop(
        101,
        &[&outer("2f"), "3001 880b 0004 0007 00000001 00fd 9000"],
        "ppp",
        StopReason::Encrypted,
    );
    check_stop(
        101,
        &[&outer("2f"), "3001 0800 0004 0007 00000001"],
        "gre",
        StopReason::Malformed,
    );
}

#[test]
fn a_mirrored_frame_is_as_good_as_captured() {
    for header in [
        "0000 88be                                          # type I",
        "1000 88be 00000001 1064 0005 00000000              # type II",
        "1000 22eb 00000009 2064 0005 0001e240 0000 0000    # type III",
        "1000 22eb 00000009 2064 0005 0001e240 0000 0001 1122334455667788",
    ] {
        let link = check_syn(
            1,
            &[
                "0a0000000001 0a0000000002 0800",
                &outer("2f"),
                header,
                MACS,
                "8100 0064 0800",
                SYN,
            ],
        );
        let seen = (link.source, link.destination, link.vlan, link.tunnel);
        assert_eq!(
            seen,
            (
                Some([2, 0, 0, 0, 0, 2]),
                Some([2, 0, 0, 0, 0, 1]),
                Some(100),
                0
            )
        );
    }
    check_syn(
        101,
        &[
            &outer("2f"),
            "1000 22eb 00000009 2064 0005 0001e240 0000 0800",
            SYN,
        ],
    );
    check_stop(
        101,
        &[&outer("2f"), "1000 88be 00000001 3064 0005 00000000"],
        "erspan",
        StopReason::Unknown(3),
    );
}

#[test]
fn vxlan_gives_its_network() {
    for port in [4_789, 8_472] {
        let link = check_syn(
            1,
            &[
                "0a0000000001 0a0000000002 0800",
                &udp(port),
                "0800 0000 00002a00",
                MACS,
                "0800",
                SYN,
            ],
        );
        assert_eq!(
            (link.tunnel, link.source),
            (42, Some([0x0a, 0, 0, 0, 0, 2]))
        );
    }
    assert_eq!(
        tunnel(&[&udp(4_789), "0800 0000 00000000", MACS, "86dd", SYN6]),
        0
    );
}

#[test]
fn vxlan_carries_arp_too() {
    let arp = "0806 0001 0800 06 04 0001 020000000002 c0000209 000000000000 c0000201";
    let bytes = hex(&[&udp(4_789), "0800 0000 00002a00", MACS, arp]);
    let packet = decode(&frame(101, &bytes));
    assert!(matches!(packet.body, Body::Arp(_)));
    assert_eq!((packet.ip, packet.link.tunnel), (None, 42));
}

#[test]
fn geneve_options_are_skipped() {
    assert_eq!(
        tunnel(&[&udp(6_081), "00 00 6558 00002a 00", MACS, "0800", SYN]),
        42
    );
    assert_eq!(
        tunnel(&[&udp(6_081), "02 00 0800 00002a 00 0102030400000007", SYN]),
        42
    );
}

#[test]
fn gtp_extension_headers_are_skipped() {
    assert_eq!(tunnel(&[&udp(2_152), "30 ff 0030 00000007", SYN]), 0);
    assert_eq!(
        tunnel(&[
            &udp(2_152),
            "34 ff 0038 00000007 0000 00 85 01 1001 00",
            SYN
        ]),
        0
    );
    assert_eq!(
        tunnel(&[&udp(2_152), "32 ff 0034 00000007 0001 00 00", SYN6]),
        0
    );
}

#[test]
fn the_innermost_identity_counts_and_a_nameless_tunnel_leaves_it() {
    let vxlan = [udp(4_789).as_str(), "0800 0000 00002a00", MACS, "0800"].concat();
    let keyed = "45 00 0050 0009 0000 3d 2f 0000 c6336401 c6336402 2000 0800 00000063";
    let plain = "45 00 0044 0009 0000 3d 04 0000 c6336401 c6336402";
    assert_eq!(tunnel(&[&vxlan, keyed, SYN]), 0x63);
    assert_eq!(tunnel(&[&vxlan, plain, SYN]), 42);
}

#[test]
fn a_datagram_that_is_no_tunnel_stays_one() {
    // Not VXLAN: no flag, nothing known inside, a packet longer than the datagram.
    check_datagram(4_789, &["0000 0000 00002a00", MACS, "0800", SYN]);
    check_datagram(4_789, &["0800 0000 00002a00", MACS, "88cc", SYN]);
    check_datagram(
        4_789,
        &[
            "0800 0000 00002a00",
            MACS,
            "0800 45 00 ffff 0001 4000 40 06 0000 c0000209 c6336401",
        ],
    );
    check_datagram(8_472, &["8180 0001 0001 0000 0000 0377 7777 00"]);
    check_datagram(6_081, &["80 00 6558 00002a 00", MACS, "0800", SYN]);
    check_datagram(6_081, &["3f 00 6558 00002a 00", MACS, "0800", SYN]);
    check_datagram(2_152, &["32 01 0004 00000000 0001 00 00"]);
    check_datagram(2_152, &["34 ff 0038 00000007 0000 00 85 00 1001 00"]);
    check_datagram(4_754, &["0000 0800", SYN]);
}

#[test]
fn packets_within_packets_have_an_end() {
    let bytes = hex(&[&outer("04").replace("00a0", "00ff").repeat(8), SYN]);
    assert_syn(&decode(&frame(101, &bytes)));
    let deep = outer("04").replace("00a0", "00ff").repeat(9);
    check_stop(101, &[&deep, SYN], "tunnel", StopReason::Unknown(9));
    let labels = format!("00011140 {MACS} 8847").repeat(2_000);
    check_stop(
        1,
        &[MACS, "8847", &labels],
        "tunnel",
        StopReason::Unknown(9),
    );
}
