#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::mark::{Direction, Mark};
use crate::protocol::{Chunk, Next, Observer, Probe};

/// Bytes of spaced hex; `|` and what follows on a line is a remark.
fn hex(text: &str) -> Vec<u8> {
    let digits: String = text
        .lines()
        .map(|line| line.split('|').next().unwrap_or(""))
        .collect::<String>()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

const QUERY: &str = "
    1234 0100 0001 0000 0000 0001       | id, recursion desired, one question, one additional
    03 777777 07 4578616d706c65 03 636f6d 00  | www.Example.com
    0001 0001                           | A IN
    00 0029 1000 00000000 0000          | EDNS, 4096 bytes
";

const ANSWER: &str = "
    1234 8180 0001 0003 0000 0000
    03 777777 07 6578616d706c65 03 636f6d 00 0001 0001
    c00c 0005 0001 0000003c 0006 03 63646e c010  | www.example.com CNAME cdn.example.com
    c02d 0001 0001 0000001e 0004 c0000201        | A 192.0.2.1 30 s
    c02d 0001 0001 0000001e 0004 c0000202
";

const NXDOMAIN: &str = "
    0007 8583 0001 0000 0001 0000
    01 61 02 636e 00 001c 0001
    c00e 0006 0001 00000e10 0016 01 6e c00e 01 72 c00e 00000001 00000002 00000003 00000004
    | the last of the five SOA numbers is missing: its length says so
";

#[test]
fn reads_a_query_in_lower_case() {
    let message = parse(&hex(QUERY)).unwrap();
    assert_eq!(
        message.question,
        Some(Question {
            name: "www.example.com".into(),
            kind: kind::A
        })
    );
    assert_eq!(
        (message.id, message.response, message.recursion_desired),
        (0x1234, false, true)
    );
    assert!(message.whole);
}

#[test]
fn reads_aliases_and_addresses_through_compression() {
    let message = parse(&hex(ANSWER)).unwrap();
    assert!(message.response && message.recursion_available && message.whole);
    assert_eq!(message.aliases, ["cdn.example.com"]);
    assert_eq!(
        message.addresses,
        [
            Address {
                ip: IpAddr::from([192, 0, 2, 1]),
                ttl_s: 30
            },
            Address {
                ip: IpAddr::from([192, 0, 2, 2]),
                ttl_s: 30
            }
        ]
    );
    assert_eq!(message.answers, 3);
}

#[test]
fn a_negative_answer_has_its_code_and_soa() {
    let message = parse(&hex(NXDOMAIN)).unwrap();
    assert_eq!((message.rcode, message.soa), (rcode::NXDOMAIN, true));
    assert_eq!(message.question.unwrap().kind, kind::AAAA);
}

#[test]
fn edns_extends_the_response_code() {
    let bytes = hex("0001 8000 0000 0000 0000 0001  00 0029 04d0 01000000 0000");
    assert_eq!(parse(&bytes).unwrap().rcode, 16);
    assert_eq!(rcode::name(16), "BADVERS");
}

#[test]
fn a_cut_answer_gives_what_stands_before_the_cut() {
    let mut bytes = hex(ANSWER);
    bytes.truncate(bytes.len() - 3);
    let message = parse(&bytes).unwrap();
    assert_eq!((message.addresses.len(), message.whole), (1, false));
    assert!(looks_like(&bytes, (53, 40_000)));
    assert!(!looks_like(&bytes, (5_300, 40_000)));
}

#[test]
fn a_formerr_without_question_is_a_message() {
    let bytes = hex("beef 8181 0000 0000 0000 0000");
    let message = parse(&bytes).unwrap();
    assert_eq!((message.rcode, message.question), (rcode::FORMERR, None));
    assert!(looks_like(&bytes, (53, 40_000)));
}

#[test]
fn unprintable_bytes_and_dots_in_labels_are_escaped() {
    let bytes = hex("0001 0100 0001 0000 0000 0000  04 612e005c 00 0001 0001");
    assert_eq!(
        parse(&bytes).unwrap().question.unwrap().name,
        "a\\.\\000\\\\"
    );
}

#[test]
fn pointers_that_do_not_go_back_end_the_message() {
    let own = hex("0001 0100 0001 0000 0000 0000  c00c 0001 0001");
    assert_eq!(parse(&own), None);
    let forward = hex("0001 0100 0001 0000 0000 0000  c020 0001 0001");
    assert_eq!(parse(&forward), None);
    let mut deep = hex("0001 0100 0001 0000 0000 0000");
    deep.extend([1, b'a'].repeat(128));
    deep.extend([0, 0, 1, 0, 1]);
    assert_eq!(parse(&deep), None);
}

#[test]
fn dns_is_found_on_any_port_and_its_neighbours_are_not() {
    for bytes in [hex(QUERY), hex(ANSWER)] {
        assert!(looks_like(&bytes, (40_000, 53)));
        assert!(looks_like(&bytes, (40_000, 10_053)));
        for port in [5353, 5355, 137] {
            assert!(!looks_like(&bytes, (40_000, port)));
        }
    }
}

#[test]
fn what_only_resembles_dns_is_turned_away() {
    let ports = (40_000, 10_053);
    let mut trailing = hex(QUERY);
    trailing.push(0);
    assert!(!looks_like(&trailing, ports));
    assert!(looks_like(&trailing, (40_000, 53)));
    let netbios = hex("0001 0110 0001 0000 0000 0000
         20 4548454a454b45464345444643414341434143414341434143414341434142 4c 00 0021 0001");
    assert!(!looks_like(&netbios, ports));
    let stun = hex("0001 0000 2112 a442 0102 0304 0506 0708 090a 0b0c");
    assert!(!looks_like(&stun, ports));
    let ntp = [[0x1b].as_slice(), &[0; 47]].concat();
    assert!(!looks_like(&ntp, (123, 123)));
    assert!(!looks_like(&[0; 12], (53, 53)));
}

fn feed(tcp: &mut Tcp, bytes: &[u8], step: usize) {
    let mut kept: Vec<u8> = Vec::new();
    let mut want = 0;
    for part in bytes.chunks(step) {
        kept.extend_from_slice(part);
        if kept.len() < want {
            continue;
        }
        match tcp.on_chunk(Direction::ToServer, Chunk::Data(&kept), Mark::default()) {
            Next::More => kept.clear(),
            Next::Wait { used, want: wanted } => {
                kept.drain(..used);
                want = wanted;
                assert!(want > kept.len());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn messages_over_tcp_are_found_however_they_are_cut() {
    let one = hex(QUERY);
    let framed = [
        &(one.len() as u16).to_be_bytes()[..],
        &one,
        &(one.len() as u16).to_be_bytes(),
        &one,
    ]
    .concat();
    for step in 1..=framed.len() {
        let mut tcp = Tcp::default();
        feed(&mut tcp, &framed, step);
        assert_eq!(tcp.take().len(), 2, "step {step}");
        assert!(tcp.take().is_empty());
    }
    assert_eq!(tcp::probe(&framed, (40_000, 53)), Probe::Yes);
    assert_eq!(tcp::probe(&framed, (40_000, 10_053)), Probe::Yes);
    assert_eq!(tcp::probe(&framed, (40_000, 5_353)), Probe::Yes);
    assert!(!looks_like(framed.get(2..).unwrap(), (40_000, 5_353)));
    assert_eq!(
        tcp::probe(framed.get(..20).unwrap(), (40_000, 10_053)),
        Probe::NeedMore
    );
    assert_eq!(
        tcp::probe(b"GET / HTTP/1.1\r\n", (40_000, 10_053)),
        Probe::No
    );
    assert_eq!(
        tcp::probe(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], (40_000, 443)),
        Probe::No
    );
}

#[test]
fn a_flood_of_messages_over_tcp_is_counted_not_kept() {
    let one = hex(QUERY);
    let framed = [&(one.len() as u16).to_be_bytes()[..], &one]
        .concat()
        .repeat(300);
    let mut tcp = Tcp::default();
    feed(&mut tcp, &framed, 1_460);
    assert_eq!((tcp.take().len(), tcp.omitted), (256, 44));
}

#[test]
fn no_bytes_panic() {
    for whole in [hex(QUERY), hex(ANSWER), hex(NXDOMAIN)] {
        for end in 0..=whole.len() {
            let _ = parse(whole.get(..end).unwrap());
            let _ = looks_like(whole.get(..end).unwrap(), (1, 2));
        }
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let place = (seed >> 33) as usize % bytes.len();
                bytes[place] = (seed >> 17) as u8;
            }
            let _ = parse(&bytes);
            let _ = looks_like(&bytes, (1, 2));
            let _ = tcp::probe(&bytes, (1, 2));
        }
    }
}
