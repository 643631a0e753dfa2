//! `--memory` holds whatever the traffic is: floods from forged addresses, a million refusals, a hole that is never
//! filled, names without number. The captures are made here, byte by byte, and streamed: no stack sends them.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::io::{BufWriter, Write};
use std::process::Stdio;

use serde_json::Value;
use support::run::{json, program};

/// What `--memory` allows, in MiB.
const BOUND_MIB: u64 = 128;

/// A classic capture of raw IPv4 packets.
struct Pcap<W: Write>(BufWriter<W>);

impl<W: Write> Pcap<W> {
    fn new(out: W) -> Self {
        let mut out = BufWriter::new(out);
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
            out.write_all(&word.to_le_bytes()).expect("a reader");
        }
        Self(out)
    }

    fn packet(&mut self, micros: u64, packet: &[u8]) {
        let len = u32::try_from(packet.len()).expect("short");
        let second = u32::try_from(1_764_000_000 + micros / 1_000_000).expect("a time");
        let fraction = u32::try_from(micros % 1_000_000).expect("a fraction");
        for word in [second, fraction, len, len] {
            self.0.write_all(&word.to_le_bytes()).expect("a reader");
        }
        self.0.write_all(packet).expect("a reader");
    }

    /// A segment; `from` and `to` are addresses and ports.
    fn tcp(
        &mut self,
        micros: u64,
        ends: [(u32, u16); 2],
        flags: u8,
        numbers: (u32, u32),
        data: &[u8],
    ) {
        let mut segment = Vec::with_capacity(20 + data.len());
        for (_, port) in ends {
            segment.extend(port.to_be_bytes());
        }
        segment.extend(numbers.0.to_be_bytes());
        segment.extend(numbers.1.to_be_bytes());
        segment.extend([0x50, flags, 0x72, 0x10, 0, 0, 0, 0]);
        segment.extend(data);
        self.ip(micros, [ends[0].0, ends[1].0], 6, &segment);
    }

    fn ip(&mut self, micros: u64, ends: [u32; 2], protocol: u8, body: &[u8]) {
        let mut packet = vec![0x45, 0];
        packet.extend(u16::try_from(20 + body.len()).expect("short").to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
        for address in ends {
            packet.extend(address.to_be_bytes());
        }
        packet.extend(body);
        self.packet(micros, &packet);
    }
}

const SYN: u8 = 2;
const RST_ACK: u8 = 0x14;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
const SERVER: (u32, u16) = (0xc000_0201, 443);

/// Analyses what `write` makes, within the bound; gives the report.
fn within_bound(write: impl FnOnce(&mut Pcap<std::process::ChildStdin>)) -> Value {
    let memory = format!("{BOUND_MIB}M");
    let mut child = program(&[
        "analyze",
        "--format",
        "json",
        "--stats",
        "--threads",
        "1",
        "--memory",
        &memory,
        "-",
    ])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .expect("the program starts");
    let stdin = child.stdin.take().expect("a pipe");
    // The program writes its report once it has read all: there is no need for a second thread here.
    let mut capture = Pcap::new(stdin);
    write(&mut capture);
    capture.0.flush().expect("a reader");
    drop(capture);
    let output = child.wait_with_output().expect("the program ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    if cfg!(target_os = "linux") {
        let peak: u64 = stderr
            .rsplit_once("at most ")
            .and_then(|(_, rest)| rest.split(' ').next())
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("no peak in: {stderr}"));
        assert!(peak <= BOUND_MIB, "{peak} MiB of {BOUND_MIB}");
    }
    json(&String::from_utf8_lossy(&output.stdout))
}

/// All attempts of a report, whatever became of them.
fn attempts(report: &Value) -> u64 {
    ["ok", "failed", "answered_no", "undetermined"]
        .iter()
        .filter_map(|outcome| report["summary"]["attempts"][outcome].as_u64())
        .sum()
}

#[test]
fn a_flood_of_half_open_connections_from_forged_addresses() {
    const SYNS: u32 = 60_000;
    let report = within_bound(|capture| {
        for number in 0..SYNS {
            // Two minutes, each from another address.
            let forged = (
                0x0b00_0000 + number.wrapping_mul(0x9e37) % 0x7fff_ffff,
                1_024 + (number % 60_000) as u16,
            );
            let at = u64::from(number) * 2_000;
            capture.tcp(at, [forged, SERVER], SYN, (number, 0), &[]);
            capture.tcp(at + 50, [SERVER, forged], SYN_ACK, (7, number + 1), &[]);
        }
    });
    assert_eq!(report["summary"]["flows"], SYNS);
    // What a flood sends is nobody's attempt: it is counted apart.
    let flood = report["unjudged"]["flood-syns"].as_u64().unwrap_or(0);
    assert_eq!(attempts(&report) + flood, u64::from(SYNS));
    assert!(report["unjudged"]["connections-summed"].as_u64() > Some(0));
    assert_eq!(report["captures"][0]["memory_limited"], true);
}

#[test]
fn refusals_without_number_are_counted_one_and_all() {
    const TRIES: u32 = 40_000;
    let report = within_bound(|capture| {
        for number in 0..TRIES {
            let client = (
                0x0a00_0000 + number % 5_000,
                1_024 + (number / 5_000) as u16,
            );
            let at = u64::from(number) * 3_000;
            capture.tcp(at, [client, SERVER], SYN, (number, 0), &[]);
            capture.tcp(at + 90, [SERVER, client], RST_ACK, (0, number + 1), &[]);
        }
    });
    assert_eq!(report["summary"]["attempts"]["failed"], TRIES);
    assert_eq!(
        report["summary"]["findings_by_code"]["transport.syn-refused"],
        TRIES
    );
    assert!(report["unjudged"]["findings-summed"].as_u64() > Some(0));
}

#[test]
fn a_hole_that_is_never_filled() {
    let report = within_bound(|capture| {
        let client = (0x0a00_0001, 40_000);
        capture.tcp(0, [client, SERVER], SYN, (99, 0), &[]);
        capture.tcp(50, [SERVER, client], SYN_ACK, (499, 100), &[]);
        capture.tcp(100, [client, SERVER], ACK, (100, 500), &[]);
        // The first thousand bytes never come; what follows is never acknowledged either.
        for number in 0..60_000_u32 {
            let seq = 1_500_u32.wrapping_add(number * 1_000);
            capture.tcp(
                200 + u64::from(number) * 10,
                [SERVER, client],
                ACK,
                (seq, 100),
                &[0x61; 1_000],
            );
        }
    });
    assert_eq!(report["summary"]["flows"], 1);
}

#[test]
fn names_without_number() {
    let report = within_bound(|capture| {
        for number in 0..60_000_u32 {
            let name = format!("n{number}");
            let mut message = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            message.splice(..2, (number as u16).to_be_bytes());
            for label in [name.as_str(), "example"] {
                message.push(u8::try_from(label.len()).expect("short"));
                message.extend(label.as_bytes());
            }
            message.extend([0, 0, 1, 0, 1]);
            let datagram = |ports: [u16; 2], message: &[u8]| {
                let mut datagram = Vec::new();
                for port in ports {
                    datagram.extend(port.to_be_bytes());
                }
                let len = u16::try_from(8 + message.len()).expect("short");
                datagram.extend(len.to_be_bytes());
                datagram.extend([0, 0]);
                datagram.extend(message);
                datagram
            };
            let (client, resolver) = (0x0a00_0001 + number % 50, 0x0a00_00fe);
            let at = u64::from(number) * 1_000;
            let port = 1_024 + (number % 60_000) as u16;
            capture.ip(at, [client, resolver], 17, &datagram([port, 53], &message));
            // An address as the answer.
            let mut answer = message.clone();
            answer.splice(2..8, [0x81, 0x80, 0, 1, 0, 1]);
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend((0xcb00_7100_u32 + number).to_be_bytes());
            capture.ip(
                at + 40,
                [resolver, client],
                17,
                &datagram([53, port], &answer),
            );
        }
    });
    assert_eq!(report["summary"]["packets"], 120_000);
}
