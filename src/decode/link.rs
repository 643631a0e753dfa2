//! What lies before the network layer: Ethernet and its tags, 802.2, Linux cooked, loopback, raw IP, PPP, PPPoE and
//! Cisco HDLC.
//!
//! MACsec (0x88e5), provider backbone bridging (0x88e7), LLDP and the like stop as unknown ethertypes.

use super::bytes::{after, array, u16_at, u32_at, upto};
use super::{Around, Body, Packet, Ppp, PppoeDiscovery, StopReason, arp, broken, ip, mpls, wifi};

/// A frame that begins with an Ethernet header, with a type or with a length and 802.2 behind it.
pub(super) fn ethernet(bytes: &[u8], mut around: Around) -> Packet<'_> {
    let (Some(destination), Some(source), Some(kind)) =
        (array(bytes, 0), array(bytes, 6), u16_at(bytes, 12))
    else {
        return broken(&around, "eth", StopReason::Cut);
    };
    if around.link.source.is_none() {
        around.link.destination = Some(destination);
        around.link.source = Some(source);
    }
    network(kind, after(bytes, 14), around)
}

/// What an ethertype says follows, VLAN tags (802.1Q, 802.1ad) included.
pub(super) fn network(mut kind: u16, mut bytes: &[u8], mut around: Around) -> Packet<'_> {
    while matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
        let (Some(tag), Some(next)) = (u16_at(bytes, 0), u16_at(bytes, 2)) else {
            return broken(&around, "vlan", StopReason::Cut);
        };
        // 802.1Q 9.6: identifier 0 says no VLAN, the tag is there for its priority.
        if tag & 0x0fff != 0 {
            let place = match around.link.vlan {
                None => &mut around.link.vlan,
                Some(_) => &mut around.link.inner_vlan,
            };
            place.get_or_insert(tag & 0x0fff);
        }
        kind = next;
        bytes = after(bytes, 4);
    }
    match kind {
        0x0800 => ip::v4(bytes, around),
        0x86dd => ip::v6(bytes, around),
        0x0806 => arp::arp(bytes, &around),
        0x8847 | 0x8848 => mpls::labels(bytes, around),
        0x8863 => discovery(bytes, &around),
        0x8864 => pppoe(bytes, around),
        // IEEE 802.3 3.2.6: up to 1500 it is a length, and 802.2 follows.
        0..=1_500 => llc(upto(bytes, kind.into()), around),
        _ => broken(&around, "eth", StopReason::Unknown(kind.into())),
    }
}

/// Is this an ethertype behind which something is read here?
pub(super) fn reads(kind: u16) -> bool {
    matches!(
        kind,
        0x0800 | 0x86dd | 0x0806 | 0x8100 | 0x88a8 | 0x9100 | 0x8847 | 0x8848 | 0x8864
    )
}

/// IEEE 802.2, with the SNAP extension or IP's own access point.
pub(super) fn llc(bytes: &[u8], around: Around) -> Packet<'_> {
    let Some([destination, source, control]) = array(bytes, 0) else {
        return broken(&around, "llc", StopReason::Cut);
    };
    match (destination, source, control) {
        (0xaa, 0xaa, 0x03) => {
            let (Some(organisation), Some(kind)) = (array::<3>(bytes, 3), u16_at(bytes, 6)) else {
                return broken(&around, "llc", StopReason::Cut);
            };
            // RFC 1042 and 802.1H (bridge tunnel): an ethertype follows. Lengths make no sense here.
            if matches!(organisation, [0, 0, 0] | [0, 0, 0xf8]) && kind > 1_500 {
                network(kind, after(bytes, 8), around)
            } else {
                broken(&around, "llc", StopReason::Unknown(kind.into()))
            }
        }
        (0x06, 0x06, 0x03) => ip::v4(after(bytes, 3), around),
        _ => broken(&around, "llc", StopReason::Unknown(destination.into())),
    }
}

/// Linux cooked capture, version 1 (LINKTYPE_LINUX_SLL).
pub(super) fn cooked(bytes: &[u8], mut around: Around) -> Packet<'_> {
    let (Some(hardware), Some(size), Some(kind)) =
        (u16_at(bytes, 2), u16_at(bytes, 4), u16_at(bytes, 14))
    else {
        return broken(&around, "sll", StopReason::Cut);
    };
    around.link.source = array(bytes, 6).filter(|_| size == 6);
    cooked_payload(hardware, kind, after(bytes, 16), around)
}

/// Linux cooked capture, version 2 (LINKTYPE_LINUX_SLL2).
pub(super) fn cooked_v2(bytes: &[u8], mut around: Around) -> Packet<'_> {
    let (Some(kind), Some(hardware), Some(&size), Some(address)) = (
        u16_at(bytes, 0),
        u16_at(bytes, 8),
        bytes.get(11),
        array::<8>(bytes, 12),
    ) else {
        return broken(&around, "sll", StopReason::Cut);
    };
    around.link.source = array(&address, 0).filter(|_| size == 6);
    cooked_payload(hardware, kind, after(bytes, 20), around)
}

fn cooked_payload(hardware: u16, kind: u16, bytes: &[u8], around: Around) -> Packet<'_> {
    match (hardware, kind) {
        // ARPHRD_IEEE80211_RADIOTAP: the protocol means nothing.
        (803, _) => wifi::radiotap(bytes, around),
        // ARPHRD_NETLINK: the protocol is a netlink family.
        (824, _) => broken(&around, "sll", StopReason::Unknown(hardware.into())),
        // LINUX_SLL_P_802_2.
        (_, 4) => llc(bytes, around),
        (_, 0..=1_500) => broken(&around, "sll", StopReason::Unknown(kind.into())),
        _ => network(kind, bytes, around),
    }
}

/// BSD loopback: an address family in the byte order of the capturing host (NULL) or of the network (LOOP).
///
/// Families are small, so the order shows by itself.
pub(super) fn loopback(bytes: &[u8], around: Around) -> Packet<'_> {
    let Some(family) = array(bytes, 0) else {
        return broken(&around, "null", StopReason::Cut);
    };
    let (little, big) = (u32::from_le_bytes(family), u32::from_be_bytes(family));
    let rest = after(bytes, 4);
    match little.min(big) {
        2 => ip::v4(rest, around),
        // AF_INET6 of NetBSD and OpenBSD, FreeBSD, Darwin; 10 is Linux's.
        10 | 24 | 28 | 30 => ip::v6(rest, around),
        other => broken(&around, "null", StopReason::Unknown(other)),
    }
}

/// An IP packet with nothing before it.
pub(super) fn raw(bytes: &[u8], around: Around) -> Packet<'_> {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => ip::v4(bytes, around),
        Some(6) => ip::v6(bytes, around),
        Some(other) => broken(&around, "raw", StopReason::Unknown(other.into())),
        None => broken(&around, "raw", StopReason::Cut),
    }
}

/// PPP (RFC 1661), with or without the address and control bytes of RFC 1662, or Cisco HDLC in their place.
pub(super) fn ppp(bytes: &[u8], around: Around) -> Packet<'_> {
    let bytes = match (bytes.first(), bytes.get(1)) {
        (Some(0xff), Some(0x03)) => after(bytes, 2),
        (Some(0xff), None) => return broken(&around, "ppp", StopReason::Cut),
        (Some(0x0f | 0x8f), _) => return cisco_hdlc(bytes, around),
        _ => bytes,
    };
    let Some(&first) = bytes.first() else {
        return broken(&around, "ppp", StopReason::Cut);
    };
    // RFC 1661 6.5: an odd first byte is a protocol number compressed to one byte.
    let (protocol, rest) = if first & 1 == 1 {
        (u16::from(first), after(bytes, 1))
    } else {
        let Some(protocol) = u16_at(bytes, 0) else {
            return broken(&around, "ppp", StopReason::Cut);
        };
        (protocol, after(bytes, 2))
    };
    match protocol {
        0x0021 => ip::v4(rest, around),
        0x0057 => ip::v6(rest, around),
        0x0281 | 0x0283 => mpls::labels(rest, around),
        // Encryption (RFC 1968) and MPPE, which travels as compression (RFC 3078).
        0x0053 | 0x00fd => broken(&around, "ppp", StopReason::Encrypted),
        // RFC 1661 2: from 0x8000 on it is the link that speaks of itself.
        0x8000.. => Packet {
            body: Body::Ppp(Ppp {
                protocol,
                session: None,
                payload: rest,
            }),
            ..broken(&around, "ppp", StopReason::Unknown(protocol.into()))
        },
        _ => broken(&around, "ppp", StopReason::Unknown(protocol.into())),
    }
}

/// PPPoE discovery (RFC 2516 5).
fn discovery<'a>(bytes: &'a [u8], around: &Around) -> Packet<'a> {
    let packet = broken(around, "eth", StopReason::Unknown(0x8863));
    let (Some([0x11, code]), Some(session), Some(len)) =
        (array(bytes, 0), u16_at(bytes, 2), u16_at(bytes, 4))
    else {
        return packet;
    };
    Packet {
        body: Body::PppoeDiscovery(PppoeDiscovery {
            code,
            session,
            tags: upto(after(bytes, 6), len.into()),
        }),
        ..packet
    }
}

/// A PPPoE session packet (RFC 2516 4).
pub(super) fn pppoe(bytes: &[u8], around: Around) -> Packet<'_> {
    let (Some(&version), Some(&code), Some(len)) = (bytes.first(), bytes.get(1), u16_at(bytes, 4))
    else {
        return broken(&around, "pppoe", StopReason::Cut);
    };
    if version != 0x11 {
        return broken(&around, "pppoe", StopReason::Malformed);
    }
    if code != 0 {
        return broken(&around, "pppoe", StopReason::Unknown(code.into()));
    }
    let rest = after(bytes, 6);
    // As with IP, a length of 0 was for the card to fill in.
    let len = if len == 0 { rest.len() } else { len.into() };
    let missing = len.saturating_sub(rest.len());
    let around = match len == rest.len() {
        true => around,
        false => Around {
            missing,
            trailer: 0,
            ..around
        },
    };
    let mut packet = ppp(upto(rest, len), around);
    if let Body::Ppp(control) = &mut packet.body {
        control.session = u16_at(bytes, 2);
    }
    packet
}

/// Cisco HDLC: address, control, ethertype.
pub(super) fn cisco_hdlc(bytes: &[u8], around: Around) -> Packet<'_> {
    match u32_at(bytes, 0) {
        Some(head) if matches!(head >> 24, 0x0f | 0x8f) => {
            let kind = (head & 0xffff) as u16;
            if kind > 1_500 {
                network(kind, after(bytes, 4), around)
            } else {
                broken(&around, "chdlc", StopReason::Unknown(kind.into()))
            }
        }
        Some(head) => broken(&around, "chdlc", StopReason::Unknown(head >> 24)),
        None => broken(&around, "chdlc", StopReason::Cut),
    }
}
