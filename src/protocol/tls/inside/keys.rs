//! The key log: secrets of TLS sessions by the random of their ClientHello (draft-ietf-tls-keylogfile), as a client or
//! server wrote them with `SSLKEYLOGFILE`, or as a capture holds them in its secrets blocks.
//!
//! A line is `LABEL <client random> <secret>` in hexadecimal. Lines of other labels (exporters, QUIC) are passed over;
//! what is no such line is counted. A line takes 66 bytes and its place, whatever the number of sessions.

use std::fmt;
use std::hash::BuildHasher as _;
use std::io::{self, BufRead};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest;
use foldhash::quality::RandomState;
use hashbrown::HashTable;

use crate::limits;

/// Bytes of a line that are looked at; a secret of 64 bytes needs 240.
const LINE_MAX: usize = 512;
/// Longest secret: a master secret, or the output of SHA-384.
const SECRET_MAX: usize = 48;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// The master secret of TLS 1.2 and before.
    Master,
    /// What a TLS 1.3 client sends before it was answered.
    ClientEarly,
    /// The handshake of TLS 1.3, client's half.
    ClientHandshake,
    /// The handshake of TLS 1.3, server's half.
    ServerHandshake,
    /// The first application secret of TLS 1.3, client's half.
    ClientTraffic,
    /// The first application secret of TLS 1.3, server's half.
    ServerTraffic,
}

impl Label {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"CLIENT_RANDOM" => Self::Master,
            b"CLIENT_EARLY_TRAFFIC_SECRET" => Self::ClientEarly,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Self::ClientHandshake,
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Self::ServerHandshake,
            b"CLIENT_TRAFFIC_SECRET_0" => Self::ClientTraffic,
            b"SERVER_TRAFFIC_SECRET_0" => Self::ServerTraffic,
            _ => return None,
        })
    }
}

/// One secret. Never printed.
#[derive(Clone, Copy)]
pub(super) struct Secret {
    length: u8,
    bytes: [u8; SECRET_MAX],
}

impl Secret {
    /// Of up to 48 bytes; none of more, or of none.
    pub(super) fn new(secret: &[u8]) -> Option<Self> {
        let mut bytes = [0; SECRET_MAX];
        bytes.get_mut(..secret.len())?.copy_from_slice(secret);
        let length = u8::try_from(secret.len())
            .ok()
            .filter(|length| *length > 0)?;
        Some(Self { length, bytes })
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Secret({} bytes)", self.length)
    }
}

/// One line. Of the random the last 16 bytes: the first four may be a clock (RFC 5246 7.4.1.2).
struct Entry {
    random: [u8; 16],
    label: Label,
    secret: Secret,
}

#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    places: HashTable<u32>,
    hash: RandomState,
}

/// What the lines of a key log were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Secrets that are used here.
    pub used: u64,
    /// Secrets of other kinds: exporters, QUIC, the RSA lines of old.
    pub other: u64,
    /// No lines of a key log.
    pub malformed: u64,
    /// Number of the first of those, from 1.
    pub first_malformed: u64,
    /// Secrets that were too many to keep.
    pub beyond: u64,
}

/// All secrets of a run. It grows while a capture is read that holds some; sessions ask it again then.
#[derive(Default)]
pub struct KeyLog {
    /// What was known before, and is shared with other runs.
    base: Option<Arc<KeyLog>>,
    table: RwLock<Table>,
    generation: AtomicU64,
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KeyLog({} secrets)", self.len())
    }
}

impl KeyLog {
    /// One that begins with what `base` holds, and leaves that as it is.
    pub fn over(base: Arc<Self>) -> Self {
        Self {
            base: Some(base),
            ..Self::default()
        }
    }

    /// Takes the lines of a file or a secrets block. A later secret of the same session and kind replaces an earlier
    /// one. Fails where the reading does.
    pub fn read(&self, mut from: impl BufRead) -> io::Result<Lines> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let (mut lines, mut number) = (Lines::default(), 0);
        let mut line = Vec::with_capacity(LINE_MAX);
        while next_line(&mut from, &mut line)? {
            number += 1;
            table.take(&line, number, &mut lines);
        }
        self.generation.fetch_add(1, Ordering::Relaxed);
        Ok(lines)
    }

    /// Secrets kept.
    pub fn len(&self) -> usize {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.entries.len() + self.base.as_ref().map_or(0, |base| base.len())
    }

    /// Does it hold none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A hash of all that it holds beside its base, whatever the order: what a report was judged by.
    pub fn identity(&self) -> String {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut sum = [0_u8; 32];
        for entry in &table.entries {
            let mut hashed = digest::Context::new(&digest::SHA256);
            hashed.update(&entry.random);
            hashed.update(&[entry.label as u8]);
            hashed.update(entry.secret.bytes());
            for (sum, byte) in sum.iter_mut().zip(hashed.finish().as_ref()) {
                *sum ^= byte;
            }
        }
        sum.iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Rises whenever secrets were added.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// The secret of a session.
    pub(super) fn secret(&self, random: &[u8; 32], label: Label) -> Option<Secret> {
        let short = tail(random);
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let own = table
            .place(&short, label)
            .and_then(|place| table.entries.get(place));
        own.map(|entry| entry.secret)
            .or_else(|| self.base.as_ref()?.secret(random, label))
    }
}

impl Table {
    fn hash_of(&self, random: &[u8; 16], label: Label) -> u64 {
        self.hash.hash_one((random, label as u8))
    }

    fn place(&self, random: &[u8; 16], label: Label) -> Option<usize> {
        let same = |place: &u32| {
            self.entries
                .get(*place as usize)
                .is_some_and(|entry| entry.label == label && entry.random == *random)
        };
        let found = self.places.find(self.hash_of(random, label), same)?;
        Some(*found as usize)
    }

    fn take(&mut self, line: &[u8], number: u64, lines: &mut Lines) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return;
        }
        let Some((name, random, secret)) = parts(line) else {
            lines.malformed += 1;
            if lines.first_malformed == 0 {
                lines.first_malformed = number;
            }
            return;
        };
        let Some(((label, random), secret)) = Label::of(name).zip(random).zip(secret) else {
            lines.other += 1;
            return;
        };
        if let Some(known) = self
            .place(&random, label)
            .and_then(|at| self.entries.get_mut(at))
        {
            known.secret = secret;
            lines.used += 1;
        } else if self.entries.len() < limits::KEYS_MAX {
            let hash = self.hash_of(&random, label);
            let place = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
            self.entries.push(Entry {
                random,
                label,
                secret,
            });
            let (entries, state) = (&self.entries, &self.hash);
            self.places.insert_unique(hash, place, |place| {
                let entry = entries.get(*place as usize);
                entry.map_or(0, |entry| {
                    state.hash_one((&entry.random, entry.label as u8))
                })
            });
            lines.used += 1;
        } else {
            lines.beyond += 1;
        }
    }
}

/// Label, random and secret; the latter two only where they have the lengths of a label that is used here. `None` where
/// the line is none of a key log.
#[expect(clippy::type_complexity, reason = "the three fields of a line")]
fn parts(line: &[u8]) -> Option<(&[u8], Option<[u8; 16]>, Option<Secret>)> {
    let mut fields = line
        .split(|byte| *byte == b' ')
        .filter(|field| !field.is_empty());
    let (name, random, secret) = (fields.next()?, fields.next()?, fields.next()?);
    let named = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    if fields.next().is_some() || !name.iter().all(named) {
        return None;
    }
    let (mut first, mut second) = ([0; LINE_MAX / 2], [0; LINE_MAX / 2]);
    let (random, secret) = (hex(random, &mut first)?, hex(secret, &mut second)?);
    if let Some(label) = Label::of(name) {
        let fits = match label {
            Label::Master => secret.len() == 48,
            _ => matches!(secret.len(), 32 | 48),
        };
        let random: &[u8; 32] = random.try_into().ok()?;
        return fits.then(|| (name, Some(tail(random)), Secret::new(secret)));
    }
    Some((name, None, None))
}

fn tail(random: &[u8; 32]) -> [u8; 16] {
    random.last_chunk().copied().unwrap_or_default()
}

fn hex<'b>(digits: &[u8], into: &'b mut [u8; LINE_MAX / 2]) -> Option<&'b [u8]> {
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() || pairs.len() > into.len() {
        return None;
    }
    for ([high, low], byte) in pairs.iter().zip(into.iter_mut()) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    into.get(..pairs.len())
}

/// The next line without its end, of a longer one the first bytes; false at the end.
fn next_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let bytes = match from.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        if bytes.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = memchr::memchr(b'\n', bytes);
        let whole = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes);
        // What is longer keeps one byte more than fits: no hexadecimal field of it is read then.
        let room = (LINE_MAX + 1).saturating_sub(line.len()).min(whole.len());
        line.extend_from_slice(whole.get(..room).unwrap_or(&[]));
        let used = whole.len() + usize::from(end.is_some());
        from.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

    fn read(text: &str) -> (KeyLog, Lines) {
        let log = KeyLog::default();
        let lines = log.read(text.as_bytes()).unwrap();
        (log, lines)
    }

    fn random() -> [u8; 32] {
        let mut bytes = [0; LINE_MAX / 2];
        hex(RANDOM.as_bytes(), &mut bytes)
            .unwrap()
            .try_into()
            .unwrap()
    }

    #[test]
    fn lines_are_found_by_random_and_label() {
        let (master, traffic) = ("ab".repeat(48), "cd".repeat(32));
        let (log, lines) = read(&format!(
            "# a comment\r\n\r\nCLIENT_RANDOM {RANDOM} {master}\r\nSERVER_TRAFFIC_SECRET_0 {RANDOM} {traffic}"
        ));
        assert_eq!((lines.used, lines.malformed), (2, 0));
        let secret = |label| {
            log.secret(&random(), label)
                .map(|secret| secret.bytes().to_vec())
        };
        assert_eq!(secret(Label::Master), Some(vec![0xab; 48]));
        assert_eq!(secret(Label::ServerTraffic), Some(vec![0xcd; 32]));
        assert_eq!(secret(Label::ClientTraffic), None);
        assert!(log.secret(&[7; 32], Label::Master).is_none());
    }

    #[test]
    fn what_is_no_line_is_counted_with_the_first_of_them() {
        let long = "a".repeat(5_000);
        let (log, lines) = read(&format!(
            "CLIENT_RANDOM {RANDOM} {}\nnonsense\nCLIENT_RANDOM {RANDOM} abc\nCLIENT_RANDOM 00 {}\n{long}\n\
             EXPORTER_SECRET {RANDOM} {}\nRSA 0011223344556677 {}\n\0\u{1}\n",
            "ab".repeat(47),
            "ab".repeat(48),
            "cd".repeat(32),
            "ef".repeat(48)
        ));
        assert!(log.is_empty());
        assert_eq!((lines.malformed, lines.first_malformed), (6, 1));
        assert_eq!(lines.other, 2);
    }

    #[test]
    fn a_later_secret_replaces_an_earlier_one() {
        let (log, lines) = read(&format!(
            "CLIENT_RANDOM {RANDOM} {}\nCLIENT_RANDOM {RANDOM} {}\n",
            "ab".repeat(48),
            "cd".repeat(48)
        ));
        assert_eq!((lines.used, log.len()), (2, 1));
        let secret = log.secret(&random(), Label::Master).unwrap();
        assert_eq!(secret.bytes(), [0xcd; 48]);
        assert_eq!(
            format!("{secret:?} {log:?}"),
            "Secret(48 bytes) KeyLog(1 secrets)"
        );
    }

    #[test]
    fn the_identity_does_not_depend_on_the_order_of_lines() {
        let (one, other) = (
            format!("CLIENT_RANDOM {RANDOM} {}\n", "ab".repeat(48)),
            format!("SERVER_TRAFFIC_SECRET_0 {RANDOM} {}\n", "ab".repeat(48)),
        );
        let identity = |text: &str| read(text).0.identity();
        assert_eq!(
            identity(&format!("{one}{other}")),
            identity(&format!("{other}{one}"))
        );
        assert_ne!(identity(&one), identity(&other));
    }
}
