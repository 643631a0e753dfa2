//! What systemd is told (sd_notify(3)): ready, alive, how it goes, stopping. Nothing where it did not ask.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::report::schema::{Finding, Incident};
use crate::report::stream::{Pulse, Tell};
use crate::report::{Findings, Told};

/// The socket that systemd listens on.
pub(super) struct Notify {
    socket: UnixDatagram,
    ready: bool,
}

impl Notify {
    /// By the environment; `None` where nobody listens.
    pub(super) fn from_environment() -> Option<Self> {
        let name = std::env::var("NOTIFY_SOCKET").ok()?;
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(&name),
        };
        let socket = UnixDatagram::unbound().ok()?;
        socket.connect_addr(&address.ok()?).ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Self {
            socket,
            ready: false,
        })
    }

    /// Whether it arrives is systemd's to watch.
    fn say(&self, words: &str) {
        let _ = self.socket.send(words.as_bytes());
    }
}

impl Tell for Notify {
    fn begin(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn pulse(&mut self, pulse: &Pulse) -> io::Result<()> {
        if !self.ready {
            self.ready = true;
            self.say("READY=1");
        }
        self.say(&format!(
            "WATCHDOG=1\nSTATUS={} packets, {} lost",
            pulse.packets,
            pulse.interface_drops.saturating_add(pulse.system_drops)
        ));
        Ok(())
    }

    fn finding(&mut self, _: &Finding) -> io::Result<()> {
        Ok(())
    }

    fn incident(&mut self, _: &Incident) -> io::Result<()> {
        Ok(())
    }

    fn endpoints(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Told<Findings>) -> io::Result<()> {
        self.say("STOPPING=1");
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }
}
