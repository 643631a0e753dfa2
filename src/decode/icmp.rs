//! ICMP (RFC 792), ICMPv6 (RFC 4443) and what is read in them: the packet that an error quotes, and neighbour
//! discovery (RFC 4861 4.3, 4.4).
//!
//! Of a quoted packet only the headers are read, never what it carries: an error quoting an error quoting an error
//! costs no more than one.

use std::net::{IpAddr, Ipv6Addr};

use super::bytes::{after, array, u16_at, u32_at};
use super::ip::{header_v4, header_v6};
use super::{Around, IcmpMessage, Neighbour, Quoted, Stop, StopReason};

/// An ICMP or ICMPv6 message of `len` bytes on the wire.
pub(super) fn icmp(bytes: &[u8], len: usize, v6: bool) -> Result<IcmpMessage<'_>, Stop> {
    let layer = if v6 { "icmpv6" } else { "icmp" };
    let cut = Stop {
        layer,
        reason: if len < 4 {
            StopReason::Malformed
        } else {
            StopReason::Cut
        },
    };
    let [kind, code, _, _] = array(bytes, 0).ok_or(cut)?;
    let payload = after(bytes, 8);
    // RFC 4443 2.1: errors have the high bit of the type clear.
    let error = if v6 {
        kind < 128
    } else {
        matches!(kind, 3 | 4 | 5 | 11 | 12)
    };
    Ok(IcmpMessage {
        v6,
        kind,
        code,
        rest: u32_at(bytes, 4).unwrap_or(0),
        quoted: if error { quoted(payload, v6) } else { None },
        neighbour: if v6 && matches!(kind, 135 | 136) {
            neighbour(bytes, kind)
        } else {
            None
        },
        payload,
    })
}

fn quoted(bytes: &[u8], v6: bool) -> Option<Quoted> {
    let around = Around::default();
    let ip = if v6 {
        header_v6(bytes, &around)
    } else {
        header_v4(bytes, &around)
    }
    .ok()?;
    let ports =
        matches!(ip.facts.protocol, 6 | 17) && ip.fragment.is_none_or(|(offset, _)| offset == 0);
    let port = |at: usize| {
        if ports {
            u16_at(ip.payload, at).unwrap_or(0)
        } else {
            0
        }
    };
    Some(Quoted {
        source: ip.facts.source,
        destination: ip.facts.destination,
        protocol: ip.facts.protocol,
        source_port: port(0),
        destination_port: port(2),
        seq: u32_at(ip.payload, 4).filter(|_| ports && ip.facts.protocol == 6),
        ttl: ip.facts.ttl,
    })
}

fn neighbour(bytes: &[u8], kind: u8) -> Option<Neighbour> {
    let flags = *bytes.get(4)?;
    let target: [u8; 16] = array(bytes, 8)?;
    let wanted = if kind == 135 { 1 } else { 2 };
    let mut rest = after(bytes, 24);
    let mut mac = None;
    while let (Some(&option), Some(&units)) = (rest.first(), rest.get(1)) {
        // RFC 4861 4.6: an option of length 0 makes the packet invalid.
        let Some((body, later)) = rest
            .split_at_checked(usize::from(units) * 8)
            .filter(|_| units > 0)
        else {
            break;
        };
        if option == wanted {
            mac = array(body, 2);
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
