//! Clients of every kind.

use crate::failure::Lang;
use crate::report::Settings;
use crate::tell::metrics::Metrics;

use super::*;

fn server(stall_after: Option<Duration>) -> Server {
    let settings = Settings {
        lang: Lang::En,
        zone: jiff::tz::TimeZone::UTC,
        findings_max: 1_000,
        since: None,
        until: None,
        redact: true,
        color: false,
        width: 100,
        threads: 1,
    };
    let vitals = Arc::new(Vitals::new(stall_after));
    let metrics = Metrics::new(settings, &vitals);
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    Server::start(address, metrics.page(), vitals).unwrap()
}

fn asked(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    // A server that has answered may not read the rest.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn each_request_has_its_answer() {
    let server = server(None);
    let check = |request: &str, status: &str, body: &str| {
        let answer = asked(&server, request.as_bytes());
        let begin = format!("HTTP/1.1 {status}\r\n");
        assert!(answer.starts_with(&begin), "{request:?}: {answer}");
        let (head, told) = answer.split_once("\r\n\r\n").unwrap();
        assert!(told.contains(body), "{request:?}: {answer}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.unwrap().parse().unwrap();
        let is_head = request.starts_with("HEAD");
        assert_eq!(told.len(), if is_head { 0 } else { length }, "{request:?}");
    };
    check("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK", "ok\n");
    check("GET /healthz HTTP/1.0\n\n", "200 OK", "ok\n");
    check(
        "GET /metrics?x=1 HTTP/1.1\r\n\r\n",
        "200 OK",
        "wirefault_healthy 1\n",
    );
    check("HEAD /metrics HTTP/1.1\r\n\r\n", "200 OK", "");
    check("GET / HTTP/1.1\r\n\r\n", "404 Not Found", "/metrics");
    check(
        "POST /metrics HTTP/1.1\r\n\r\n",
        "405 Method Not Allowed",
        "only GET",
    );
    check("\x16\x03\x01\r\n\r\n", "400 Bad Request", "no HTTP");
    check(
        "GET /metrics SIP/2.0\r\n\r\n",
        "400 Bad Request",
        "no HTTP/1",
    );
}

#[test]
fn a_run_that_stalls_is_not_healthy() {
    let server = server(Some(Duration::ZERO));
    let answer = asked(&server, b"GET /healthz HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.ends_with("the capture stalls: no packet for 0 s\n"),
        "{answer}"
    );
}

#[test]
fn a_head_without_end_is_refused() {
    let server = server(None);
    let mut request = b"GET /metrics HTTP/1.1\r\n".to_vec();
    request.resize(HTTP_HEAD_BYTES + 1, b'x');
    let answer = asked(&server, &request);
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[test]
fn a_crowd_of_silent_clients_locks_nobody_out() {
    let server = server(None);
    let silent: Vec<TcpStream> = (0..HTTP_CONNECTIONS * 3)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    let begun = instant();
    let answer = asked(&server, b"GET /healthz HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    // The first of the crowd was cut to make room.
    let mut first = silent.first().unwrap();
    assert_eq!(first.read(&mut [0; 1]).unwrap_or(0), 0);
}
