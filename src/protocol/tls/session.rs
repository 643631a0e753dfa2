//! What one TLS connection said: the summary that failure classes read.

use std::sync::Arc;

use crate::mark::Both;
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::{Mark, Seen};
use crate::protocol::tls::hello::{ClientHello, ServerHello};
use crate::protocol::tls::inside::{Inside, KeyLog, Opening, Plain};
use crate::protocol::tls::reader::Side;
use crate::time::{Nanos, SECOND};

/// Encrypted records whose sizes are kept of each side, until the handshake is over.
pub const SIZES_MAX: usize = 16;
/// Alerts kept.
const ALERTS_MAX: usize = 8;

/// An alert, in clear or told by its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Who sent it.
    pub from: Direction,
    /// 1 warning, 2 fatal; 0 for an encrypted one.
    pub level: u8,
    /// Description; meaningless for an encrypted one.
    pub description: u8,
    /// Its record is of type alert but encrypted.
    pub encrypted: bool,
    /// Where.
    pub at: Mark,
}

/// How far a handshake went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// No hello was seen whole.
    Nothing,
    /// The client said hello.
    ClientHello,
    /// The server answered.
    ServerHello,
    /// The server's part is through: ServerHelloDone, or its encrypted flight.
    ServerFlight,
    /// The client's part is through: its Finished was sent, as far as sizes tell.
    ClientFinished,
    /// Both sides finished.
    Complete,
}

/// Application data of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// Records.
    pub records: u32,
    /// Bytes of their fragments.
    pub bytes: u64,
    /// First record's header.
    pub first: Option<Mark>,
    /// Last record's header.
    pub last: Option<Mark>,
    /// Fragment bytes of the last record.
    pub last_len: u16,
}

/// Records of one size that a TLS 1.3 server sends right after the handshake: session tickets (RFC 8446 4.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tickets {
    size: u16,
    count: u32,
    last: Mark,
}

/// Who spoke last with application data, and the longest wait for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// The client's last record that nothing has answered yet: its frame and size.
    asked: Option<(Mark, u16)>,
    /// The same as it stood before a record that may be a ticket or an answer.
    tickets: Option<Tickets>,
    /// The server said something that is no ticket since the handshake.
    spoke: bool,
    /// The longest wait: the last record of what was asked, and the first of what answered it.
    pub slowest: Option<(Mark, Mark)>,
    /// Waits of three seconds and more.
    pub slow: u32,
}

/// Tickets follow the client's Finished within this; the second may wait for a delayed ACK.
const TICKETS_WITHIN: Nanos = SECOND;
/// Tickets that a server sends at once: OpenSSL two, others up to four.
const TICKETS_MAX: u32 = 4;
/// A client's record shorter than this is no question (HTTP/2 settings, pings, window updates).
const QUESTION_MIN: u16 = 60;
/// A wait longer than this is worth a count.
const SLOW: Nanos = 3 * SECOND;

impl Turns {
    fn client(&mut self, at: Mark, size: u16) {
        self.asked = Some((at, size));
    }

    /// A record of the server; `finished` is the client's Finished where tickets may follow it.
    fn server(&mut self, at: Mark, size: u16, finished: Option<Mark>) {
        if let Some(finished) = finished.filter(|_| !self.spoke) {
            let soon = at.time.since(finished.time) <= TICKETS_WITHIN;
            match &mut self.tickets {
                None if soon => {
                    self.tickets = Some(Tickets {
                        size,
                        count: 1,
                        last: at,
                    });
                    return;
                }
                Some(tickets) if soon && tickets.size == size && tickets.count < TICKETS_MAX => {
                    tickets.count += 1;
                    tickets.last = at;
                    return;
                }
                // One record alone may have been the answer: then this one only goes on with it.
                Some(tickets) if tickets.count == 1 => self.answered(),
                _ => {}
            }
        }
        self.spoke = true;
        let Some((asked, _)) = self.asked.take() else {
            return;
        };
        let waited = at.time.since(asked.time);
        self.slow += u32::from(waited > SLOW);
        if self
            .slowest
            .is_none_or(|(from, to)| waited > to.time.since(from.time))
        {
            self.slowest = Some((asked, at));
        }
    }

    fn answered(&mut self) {
        let first = self.tickets.map(|tickets| tickets.last);
        if self
            .asked
            .is_some_and(|(asked, _)| first.is_some_and(|first| first > asked))
        {
            self.asked = None;
        }
    }

    /// What the client asked last, if nothing came after it but what can only be tickets: two records or more of one
    /// size. A single record may be the answer, so nothing is said then.
    fn open(&self) -> Option<(Mark, u16)> {
        let asked = self.asked?;
        let lone = self
            .tickets
            .is_some_and(|tickets| tickets.count == 1 && tickets.last > asked.0);
        (!lone || self.spoke).then_some(asked)
    }
}

/// One connection. Owned; a finished handshake keeps its hellos and sizes, about 1 KiB.
#[derive(Debug, Default)]
pub struct Session {
    /// The first hello of the client.
    pub client_hello: Option<Seen<Box<ClientHello>>>,
    /// HelloRetryRequest.
    pub hello_retry: Option<Mark>,
    /// The server's hello, retries aside.
    pub server_hello: Option<Seen<ServerHello>>,
    /// Certificates of the server in the order sent (TLS 1.2 and before, TLCP).
    pub certificates: Option<Seen<Vec<Arc<[u8]>>>>,
    /// CertificateRequest in clear.
    pub certificate_request: Option<Mark>,
    /// ServerHelloDone.
    pub server_hello_done: Option<Mark>,
    /// Certificates of the client in clear; an empty list is its word that it has none.
    pub client_certificates: Option<Seen<Vec<Arc<[u8]>>>>,
    /// OCSP responses that the server stapled, in clear (RFC 6066 8, RFC 6961 2.2).
    pub stapled: Option<Seen<Vec<Arc<[u8]>>>>,
    /// ClientKeyExchange.
    pub client_key_exchange: Option<Mark>,
    /// ChangeCipherSpec of each side.
    pub change_cipher_spec: Both<Option<Mark>>,
    /// First encrypted handshake record of each side (TLS 1.2: Finished).
    pub finished: Both<Option<Mark>>,
    /// Alerts.
    pub alerts: Vec<Alert>,
    /// Sizes and places of the first application data records of each side.
    pub sizes: Both<Vec<(u16, Mark)>>,
    /// Application data of each side; in TLS 1.3 the encrypted handshake is among it.
    pub data: Both<Data>,
    /// Questions and answers in the tunnel.
    pub turns: Turns,
    /// First bytes that are no TLS, of each side.
    pub foreign: Both<Option<Seen<Vec<u8>>>>,
    /// Bytes of each side were lost to the capture.
    pub gapped: Both<bool>,
    /// TLCP: what the server's signature is over.
    pub(super) key_exchange: Option<Box<super::tlcp::KeyExchange>>,
    pub(super) sides: Both<Side>,
    /// What a key log opens of it.
    pub(super) inside: Option<Box<Inside>>,
}

impl Session {
    /// A session that is opened where the key log has its secrets.
    pub fn opened_by(keys: Arc<KeyLog>) -> Self {
        Self {
            inside: Some(Box::new(Inside::new(keys))),
            ..Self::default()
        }
    }

    /// What came out of its records since the last call; mostly nothing.
    pub fn take_plain(&mut self) -> Vec<Plain> {
        let inside = self.inside.as_mut();
        inside.map_or_else(Vec::new, |inside| inside.take_plain())
    }

    /// What became of its secrets.
    pub fn opening(&self) -> Opening {
        let inside = self.inside.as_ref();
        inside.map_or(Opening::NoKeys, |inside| inside.opening())
    }

    /// Was everything that was said inside opened?
    pub fn opened_whole(&self) -> bool {
        let inside = self.inside.as_ref();
        inside.is_some_and(|inside| !inside.holes && inside.opening() == Opening::Opened)
    }

    /// Is the handshake hidden, so that only sizes and order tell of it? TLS 1.3 without its handshake secrets.
    pub fn is_veiled(&self) -> bool {
        self.is_13() && !self.inside.as_ref().is_some_and(|inside| inside.unveiled())
    }

    /// The server's last application data: in TLS 1.3 without keys its last record.
    pub fn answered_last(&self) -> Option<Mark> {
        match self.unveiled_13() {
            Some(inside) => inside.said[ToClient].last,
            None => self.data[ToClient].last,
        }
    }

    /// The inside of a session of TLS 1.3 whose handshake is opened.
    fn unveiled_13(&self) -> Option<&Inside> {
        let inside = self.inside.as_deref()?;
        (self.is_13() && inside.unveiled()).then_some(inside)
    }
    /// The server name that the client sent.
    pub fn sni(&self) -> Option<&str> {
        self.client_hello
            .as_ref()
            .and_then(|hello| hello.value.sni.as_deref())
    }

    /// Negotiated version.
    pub fn version(&self) -> Option<u16> {
        self.server_hello.as_ref().map(|hello| hello.value.version)
    }

    /// Is TLS 1.3 negotiated, so that everything after the hellos is encrypted?
    pub fn is_13(&self) -> bool {
        self.version() == Some(0x0304)
    }

    /// Was the session resumed, so that no certificate is sent?
    pub fn resumed(&self) -> bool {
        let (Some(client), Some(server)) = (&self.client_hello, &self.server_hello) else {
            return false;
        };
        let same_id = !server.value.session_id.is_empty()
            && server.value.session_id == client.value.session_id;
        if self.is_13() {
            server.value.psk
        } else {
            self.certificates.is_none()
                && (same_id || client.value.offers_ticket)
                && self.server_hello_done.is_none()
        }
    }

    /// How far the handshake went.
    pub fn stage(&self) -> Stage {
        let Both([client, server]) = &self.data;
        if self.is_veiled() {
            return self.stage_13();
        }
        if let (Some(inside), Some(own)) = (self.unveiled_13(), self.finished[ToServer]) {
            // Only what the server says then shows that it took the client's part.
            let went_on = inside.said[ToServer].first.is_some()
                || inside.said[ToClient].last.is_some_and(|last| last > own);
            return if went_on {
                Stage::Complete
            } else {
                Stage::ClientFinished
            };
        }
        let done = |from: Direction| self.finished[from].is_some();
        match () {
            () if done(ToServer) && done(ToClient) => Stage::Complete,
            () if self.server_hello.is_none() && client.records > 0 && server.records > 0 => {
                Stage::Complete
            }
            () if done(ToServer) => Stage::ClientFinished,
            () if self.server_hello_done.is_some() || done(ToClient) => Stage::ServerFlight,
            () if self.server_hello.is_some() || self.hello_retry.is_some() => Stage::ServerHello,
            () if self.client_hello.is_some() => Stage::ClientHello,
            () => Stage::Nothing,
        }
    }

    /// TLS 1.3 by sizes: the client's Finished record is 53 or 69 bytes (36 or 52 of message, 1 of type, 16 of tag;
    /// with an 8-byte tag 45); what is shorter is an alert, or an empty certificate before it.
    fn stage_13(&self) -> Stage {
        let Both([client, server]) = &self.sizes;
        if server.is_empty() {
            return Stage::ServerHello;
        }
        let finished = client.iter().position(|(size, _)| *size >= 40);
        match finished {
            None => Stage::ServerFlight,
            Some(place) if client.len() > place + 1 || self.spoke_after_client() => Stage::Complete,
            Some(_) => Stage::ClientFinished,
        }
    }

    /// Did the server send anything after the client's first encrypted record?
    fn spoke_after_client(&self) -> bool {
        let Both([client, server]) = &self.data;
        matches!((client.first, server.last), (Some(first), Some(last)) if last > first && server.last_len > 32)
    }

    /// The frame of the client's Finished in TLS 1.3, as sizes tell it where there are no keys.
    pub fn finished_13(&self) -> Option<Mark> {
        if self.unveiled_13().is_some() {
            return self.finished[ToServer];
        }
        self.sizes[ToServer]
            .iter()
            .find(|(size, _)| *size >= 40)
            .map(|(_, at)| *at)
    }

    /// The last frame of the server's first flight.
    pub fn server_flight(&self) -> Option<Mark> {
        if !self.is_veiled() {
            return self.server_hello_done.or(self.finished[ToClient]);
        }
        let client = self.data[ToServer].first;
        self.sizes[ToClient]
            .iter()
            .map(|(_, at)| *at)
            .rfind(|at| client.is_none_or(|client| *at < client))
    }

    /// Application data of a side after the handshake: in TLS 1.3 what follows the client's Finished.
    pub fn application(&self, from: Direction) -> Option<Mark> {
        if let Some(inside) = self.unveiled_13() {
            return inside.said[from].first;
        }
        let data = &self.data[from];
        if !self.is_13() {
            return data.first;
        }
        let finished = self.finished_13()?;
        let sizes = &self.sizes[from];
        match from {
            ToServer => {
                let place = sizes.iter().position(|(size, _)| *size >= 40)?;
                sizes
                    .get(place + 1)
                    .filter(|(size, _)| !is_alert_size(*size))
                    .map(|(_, at)| *at)
            }
            ToClient => {
                let after = sizes
                    .iter()
                    .find(|(size, at)| *at > finished && !is_alert_size(*size));
                after.map(|(_, at)| *at).or(data
                    .last
                    .filter(|last| *last > finished && data.last_len > 32))
            }
        }
    }

    /// Was close_notify sent by a side, in clear or by its size as the last record?
    pub fn close_notify(&self, from: Direction) -> Option<Mark> {
        let data = &self.data[from];
        let clear = self
            .alerts
            .iter()
            .find(|alert| alert.from == from && (alert.encrypted || alert.description == 0));
        let by_size = (self.is_veiled() && is_alert_size(data.last_len))
            .then_some(data.last)
            .flatten();
        clear.map(|alert| alert.at).or(by_size)
    }

    /// The frame of the last record of a side that was not whole when its header was read. Whether the rest came is
    /// told by `tcp::stream::Stream::unfinished`.
    pub fn inside_record(&self, from: Direction) -> Option<Mark> {
        self.sides[from].open_record()
    }

    /// The fatal alert of a side that was sent in clear.
    pub fn fatal(&self, from: Direction) -> Option<&Alert> {
        self.alerts
            .iter()
            .find(|alert| alert.from == from && !alert.encrypted && is_fatal(alert))
    }

    /// The server had greeted in another protocol before the client said hello at `at`.
    pub fn greeted(&mut self, greeting: &[u8], at: Mark) {
        self.foreign[ToClient] = Some(Seen {
            value: greeting.to_vec(),
            at,
        });
    }

    /// The client's last application record that the server has not answered: its frame and size.
    pub fn unanswered(&self) -> Option<(Mark, u16)> {
        self.turns.open()
    }

    /// An application data record passed; the handshake's own encrypted records of TLS 1.3 are no turns.
    pub(super) fn turn(&mut self, from: Direction, size: u16, at: Mark) {
        let veiled = self.is_veiled();
        let finished = if veiled { self.finished_13() } else { None };
        match from {
            ToServer
                if size >= QUESTION_MIN
                    && (!veiled || finished.is_some_and(|own| self.after(own, at))) =>
            {
                self.turns.client(at, size);
            }
            ToClient if !veiled => self.turns.server(at, size, None),
            ToClient if finished.is_some() && !is_alert_size(size) => {
                self.turns.server(at, size, finished)
            }
            _ => {}
        }
    }

    /// Is the record at `at` another one than the client's Finished? Both may stand in one frame.
    fn after(&self, finished: Mark, at: Mark) -> bool {
        at > finished
            || self.sizes[ToServer]
                .iter()
                .filter(|(size, _)| *size >= 40)
                .count()
                > 1
    }

    pub(super) fn alert(&mut self, alert: Alert) {
        if self.alerts.len() < ALERTS_MAX {
            self.alerts.push(alert);
        }
    }
}

/// The size of an encrypted TLS 1.3 alert: 2 of alert, 1 of type, a tag of 16 (8 with CCM_8), and JSSE's 16 of
/// padding.
pub const fn is_alert_size(size: u16) -> bool {
    matches!(size, 11 | 19 | 35)
}

/// Fatal by its level, or by a description that always is (RFC 8446 6.2).
const fn is_fatal(alert: &Alert) -> bool {
    alert.level == 2 && alert.description != 0
}
