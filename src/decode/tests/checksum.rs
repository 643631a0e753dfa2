//! Checksums: right, wrong, left to the card, not to be judged.

use super::{decode, frame, hex};
use crate::decode::Sum;

/// A UDP datagram of 192.0.2.1 to 192.0.2.2 that carries "ab", with these checksums of header and datagram.
fn check(head: &str, body: &str, expected: (Sum, Sum)) {
    let header = format!("45 00 001e 0001 0000 40 11 {head} c0000201 c0000202");
    let bytes = hex(&[&header, "0001 0002 000a", body, "6162"]);
    let packet = decode(&frame(228, &bytes));
    let found = packet.ip.map(|ip| (ip.head_sum, ip.body_sum));
    assert_eq!(found, Some(expected));
}

#[test]
fn right_wrong_and_left_to_the_card_are_told_apart() {
    check("f6ca", "1a71", (Sum::Right, Sum::Right));
    check("f6cb", "1a72", (Sum::Wrong, Sum::Wrong));
    check("0000", "841f", (Sum::Offload, Sum::Offload));
    check("f6ca", "0000", (Sum::Right, Sum::Unknown));
}

#[test]
fn a_cut_datagram_is_not_judged() {
    let bytes =
        hex(&["45 00 0020 0001 0000 40 11 f6cc c0000201 c0000202 0001 0002 000c 1a72 6162"]);
    let packet = decode(&frame(228, &bytes));
    assert_eq!(packet.ip.map(|ip| ip.body_sum), Some(Sum::Unknown));
}
