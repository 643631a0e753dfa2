//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers, IPv6 extension headers and AH (RFC 4302).
//!
//! A length of 0 is what segmentation offload leaves (and IPv6 jumbograms, RFC 2675, and BIG TCP mean): the packet is
//! then as long as its frame. A length above the captured bytes is a snaplen's work; lengths on the wire keep it.

use std::net::IpAddr;

use etherparse::err::{ipv4, ipv6};
use etherparse::{Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice};

use super::bytes::{after, len32, u16_at, u32_at, upto};
use super::{
    Around, Body, Fragment, IpFacts, Packet, Stop, StopReason, Sum, broken, checksum, transport,
};

/// Extension headers that are followed; RFC 8200 4.1 allows seven.
const EXTENSIONS_MAX: usize = 16;

/// An IP packet whose headers are read, up to the transport header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip<'a> {
    /// Facts of the header; `protocol` is that of the payload.
    pub(super) facts: IpFacts,
    /// Captured payload.
    pub(super) payload: &'a [u8],
    /// Its length on the wire.
    pub(super) len: usize,
    /// Byte offset and "more fragments", where it is a fragment.
    pub(super) fragment: Option<(u32, bool)>,
    /// Set where an extension header could not be read.
    pub(super) stopped: Option<Stop>,
}

/// An IPv4 packet.
pub(super) fn v4(bytes: &[u8], around: Around) -> Packet<'_> {
    match header_v4(bytes, &around) {
        Ok(ip) => body(ip, around),
        Err(Stop { layer, reason }) => broken(&around, layer, reason),
    }
}

/// An IPv6 packet with its extension headers.
pub(super) fn v6(bytes: &[u8], around: Around) -> Packet<'_> {
    match header_v6(bytes, &around) {
        Ok(ip) => body(ip, around),
        Err(Stop { layer, reason }) => broken(&around, layer, reason),
    }
}

/// Fragment or transport.
pub(super) fn body(ip: Ip<'_>, around: Around) -> Packet<'_> {
    let plain = |body, stopped| Packet {
        link: around.link,
        ip: Some(ip.facts),
        body,
        stopped,
    };
    if ip.stopped.is_some() {
        return plain(Body::Other, ip.stopped);
    }
    match ip.fragment {
        None => transport::transport(ip, around),
        Some((offset, more)) => {
            let id = ip.facts.id.unwrap_or(0);
            let fragment = Fragment {
                id,
                offset,
                more,
                payload: ip.payload,
                payload_len: len32(ip.len),
            };
            plain(Body::Fragment(fragment), None)
        }
    }
}

/// The IPv4 header; AH behind it is walked.
pub(super) fn header_v4<'a>(bytes: &'a [u8], around: &Around) -> Result<Ip<'a>, Stop> {
    let stop = |reason| Stop {
        layer: "ip",
        reason,
    };
    let header = Ipv4HeaderSlice::from_slice(bytes).map_err(|error| match error {
        ipv4::HeaderSliceError::Len(_) => stop(StopReason::Cut),
        ipv4::HeaderSliceError::Content(_) => stop(StopReason::Malformed),
    })?;
    let size = header.slice().len();
    let total = match usize::from(header.total_len()) {
        0 => frame_len(bytes, around),
        total => total,
    };
    let len = total.checked_sub(size).ok_or(stop(StopReason::Malformed))?;
    let (offset, more) = (
        u32::from(header.fragments_offset().value()) * 8,
        header.more_fragments(),
    );
    let ip = Ip {
        facts: IpFacts {
            source: IpAddr::V4(header.source_addr()),
            destination: IpAddr::V4(header.destination_addr()),
            ttl: header.ttl(),
            id: Some(header.identification().into()),
            dont_fragment: header.dont_fragment(),
            total_len: len32(total),
            protocol: header.protocol().0,
            head_sum: checksum::header(header.slice()),
            body_sum: Sum::Unknown,
        },
        payload: upto(after(bytes, size), len),
        len,
        fragment: (offset > 0 || more).then_some((offset, more)),
        stopped: None,
    };
    Ok(if ip.facts.protocol == 51 && ip.fragment.is_none() {
        extensions(ip)
    } else {
        ip
    })
}

/// The IPv6 header and its extension headers.
pub(super) fn header_v6<'a>(bytes: &'a [u8], around: &Around) -> Result<Ip<'a>, Stop> {
    let header = Ipv6HeaderSlice::from_slice(bytes).map_err(|error| Stop {
        layer: "ipv6",
        reason: match error {
            ipv6::HeaderSliceError::Len(_) => StopReason::Cut,
            ipv6::HeaderSliceError::Content(_) => StopReason::Malformed,
        },
    })?;
    let next = header.next_header().0;
    let rest = after(bytes, 40);
    let len = match usize::from(header.payload_length()) {
        // RFC 8200 4.7: no next header, so there may be nothing at all.
        0 if next == 59 => 0,
        0 => jumbo(next, rest).unwrap_or_else(|| frame_len(bytes, around).saturating_sub(40)),
        len => len,
    };
    Ok(extensions(Ip {
        facts: IpFacts {
            source: IpAddr::V6(header.source_addr()),
            destination: IpAddr::V6(header.destination_addr()),
            ttl: header.hop_limit(),
            id: None,
            dont_fragment: true,
            total_len: len32(len.saturating_add(40)),
            protocol: next,
            head_sum: Sum::Unknown,
            body_sum: Sum::Unknown,
        },
        payload: upto(rest, len),
        len,
        fragment: None,
        stopped: None,
    }))
}

/// Bytes of the frame from here, those that the snaplen cut included.
fn frame_len(bytes: &[u8], around: &Around) -> usize {
    bytes
        .len()
        .saturating_add(around.missing)
        .saturating_sub(around.trailer)
}

/// RFC 2675 2: the length of a jumbogram, in an option of the hop-by-hop header.
fn jumbo(next: u8, bytes: &[u8]) -> Option<usize> {
    let size = (usize::from(*bytes.get(1)?) + 1) * 8;
    let mut options = upto(bytes, size).get(2..).filter(|_| next == 0)?;
    loop {
        let (&kind, rest) = options.split_first()?;
        if kind == 0 {
            options = rest;
            continue;
        }
        let (&len, data) = rest.split_first()?;
        if kind == 0xc2 && len == 4 {
            return usize::try_from(u32_at(data, 0)?).ok();
        }
        options = data.get(usize::from(len)..)?;
    }
}

/// Walks extension headers, up to the transport header, a fragment's payload or where they end too early.
pub(super) fn extensions(mut ip: Ip<'_>) -> Ip<'_> {
    for _ in 0..EXTENSIONS_MAX {
        let layer = if ip.facts.protocol == 51 {
            "ah"
        } else {
            "ipv6"
        };
        let field = |at: usize| ip.payload.get(at).copied();
        let (size, following) = match ip.facts.protocol {
            0 | 43 | 60 => (field(1).map(|units| (usize::from(units) + 1) * 8), field(0)),
            // RFC 4302 2.2: in words of four bytes, minus two.
            51 => (field(1).map(|units| (usize::from(units) + 2) * 4), field(0)),
            44 => (Some(8), field(0)),
            _ => return ip,
        };
        let whole = size.filter(|size| ip.payload.len() >= *size).zip(following);
        let Some((size, following)) = whole else {
            let cut = ip.payload.len() < ip.len && size.is_none_or(|size| size <= ip.len);
            let reason = if cut {
                StopReason::Cut
            } else {
                StopReason::Malformed
            };
            ip.stopped = Some(Stop { layer, reason });
            return ip;
        };
        if ip.facts.protocol == 44
            && let Ok(header) = Ipv6FragmentHeaderSlice::from_slice(ip.payload)
        {
            ip.facts.id = Some(header.identification());
            // RFC 6946: an atomic fragment is the whole packet.
            if header.is_fragmenting_payload() {
                ip.fragment = Some((
                    u32::from(header.fragment_offset().value()) * 8,
                    header.more_fragments(),
                ));
            }
        }
        ip.facts.protocol = following;
        ip.payload = after(ip.payload, size);
        ip.len -= size;
        if ip.fragment.is_some() {
            return ip;
        }
    }
    ip.stopped = Some(Stop {
        layer: "ipv6",
        reason: StopReason::Malformed,
    });
    ip
}

/// Could `wire` bytes that begin like these be an IPv4 packet, padding after it allowed? A length of 0 proves nothing.
pub(super) fn fits_v4(bytes: &[u8], wire: usize) -> bool {
    let header = bytes.first().map_or(0, |first| usize::from(first & 15) * 4);
    let total = u16_at(bytes, 2).map_or(0, usize::from);
    header >= 20 && (header..=wire).contains(&total)
}

/// Could `wire` bytes that begin like these be an IPv6 packet, padding after it allowed?
pub(super) fn fits_v6(bytes: &[u8], wire: usize) -> bool {
    u16_at(bytes, 4).is_some_and(|len| usize::from(len) + 40 <= wire)
}
