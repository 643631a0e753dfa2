//! Packets within packets: IP in IP (RFC 2003, RFC 4213, RFC 2473), GRE (RFC 2784, RFC 2890) with ERSPAN, NVGRE and
//! PPTP (RFC 2637), EtherIP (RFC 3378), VXLAN (RFC 7348), Geneve (RFC 8926) and GTP-U (3GPP TS 29.281).
//!
//! A UDP datagram is taken for a tunnel by its destination port only where a packet is found inside that fits into it;
//! else it stays the datagram it is. Where the inside cannot be read, the packet around it stands, with the `Stop`.
//! L2TP, Teredo, VXLAN-GPE and MPLS over UDP are not followed.

use super::bytes::{after, u16_at, u32_at};
use super::ip::Ip;
use super::{
    Around, Body, IpFacts, LinkFacts, Packet, Stop, StopReason, UdpDatagram, broken, ip, link, mpls,
};

/// A destination port of UDP that may lead into a tunnel: VXLAN's and Linux's older one, Geneve's, GTP-U's.
pub(super) const fn is_port(port: u16) -> bool {
    matches!(port, 4_789 | 8_472 | 6_081 | 2_152)
}

/// The packet within a packet whose IP protocol says that there is one.
pub(super) fn over_ip(outer: Ip<'_>, around: Around) -> Packet<'_> {
    let bytes = outer.payload;
    let packet = match around.inside(outer.len.saturating_sub(bytes.len())) {
        Err(Stop { layer, reason }) => broken(&around, layer, reason),
        Ok(around) => match outer.facts.protocol {
            4 => ip::v4(bytes, around),
            41 => ip::v6(bytes, around),
            47 => gre(bytes, around),
            97 => ether_ip(bytes, around),
            _ => mpls::labels(bytes, around),
        },
    };
    fall_back(packet, outer.facts)
}

/// The packet within a datagram to one of the ports of `is_port`, or else the datagram.
pub(super) fn over_udp<'a>(
    datagram: UdpDatagram<'a>,
    outer: IpFacts,
    around: Around,
) -> Packet<'a> {
    let missing = (datagram.payload_len as usize).saturating_sub(datagram.payload.len());
    let found = around
        .inside(missing)
        .map(|inner| match datagram.destination_port {
            4_789 | 8_472 => vxlan(datagram.payload, inner),
            6_081 => geneve(datagram.payload, inner),
            _ => gtp(datagram.payload, inner),
        });
    let stopped = match found {
        Ok(packet) if fits(&packet, datagram.payload_len) => return packet,
        Ok(Packet {
            stopped: Some(stop),
            ..
        }) if stop.reason == StopReason::Cut && missing > 0 => Some(stop),
        Ok(_) => None,
        Err(deep) => Some(deep),
    };
    Packet {
        link: around.link,
        ip: Some(outer),
        body: Body::Udp(datagram),
        stopped,
    }
}

/// Was something found that fits into `len` bytes?
fn fits(packet: &Packet<'_>, len: u32) -> bool {
    match packet.ip {
        Some(facts) => facts.total_len <= len,
        None => matches!(packet.body, Body::Arp(_)),
    }
}

/// Where nothing was found inside, the IP packet around it is the innermost.
fn fall_back(mut packet: Packet<'_>, outer: IpFacts) -> Packet<'_> {
    if packet.ip.is_none() && matches!(packet.body, Body::Other | Body::Ppp(_)) {
        packet.ip = Some(outer);
    }
    packet
}

/// GRE, version 0 or 1.
fn gre(bytes: &[u8], around: Around) -> Packet<'_> {
    let (Some(flags), Some(kind)) = (u16_at(bytes, 0), u16_at(bytes, 2)) else {
        return broken(&around, "gre", StopReason::Cut);
    };
    match flags & 7 {
        0 => {}
        1 => return pptp(flags, kind, bytes, around),
        version => return broken(&around, "gre", StopReason::Unknown(version.into())),
    }
    // RFC 2784 2.3: discard what has any of bits 1 to 5 set but those that RFC 2890 gave a meaning. Bit 1 is routing.
    if flags & 0x4000 != 0 {
        return broken(&around, "gre", StopReason::Malformed);
    }
    let (checksum, keyed, sequence) = (
        flags & 0x8000 != 0,
        flags & 0x2000 != 0,
        flags & 0x1000 != 0,
    );
    let at = if checksum { 8 } else { 4 };
    let key = u32_at(bytes, at).filter(|_| keyed);
    let size = at + if keyed { 4 } else { 0 } + if sequence { 4 } else { 0 };
    let Some(rest) = bytes.get(size..) else {
        return broken(&around, "gre", StopReason::Cut);
    };
    match kind {
        0x6558 => link::ethernet(rest, around.tunnel(virtual_subnet(key.unwrap_or(0)))),
        0x88be if sequence => erspan(rest, around),
        // ERSPAN type I has no header of its own.
        0x88be => mirrored(rest, around),
        0x22eb => erspan(rest, around),
        0x880b => link::ppp(rest, around.tunnel(key.unwrap_or(0))),
        // WCCP version 2 puts a redirect header of four bytes before the packet; version 1 does not.
        0x883e if rest.first().is_none_or(|first| first >> 4 != 4) => {
            ip::v4(after(rest, 4), around)
        }
        0x883e => ip::v4(rest, around),
        _ if link::reads(kind) => link::network(kind, rest, around.tunnel(key.unwrap_or(0))),
        _ => broken(&around, "gre", StopReason::Unknown(kind.into())),
    }
}

/// RFC 7637 3.2: the low byte of an NVGRE key differs from flow to flow. Subnets below 0x1000 are reserved, so a
/// smaller key is no NVGRE but a plain key.
const fn virtual_subnet(key: u32) -> u32 {
    if key >> 8 >= 0x1000 { key >> 8 } else { key }
}

/// RFC 2637 4.1: the key is a length and the receiver's call; the payload is PPP, absent in a mere acknowledgment.
fn pptp(flags: u16, kind: u16, bytes: &[u8], around: Around) -> Packet<'_> {
    let (sequence, acknowledgment) = (flags & 0x1000 != 0, flags & 0x0080 != 0);
    if kind != 0x880b || flags & 0x2000 == 0 {
        return broken(&around, "gre", StopReason::Malformed);
    }
    let size = 8 + if sequence { 4 } else { 0 } + if acknowledgment { 4 } else { 0 };
    match bytes.get(size..) {
        None => broken(&around, "gre", StopReason::Cut),
        Some(_) if !sequence => Packet {
            link: around.link,
            ip: None,
            body: Body::Other,
            stopped: None,
        },
        Some(rest) => link::ppp(rest, around),
    }
}

/// ERSPAN type II or III (draft-foschiano-erspan), told by the version.
fn erspan(bytes: &[u8], around: Around) -> Packet<'_> {
    let Some(&first) = bytes.first() else {
        return broken(&around, "erspan", StopReason::Cut);
    };
    let size = match first >> 4 {
        1 => 8,
        2 => match bytes.get(11) {
            // The last bit says that a platform-specific subheader follows.
            Some(last) if last & 1 != 0 => 20,
            Some(_) => 12,
            None => return broken(&around, "erspan", StopReason::Cut),
        },
        version => return broken(&around, "erspan", StopReason::Unknown(version.into())),
    };
    let Some(rest) = bytes.get(size..) else {
        return broken(&around, "erspan", StopReason::Cut);
    };
    match bytes.get(10).map(|field| field >> 2 & 31) {
        // Type III says what it mirrors: 0 an Ethernet frame, 2 an IP packet.
        Some(2) if first >> 4 == 2 => {
            let mut around = around;
            around.link = LinkFacts::default();
            link::raw(rest, around)
        }
        _ => mirrored(rest, around),
    }
}

/// A mirrored frame is as good as captured where it was mirrored: the mirror's own link and tunnel do not count.
fn mirrored(bytes: &[u8], mut around: Around) -> Packet<'_> {
    around.link = LinkFacts::default();
    link::ethernet(bytes, around)
}

/// EtherIP: version 3, twelve bits of nothing, an Ethernet frame.
fn ether_ip(bytes: &[u8], around: Around) -> Packet<'_> {
    match u16_at(bytes, 0) {
        None => broken(&around, "etherip", StopReason::Cut),
        Some(0x3000) => link::ethernet(after(bytes, 2), around),
        Some(_) => broken(&around, "etherip", StopReason::Malformed),
    }
}

fn vxlan(bytes: &[u8], around: Around) -> Packet<'_> {
    let (Some(&flags), Some(vni)) = (bytes.first(), u32_at(bytes, 4)) else {
        return broken(&around, "vxlan", StopReason::Cut);
    };
    // RFC 7348 5: the I flag must be set. Other bits are not looked at: group policies use some.
    if flags & 0x08 == 0 {
        return broken(&around, "vxlan", StopReason::Malformed);
    }
    link::ethernet(after(bytes, 8), around.tunnel(vni >> 8))
}

fn geneve(bytes: &[u8], around: Around) -> Packet<'_> {
    let (Some(&first), Some(kind), Some(vni)) = (bytes.first(), u16_at(bytes, 2), u32_at(bytes, 4))
    else {
        return broken(&around, "geneve", StopReason::Cut);
    };
    // RFC 8926 3.4: version 0; options in words of four bytes.
    if first >> 6 != 0 {
        return broken(&around, "geneve", StopReason::Malformed);
    }
    let Some(rest) = bytes.get(8 + usize::from(first & 0x3f) * 4..) else {
        return broken(&around, "geneve", StopReason::Cut);
    };
    let around = around.tunnel(vni >> 8);
    match kind {
        0x6558 => link::ethernet(rest, around),
        _ if link::reads(kind) => link::network(kind, rest, around),
        _ => broken(&around, "geneve", StopReason::Unknown(kind.into())),
    }
}

/// Each direction of a GTP-U tunnel has its own endpoint identifier, so there is none that both share.
fn gtp(bytes: &[u8], around: Around) -> Packet<'_> {
    let cut = |around| broken(around, "gtp", StopReason::Cut);
    let (Some(&flags), Some(&kind)) = (bytes.first(), bytes.get(1)) else {
        return cut(&around);
    };
    // TS 29.281 5.1: version 1, protocol type 1; 255 carries a packet.
    if flags & 0xf0 != 0x30 {
        return broken(&around, "gtp", StopReason::Malformed);
    }
    if kind != 255 {
        return broken(&around, "gtp", StopReason::Unknown(kind.into()));
    }
    let mut at = 8;
    if flags & 7 != 0 {
        let Some(&next) = bytes.get(11) else {
            return cut(&around);
        };
        at = 12;
        let mut next = if flags & 4 != 0 { next } else { 0 };
        while next != 0 {
            // TS 29.281 5.2.1: a length in words of four bytes first, the next type in the last byte.
            let size = bytes.get(at).map_or(0, |words| usize::from(*words) * 4);
            if size == 0 {
                return if at < bytes.len() {
                    broken(&around, "gtp", StopReason::Malformed)
                } else {
                    cut(&around)
                };
            }
            at += size;
            let Some(&following) = bytes.get(at - 1) else {
                return cut(&around);
            };
            next = following;
        }
    }
    match bytes.get(at..) {
        Some(rest) => link::raw(rest, around),
        None => cut(&around),
    }
}
