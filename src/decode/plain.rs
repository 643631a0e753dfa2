//! The frame that most captures are made of, in one look: Ethernet, IPv4 without options, TCP.
//!
//! It answers only where every length fits and gives what the layers give one after the other, in a fourth of the
//! instructions; a test compares the two. All other frames are `None` and go that way.

use std::net::Ipv4Addr;

use super::bytes::{after, len32, u16_at, u32_at, upto};
use super::ip::Ip;
use super::{Body, IpFacts, LinkFacts, Packet, Sum, TcpSegment, checksum, transport};

/// Bytes of an Ethernet header, an IPv4 header and a TCP header, none with options.
const HEADS: usize = 14 + 20 + 20;

/// The packet, where the frame is that plain.
pub(super) fn tcp_over_ethernet(bytes: &[u8]) -> Option<Packet<'_>> {
    let head = bytes.first_chunk::<HEADS>()?;
    // All of these lie within the heads: no check of theirs is left once compiled.
    let byte = |at: usize| head.get(at).copied();
    let fragment = u16_at(head, 20)?;
    // IPv4 with five words of header, TCP, neither offset nor more fragments.
    if u16_at(head, 12)? != 0x0800 || byte(14)? != 0x45 || byte(23)? != 6 || fragment & 0x3fff != 0
    {
        return None;
    }
    let total = usize::from(u16_at(head, 16)?);
    let header = usize::from(byte(46)? >> 4) * 4;
    let len = total.checked_sub(20)?;
    if header < 20 || len < header {
        return None;
    }
    let segment = upto(after(bytes, 34), len);
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, ..] = *head;
    let addresses = head.get(26..34)?.first_chunk()?;
    let [a0, a1, a2, a3, b0, b1, b2, b3] = *addresses;
    let whole = segment.len() == len && total <= checksum::PACKET_MAX as usize;
    let mut facts = IpFacts {
        source: Ipv4Addr::new(a0, a1, a2, a3).into(),
        destination: Ipv4Addr::new(b0, b1, b2, b3).into(),
        ttl: byte(22)?,
        id: Some(u16_at(head, 18)?.into()),
        dont_fragment: fragment & 0x4000 != 0,
        total_len: len32(total),
        protocol: 6,
        head_sum: checksum::header(head.get(14..34)?),
        body_sum: Sum::Right,
    };
    if !whole || !checksum::is_right(addresses, segment) {
        facts.body_sum = checksum::body(&Ip {
            facts,
            payload: segment,
            len,
            fragment: None,
            stopped: None,
        });
    }
    Some(Packet {
        link: LinkFacts {
            source: Some([s0, s1, s2, s3, s4, s5]),
            destination: Some([d0, d1, d2, d3, d4, d5]),
            vlan: None,
            inner_vlan: None,
            tunnel: 0,
        },
        ip: Some(facts),
        body: Body::Tcp(TcpSegment {
            source_port: u16_at(head, 34)?,
            destination_port: u16_at(head, 36)?,
            seq: u32_at(head, 38)?,
            ack: u32_at(head, 42)?,
            flags: byte(47)?,
            window: u16_at(head, 48)?,
            checksum: u16_at(head, 50)?,
            options: transport::options(after(upto(segment, header), 20)),
            payload: after(segment, header),
            payload_len: len32(len - header),
        }),
        stopped: None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::{Around, link};

    /// A frame like most, with some bytes replaced.
    fn frame(payload: usize, changes: &[(usize, u8)]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        frame.extend([
            0x08,
            0x00,
            0x45,
            0,
            0,
            52 + payload as u8,
            7,
            8,
            0x40,
            0,
            64,
            6,
            0,
            0,
        ]);
        frame.extend([192, 0, 2, 9, 192, 0, 2, 1, 0x9c, 0x40, 0x01, 0xbb]);
        frame.extend([1, 2, 3, 4, 5, 6, 7, 8, 0x80, 0x18, 1, 2, 3, 4, 0, 0]);
        frame.extend([1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8]);
        frame.extend(vec![0x61; payload]);
        for (at, byte) in changes {
            if let Some(place) = frame.get_mut(*at) {
                *place = *byte;
            }
        }
        frame
    }

    #[test]
    fn a_plain_frame_is_read_in_one_look() {
        assert!(tcp_over_ethernet(&frame(5, &[])).is_some());
        assert!(tcp_over_ethernet(&frame(0, &[])).is_some());
        assert!(tcp_over_ethernet(&frame(5, &[(14, 0x46)])).is_none());
        assert!(tcp_over_ethernet(&frame(5, &[(20, 0x20)])).is_none());
        assert!(tcp_over_ethernet(&frame(5, &[(17, 30)])).is_none());
    }

    proptest! {
        #[test]
        fn it_gives_what_the_layers_give(
            payload in 0_usize..64,
            changes in prop::collection::vec((0_usize..130, any::<u8>()), 0..4),
            cut in 0_usize..140,
        ) {
            let mut bytes = frame(payload, &changes);
            bytes.truncate(bytes.len().min(cut.max(50)));
            if let Some(plain) = tcp_over_ethernet(&bytes) {
                let layers = link::ethernet(&bytes, Around::default());
                prop_assert_eq!(format!("{plain:?}"), format!("{layers:?}"));
            }
        }
    }
}
