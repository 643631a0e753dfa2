//! Checksums of IPv4 headers, TCP and UDP (RFC 1071), where all bytes of the packet are there.
//!
//! A card that computes them itself is given nothing, or the sum of the pseudo-header alone: a capture on its host shows
//! that, and it is no damage. Segments that the card will cut are larger than any frame and not looked at.

use std::net::IpAddr;

use super::Sum;
use super::bytes::u16_at;
use super::ip::Ip;

/// Larger packets are offloaded ones, or jumbo frames; 9,000 bytes and the headers.
pub(super) const PACKET_MAX: u32 = 9_216;

/// Shorter than this the vectors take longer to set up than the words to add.
const SHORT: usize = 64;

/// The ones' complement sum of `bytes`, on top of `sum`. RFC 1071 2: words may be added in any order, in any byte order
/// and several at a time, so that the compiler adds with vectors; only the result is turned round.
fn add(sum: u64, bytes: &[u8]) -> u64 {
    sum.wrapping_add(u16::from_be_bytes(fold(native(bytes)).to_ne_bytes()).into())
}

/// The sum in the machine's own byte order, not folded.
fn native(bytes: &[u8]) -> u64 {
    let mut sum = 0_u64;
    let mut rest = bytes;
    if bytes.len() >= SHORT {
        let blocks;
        (blocks, rest) = bytes.as_chunks::<32>();
        let mut lanes = [0_u64; 8];
        for block in blocks {
            for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<4>().0) {
                *lane = lane.wrapping_add(u64::from(u32::from_ne_bytes(*word)));
            }
        }
        sum = lanes.into_iter().fold(0, u64::wrapping_add);
    }
    let (words, rest) = rest.as_chunks::<4>();
    for word in words {
        sum = sum.wrapping_add(u64::from(u32::from_ne_bytes(*word)));
    }
    let last = match *rest {
        [a] => [a, 0, 0, 0],
        [a, b] => [a, b, 0, 0],
        [a, b, c] => [a, b, c, 0],
        _ => return sum,
    };
    sum.wrapping_add(u64::from(u32::from_ne_bytes(last)))
}

/// Sixteen bits of a sum: each step adds what lies above to what lies below.
const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff).wrapping_add(sum >> 32);
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    sum as u16
}

/// Is the checksum of an IPv4 packet's TCP segment right, of which `addresses` are the eight bytes of its header? Says
/// no more than [`body`] does, and sooner.
pub(super) fn is_right(addresses: &[u8; 8], segment: &[u8]) -> bool {
    let len = u16::try_from(segment.len()).unwrap_or(0);
    let protocol = u16::from_ne_bytes([0, 6]);
    let len = u16::from_ne_bytes(len.to_be_bytes());
    let sum = native(addresses)
        .wrapping_add(native(segment))
        .wrapping_add(u64::from(protocol))
        .wrapping_add(u64::from(len));
    fold(sum) == 0xffff
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
