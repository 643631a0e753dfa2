//! The workloads. Each is made from a seed, so that every machine measures the same bytes.
//!
//! `web`: N conversations, one beginning every 200 µs, from 250 clients per /24 to 40 servers. Of a hundred, 70 are
//! healthy HTTP exchanges (handshake, one GET, a response of 200 to 3,800 bytes in segments of 1,460, a FIN each way,
//! acknowledged as Linux does), 8 are refused (SYN, RST), 7 unanswered (SYN and three retries in 7 s), 15 are name
//! lookups (one query, one answer). Round-trip times lie between 1 and 30 ms. About 8.4 packets a conversation.
//!
//! `spread`: N connections are opened; then segments of 512 bytes in which no protocol is recognised, and their
//! acknowledgements, go round all of them, so that every packet meets a connection last touched N packets ago.

use std::net::Ipv4Addr;

use super::packet::{Side, dns, ethernet, flag, ipv4, tcp, udp};
use super::pcap::Timed;

/// 2026-11-25 08:00:00 UTC.
const MORNING_US: u64 = 1_795_593_600_000_000;
/// Payload of a full segment.
const SEGMENT: usize = 1_460;

/// SplitMix64: a few lines that never change, unlike the generator of a crate.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A TCP connection that writes itself.
struct Connection<'f> {
    frames: &'f mut Vec<Timed>,
    client: Side,
    server: Side,
    sent: [u32; 2],
    us: u64,
    rtt_us: u64,
}

impl Connection<'_> {
    /// A segment of the client (0) or the server (1), and time passes.
    fn say(&mut self, from: usize, flags: u8, payload: &[u8], then_us: u64) {
        let (source, destination) = if from == 0 {
            (self.client, self.server)
        } else {
            (self.server, self.client)
        };
        let (seq, other) = (self.sent[from], self.sent[1 - from]);
        let ack = if flags & flag::ACK == 0 { 0 } else { other };
        let segment = tcp((source.1, destination.1), flags, seq, ack, payload);
        let packet = ipv4(source.0, destination.0, 6, seq as u16, &segment);
        self.frames.push(Timed {
            us: self.us,
            bytes: ethernet(0x0800, &[], &packet),
        });
        let counted = u32::from(flags & (flag::SYN | flag::FIN) != 0);
        self.sent[from] = seq.wrapping_add(payload.len() as u32 + counted);
        self.us += then_us;
    }

    fn open(&mut self) {
        self.say(0, flag::SYN, &[], self.rtt_us);
        self.say(1, flag::SYN | flag::ACK, &[], 50);
        self.say(0, flag::ACK, &[], 40);
    }

    fn refused(&mut self) {
        self.say(0, flag::SYN, &[], self.rtt_us);
        self.say(1, flag::RST | flag::ACK, &[], 0);
    }

    fn unanswered(&mut self) {
        for wait in [1_000_000, 2_000_000, 4_000_000, 0] {
            self.say(0, flag::SYN, &[], wait);
            self.sent[0] = self.sent[0].wrapping_sub(1);
        }
    }

    fn exchange(&mut self, number: usize, body: usize) {
        self.open();
        let request = request(number);
        self.say(0, flag::PSH | flag::ACK, request.as_bytes(), self.rtt_us);
        self.say(1, flag::ACK, &[], 2_000);
        let response = response(body);
        for part in response.chunks(SEGMENT) {
            self.say(1, flag::PSH | flag::ACK, part, 15);
        }
        self.say(0, flag::ACK, &[], 300);
        self.say(0, flag::FIN | flag::ACK, &[], self.rtt_us);
        self.say(1, flag::FIN | flag::ACK, &[], 50);
        self.say(0, flag::ACK, &[], 0);
    }
}

/// A GET as a client library sends it.
pub(crate) fn request(number: usize) -> String {
    format!(
        "GET /invoices/{number}?view=full HTTP/1.1\r\nHost: invoice.example\r\nUser-Agent: curl/8.5.0\r\n\
         Accept: application/json\r\nAccept-Encoding: gzip\r\nX-Request-Id: {number:016x}\r\n\r\n"
    )
}

/// Its response with a body of so many bytes.
pub(crate) fn response(body: usize) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\nServer: nginx/1.26.0\r\nDate: Wed, 25 Nov 2026 08:00:00 GMT\r\n\
         Content-Type: application/json\r\nContent-Length: {body}\r\nCache-Control: no-store\r\n\r\n"
    )
    .into_bytes();
    bytes.resize(bytes.len() + body, b'x');
    bytes
}

/// The workload `web`, in the order of time.
pub(crate) fn web(conversations: usize, seed: u64) -> Vec<Timed> {
    let mut random = Random(seed);
    let mut frames = Vec::with_capacity(conversations * 9);
    for number in 0..conversations {
        let [client, server] = ends(number, random.below(40) as u8);
        let us = MORNING_US + number as u64 * 200 + random.below(200);
        let rtt_us = 1_000 + random.below(29_000);
        let kind = random.below(100);
        if kind >= 85 {
            lookup(&mut frames, number, client, us, rtt_us);
            continue;
        }
        let mut connection = Connection {
            frames: &mut frames,
            client,
            server,
            sent: [random.below(1 << 32) as u32, random.below(1 << 32) as u32],
            us,
            rtt_us,
        };
        match kind {
            0..70 => connection.exchange(number, 200 + random.below(3_600) as usize),
            70..78 => connection.refused(),
            _ => connection.unanswered(),
        }
    }
    frames.sort_by_key(|frame| frame.us);
    frames
}

/// The workload `spread`: the frames that open the connections, and `rounds` × 2 segments on each of them.
pub(crate) fn spread(connections: usize, rounds: usize) -> (Vec<Timed>, Vec<Timed>) {
    let (mut opening, mut talk) = (Vec::new(), Vec::new());
    let payload = [0xa5_u8; 512];
    let mut us = MORNING_US;
    let mut state = Vec::with_capacity(connections);
    for number in 0..connections {
        let [client, server] = ends(number, (number % 40) as u8);
        let mut connection = Connection {
            frames: &mut opening,
            client,
            server,
            sent: [number as u32, !(number as u32)],
            us,
            rtt_us: 5,
        };
        connection.open();
        us = connection.us - 90;
        state.push(connection.sent);
    }
    for _ in 0..rounds {
        for (number, sent) in state.iter_mut().enumerate() {
            let [client, server] = ends(number, (number % 40) as u8);
            let mut connection = Connection {
                frames: &mut talk,
                client,
                server,
                sent: *sent,
                us,
                rtt_us: 5,
            };
            connection.say(0, flag::PSH | flag::ACK, &payload, 2);
            connection.say(1, flag::ACK, &[], 2);
            us = connection.us;
            *sent = connection.sent;
        }
    }
    opening.sort_by_key(|frame| frame.us);
    (opening, talk)
}

/// Client and server of a conversation: no two have the same four.
fn ends(number: usize, server: u8) -> [Side; 2] {
    let client = number % 10_000;
    let octets = [10, 1, (client / 250) as u8, (client % 250) as u8 + 1];
    [
        (Ipv4Addr::from(octets), 20_000 + (number / 10_000) as u16),
        (Ipv4Addr::new(10, 200, 0, server + 1), 80),
    ]
}

fn lookup(frames: &mut Vec<Timed>, number: usize, client: Side, us: u64, rtt_us: u64) {
    let resolver = (Ipv4Addr::new(10, 200, 1, 53), 53);
    let name = format!("host-{}.invoice.example", number % 500);
    let address = Ipv4Addr::new(10, 200, 0, (number % 40) as u8 + 1);
    let answers = [(client, resolver, None), (resolver, client, Some(address))];
    for (place, (source, destination, answer)) in answers.into_iter().enumerate() {
        let message = dns(number as u16, &name, answer);
        let datagram = udp((source.1, destination.1), &message);
        let packet = ipv4(source.0, destination.0, 17, number as u16, &datagram);
        frames.push(Timed {
            us: us + place as u64 * rtt_us,
            bytes: ethernet(0x0800, &[], &packet),
        });
    }
}
