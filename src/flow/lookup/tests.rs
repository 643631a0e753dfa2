#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::decode::{IpFacts, Sum};
use crate::protocol::dns::{Address, Message, Question, kind, rcode};

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10));

fn resolver(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn at(ms: i64) -> Mark {
    Mark {
        time: Timestamp::from_ns(ms * MILLISECOND),
        offset: 0,
        file: 0,
        frame: u32::try_from(ms).unwrap() + 1,
    }
}

fn end(ms: i64) -> Timestamp {
    Timestamp::from_ns(ms * MILLISECOND)
}

fn ip(id: u32, ttl: u8) -> IpFacts {
    IpFacts {
        source: CLIENT,
        destination: CLIENT,
        ttl,
        id: Some(id),
        dont_fragment: false,
        total_len: 60,
        protocol: 17,
        head_sum: Sum::default(),
        body_sum: Sum::default(),
    }
}

fn query(id: u16) -> Message {
    Message {
        id,
        recursion_desired: true,
        question: Some(Question {
            name: "fp.example".into(),
            kind: kind::A,
        }),
        ..Message::default()
    }
}

fn reply(id: u16, rcode: u16, addresses: &[u8]) -> Message {
    Message {
        response: true,
        rcode,
        addresses: addresses
            .iter()
            .map(|&last| Address {
                ip: resolver(last),
                ttl_s: 60,
            })
            .collect(),
        ..query(id)
    }
}

/// Sends messages: milliseconds, resolver, client port, message. Each packet has an IP-ID of its own.
fn play(steps: &[(i64, u8, u16, Message)]) -> Lookups {
    let mut lookups = Lookups::default();
    for (ms, last, port, message) in steps {
        let id = u32::try_from(*ms).unwrap();
        lookups.on_datagram(
            (CLIENT, *port),
            (resolver(*last), 53),
            message,
            &ip(id, 64),
            at(*ms),
            at(*ms).time,
        );
    }
    lookups
}

#[test]
fn an_answer_in_time_is_ordinary() {
    let mut lookups = play(&[(0, 53, 4_000, query(1)), (20, 53, 4_000, reply(1, 0, &[1]))]);
    assert!(lookups.finish(end(60_000)).is_empty());
    let well: Vec<(&str, Timestamp)> = lookups
        .well
        .iter()
        .map(|one| (&*one.name, one.time))
        .collect();
    assert_eq!(well, [("fp.example", end(20))]);
    assert_eq!(
        lookups.counts,
        Counts {
            ordinary: 1,
            ..Counts::default()
        }
    );
}

#[test]
fn retries_from_new_ports_and_to_the_next_resolver_are_one_lookup() {
    let mut lookups = play(&[
        (0, 53, 4_000, query(1)),
        (5_000, 54, 4_001, query(2)),
        (10_000, 53, 4_002, query(3)),
    ]);
    let lookup = &lookups.finish(end(60_000))[0];
    assert_eq!((lookup.retries(), lookup.proves_silence()), (2, true));
    assert_eq!(lookup.resolvers(), [resolver(53), resolver(54)]);
    assert_eq!(lookup.outcome(end(10_000)), Outcome::Unanswered);
}

#[test]
fn before_its_patience_silence_is_undetermined() {
    let mut lookups = play(&[(0, 53, 4_000, query(1)), (1_000, 53, 4_000, query(1))]);
    let lookup = &lookups.finish(end(60_000))[0];
    assert_eq!(lookup.outcome(end(4_999)), Outcome::Undetermined);
    assert_eq!(lookup.outcome(end(5_000)), Outcome::Unanswered);
}

#[test]
fn a_datagram_seen_twice_is_no_retry() {
    let mut lookups = Lookups::default();
    let send = |lookups: &mut Lookups, ms: i64, ip: IpFacts| {
        lookups.on_datagram(
            (CLIENT, 4_000),
            (resolver(53), 53),
            &query(1),
            &ip,
            at(ms),
            at(ms).time,
        );
    };
    send(&mut lookups, 0, ip(7, 64));
    send(&mut lookups, 1, ip(7, 64));
    send(&mut lookups, 2, ip(8, 63));
    assert_eq!(lookups.counts.sightings, 2);
    send(&mut lookups, 900, ip(9, 64));
    let lookup = &lookups.finish(end(60_000))[0];
    assert_eq!(lookup.retries(), 1);
}

#[test]
fn an_answer_by_the_next_resolver_after_a_silence_is_a_fallback() {
    let mut lookups = play(&[
        (0, 53, 4_000, query(1)),
        (1_000, 54, 4_001, query(2)),
        (1_020, 54, 4_001, reply(2, 0, &[1])),
    ]);
    let lookup = &lookups.finish(end(60_000))[0];
    assert_eq!(lookup.outcome(end(1_020)), Outcome::Resolved);
    assert!(lookup.by_fallback());
    assert_eq!(lookup.latency(), Some(1_020 * MILLISECOND));
}

#[test]
fn resolvers_asked_at_once_are_no_fallback() {
    let mut lookups = play(&[
        (0, 53, 4_000, query(1)),
        (1, 54, 4_000, query(1)),
        (20, 54, 4_000, reply(1, 0, &[1])),
    ]);
    assert!(lookups.finish(end(60_000)).is_empty());
}

#[test]
fn an_address_outranks_a_denial_and_a_denial_an_error() {
    let steps = [
        (0, 53, 4_000, query(1)),
        (1, 54, 4_000, query(1)),
        (20, 54, 4_000, reply(1, rcode::SERVFAIL, &[])),
        (30, 53, 4_000, reply(1, rcode::NXDOMAIN, &[])),
    ];
    let lookup = &play(&steps).finish(end(60_000))[0];
    assert_eq!(lookup.outcome(end(30)), Outcome::NxDomain);
    let lookup = &play(&steps[..3]).finish(end(60_000))[0];
    assert_eq!(
        lookup.outcome(end(30)),
        Outcome::ServerFailure(rcode::SERVFAIL)
    );
}

#[test]
fn what_is_asked_after_an_answer_is_another_lookup() {
    let mut lookups = play(&[
        (0, 53, 4_000, query(1)),
        (20, 53, 4_000, reply(1, rcode::NXDOMAIN, &[])),
        (2_000, 53, 4_001, query(2)),
        (2_020, 53, 4_001, reply(2, rcode::NXDOMAIN, &[])),
    ]);
    assert_eq!(lookups.finish(end(60_000)).len(), 2);
}

#[test]
fn a_truncated_answer_needs_tcp() {
    let truncated = Message {
        truncated: true,
        ..reply(1, 0, &[])
    };
    let udp = [(0, 53, 4_000, query(1)), (20, 53, 4_000, truncated)];
    let mut lookups = play(&udp);
    assert_eq!(
        lookups.finish(end(60_000))[0].outcome(end(60_000)),
        Outcome::Truncated
    );
    let mut lookups = play(&udp);
    lookups.on_stream(CLIENT, (resolver(53), 53), &query(2), at(40), end(40));
    assert_eq!(
        lookups.finish(end(60_000))[0].outcome(end(6_000)),
        Outcome::TcpUnanswered
    );
    let mut lookups = play(&udp);
    lookups.on_stream(CLIENT, (resolver(53), 53), &query(2), at(40), end(40));
    lookups.on_stream(
        CLIENT,
        (resolver(53), 53),
        &reply(2, 0, &[1]),
        at(60),
        end(60),
    );
    assert!(lookups.finish(end(60_000)).is_empty());
    assert_eq!(lookups.counts.ordinary, 1);
}

#[test]
fn a_reply_without_question_finds_its_query() {
    let formerr = Message {
        question: None,
        ..reply(1, rcode::FORMERR, &[])
    };
    let mut lookups = play(&[
        (0, 53, 4_000, query(1)),
        (20, 53, 4_000, formerr.clone()),
        (30, 53, 4_009, formerr),
    ]);
    let lookup = &lookups.finish(end(60_000))[0];
    assert_eq!(
        lookup.outcome(end(20)),
        Outcome::ServerFailure(rcode::FORMERR)
    );
    assert_eq!(lookup.replies.len(), 1);
}

#[test]
fn a_reply_alone_is_a_lookup_without_query() {
    let mut lookups = play(&[(20, 53, 4_000, reply(1, rcode::REFUSED, &[]))]);
    let lookup = &lookups.finish(end(60_000))[0];
    assert_eq!(
        (lookup.outcome(end(20)), lookup.latency()),
        (Outcome::Refused, None)
    );
}

#[test]
fn an_icmp_error_ends_the_waiting() {
    let mut lookups = play(&[(0, 53, 4_000, query(1))]);
    lookups.on_unreachable(CLIENT, resolver(53), 4_000, at(1));
    let lookup = &lookups.finish(end(60_000))[0];
    assert_eq!(lookup.queries[0].unreachable, Some(at(1)));
    assert_eq!(lookup.outcome(end(1)), Outcome::Unanswered);
}

#[test]
fn two_answers_to_one_query_are_both_kept() {
    let mut lookups = play(&[
        (0, 53, 4_000, query(1)),
        (5, 53, 4_000, reply(1, 0, &[200])),
        (30, 53, 4_000, reply(1, 0, &[1])),
    ]);
    let lookup = &lookups.finish(end(60_000))[0];
    assert_eq!(lookup.replies.len(), 2);
    assert_eq!(lookup.replies[0].ttl, Some(64));
}

#[test]
fn endless_names_stay_bounded() {
    let mut lookups = Lookups::default();
    for index in 0..300_000_i64 {
        let message = Message {
            question: Some(Question {
                name: format!("n{index}.example"),
                kind: kind::A,
            }),
            ..query(1)
        };
        let port = u16::try_from(index % 60_000).unwrap();
        lookups.on_datagram(
            (CLIENT, port),
            (resolver(53), 53),
            &message,
            &ip(1, 64),
            at(index / 10),
            at(index / 10).time,
        );
    }
    let kept = lookups.finish(end(60_000));
    assert_eq!(kept.len(), 65_536);
    let counts = lookups.counts;
    assert_eq!(counts.omitted, 300_000 - 65_536);
    assert_eq!(counts.evicted, 300_000 - 32_768);
}

#[test]
fn a_query_behind_a_translation_is_one_lookup_and_another_clients_is_another() {
    let translated = IpAddr::from([203, 0, 113, 1]);
    let told = |client, id, ttl| {
        let mut lookups = Lookups::default();
        for (who, ms, id, ttl) in [(CLIENT, 0, 1, 64), (client, 2, id, ttl)] {
            let message = query(id);
            let ports = ((who, 4_000), (resolver(53), 53));
            lookups.on_datagram(ports.0, ports.1, &message, &ip(7, ttl), at(ms), at(ms).time);
        }
        once(lookups.finish(end(60_000))).len()
    };
    assert_eq!(told(translated, 1, 63), 1);
    assert_eq!(told(translated, 2, 63), 2, "another identifier");
    assert_eq!(told(translated, 1, 64), 2, "no router in between");
}
