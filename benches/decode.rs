//! Decoding: a frame into its packet, by what stands around it. Frames stay in cache, so this is the work alone.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench fails by panicking"
)]

mod support;

use std::hint::black_box;
use std::net::Ipv4Addr;

use support::packet::{ethernet, flag, gre, ipv4, ipv6, tcp, udp, vxlan};
use support::{Suite, Work};
use wirefault::decode::decode;
use wirefault::ingest::{Frame, LinkType};
use wirefault::mark::Mark;

/// Frames of a run.
const FRAMES: usize = 1_000_000;
/// Different frames, taken in turn.
const DISTINCT: usize = 64;
/// Payload of each.
const PAYLOAD: [u8; 512] = [b'x'; 512];

fn main() {
    let suite = Suite::from_arguments();
    row(&suite, "decode/eth_ipv4_tcp", |number| {
        ethernet(0x0800, &[], &over_ipv4(number))
    });
    row(&suite, "decode/eth_ipv6_tcp", |number| {
        ethernet(0x86dd, &[], &ipv6(6, &segment(number)))
    });
    row(&suite, "decode/eth_vlan_ipv4_tcp", |number| {
        ethernet(0x0800, &[7], &over_ipv4(number))
    });
    row(&suite, "decode/eth_qinq_ipv4_tcp", |number| {
        ethernet(0x0800, &[7, 8], &over_ipv4(number))
    });
    row(&suite, "decode/eth_ipv4_udp", |number| {
        let datagram = udp((number, 53), &PAYLOAD);
        ethernet(
            0x0800,
            &[],
            &ipv4(SOURCE, DESTINATION, 17, number, &datagram),
        )
    });
    row(&suite, "decode/gre_ipv4_tcp", |number| {
        gre(&over_ipv4(number))
    });
    row(&suite, "decode/vxlan_eth_ipv4_tcp", |number| {
        vxlan(42, &ethernet(0x0800, &[], &over_ipv4(number)))
    });
}

const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const DESTINATION: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);

fn segment(number: u16) -> Vec<u8> {
    tcp(
        (40_000 + number, 443),
        flag::PSH | flag::ACK,
        u32::from(number),
        1,
        &PAYLOAD,
    )
}

fn over_ipv4(number: u16) -> Vec<u8> {
    ipv4(SOURCE, DESTINATION, 6, number, &segment(number))
}

fn row(suite: &Suite, name: &str, make: impl Fn(u16) -> Vec<u8>) {
    let frames: Vec<Vec<u8>> = (0..DISTINCT as u16).map(make).collect();
    let work = Work::packets(FRAMES, FRAMES * frames[0].len());
    let complete = |bytes: &[u8]| {
        let packet = decode(&frame(bytes));
        packet.ip.is_some() && packet.stopped.is_none()
    };
    assert!(
        frames.iter().all(|bytes| complete(bytes)),
        "{name}: not decoded"
    );
    suite.bench(
        name,
        work,
        || (),
        |()| {
            for bytes in frames.iter().cycle().take(FRAMES) {
                black_box(decode(&frame(black_box(bytes))));
            }
        },
    );
}

fn frame(bytes: &[u8]) -> Frame<'_> {
    let at = Mark::default();
    Frame {
        at,
        clock: at.time,
        interface: 0,
        link: LinkType(1),
        fcs_len: 0,
        wire_len: bytes.len() as u32,
        bytes,
    }
}
