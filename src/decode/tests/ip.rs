//! IPv4 and IPv6: lengths, options, extension headers.

use super::*;

const ADDRESSES6: &str = "20010db8000000000000000000000009 20010db8000000000000000000000001";
const TCP: &str = "9c40 01bb 00000064 00000000 70 02 faf0 0000 0000 0204 05b4 01 01 0402";

/// Payload length on the wire and captured bytes of a segment.
fn lengths(frame: &Frame<'_>) -> Option<(u32, usize)> {
    segment(&decode(frame)).map(|found| (found.payload_len, found.payload.len()))
}

#[test]
fn padding_and_trailers_are_no_payload() {
    let bytes = hex(&[MACS, "0800", SYN, "ffff ffff ffff ffff"]);
    assert_eq!(lengths(&frame(1, &bytes)), Some((0, 0)));
    let bytes = hex(&[MACS, "86dd", SYN6, "ffff"]);
    assert_eq!(lengths(&frame(1, &bytes)), Some((0, 0)));
}

#[test]
fn a_check_sequence_that_is_not_there_takes_nothing_away() {
    let bytes = hex(&[
        "45 00 0032 0001 4000 40 06 0000 c0000209 c6336401",
        TCP,
        "abcd",
    ]);
    assert_eq!(
        lengths(&Frame {
            fcs_len: 4,
            ..frame(101, &bytes)
        }),
        Some((2, 2))
    );
}

#[test]
fn length_zero_reaches_to_the_end_of_the_frame() {
    let bytes = hex(&[
        "45 00 0000 0001 4000 40 06 0000 c0000209 c6336401",
        TCP,
        "abcd 01020304",
    ]);
    assert_eq!(lengths(&frame(101, &bytes)), Some((6, 6)));
    assert_eq!(
        lengths(&Frame {
            fcs_len: 4,
            ..frame(101, &bytes)
        }),
        Some((2, 6 - 4))
    );
    // 54 bytes captured of 100 on the wire, four of them check sequence.
    assert_eq!(
        lengths(&Frame {
            fcs_len: 4,
            wire_len: 100,
            ..frame(101, &bytes)
        }),
        Some((48, 6))
    );
    let bytes = hex(&["60000000 0000 06 40", ADDRESSES6, TCP, "abcd"]);
    assert_eq!(lengths(&frame(101, &bytes)), Some((2, 2)));
}

#[test]
fn a_jumbogram_tells_its_length_in_an_option() {
    let bytes = hex(&[
        "60000000 0000 00 40",
        ADDRESSES6,
        "06 00 c2 04 00015f90  # TCP next, jumbo payload of 90,000 bytes",
        TCP,
        "abcd",
    ]);
    assert_eq!(lengths(&frame(101, &bytes)), Some((90_000 - 8 - 28, 2)));
}

#[test]
fn no_next_header_and_no_length_is_nothing() {
    check_stop(
        101,
        &["60000000 0000 3b 40", ADDRESSES6, "000000000000"],
        "ip",
        StopReason::Unknown(59),
    );
}

#[test]
fn what_the_snaplen_cut_is_still_on_the_wire() {
    let bytes = hex(&[
        "45 00 05dc 0001 4000 40 06 0000 c0000209 c6336401",
        TCP,
        "abcd",
    ]);
    assert_eq!(
        lengths(&Frame {
            wire_len: 1_500,
            ..frame(101, &bytes)
        }),
        Some((1_452, 2))
    );
}

#[test]
fn options_and_authentication_are_skipped() {
    check_syn_of(
        &[
            "46 00 0034 0001 4000 40 06 0000 c0000209 c6336401 94040000",
            TCP,
        ],
        52,
    );
    let auth = "06 04 0000 00000001 00000001 000000000000000000000000";
    check_syn_of(
        &[
            "45 00 0048 0001 4000 40 33 0000 c0000209 c6336401",
            auth,
            TCP,
        ],
        72,
    );
    check_stop(
        101,
        &["45 00 001c 0001 4000 40 32 0000 c0000209 c6336401 00000001 00000001"],
        "esp",
        StopReason::Encrypted,
    );
}

fn check_syn_of(parts: &[&str], total_len: u32) {
    let bytes = hex(parts);
    let packet = decode(&frame(101, &bytes));
    assert_eq!(
        segment(&packet).map(|found| (found.seq, found.payload_len)),
        Some((100, 0))
    );
    assert_eq!(
        packet.ip.map(|facts| (facts.protocol, facts.total_len)),
        Some((6, total_len))
    );
}

#[test]
fn extension_headers_are_walked() {
    let walk = [
        "2b 00 01 04 00000000  # hop by hop, then routing",
        "3c 00 00 00 00000000  # routing, then destination options",
        "2c 00 01 04 00000000  # destination options, then fragment",
        "33 00 0000 0000beef   # a fragment that is the whole, then AH",
        "06 04 0000 00000001 00000001 000000000000000000000000",
    ];
    let parts = [
        &["60000000 0054 00 40", ADDRESSES6],
        walk.as_slice(),
        &[TCP],
    ]
    .concat();
    check_syn_of(&parts, 124);
    let bytes = hex(&parts);
    assert_eq!(
        decode(&frame(101, &bytes)).ip.and_then(|facts| facts.id),
        Some(0xbeef)
    );
}

#[test]
fn an_extension_header_longer_than_its_packet_is_malformed() {
    check_stop(
        101,
        &["60000000 0008 00 40", ADDRESSES6, "06 01 01 04 00000000"],
        "ipv6",
        StopReason::Malformed,
    );
    let endless = "00 00 01 04 00000000".repeat(20);
    check_stop(
        101,
        &["60000000 00a0 00 40", ADDRESSES6, &endless],
        "ipv6",
        StopReason::Malformed,
    );
}

#[test]
fn fragments_tell_where_they_belong() {
    let bytes = hex(&[
        "45 00 001c 0007 2001 40 06 0000 c0000209 c6336401",
        "0102030405060708",
    ]);
    let found = match decode(&frame(101, &bytes)).body {
        Body::Fragment(found) => Some((found.id, found.offset, found.more, found.payload_len)),
        _ => None,
    };
    assert_eq!(found, Some((7, 8, true, 8)));
    let bytes = hex(&[
        "60000000 0010 2c 40",
        ADDRESSES6,
        "06 00 0010 00000007",
        "0102030405060708",
    ]);
    let found = match decode(&frame(101, &bytes)).body {
        Body::Fragment(found) => Some((found.id, found.offset, found.more, found.payload_len)),
        _ => None,
    };
    assert_eq!(found, Some((7, 16, false, 8)));
}

#[test]
fn headers_that_contradict_themselves_are_malformed() {
    check_stop(
        228,
        &["55 00 0014 0000 0000 40 06 0000 c0000209 c6336401"],
        "ip",
        StopReason::Malformed,
    );
    check_stop(
        228,
        &["44 00 0014 0000 0000 40 06 0000 c0000209 c6336401"],
        "ip",
        StopReason::Malformed,
    );
    check_stop(
        228,
        &["45 00 0013 0000 0000 40 06 0000 c0000209 c6336401"],
        "ip",
        StopReason::Malformed,
    );
    check_stop(
        229,
        &["40000000 0000 06 40", ADDRESSES6],
        "ipv6",
        StopReason::Malformed,
    );
}
