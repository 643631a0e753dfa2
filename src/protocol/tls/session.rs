//! What one TLS connection said: the summary that failure classes read.

use std::sync::Arc;

use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::{Mark, Seen};
use crate::protocol::tls::hello::{ClientHello, ServerHello};
use crate::protocol::tls::reader::Side;

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
    /// How many certificates the client sent in clear.
    pub client_certificates: Option<Seen<usize>>,
    /// ClientKeyExchange.
    pub client_key_exchange: Option<Mark>,
    /// ChangeCipherSpec of each side.
    pub change_cipher_spec: [Option<Mark>; 2],
    /// First encrypted handshake record of each side (TLS 1.2: Finished).
    pub finished: [Option<Mark>; 2],
    /// Alerts.
    pub alerts: Vec<Alert>,
    /// Sizes and places of the first application data records of each side.
    pub sizes: [Vec<(u16, Mark)>; 2],
    /// Application data of each side; in TLS 1.3 the encrypted handshake is among it.
    pub data: [Data; 2],
    /// First bytes that are no TLS, of each side.
    pub foreign: [Option<Seen<Vec<u8>>>; 2],
    /// Bytes of each side were lost to the capture.
    pub gapped: [bool; 2],
    pub(super) sides: [Side; 2],
}

impl Session {
    /// The server name that the client sent.
    pub fn sni(&self) -> Option<&str> {
        self.client_hello.as_ref().and_then(|hello| hello.value.sni.as_deref())
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
        let (Some(client), Some(server)) = (&self.client_hello, &self.server_hello) else { return false };
        let same_id = !server.value.session_id.is_empty() && server.value.session_id == client.value.session_id;
        if self.is_13() {
            server.value.psk
        } else {
            self.certificates.is_none() && (same_id || client.value.offers_ticket) && self.server_hello_done.is_none()
        }
    }

    /// How far the handshake went.
    pub fn stage(&self) -> Stage {
        let [client, server] = &self.data;
        if self.is_13() {
            return self.stage_13();
        }
        let done = |from: Direction| self.finished[from.index()].is_some();
        match () {
            () if done(ToServer) && done(ToClient) => Stage::Complete,
            () if self.server_hello.is_none() && client.records > 0 && server.records > 0 => Stage::Complete,
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
        let [client, server] = &self.sizes;
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
        let [client, server] = &self.data;
        matches!((client.first, server.last), (Some(first), Some(last)) if last > first && server.last_len > 32)
    }

    /// The frame of the client's Finished in TLS 1.3, as sizes tell it.
    pub fn finished_13(&self) -> Option<Mark> {
        self.sizes[0].iter().find(|(size, _)| *size >= 40).map(|(_, at)| *at)
    }

    /// The last frame of the server's first flight.
    pub fn server_flight(&self) -> Option<Mark> {
        if !self.is_13() {
            return self.server_hello_done.or(self.finished[1]);
        }
        let client = self.data[0].first;
        self.sizes[1].iter().map(|(_, at)| *at).filter(|at| client.is_none_or(|client| *at < client)).next_back()
    }

    /// Application data of a side after the handshake: in TLS 1.3 what follows the client's Finished.
    pub fn application(&self, from: Direction) -> Option<Mark> {
        let data = &self.data[from.index()];
        if !self.is_13() {
            return data.first;
        }
        let finished = self.finished_13()?;
        let sizes = &self.sizes[from.index()];
        match from {
            ToServer => {
                let place = sizes.iter().position(|(size, _)| *size >= 40)?;
                sizes.get(place + 1).filter(|(size, _)| !is_alert_size(*size)).map(|(_, at)| *at)
            }
            ToClient => {
                let after = sizes.iter().find(|(size, at)| *at > finished && !is_alert_size(*size));
                after.map(|(_, at)| *at).or(data.last.filter(|last| *last > finished && data.last_len > 32))
            }
        }
    }

    /// Was close_notify sent by a side, in clear or by its size as the last record?
    pub fn close_notify(&self, from: Direction) -> Option<Mark> {
        let data = &self.data[from.index()];
        let clear = self.alerts.iter().find(|alert| {
            alert.from == from && (alert.encrypted || (alert.level == 1 && alert.description == 0))
        });
        let by_size = (self.is_13() && is_alert_size(data.last_len)).then_some(data.last).flatten();
        clear.map(|alert| alert.at).or(by_size)
    }

    /// The frame of the last record of a side that was not whole when its header was read. Whether the rest came is
    /// told by `tcp::stream::Stream::unfinished`.
    pub fn inside_record(&self, from: Direction) -> Option<Mark> {
        self.sides[from.index()].open_record()
    }

    /// The fatal alert of a side that was sent in clear.
    pub fn fatal(&self, from: Direction) -> Option<&Alert> {
        self.alerts.iter().find(|alert| alert.from == from && !alert.encrypted && is_fatal(alert))
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
