//! `wirefault live` on real interfaces, in network namespaces of its own: what it tells, what it gives up, and what
//! befalls a run of weeks. Needs root and `ip`; elsewhere it says that it was skipped.
#![cfg(feature = "live")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for other programs by the machine's time"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use support::beside::{Beside, installed, until};
use support::run::{json, list, text};

/// A client and a server, each in a namespace of its own, with a cable between them.
struct Net {
    client: String,
    server: String,
}

fn sh(command: &str) {
    let done = Command::new("sh").args(["-c", command]).output();
    let done = done.expect("a shell");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command}: {said}");
}

impl Net {
    /// `None`, said loudly, where there is no right to it.
    fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let root = Command::new("id").arg("-u").output().expect("id");
        if root.stdout != b"0\n" || !installed("ip") {
            eprintln!("SKIPPED: no root or no `ip`: nothing is captured on interfaces");
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |side: &str| format!("wf{side}{}x{number}", std::process::id());
        let net = Self {
            client: name("c"),
            server: name("s"),
        };
        for space in [&net.client, &net.server] {
            sh(&format!(
                "ip netns add {space} && ip -n {space} link set lo up"
            ));
        }
        net.cable();
        Some(net)
    }

    fn cable(&self) {
        let (client, server) = (&self.client, &self.server);
        sh(&format!(
            "ip link add eth0 netns {client} type veth peer name lan netns {server} &&
             ip -n {client} addr add 192.0.2.9/24 dev eth0 && ip -n {server} addr add 192.0.2.1/24 dev lan &&
             ip -n {client} link set eth0 up && ip -n {server} link set lan up"
        ));
    }

    /// The client tries to connect; whether that works is not asked.
    fn connect(&self, port: u16) {
        let tried = format!("</dev/tcp/192.0.2.1/{port}");
        let _ = Command::new("ip")
            .args([
                "netns",
                "exec",
                &self.client,
                "timeout",
                "2",
                "bash",
                "-c",
                &tried,
            ])
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for space in [&self.client, &self.server] {
            let _ = Command::new("ip").args(["netns", "del", space]).status();
        }
    }
}

/// A run on the server's interface.
struct Run {
    child: Child,
    said: PathBuf,
    lines: PathBuf,
}

impl Run {
    fn start(net: &Net, folder: &Path, more: &[&str]) -> Self {
        let (said, lines) = (folder.join("said"), folder.join("out.jsonl"));
        let child = Command::new("ip")
            .args([
                "netns",
                "exec",
                &net.server,
                env!("CARGO_BIN_EXE_wirefault"),
            ])
            .args(["live", "-i", "lan", "--format", "jsonl", "-o"])
            .arg(&lines)
            .args(more)
            .stdout(Stdio::null())
            .stderr(fs::File::create(&said).expect("a file"))
            .spawn()
            .expect("ip starts");
        let run = Self { child, said, lines };
        run.says("file system:");
        run
    }

    fn says(&self, what: &str) -> String {
        let said = || fs::read_to_string(&self.said).unwrap_or_default();
        until(&format!("the run says `{what}`"), || said().contains(what));
        let said = said();
        let line = said.lines().find(|line| line.contains(what));
        line.unwrap_or_default().to_owned()
    }

    /// What it told so far, whole lines alone.
    fn told(&self) -> Vec<Value> {
        let all = fs::read_to_string(&self.lines).unwrap_or_default();
        let whole = all.rfind('\n').map_or("", |end| &all[..end]);
        whole.lines().map(json).collect()
    }

    fn tells(&self, kind: &str, code: &str) -> Value {
        let found = || {
            let told = self.told().into_iter();
            let mut fits = told.filter(|line| text(line, "type") == kind);
            fits.find(|line| code.is_empty() || text(line, "code") == code)
        };
        until(&format!("{kind} {code} is told"), || found().is_some());
        found().expect("it was told")
    }

    fn signal(&self, signal: &str) {
        // `ip netns exec` becomes the program: the number is its own.
        sh(&format!("kill -{signal} {}", self.child.id()));
    }

    /// SIGTERM; gives everything that was told.
    fn end(mut self) -> Vec<Value> {
        self.signal("TERM");
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0));
        let told = self.told();
        assert_eq!(told.last().map(|line| text(line, "type")), Some("summary"));
        told
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pause(milliseconds: u64) {
    std::thread::park_timeout(Duration::from_millis(milliseconds));
}

/// Code, client and server of each finding about the network.
fn verdicts(findings: &[Value]) -> BTreeSet<(String, String, String)> {
    let findings = findings
        .iter()
        .filter(|row| !text(row, "code").starts_with("capture."));
    findings
        .map(|row| {
            let end = |key: &str| row.get(key).map(ToString::to_string).unwrap_or_default();
            (text(row, "code").to_owned(), end("client"), end("server"))
        })
        .collect()
}

#[test]
fn an_interface_tells_what_a_file_of_the_same_packets_tells() {
    let Some(net) = Net::new() else { return };
    if !installed("tcpdump") {
        eprintln!("SKIPPED: no tcpdump: a run on an interface is compared to no file");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("same.pcap").display().to_string();
    let tcpdump = [
        "netns",
        "exec",
        &net.server,
        "tcpdump",
        "-i",
        "lan",
        "-U",
        "-Z",
        "root",
        "-w",
    ];
    let tcpdump = Beside::start("ip", &[&tcpdump[..], &[&file]].concat());
    let run = Run::start(&net, folder.path(), &["--user", "root"]);
    until("tcpdump captures", || {
        fs::metadata(&file).is_ok_and(|meta| meta.len() >= 24)
    });
    pause(500);
    for port in [8443, 8443, 9443] {
        net.connect(port);
    }
    run.tells("finding", "transport.syn-refused");
    pause(1_500);
    drop(tcpdump);
    let live: Vec<Value> = run.end();
    let live: Vec<Value> = live
        .into_iter()
        .filter(|line| text(line, "type") == "finding")
        .collect();
    let report = support::run::wirefault(&["analyze", &file, "--format", "json", "--quiet"]);
    let report = json(&report.stdout);
    assert_eq!(verdicts(&live), verdicts(list(&report, "findings")));
    assert_eq!(verdicts(&live).len(), 3);
}

#[test]
fn root_is_given_up_and_what_is_written_belongs_to_the_one_that_it_becomes() {
    let Some(net) = Net::new() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    sh(&format!("chown nobody {}", folder.path().display()));
    let evidence = folder.path().join("evidence");
    let run = Run::start(
        &net,
        folder.path(),
        &["--evidence", &evidence.display().to_string()],
    );
    let said = run.says("file system:");
    assert!(said.contains("capabilities: cap_net_raw alone"), "{said}");
    let status = fs::read_to_string(format!("/proc/{}/status", run.child.id())).expect("a status");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.map(|line| {
            line.split_whitespace()
                .skip(1)
                .collect::<Vec<_>>()
                .join(" ")
        })
    };
    assert_eq!(field("Uid:").as_deref(), Some("65534 65534 65534 65534"));
    assert_eq!(field("CapEff:").as_deref(), Some("0000000000002000"));
    assert_eq!(field("NoNewPrivs:").as_deref(), Some("1"));
    pause(500);
    net.connect(8443);
    let incident = run.tells("incident", "");
    run.end();
    let packets = evidence.join(format!("{}.pcapng", text(&incident, "id")));
    assert!(packets.exists(), "{}", packets.display());
}

#[test]
fn rules_are_read_again_on_hangup_and_broken_ones_leave_the_old() {
    let Some(net) = Net::new() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.toml");
    let rule = |port: u16| {
        let text = format!(
            "built_in = false\n[[endpoint]]\nid = \"till\"\nmatch.addresses = [\"192.0.2.1/32\"]\nmatch.ports = [{port}]\n"
        );
        fs::write(&rules, text).expect("a file");
    };
    rule(9_999);
    let run = Run::start(
        &net,
        folder.path(),
        &["--endpoints", &rules.display().to_string()],
    );
    pause(500);
    net.connect(8443);
    rule(8_443);
    run.signal("HUP");
    run.says("is read again");
    net.connect(8443);
    let finding = run.tells("finding", "transport.syn-refused");
    assert_eq!(text(&finding, "endpoint"), "till");
    fs::write(&rules, "[[endpoint]]\nid = 7\n").expect("a file");
    run.signal("HUP");
    let said = run.says("the endpoint rules stay as they were");
    assert!(said.contains("rules.toml"), "{said}");
    run.end();
}

#[test]
fn an_interface_that_is_pulled_and_put_back_is_captured_again() {
    let Some(net) = Net::new() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let run = Run::start(&net, folder.path(), &[]);
    pause(300);
    sh(&format!("ip -n {} link del lan", net.server));
    run.says("packets are missed until it is back");
    net.cable();
    run.says("-i lan: it is back");
    net.connect(8443);
    run.tells("finding", "transport.syn-refused");
    run.end();
}

#[test]
fn packets_that_the_kernel_had_no_room_for_are_told() {
    let Some(net) = Net::new() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let run = Run::start(&net, folder.path(), &["--buffer", "1"]);
    pause(500);
    run.signal("STOP");
    let flood = "import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(20000): s.sendto(b'x' * 1000, ('192.0.2.1', 9))";
    sh(&format!(
        "ip netns exec {} python3 -c \"{flood}\"",
        net.client
    ));
    run.signal("CONT");
    let losses = run.tells("losses", "");
    assert!(losses["system_drops"].as_u64() > Some(1_000), "{losses}");
    let told = run.end();
    let summary = told.last().expect("a summary");
    assert_eq!(
        summary["summary"]["findings_by_code"]["capture.packets-dropped"],
        1
    );
}
