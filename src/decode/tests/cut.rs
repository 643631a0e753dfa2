//! Any bytes, and headers that end anywhere: never a panic, and what was cut is said.

use super::*;
use crate::decode::fragment::Fragments;

const WIFI: &str =
    "8800 0000 020000000001 020000000002 020000000003 1000 0000 aa aa 03 000000 0800";
const OUTER: &str = "45 00 00a0 0009 0000 3d";
const ADDRESSES: &str = "0000 c6336401 c6336402";

/// Every way into a packet, with `SYN` or `SYN6` at the end.
fn samples() -> Vec<(u16, Vec<u8>)> {
    let ways = links().into_iter().chain(tunnels());
    ways.map(|(link, before, packet)| (link, hex(&[&before, packet])))
        .collect()
}

fn links() -> Vec<(u16, String, &'static str)> {
    let stamped = "00 00 1900 03000080 00000000 00000000 0000000000000000 00";
    vec![
        (1, format!("{MACS} 0800"), SYN),
        (1, format!("{MACS} 8100 0064 88a8 0065 86dd"), SYN6),
        (1, format!("{MACS} 0038 aa aa 03 000000 0800"), SYN),
        (1, format!("{MACS} 8864 11 00 0007 0032 0021"), SYN),
        (1, format!("{MACS} 8847 00010040 00011140"), SYN),
        (
            1,
            format!("{MACS} 8847 00011140 00000000 {MACS} 86dd"),
            SYN6,
        ),
        (113, "0000 0001 0006 020000000002 0000 0800".to_owned(), SYN),
        (
            276,
            "86dd 0000 00000003 0001 04 06 020000000002 0000".to_owned(),
            SYN6,
        ),
        (0, "02000000".to_owned(), SYN),
        (101, String::new(), SYN6),
        (9, "ff03 0021".to_owned(), SYN),
        (104, "0f00 0800".to_owned(), SYN),
        (105, WIFI.to_owned(), SYN),
        (127, format!("{stamped} {WIFI}"), SYN),
        (119, format!("44000000 0c000000 00000000 {WIFI}"), SYN),
        (192, format!("00 00 0800 69000000 {WIFI}"), SYN),
    ]
}

fn tunnels() -> Vec<(u16, String, &'static str)> {
    let within = |protocol: &str, header: &str| [OUTER, protocol, ADDRESSES, header].join(" ");
    let udp = |port: &str, header: &str| within("11", &format!("c000 {port} 0000 0000 {header}"));
    let mirror = "1000 22eb 00000009 2064 0005 0001e240 0000 0001 1122334455667788";
    let options = "02 00 6558 00002a 00 0102030400000007";
    let ways = [
        within("04", ""),
        within(
            "33",
            "04 04 0000 00000001 00000001 000000000000000000000000",
        ),
        within("2f", "b000 0800 abcd0000 00000063 00000001"),
        within("2f", &format!("{mirror} {MACS} 0800")),
        within("2f", "3081 880b 0034 0007 00000001 00000000 ff03 0021"),
        udp("12b5", &format!("0800 0000 00002a00 {MACS} 0800")),
        udp("17c1", &format!("{options} {MACS} 0800")),
        udp("0868", "34 ff 0038 00000007 0000 00 85 01 1001 00"),
    ];
    ways.into_iter().map(|before| (228, before, SYN)).collect()
}

#[test]
fn a_header_cut_anywhere_says_so() {
    for (link, bytes) in samples() {
        // Eight bytes of options may be missing.
        let headers = bytes.len() - 8;
        for len in 0..bytes.len() {
            let Some(head) = bytes.get(..len) else {
                continue;
            };
            let packet = decode(&Frame {
                wire_len: bytes.len() as u32,
                ..frame(link, head)
            });
            let reason = packet.stopped.map(|stop| stop.reason);
            let expected = if len < headers {
                Some(StopReason::Cut)
            } else {
                None
            };
            assert_eq!(
                reason,
                expected,
                "link {link}, {len} of {} bytes: {packet:?}",
                bytes.len()
            );
        }
        assert_syn(&decode(&frame(link, &bytes)));
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let samples = samples();
    let mut fragments = Fragments::default();
    for round in 0..40_000 {
        let Some((link, mut bytes)) = samples.get(random() % samples.len()).cloned() else {
            continue;
        };
        for _ in 0..random() % 5 {
            let at = random() % bytes.len();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random() as u8;
            }
        }
        bytes.truncate(bytes.len() - random() % 2 * (random() % bytes.len()));
        let frame = Frame {
            fcs_len: (random() % 8) as u8,
            wire_len: (random() % 200) as u32,
            ..frame(link, &bytes)
        };
        let packet = decode(&frame);
        if let Some(joined) = fragments.push(&packet, Timestamp::from_ns(round)) {
            let _ = joined.packet();
        }
    }
}
