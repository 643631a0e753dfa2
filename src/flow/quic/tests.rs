#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::protocol::quic::tests::hello;

const CHOSEN: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8];

fn at(ms: i64) -> Mark {
    Mark {
        time: Timestamp::from_ns(ms * MILLISECOND),
        frame: ms as u32,
        ..Mark::default()
    }
}

fn client(port: u16) -> End {
    (IpAddr::from([192, 0, 2, 15]), port)
}

fn server() -> End {
    (IpAddr::from([203, 0, 113, 20]), 443)
}

fn crypto(from: usize, to: usize) -> Vec<u8> {
    let hello = hello();
    let mut frame = vec![6, from as u8, 0x40, (to - from) as u8];
    frame.extend(&hello[from..to]);
    frame
}

fn seal(chosen: &[u8], frames: &[u8]) -> Vec<u8> {
    initial::seal(1, chosen, &[], frames).unwrap()
}

fn send(tries: &mut Tries, from: End, to: End, payload: &[u8], ms: i64) {
    tries.on_datagram(from, to, payload, payload.len(), at(ms));
}

#[test]
fn a_hello_over_two_datagrams_names_the_try_and_a_flight_is_no_retry() {
    let mut tries = Tries::default();
    let end = hello().len();
    for ms in [0, 1_000, 3_000] {
        let (one, other) = (seal(CHOSEN, &crypto(20, end)), seal(CHOSEN, &crypto(0, 20)));
        send(&mut tries, client(50_000), server(), &one, ms);
        send(&mut tries, client(50_000), server(), &other, ms + 1);
    }
    let all = tries.unanswered();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].name.as_deref(), Some("a.example"));
    assert_eq!((all[0].sent, all[0].marks.len()), (3, 3));
    assert_eq!(tries.answered(), 0);
}

#[test]
fn after_a_retry_the_client_begins_anew_under_another_id() {
    let mut tries = Tries::default();
    let piece = crypto(0, 20);
    send(
        &mut tries,
        client(50_000),
        server(),
        &seal(CHOSEN, &piece),
        0,
    );
    // RFC 9000 17.2.5: a Retry of version 1.
    let retry = [0xf0, 0, 0, 0, 1, 0, 2, 9, 9, 7, 7, 7, 7];
    send(&mut tries, server(), client(50_000), &retry, 10);
    let whole = crypto(0, hello().len());
    let anew = initial::seal(1, &[9, 9], &[7; 4], &whole).unwrap();
    send(&mut tries, client(50_000), server(), &anew, 20);
    let known = &tries.open[&(client(50_000), server())];
    assert!(known.retry && known.answered.is_some());
    assert_eq!(known.name.as_deref(), Some("a.example"));
    assert_eq!((tries.answered(), tries.unanswered().len()), (1, 0));
}

#[test]
fn who_goes_on_as_if_answered_is_not_unanswered() {
    let mut tries = Tries::default();
    let whole = crypto(0, hello().len());
    send(
        &mut tries,
        client(50_000),
        server(),
        &seal(CHOSEN, &whole),
        0,
    );
    send(&mut tries, client(50_000), server(), &[0x41, 1, 2, 3], 40);
    assert_eq!((tries.answered(), tries.unanswered().len()), (1, 0));
}

#[test]
fn what_does_not_open_is_no_quic_on_any_port() {
    let mut tries = Tries::default();
    let mut spoilt = seal(CHOSEN, &crypto(0, 20));
    *spoilt.last_mut().unwrap() ^= 1;
    send(&mut tries, client(50_000), server(), &spoilt, 0);
    // Cut by the snaplen: believed on port 443, without a name.
    let whole = seal(CHOSEN, &crypto(0, 20));
    let to = (server().0, 4_433);
    tries.on_datagram(client(50_001), to, &whole[..80], whole.len(), at(1));
    assert_eq!(tries.unanswered().len(), 0);
    tries.on_datagram(client(50_001), server(), &whole[..80], whole.len(), at(1));
    assert_eq!(tries.unanswered().len(), 1);
}

#[test]
fn tries_are_bounded_and_what_does_not_fit_is_counted() {
    let mut tries = Tries::default();
    let whole = seal(CHOSEN, &crypto(0, 20));
    for port in 0..4_000 {
        send(&mut tries, client(port), server(), &whole, i64::from(port));
    }
    assert_eq!(tries.unanswered().len(), OPEN_MAX);
    assert_eq!(tries.omitted(), 4_000 - OPEN_MAX as u64);
    // Two minutes later the silent ones give way; the first thousand of them are kept.
    send(&mut tries, client(5_000), server(), &whole, 200_000);
    assert_eq!(tries.unanswered().len(), ENDED_MAX + 1);
}
