#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::initial::{Frame, Sender, open};
use super::*;

/// The connection id of the examples in RFC 9001 A, RFC 9369 A and the drafts.
const CHOSEN: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

/// The server's Initial in RFC 9001 A.3.
const SERVER_1: &str = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554\
    780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cd\
    d93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee";
/// The same in RFC 9369 A.3.
const SERVER_2: &str = "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf\
    87263017915358230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707f0\
    a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e140";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .bytes()
        .filter_map(|byte| char::from(byte).to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn long(datagram: &[u8]) -> Long<'_> {
    match packets(datagram).next() {
        Some(Packet::Long(long)) => long,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_examples_of_both_versions_open() {
    for (hex, version) in [(SERVER_1, Version::One), (SERVER_2, Version::Two)] {
        let datagram = bytes(hex);
        let packet = long(&datagram);
        assert_eq!((packet.version, packet.kind), (version, Kind::Initial));
        assert_eq!(
            packet.from,
            [0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5]
        );
        let opened = open(&packet, &CHOSEN, Sender::Server).unwrap();
        let frames: Vec<_> = opened.frames().collect();
        assert!(
            matches!(frames[..], [Frame::Crypto(0, hello)] if hello.len() == 90 && hello[0] == 2),
            "{frames:?}"
        );
    }
}

#[test]
fn what_is_spoilt_cut_or_of_another_connection_does_not_open() {
    let datagram = bytes(SERVER_1);
    let mut spoilt = datagram.clone();
    spoilt[60] ^= 1;
    assert!(open(&long(&spoilt), &CHOSEN, Sender::Server).is_none());
    assert!(open(&long(&datagram), &CHOSEN, Sender::Client).is_none());
    assert!(open(&long(&datagram), &CHOSEN[1..], Sender::Server).is_none());
    for end in 0..datagram.len() {
        for packet in packets(&datagram[..end]) {
            if let Packet::Long(packet) = packet {
                assert!(!packet.whole);
                assert!(open(&packet, &CHOSEN, Sender::Server).is_none());
            }
        }
    }
}

#[test]
fn packets_of_one_datagram_come_in_order() {
    // Two Initials of version 1, then a short head.
    let initial = [0xc0, 0, 0, 0, 1, 2, 7, 7, 1, 9, 0, 0x40, 5, 1, 2, 3, 4, 5];
    let datagram = [&initial[..], &initial, &[0x40, 1, 2, 3]].concat();
    let found: Vec<_> = packets(&datagram).collect();
    assert!(matches!(
        found[..],
        [Packet::Long(a), Packet::Long(b), Packet::Short] if a == b && a.to == [7, 7] && a.from == [9]
    ));
    assert!(begins(&datagram) && !begins(&datagram[18 * 2..]));
}

#[test]
fn versions_turn_their_types() {
    let kind_of = |first, version: u32| {
        let mut datagram = vec![first];
        datagram.extend(version.to_be_bytes());
        datagram.extend([0, 0, 0, 0x40, 0, 0, 0]);
        match packets(&datagram).next() {
            Some(Packet::Long(long)) => Some(long.kind),
            _ => None,
        }
    };
    assert_eq!(kind_of(0xc0, 1), Some(Kind::Initial));
    assert_eq!(kind_of(0xf0, 1), Some(Kind::Retry));
    assert_eq!(kind_of(0xc0, 0x6b33_43cf), Some(Kind::Retry));
    assert_eq!(kind_of(0xd0, 0x6b33_43cf), Some(Kind::Initial));
    // The fixed bit is missing; a version of nobody.
    assert_eq!(kind_of(0x80, 1), None);
    assert_eq!(kind_of(0xc0, 0x5130_3436), None);
    let negotiation = [0x80, 0, 0, 0, 0, 0, 0, 0x6b, 0x33, 0x43, 0xcf];
    assert!(matches!(
        packets(&negotiation).next(),
        Some(Packet::Negotiation([0x6b, ..]))
    ));
}

/// A ClientHello that names `a.example`, by the layout of RFC 8446 4.1.2.
pub(crate) fn hello() -> Vec<u8> {
    let name = b"a.example";
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    body.extend([0, 18, 0, 0, 0, 14, 0, 12, 0, 0, 9]);
    body.extend(name);
    let mut message = vec![1, 0, 0, body.len() as u8];
    message.extend(body);
    message
}

#[test]
fn a_hello_in_pieces_is_read_in_any_order() {
    let hello = hello();
    let mut gather = Gather::default();
    assert_eq!(gather.add(30, &hello[30..]), None);
    assert_eq!(gather.add(5, &hello[5..31]), None);
    let read = gather.add(0, &hello[..5]).unwrap();
    assert_eq!(read.sni.as_deref(), Some("a.example"));
}

#[test]
fn pieces_beyond_all_measure_are_left_out() {
    let mut gather = Gather::default();
    assert_eq!(gather.add(u64::MAX, &[1]), None);
    assert_eq!(gather.add(1 << 20, &[1]), None);
    for place in 0..10_000 {
        assert_eq!(gather.add(place * 2 + 1, &[1]), None);
    }
    // A hello that claims three bytes and one that claims more than there is.
    assert_eq!(Gather::default().add(0, &[1, 0, 0, 0]), None);
    assert_eq!(Gather::default().add(0, &[1, 255, 255, 255, 0]), None);
}
