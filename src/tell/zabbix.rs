//! Figures to a Zabbix server, by the protocol of `zabbix_sender` (Zabbix manual, "Trapper items" and "Header"): the same
//! bytes that it sends for the same values.
//!
//! Every minute of the capture's clock, and at its end: the list of endpoints for low-level discovery
//! (`wirefault.endpoints`), then for each of them the attempts of the last ten to fifteen minutes by outcome, availability
//! in percent and the 95th percentiles of its times; open incidents and lost packets. What the server cannot take yet
//! waits in a bounded queue with the time that it was true at; the oldest gives way and is counted.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::limits::{ZABBIX_ENDPOINTS, ZABBIX_WAITING};
use crate::report::schema::{Endpoint, Finding, Incident, Withdrawn};
use crate::report::stream::Tell;
use crate::report::{Findings, Told};
use crate::tell::backoff::Backoff;
use crate::tell::vitals::{Receiver, held, instant};
use crate::tell::{Say, Vitals};
use crate::time::{Nanos, SECOND, Timestamp};

/// How often the figures are sent.
const EVERY: Nanos = 60 * SECOND;
/// The first pause after a try that came to nothing, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// At the end of a run, what waits may still be delivered for so long.
const LAST_TRY: Duration = Duration::from_secs(5);
/// Bytes read of an answer.
const ANSWER_MAX: u32 = 16 << 10;

/// The header: protocol, flags, length of the data, and reserved bytes, little endian.
const MAGIC: &[u8; 5] = b"ZBXD\x01";

/// Whom the figures go to.
#[derive(Clone, Debug)]
pub struct Options {
    /// Server or proxy, and its trapper port.
    pub server: (String, u16),
    /// The host's name as the server knows it.
    pub host: String,
}

impl Options {
    /// `server`, `server:10051`, `[::1]:10051`.
    pub fn server(text: &str) -> Option<(String, u16)> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (
                    host,
                    port.strip_prefix(':')
                        .or((port.is_empty()).then_some("10051"))?,
                )
            }
            None => text.rsplit_once(':').unwrap_or((text, "10051")),
        };
        let clean = !host.is_empty() && !host.contains(|letter: char| letter.is_whitespace());
        Some((host.to_owned(), port.parse().ok().filter(|port| *port > 0)?)).filter(|_| clean)
    }
}

/// One value of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The item's key.
    pub key: String,
    /// Its value as text.
    pub value: String,
    /// When it was true, in seconds since 1970.
    pub clock: i64,
}

/// What `zabbix_sender -T` sends for these values of `host`, at `sent`: seconds and nanoseconds since 1970.
pub fn message(host: &str, items: &[Item], sent: (i64, i64)) -> Vec<u8> {
    let quoted = |text: &str| Value::from(text).to_string();
    let host = quoted(host);
    let mut data = String::from("{\"request\":\"sender data\",\"data\":[");
    for (place, item) in items.iter().enumerate() {
        let _ = write!(
            data,
            "{}{{\"host\":{host},\"key\":{},\"value\":{},\"clock\":{}}}",
            if place > 0 { "," } else { "" },
            quoted(&item.key),
            quoted(&item.value),
            item.clock
        );
    }
    let _ = write!(data, "],\"clock\":{},\"ns\":{}}}", sent.0, sent.1);
    let mut message = MAGIC.to_vec();
    message.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
    message.extend([0; 4]);
    message.extend(data.as_bytes());
    message
}

/// `name[parameter]`; a parameter that would end early is quoted (Zabbix manual, "Item key format").
fn key(name: &str, parameter: &str) -> String {
    let plain = !parameter.starts_with(['"', ' ', '[']) && !parameter.contains([',', ']']);
    if plain {
        format!("{name}[{parameter}]")
    } else {
        format!("{name}[\"{}\"]", parameter.replace('"', "\\\""))
    }
}

/// What the server made of a message: how many values it refused, of how many.
fn refused(answer: &Value) -> Option<(u64, u64)> {
    let info = answer.get("info")?.as_str()?;
    let number = |word: &str| {
        let (_, rest) = info.split_once(word)?;
        let digits: String = rest
            .trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().ok()
    };
    Some((number("failed:")?, number("total:")?))
}

/// One delivery within `PATIENCE`.
fn deliver(server: &(String, u16), message: &[u8]) -> io::Result<Value> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
    for address in (server.0.as_str(), server.1).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.write_all(message)?;
                return answer(&mut stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn answer(stream: &mut TcpStream) -> io::Result<Value> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut head = [0; 13];
    stream.read_exact(&mut head)?;
    let (magic, rest) = head.split_at(5);
    let Some(length) = rest.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)) else {
        return Err(broken("it does not answer as a Zabbix server"));
    };
    if magic != MAGIC || length > ANSWER_MAX {
        return Err(broken("it does not answer as a Zabbix server"));
    }
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body)?;
    let answer: Value = serde_json::from_slice(&body)?;
    if answer.get("response") == Some(&json!("success")) {
        Ok(answer)
    } else {
        Err(broken(&format!("it answers {answer}")))
    }
}

/// What the run and the thread that delivers share.
struct Shared {
    waiting: Mutex<VecDeque<Vec<Item>>>,
    wake: Condvar,
    ends: Mutex<Option<Instant>>,
    counts: Arc<Receiver>,
    say: Say,
}

/// The listener that gathers the figures.
pub struct Zabbix {
    shared: Arc<Shared>,
    server: (String, u16),
    open: BTreeSet<String>,
    next: Option<Timestamp>,
    worker: Option<JoinHandle<()>>,
}

impl Zabbix {
    /// Begins to deliver; the error says why that cannot be.
    pub fn start(options: Options, vitals: &Vitals, say: Say) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            ends: Mutex::default(),
            counts: vitals.receiver("zabbix"),
            say,
        });
        let (own, server) = (Arc::clone(&shared), options.server.clone());
        let thread = std::thread::Builder::new().name("zabbix".to_owned());
        let worker = thread.spawn(move || own.work(&options));
        Ok(Self {
            shared,
            server,
            open: BTreeSet::new(),
            next: None,
            worker: Some(worker.map_err(|error| format!("--zabbix: {error}"))?),
        })
    }

    fn gather(&self, told: &Told<Findings>, now: Timestamp) {
        let mut waiting = held(&self.shared.waiting);
        if waiting.len() >= ZABBIX_WAITING {
            waiting.pop_front();
            self.shared.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
        waiting.push_back(items(told, self.open.len(), now.ns().div_euclid(SECOND)));
        self.shared
            .counts
            .queued
            .store(waiting.len() as u64, Ordering::Relaxed);
        drop(waiting);
        self.shared.wake.notify_one();
    }
}

/// The figures of a look.
fn items(told: &Told<Findings>, open: usize, clock: i64) -> Vec<Item> {
    let mut all: Vec<Item> = Vec::new();
    let mut add = |key: String, value: String| all.push(Item { key, value, clock });
    let mut endpoints: Vec<&Endpoint> = told.report.endpoints.iter().collect();
    endpoints.sort_by_key(|one| std::cmp::Reverse(one.attempts.ok + one.attempts.failed));
    endpoints.truncate(ZABBIX_ENDPOINTS);
    let found: Vec<Value> = endpoints
        .iter()
        .map(|one| {
            let region = one.region.as_deref().unwrap_or("");
            json!({"{#ENDPOINT}": one.id, "{#REGION}": region})
        })
        .collect();
    add(
        "wirefault.endpoints".to_owned(),
        Value::from(found).to_string(),
    );
    for one in endpoints {
        for (name, count) in [
            ("wirefault.ok", one.attempts.ok),
            ("wirefault.failed", one.attempts.failed),
            ("wirefault.answered_no", one.attempts.answered_no),
        ] {
            add(key(name, &one.id), count.to_string());
        }
        if let Some(share) = one.availability {
            add(
                key("wirefault.availability", &one.id),
                format!("{:.4}", share * 100.0),
            );
        }
        let times = &one.latency_ms;
        for (name, times) in [
            ("wirefault.connect_p95", &times.connect),
            ("wirefault.tls_p95", &times.tls),
            ("wirefault.first_byte_p95", &times.first_byte),
        ] {
            if let Some(times) = times {
                add(key(name, &one.id), times.p95.to_string());
            }
        }
    }
    let lost = told
        .lost
        .iter()
        .map(|one| one.by_system.saturating_add(one.by_interface));
    add(
        "wirefault.lost".to_owned(),
        lost.fold(0, u64::saturating_add).to_string(),
    );
    add("wirefault.incidents".to_owned(), open.to_string());
    all
}

impl Shared {
    fn work(&self, options: &Options) {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        let mut told_refused = false;
        while let Some(items) = self.next() {
            let message = message(&options.host, &items, sent());
            match deliver(&options.server, &message) {
                Ok(answer) => {
                    if backoff.tries() > 0 {
                        (self.say)(&format!(
                            "zabbix {}: it takes figures again",
                            options.server.0
                        ));
                    }
                    backoff.reset();
                    self.done();
                    if let Some((failed, total)) =
                        refused(&answer).filter(|(failed, _)| *failed > 0)
                        && !told_refused
                    {
                        // Items that discovery makes come some time after it.
                        told_refused = true;
                        (self.say)(&format!(
                            "zabbix {}: {failed} of {total} values are refused; is host {} known there, with trapper items?",
                            options.server.0, options.host
                        ));
                    }
                }
                Err(error) => {
                    self.counts.failures.fetch_add(1, Ordering::Relaxed);
                    if backoff.tries() == 0 {
                        (self.say)(&format!(
                            "zabbix {}: {error}; figures wait",
                            options.server.0
                        ));
                    }
                    if !self.wait(backoff.pause()) {
                        return;
                    }
                }
            }
        }
    }

    /// The oldest that waits, as soon as there is one; `None` when the run ended and nothing waits.
    fn next(&self) -> Option<Vec<Item>> {
        let mut waiting = held(&self.waiting);
        loop {
            if let Some(items) = waiting.front() {
                return Some(items.clone());
            }
            if held(&self.ends).is_some() {
                return None;
            }
            waiting = self
                .wake
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self) {
        let mut waiting = held(&self.waiting);
        waiting.pop_front();
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        self.counts
            .queued
            .store(waiting.len() as u64, Ordering::Relaxed);
    }

    /// Waits for `pause`; says whether to go on.
    fn wait(&self, pause: Duration) -> bool {
        let until = instant() + pause;
        let mut waiting = held(&self.waiting);
        loop {
            let now = instant();
            if held(&self.ends).is_some_and(|ends| now >= ends || until >= ends) {
                return false;
            }
            let left = until.saturating_duration_since(now);
            if left.is_zero() {
                return true;
            }
            let waited = self.wake.wait_timeout(waiting, left);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The machine's time: when a message leaves is no matter of the capture.
fn sent() -> (i64, i64) {
    let since = crate::tell::vitals::unix();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    (seconds, since.subsec_nanos().into())
}

impl Tell for Zabbix {
    fn begin(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn finding(&mut self, _: &Finding) -> io::Result<()> {
        Ok(())
    }

    fn withdrawn(&mut self, past: &Withdrawn) -> io::Result<()> {
        self.open.remove(&past.id);
        Ok(())
    }

    fn incident(&mut self, row: &Incident) -> io::Result<()> {
        if row.state == "closed" {
            self.open.remove(&row.id);
        } else {
            self.open.insert(row.id.clone());
        }
        Ok(())
    }

    fn endpoints(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn look(&mut self, told: &Told<Findings>, now: Timestamp) -> io::Result<()> {
        if self.next.is_none_or(|next| now >= next) {
            self.next = Some(now.plus(EVERY));
            self.gather(told, now);
        }
        Ok(())
    }

    fn end(&mut self, told: &Told<Findings>) -> io::Result<()> {
        let now = told.span.map_or_else(Timestamp::default, |span| span.1);
        self.gather(told, now);
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Zabbix {
    /// The run ended: what waits has a few seconds.
    fn drop(&mut self) {
        let until = instant() + LAST_TRY;
        *held(&self.shared.ends) = Some(until);
        drop(held(&self.shared.waiting));
        self.shared.wake.notify_one();
        while let Some(worker) = &self.worker
            && !worker.is_finished()
            && instant() < until
        {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let left = held(&self.shared.waiting).len();
        if left > 0 {
            (self.shared.say)(&format!(
                "zabbix {}: the figures of the last {left} times were not taken",
                self.server.0
            ));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_quoted_where_their_parameter_would_end_early() {
        assert_eq!(key("a", "ok.test:443"), "a[ok.test:443]");
        assert_eq!(key("a", "[2001:db8::1]:443"), "a[\"[2001:db8::1]:443\"]");
        assert_eq!(key("a", "x,\"y\""), "a[\"x,\\\"y\\\"\"]");
    }

    #[test]
    fn servers_are_read_with_and_without_a_port() {
        let of = |text: &str| Options::server(text);
        assert_eq!(of("zbx"), Some(("zbx".to_owned(), 10_051)));
        assert_eq!(
            of("192.0.2.1:10052"),
            Some(("192.0.2.1".to_owned(), 10_052))
        );
        assert_eq!(of("[::1]:7"), Some(("::1".to_owned(), 7)));
        assert_eq!(of("[::1]"), Some(("::1".to_owned(), 10_051)));
        for wrong in ["", ":1", "a b", "zbx:0", "zbx:x"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_server_that_refuses_values_says_how_many() {
        let info = "processed: 1; failed: 2; total: 3; seconds spent: 0.000055";
        assert_eq!(refused(&json!({"info": info})), Some((2, 3)));
        assert_eq!(refused(&json!({"info": "?"})), None);
    }
}
