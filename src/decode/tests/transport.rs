//! TCP, UDP and ICMP.

use super::*;
use crate::decode::{IcmpMessage, UdpDatagram};

/// An IPv4 header before `len` bytes (in hex) of a protocol (in hex).
fn v4(len: &str, protocol: &str) -> String {
    format!("45 00 {len} 0001 0000 40 {protocol} 0000 c0000201 c0000209")
}

fn datagram(packet: Packet<'_>) -> Option<UdpDatagram<'_>> {
    match packet.body {
        Body::Udp(found) => Some(found),
        _ => None,
    }
}

fn message(packet: Packet<'_>) -> Option<IcmpMessage<'_>> {
    match packet.body {
        Body::Icmp(found) => Some(found),
        _ => None,
    }
}

#[test]
fn tcp_options_are_read_past_unknown_ones() {
    let bytes = hex(&[
        &v4("0050", "06"),
        "9c40 01bb 00000001 00000002 f0 10 0100 1234 0000",
        "22 04 0001                            # Fast Open",
        "fd 04 0000 1e 04 0000                 # experiment, multipath",
        "03 03 07 01                           # window scale 7",
        "08 0a 00000010 00000020               # time stamps",
        "05 0a 00000100 00000200 00 00         # one block, end",
    ]);
    let found = segment(&decode(&frame(101, &bytes))).map(|found| found.options);
    let seen = found.map(|it| {
        (
            it.fast_open,
            it.window_scale,
            it.timestamps,
            it.sack_len,
            it.sack,
        )
    });
    let blocks = [(0x100, 0x200), (0, 0), (0, 0)];
    assert_eq!(seen, Some((true, Some(7), Some((16, 32)), 1, blocks)));
}

#[test]
fn four_sack_blocks_give_three() {
    let blocks = "00000001 00000002".repeat(4);
    let bytes = hex(&[
        &v4("004c", "06"),
        "9c40 01bb 00000001 00000002 e0 10 0100 1234 0000 05 22",
        &blocks,
        "01 01",
    ]);
    assert_eq!(
        segment(&decode(&frame(101, &bytes))).map(|found| found.options.sack_len),
        Some(3)
    );
}

#[test]
fn a_segment_cut_in_its_options_stands() {
    let bytes = hex(&[
        &v4("0030", "06"),
        "9c40 01bb 00000001 00000002 70 02 0100 1234 0000 0204 05b4",
    ]);
    let packet = decode(&Frame {
        wire_len: 48,
        ..frame(101, &bytes)
    });
    let found = segment(&packet).map(|found| (found.options.mss, found.payload_len));
    assert_eq!((found, packet.stopped), (Some((Some(1_460), 0)), None));
}

#[test]
fn tcp_headers_that_lie_are_malformed() {
    let rest = "00000001 00000002";
    check_stop(
        101,
        &[&v4("0028", "06"), "9c40 01bb", rest, "40 02 0100 0000 0000"],
        "tcp",
        StopReason::Malformed,
    );
    check_stop(
        101,
        &[&v4("0028", "06"), "9c40 01bb", rest, "60 02 0100 0000 0000"],
        "tcp",
        StopReason::Malformed,
    );
    check_stop(
        101,
        &[&v4("0018", "06"), "9c40 01bb"],
        "tcp",
        StopReason::Malformed,
    );
}

#[test]
fn udp_ends_where_it_says() {
    let bytes = hex(&[&v4("0020", "11"), "9c40 0035 000a 0000", "abcd 0000"]);
    let found = datagram(decode(&frame(101, &bytes)));
    assert_eq!(
        found.map(|found| (found.destination_port, found.payload_len)),
        Some((53, 2))
    );
    assert_eq!(
        found.map(|found| found.payload.to_vec()),
        Some(vec![0xab, 0xcd])
    );
    check_stop(
        101,
        &[&v4("001c", "11"), "9c40 0035 0007 0000"],
        "udp",
        StopReason::Malformed,
    );
}

#[test]
fn a_datagram_of_length_zero_is_as_long_as_its_packet() {
    let bytes = hex(&[&v4("001e", "11"), "9c40 0035 0000 0000", "abcd"]);
    assert_eq!(
        datagram(decode(&frame(101, &bytes))).map(|found| found.payload_len),
        Some(2)
    );
}

#[test]
fn an_error_quotes_the_packet_that_caused_it() {
    let bytes = hex(&[
        &v4("0038", "01"),
        "03 01 0000 00000000",
        "45 00 003c 0001 4000 3f 06 0000 c0000209 c6336401",
        "9c40 01bb 00000064",
    ]);
    let quoted = message(decode(&frame(101, &bytes))).and_then(|found| found.quoted);
    let seen = quoted.map(|it| {
        (
            it.source.to_string(),
            it.source_port,
            it.destination_port,
            it.seq,
            it.ttl,
        )
    });
    assert_eq!(
        seen,
        Some(("192.0.2.9".to_owned(), 40_000, 443, Some(100), 63))
    );
}

#[test]
fn an_error_about_a_later_fragment_has_no_ports() {
    let bytes = hex(&[
        &v4("0038", "01"),
        "0b 01 0000 00000000",
        "45 00 003c 0001 0010 3f 06 0000 c0000209 c6336401",
        "9c40 01bb 00000064",
    ]);
    let quoted = message(decode(&frame(101, &bytes))).and_then(|found| found.quoted);
    assert_eq!(quoted.map(|it| (it.source_port, it.seq)), Some((0, None)));
}

#[test]
fn an_error_quoting_errors_is_read_once() {
    let nested = [v4("ffff", "01"), "03 01 0000 00000000".to_owned()]
        .concat()
        .repeat(2_000);
    let bytes = hex(&[&nested]);
    let quoted = message(decode(&frame(101, &bytes))).and_then(|found| found.quoted);
    assert_eq!(quoted.map(|it| it.protocol), Some(1));
}

#[test]
fn an_icmpv6_error_quotes_behind_extension_headers() {
    let addresses = "20010db8000000000000000000000009 20010db8000000000000000000000001";
    let bytes = hex(&[
        "60000000 0040 3a 40",
        addresses,
        "01 04 0000 00000000",
        "60000000 0024 3c 3f",
        addresses,
        "11 00 01 04 00000000  # destination options, then UDP",
        "9c40 0035 001c 0000",
    ]);
    let quoted = message(decode(&frame(101, &bytes))).and_then(|found| found.quoted);
    assert_eq!(
        quoted.map(|it| (it.protocol, it.source_port, it.destination_port)),
        Some((17, 40_000, 53))
    );
}

#[test]
fn an_echo_quotes_nothing() {
    let bytes = hex(&[&v4("0020", "01"), "08 00 0000 00070001", "abcdabcd"]);
    let found = message(decode(&frame(101, &bytes)));
    assert_eq!(
        found.map(|found| (found.rest, found.quoted, found.payload.len())),
        Some((0x0007_0001, None, 4))
    );
}

#[test]
fn neighbour_advertisements_tell_their_address() {
    let addresses = "fe800000000000000000000000000001 ff020000000000000000000000000001";
    let bytes = hex(&[
        "60000000 0020 3a ff",
        addresses,
        "88 00 0000 60000000  # solicited, override",
        "fe800000000000000000000000000001",
        "02 01 020000000002",
    ]);
    let found = message(decode(&frame(101, &bytes))).and_then(|found| found.neighbour);
    let seen = found.map(|it| (it.target.to_string(), it.mac, it.solicited, it.overrides));
    assert_eq!(
        seen,
        Some(("fe80::1".to_owned(), Some([2, 0, 0, 0, 0, 2]), true, true))
    );
}
