//! Protocols and chains: what was said into typed facts. TLS and its certificates are from a capture of the lab,
//! HTTP and DNS are made here.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench fails by panicking"
)]

mod support;

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;

use support::conversation::Conversation;
use support::{Suite, Work, capture, packet};
use wirefault::mark::{Direction, Mark};
use wirefault::protocol::tls::chain::{TrustStore, Verifier};
use wirefault::protocol::{dns, http1, tls};

/// A whole TLS 1.2 handshake with an intermediate certificate, then requests on the kept connection.
const HANDSHAKE: &str = "captures/healthy/tls-12-keepalive.pcap";
/// What signed it.
const ROOTS: &str = "captures/lab/roots.pem";
/// Messages or conversations of a run.
const TIMES: usize = 20_000;

fn main() {
    let suite = Suite::from_arguments();
    bench_dns(&suite);
    bench_http(&suite);
    let handshake = Conversation::of_file(HANDSHAKE, 443);
    bench_tls(&suite, &handshake);
    bench_chain(&suite, &handshake);
}

fn work(count: usize, unit: &'static str, bytes_each: usize) -> Work {
    Work {
        count,
        unit,
        bytes: count * bytes_each,
    }
}

fn bench_dns(suite: &Suite) {
    let name = "host-17.invoice.example";
    for (row, address) in [
        ("protocol/dns_query", None),
        ("protocol/dns_answer", Some(Ipv4Addr::new(10, 200, 0, 1))),
    ] {
        let message = packet::dns(7, name, address);
        assert!(dns::parse(&message).is_some(), "{row}: not read");
        suite.bench(
            row,
            work(TIMES, "message", message.len()),
            || (),
            |()| {
                for _ in 0..TIMES {
                    black_box(dns::parse(black_box(&message)));
                }
            },
        );
    }
}

fn bench_http(suite: &Suite) {
    let exchange = Conversation {
        parts: vec![
            (
                Direction::ToServer,
                capture::request(1).into_bytes(),
                Mark::default(),
            ),
            (
                Direction::ToClient,
                capture::response(1_000),
                Mark::default(),
            ),
        ],
    };
    let read = || {
        let mut log = http1::Log::new(true);
        exchange.tell(&mut log);
        log.finish();
        log.drain()
            .filter(|told| told.status() == Some(200))
            .count()
    };
    assert_eq!(read(), 1, "one exchange");
    let work = work(TIMES, "exchange", exchange.bytes());
    suite.bench(
        "protocol/http_exchange",
        work,
        || (),
        |()| (0..TIMES).map(|_| read()).sum::<usize>(),
    );
}

fn bench_tls(suite: &Suite, handshake: &Conversation) {
    let (_, first, _) = &handshake.parts[0];
    // A record of five bytes stands around the message.
    let hello = &first[5..];
    assert!(tls::hello::client(hello).is_some(), "no ClientHello");
    let row = work(TIMES, "message", hello.len());
    suite.bench(
        "protocol/tls_client_hello",
        row,
        || (),
        |()| {
            for _ in 0..TIMES {
                black_box(tls::hello::client(black_box(hello)));
            }
        },
    );
    let row = work(TIMES, "session", handshake.bytes());
    suite.bench(
        "protocol/tls_12_session",
        row,
        || (),
        |()| {
            for _ in 0..TIMES {
                let mut session = tls::Session::default();
                handshake.tell(&mut session);
                black_box(session.stage());
            }
        },
    );
}

/// `first`: a chain not met before, certificates parsed and signatures verified. `again`: the answer is remembered.
fn bench_chain(suite: &Suite, handshake: &Conversation) {
    let mut session = tls::Session::default();
    handshake.tell(&mut session);
    let sent = session.certificates.as_ref().expect("a chain").clone();
    let name = session.sni().map(str::to_owned);
    let time = sent.at.time;
    let pem = std::fs::read(ROOTS).expect("the lab's roots");
    let trust = Arc::new(TrustStore::from_pem(&pem).expect("the lab's roots are PEM"));
    let judge = |verifier: &mut Verifier| {
        verifier
            .judge(&sent.value, &[], name.as_deref(), time)
            .is_good()
    };
    assert!(
        judge(&mut Verifier::new(Arc::clone(&trust))),
        "a good chain"
    );
    let bytes = sent.value.iter().map(|certificate| certificate.len()).sum();
    let chains = 200;
    suite.bench(
        "protocol/chain/first",
        work(chains, "chain", bytes),
        || -> Vec<Verifier> {
            (0..chains)
                .map(|_| Verifier::new(Arc::clone(&trust)))
                .collect()
        },
        |mut verifiers| {
            verifiers
                .iter_mut()
                .filter_map(|one| judge(one).then_some(()))
                .count()
        },
    );
    suite.bench(
        "protocol/chain/again",
        work(TIMES, "chain", bytes),
        || {
            let mut verifier = Verifier::new(Arc::clone(&trust));
            judge(&mut verifier);
            verifier
        },
        |mut verifier| (0..TIMES).filter(|_| judge(&mut verifier)).count(),
    );
}
