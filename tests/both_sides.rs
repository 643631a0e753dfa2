//! `wirefault live -i lan -i wan` on a gateway that translates addresses: what passes it is one attempt, and what it
//! keeps is told apart from what is lost behind it. Needs root, `ip`, `nft`, `curl` and `python3`; elsewhere it says
//! that it was skipped.
#![cfg(feature = "live")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for other programs by the machine's time"
)]

mod support;

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::beside::{Beside, installed, until};
use support::run::{json, text};

fn sh(command: &str) {
    let done = Command::new("sh").args(["-c", command]).output();
    let done = done.expect("a shell");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command}: {said}");
}

/// Client, gateway, server, each in a namespace of its own.
struct Office([String; 3]);

impl Office {
    /// `None`, said loudly, where there is no right to it.
    fn new() -> Option<Self> {
        let root = Command::new("id").arg("-u").output().expect("id");
        let absent = ["ip", "nft", "curl", "python3"]
            .into_iter()
            .find(|program| !installed(program));
        if root.stdout != b"0\n" || absent.is_some() {
            eprintln!("SKIPPED: no root, or no {absent:?}: no gateway was watched from both sides");
            return None;
        }
        let names = ["c", "g", "s"].map(|side| format!("wfb{side}{}", std::process::id()));
        let office = Self(names);
        let [client, gateway, server] = &office.0;
        for space in &office.0 {
            sh(&format!(
                "ip netns add {space} && ip -n {space} link set lo up"
            ));
        }
        sh(&format!(
            "ip link add eth0 netns {client} type veth peer name lan netns {gateway} &&
             ip link add wan netns {gateway} type veth peer name eth0 netns {server} &&
             ip -n {client} addr add 192.0.2.15/24 dev eth0 && ip -n {gateway} addr add 192.0.2.1/24 dev lan &&
             ip -n {gateway} addr add 203.0.113.1/24 dev wan && ip -n {server} addr add 203.0.113.20/24 dev eth0 &&
             ip -n {client} link set eth0 up && ip -n {server} link set eth0 up &&
             ip -n {gateway} link set lan up && ip -n {gateway} link set wan up &&
             ip -n {client} route add default via 192.0.2.1 &&
             ip netns exec {gateway} sysctl -qw net.ipv4.ip_forward=1"
        ));
        let rules = "table ip office { chain out { type nat hook postrouting priority 100; oifname wan masquerade; }; \
                     chain through { type filter hook forward priority 0; tcp dport 9443 drop; }; }";
        sh(&format!("ip netns exec {gateway} nft '{rules}'"));
        let rules = "table ip service { chain in { type filter hook input priority 0; tcp dport 8443 drop; }; }";
        sh(&format!("ip netns exec {server} nft '{rules}'"));
        Some(office)
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        for space in &self.0 {
            let _ = Command::new("ip").args(["netns", "del", space]).status();
        }
    }
}

/// Is a page got within so many seconds?
fn get(space: &str, port: u16, seconds: u16) -> bool {
    let url = format!("http://203.0.113.20:{port}/");
    let seconds = seconds.to_string();
    let curl = [
        "netns",
        "exec",
        space,
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-m",
        &seconds,
        &url,
    ];
    let status = Command::new("ip").args(curl).status();
    status.is_ok_and(|status| status.success())
}

/// Port, client and what the gateway did, of each silence that was told.
fn gateways(unanswered: &[Value]) -> Vec<(u64, String, String)> {
    let mut gateways: Vec<(u64, String, String)> = unanswered
        .iter()
        .map(|line| {
            let gateway = text(&line["details"], "gateway").to_owned();
            let port = line["server"]["port"].as_u64().expect("a port");
            (port, text(&line["client"], "ip").to_owned(), gateway)
        })
        .collect();
    gateways.sort();
    gateways
}

#[test]
fn a_connection_on_both_sides_of_a_gateway_is_one_attempt() {
    let Some(office) = Office::new() else { return };
    let [client, gateway, server] = &office.0;
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("index.html"), "well").expect("a page");
    let served = folder.path().display().to_string();
    let service = [
        "netns",
        "exec",
        server,
        "python3",
        "-m",
        "http.server",
        "-d",
        &served,
        "8080",
    ];
    let _service = Beside::start("ip", &service);
    let (lines, said) = (folder.path().join("out.jsonl"), folder.path().join("said"));
    let mut run = Command::new("ip")
        .args(["netns", "exec", gateway, env!("CARGO_BIN_EXE_wirefault")])
        .args([
            "live", "-i", "lan", "-i", "wan", "--format", "jsonl", "--user", "root", "-o",
        ])
        .arg(&lines)
        .stdout(Stdio::null())
        .stderr(fs::File::create(&said).expect("a file"))
        .spawn()
        .expect("ip starts");
    let told = || -> Vec<Value> {
        let all = fs::read_to_string(&lines).unwrap_or_default();
        let whole = all.rfind('\n').map_or("", |end| &all[..end]);
        whole.lines().map(json).collect()
    };
    until("the run listens", || {
        fs::read_to_string(&said).is_ok_and(|said| said.contains("file system:"))
    });
    // Asked beside it, the gateway sees none of it.
    until("the service answers", || get(server, 8080, 2));
    for _ in 0..3 {
        assert!(get(client, 8080, 5));
    }
    std::thread::scope(|at_once| {
        for port in [8443, 9443] {
            at_once.spawn(move || assert!(!get(client, port, 6)));
        }
    });
    let unanswered = || -> Vec<Value> {
        let of = |line: &Value| text(line, "code") == "transport.syn-unanswered";
        let found = told().into_iter().filter(of);
        found
            .filter(|line| text(line, "type") == "finding")
            .collect()
    };
    until("both silences are told", || unanswered().len() >= 2);
    sh(&format!("kill -TERM {}", run.id()));
    assert!(run.wait().is_ok_and(|status| status.success()));
    let office_client = "192.0.2.15".to_owned();
    let expected = [
        (8443, office_client.clone(), "left".to_owned()),
        (9443, office_client, "not-left".to_owned()),
    ];
    assert_eq!(gateways(&unanswered()), expected);
    let told = told();
    let summary = told.last().expect("a last line");
    assert_eq!(summary["summary"]["attempts"]["failed"], 2, "{summary}");
    assert_eq!(summary["summary"]["attempts"]["ok"], 3, "{summary}");
}
