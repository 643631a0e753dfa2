//! Incidents over several sets: the halves of an office, captured at two places, tell what the whole tells.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::Value;
use support::run::wirefault;
use support::split;
use tempfile::TempDir;

const ROOTS: &str = "captures/lab/roots.pem";
/// The pcap header, and what stands before a packet.
const HEADER: usize = 24;
const RECORD: usize = 16;

/// Captures of incidents of one office, in Ethernet frames.
fn offices() -> Vec<String> {
    let mut paths = Vec::new();
    support::walk(Path::new("captures/incident"), &mut paths);
    paths.retain(|path| path.ends_with(".pcap"));
    paths.sort();
    assert!(paths.len() > 20, "captures/incident holds captures");
    paths
}

/// A pcap file apart.
struct Pcap {
    header: Vec<u8>,
    records: Vec<Vec<u8>>,
}

impl Pcap {
    fn read(path: &str) -> Self {
        let bytes = fs::read(path).expect("a capture");
        let starts = split::records(&bytes).expect("a sound pcap");
        let records = starts.windows(2).map(|at| bytes[at[0]..at[1]].to_vec());
        Self {
            header: bytes[..HEADER].to_vec(),
            records: records.collect(),
        }
    }

    /// Writes those records that are wanted.
    fn write(&self, path: &Path, wanted: impl Fn(&[u8]) -> bool) {
        let records = self.records.iter().filter(|record| wanted(record));
        let bytes: Vec<u8> = self
            .header
            .iter()
            .chain(records.flatten())
            .copied()
            .collect();
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }

    /// Later by so many milliseconds, less than a second.
    fn later(mut self, ms: u32) -> Self {
        let parts = if self.header[0] == 0x4d {
            1_000_000_000
        } else {
            1_000_000
        };
        for record in &mut self.records {
            let word = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().expect("four"));
            let sum = word(4) + parts / 1_000 * ms;
            let seconds = word(0) + sum / parts;
            record[..4].copy_from_slice(&seconds.to_le_bytes());
            record[4..8].copy_from_slice(&(sum % parts).to_le_bytes());
        }
        self
    }

    /// The office's 192.0.2.0/24 as 10.0.184.0/24: checksums stay right, since the sum of the words does.
    fn in_private(mut self) -> Self {
        for record in &mut self.records {
            for at in addresses(record) {
                if record[at..at + 3] == [192, 0, 2] {
                    record[at..at + 3].copy_from_slice(&[10, 0, 184]);
                }
            }
        }
        self
    }
}

/// Where the two IPv4 addresses of a frame stand.
fn addresses(record: &[u8]) -> Vec<usize> {
    let ip = RECORD + 14;
    let is_ip = record.get(ip - 2..ip) == Some(&[8, 0]) && record.len() >= ip + 20;
    if is_ip {
        vec![ip + 12, ip + 16]
    } else {
        Vec::new()
    }
}

/// The client of the office, by the last byte of its address; `None` where none is in it.
fn client(record: &[u8], network: [u8; 3]) -> Option<u8> {
    let own = addresses(record)
        .into_iter()
        .filter(|at| record[*at..*at + 3] == network);
    own.map(|at| record[at + 3]).find(|last| *last != GATEWAY)
}

/// A half of the office; frames of nobody in it are in both.
fn half(record: &[u8], network: [u8; 3], even: bool) -> bool {
    client(record, network).is_none_or(|client| client.is_multiple_of(2) == even)
}

/// The gateway of the office is everybody's resolver.
const GATEWAY: u8 = 1;
const OFFICE: [u8; 3] = [192, 0, 2];
const PRIVATE: [u8; 3] = [10, 0, 184];

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// What is told of the incidents, but for which findings they have: scope, cause, clients, attempts, times.
fn incidents(report: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(report).expect("a report");
    let incidents = report["incidents"].as_array().expect("incidents");
    incidents
        .iter()
        .map(|one| {
            let first = &one["hypotheses"][0];
            format!(
                "{} {} {} of {} clients, {}, from {} to {}",
                one["scope"],
                first["cause"],
                first["score"],
                one["clients"],
                one["attempts"],
                one["start"],
                one["end"]
            )
        })
        .collect()
}

/// Scope, cause and clients alone.
fn verdicts(report: &str) -> Vec<(String, String, u64)> {
    let report: Value = serde_json::from_str(report).expect("a report");
    let incidents = report["incidents"].as_array().expect("incidents");
    let word = |value: &Value| value.as_str().expect("a word").to_owned();
    incidents
        .iter()
        .map(|one| {
            let cause = word(&one["hypotheses"][0]["cause"]);
            (
                word(&one["scope"]),
                cause,
                one["clients"].as_u64().expect("a number"),
            )
        })
        .collect()
}

fn analyzed(path: &str) -> String {
    let ran = wirefault(&["analyze", path, "--format", "json", "--ca-bundle", ROOTS]);
    assert!(matches!(ran.status, 0 | 4), "{}", ran.stderr);
    ran.stdout
}

/// The report over an archive.
fn reported(archive: &Path, out: &Path) -> String {
    let (archive, out) = (text(archive), text(out));
    let ran = wirefault(&["batch", &archive, "--out", &out, "--ca-bundle", ROOTS]);
    assert!(matches!(ran.status, 0 | 4), "{}", ran.stderr);
    let ran = wirefault(&["report", &out, "--format", "json"]);
    assert!(matches!(ran.status, 0 | 4), "{}", ran.stderr);
    ran.stdout
}

#[test]
fn two_halves_of_an_office_tell_what_the_whole_tells() {
    // Only one half sees the tunnel fail; that the other lies in the same private network nothing says.
    let apart = "captures/incident/vpn-down/branch.pcap";
    for path in offices().iter().filter(|path| *path != apart) {
        let folder = TempDir::new().expect("a temporary folder");
        let archive = folder.path().join("in");
        let pcap = Pcap::read(path);
        for (point, even) in [("even", true), ("odd", false)] {
            let file = archive.join(point).join("lan.pcap");
            pcap.write(&file, |record| half(record, OFFICE, even));
        }
        let told = verdicts(&reported(&archive, &folder.path().join("out")));
        assert_eq!(told, verdicts(&analyzed(path)), "{path}");
    }
}

#[test]
fn what_two_points_saw_counts_once_in_an_incident() {
    // Who answered after it was over is seen of the whole as one fold, of two points as two.
    let folds = ["vip-failover-4s", "nat-table-full"];
    let whole = |path: &&String| !folds.iter().any(|fold| path.contains(fold));
    for path in offices().iter().filter(whole) {
        let folder = TempDir::new().expect("a temporary folder");
        let archive = folder.path().join("in");
        Pcap::read(path).write(&archive.join("near/lan.pcap"), |_| true);
        let late = Pcap::read(path).later(150);
        late.write(&archive.join("far/lan.pcap"), |_| true);
        let told = reported(&archive, &folder.path().join("out"));
        let counts = |report: &str| -> Vec<String> {
            let spans = incidents(report);
            let counts = spans
                .iter()
                .map(|one| one.split(", from ").next().unwrap_or("").to_owned());
            counts.collect()
        };
        assert_eq!(counts(&told), counts(&analyzed(path)), "{path}");
    }
}

#[test]
fn private_addresses_of_two_points_are_two_networks_until_a_connection_says_otherwise() {
    let path = "captures/incident/port-blocked/office.pcap";
    let folder = TempDir::new().expect("a temporary folder");
    let pcap = || Pcap::read(path).in_private();
    let clients: BTreeSet<u8> = pcap()
        .records
        .iter()
        .filter_map(|record| client(record, PRIVATE))
        .collect();
    let shared = *clients.first().expect("a client");
    for (name, both) in [("apart", None), ("met", Some(shared))] {
        let archive = folder.path().join(name);
        for (point, even) in [("even", true), ("odd", false)] {
            let file = archive.join(point).join("lan.pcap");
            pcap().write(&file, |record| {
                half(record, PRIVATE, even) || client(record, PRIVATE) == both
            });
        }
        let told = verdicts(&reported(
            &archive,
            &folder.path().join(format!("{name}-out")),
        ));
        let hit: Vec<u64> = told.iter().map(|(.., clients)| *clients).collect();
        let all: u64 = verdicts(&analyzed(path))
            .iter()
            .map(|(.., clients)| *clients)
            .sum();
        match both {
            None => {
                assert_eq!(hit.len(), 2, "{told:?}");
                assert_eq!(hit.iter().sum::<u64>(), all, "{told:?}");
            }
            Some(_) => assert_eq!(hit, [all], "{told:?}"),
        }
        let site = format!("site {}", Ipv4Addr::new(10, 0, 184, 0));
        assert!(
            told.iter().all(|(scope, ..)| !scope.starts_with(&site)),
            "{told:?}"
        );
    }
}

#[test]
fn who_is_well_at_another_point_is_evidence() {
    // One client is kept out by a ban. Alone nobody knows whether the server serves anybody.
    let path = "captures/incident/one-client-banned/office.pcap";
    let whole = verdicts(&analyzed(path));
    let banned = whole[0]
        .0
        .strip_prefix("client 192.0.2.")
        .expect("one client");
    let banned: u8 = banned.parse().expect("the last byte");
    let folder = TempDir::new().expect("a temporary folder");
    let archive = folder.path().join("in");
    let pcap = Pcap::read(path);
    pcap.write(&archive.join("here/lan.pcap"), |record| {
        client(record, OFFICE).is_none_or(|client| client == banned)
    });
    let alone = verdicts(&reported(&archive, &folder.path().join("alone")));
    assert_ne!(alone, whole, "a client alone says less");
    pcap.write(&archive.join("there/lan.pcap"), |record| {
        client(record, OFFICE).is_none_or(|client| client != banned)
    });
    let told = verdicts(&reported(&archive, &folder.path().join("out")));
    assert_eq!(told, whole);
}

#[test]
fn every_capture_of_the_lab_may_lie_in_one_archive() {
    let folder = TempDir::new().expect("a temporary folder");
    let told = reported(Path::new("captures"), &folder.path().join("out"));
    let report: Value = serde_json::from_str(&told).expect("a report");
    assert!(report["incidents"].as_array().expect("incidents").len() > 100);
}

#[test]
fn sets_done_by_any_machines_in_any_order_tell_the_same() {
    let folder = TempDir::new().expect("a temporary folder");
    let archive = folder.path().join("in");
    let mut files = Vec::new();
    for office in ["overload", "old-trust-stores", "host-down"] {
        let pcap = Pcap::read(&format!("captures/incident/{office}/office.pcap"));
        for (point, even) in [("even", true), ("odd", false)] {
            let file = archive.join(office).join(point).join("lan.pcap");
            pcap.write(&file, |record| half(record, OFFICE, even));
            files.push(text(&file));
        }
    }
    let whole = reported(&archive, &folder.path().join("out"));
    assert!(verdicts(&whole).iter().any(|(.., clients)| *clients > 5));
    let mut dice = 7_u64;
    let mut roll = |sides: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (dice >> 33) as usize % sides
    };
    for round in 0..5 {
        let mut machines: Vec<Vec<&str>> = vec![Vec::new(); 1 + roll(4)];
        for file in &files {
            let machine = roll(machines.len());
            machines[machine].push(file);
        }
        machines.retain(|files| !files.is_empty());
        let mut outs = Vec::new();
        for (machine, files) in machines.iter().enumerate() {
            let out = text(&folder.path().join(format!("{round}-{machine}")));
            let mut arguments = vec!["batch", "--ca-bundle", ROOTS, "--out", &out];
            arguments.extend(files);
            let ran = wirefault(&arguments);
            assert!(matches!(ran.status, 0 | 4), "{}", ran.stderr);
            outs.insert(roll(outs.len() + 1), out);
        }
        let mut arguments = vec!["report", "--format", "json"];
        arguments.extend(outs.iter().map(String::as_str));
        assert!(
            wirefault(&arguments).stdout == whole,
            "round {round}: {machines:?}"
        );
    }
}
