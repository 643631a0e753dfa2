//! Records of published traces, and sessions that are sealed here by the same library the other way round.

mod sealed;

use std::sync::Arc;

use proptest::prelude::*;

use self::sealed::*;
use super::keys::{KeyLog, Secret};
use super::lane::{Lane, Phase};
use super::opener::{Opener, Record};
use super::suite::Suite;
use super::{Opening, Plain};
use crate::mark::Direction::{ToClient, ToServer};
use crate::mark::Mark;
use crate::protocol::tls::Session;
use crate::protocol::{Chunk, Observer};

const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn record(bytes: &[u8]) -> Record<'_> {
    let (header, fragment) = bytes.split_first_chunk().unwrap();
    Record {
        header: *header,
        fragment,
    }
}

fn at(frame: u32) -> Mark {
    Mark {
        frame,
        ..Mark::default()
    }
}

/// RFC 8448 3: the client's Finished and its application data.
#[test]
fn records_of_the_published_trace_open() {
    let suite = Suite::of(0x0304, 0x1301).unwrap();
    let open = |secret: &str, wire: &str| {
        let secret = Secret::new(&hex(secret)).unwrap();
        let opener = Opener::of_13(&suite, &secret).unwrap();
        opener.open(0, record(&hex(wire)))
    };
    let (kind, finished) = open(
        "b3 ed db 12 6e 06 7f 35 a7 80 b3 ab f4 5e 2d 8f 3b 1a 95 07 38 f5 2e 96 00 74 6a 0e 27 a5 5a 21",
        "17 03 03 00 35 75 ec 4d c2 38 cc e6 0b 29 80 44 a7 1e 21 9c 56 cc 77 b0 51 7f e9 b9 3c 7a 4b fc 44 d8 7f 38 f8 \
         03 38 ac 98 fc 46 de b3 84 bd 1c ae ac ab 68 67 d7 26 c4 05 46",
    )
    .unwrap();
    assert_eq!(
        (kind, finished.first(), finished.len()),
        (HANDSHAKE, Some(&20), 36)
    );
    let (kind, data) = open(
        "9e 40 64 6c e7 9a 7f 9d c0 5a f8 88 9b ce 65 52 87 5a fa 0b 06 df 00 87 f7 92 eb b7 c1 75 04 a5",
        "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b 98 19 a8 a5 \
         b4 6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4",
    )
    .unwrap();
    assert_eq!((kind, data), (DATA, (0..50).collect::<Vec<u8>>()));
}

#[test]
fn a_session_of_tls13_opens_with_its_handshake() {
    let mut fed = Fed::new(all_keys());
    let (mut client, mut server) = shaken(&mut fed);
    assert!(!fed.session.is_veiled());
    let hello = fed.session.server_hello.as_ref().unwrap();
    assert_eq!(hello.value.alpn.as_deref(), Some("h2"));
    assert_eq!(fed.session.finished_13(), Some(at(5)));
    let asked = client.seal(DATA, b"ask");
    fed.say(ToServer, &asked[..7]).say(ToServer, &asked[7..]);
    fed.say(ToClient, &server.seal(DATA, b"answer"));
    fed.say(ToClient, &server.seal(21, &[1, 0]));
    assert_eq!(fed.said(), ["ask", "answer", "."]);
    assert_eq!(fed.session.opening(), Opening::Opened);
    assert!(fed.session.opened_whole());
    assert!(fed.session.close_notify(ToClient).is_some());
}

#[test]
fn a_key_update_changes_the_key_of_its_side() {
    let mut fed = Fed::new(all_keys());
    let (mut client, mut server) = shaken(&mut fed);
    fed.say(ToServer, &client.seal(HANDSHAKE, &[24, 0, 0, 1, 1]));
    client.update();
    fed.say(ToServer, &client.seal(DATA, b"new"));
    fed.say(ToClient, &server.seal(DATA, b"old"));
    assert_eq!(fed.said(), ["new", "old"]);
}

#[test]
fn after_lost_records_the_next_one_opens_under_its_own_number() {
    let mut fed = Fed::new(all_keys());
    let (mut client, mut server) = shaken(&mut fed);
    fed.say(ToServer, &client.seal(DATA, b"ask"));
    let lost: usize = (0..5).map(|_| server.seal(DATA, &[0; 900]).len()).sum();
    fed.lose(ToClient, lost)
        .say(ToClient, &server.seal(DATA, b"rest"));
    assert_eq!(fed.said(), ["ask", "~", "rest"]);
    assert!(!fed.session.opened_whole());
    assert_eq!(fed.session.opening(), Opening::Opened);
}

#[test]
fn a_record_that_is_lost_in_part_is_one_record() {
    let mut fed = Fed::new(all_keys());
    let (mut client, mut server) = shaken(&mut fed);
    fed.say(ToServer, &client.seal(DATA, b"ask"));
    let cut = server.seal(DATA, &[0; 900]);
    fed.say(ToClient, &cut[..500])
        .lose(ToClient, cut.len() - 500);
    fed.say(ToClient, &server.seal(DATA, b"next"));
    let plain = fed.session.take_plain();
    // The zeros that the sealer pads with are not told from content.
    assert_eq!(plain.get(1), Some(&Plain::Gap(ToClient, 902, at(8))));
    assert!(matches!(plain.get(2), Some(Plain::Data(..))));
}

#[test]
fn a_key_update_that_was_lost_is_made_up_for() {
    let mut fed = Fed::new(all_keys());
    let (mut client, _) = shaken(&mut fed);
    fed.say(ToServer, &client.seal(DATA, b"one"));
    let lost = client.seal(HANDSHAKE, &[24, 0, 0, 1, 0]).len();
    client.update();
    let more = client.seal(DATA, b"two").len();
    fed.lose(ToServer, lost + more)
        .say(ToServer, &client.seal(DATA, b"three"));
    assert_eq!(fed.said(), ["one", "~", "three"]);
}

#[test]
fn wrong_secrets_open_nothing_and_are_given_up() {
    let mut fed = Fed::new(keys(&[
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", &[11; 32]),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", &[12; 32]),
        ("CLIENT_TRAFFIC_SECRET_0", &[13; 32]),
        ("SERVER_TRAFFIC_SECRET_0", &[14; 32]),
    ]));
    let (mut client, _) = shaken(&mut fed);
    for _ in 0..100 {
        fed.say(ToServer, &client.seal(DATA, b"ask"));
    }
    assert!(fed.session.is_veiled());
    assert_eq!(fed.session.opening(), Opening::Wrong);
    assert!(fed.said().is_empty());
    assert_eq!(fed.session.data[ToServer].records, 101);
}

#[test]
fn secrets_of_the_handshake_alone_open_no_more() {
    let mut fed = Fed::new(keys(&[("SERVER_HANDSHAKE_TRAFFIC_SECRET", &[2; 32])]));
    let (mut client, _) = shaken(&mut fed);
    // Without the client's secret its Finished is told by its size.
    assert!(fed.session.is_veiled());
    fed.say(ToServer, &client.seal(DATA, &[7; 80]));
    assert!(fed.said().is_empty());
    assert_eq!(fed.session.opening(), Opening::NoKeys);
    assert!(fed.session.application(ToServer).is_some());
}

#[test]
fn secrets_of_one_side_alone_open_no_application_data() {
    let mut fed = Fed::new(keys(&[
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", &[1; 32]),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", &[2; 32]),
        ("CLIENT_TRAFFIC_SECRET_0", &[3; 32]),
    ]));
    let (mut client, _) = shaken(&mut fed);
    fed.say(ToServer, &client.seal(DATA, b"ask"));
    assert!(fed.said().is_empty());
    assert_eq!(fed.session.opening(), Opening::NoKeys);
}

#[test]
fn secrets_that_come_late_open_what_follows() {
    let log = Arc::new(KeyLog::default());
    let mut fed = Fed::new(Arc::clone(&log));
    let (mut client, mut server) = shaken(&mut fed);
    fed.say(ToServer, &client.seal(DATA, b"unseen"));
    let digits = |byte: &str| byte.repeat(32);
    let lines = format!(
        "CLIENT_TRAFFIC_SECRET_0 {} {}\nSERVER_TRAFFIC_SECRET_0 {} {}\n",
        digits("c1"),
        digits("03"),
        digits("c1"),
        digits("04")
    );
    log.read(lines.as_bytes()).unwrap();
    fed.say(ToClient, &server.seal(DATA, b"answer"));
    fed.say(ToServer, &client.seal(DATA, b"again"));
    assert_eq!(fed.said(), ["answer", "again"]);
}

#[test]
fn both_orders_of_mac_open_with_every_hash() {
    for suite in [0x002f, 0x0035, 0x003c, 0x003d, 0xc027, 0xc028] {
        for etm in [false, true] {
            let extension: &[u8] = if etm { &[0, 22, 0, 0] } else { &[] };
            let mut fed = Fed::new(keys(&[("CLIENT_RANDOM", &[6; 48])]));
            fed.say(ToServer, &client_hello())
                .say(ToClient, &server_hello(0x0303, suite, extension))
                .say(ToServer, &[20, 3, 3, 0, 1, 1]);
            for (number, content) in ["a", "exactly fifteen", "twenty bytes long, so"]
                .iter()
                .enumerate()
            {
                fed.say(
                    ToServer,
                    &sealed_cbc(suite, etm, number as u64, content.as_bytes()),
                );
            }
            let said = fed.said();
            assert_eq!(
                said,
                ["a", "exactly fifteen", "twenty bytes long, so"],
                "{suite:04x} {etm}"
            );
            // The other order, and another number, do not.
            fed.say(ToServer, &sealed_cbc(suite, !etm, 3, b"no"));
            fed.say(ToServer, &sealed_cbc(suite, etm, 9, b"no"));
            assert_eq!(fed.said(), ["~", "~"], "{suite:04x} {etm}");
        }
    }
}

#[test]
fn a_suite_that_is_not_read_is_said_to_have_keys() {
    let mut fed = Fed::new(keys(&[("CLIENT_RANDOM", &[6; 48])]));
    fed.say(ToServer, &client_hello())
        .say(ToClient, &server_hello(0x0303, 0xc09c, &[]))
        .say(ToServer, &[20, 3, 3, 0, 1, 1])
        .say(ToServer, &sealed_cbc(0x002f, false, 0, b"a"));
    assert_eq!(fed.session.opening(), Opening::Unread);
}

#[test]
fn a_direction_that_opens_nothing_stops_trying() {
    let opener = || {
        let suite = Suite::of(0x0304, 0x1301).unwrap();
        let opener = Opener::of_13(&suite, &Secret::new(&[9; 32]).unwrap()).unwrap();
        vec![(opener, None)]
    };
    let mut lane = Lane::default();
    lane.lost(1 << 40);
    let wrong = [&[DATA, 3, 3, 0, 40][..], &[0; 40]].concat();
    let mut tried = 0;
    while !lane.given_up() {
        let source = |phase| {
            if phase == Phase::Traffic {
                opener()
            } else {
                Vec::new()
            }
        };
        assert!(lane.open(record(&wrong), &source, &|_| None).is_none());
        tried += 1;
    }
    assert!(tried <= 5, "{tried} records with 1,024 numbers each");
}

proptest! {
    /// Whatever stands in records, cut anywhere and with holes, nothing panics and nothing is made up.
    #[test]
    fn random_records_open_nothing_and_break_nothing(
        chunks in proptest::collection::vec(
            (any::<bool>(), 0_u16..400, proptest::collection::vec(any::<u8>(), 0..400), 0_u8..4),
            0..40,
        ),
        suite in prop_oneof![Just(0x1301_u16), Just(0xc02f), Just(0x002f), Just(0xcca8)],
        etm in any::<bool>(),
    ) {
        let mut lines: Vec<(&str, &[u8])> = vec![("CLIENT_RANDOM", &[6; 48])];
        for label in ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_TRAFFIC_SECRET_0", "CLIENT_EARLY_TRAFFIC_SECRET"] {
            lines.push((label, &[8; 32]));
        }
        let mut session = Session::opened_by(keys(&lines));
        let version = if suite == 0x1301 { 0x0304 } else { 0x0303 };
        let extension: &[u8] = if etm { &[0, 22, 0, 0] } else { &[] };
        session.on_chunk(ToServer, Chunk::Data(&client_hello()), at(1));
        session.on_chunk(ToClient, Chunk::Data(&server_hello(version, suite, extension)), at(2));
        for from in [ToServer, ToClient] {
            session.on_chunk(from, Chunk::Data(&[20, 3, 3, 0, 1, 1]), at(3));
        }
        for (back, claimed, bytes, how) in &chunks {
            let from = if *back { ToClient } else { ToServer };
            let [high, low] = claimed.to_be_bytes();
            let kind = if how % 2 == 0 { DATA } else { HANDSHAKE };
            let sent = [&[kind, 3, 3, high, low][..], bytes].concat();
            session.on_chunk(from, Chunk::Data(&sent), at(4));
            if *how == 3 {
                session.on_chunk(from, Chunk::Gap(u64::from(*claimed) + 1), at(5));
            }
        }
        let data = |plain: &Plain| matches!(plain, Plain::Data(..));
        prop_assert!(!session.take_plain().iter().any(data));
        let _ = (session.opening(), session.stage(), session.is_veiled());
    }
}
