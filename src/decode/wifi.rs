//! 802.11 data frames and the headers that capture drivers put before them: radiotap, Prism, AVS, PPI.
//!
//! Management and control frames stop as unknown, by Wireshark's `wlan.fc.type_subtype`. Of an aggregate (A-MSDU)
//! the first packet is decoded, and a `Stop` says that there were more.

use super::bytes::{after, array, u16_at, u32_at, upto};
use super::{Around, Packet, Stop, StopReason, broken, link};

/// Radiotap (<https://www.radiotap.org>): little-endian, as long as it says.
pub(super) fn radiotap(bytes: &[u8], around: Around) -> Packet<'_> {
    let Some(len) = little_u16(bytes, 2).map(usize::from) else {
        return broken(&around, "radiotap", StopReason::Cut);
    };
    if len < 8 || bytes.first() != Some(&0) {
        return broken(&around, "radiotap", StopReason::Malformed);
    }
    let Some(rest) = bytes.get(len..) else {
        return broken(&around, "radiotap", StopReason::Cut);
    };
    let flags = radiotap_flags(upto(bytes, len)).unwrap_or(0);
    if flags & 0x40 != 0 {
        // The card saw a bad check sequence: these bytes are not what was sent.
        return broken(&around, "radiotap", StopReason::Malformed);
    }
    if flags & 0x10 != 0 && around.trailer == 0 {
        let trailer = 4_usize.saturating_sub(around.missing);
        let missing = around.missing.saturating_sub(4);
        return data(
            rest,
            flags & 0x20 != 0,
            Around {
                trailer,
                missing,
                ..around
            },
        );
    }
    data(rest, flags & 0x20 != 0, around)
}

/// The flags field, present when bit 1 of the first bitmap says so.
fn radiotap_flags(header: &[u8]) -> Option<u8> {
    let first = little_u32(header, 4)?;
    let mut at = 4;
    while little_u32(header, at)? & 0x8000_0000 != 0 {
        at += 4;
    }
    at += 4;
    // Bit 0: a time stamp of eight bytes, aligned to eight from the start of the header.
    if first & 1 != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    if first & 2 != 0 {
        header.get(at).copied()
    } else {
        None
    }
}

/// Prism monitor header, or AVS under the same link type: both say their length.
pub(super) fn prism(bytes: &[u8], around: Around) -> Packet<'_> {
    let (Some(magic), Some(big), Some(little)) =
        (u32_at(bytes, 0), u32_at(bytes, 4), little_u32(bytes, 4))
    else {
        return broken(&around, "prism", StopReason::Cut);
    };
    // AVS is big-endian with a magic; Prism is in the byte order of its host, and short.
    let len = if magic >> 12 == 0x80211 {
        big
    } else {
        little.min(big)
    };
    match bytes.get(len as usize..) {
        Some(rest) if len >= 8 => frame(rest, around),
        Some(_) => broken(&around, "prism", StopReason::Malformed),
        None => broken(&around, "prism", StopReason::Cut),
    }
}

/// PPI: a header with a length and the link type of what follows.
pub(super) fn per_packet(bytes: &[u8], around: Around) -> Packet<'_> {
    let (Some(len), Some(kind)) = (little_u16(bytes, 2).map(usize::from), little_u32(bytes, 4))
    else {
        return broken(&around, "ppi", StopReason::Cut);
    };
    match (bytes.get(len..), kind) {
        (Some(_), _) if len < 8 => broken(&around, "ppi", StopReason::Malformed),
        (Some(rest), 105) => frame(rest, around),
        (Some(rest), 1) => link::ethernet(rest, around),
        (Some(_), _) => broken(&around, "ppi", StopReason::Unknown(kind)),
        (None, _) => broken(&around, "ppi", StopReason::Cut),
    }
}

/// An 802.11 frame.
pub(super) fn frame(bytes: &[u8], around: Around) -> Packet<'_> {
    data(bytes, false, around)
}

/// `padded`: the card filled the header up to a multiple of four.
fn data(bytes: &[u8], padded: bool, mut around: Around) -> Packet<'_> {
    let (Some(&control), Some(&flags)) = (bytes.first(), bytes.get(1)) else {
        return broken(&around, "wlan", StopReason::Cut);
    };
    let (kind, subtype) = (control >> 2 & 3, control >> 4);
    let unknown = StopReason::Unknown(u32::from(kind) << 4 | u32::from(subtype));
    // IEEE 802.11 9.2.4.1: version 0, type 2; bit 2 of the subtype says there is no data, bit 3 QoS.
    if control & 3 != 0 || kind != 2 || subtype & 4 != 0 {
        return broken(&around, "wlan", unknown);
    }
    let (Some([first, second, third]), Some(sequence)) = (addresses(bytes), little_u16(bytes, 22))
    else {
        return broken(&around, "wlan", StopReason::Cut);
    };
    let (to_ds, from_ds, qos) = (flags & 1 != 0, flags & 2 != 0, subtype & 8 != 0);
    let mut size = 24;
    let fourth = array(bytes, size);
    if to_ds && from_ds {
        size += 6;
    }
    let aggregate = qos && bytes.get(size).is_some_and(|control| control & 0x80 != 0);
    if qos {
        // HT control, which only QoS frames have, shows as the order bit.
        size += if flags & 0x80 != 0 { 6 } else { 2 };
    }
    if padded {
        size = size.next_multiple_of(4);
    }
    around.link.destination = Some(if to_ds { third } else { first });
    around.link.source = match (to_ds, from_ds) {
        (true, true) => fourth,
        (false, true) => Some(third),
        _ => Some(second),
    };
    let Some(rest) = bytes.get(size..) else {
        return broken(&around, "wlan", StopReason::Cut);
    };
    if flags & 0x40 != 0 {
        return broken(&around, "wlan", StopReason::Encrypted);
    }
    // A later fragment has no header; the first stands for the packet, as if the rest had been cut.
    if sequence & 15 != 0 {
        return broken(&around, "wlan", unknown);
    }
    if aggregate {
        amsdu(rest, around)
    } else {
        link::llc(rest, around)
    }
}

/// IEEE 802.11 9.3.2.2: subframes of destination, source, length and 802.2.
fn amsdu(bytes: &[u8], mut around: Around) -> Packet<'_> {
    let (Some(destination), Some(source), Some(len)) =
        (array(bytes, 0), array(bytes, 6), u16_at(bytes, 12))
    else {
        return broken(&around, "wlan", StopReason::Cut);
    };
    around.link.destination = Some(destination);
    around.link.source = Some(source);
    let mut packet = link::llc(upto(after(bytes, 14), len.into()), around);
    let next = (usize::from(len) + 14).next_multiple_of(4);
    // A check sequence is shorter than a subframe's header.
    if packet.stopped.is_none() && bytes.len() >= next + 14 {
        packet.stopped = Some(Stop {
            layer: "amsdu",
            reason: StopReason::Unknown(2),
        });
    }
    packet
}

fn addresses(bytes: &[u8]) -> Option<[[u8; 6]; 3]> {
    Some([array(bytes, 4)?, array(bytes, 10)?, array(bytes, 16)?])
}

fn little_u16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

fn little_u32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}
