//! Cuts records out of a direction's bytes and gathers handshake messages over them.

use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::{Mark, Seen};
use crate::protocol::tls::session::{Alert, SIZES_MAX, Session};
use crate::protocol::tls::{FRAGMENT_MAX, content, hello, is_version, presented};
use crate::protocol::{Chunk, Next, Observer};

/// Handshake bytes gathered of one message: certificate chains are the longest.
pub(super) const MESSAGE_MAX: usize = 128 * 1024;

/// Where one direction stands.
#[derive(Debug, Default)]
pub(super) struct Side {
    message: Vec<u8>,
    encrypted: bool,
    stopped: bool,
    started: bool,
    record: Option<Mark>,
    /// Bytes of the record that is waited for, its header too, and whether it is encrypted.
    awaited: Option<(u64, bool)>,
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
            Chunk::Gap(missing) => self.gap(from, missing, at),
            Chunk::Fin => {
                if let Some(inside) = &mut self.inside {
                    inside.fin(from, at);
                }
                Next::Done
            }
            Chunk::Data(_) if side.stopped => Next::Done,
            Chunk::Data(bytes) => self.records(from, bytes, at),
        }
    }
}

impl Session {
    fn gap(&mut self, from: Direction, missing: u64, at: Mark) -> Next {
        self.gapped[from] = true;
        let side = &mut self.sides[from];
        side.message.clear();
        side.record = None;
        side.started = true;
        let awaited = side.awaited.take();
        // The bytes that were kept of the record are among the missing ones.
        let within = |(whole, _): &(u64, bool)| missing <= *whole;
        let one = awaited.filter(|(_, hidden)| *hidden).filter(within);
        side.lost = one.is_none();
        let finished = self.finished[from].is_some();
        if let Some(inside) = &mut self.inside {
            let length =
                one.map(|(whole, _)| usize::try_from(whole).unwrap_or(0).saturating_sub(5));
            inside.lost(from, missing, length, finished, at);
        }
        match one {
            Some((whole, _)) if whole > missing => Next::Skip(whole - missing),
            _ => Next::More,
        }
    }

    fn records(&mut self, from: Direction, bytes: &[u8], at: Mark) -> Next {
        let record = self.sides[from].record.take();
        // A record that was waited for began where its header was seen.
        let awaited = self.sides[from].awaited.take();
        let mut began = record.filter(|_| awaited.is_some());
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
            let opens = hidden && self.opens(from);
            match fragment.get(..length) {
                None if hidden && !opens => {
                    let missing = (length - fragment.len()) as u64;
                    self.hidden(from, kind, length, began.unwrap_or(at));
                    self.sides[from].record = Some(at);
                    return Next::Skip(missing);
                }
                None => {
                    self.sides[from].record = Some(at);
                    self.sides[from].awaited = Some(((5 + length) as u64, hidden));
                    return Next::Wait {
                        used,
                        want: 5 + length,
                    };
                }
                Some(whole) if opens => self.open(from, *header, whole, (began.unwrap_or(at), at)),
                Some(_) if hidden => self.hidden(from, kind, length, began.unwrap_or(at)),
                Some(whole) => self.clear(from, kind, whole, at),
            }
            began = None;
            used += 5 + length;
        }
    }

    /// Is a whole record of this side worth waiting for, because there is a key?
    fn opens(&mut self, from: Direction) -> bool {
        let inside = self.inside.as_mut();
        inside.is_some_and(|inside| inside.opens(from))
    }

    /// An encrypted record that there is a key for, from the frame of its header to the one that completes it.
    fn open(&mut self, from: Direction, header: [u8; 5], fragment: &[u8], marks: (Mark, Mark)) {
        let (kind, length) = (header[0], fragment.len());
        let finished = self.finished[from].is_some();
        let Some(inside) = &mut self.inside else {
            return;
        };
        let Some((inner, bytes)) = inside.open(from, header, fragment, finished) else {
            inside.closed(from, length, finished, marks.1);
            self.outside(from, kind, length, marks.0);
            self.turn(from, clamped(length), marks.0);
            return;
        };
        // What TLS 1.2 shows on the outside is true; TLS 1.3 calls everything application data.
        if kind == content::APPLICATION_DATA {
            self.outside(from, kind, length, marks.0);
        } else if kind == content::HANDSHAKE && !self.is_13() {
            self.finished[from].get_or_insert(marks.0);
        }
        match inner {
            content::CHANGE_CIPHER_SPEC => self.changed(from),
            content::ALERT => {
                self.clear(from, content::ALERT, &bytes, marks.1);
                if let ([_, 0], Some(inside)) = (bytes.as_slice(), &mut self.inside) {
                    inside.fin(from, marks.1);
                }
            }
            content::HANDSHAKE => self.gather(from, &bytes, marks.1),
            content::APPLICATION_DATA => {
                self.turn(from, clamped(length), marks.0);
                if let Some(inside) = &mut self.inside {
                    inside.data(from, bytes, marks.1);
                }
            }
            _ => {}
        }
    }

    /// RFC 8446 D.4: in TLS 1.3 it means nothing.
    fn changed(&mut self, from: Direction) {
        let changes = !self.is_13();
        if let Some(inside) = self.inside.as_mut().filter(|_| changes) {
            inside.change(from);
        }
    }

    fn hidden(&mut self, from: Direction, kind: u8, length: usize, at: Mark) {
        let finished = self.finished[from].is_some();
        if let Some(inside) = &mut self.inside {
            inside.passed(from, length, finished, at);
        }
        self.outside(from, kind, length, at);
        if kind == content::APPLICATION_DATA {
            self.turn(from, clamped(length), at);
        }
    }

    /// What an encrypted record shows by its type and size.
    fn outside(&mut self, from: Direction, kind: u8, length: usize, at: Mark) {
        let size = clamped(length);
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
            }
            _ => {}
        }
    }

    fn clear(&mut self, from: Direction, kind: u8, fragment: &[u8], at: Mark) {
        match kind {
            content::CHANGE_CIPHER_SPEC => {
                self.change_cipher_spec[from].get_or_insert(at);
                self.changed(from);
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
        // Most messages lie in one record and are read there.
        let mut rest = fragment;
        if !message.is_empty() {
            message.extend_from_slice(fragment);
            rest = &message;
        }
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
        self.on_tlcp(message);
        match (message.first(), from) {
            (Some(1), ToServer) => self.client_hello(message, at),
            (Some(2), ToClient) => self.server_hello(message, at),
            (Some(8), ToClient) if self.is_13() => {
                if let Some(hello) = &mut self.server_hello {
                    hello.value.alpn = hello.value.alpn.take().or_else(|| hello::protocol(message));
                }
            }
            (Some(11 | 25), _) if self.is_13() => self.certificates_13(from, message, at),
            (Some(20), _) if self.inside.is_some() => {
                self.finished[from].get_or_insert(at);
            }
            (Some(24), _) => {
                if let Some(inside) = &mut self.inside {
                    inside.update(from);
                }
            }
            (Some(11), ToClient) if self.certificates.is_none() => {
                self.certificates = Some(Seen {
                    value: presented::certificates(message),
                    at,
                });
            }
            (Some(11), ToServer) if self.client_certificates.is_none() => {
                self.client_certificates = Some(Seen {
                    value: presented::certificates(message),
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
                    value: presented::stapled(message),
                    at,
                });
            }
            _ => {}
        }
    }

    fn client_hello(&mut self, message: &[u8], at: Mark) {
        if self.client_hello.is_some() && self.inside.is_none() {
            return;
        }
        let Some(hello) = hello::client(message) else {
            return;
        };
        if let Some(inside) = &mut self.inside {
            inside.client_hello(&hello);
        }
        let value = Box::new(hello);
        self.client_hello.get_or_insert(Seen { value, at });
    }

    fn server_hello(&mut self, message: &[u8], at: Mark) {
        match hello::server(message) {
            Some(retry) if retry.retry => {
                self.hello_retry.get_or_insert(at);
            }
            Some(value) => {
                if let Some(inside) = &mut self.inside {
                    inside.server_hello(&value);
                }
                self.server_hello.get_or_insert(Seen { value, at });
            }
            None => {}
        }
    }

    /// Certificates of TLS 1.3, which are seen only where there are keys.
    fn certificates_13(&mut self, from: Direction, message: &[u8], at: Mark) {
        let Some((chain, answers)) = presented::certificates_13(message) else {
            return;
        };
        let value = chain;
        if from == ToServer {
            self.client_certificates.get_or_insert(Seen { value, at });
        } else if self.certificates.is_none() {
            self.certificates = Some(Seen { value, at });
            let value = answers;
            self.stapled = (!value.is_empty()).then_some(Seen { value, at });
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

fn clamped(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
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
