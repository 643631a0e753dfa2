//! A wire in a namespace of its own, and the frames that go over it.

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wirefault::time::SECOND;

use crate::ROOTS;

/// Waits, however often it is woken.
pub(crate) fn until(due: Instant) {
    while let Some(left) = due
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        std::thread::park_timeout(left);
    }
}

/// A namespace with a cable both of whose ends are in it.
pub(crate) struct Wire(String);

pub(crate) fn sh(command: &str) -> bool {
    let ran = Command::new("sh")
        .args(["-c", command])
        .stderr(Stdio::null())
        .status();
    ran.is_ok_and(|status| status.success())
}

impl Wire {
    pub(crate) fn new(number: usize) -> Self {
        let name = format!("wfp{}x{number}", std::process::id());
        let made = sh(&format!(
            "ip netns add {name} && ip netns exec {name} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 &&
             ip -n {name} link add near type veth peer name far &&
             ip -n {name} link set near mtu 65000 arp off up && ip -n {name} link set far mtu 65000 arp off up promisc on"
        ));
        assert!(made, "a namespace and a veth pair need root and `ip`");
        Self(name)
    }

    pub(crate) fn listen(&self, program: &str, path: &Path) -> Child {
        let mut command = Command::new("ip");
        command.args([
            "netns", "exec", &self.0, program, "live", "-i", "far", "--format", "jsonl", "--user",
            "root",
        ]);
        command.args(["--ca-bundle", ROOTS]);
        let beside = [
            ("--endpoints", path.with_file_name("endpoints.toml")),
            ("--keylog", path.with_extension("keys")),
        ];
        for (option, file) in beside.iter().filter(|(_, file)| file.is_file()) {
            command.arg(option).arg(file);
        }
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts")
    }

    /// Sends the frames at their distances; gives when the first one was sent.
    pub(crate) fn send(&self, frames: &[(i64, Vec<u8>)]) -> Instant {
        let space = File::open(format!("/var/run/netns/{}", self.0)).expect("the namespace");
        let network = rustix::thread::LinkNameSpaceType::Network;
        rustix::thread::move_into_link_name_space(space.as_fd(), Some(network))
            .expect("the right to enter it");
        let mut end = pcap::Capture::from_device("near")
            .and_then(|end| end.open())
            .expect("an interface");
        let began = Instant::now();
        for (at, frame) in frames {
            let due = began + Duration::from_nanos(u64::try_from(*at).unwrap_or(0));
            until(due);
            end.sendpacket(frame.as_slice()).expect("a frame is sent");
        }
        began
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        sh(&format!("ip netns del {}", self.0));
    }
}

/// Whole Ethernet frames in their order of time, from the first one on; `None` where a wire cannot carry them.
pub(crate) fn frames(path: &Path) -> Option<Vec<(i64, Vec<u8>)>> {
    let bytes = fs::read(path).ok()?;
    let unit = match bytes.get(..4)? {
        [0xd4, 0xc3, 0xb2, 0xa1] => 1_000,
        [0x4d, 0x3c, 0xb2, 0xa1] => 1,
        _ => return None,
    };
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if word(20)? != 1 {
        return None;
    }
    let (mut at, mut all) = (24, Vec::new());
    while at < bytes.len() {
        let (stored, long) = (word(at + 8)? as usize, word(at + 12)? as usize);
        if stored != long || !(14..=65_000).contains(&stored) {
            return None;
        }
        let time = i64::from(word(at)?) * SECOND + i64::from(word(at + 4)?) * unit;
        all.push((time, bytes.get(at + 16..at + 16 + stored)?.to_vec()));
        at += 16 + stored;
    }
    let first = all.first()?.0;
    // A wire has no past.
    let in_order = all.is_sorted_by_key(|(time, _)| *time);
    all.iter_mut().for_each(|(time, _)| *time -= first);
    in_order.then_some(all)
}
