//! Questions, their answers, who goes on alone, and the limits.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::*;
use crate::time::{MILLISECOND, SECOND};

const CLIENT: End = (IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 15)), 500);
const SERVER: End = (IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 20)), 500);

fn at(ms: i64) -> Mark {
    Mark {
        time: Timestamp::from_ns(ms * MILLISECOND),
        frame: u32::try_from(ms).unwrap_or(0) + 1,
        ..Mark::default()
    }
}

/// An IKEv2 message of attempt `spi`: exchange, flags (0x08 initiator, 0x20 response), message id.
fn ike(spi: u64, exchange: u8, flags: u8, id: u8) -> Vec<u8> {
    let mut bytes = spi.to_be_bytes().to_vec();
    bytes.extend(if exchange == 34 { [0; 8] } else { [7; 8] });
    bytes.extend([0, 0x20, exchange, flags, 0, 0, 0, id, 0, 0, 0, 28]);
    bytes
}

/// Second, from the client, exchange, flags, message id; gives stage and how often it was sent of what is open.
fn check(messages: &[(i64, bool, u8, u8, u8)]) -> Vec<(&'static str, u32)> {
    let mut tunnels = Tunnels::default();
    for (second, ours, exchange, flags, id) in messages {
        let (from, to) = if *ours {
            (CLIENT, SERVER)
        } else {
            (SERVER, CLIENT)
        };
        let bytes = ike(9, *exchange, *flags, *id);
        tunnels.on_datagram(from, to, &bytes, bytes.len(), at(second * 1_000));
    }
    let asks = tunnels.asks();
    asks.iter().map(|ask| (ask.stage, ask.sent)).collect()
}

#[test]
fn a_repeated_request_is_one_question() {
    let asked = [
        (0, true, 34, 8, 0),
        (1, true, 34, 8, 0),
        (3, true, 34, 8, 0),
    ];
    assert_eq!(check(&asked), [("sa-init", 3)]);
}

#[test]
fn the_response_of_the_same_exchange_and_number_answers_it() {
    let answered = [
        (0, true, 34, 8, 0),
        (1, true, 34, 8, 0),
        (1, false, 34, 0x20, 0),
    ];
    assert_eq!(check(&answered), []);
    let other = [
        (0, true, 37, 8, 5),
        (1, true, 37, 8, 5),
        (1, false, 37, 0x20, 4),
    ];
    assert_eq!(check(&other), [("informational", 2)]);
}

#[test]
fn a_copy_within_moments_is_a_sighting() {
    let mut tunnels = Tunnels::default();
    for ms in [0, 1, 2, 1_000] {
        let bytes = ike(9, 34, 8, 0);
        tunnels.on_datagram(CLIENT, SERVER, &bytes, bytes.len(), at(ms));
    }
    assert_eq!(tunnels.asks()[0].sent, 2);
}

#[test]
fn wireguard_and_openvpn_begin_anew_with_the_same_question() {
    let mut tunnels = Tunnels::default();
    let (from, to) = ((CLIENT.0, 51_820), (SERVER.0, 51_820));
    for second in 0..4 {
        tunnels.on_datagram(
            from,
            to,
            &[1, 0, 0, 0, second],
            148,
            at(i64::from(second) * 5_000),
        );
    }
    assert_eq!(tunnels.asks()[0].sent, 4);
    // A response alone may be lost behind the capture point; who got it sends to the session that it names.
    tunnels.on_datagram(to, from, &[2, 0, 0, 0], 92, at(20_000));
    assert!(tunnels.asks()[0].other.is_some());
    tunnels.on_datagram(from, to, &[4, 0, 0, 0, 7, 7, 7, 7], 32, at(20_001));
    assert_eq!(tunnels.asks().len(), 0);
}

#[test]
fn a_wireguard_end_that_goes_on_in_its_old_session_was_not_answered() {
    let mut tunnels = Tunnels::default();
    let (from, to) = ((CLIENT.0, 51_820), (SERVER.0, 51_820));
    let data = |session: u8| [4, 0, 0, 0, session, 0, 0, 0];
    tunnels.on_datagram(from, to, &data(1), 32, at(0));
    for ms in [10_000, 15_000] {
        tunnels.on_datagram(from, to, &[1, 0, 0, 0], 148, at(ms));
        tunnels.on_datagram(from, to, &data(1), 32, at(ms + 1_000));
    }
    assert_eq!(tunnels.asks()[0].sent, 2);
    // In a capture of one direction a new session is all that shows.
    tunnels.on_datagram(from, to, &data(2), 32, at(16_000));
    assert_eq!(tunnels.asks().len(), 0);
}

#[test]
fn openvpn_over_tcp_asks_until_anything_comes_back() {
    let mut tunnels = Tunnels::default();
    let reset = [0, 14, 0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0];
    let (server, client) = ((SERVER.0, 443), |port| (CLIENT.0, port));
    // The second is TCP's own repetition; the last comes by another connection.
    for (ms, port, seq) in [
        (0, 40_000, 1),
        (1_000, 40_000, 1),
        (2_000, 40_000, 17),
        (9_000, 40_001, 1),
    ] {
        tunnels.on_stream(client(port), server, &reset, seq, at(ms));
    }
    assert_eq!(tunnels.asks()[0].sent, 3);
    tunnels.on_stream(server, client(40_001), b"HTTP/1.1 400", 1, at(10_000));
    assert_eq!(tunnels.asks().len(), 0);
}

/// Sends ESP: `both` seconds of both ends, twice a second, then `alone` seconds of the first one, then one packet of
/// the other whose sequence number has gone on by `step`.
fn esp(both: i64, alone: i64, every_ms: i64, step: u32) -> Vec<Silence> {
    let mut tunnels = Tunnels::default();
    let (a, b) = (CLIENT.0, SERVER.0);
    let (mut ms, mut ours, mut theirs) = (0, 0, 0);
    while ms < both * 1_000 {
        ours += 1;
        theirs += 1;
        tunnels.on_esp(a, b, Esp { spi: 1, seq: ours }, at(ms));
        tunnels.on_esp(
            b,
            a,
            Esp {
                spi: 2,
                seq: theirs,
            },
            at(ms + 1),
        );
        ms += 500;
    }
    while ms < (both + alone) * 1_000 {
        ours += 1;
        tunnels.on_esp(a, b, Esp { spi: 1, seq: ours }, at(ms));
        ms += every_ms;
    }
    if step > 0 {
        let seq = theirs + step;
        tunnels.on_esp(b, a, Esp { spi: 2, seq }, at(ms));
    }
    tunnels.silences()
}

#[test]
fn an_end_that_goes_on_alone_for_long_has_lost_the_other() {
    assert_eq!(esp(5, 15, 500, 0).len(), 1);
    assert_eq!(esp(5, 9, 500, 0).len(), 0);
}

#[test]
fn a_stream_one_way_is_no_loss() {
    assert_eq!(esp(5, 15, 100, 0).len(), 0);
}

#[test]
fn what_the_other_sent_meanwhile_shows_when_it_is_heard_again() {
    let lost: Vec<u64> = esp(5, 15, 500, 31).iter().map(|one| one.lost).collect();
    assert_eq!(lost, [30]);
    assert_eq!(esp(5, 15, 500, 1).len(), 0, "it had nothing to say");
}

#[test]
fn hostile_datagrams_are_nothing() {
    let mut tunnels = Tunnels::default();
    let ports = [500, 4500, 1701, 1194, 51_820];
    for port in ports {
        for len in 0..48 {
            for fill in [0, 1, 0x38, 0xff] {
                let bytes = vec![fill; len];
                let ends = ((CLIENT.0, port), (SERVER.0, port));
                tunnels.on_datagram(ends.0, ends.1, &bytes, len, at(0));
            }
        }
    }
    assert_eq!(tunnels.associations().len(), 0);
}

#[test]
fn what_does_not_fit_is_counted() {
    let mut tunnels = Tunnels::default();
    for spi in 1..=4_097_u64 {
        let bytes = ike(spi, 34, 8, 0);
        tunnels.on_datagram(CLIENT, SERVER, &bytes, bytes.len(), at(0));
    }
    assert_eq!(tunnels.omitted(), 2, "one question, one attempt");
    let mut tunnels = Tunnels::default();
    for host in 0..=4_096_u32 {
        let ip = IpAddr::from(host.to_be_bytes());
        tunnels.on_esp(ip, SERVER.0, Esp { spi: 1, seq: 1 }, at(0));
    }
    assert_eq!(tunnels.omitted(), 2, "one pair, one life");
    let mut tunnels = Tunnels::default();
    for _ in 0..=REFUSALS_MAX {
        tunnels.refused(Kind::L2tp, (SERVER, CLIENT), "stop-ccn", None, at(0));
    }
    assert_eq!(tunnels.omitted(), 1);
}

#[test]
fn what_is_long_past_is_forgotten() {
    let mut tunnels = Tunnels::default();
    let bytes = ike(9, 34, 8, 0);
    tunnels.on_datagram(CLIENT, SERVER, &bytes, bytes.len(), at(0));
    tunnels.forget_before(Timestamp::from_ns(SECOND));
    assert_eq!((tunnels.asks().len(), tunnels.associations().len()), (0, 0));
}

/// INVALID_KE_PAYLOAD (RFC 7296 3.10.1) as the only payload of an IKE_SA_INIT response.
fn invalid_ke(spi: u64) -> Vec<u8> {
    let mut bytes = ike(spi, 34, 0x20, 0);
    bytes[16] = 41;
    bytes[27] = 38;
    bytes.extend([0, 0, 0, 10, 0, 0, 0, 17, 0, 14]);
    bytes
}

#[test]
fn an_offer_refused_again_and_again_keeps_its_first_refusal() {
    let mut tunnels = Tunnels::default();
    for second in [0, 10, 20] {
        let (offer, refusal) = (ike(9, 34, 8, 0), invalid_ke(9));
        tunnels.on_datagram(CLIENT, SERVER, &offer, offer.len(), at(second * 1_000));
        let answered = at(second * 1_000 + 30);
        tunnels.on_datagram(SERVER, CLIENT, &refusal, refusal.len(), answered);
    }
    let known = tunnels.associations();
    assert_eq!(known[0].refused, Some((17, at(20_030), true)));
    assert_eq!(known[0].refused_since, Some(at(30).time));
}
