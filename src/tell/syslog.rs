//! Incidents, as they open, grow, end or turn out to be none, to a syslog: a line each, of which at most so many a second
//! leave the machine.
//!
//! Over UDP as RFC 5424 and RFC 5426 have it, with the text as UTF-8; to a socket of the machine (`/dev/log`: rsyslogd,
//! journald) in the older form that these read, without time and host, which they add themselves. Nobody answers, so
//! nothing waits and nothing is tried again: what must not be lost goes to a webhook.

use std::fmt;
use std::io;
use std::net::{ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::failure::Lang;
use crate::report::schema::{Finding, Incident, Losses, Withdrawn};
use crate::report::stream::{Tell, line};
use crate::report::{Findings, Told};
use crate::tell::Vitals;
use crate::tell::vitals::{Receiver, instant};

/// Facility 3: a daemon.
const FACILITY: u32 = 3;
/// Lines a second; what is beyond is counted, and said with the next line.
const LINES_A_SECOND: u32 = 20;
/// RFC 5426 3.2: what every receiver takes is 480 bytes, what it should take 2,048.
const LINE_MAX: usize = 2_048;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A socket of this machine.
    Local(String),
    /// Address and port.
    Udp(String),
}

impl Target {
    /// `/dev/log`, `192.0.2.1`, `logs.example:514`, `[::1]:514`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with('/') {
            return Some(Self::Local(text.to_owned()));
        }
        let with_port = match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                text.to_owned()
            }
            _ => format!("{text}:514"),
        };
        (!text.is_empty() && !text.contains(char::is_whitespace)).then_some(Self::Udp(with_port))
    }
}

enum Socket {
    Local(UnixDatagram),
    Udp(UdpSocket),
}

/// The listener that writes lines.
pub struct Syslog {
    socket: Socket,
    host: String,
    lang: Lang,
    second: (Instant, u32),
    kept_back: u64,
    counts: Arc<Receiver>,
}

impl fmt::Debug for Syslog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syslog")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl Syslog {
    /// Lines as machine `host`; the error says why the target cannot be had.
    pub fn start(
        target: &Target,
        host: String,
        lang: Lang,
        vitals: &Vitals,
    ) -> Result<Self, String> {
        let socket = match target {
            Target::Local(path) => {
                let failed = |error: io::Error| format!("--syslog {path}: {error}");
                let socket = UnixDatagram::unbound().map_err(failed)?;
                socket.connect(path).map_err(failed)?;
                socket.set_nonblocking(true).map_err(failed)?;
                Socket::Local(socket)
            }
            Target::Udp(address) => {
                let failed = |error: io::Error| format!("--syslog {address}: {error}");
                let to = address.to_socket_addrs().map_err(failed)?.next();
                let to = to.ok_or_else(|| format!("--syslog {address}: no address"))?;
                let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any).map_err(failed)?;
                socket.connect(to).map_err(failed)?;
                socket.set_nonblocking(true).map_err(failed)?;
                Socket::Udp(socket)
            }
        };
        Ok(Self {
            socket,
            host,
            lang,
            second: (instant(), 0),
            kept_back: 0,
            counts: vitals.receiver("syslog"),
        })
    }

    /// One line; `time` as RFC 3339 has it.
    fn say(&mut self, severity: u32, kind: &str, time: &str, text: &str) {
        if self.second.0.elapsed() >= Duration::from_secs(1) {
            self.second = (instant(), 0);
        }
        self.second.1 = self.second.1.saturating_add(1);
        if self.second.1 > LINES_A_SECOND {
            self.kept_back += 1;
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let more = match std::mem::take(&mut self.kept_back) {
            0 => String::new(),
            kept_back => format!(" ({kept_back} lines before it were kept back)"),
        };
        let priority = FACILITY * 8 + severity;
        let process = std::process::id();
        let text = text.replace(['\n', '\r', '\0'], " ");
        let mut line = match self.socket {
            Socket::Local(_) => format!("<{priority}>wirefault[{process}]: {text}{more}"),
            Socket::Udp(_) => format!(
                // RFC 5424 6.4: UTF-8 is announced by a byte order mark; 6.2.3: six digits of a second at most.
                "<{priority}>1 {} {} wirefault {process} {kind} - \u{feff}{text}{more}",
                micros(time),
                self.host
            ),
        };
        if line.len() > LINE_MAX {
            let cut = (0..=LINE_MAX).rev().find(|at| line.is_char_boundary(*at));
            line.truncate(cut.unwrap_or(0));
        }
        let sent = match &self.socket {
            Socket::Local(socket) => socket.send(line.as_bytes()),
            Socket::Udp(socket) => socket.send(line.as_bytes()),
        };
        let count = match sent {
            Ok(_) => &self.counts.sent,
            Err(_) => &self.counts.failures,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// The time with microseconds, of one with nanoseconds.
fn micros(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, rest)) => {
            let digits: String = rest
                .chars()
                .take_while(char::is_ascii_digit)
                .take(6)
                .collect();
            format!("{seconds}.{digits}Z")
        }
        None => time.to_owned(),
    }
}

/// RFC 5424 6.2.1: critical, error, warning, informational.
fn numbered(severity: &str) -> u32 {
    match severity {
        "critical" => 2,
        "error" => 3,
        "warning" => 4,
        _ => 6,
    }
}

impl Tell for Syslog {
    fn begin(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn finding(&mut self, _: &Finding) -> io::Result<()> {
        Ok(())
    }

    fn withdrawn(&mut self, past: &Withdrawn) -> io::Result<()> {
        if past.id.starts_with("i-") {
            let text = line::withdrawn(past, self.lang);
            self.say(5, "withdrawn", &past.time, &text);
        }
        Ok(())
    }

    fn incident(&mut self, row: &Incident) -> io::Result<()> {
        let severity = if row.state == "closed" {
            5
        } else {
            numbered(row.severity)
        };
        let text = format!("{}  {}", line::incident(row, self.lang), row.id);
        self.say(severity, "incident", &row.end, &text);
        Ok(())
    }

    fn losses(&mut self, losses: &Losses) -> io::Result<()> {
        let text = line::losses(losses, self.lang);
        self.say(4, "losses", &losses.time, &text);
        Ok(())
    }

    fn endpoints(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_told_apart() {
        assert_eq!(
            Target::parse("/dev/log"),
            Some(Target::Local("/dev/log".to_owned()))
        );
        assert_eq!(
            Target::parse("192.0.2.1"),
            Some(Target::Udp("192.0.2.1:514".to_owned()))
        );
        assert_eq!(
            Target::parse("[::1]:6514"),
            Some(Target::Udp("[::1]:6514".to_owned()))
        );
        assert_eq!(Target::parse("a b"), None);
        assert_eq!(Target::parse(""), None);
    }

    #[test]
    fn a_line_is_rfc_5424_and_a_burst_is_kept_back_and_said() {
        let heard = UdpSocket::bind("127.0.0.1:0").unwrap();
        heard
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let target = Target::parse(&heard.local_addr().unwrap().to_string()).unwrap();
        let vitals = Vitals::new(None);
        let mut syslog = Syslog::start(&target, "gw".to_owned(), Lang::Zh, &vitals).unwrap();
        let time = "2026-11-24T10:02:11.123456789Z";
        for number in 0..LINES_A_SECOND + 7 {
            syslog.say(3, "incident", time, &format!("事件\n{number}"));
        }
        let mut room = [0; 4_096];
        let mut line = || {
            let count = heard.recv(&mut room).unwrap();
            String::from_utf8_lossy(&room[..count]).into_owned()
        };
        let process = std::process::id();
        let expected = format!(
            "<27>1 2026-11-24T10:02:11.123456Z gw wirefault {process} incident - \u{feff}事件 0"
        );
        assert_eq!(line(), expected);
        for _ in 1..LINES_A_SECOND {
            line();
        }
        std::thread::park_timeout(Duration::from_millis(1_100));
        syslog.say(6, "incident", time, "later");
        assert!(line().ends_with("later (7 lines before it were kept back)"));
        syslog.say(6, "incident", time, &"重".repeat(2_000));
        assert!(line().len() <= LINE_MAX);
    }
}
