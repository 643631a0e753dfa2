//! MPLS label stacks (RFC 3032) with IP or a pseudo-wire's Ethernet frame below them.
//!
//! No field says what lies below the last label. It is IP where an IP header fits there, an Ethernet frame with
//! (RFC 4385) or without control word where a known ethertype stands in its place; otherwise unknown. Nothing is
//! tried and taken back, so nested stacks cost no more than their length.

use super::bytes::{after, array, u16_at, u32_at};
use super::{Around, Packet, Stop, StopReason, broken, ip, link};

/// Labels and what they carry.
pub(super) fn labels(mut bytes: &[u8], around: Around) -> Packet<'_> {
    loop {
        let Some(entry) = u32_at(bytes, 0) else {
            return broken(&around, "mpls", StopReason::Cut);
        };
        bytes = after(bytes, 4);
        if entry & 0x100 != 0 {
            return below(entry >> 12, bytes, around);
        }
    }
}

fn below(label: u32, bytes: &[u8], around: Around) -> Packet<'_> {
    let inner = match around.inside(around.missing) {
        // A check sequence stays where it was.
        Ok(inner) => Around {
            trailer: around.trailer,
            ..inner
        },
        Err(Stop { layer, reason }) => return broken(&around, layer, reason),
    };
    let wire = bytes.len().saturating_add(around.missing);
    let first = bytes.first().map_or(0, |first| first >> 4);
    if first == 4 && ip::fits_v4(bytes, wire) {
        return ip::v4(bytes, inner);
    }
    if first == 6 && ip::fits_v6(bytes, wire) {
        return ip::v6(bytes, inner);
    }
    if first == 0 && u16_at(bytes, 16).is_some_and(link::reads) {
        return link::ethernet(after(bytes, 4), inner);
    }
    if u16_at(bytes, 12).is_some_and(link::reads) {
        return link::ethernet(bytes, inner);
    }
    if first == 4 && u16_at(bytes, 2) == Some(0) {
        // Segmentation offload left the length out.
        return ip::v4(bytes, inner);
    }
    // Eighteen bytes decide; where the snaplen left fewer, nobody can tell.
    let reason = if array::<18>(bytes, 0).is_none() {
        StopReason::Cut
    } else {
        StopReason::Unknown(label)
    };
    broken(&around, "mpls", reason)
}
