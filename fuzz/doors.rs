//! The doors through which bytes from outside come in, one per fuzz target. The fuzzers use them on nightly, and
//! `tests/hostile.rs` replays their corpus through them on stable.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a fuzzer fails by panicking"
)]

use std::io::Cursor;
use std::net::IpAddr;
use std::sync::Arc;

use wirefault::decode::{self, LinkFacts, fragment::Fragments};
use wirefault::engine::{Engine, Options};
use wirefault::failure::Lang;
use wirefault::flow::leases::Leases;
use wirefault::flow::quic::Tries;
use wirefault::flow::tunnels::Tunnels;
use wirefault::ingest::{self, Batch, Feed, Frame, LinkType};
use wirefault::mark::Direction::{ToClient, ToServer};
use wirefault::mark::Mark;
use wirefault::protocol::tls::chain::{TrustStore, Verifier};
use wirefault::protocol::{Chunk, Next, Observer, dhcp, dns, http1, http2, ppp, tls};
use wirefault::report::{self, Settings, Told};
use wirefault::tcp::stream::Stream;
use wirefault::time::Timestamp;

/// Link types whose frames are read; a fuzzed frame names one of them by its first byte.
const LINKS: [u16; 16] = [
    0, 1, 9, 12, 50, 51, 101, 105, 108, 113, 127, 192, 228, 229, 276, 220,
];

/// Sends `data` through the door of this target.
pub(crate) fn enter(target: &str, data: &[u8]) {
    match target {
        "ingest" => ingest(data),
        "decode" => decode(data),
        "reassembly" => reassembly(data),
        "dns" => dns(data),
        "tunnels" => tunnels(data),
        "http1" => http1(data),
        "http2" => http2(data),
        "tls" => tls(data),
        "whole" => whole(data),
        _ => unreachable!("no fuzz target {target}"),
    }
}

/// Ports of tunnels and QUIC; 0 stands for DHCP, 1 for PPP in GRE, 1723 for PPTP's control connection.
const PORTS: [u16; 9] = [500, 4500, 1701, 1194, 51_820, 1723, 0, 1, 443];

/// Datagrams of tunnels, of QUIC and of DHCP, one after the other: two bytes of length before each, the first byte of all names
/// the port, and every other one goes the other way.
pub(crate) fn tunnels(data: &[u8]) {
    let Some((&first, mut rest)) = data.split_first() else {
        return;
    };
    let port = PORTS[usize::from(first) % PORTS.len()];
    let ends = [
        (IpAddr::from([192, 0, 2, 15]), port),
        (IpAddr::from([203, 0, 113, 20]), port),
    ];
    let (mut tunnels, mut leases) = (Tunnels::default(), Leases::default());
    let mut quic = Tries::default();
    let mut turn = 0_u32;
    while let Some((&[high, low], later)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes([high, low])).min(later.len());
        let (payload, behind) = later.split_at(len);
        let (from, to) = (ends[turn as usize % 2], ends[(turn as usize + 1) % 2]);
        let at = Mark {
            time: Timestamp::from_ns(i64::from(turn) * 700_000_000),
            frame: turn,
            ..Mark::default()
        };
        match port {
            0 => {
                leases.on_datagram((from.0, to.0), payload, &LinkFacts::default(), at);
                dhcp::parse6(payload);
            }
            1 => tunnels.on_gre_ppp(from.0, to.0, 0xc021, payload, at),
            1723 => tunnels.on_pptp(from, to, payload, at),
            _ => tunnels.on_datagram(from, to, payload, len, at),
        }
        quic.on_datagram(from, to, payload, len, at);
        ppp::frame(payload);
        ppp::discovery_error(payload);
        turn += 1;
        rest = behind;
    }
    let sent: u32 = tunnels.asks().iter().map(|ask| ask.sent).sum();
    assert!(sent <= turn, "no more questions than datagrams");
    tunnels.silences();
}

/// A file into frames; the same frames in small blocks and in large ones.
pub(crate) fn ingest(data: &[u8]) {
    let read = |block_bytes, batch_frames| {
        let stream = Box::new(Cursor::new(data.to_vec()));
        let options = ingest::Options {
            block_bytes,
            batch_frames,
        };
        let mut feed = Feed::of_stream("-", stream, &options).ok()?;
        let mut batch = Batch::default();
        let (mut frames, mut bytes) = (0_usize, 0_usize);
        while feed.next(&mut batch) {
            frames += batch.frames.len();
            bytes += batch
                .frames
                .iter()
                .map(|frame| batch.frame(frame).bytes.len())
                .sum::<usize>();
        }
        Some((frames, bytes))
    };
    assert_eq!(
        read(512, 1),
        read(1 << 20, 1 << 20),
        "frames depend on the sizes of blocks"
    );
}

/// A frame into its packet, and its fragments together: the first byte says the link type, the second how often the
/// rest is cut.
pub(crate) fn decode(data: &[u8]) {
    let [link, parts, rest @ ..] = data else {
        return;
    };
    let link = LinkType(LINKS[usize::from(*link) % LINKS.len()]);
    let mut fragments = Fragments::default();
    for (number, bytes) in rest
        .chunks((rest.len() / (1 + usize::from(*parts % 8))).max(1))
        .enumerate()
    {
        let at = Mark {
            frame: number as u32 + 1,
            ..Mark::default()
        };
        let frame = Frame {
            at,
            clock: at.time,
            interface: 0,
            link,
            fcs_len: 0,
            wire_len: bytes.len() as u32,
            bytes,
        };
        let packet = decode::decode(&frame);
        if let Some(joined) = fragments.push(&packet, at.time) {
            let _ = joined.packet();
        }
    }
}

/// Segments of one stream in any order: what is delivered is what was sent, in order, with gaps where it was not.
pub(crate) fn reassembly(data: &[u8]) {
    let byte = |position: u64| (position ^ position >> 8).wrapping_mul(151) as u8;
    let mut stream = Stream::default();
    stream.start_at(0);
    let (mut cursor, mut end, mut acked) = (0_u64, 0_u64, 0_u64);
    for (number, operation) in data.chunks_exact(6).enumerate() {
        let at = Mark {
            time: Timestamp::from_ns(number as i64 * i64::from(operation[5]) * 1_000_000),
            frame: number as u32 + 1,
            ..Mark::default()
        };
        let position = u64::from(u16::from_le_bytes([operation[1], operation[2]]));
        let length = u64::from(operation[3]) * 8;
        let mut sink = |chunk: Chunk<'_>, _: Mark| {
            match chunk {
                Chunk::Data(bytes) => {
                    for found in bytes {
                        assert_eq!(*found, byte(cursor), "byte {cursor} is not the one sent");
                        cursor += 1;
                    }
                }
                Chunk::Gap(length) => cursor += length,
                Chunk::Fin => {}
            }
            Next::More
        };
        match operation[0] % 8 {
            0..=4 => {
                let bytes: Vec<u8> = (position..position + length).map(byte).collect();
                let cut = u64::from(operation[4] % 16);
                end = end.max(position + length + cut);
                stream.push(position, &bytes, cut, acked, at, &mut sink);
            }
            5 => {
                acked = acked.max(position);
                stream.on_ack(acked, at, &mut sink);
            }
            6 => stream.fin(end, at, &mut sink),
            _ => stream.finish(acked, at, &mut sink),
        }
        assert!(cursor <= end, "{cursor} delivered of {end}");
    }
}

/// Feeds an observer both directions through real streams: each piece of `data` begins with a byte that says who
/// sends it and how long it is, or that there is a hole.
fn converse(data: &[u8], observer: &mut dyn Observer) {
    let mut streams = [Stream::default(), Stream::default()];
    let mut positions = [0_u64; 2];
    let mut broken = false;
    let mut rest = data;
    let mut frame = 0;
    while let [head, tail @ ..] = rest {
        frame += 1;
        let at = Mark {
            frame,
            time: Timestamp::from_ns(i64::from(frame) * 1_000_000),
            ..Mark::default()
        };
        let from = if head & 1 == 0 { ToServer } else { ToClient };
        let length = (usize::from(head >> 2) * 16).max(1).min(tail.len());
        let (bytes, next) = tail.split_at(length);
        rest = next;
        let Some((stream, position)) = streams
            .get_mut(from.index())
            .zip(positions.get_mut(from.index()))
        else {
            return;
        };
        let mut sink = |chunk: Chunk<'_>, at: Mark| {
            if broken {
                return Next::Done;
            }
            let next = observer.on_chunk(from, chunk, at);
            if let (Next::Wait { used, want }, Chunk::Data(bytes)) = (next, chunk) {
                assert!(used <= bytes.len(), "more bytes used than there were");
                assert!(want > bytes.len() - used, "waits for what is there");
            }
            broken |= matches!(next, Next::Broken(_));
            next
        };
        if head & 2 == 0 {
            stream.push(*position, bytes, 0, 0, at, &mut sink);
        }
        *position += length as u64;
    }
    let at = Mark {
        frame: frame + 1,
        ..Mark::default()
    };
    for from in [ToServer, ToClient] {
        let end = positions[from.index()];
        let mut sink = |chunk: Chunk<'_>, at: Mark| observer.on_chunk(from, chunk, at);
        if !broken {
            streams[from.index()].finish(end, at, &mut sink);
        }
    }
}

/// A datagram, and a connection of messages.
pub(crate) fn dns(data: &[u8]) {
    if let Some(message) = dns::parse(data) {
        assert!(format!("{message:?}").len() < 1 << 24);
    }
    let _ = dns::looks_like(data, (40_000, 53));
    let _ = dns::tcp::probe(data, (40_000, 853));
    let mut connection = dns::Tcp::default();
    converse(data, &mut connection);
    let _ = connection.take();
}

/// Requests and responses, from the connection's first byte and from its middle.
pub(crate) fn http1(data: &[u8]) {
    for from_start in [true, false] {
        let mut log = http1::Log::new(from_start);
        converse(data, &mut log);
        log.finish();
        let _ = log.drain().count();
    }
}

/// Frames from the connection's first byte and from its middle; and the bytes as a header block.
pub(crate) fn http2(data: &[u8]) {
    for start in [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], b""] {
        let mut log = http2::Log::default();
        if !start.is_empty() {
            log.on_chunk(ToServer, Chunk::Data(start), Mark::default());
        }
        converse(data, &mut log);
        log.finish();
        let left = std::iter::from_fn(|| log.next_ended()).count();
        assert!(left <= 1_024 && log.open().count() <= 256 + 32);
    }
    let _ = http2::joined(data);
    let mut decoder = http2::hpack::Decoder::default();
    for block in data.chunks(64) {
        let mut bytes = 0;
        let read = decoder.decode(block, &mut |name, value| {
            bytes += name.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        });
        if read.is_err() {
            decoder.lose();
        }
    }
}

/// The same session with secrets under its random: they open nothing, and much is tried.
fn opened(data: &[u8], random: &[u8; 32]) {
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let labels = [
        ("CLIENT_RANDOM", 48),
        ("CLIENT_EARLY_TRAFFIC_SECRET", 32),
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 32),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", 32),
        ("CLIENT_TRAFFIC_SECRET_0", 32),
        ("SERVER_TRAFFIC_SECRET_0", 32),
    ];
    let lines: String = labels
        .iter()
        .map(|(label, length)| format!("{label} {random} {}\n", "5a".repeat(*length)))
        .collect();
    let keys = tls::KeyLog::default();
    let _ = keys.read(lines.as_bytes());
    let _ = keys.read(data);
    let mut session = tls::Session::opened_by(Arc::new(keys));
    converse(data, &mut session);
    let _ = (session.opening(), session.stage(), session.take_plain());
}

/// Records of both sides; and the bytes as a chain of one certificate, and as an OCSP response stapled to one.
pub(crate) fn tls(data: &[u8]) {
    let mut session = tls::Session::default();
    converse(data, &mut session);
    let _ = (
        session.stage(),
        session.sni().map(str::len),
        session.version(),
    );
    if let Some(hello) = &session.client_hello {
        opened(data, &hello.value.random);
    }
    let mut verifier = Verifier::new(Arc::new(TrustStore::bundled()));
    let mut chains = vec![vec![Arc::from(data)]];
    chains.extend(session.certificates.map(|sent| sent.value));
    let mut stapled: Vec<Arc<[u8]>> = vec![Arc::from(data)];
    stapled.extend(session.stapled.into_iter().flat_map(|sent| sent.value));
    for sent in chains {
        let _ = verifier.judge(
            &sent,
            &stapled,
            Some("invoice.example"),
            Timestamp::from_ns(1_795_540_000_000_000_000),
        );
    }
}

/// A file into its report, as JSON and as text in both languages.
pub(crate) fn whole(data: &[u8]) {
    let stream = Box::new(Cursor::new(data.to_vec()));
    let Ok(mut feed) = Feed::of_stream("-", stream, &ingest::Options::default()) else {
        return;
    };
    let options = Options {
        threads: 1,
        rows: true,
        trust: Arc::new(TrustStore::bundled()),
    };
    let mut engine = Engine::new(&options).expect("one thread is always to be had");
    let mut batch = Batch::default();
    while feed.next(&mut batch) {
        engine.push(&batch);
    }
    let files = feed.files().to_vec();
    let diagnosis = engine.finish(&files);
    let rows = report::table::json(&diagnosis.rows);
    assert!(
        serde_json::from_str::<serde_json::Value>(&rows).is_ok(),
        "the table is no JSON"
    );
    let settings = Settings {
        lang: Lang::Zh,
        zone: jiff::tz::TimeZone::UTC,
        findings_max: 3,
        since: None,
        until: None,
        redact: true,
        color: true,
        width: 60,
        threads: 1,
    };
    let told = Told::lazily(diagnosis, &files, feed.interfaces(), &settings);
    let mut json = Vec::new();
    report::json::report(&told, &mut json).expect("memory can be written to");
    assert!(
        serde_json::from_slice::<serde_json::Value>(&json).is_ok(),
        "the report is no JSON"
    );
    let told = told.whole();
    let _ = (
        report::text::write(&told, &settings),
        report::markdown::write(&told, &settings),
    );
}
