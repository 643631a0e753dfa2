//! What decoding promises, checked on bytes: spaced hex in, facts out.

mod checksum;
mod cut;
mod fragment;
mod ip;
mod link;
mod transport;
mod tunnel;

use super::{Body, LinkFacts, Packet, Stop, StopReason, TcpSegment, decode};
use crate::ingest::{Frame, LinkType};
use crate::mark::Mark;
use crate::time::Timestamp;

/// Destination and source of an Ethernet frame.
const MACS: &str = "02 00 00 00 00 01  02 00 00 00 00 02";
/// 192.0.2.9:40000 to 198.51.100.1:443, SYN, in IPv4 of 48 bytes.
const SYN: &str = "
    45 00 0030  # version and header length, service, total length
    0001 4000   # identification, don't fragment
    40 06 0000  # time to live, TCP, checksum
    c0000209 c6336401
    9c40 01bb   # ports
    00000064 00000000
    70 02 faf0 0000 0000  # header length, SYN, window, checksum, urgent
    0204 05b4 01 01 0402  # segment size 1460, SACK permitted";
/// The same segment from 2001:db8::9 to 2001:db8::1, in IPv6 of 68 bytes.
const SYN6: &str = "
    60000000 001c 06 40  # version, payload length, TCP, hop limit
    20010db8000000000000000000000009
    20010db8000000000000000000000001
    9c40 01bb 00000064 00000000 70 02 faf0 0000 0000 0204 05b4 01 01 0402";

/// Bytes of spaced hex; what follows a # on a line is said to the reader.
fn hex(parts: &[&str]) -> Vec<u8> {
    let digits: Vec<u32> = parts
        .iter()
        .flat_map(|part| part.lines())
        .flat_map(|line| line.split('#').next().unwrap_or_default().chars())
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    assert_eq!(digits.len() % 2, 0, "odd number of digits");
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | *digit as u8))
        .collect()
}

/// A frame of which everything was captured.
fn frame(link: u16, bytes: &[u8]) -> Frame<'_> {
    Frame {
        at: Mark::default(),
        clock: Timestamp::default(),
        interface: 0,
        link: LinkType(link),
        fcs_len: 0,
        wire_len: bytes.len() as u32,
        bytes,
    }
}

/// The segment of a packet, or an empty one that no check expects.
fn segment<'a>(packet: &Packet<'a>) -> Option<TcpSegment<'a>> {
    match packet.body {
        Body::Tcp(segment) => Some(segment),
        _ => None,
    }
}

/// Must decode to `SYN` or `SYN6`, whatever is around it.
fn check_syn(link: u16, parts: &[&str]) -> LinkFacts {
    let bytes = hex(parts);
    let packet = decode(&frame(link, &bytes));
    assert_eq!(packet.stopped, None, "{packet:?}");
    assert_syn(&packet);
    packet.link
}

fn assert_syn(packet: &Packet<'_>) {
    let found = segment(packet).map(|found| {
        (
            found.source_port,
            found.destination_port,
            found.seq,
            found.flags,
            found.options.mss,
            found.payload_len,
        )
    });
    assert_eq!(
        found,
        Some((40_000, 443, 100, 0x02, Some(1_460), 0)),
        "{packet:?}"
    );
    let source = packet
        .ip
        .map(|facts| (facts.source.to_string(), facts.total_len));
    let four = source == Some(("192.0.2.9".to_owned(), 48));
    assert!(
        four || source == Some(("2001:db8::9".to_owned(), 68)),
        "{packet:?}"
    );
}

fn check_stop(link: u16, parts: &[&str], layer: &'static str, reason: StopReason) {
    let bytes = hex(parts);
    let packet = decode(&frame(link, &bytes));
    assert_eq!(packet.stopped, Some(Stop { layer, reason }), "{packet:?}");
    assert!(
        !matches!(packet.body, Body::Tcp(_) | Body::Udp(_) | Body::Icmp(_)),
        "{packet:?}"
    );
}
