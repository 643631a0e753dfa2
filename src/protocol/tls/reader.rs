//! Cuts records out of a direction's bytes and gathers handshake messages over them.

use std::sync::Arc;

use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::{Mark, Seen};
use crate::protocol::tls::session::{Alert, SIZES_MAX, Session};
use crate::protocol::tls::{FRAGMENT_MAX, content, hello, is_version};
use crate::protocol::{Chunk, Next, Observer};

/// Handshake bytes gathered of one message: certificate chains are the longest.
const MESSAGE_MAX: usize = 128 * 1024;
/// Certificates kept of one message.
const CERTIFICATES_MAX: usize = 16;

/// Where one direction stands.
#[derive(Debug, Default)]
pub(super) struct Side {
    message: Vec<u8>,
    encrypted: bool,
    stopped: bool,
    started: bool,
    record: Option<Mark>,
    lost: bool,
}

impl Side {
    /// The frame of the last record whose bytes were not all there when its header was read.
    pub(super) fn open_record(&self) -> Option<Mark> {
        self.record
    }
}

impl Observer for Session {
    fn on_chunk(&mut self, from: Direction, chunk: Chunk<'_>, at: Mark) -> Next {
        let side = &mut self.sides[from];
        match chunk {
            Chunk::Gap(_) => {
                self.gapped[from] = true;
                side.message.clear();
                side.record = None;
                side.started = true;
                side.lost = true;
                Next::More
            }
            Chunk::Fin => Next::Done,
            Chunk::Data(_) if side.stopped => Next::Done,
            Chunk::Data(bytes) => self.records(from, bytes, at),
        }
    }
}

impl Session {
    fn records(&mut self, from: Direction, bytes: &[u8], at: Mark) -> Next {
        self.sides[from].record = None;
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or(&[]);
            let lost = self.sides[from].lost;
            if rest.is_empty() {
                return Next::More;
            }
            if lost {
                match resynchronise(rest) {
                    Some(skip) => {
                        self.sides[from].lost = false;
                        used += skip;
                        continue;
                    }
                    None => return Next::More,
                }
            }
            if from == ToServer
                && rest.first().is_some_and(|first| first & 0x80 != 0)
                && !self.sides[ToServer].started
            {
                self.sides[ToServer].started = true;
                return self.old_hello(rest, at);
            }
            let Some(header) = rest.first_chunk::<5>() else {
                if !plausible(rest) {
                    return self.foreign(from, rest, at);
                }
                self.sides[from].record = Some(at);
                return Next::Wait { used, want: 5 };
            };
            let (kind, length) = (
                header[0],
                usize::from(u16::from_be_bytes([header[3], header[4]])),
            );
            if !plausible(header) || length > FRAGMENT_MAX {
                return self.foreign(from, rest, at);
            }
            self.sides[from].started = true;
            let fragment = rest.get(5..).unwrap_or(&[]);
            let hidden = kind == content::APPLICATION_DATA || self.sides[from].encrypted;
            if hidden {
                self.hidden(from, kind, length, at);
                if fragment.len() < length {
                    let missing = (length - fragment.len()) as u64;
                    self.sides[from].record = Some(at);
                    return Next::Skip(missing);
                }
            } else if fragment.len() < length {
                self.sides[from].record = Some(at);
                return Next::Wait {
                    used,
                    want: 5 + length,
                };
            } else {
                self.clear(from, kind, fragment.get(..length).unwrap_or(&[]), at);
            }
            used += 5 + length;
        }
    }

    fn hidden(&mut self, from: Direction, kind: u8, length: usize, at: Mark) {
        let size = u16::try_from(length).unwrap_or(u16::MAX);
        match kind {
            content::HANDSHAKE => {
                self.finished[from].get_or_insert(at);
            }
            content::ALERT => self.alert(Alert {
                from,
                level: 0,
                description: 0,
                encrypted: true,
                at,
            }),
            content::APPLICATION_DATA => {
                let data = &mut self.data[from];
                data.records = data.records.saturating_add(1);
                data.bytes = data.bytes.saturating_add(length as u64);
                data.first.get_or_insert(at);
                data.last = Some(at);
                data.last_len = size;
                if self.sizes[from].len() < SIZES_MAX {
                    self.sizes[from].push((size, at));
                }
                self.turn(from, size, at);
            }
            _ => {}
        }
    }

    fn clear(&mut self, from: Direction, kind: u8, fragment: &[u8], at: Mark) {
        match kind {
            content::CHANGE_CIPHER_SPEC => {
                self.change_cipher_spec[from].get_or_insert(at);
                // RFC 8446 D.4: in TLS 1.3 it means nothing; a clear alert may still follow.
                self.sides[from].encrypted = !self.is_13() && self.hello_retry.is_none();
            }
            content::ALERT => {
                if let [level, description] = *fragment {
                    self.alert(Alert {
                        from,
                        level,
                        description,
                        encrypted: false,
                        at,
                    });
                } else {
                    self.alert(Alert {
                        from,
                        level: 0,
                        description: 0,
                        encrypted: true,
                        at,
                    });
                }
            }
            content::HANDSHAKE => self.gather(from, fragment, at),
            _ => {}
        }
    }

    fn gather(&mut self, from: Direction, fragment: &[u8], at: Mark) {
        let mut message = std::mem::take(&mut self.sides[from].message);
        if message.len() + fragment.len() > MESSAGE_MAX {
            return;
        }
        message.extend_from_slice(fragment);
        let mut rest: &[u8] = &message;
        while let Some(head) = rest.first_chunk::<4>() {
            let length =
                usize::from(head[1]) << 16 | usize::from(head[2]) << 8 | usize::from(head[3]);
            let Some((whole, later)) = rest.split_at_checked(4 + length) else {
                break;
            };
            self.message(from, whole, at);
            rest = later;
        }
        let left = rest.to_vec();
        self.sides[from].message = left;
    }

    fn message(&mut self, from: Direction, message: &[u8], at: Mark) {
        match (message.first(), from) {
            (Some(1), ToServer) if self.client_hello.is_none() => {
                self.client_hello = hello::client(message).map(|hello| Seen {
                    value: Box::new(hello),
                    at,
                });
            }
            (Some(2), ToClient) => match hello::server(message) {
                Some(retry) if retry.retry => {
                    self.hello_retry.get_or_insert(at);
                }
                Some(value) if self.server_hello.is_none() => {
                    self.server_hello = Some(Seen { value, at })
                }
                _ => {}
            },
            (Some(11), ToClient) if self.certificates.is_none() => {
                self.certificates = Some(Seen {
                    value: certificates(message),
                    at,
                });
            }
            (Some(11), ToServer) if self.client_certificates.is_none() => {
                self.client_certificates = Some(Seen {
                    value: certificates(message),
                    at,
                });
            }
            (Some(13), ToClient) => {
                self.certificate_request.get_or_insert(at);
            }
            (Some(14), ToClient) => {
                self.server_hello_done.get_or_insert(at);
            }
            (Some(16), ToServer) => {
                self.client_key_exchange.get_or_insert(at);
            }
            (Some(22), ToClient) if self.stapled.is_none() => {
                self.stapled = Some(Seen {
                    value: stapled(message),
                    at,
                });
            }
            _ => {}
        }
    }

    /// RFC 5246 E.2: a hello in SSL 2 form says its version and nothing that is used here.
    fn old_hello(&mut self, bytes: &[u8], at: Mark) -> Next {
        let (Some(head), Some(version)) = (
            bytes.first_chunk::<2>(),
            bytes.get(3..).and_then(|rest| rest.first_chunk::<2>()),
        ) else {
            return Next::Wait { used: 0, want: 5 };
        };
        let length = usize::from(u16::from_be_bytes([head[0] & 0x7f, head[1]]));
        let legacy_version = u16::from_be_bytes([version[0], version[1]]);
        let hello = hello::ClientHello {
            legacy_version,
            ..hello::ClientHello::default()
        };
        self.client_hello = Some(Seen {
            value: Box::new(hello),
            at,
        });
        match bytes.get(2 + length..) {
            Some([]) => Next::More,
            Some(rest) => self.records(ToServer, rest, at),
            None => Next::Skip((2 + length - bytes.len()) as u64),
        }
    }

    fn foreign(&mut self, from: Direction, rest: &[u8], at: Mark) -> Next {
        let kept = rest.get(..64).unwrap_or(rest).to_vec();
        self.foreign[from].get_or_insert(Seen { value: kept, at });
        self.sides[from].stopped = true;
        Next::Done
    }
}

/// Could these bytes, at least one, begin a record?
fn plausible(start: &[u8]) -> bool {
    let kind = start.first().is_some_and(|kind| (20..=24).contains(kind));
    let major = start.get(1).is_none_or(|major| matches!(major, 1 | 3));
    let version = match (start.get(1), start.get(2)) {
        (Some(&major), Some(&minor)) => is_version(major, minor),
        _ => true,
    };
    kind && major && version
}

/// Where the next record may begin after lost bytes: at the start of these, else not in them.
fn resynchronise(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<5>()?;
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    (plausible(header) && length > 0 && length <= FRAGMENT_MAX && matches!(header[0], 21..=23))
        .then_some(0)
}

/// The certificates of a Certificate message in the form of TLS 1.2 and before (RFC 5246 7.4.2).
fn certificates(message: &[u8]) -> Vec<Arc<[u8]>> {
    listed(message.get(7..).unwrap_or(&[]))
}

/// The OCSP responses of a CertificateStatus message: one (RFC 6066 8), or a list of them (RFC 6961 2.2).
fn stapled(message: &[u8]) -> Vec<Arc<[u8]>> {
    match message.get(4) {
        Some(1) => listed(message.get(5..).unwrap_or(&[])),
        Some(2) => listed(message.get(8..).unwrap_or(&[])),
        _ => Vec::new(),
    }
}

/// Byte strings one after the other, each behind its length of three bytes.
fn listed(mut rest: &[u8]) -> Vec<Arc<[u8]>> {
    let length = |bytes: &[u8]| -> Option<usize> {
        let head = bytes.first_chunk::<3>()?;
        Some(usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]))
    };
    let mut found = Vec::new();
    while let Some(size) = length(rest) {
        let Some(certificate) = rest.get(3..3 + size).filter(|der| !der.is_empty()) else {
            break;
        };
        if found.len() == CERTIFICATES_MAX {
            break;
        }
        found.push(Arc::from(certificate));
        rest = rest.get(3 + size..).unwrap_or(&[]);
    }
    found
}
