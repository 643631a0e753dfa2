//! Ethernet, VLAN tags, IPv4, IPv6, TCP, UDP, ICMP and ARP: the path that nearly every frame takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::decode::{
    ArpPacket, Body, Fragment, IcmpMessage, IpFacts, LinkFacts, Neighbour, Packet, Quoted, Stop, StopReason,
    TcpOptions, TcpSegment, UdpDatagram,
};

/// Big-endian 16 bits at `at`.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Big-endian 32 bits at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn stop(layer: &'static str, reason: StopReason) -> Stop {
    Stop { layer, reason }
}

/// A frame that begins with an Ethernet II header.
pub(crate) fn ethernet(bytes: &[u8]) -> Packet<'_> {
    let mut link = LinkFacts::default();
    let (Some(destination), Some(source), Some(kind)) = (bytes.get(..6), bytes.get(6..12), u16_at(bytes, 12)) else {
        return broken(link, stop("eth", StopReason::Cut));
    };
    link.destination = destination.try_into().ok();
    link.source = source.try_into().ok();
    let (mut kind, mut at) = (kind, 14);
    while matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
        let (Some(tag), Some(next)) = (u16_at(bytes, at), u16_at(bytes, at + 2)) else {
            return broken(link, stop("vlan", StopReason::Cut));
        };
        link.vlan.get_or_insert(tag & 0x0fff);
        kind = next;
        at += 4;
    }
    let rest = bytes.get(at..).unwrap_or(&[]);
    network(kind, rest, link)
}

/// What an ethertype says follows.
pub(crate) fn network(kind: u16, bytes: &[u8], link: LinkFacts) -> Packet<'_> {
    match kind {
        0x0800 => ipv4(bytes, link),
        0x86dd => ipv6(bytes, link),
        0x0806 => arp(bytes, link),
        _ => broken(link, stop("eth", StopReason::Unknown(kind.into()))),
    }
}

fn broken<'a>(link: LinkFacts, stopped: Stop) -> Packet<'a> {
    Packet { link, ip: None, body: Body::Other, stopped: Some(stopped) }
}

fn arp(bytes: &[u8], link: LinkFacts) -> Packet<'_> {
    let read = || {
        let mac = |at: usize| -> Option<[u8; 6]> { bytes.get(at..at + 6)?.try_into().ok() };
        let ip = |at: usize| Some(Ipv4Addr::from(u32_at(bytes, at)?));
        if u32_at(bytes, 0)? != 0x0001_0800 || u16_at(bytes, 4)? != 0x0604 {
            return None;
        }
        Some(ArpPacket {
            operation: u16_at(bytes, 6)?,
            sender_mac: mac(8)?,
            sender_ip: ip(14)?,
            target_mac: mac(18)?,
            target_ip: ip(24)?,
        })
    };
    match read() {
        Some(packet) => Packet { link, ip: None, body: Body::Arp(packet), stopped: None },
        None => broken(link, stop("arp", StopReason::Malformed)),
    }
}

/// An IPv4 packet.
pub(crate) fn ipv4(bytes: &[u8], link: LinkFacts) -> Packet<'_> {
    let (Some(&first), Some(total), Some(id), Some(fragment)) =
        (bytes.first(), u16_at(bytes, 2), u16_at(bytes, 4), u16_at(bytes, 6))
    else {
        return broken(link, stop("ip", StopReason::Cut));
    };
    let (Some(&ttl), Some(&protocol), Some(source), Some(destination)) =
        (bytes.get(8), bytes.get(9), u32_at(bytes, 12), u32_at(bytes, 16))
    else {
        return broken(link, stop("ip", StopReason::Cut));
    };
    let header = usize::from(first & 15) * 4;
    if first >> 4 != 4 || header < 20 {
        return broken(link, stop("ip", StopReason::Malformed));
    }
    // Length 0: the network card was to fill it in (segmentation offload).
    let total = if total == 0 { bytes.len() } else { usize::from(total) };
    let ip = IpFacts {
        source: IpAddr::V4(source.into()),
        destination: IpAddr::V4(destination.into()),
        ttl,
        id: Some(id.into()),
        dont_fragment: fragment & 0x4000 != 0,
        total_len: u32::try_from(total).unwrap_or(u32::MAX),
        protocol,
    };
    let Some(len) = total.checked_sub(header) else {
        return Packet { link, ip: Some(ip), body: Body::Other, stopped: Some(stop("ip", StopReason::Malformed)) };
    };
    let payload = bytes.get(header..).unwrap_or(&[]);
    let payload = payload.get(..len).unwrap_or(payload);
    let (offset, more) = (u32::from(fragment & 0x1fff) * 8, fragment & 0x2000 != 0);
    if offset > 0 || more {
        let body = Body::Fragment(Fragment {
            id: id.into(),
            offset,
            more,
            payload,
            payload_len: u32::try_from(len).unwrap_or(u32::MAX),
        });
        return Packet { link, ip: Some(ip), body, stopped: None };
    }
    transport(protocol, payload, len, ip, link)
}

/// An IPv6 packet with its extension headers.
pub(crate) fn ipv6(bytes: &[u8], link: LinkFacts) -> Packet<'_> {
    let address = |at: usize| -> Option<IpAddr> {
        let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(octets)))
    };
    let (Some(&first), Some(len), Some(&next), Some(&ttl), Some(source), Some(destination)) =
        (bytes.first(), u16_at(bytes, 4), bytes.get(6), bytes.get(7), address(8), address(24))
    else {
        return broken(link, stop("ipv6", StopReason::Cut));
    };
    if first >> 4 != 6 {
        return broken(link, stop("ipv6", StopReason::Malformed));
    }
    let len = if len == 0 { bytes.len() - 40 } else { usize::from(len) };
    let mut ip = IpFacts {
        source,
        destination,
        ttl,
        id: None,
        dont_fragment: true,
        total_len: u32::try_from(len + 40).unwrap_or(u32::MAX),
        protocol: next,
    };
    let whole = bytes.get(40..).unwrap_or(&[]);
    let mut payload = whole.get(..len).unwrap_or(whole);
    let (mut next, mut left) = (next, len);
    for _ in 0..16 {
        let (Some(&following), Some(&units)) = (payload.first(), payload.get(1)) else { break };
        let size = match next {
            0 | 43 | 60 => (usize::from(units) + 1) * 8,
            51 => (usize::from(units) + 2) * 4,
            44 => {
                let (Some(field), Some(id)) = (u16_at(payload, 2), u32_at(payload, 4)) else { break };
                ip.id = Some(id);
                ip.protocol = following;
                if field & 0xfff9 != 0 {
                    let body = Body::Fragment(Fragment {
                        id,
                        offset: u32::from(field & 0xfff8),
                        more: field & 1 != 0,
                        payload: payload.get(8..).unwrap_or(&[]),
                        payload_len: u32::try_from(left.saturating_sub(8)).unwrap_or(u32::MAX),
                    });
                    return Packet { link, ip: Some(ip), body, stopped: None };
                }
                8
            }
            _ => break,
        };
        let Some(rest) = payload.get(size..) else {
            return Packet { link, ip: Some(ip), body: Body::Other, stopped: Some(stop("ipv6", StopReason::Cut)) };
        };
        payload = rest;
        left = left.saturating_sub(size);
        next = following;
    }
    ip.protocol = next;
    transport(next, payload, left, ip, link)
}

/// What an IP protocol number says follows. `len` is the payload's length on the wire.
pub(crate) fn transport(protocol: u8, bytes: &[u8], len: usize, ip: IpFacts, link: LinkFacts) -> Packet<'_> {
    let body = match protocol {
        6 => tcp(bytes, len).map(Body::Tcp),
        17 => udp(bytes, len).map(Body::Udp),
        1 | 58 => icmp(bytes, protocol == 58).map(Body::Icmp),
        50 => Err(stop("esp", StopReason::Encrypted)),
        _ => Err(stop("ip", StopReason::Unknown(protocol.into()))),
    };
    match body {
        Ok(body) => Packet { link, ip: Some(ip), body, stopped: None },
        Err(stopped) => Packet { link, ip: Some(ip), body: Body::Other, stopped: Some(stopped) },
    }
}

fn tcp(bytes: &[u8], len: usize) -> Result<TcpSegment<'_>, Stop> {
    let cut = stop("tcp", StopReason::Cut);
    let head = bytes.get(..20).ok_or(cut)?;
    let field = |at| u16_at(head, at).ok_or(cut);
    let header = usize::from(head.get(12).copied().unwrap_or(0) >> 4) * 4;
    if header < 20 || header > len {
        return Err(stop("tcp", StopReason::Malformed));
    }
    let payload = bytes.get(header..).unwrap_or(&[]);
    Ok(TcpSegment {
        source_port: field(0)?,
        destination_port: field(2)?,
        seq: u32_at(head, 4).ok_or(cut)?,
        ack: u32_at(head, 8).ok_or(cut)?,
        flags: head.get(13).copied().unwrap_or(0),
        window: field(14)?,
        checksum: field(16)?,
        options: options(bytes.get(20..header).or(bytes.get(20..)).unwrap_or(&[])),
        payload,
        payload_len: u32::try_from(len - header).unwrap_or(u32::MAX),
    })
}

fn options(mut bytes: &[u8]) -> TcpOptions {
    let mut found = TcpOptions::default();
    while let Some((&kind, rest)) = bytes.split_first() {
        match kind {
            0 => break,
            1 => {
                bytes = rest;
                continue;
            }
            _ => {}
        }
        let Some(len) = rest.first().map(|len| usize::from(*len)).filter(|len| *len >= 2) else { break };
        let Some((option, later)) = bytes.split_at_checked(len) else { break };
        match (kind, len) {
            (2, 4) => found.mss = u16_at(option, 2),
            (3, 3) => found.window_scale = option.get(2).copied(),
            (4, 2) => found.sack_permitted = true,
            (5, _) => {
                for block in option.get(2..).unwrap_or(&[]).chunks_exact(8).take(3) {
                    if let (Some(left), Some(right), Some(slot)) =
                        (u32_at(block, 0), u32_at(block, 4), found.sack.get_mut(usize::from(found.sack_len)))
                    {
                        *slot = (left, right);
                        found.sack_len += 1;
                    }
                }
            }
            (8, 10) => found.timestamps = u32_at(option, 2).zip(u32_at(option, 6)),
            (34, _) => found.fast_open = true,
            _ => {}
        }
        bytes = later;
    }
    found
}

fn udp(bytes: &[u8], len: usize) -> Result<UdpDatagram<'_>, Stop> {
    let cut = stop("udp", StopReason::Cut);
    let (source_port, destination_port) = (u16_at(bytes, 0).ok_or(cut)?, u16_at(bytes, 2).ok_or(cut)?);
    let declared = usize::from(u16_at(bytes, 4).ok_or(cut)?);
    let len = if declared >= 8 { declared.min(len) } else { len };
    let payload = bytes.get(8..).unwrap_or(&[]);
    let wire = len.saturating_sub(8);
    Ok(UdpDatagram {
        source_port,
        destination_port,
        payload: payload.get(..wire).unwrap_or(payload),
        payload_len: u32::try_from(wire).unwrap_or(u32::MAX),
    })
}

fn icmp(bytes: &[u8], v6: bool) -> Result<IcmpMessage<'_>, Stop> {
    let cut = stop("icmp", StopReason::Cut);
    let (kind, code) = (*bytes.first().ok_or(cut)?, *bytes.get(1).ok_or(cut)?);
    let payload = bytes.get(8..).unwrap_or(&[]);
    let error = if v6 { kind < 128 } else { matches!(kind, 3 | 4 | 5 | 11 | 12) };
    Ok(IcmpMessage {
        v6,
        kind,
        code,
        rest: u32_at(bytes, 4).unwrap_or(0),
        quoted: if error { quoted(payload, v6) } else { None },
        neighbour: if v6 && matches!(kind, 135 | 136) { neighbour(bytes, kind) } else { None },
        payload,
    })
}

fn quoted(bytes: &[u8], v6: bool) -> Option<Quoted> {
    let packet = if v6 { ipv6(bytes, LinkFacts::default()) } else { ipv4(bytes, LinkFacts::default()) };
    let ip = packet.ip?;
    let header = if v6 { 40 } else { usize::from(bytes.first()? & 15) * 4 };
    let ports = matches!(ip.protocol, 6 | 17);
    let port = |at: usize| if ports { u16_at(bytes, header + at).unwrap_or(0) } else { 0 };
    Some(Quoted {
        source: ip.source,
        destination: ip.destination,
        protocol: ip.protocol,
        source_port: port(0),
        destination_port: port(2),
        seq: if ip.protocol == 6 { u32_at(bytes, header + 4) } else { None },
        ttl: ip.ttl,
    })
}

fn neighbour(bytes: &[u8], kind: u8) -> Option<Neighbour> {
    let flags = *bytes.get(4)?;
    let target: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
    let mut rest = bytes.get(24..).unwrap_or(&[]);
    let mut mac = None;
    while let (Some(&option), Some(&units)) = (rest.first(), rest.get(1)) {
        let Some((body, later)) = rest.split_at_checked(usize::from(units) * 8).filter(|_| units > 0) else { break };
        if option == if kind == 135 { 1 } else { 2 } {
            mac = body.get(2..8).and_then(|mac| mac.try_into().ok());
        }
        rest = later;
    }
    Some(Neighbour {
        target: IpAddr::V6(Ipv6Addr::from(target)),
        mac,
        solicited: flags & 0x40 != 0,
        overrides: flags & 0x20 != 0,
    })
}
