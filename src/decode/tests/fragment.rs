//! Fragments into packets.

use super::*;
use crate::decode::fragment::{Fragments, Joined};
use crate::time::SECOND;

const FIRST: &str = "9c40 0035 001c 0000 61626364 65666768";
const LAST: &str = "696a6b6c 6d6e6f70 71727374";

/// One IPv4 fragment of a datagram: identification, offset in units of eight, "more", payload.
fn piece(id: u16, offset: u16, more: bool, payload: &str) -> Vec<u8> {
    let payload = hex(&[payload]);
    let flags = offset | if more { 0x2000 } else { 0 };
    let head = format!(
        "45 00 {:04x} {id:04x} {flags:04x} 40 11 0000 c0000209 c0000235",
        payload.len() + 20
    );
    [hex(&[&head]), payload].concat()
}

fn push(fragments: &mut Fragments, bytes: &[u8], ns: i64) -> Option<Joined> {
    fragments.push(&decode(&frame(101, bytes)), Timestamp::from_ns(ns))
}

/// Payload of the joined datagram, as text, and the length of the whole packet.
fn text(joined: Option<&Joined>) -> Option<(String, u32)> {
    let packet = joined?.packet();
    match packet.body {
        Body::Udp(datagram) => Some((
            String::from_utf8_lossy(datagram.payload).into_owned(),
            packet.ip.map_or(0, |facts| facts.total_len),
        )),
        _ => None,
    }
}

/// Pushes all; the datagrams that came out.
fn joined(fragments: &mut Fragments, pieces: &[Vec<u8>]) -> Vec<Option<(String, u32)>> {
    pieces
        .iter()
        .filter_map(|bytes| push(fragments, bytes, 0))
        .map(|joined| text(Some(&joined)))
        .collect()
}

fn whole() -> Vec<Option<(String, u32)>> {
    vec![Some(("abcdefghijklmnopqrst".to_owned(), 48))]
}

#[test]
fn any_order_gives_the_whole_with_its_identification() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let pieces = [
            piece(7, 0, true, FIRST),
            piece(7, 2, true, "696a6b6c 6d6e6f70"),
            piece(7, 3, false, "71727374"),
        ];
        let mut fragments = Fragments::default();
        let ordered: Vec<Vec<u8>> = order
            .iter()
            .filter_map(|at| pieces.get(*at).cloned())
            .collect();
        let mut last = None;
        for bytes in &ordered {
            last = push(&mut fragments, bytes, 0);
        }
        assert_eq!(
            text(last.as_ref()),
            Some(("abcdefghijklmnopqrst".to_owned(), 48))
        );
        let id = last.and_then(|joined| joined.packet().ip.and_then(|facts| facts.id));
        assert_eq!((id, fragments.incomplete()), (Some(7), 0));
    }
}

#[test]
fn copies_change_nothing() {
    let (first, last) = (piece(7, 0, true, FIRST), piece(7, 2, false, LAST));
    for order in [
        [&first, &first, &last, &last],
        [&first, &last, &first, &last],
        [&last, &last, &first, &first],
    ] {
        let mut fragments = Fragments::default();
        assert_eq!(joined(&mut fragments, &order.map(Clone::clone)), whole());
        assert_eq!(fragments.incomplete(), 0);
    }
}

#[test]
fn the_same_identification_later_is_another_datagram() {
    let mut fragments = Fragments::default();
    for (at, expected) in [(0, 1), (SECOND, 0), (2 * SECOND + 1, 1)] {
        let came = [piece(7, 0, true, FIRST), piece(7, 2, false, LAST)];
        let came = came
            .iter()
            .filter_map(|bytes| push(&mut fragments, bytes, at))
            .count();
        assert_eq!(came, expected, "at {at}");
    }
}

#[test]
fn bytes_seen_first_win() {
    let mut fragments = Fragments::default();
    let pieces = [
        piece(7, 2, true, "696a6b6c 6d6e6f70"),
        piece(7, 1, false, "58585858 58585858 58585858 58585858 71727374"),
        piece(
            7,
            0,
            true,
            "9c40 0035 001c 0000 61626364 65666768 59595959 59595959",
        ),
    ];
    let expected = Some(("XXXXXXXXijklmnopqrst".to_owned(), 48));
    assert_eq!(joined(&mut fragments, &pieces), vec![expected]);
}

#[test]
fn different_packets_do_not_mix() {
    let mut fragments = Fragments::default();
    assert_eq!(
        joined(
            &mut fragments,
            &[piece(7, 0, true, FIRST), piece(8, 2, false, LAST)]
        ),
        vec![]
    );
    assert_eq!((fragments.dropped(), fragments.incomplete()), (0, 2));
    let bytes = piece(7, 2, false, LAST);
    let mut tunnelled = decode(&frame(101, &bytes));
    tunnelled.link.tunnel = 5;
    assert!(fragments.push(&tunnelled, Timestamp::default()).is_none());
}

#[test]
fn what_waits_too_long_is_dropped_and_counted() {
    let mut fragments = Fragments::default();
    assert!(push(&mut fragments, &piece(7, 0, true, FIRST), 0).is_none());
    assert!(push(&mut fragments, &piece(8, 0, true, FIRST), 30 * SECOND).is_none());
    assert_eq!(fragments.dropped(), 0);
    assert!(push(&mut fragments, &piece(7, 2, false, LAST), 30 * SECOND + 1).is_none());
    assert_eq!((fragments.dropped(), fragments.incomplete()), (1, 3));
}

#[test]
fn what_waits_is_bounded() {
    let mut fragments = Fragments::default();
    let payload = "61".repeat(1_480);
    for id in 0..5_000 {
        assert!(push(&mut fragments, &piece(id, 0, true, &payload), 0).is_none());
    }
    // 4 MiB hold 2,416 of them with what they cost besides.
    assert_eq!(
        (fragments.dropped(), fragments.incomplete()),
        (2_584, 5_000)
    );
}

#[test]
fn a_datagram_beyond_its_bounds_is_dropped_once() {
    let mut fragments = Fragments::default();
    let pieces = [
        piece(7, 0, true, FIRST),
        piece(7, 8_191, true, FIRST),
        piece(7, 2, false, LAST),
    ];
    assert_eq!(joined(&mut fragments, &pieces), vec![]);
    assert_eq!((fragments.dropped(), fragments.incomplete()), (1, 1));
}

#[test]
fn an_end_before_what_is_known_is_a_contradiction() {
    let mut fragments = Fragments::default();
    let pieces = [
        piece(7, 4, true, FIRST),
        piece(7, 2, false, LAST),
        piece(7, 0, true, FIRST),
    ];
    assert_eq!(joined(&mut fragments, &pieces), vec![]);
    assert_eq!(fragments.incomplete(), 1);
}

#[test]
fn a_fragment_cut_by_the_snaplen_keeps_its_length_on_the_wire() {
    let mut fragments = Fragments::default();
    let first = piece(7, 0, true, FIRST);
    let head = first.get(..32).unwrap_or_default();
    assert!(
        fragments
            .push(
                &decode(&Frame {
                    wire_len: 36,
                    ..frame(101, head)
                }),
                Timestamp::default()
            )
            .is_none()
    );
    let joined = push(&mut fragments, &piece(7, 2, false, LAST), 0);
    let lengths = joined
        .as_ref()
        .and_then(|joined| match joined.packet().body {
            Body::Udp(datagram) => Some((datagram.payload.len(), datagram.payload_len)),
            _ => None,
        });
    assert_eq!(lengths, Some((4, 20)));
}

#[test]
fn ipv6_fragments_leave_their_header_behind() {
    let addresses = "20010db8000000000000000000000009 20010db8000000000000000000000035";
    let first = hex(&[
        "60000000 0020 2c 40",
        addresses,
        "3c 00 0001 0000beef",
        "11 00 01 04 00000000",
        FIRST,
    ]);
    let last = hex(&[
        "60000000 0014 2c 40",
        addresses,
        "3c 00 0018 0000beef",
        LAST,
    ]);
    let mut fragments = Fragments::default();
    assert!(push(&mut fragments, &last, 0).is_none());
    let joined = push(&mut fragments, &first, 0);
    // Forty bytes of header, eight of destination options, the datagram.
    assert_eq!(
        text(joined.as_ref()),
        Some(("abcdefghijklmnopqrst".to_owned(), 76))
    );
}

#[test]
fn a_tunnel_in_fragments_is_followed_inside() {
    let vxlan = hex(&[
        "c000 12b5 004e 0000",
        "0800 0000 00002a00",
        MACS,
        "0800",
        SYN,
    ]);
    let (head, tail) = vxlan.split_at(24);
    let of = |offset, more, bytes: &[u8]| {
        piece(
            7,
            offset,
            more,
            &bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        )
    };
    let mut fragments = Fragments::default();
    assert!(push(&mut fragments, &of(0, true, head), 0).is_none());
    let joined = push(&mut fragments, &of(3, false, tail), 0);
    let tunnel = joined.as_ref().map(|joined| {
        assert_syn(&joined.packet());
        joined.packet().link.tunnel
    });
    assert_eq!(tunnel, Some(42));
}
