//! Link types and what they wrap.

use super::*;

const SOURCE: Option<[u8; 6]> = Some([2, 0, 0, 0, 0, 2]);
const DESTINATION: Option<[u8; 6]> = Some([2, 0, 0, 0, 0, 1]);
/// 802.2 with SNAP, IPv4 behind it.
const SNAP: &str = "aa aa 03 000000 0800";

#[test]
fn ethernet_tells_its_addresses() {
    let link = check_syn(1, &[MACS, "0800", SYN]);
    assert_eq!(
        (link.source, link.destination, link.vlan, link.tunnel),
        (SOURCE, DESTINATION, None, 0)
    );
    check_syn(1, &[MACS, "86dd", SYN6]);
}

#[test]
fn the_outermost_vlan_counts() {
    for tag in ["8100", "88a8", "9100"] {
        let link = check_syn(1, &[MACS, tag, "20c8 8100 0064 0800", SYN]);
        assert_eq!(link.vlan, Some(200));
        assert_eq!(link.tag(), Some((200, Some(100))));
    }
}

#[test]
fn a_priority_tag_is_no_vlan() {
    assert_eq!(check_syn(1, &[MACS, "8100 e000 0800", SYN]).vlan, None);
    assert_eq!(
        check_syn(1, &[MACS, "88a8 e000 8100 0064 0800", SYN]).vlan,
        Some(100)
    );
}

#[test]
fn a_length_instead_of_a_type_leads_to_802_2() {
    check_syn(1, &[MACS, "0038", SNAP, SYN, "0000"]);
    check_syn(1, &[MACS, "0033 06 06 03", SYN]);
    check_stop(
        1,
        &[MACS, "0026 42 42 03", "00000000"],
        "llc",
        StopReason::Unknown(0x42),
    );
}

#[test]
fn unknown_types_and_links_are_said() {
    check_stop(1, &[MACS, "88e5 00 00"], "eth", StopReason::Unknown(0x88e5));
    check_stop(1, &[MACS, "88cc 00 00"], "eth", StopReason::Unknown(0x88cc));
    check_stop(147, &["00"], "link", StopReason::Unknown(147));
}

#[test]
fn cooked_frames_tell_their_source() {
    let link = check_syn(113, &["0000 0001 0006 020000000002 0000 0800", SYN]);
    assert_eq!((link.source, link.destination), (SOURCE, None));
    let link = check_syn(
        276,
        &["0800 0000 00000003 0001 04 06 020000000002 0000", SYN],
    );
    assert_eq!(link.source, SOURCE);
    // A tunnel device has no address.
    let link = check_syn(113, &["0004 fffe 0000 0000000000000000 86dd", SYN6]);
    assert_eq!(link.source, None);
}

#[test]
fn cooked_frames_may_hold_tags_and_802_2() {
    assert_eq!(
        check_syn(
            113,
            &["0000 0001 0006 020000000002 0000 8100 0064 0800", SYN]
        )
        .vlan,
        Some(100)
    );
    check_syn(
        276,
        &["0004 0000 00000003 0001 04 06 020000000002 0000", SNAP, SYN],
    );
    check_stop(
        113,
        &["0000 0338 0000 0000000000000000 0000"],
        "sll",
        StopReason::Unknown(824),
    );
}

#[test]
fn loopback_families_come_in_both_orders() {
    check_syn(0, &["02000000", SYN]);
    check_syn(0, &["00000002", SYN]);
    check_syn(108, &["00000002", SYN]);
    for family in ["18000000", "0000001c", "1e000000", "0000000a"] {
        check_syn(0, &[family, SYN6]);
    }
    check_stop(0, &["07000000"], "null", StopReason::Unknown(7));
}

#[test]
fn raw_packets_are_told_by_their_version() {
    for link in [12, 14, 101] {
        check_syn(link, &[SYN]);
        check_syn(link, &[SYN6]);
    }
    check_syn(228, &[SYN]);
    check_syn(229, &[SYN6]);
    check_stop(101, &["50"], "raw", StopReason::Unknown(5));
}

#[test]
fn ppp_may_be_compressed() {
    for header in ["ff03 0021", "ff03 21", "0021", "21", "0f00 0800"] {
        check_syn(9, &[header, SYN]);
        check_syn(50, &[header, SYN]);
    }
    check_syn(9, &["0057", SYN6]);
    check_syn(104, &["8f00 86dd", SYN6]);
    check_stop(9, &["ff03 c021 01"], "ppp", StopReason::Unknown(0xc021));
    check_stop(9, &["00fd 9000"], "ppp", StopReason::Encrypted);
    check_stop(104, &["8f00 8035 00"], "eth", StopReason::Unknown(0x8035));
}

#[test]
fn pppoe_sessions_end_where_they_say() {
    check_syn(51, &["11 00 0007 0032 0021", SYN, "0000 0000"]);
    check_syn(1, &[MACS, "8864 11 00 0007 0046 0057", SYN6]);
    check_stop(
        1,
        &[MACS, "8863 11 09 0000 0000"],
        "eth",
        StopReason::Unknown(0x8863),
    );
    check_stop(51, &["11 a7 0007 0000"], "pppoe", StopReason::Unknown(0xa7));
    check_stop(51, &["22 00 0007 0000"], "pppoe", StopReason::Malformed);
}

#[test]
fn wifi_addresses_depend_on_the_direction() {
    let (one, two, three) = ("020000000001", "020000000002", "020000000003");
    for (control, addresses) in [
        ("0800", [one, two, three]),
        ("0801", [three, two, one]),
        ("0802", [one, three, two]),
        ("0803", [three, three, one]),
    ] {
        let fourth = if control == "0803" { two } else { "" };
        let [first, second, third] = addresses;
        let link = check_syn(
            105,
            &[
                control, "0000", first, second, third, "1000", fourth, SNAP, SYN,
            ],
        );
        assert_eq!(
            (link.source, link.destination),
            (SOURCE, DESTINATION),
            "{control}"
        );
    }
}

#[test]
fn wifi_headers_grow_with_quality_and_ht_control() {
    let addresses = "020000000001 020000000002 020000000003 1000";
    check_syn(
        105,
        &["8800 0000", addresses, "0000", SNAP, SYN, "deadbeef"],
    );
    check_syn(105, &["8880 0000", addresses, "0000 00000000", SNAP, SYN]);
    check_stop(
        105,
        &["0840 0000", addresses, "0000"],
        "wlan",
        StopReason::Encrypted,
    );
    check_stop(
        105,
        &["4800 0000", addresses],
        "wlan",
        StopReason::Unknown(0x24),
    );
    check_stop(
        105,
        &["8000 0000", addresses],
        "wlan",
        StopReason::Unknown(0x08),
    );
}

#[test]
fn a_later_wifi_fragment_has_no_packet() {
    let addresses = "020000000001 020000000002 020000000003";
    check_stop(
        105,
        &["0800 0000", addresses, "1100", SNAP, SYN],
        "wlan",
        StopReason::Unknown(0x20),
    );
}

#[test]
fn an_aggregate_gives_its_first_packet_and_says_that_there_are_more() {
    let outer = "8800 0000 0a0000000001 0a0000000002 0a0000000003 1000 8000";
    let part = [MACS, "0038", SNAP, SYN].concat();
    let alone = check_syn(105, &[outer, &part, "0000"]);
    assert_eq!(alone.source, SOURCE);
    let bytes = hex(&[outer, &part, "0000", &part]);
    let packet = decode(&frame(105, &bytes));
    assert_syn(&packet);
    assert_eq!(
        packet.stopped,
        Some(Stop {
            layer: "amsdu",
            reason: StopReason::Unknown(2)
        })
    );
}

#[test]
fn capture_headers_before_wifi_are_skipped() {
    let data = [
        "0800 0000 020000000001 020000000002 020000000003 1000",
        SNAP,
        SYN,
    ]
    .concat();
    check_syn(127, &["00 00 0800 00000000", &data]);
    // Two bitmaps, a time stamp aligned to eight, flags: a check sequence follows the frame.
    let stamped = "00 00 1900 03000080 00000000 00000000 0000000000000000";
    check_syn(127, &[stamped, "10", &data, "deadbeef"]);
    check_stop(
        127,
        &[stamped, "50", &data, "deadbeef"],
        "radiotap",
        StopReason::Malformed,
    );
    check_syn(119, &["44000000 0c000000 00000000", &data]);
    check_syn(119, &["00000044 0000000c 00000000", &data]);
    check_syn(163, &["80211001 0000000c 00000000", &data]);
    check_syn(192, &["00 00 0800 69000000", &data]);
    // Padding between header and payload, as Atheros cards leave it.
    let padded = [
        "8800 0000 020000000001 020000000002 020000000003 1000 0000 0000",
        SNAP,
        SYN,
    ]
    .concat();
    check_syn(127, &["00 00 0900 02000000 20", &padded]);
}

#[test]
fn labels_lead_to_ip_or_to_a_pseudo_wire() {
    check_syn(1, &[MACS, "8847 00010040 00011140", SYN]);
    check_syn(1, &[MACS, "8848 00011140", SYN6]);
    let link = check_syn(
        1,
        &[MACS, "8847 00011140", "0a0000000001 0a0000000002 0800", SYN],
    );
    assert_eq!((link.source, link.tunnel), (SOURCE, 0));
    check_syn(
        1,
        &[
            MACS,
            "8847 00011140 00000000",
            "4a0000000001 6a0000000002 0800",
            SYN,
        ],
    );
    check_syn(
        1,
        &[
            MACS,
            "8847 00011140",
            "4a0000000001 6a0000000002 8100 0064 0800",
            SYN,
        ],
    );
}

#[test]
fn labels_with_something_else_below_are_unknown() {
    let other = "45 00 ffff 0001 0002 0003 0004 0005 0006 0007 0008";
    check_stop(
        1,
        &[MACS, "8847 00011140", other],
        "mpls",
        StopReason::Unknown(17),
    );
}

#[test]
fn arp_is_read_and_other_hardware_is_not() {
    let bytes = hex(&[
        MACS,
        "0806 0001 0800 06 04 0002  # Ethernet, IPv4, sizes, reply",
        "020000000002 c0000201 020000000001 c0000209",
        "00000000000000000000000000000000 0000  # padding",
    ]);
    let packet = decode(&frame(1, &bytes));
    let arp = match packet.body {
        Body::Arp(arp) => Some((
            arp.operation,
            arp.sender_mac,
            arp.sender_ip.to_string(),
            arp.target_ip.to_string(),
        )),
        _ => None,
    };
    assert_eq!(
        arp,
        Some((
            2,
            [2, 0, 0, 0, 0, 2],
            "192.0.2.1".to_owned(),
            "192.0.2.9".to_owned()
        ))
    );
    check_stop(
        1,
        &[MACS, "0806 0018 0800 08 04 0001 0000"],
        "arp",
        StopReason::Unknown(24),
    );
}
