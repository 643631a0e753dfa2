#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::log::OPEN_MAX;
use super::*;
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::Mark;
use crate::protocol::http1::Exchange;
use crate::protocol::{Chunk, Next, Observer};
use crate::time::{MILLISECOND, Timestamp};

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A conversation that is played frame by frame, one a millisecond.
struct Play {
    log: Log,
    frame: u32,
}

impl Play {
    fn new() -> Self {
        let mut play = Self {
            log: Log::default(),
            frame: 0,
        };
        play.say(ToServer, PREFACE);
        play.say(ToServer, &frame(4, 0, 0, &[]));
        play.say(ToClient, &frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]));
        play
    }

    fn chunk(&mut self, from: Direction, chunk: Chunk<'_>) -> Next {
        self.frame += 1;
        let at = Mark {
            time: Timestamp::from_ns(i64::from(self.frame) * MILLISECOND),
            frame: self.frame,
            ..Mark::default()
        };
        self.log.on_chunk(from, chunk, at)
    }

    fn say(&mut self, from: Direction, bytes: &[u8]) {
        assert_eq!(self.chunk(from, Chunk::Data(bytes)), Next::More);
    }

    /// `GET path` on a stream.
    fn get(&mut self, stream: u32, path: &str) {
        let block = request(path);
        self.say(
            ToServer,
            &frame(1, END_STREAM | END_HEADERS, stream, &block),
        );
    }

    fn answer(&mut self, stream: u32, block: &[u8], ends: bool) {
        let flags = END_HEADERS | u8::from(ends);
        self.say(ToClient, &frame(1, flags, stream, block));
    }

    fn ended(&mut self) -> Vec<Exchange> {
        self.log.finish();
        std::iter::from_fn(|| self.log.next_ended().map(|one| *one)).collect()
    }

    /// Path, status, whether it is complete: of all that ended.
    fn told(&mut self) -> Vec<(String, u16, bool)> {
        let ended = self.ended();
        let one = |exchange: &Exchange| {
            let asked = exchange.request.as_ref();
            let answered = exchange.response.as_ref();
            (
                asked.map_or("-".to_owned(), |request| request.target.to_string()),
                answered.map_or(0, |response| response.status),
                answered.is_some_and(|response| response.complete),
            )
        };
        ended.iter().map(one).collect()
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A field that no table remembers.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0, name.len() as u8];
    bytes.extend(name.as_bytes());
    bytes.push(value.len() as u8);
    bytes.extend(value.as_bytes());
    bytes
}

fn request(path: &str) -> Vec<u8> {
    let fields = [
        &[0x82][..],
        &field(":path", path),
        &field(":authority", "A.example:8080"),
    ];
    fields.concat()
}

const OK: &[u8] = &[0x88];

#[test]
fn streams_are_answered_in_any_order() {
    let mut play = Play::new();
    play.get(1, "/a");
    play.get(3, "/b");
    play.answer(3, &field(":status", "503"), true);
    play.answer(1, OK, false);
    play.say(ToClient, &frame(0, 0, 1, b"{\"a\":"));
    play.say(ToClient, &frame(0, END_STREAM, 1, b"1}"));
    assert_eq!(play.log.streams_max, Some(100));
    let ended = play.ended();
    let request = ended[1].request.as_ref().unwrap();
    assert_eq!(request.host.as_deref(), Some("a.example:8080"));
    assert_eq!((request.first.frame, request.last.frame), (4, 4));
    let response = ended[1].response.as_ref().unwrap();
    assert_eq!((response.head.frame, response.last.frame), (7, 9));
    assert_eq!(response.body.seen_bytes, 7);
    assert_eq!((ended[0].stream, ended[0].status()), (Some(3), Some(503)));
}

#[test]
fn frames_are_read_whatever_the_segments() {
    let mut whole = [&PREFACE[..], &frame(4, 0, 0, &[])].concat();
    let block = request("/a");
    whole.extend(frame(1, 0, 1, &block[..5]));
    whole.extend(frame(9, END_HEADERS, 1, &block[5..]));
    // DATA with three bytes of padding.
    whole.extend(frame(0, END_STREAM | 8, 1, b"\x03hello\0\0\0"));
    for size in 1..=whole.len() {
        let mut play = Play {
            log: Log::default(),
            frame: 0,
        };
        whole.chunks(size).for_each(|part| play.say(ToServer, part));
        let open: Vec<_> = play.log.open().collect();
        let request = open[0].request.as_ref().unwrap();
        assert!(request.complete && request.target == "/a", "{size}");
        assert_eq!(request.body.seen_bytes, 5, "{size}");
    }
}

#[test]
fn grpc_says_how_it_ended_in_its_trailers() {
    let mut play = Play::new();
    play.get(1, "/shop.Invoices/Issue");
    play.answer(
        1,
        &[OK, &field("content-type", "application/grpc")].concat(),
        false,
    );
    play.answer(
        1,
        &[field("grpc-status", "14"), field("grpc-message", "busy")].concat(),
        true,
    );
    play.get(3, "/shop.Invoices/Issue");
    play.answer(3, &[OK, &field("grpc-status", "0")].concat(), true);
    let ended = play.ended();
    let grpc = |place: usize| {
        ended[place]
            .response
            .as_ref()
            .unwrap()
            .grpc
            .clone()
            .unwrap()
    };
    assert_eq!(
        (grpc(0).status, grpc(0).message.as_deref()),
        (14, Some("busy"))
    );
    assert_eq!((grpc(0).at.frame, grpc(1).status), (6, 0));
}

#[test]
fn what_is_given_up_is_told_by_whom() {
    let mut play = Play::new();
    for stream in [1, 3, 5, 7] {
        play.get(stream, "/a");
    }
    play.say(ToServer, &frame(3, 0, 1, &[0, 0, 0, 8]));
    play.say(ToClient, &frame(3, 0, 3, &[0, 0, 0, 2]));
    play.answer(5, OK, false);
    play.say(ToClient, &frame(3, 0, 5, &[0, 0, 0, 2]));
    // Answered after it was given up: that means nothing any more.
    play.answer(1, OK, true);
    let ended = play.ended();
    let told: Vec<_> = ended
        .iter()
        .map(|one| one.reset.map(|reset| (reset.by_client, reset.code)))
        .collect();
    assert_eq!(told, [Some((true, 8)), Some((false, 2)), Some((false, 2))]);
    assert!(!ended[2].response.as_ref().unwrap().complete);
    assert_eq!(play.log.open().count(), 1);
}

#[test]
fn what_was_refused_unseen_is_told_unless_it_is_asked_anew() {
    let mut play = Play::new();
    play.get(1, "/a");
    play.get(3, "/b");
    play.say(ToClient, &frame(3, 0, 1, &[0, 0, 0, 7]));
    play.say(ToClient, &frame(3, 0, 3, &[0, 0, 0, 7]));
    play.get(5, "/a");
    play.answer(5, OK, true);
    assert_eq!(
        play.told(),
        [("/a".to_owned(), 200, true), ("/b".to_owned(), 0, false)]
    );
}

#[test]
fn a_goaway_in_peace_lets_go_of_what_was_not_worked_on() {
    let mut play = Play::new();
    play.get(1, "/a");
    play.get(3, "/b");
    let away = |last: u8, code: u8, words: &[u8]| {
        let payload = [&[0, 0, 0, last, 0, 0, 0, code][..], words].concat();
        frame(7, 0, 0, &payload)
    };
    play.say(ToClient, &away(1, 0, b""));
    let open: Vec<_> = play.log.open().map(|one| one.stream).collect();
    assert_eq!(open, [Some(1)]);
    play.say(ToClient, &away(1, 11, b"too_many_pings"));
    let told = play.log.away(ToClient).unwrap();
    assert_eq!(
        (told.code, told.words.as_deref()),
        (11, Some("too_many_pings"))
    );
    assert_eq!(play.log.open().count(), 1);
}

#[test]
fn after_a_hole_the_next_segment_that_begins_with_a_frame_is_read() {
    let mut play = Play::new();
    play.get(1, "/a");
    play.chunk(ToClient, Chunk::Gap(500));
    play.say(ToClient, b"rest of something");
    let answer = frame(1, END_STREAM | END_HEADERS, 1, OK);
    play.say(ToClient, &answer);
    assert_eq!(play.told(), [("/a".to_owned(), 200, true)]);
    // What follows a hole proves no silence.
    play.get(3, "/b");
    assert!(play.log.open().all(|one| !one.sure));
}

#[test]
fn a_hole_inside_a_body_is_counted_and_nothing_is_lost_by_it() {
    let mut play = Play::new();
    play.get(1, "/a");
    play.answer(1, OK, false);
    play.say(ToClient, &frame(0, END_STREAM, 1, &[7; 100])[..9 + 40]);
    play.chunk(ToClient, Chunk::Gap(60));
    play.get(3, "/b");
    let open: Vec<_> = play.log.open().map(|one| one.sure).collect();
    assert_eq!(open, [true]);
    let ended = play.ended();
    let body = ended[0].response.as_ref().unwrap().body;
    assert_eq!((body.seen_bytes, body.missed_bytes), (40, 60));
}

#[test]
fn joined_in_the_middle_statuses_are_known_or_not_told() {
    let mut play = Play {
        log: Log::default(),
        frame: 0,
    };
    // The status by reference to what was not heard, one that is fixed, and one that is said in full.
    play.say(ToClient, &frame(1, END_STREAM | END_HEADERS, 7, &[0xbe]));
    play.say(
        ToClient,
        &frame(1, END_STREAM | END_HEADERS, 9, &[0x8d, 0xbf]),
    );
    play.say(
        ToServer,
        &frame(1, END_STREAM | END_HEADERS, 11, &[0x82, 0xbe, 0xbf]),
    );
    play.answer(11, &field(":status", "503"), true);
    let told = play.told();
    assert_eq!(
        told,
        [("-".to_owned(), 404, true), (String::new(), 503, true)]
    );
    assert_eq!(play.log.unread, 1);
}

#[test]
fn a_segment_shows_whether_a_connection_that_was_joined_is_http2() {
    let answer = frame(1, END_STREAM | END_HEADERS, 9, OK);
    assert_eq!(joined(&answer), Some(Speaker::Server));
    let ask = [
        frame(6, 0, 0, &[0; 8]),
        frame(1, END_STREAM | END_HEADERS, 9, &[0x83, 0xc0]),
    ]
    .concat();
    assert_eq!(joined(&ask), Some(Speaker::Client));
    // By reference alone, no header block, a block that is none, other bytes.
    for segment in [
        frame(1, END_HEADERS, 9, &[0xc0]),
        frame(6, 0, 0, &[0; 8]),
        frame(1, END_HEADERS, 9, &[0x88, 0x40]),
        b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
    ] {
        assert_eq!(joined(&segment), None, "{segment:?}");
    }
}

#[test]
fn a_server_of_http1_answers_all_that_was_asked() {
    let mut play = Play {
        log: Log::default(),
        frame: 0,
    };
    play.say(ToServer, &[&PREFACE[..], &frame(4, 0, 0, &[])].concat());
    play.get(1, "/a");
    play.say(ToClient, b"HTTP/1.1 400 Bad Request\r\nServer: old\r\n");
    assert_eq!(
        play.chunk(ToClient, Chunk::Data(b"Content-Length: 0\r\n\r\n")),
        Next::Done
    );
    assert_eq!(play.told(), [("/a".to_owned(), 400, true)]);
}

#[test]
fn bytes_that_are_no_frame_are_noted_once() {
    let mut play = Play::new();
    play.get(1, "/a");
    play.say(ToClient, b"<html><body>login first</body></html>");
    play.say(ToClient, b"<html><body>login first</body></html>");
    assert_eq!(play.log.foreign(ToClient).unwrap().at.frame, 5);
}

#[test]
fn floods_leave_nothing_behind() {
    let mut play = Play::new();
    for _ in 0..5_000 {
        play.say(ToServer, &frame(6, 0, 0, &[0; 8]));
        play.say(ToServer, &frame(4, 0, 0, &[0, 4, 0, 0, 0, 1]));
    }
    // A header block that never ends.
    play.say(ToServer, &frame(1, 0, 1, &request("/a")));
    for _ in 0..5_000 {
        play.say(ToServer, &frame(9, 0, 1, &[0; 64]));
    }
    play.say(ToServer, &frame(9, END_HEADERS, 1, &[]));
    assert_eq!((play.log.unread, play.log.open().count()), (1, 0));
    // Streams without end, each given up at once, and some that stay.
    for stream in (3..3_000).step_by(2) {
        play.get(stream, "/a");
        play.say(ToServer, &frame(3, 0, stream, &[0, 0, 0, 8]));
    }
    for stream in (3_001..9_001).step_by(2) {
        play.get(stream, "/a");
    }
    assert_eq!(play.log.open().count(), OPEN_MAX);
    assert!(play.ended().len() <= 1_024 && play.log.omitted > 0);
}

#[test]
fn a_promise_and_what_comes_of_it_are_passed_over() {
    let mut play = Play::new();
    play.get(1, "/a");
    let promise = [&[0, 0, 0, 2][..], &request("/b")].concat();
    play.say(ToClient, &frame(5, END_HEADERS, 1, &promise));
    play.answer(2, OK, true);
    play.answer(1, OK, true);
    assert_eq!(play.told(), [("/a".to_owned(), 200, true)]);
}

#[test]
fn a_length_that_does_not_hold_is_wrong() {
    let mut play = Play::new();
    play.get(1, "/a");
    play.answer(1, &[OK, &field("content-length", "9")].concat(), false);
    play.say(ToClient, &frame(0, END_STREAM, 1, b"four"));
    let ended = play.ended();
    assert!(ended[0].response.as_ref().unwrap().broken);
}
