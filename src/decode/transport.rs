//! TCP (RFC 9293 3.1), UDP (RFC 768), and the choice by IP protocol number.

use super::bytes::{after, len32, u16_at, u32_at, upto};
use super::ip::Ip;
use super::{
    Around, Body, Esp, Packet, Stop, StopReason, TcpOptions, TcpSegment, UdpDatagram, checksum,
    icmp, tunnel,
};

/// What an IP protocol number says follows.
pub(super) fn transport(mut ip: Ip<'_>, around: Around) -> Packet<'_> {
    ip.facts.body_sum = checksum::body(&ip);
    let unread = |layer, reason| Err(Stop { layer, reason });
    let body = match ip.facts.protocol {
        6 => tcp(ip.payload, ip.len).map(Body::Tcp),
        17 => match udp(ip.payload, ip.len) {
            Ok(datagram) if tunnel::is_port(datagram.destination_port) => {
                return tunnel::over_udp(datagram, ip.facts, around);
            }
            other => other.map(Body::Udp),
        },
        1 | 58 => icmp::icmp(ip.payload, ip.len, ip.facts.protocol == 58).map(Body::Icmp),
        4 | 41 | 47 | 97 | 137 => return tunnel::over_ip(ip, around),
        50 => return esp(&ip, around),
        other => unread("ip", StopReason::Unknown(other.into())),
    };
    let (body, stopped) = match body {
        Ok(body) => (body, None),
        Err(stop) => (Body::Other, Some(stop)),
    };
    Packet {
        link: around.link,
        ip: Some(ip.facts),
        body,
        stopped,
    }
}

/// What is encrypted stays so; its head tells what is lost.
fn esp<'a>(ip: &Ip<'a>, around: Around) -> Packet<'a> {
    let head = u32_at(ip.payload, 0).zip(u32_at(ip.payload, 4));
    Packet {
        link: around.link,
        ip: Some(ip.facts),
        body: head.map_or(Body::Other, |(spi, seq)| Body::Esp(Esp { spi, seq })),
        stopped: Some(Stop {
            layer: "esp",
            reason: StopReason::Encrypted,
        }),
    }
}

/// A TCP segment. Cut within its options it stands, with the options that are there.
fn tcp(bytes: &[u8], len: usize) -> Result<TcpSegment<'_>, Stop> {
    let stop = |reason| Stop {
        layer: "tcp",
        reason,
    };
    let cut = stop(if len < 20 {
        StopReason::Malformed
    } else {
        StopReason::Cut
    });
    let head = bytes.get(..20).ok_or(cut)?;
    let field = |at| u16_at(head, at).ok_or(cut);
    let header = usize::from(head.get(12).copied().unwrap_or(0) >> 4) * 4;
    let payload_len = len
        .checked_sub(header)
        .filter(|_| header >= 20)
        .ok_or(stop(StopReason::Malformed))?;
    Ok(TcpSegment {
        source_port: field(0)?,
        destination_port: field(2)?,
        seq: u32_at(head, 4).ok_or(cut)?,
        ack: u32_at(head, 8).ok_or(cut)?,
        flags: head.get(13).copied().unwrap_or(0),
        window: field(14)?,
        checksum: field(16)?,
        options: options(after(upto(bytes, header), 20)),
        payload: after(bytes, header),
        payload_len: len32(payload_len),
    })
}

pub(super) fn options(mut bytes: &[u8]) -> TcpOptions {
    let mut found = TcpOptions::default();
    // RFC 7323 appendix A: what nearly every segment carries.
    if let &[1, 1, 8, 10, a, b, c, d, e, f, g, h] = bytes {
        let (value, reply) = ([a, b, c, d], [e, f, g, h]);
        found.timestamps = Some((u32::from_be_bytes(value), u32::from_be_bytes(reply)));
        return found;
    }
    while let Some((&kind, rest)) = bytes.split_first() {
        match kind {
            0 => break,
            1 => {
                bytes = rest;
                continue;
            }
            _ => {}
        }
        let Some(len) = rest
            .first()
            .map(|len| usize::from(*len))
            .filter(|len| *len >= 2)
        else {
            break;
        };
        let Some((option, later)) = bytes.split_at_checked(len) else {
            break;
        };
        match (kind, len) {
            (2, 4) => found.mss = u16_at(option, 2),
            (3, 3) => found.window_scale = option.get(2).copied(),
            (4, 2) => found.sack_permitted = true,
            (5, _) => sack(after(option, 2), &mut found),
            (8, 10) => found.timestamps = u32_at(option, 2).zip(u32_at(option, 6)),
            (34, _) => found.fast_open = true,
            _ => {}
        }
        bytes = later;
    }
    found
}

/// RFC 2018 3: at most four blocks, three beside time stamps; the first three are kept.
fn sack(blocks: &[u8], found: &mut TcpOptions) {
    found.sack_len = 0;
    for (block, slot) in blocks.chunks_exact(8).zip(&mut found.sack) {
        if let Some(edges) = u32_at(block, 0).zip(u32_at(block, 4)) {
            *slot = edges;
            found.sack_len += 1;
        }
    }
}

fn udp(bytes: &[u8], len: usize) -> Result<UdpDatagram<'_>, Stop> {
    let stop = |reason| Stop {
        layer: "udp",
        reason,
    };
    let cut = stop(if len < 8 {
        StopReason::Malformed
    } else {
        StopReason::Cut
    });
    let head = bytes.get(..8).ok_or(cut)?;
    let field = |at| u16_at(head, at).ok_or(cut);
    let len = match usize::from(field(4)?) {
        // RFC 2675 4: a jumbogram; segmentation offload leaves it so too.
        0 => len,
        declared if declared < 8 => return Err(stop(StopReason::Malformed)),
        declared => declared.min(len),
    };
    let wire = len.saturating_sub(8);
    Ok(UdpDatagram {
        source_port: field(0)?,
        destination_port: field(2)?,
        payload: upto(after(bytes, 8), wire),
        payload_len: len32(wire),
    })
}
