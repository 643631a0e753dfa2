//! Checksums of IPv4 headers, TCP and UDP (RFC 1071), where all bytes of the packet are there.
//!
//! A card that computes them itself is given nothing, or the sum of the pseudo-header alone: a capture on its host shows
//! that, and it is no damage. Segments that the card will cut are larger than any frame and not looked at.

use std::net::IpAddr;

use super::Sum;
use super::bytes::u16_at;
use super::ip::Ip;

/// Larger packets are offloaded ones, or jumbo frames; 9,000 bytes and the headers.
const PACKET_MAX: u32 = 9_216;

/// The ones' complement sum of `bytes`, on top of `sum`. RFC 1071 2: words may be added in any order, in any byte order
/// and several at a time, so that the compiler adds with vectors; only the result is turned round.
fn add(sum: u64, bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut native = 0_u64;
    if !blocks.is_empty() {
        let mut lanes = [0_u64; 8];
        for block in blocks {
            for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<4>().0) {
                *lane = lane.wrapping_add(u64::from(u32::from_ne_bytes(*word)));
            }
        }
        native = lanes.into_iter().fold(0, u64::wrapping_add);
    }
    let (words, rest) = rest.as_chunks::<4>();
    for word in words {
        native = native.wrapping_add(u64::from(u32::from_ne_bytes(*word)));
    }
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    native = native.wrapping_add(u64::from(u32::from_ne_bytes(last)));
    sum.wrapping_add(u16::from_be_bytes(fold(native).to_ne_bytes()).into())
}

/// Sixteen bits of a sum.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff).wrapping_add(sum >> 16);
    }
    (sum & 0xffff) as u16
}

/// The checksum of an IPv4 header with its options.
pub(super) fn header(bytes: &[u8]) -> Sum {
    match (fold(add(0, bytes)), u16_at(bytes, 10)) {
        (0xffff, _) => Sum::Right,
        (_, Some(0)) => Sum::Offload,
        _ => Sum::Wrong,
    }
}

/// The checksum of a TCP segment or UDP datagram.
pub(super) fn body(ip: &Ip<'_>) -> Sum {
    let (bytes, len) = (ip.payload, ip.len);
    let (at, least) = match ip.facts.protocol {
        6 => (16, 20),
        17 => (6, 8),
        _ => return Sum::Unknown,
    };
    let Some(field) = u16_at(bytes, at) else {
        return Sum::Unknown;
    };
    if bytes.len() != len || len < least || ip.facts.total_len > PACKET_MAX {
        return Sum::Unknown;
    }
    let addresses = match (ip.facts.source, ip.facts.destination) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            u64::from(u32::from(a)).wrapping_add(u64::from(u32::from(b)))
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => add(add(0, &a.octets()), &b.octets()),
        _ => return Sum::Unknown,
    };
    let protocol = u64::from(ip.facts.protocol);
    // RFC 768: no checksum. Only IPv6 asks for one, and tunnels are excused (RFC 6935).
    if ip.facts.protocol == 17 && field == 0 {
        return Sum::Unknown;
    }
    // RFC 768: the datagram's own length may be less than the packet's.
    let (bytes, len) = match (ip.facts.protocol, u16_at(bytes, 4)) {
        (17, Some(declared)) if usize::from(declared) != len => return Sum::Unknown,
        _ => (bytes, len as u64),
    };
    let pseudo = addresses.wrapping_add(protocol).wrapping_add(len);
    if fold(add(pseudo, bytes)) == 0xffff {
        return Sum::Right;
    }
    // With segmentation offload the length is left out.
    let partial = [pseudo, addresses.wrapping_add(protocol)].map(fold);
    if field == 0 || partial.contains(&field) || partial.contains(&!field) {
        Sum::Offload
    } else {
        Sum::Wrong
    }
}
