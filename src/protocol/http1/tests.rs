#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::mark::Direction::{ToClient, ToServer};
use crate::mark::{Direction, Mark};
use crate::protocol::{Chunk, Next, Observer};
use crate::time::{MILLISECOND, Timestamp};

/// The mark of frame `frame`, one millisecond after the one before.
fn at(frame: u32) -> Mark {
    Mark {
        time: Timestamp::from_ns(i64::from(frame) * MILLISECOND),
        offset: 0,
        file: 0,
        frame,
    }
}

fn request(head: &[u8]) -> Request {
    head::request(head, at(1), at(1)).unwrap().0
}

/// Plays a transcript, one line a frame: `> bytes` from the client, `< bytes` from the server, with `\r\n` written
/// out, `<gap n`, `>fin`. `…n` stands for n bytes of body.
fn play(log: &mut Log, transcript: &str) {
    for (index, line) in transcript
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .enumerate()
    {
        let frame = u32::try_from(index).unwrap() + 1;
        let (sign, rest) = line.split_at(1);
        let from = if sign == ">" { ToServer } else { ToClient };
        if let Some(missing) = rest.strip_prefix("gap ") {
            log.on_chunk(from, Chunk::Gap(missing.parse().unwrap()), at(frame));
        } else if rest == "fin" {
            assert_eq!(log.on_chunk(from, Chunk::Fin, at(frame)), Next::Done);
        } else {
            log.on_chunk(from, Chunk::Data(&bytes(rest.trim_start())), at(frame));
        }
    }
}

fn bytes(text: &str) -> Vec<u8> {
    let text = text.replace("\\r", "\r").replace("\\n", "\n");
    match text.split_once('…') {
        Some((before, rest)) => {
            let digits = rest.chars().take_while(char::is_ascii_digit).count();
            let count = rest[..digits].parse().unwrap();
            [
                before.as_bytes(),
                &vec![b'x'; count],
                &rest.as_bytes()[digits..],
            ]
            .concat()
        }
        None => text.into_bytes(),
    }
}

/// One line an exchange: `GET /a 1-1 | 200 2-3 ok`, `?` for what was not seen, `…` for what is not complete.
fn told(exchange: &Exchange) -> String {
    let request = exchange.request.as_ref().map_or("?".to_owned(), |request| {
        let end = if request.complete { "" } else { "…" };
        format!(
            "{} {} {}-{}{end}",
            request.method, request.target, request.first.frame, request.last.frame
        )
    });
    let response = exchange
        .response
        .as_ref()
        .map_or("?".to_owned(), |response| {
            let end = if response.complete { "" } else { "…" };
            format!(
                "{} {}-{}{end} {}",
                response.status,
                response.first.frame,
                response.last.frame,
                response.body.seen_bytes
            )
        });
    let unsure = if exchange.sure { "" } else { " unsure" };
    format!("{request} | {response}{unsure}")
}

fn check(transcript: &str, finished: &[&str], open: &[&str]) -> Log {
    let mut log = Log::new(true);
    play(&mut log, transcript);
    log.finish();
    assert_eq!(
        log.drain()
            .map(|exchange| told(&exchange))
            .collect::<Vec<_>>(),
        finished
    );
    assert_eq!(log.open().map(told).collect::<Vec<_>>(), open);
    log
}

#[test]
fn a_keep_alive_connection_pairs_each_request_with_its_response() {
    check(
        r"> GET /a HTTP/1.1\r\nHost: fp.example\r\n\r\n
          < HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n…2
          < …3
          > POST /b HTTP/1.1\r\nHost: fp.example\r\nContent-Length: 4\r\n\r\n
          > …4
          < HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 30\r\n\r\n",
        &["GET /a 1-1 | 200 2-3 5", "POST /b 4-5 | 503 6-6 0"],
        &[],
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut log = Log::new(true);
    play(
        &mut log,
        r"> GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n
          < HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nb",
    );
    let finished: Vec<_> = log.drain().collect();
    assert_eq!(told(&finished[0]), "GET /1 1-1 | 200 2-2 1");
    assert_eq!(told(&finished[1]), "GET /2 1-1 | 404 2-2 1");
    assert_eq!(
        (finished[0].pipelined, finished[1].pipelined),
        (false, true)
    );
    assert_eq!(log.open().map(told).collect::<Vec<_>>(), ["GET /3 1-1 | ?"]);
}

#[test]
fn chunks_and_trailers_end_a_body_wherever_they_are_cut() {
    let response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5;name=x\r\nhello\r\nA \r\n0123456789\r\n0\r\nExpires: never\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    for cut in 0..response.len() {
        let mut log = Log::new(true);
        play(
            &mut log,
            r"> GET / HTTP/1.1\r\n\r\nDELETE /x HTTP/1.1\r\n\r\n",
        );
        log.on_chunk(ToClient, Chunk::Data(&response[..cut]), at(2));
        log.on_chunk(ToClient, Chunk::Data(&response[cut..]), at(3));
        let finished: Vec<_> = log.drain().collect();
        assert_eq!(finished.len(), 2, "cut at {cut}");
        let body = finished[0].response.as_ref().unwrap().body;
        assert_eq!((body.framing, body.seen_bytes), (Framing::Chunked, 15));
        assert_eq!(finished[1].status(), Some(204));
    }
}

#[test]
fn a_chunk_size_that_is_no_number_is_broken() {
    let mut log = Log::new(true);
    play(
        &mut log,
        r"> GET / HTTP/1.1\r\n\r\n
                     < HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    );
    let exchange = log.drain().next().unwrap();
    assert!(exchange.response.unwrap().broken);
}

#[test]
fn a_body_without_length_ends_with_the_fin() {
    check(
        r"> GET /page HTTP/1.0\r\n\r\n
          < HTTP/1.0 200 OK\r\n\r\n…10
          < …20
          <fin",
        &["GET /page 1-1 | 200 2-4 30"],
        &[],
    );
}

#[test]
fn a_fin_before_the_declared_length_leaves_the_response_incomplete() {
    let mut log = Log::new(true);
    play(
        &mut log,
        r"> GET / HTTP/1.1\r\n\r\n
                     < HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n…40
                     <fin",
    );
    let exchange = log.drain().next().unwrap();
    assert_eq!(told(&exchange), "GET / 1-1 | 200 2-3… 40");
    assert_eq!(exchange.response.unwrap().body.lacking_bytes(), 60);
}

#[test]
fn answers_without_a_body_are_followed_by_the_next_at_once() {
    check(
        r"> HEAD /h HTTP/1.1\r\n\r\n
          < HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n
          > GET /c HTTP/1.1\r\nIf-None-Match: x\r\n\r\n
          < HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n
          > GET /d HTTP/1.1\r\n\r\n
          < HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nd",
        &[
            "HEAD /h 1-1 | 200 2-2 0",
            "GET /c 3-3 | 304 4-4 0",
            "GET /d 5-5 | 200 6-6 1",
        ],
        &[],
    );
}

#[test]
fn continue_and_early_hints_are_no_answers() {
    let mut log = Log::new(true);
    play(
        &mut log,
        r"> POST /up HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n
          < HTTP/1.1 100 Continue\r\n\r\n
          > abc
          < HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
    );
    let exchange = log.drain().next().unwrap();
    assert_eq!(told(&exchange), "POST /up 1-3 | 201 4-4 0");
    assert_eq!(exchange.interim.unwrap().value, 103);
    assert!(exchange.request.unwrap().expects_continue);
}

#[test]
fn an_answer_before_the_request_ended_stands_with_the_request_as_it_was() {
    let log = check(
        r"> POST /big HTTP/1.1\r\nContent-Length: 100\r\n\r\n…10
          < HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n
          > …90
          > GET /next HTTP/1.1\r\n\r\n",
        &["POST /big 1-1… | 413 2-2 0"],
        &["GET /next 4-4 | ?"],
    );
    assert_eq!(log.messages(ToServer), 2);
}

#[test]
fn a_websocket_ends_the_http() {
    let mut log = Log::new(true);
    play(
        &mut log,
        r"> GET /ws HTTP/1.1\r\nUpgrade: WebSocket\r\n\r\n
                     < HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81",
    );
    let exchange = log.drain().next().unwrap();
    assert!(exchange.may_last());
    assert_eq!(
        exchange.request.unwrap().upgrade.as_deref(),
        Some("websocket")
    );
    assert_eq!(
        log.on_chunk(ToServer, Chunk::Data(b"GET / HTTP/1.1\r\n\r\n"), at(3)),
        Next::Done
    );
    assert_eq!(log.drain().count(), 0);
}

#[test]
fn a_tunnel_is_handed_over_with_what_came_early() {
    let mut log = Log::new(true);
    play(
        &mut log,
        r"> CONNECT Fp.Example:8443 HTTP/1.1\r\nHost: fp.example\r\nProxy-Authorization: Basic c2VjcmV0\r\n\r\nhel
                     > lo
                     < HTTP/1.1 200 Connection established\r\nContent-Length: 9\r\n\r\nSSH",
    );
    let tunnel = log.take_tunnel().unwrap();
    assert_eq!(tunnel.authority, "fp.example:8443");
    assert_eq!(tunnel.at.frame, 3);
    assert_eq!(tunnel.early.0, [b"hello".to_vec(), b"SSH".to_vec()]);
    let exchange = log.drain().next().unwrap();
    assert_eq!(exchange.status(), Some(200));
    assert!(!format!("{exchange:?}").contains("c2VjcmV0"));
    assert_eq!(log.on_chunk(ToClient, Chunk::Data(b"x"), at(4)), Next::Done);
}

#[test]
fn a_refused_tunnel_stays_http() {
    let mut log = check(
        r"> CONNECT fp.example:443 HTTP/1.1\r\n\r\n
          < HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 2\r\n\r\nno
          > CONNECT fp.example:443 HTTP/1.1\r\nProxy-Authorization: NTLM abc\r\n\r\n
          < HTTP/1.1 200 OK\r\n\r\n",
        &[
            "CONNECT fp.example:443 1-1 | 407 2-2 2",
            "CONNECT fp.example:443 3-3 | 200 4-4 0",
        ],
        &[],
    );
    assert!(log.take_tunnel().is_some());
}

#[test]
fn an_absolute_target_names_the_host_and_means_a_proxy() {
    let asked = request(b"GET http://u:p@Fp.Example:81/a?b HTTP/1.1\r\nHost: other\r\n\r\n");
    assert_eq!(
        (asked.host.as_deref(), asked.to_proxy),
        (Some("fp.example:81"), true)
    );
    let asked = request(b"GET /a?u=http://x/ HTTP/1.1\r\nhost:  Fp.Example \r\n\r\n");
    assert_eq!(
        (asked.host.as_deref(), asked.to_proxy),
        (Some("fp.example"), false)
    );
}

#[test]
fn the_host_is_a_name_without_port_and_never_an_address() {
    for (host, name) in [
        ("Fp.Example:8443", Some("fp.example")),
        ("fp.example.", Some("fp.example")),
        ("192.0.2.1:80", None),
        ("[2001:db8::1]:80", None),
        ("2001:db8::1", None),
    ] {
        let mut log = Log::new(true);
        play(&mut log, &format!("> CONNECT {host} HTTP/1.1\\r\\n\\r\\n"));
        assert_eq!(log.host_name(), name);
    }
}

#[test]
fn joining_inside_a_body_finds_the_next_message() {
    let mut log = Log::new(false);
    play(
        &mut log,
        r"< …1400
                     < …300
                     > GET /n HTTP/1.1\r\n\r\n
                     < HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(
        told(&log.drain().next().unwrap()),
        "GET /n 3-3 | 200 4-4 0 unsure"
    );
    assert!(log.foreign(ToServer).is_none());
}

#[test]
fn a_hole_inside_a_body_is_harmless() {
    check(
        r"> GET / HTTP/1.1\r\n\r\n
          < HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n…10
          <gap 60
          < …30
          > GET /2 HTTP/1.1\r\n\r\n",
        &["GET / 1-1 | 200 2-4 40"],
        &["GET /2 5-5 | ?"],
    );
    check(
        r"> GET / HTTP/1.1\r\n\r\n
          < HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n…10
          <gap 90
          < \r\n0\r\n\r\n",
        &["GET / 1-1 | 200 2-4 10"],
        &[],
    );
}

#[test]
fn a_hole_that_may_have_taken_a_response_makes_silence_prove_nothing() {
    check(
        r"> GET /1 HTTP/1.1\r\n\r\n
          <gap 500
          > GET /2 HTTP/1.1\r\n\r\n
          < HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        &["GET /1 1-1 | 200 4-4 0 unsure"],
        &["GET /2 3-3 | ? unsure"],
    );
}

#[test]
fn a_response_without_a_request_stands_alone() {
    check(
        r"< HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n
          <fin",
        &["? | 408 1-1 0"],
        &[],
    );
}

#[test]
fn a_response_that_the_capture_put_before_its_request_is_joined_to_it() {
    check(
        r"< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
          > GET /a HTTP/1.1\r\n\r\n",
        &["GET /a 2-2 | 200 1-1 2"],
        &[],
    );
}

#[test]
fn answers_to_unseen_head_requests_do_not_swallow_the_next() {
    let mut log = Log::new(false);
    play(
        &mut log,
        r"< HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n
                     < HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx",
    );
    let statuses: Vec<_> = log.drain().map(|exchange| exchange.status()).collect();
    assert_eq!(statuses, [Some(200), Some(404)]);
}

#[test]
fn a_client_taken_for_the_server_is_corrected_by_its_request() {
    let mut log = Log::new(false);
    play(
        &mut log,
        r"< GET / HTTP/1.1\r\n\r\n
                     > HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(log.swapped());
    assert_eq!(told(&log.drain().next().unwrap()), "GET / 1-1 | 500 2-2 0");
}

#[test]
fn plain_http_on_a_tls_port_is_told_by_the_error_page() {
    let mut log = Log::new(true);
    play(
        &mut log,
        r"> GET / HTTP/1.1\r\n\r\n
          < HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nConnection: close\r\n\r\n<html>The plain HTTP req
          < uest was sent to HTTPS port</html>
          <fin",
    );
    assert!(log.drain().next().unwrap().response.unwrap().plain_to_tls);
}

#[test]
fn a_firewall_is_told_by_header_or_page() {
    let page = r"> GET /?id=1%27 HTTP/1.1\r\n\r\n
                 < HTTP/1.1 403 Forbidden\r\n\r\n<title>Web Application Firewall</title>
                 <fin";
    let header = r"> GET / HTTP/1.1\r\n\r\n
                   < HTTP/1.1 403 Forbidden\r\nServer: Safedog/4.0.0\r\nContent-Length: 0\r\n\r\n";
    let success = r"> GET / HTTP/1.1\r\n\r\n
                    < HTTP/1.1 200 OK\r\n\r\n<title>Web Application Firewall</title>
                    <fin";
    let firewall = |transcript| {
        let mut log = Log::new(true);
        play(&mut log, transcript);
        log.drain().next().unwrap().response.unwrap().firewall
    };
    assert_eq!(firewall(page), Some("WAF"));
    assert_eq!(firewall(header), Some("SafeDog"));
    assert_eq!(firewall(success), None);
}

#[test]
fn bytes_that_are_no_http_where_http_began_are_remembered() {
    let mut log = Log::new(true);
    play(
        &mut log,
        r"> GET / HTTP/1.1\r\n\r\n
                     < SSH-2.0-OpenSSH_9.2\r\n",
    );
    assert_eq!(
        log.foreign(ToClient),
        Some(Foreign {
            at: at(2),
            tls: false,
            messages_before: 0
        })
    );
    let mut log = Log::new(true);
    log.on_chunk(ToServer, Chunk::Data(&[0x16, 3, 1, 2, 0, 1]), at(1));
    play(
        &mut log,
        r"< HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    );
    log.finish();
    assert!(log.foreign(ToServer).unwrap().tls);
    assert_eq!(log.drain().next().unwrap().status(), Some(400));
}

#[test]
fn a_cut_head_is_partial_not_answered() {
    let mut log = Log::new(true);
    play(
        &mut log,
        r"> GET / HTTP/1.1\r\n\r\n
                     < HTTP/1.1 200 OK\r\nContent-
                     <fin",
    );
    assert_eq!(log.partial(ToClient), Some(at(2)));
    assert!(log.open().next().unwrap().unanswered());
}

#[test]
fn credentials_leave_only_their_scheme() {
    let asked = request(b"GET / HTTP/1.1\r\nAuthorization: Basic c2VjcmV0\r\n\r\n");
    assert_eq!(asked.authorization.as_deref(), Some("basic"));
    let asked = request(b"GET / HTTP/1.1\r\nAuthorization: c2VjcmV0\r\n\r\n");
    assert_eq!(asked.authorization.as_deref(), Some("other"));
}

#[test]
fn http_is_told_by_its_first_bytes() {
    use crate::protocol::Probe::{NeedMore, No, Yes};
    for (start, expected) in [
        (&b"GET / HTTP/1.1\r\n"[..], Yes),
        (b"GET /a", Yes),
        (b"POST http://x/ HTTP/1.0\r\n", Yes),
        (b"CONNECT a.example:443 HTTP/1.1\r\n", Yes),
        (b"REPORT /x HTTP/1.1\n", Yes),
        (b"HTTP/1.1 200 OK\r\n", Yes),
        (b"", NeedMore),
        (b"HTT", NeedMore),
        (b"PO", NeedMore),
        (b"REPORT /x", NeedMore),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", No),
        (b"OPTIONS rtsp://a/ RTSP/1.0\r\n", No),
        (b"OPTIONS sip:a@b SIP/2.0\r\n", No),
        (b"GET /\r\n", No),
        (b"EHLO mail\r\n", No),
        (b"\x16\x03\x01\x02\x00\x01", No),
        (b"220 smtp ready\r\n", No),
    ] {
        assert_eq!(
            probe(start),
            expected,
            "{:?}",
            String::from_utf8_lossy(start)
        );
    }
}

#[test]
fn endless_heads_and_unanswered_requests_stay_bounded() {
    let mut log = Log::new(true);
    log.on_chunk(ToServer, Chunk::Data(b"GET / HTTP/1.1\r\n"), at(1));
    for _ in 0..2_000 {
        log.on_chunk(
            ToServer,
            Chunk::Data(b"X-Filler: 0123456789012345678901234567890123456789\r\n"),
            at(2),
        );
    }
    assert_eq!(log.partial(ToServer), None);
    for _ in 0..100 {
        log.on_chunk(ToServer, Chunk::Data(b"GET / HTTP/1.1\r\n\r\n"), at(3));
    }
    assert_eq!((log.open().count(), log.drain().count()), (64, 36));
    for _ in 0..3_000 {
        log.on_chunk(ToServer, Chunk::Data(b"GET / HTTP/1.1\r\n\r\n"), at(4));
    }
    assert_eq!((log.drain().count(), log.omitted), (1_024, 1_976));
}

#[test]
fn no_bytes_panic_however_they_are_cut_or_flipped() {
    let there = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nCONNECT a:1 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let back = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\nContent-Length: 3\r\nWWW-Authenticate: Basic\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\nHTTP/1.1 204\r\n\r\n";
    let mut seed = 7_u64;
    let mut random = |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..5_000 {
        let mut sides: [(Direction, Vec<u8>); 2] =
            [(ToServer, there.to_vec()), (ToClient, back.to_vec())];
        for (_, bytes) in &mut sides {
            for _ in 0..random(4) {
                let place = random(bytes.len());
                bytes[place] = random(256) as u8;
            }
        }
        let mut log = Log::new(random(2) == 0);
        for step in 0..60 {
            let (from, bytes) = &mut sides[random(2)];
            let cut = random(40).min(bytes.len());
            let part: Vec<u8> = bytes.drain(..cut).collect();
            let chunk = if random(20) == 0 {
                Chunk::Gap(random(30) as u64)
            } else {
                Chunk::Data(&part)
            };
            log.on_chunk(*from, chunk, at(step));
            let _ = log.take_tunnel();
        }
        log.finish();
        let _ = log.drain().count();
    }
}
