//! What an Initial says. Its keys follow from a salt that everybody knows and the connection id that the client chose
//! (RFC 9001 5.2): they protect against accidents, not against readers. An Initial that opens is proof that a datagram is
//! QUIC, whatever its port.

use aws_lc_rs::aead::quic::{AES_128, HeaderProtectionKey};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use super::{Long, Reader, Version};

/// Bytes of the sample that hides the packet number (RFC 9001 5.4.2).
const SAMPLE: usize = 16;
/// Longest packet that is opened.
const PACKET_MAX: usize = 4 * 1024;
/// Frames of one packet that are looked at.
const FRAMES_MAX: usize = 256;
/// Bytes kept of a reason.
const REASON_MAX: usize = 128;

/// RFC 9001 5.2; drafts from 33 on have the same.
const SALT_1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];
/// RFC 9369 3.3.1.
const SALT_2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb,
    0xf9, 0xbd, 0x2e, 0xd9,
];
/// draft-ietf-quic-tls-29 5.2, up to draft 32.
const SALT_29: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0,
    0x43, 0x90, 0xa8, 0x99,
];

/// Who sends an Initial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// An Initial that was opened: its frames.
#[derive(Clone, Debug)]
pub struct Opened(Vec<u8>);

/// What of a frame is of interest (RFC 9000 19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A piece of the TLS handshake, and its place.
    Crypto(u64, &'a [u8]),
    /// The sender gives up: error code and words.
    Close(u64, &'a [u8]),
}

/// Opens an Initial by the connection id that the client chose first. `None` if it is cut, or not what it claims.
pub fn open(packet: &Long<'_>, chosen: &[u8], sender: Sender) -> Option<Opened> {
    if !packet.whole || packet.bytes.len() > PACKET_MAX {
        return None;
    }
    let keys = Keys::new(packet.version, chosen, sender)?;
    let mut bytes = packet.bytes.to_vec();
    let at = packet.number_at;
    let sample = bytes.get(at.checked_add(4)?..)?.get(..SAMPLE)?;
    let mask = keys.head.new_mask(sample).ok()?;
    let first = bytes.first_mut()?;
    *first ^= mask[0] & 0x0f;
    let len = usize::from(*first & 3) + 1;
    let mut number = 0_u64;
    for (byte, mask) in bytes.get_mut(at..at + len)?.iter_mut().zip(&mask[1..]) {
        *byte ^= mask;
        number = number << 8 | u64::from(*byte);
    }
    // Few packets are sent before the handshake ends: the number as sent is the whole number.
    let mut nonce = keys.iv;
    for (byte, own) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
        *byte ^= own;
    }
    let (head, body) = bytes.split_at_mut_checked(at + len)?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    let plain = keys
        .body
        .open_in_place(nonce, Aad::from(&*head), body)
        .ok()?;
    Some(Opened(plain.to_vec()))
}

impl Opened {
    /// Its frames, up to the first that an Initial may not have.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        let mut reader = Reader {
            bytes: &self.0,
            at: 0,
        };
        (0..FRAMES_MAX).map_while(move |_| next(&mut reader))
    }
}

/// The next frame of interest.
fn next<'a>(reader: &mut Reader<'a>) -> Option<Frame<'a>> {
    loop {
        match reader.number()? {
            // Padding, and a ping.
            0 | 1 => {}
            kind @ (2 | 3) => acknowledgement(reader, kind == 3)?,
            6 => {
                let offset = reader.number()?;
                let len = usize::try_from(reader.number()?).ok()?;
                return Some(Frame::Crypto(offset, reader.take(len)?));
            }
            kind @ (0x1c | 0x1d) => {
                let code = reader.number()?;
                if kind == 0x1c {
                    reader.number()?;
                }
                let len = usize::try_from(reader.number()?).ok()?;
                let words = reader.take(len)?;
                let words = words.get(..REASON_MAX).unwrap_or(words);
                return Some(Frame::Close(code, words));
            }
            _ => return None,
        }
    }
}

/// Steps over what was received (RFC 9000 19.3).
fn acknowledgement(reader: &mut Reader<'_>, counts: bool) -> Option<()> {
    let (_largest, _delay, ranges, _first) = (
        reader.number()?,
        reader.number()?,
        reader.number()?,
        reader.number()?,
    );
    for _ in 0..ranges
        .checked_mul(2)?
        .checked_add(if counts { 3 } else { 0 })?
    {
        reader.number()?;
    }
    Some(())
}

struct Keys {
    head: HeaderProtectionKey,
    body: LessSafeKey,
    iv: [u8; 12],
}

impl Keys {
    fn new(version: Version, chosen: &[u8], sender: Sender) -> Option<Self> {
        let salt = match version {
            Version::One | Version::Draft(33..) => &SALT_1,
            Version::Two => &SALT_2,
            Version::Draft(_) => &SALT_29,
        };
        let labels: [&[u8]; 3] = match version {
            Version::Two => [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"],
            _ => [b"quic key", b"quic iv", b"quic hp"],
        };
        let own: &[u8] = match sender {
            Sender::Client => b"client in",
            Sender::Server => b"server in",
        };
        let initial = Salt::new(HKDF_SHA256, salt).extract(chosen);
        let secret: [u8; 32] = expand(&initial, own)?;
        let secret = Prk::new_less_safe(HKDF_SHA256, &secret);
        let body: [u8; 16] = expand(&secret, labels[0])?;
        let head: [u8; 16] = expand(&secret, labels[2])?;
        Some(Self {
            head: HeaderProtectionKey::new(&AES_128, &head).ok()?,
            body: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &body).ok()?),
            iv: expand(&secret, labels[1])?,
        })
    }
}

/// HKDF-Expand-Label without context (RFC 8446 7.1).
fn expand<const N: usize>(secret: &Prk, label: &[u8]) -> Option<[u8; N]> {
    struct Len(usize);
    impl KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }
    let len = [0, u8::try_from(N).ok()?];
    let named = [u8::try_from(label.len() + 6).ok()?];
    let info = [&len[..], &named, b"tls13 ", label, &[0]];
    let mut key = [0; N];
    secret.expand(&info, Len(N)).ok()?.fill(&mut key).ok()?;
    Some(key)
}

/// An Initial of a client with these frames and packet number 0, padded to what a datagram needs at least.
#[cfg(test)]
pub(crate) fn seal(number: u32, chosen: &[u8], token: &[u8], frames: &[u8]) -> Option<Vec<u8>> {
    let version = Version::of(number)?;
    let keys = Keys::new(version, chosen, Sender::Client)?;
    let mut body = frames.to_vec();
    body.resize(frames.len().max(64), 0);
    let first = if version == Version::Two { 0xd0 } else { 0xc0 };
    let mut packet = vec![first];
    packet.extend(number.to_be_bytes());
    packet.push(u8::try_from(chosen.len()).ok()?);
    packet.extend(chosen);
    packet.extend([0, u8::try_from(token.len()).ok()?]);
    packet.extend(token);
    let len = u16::try_from(body.len() + 17).ok()? | 0x4000;
    packet.extend(len.to_be_bytes());
    let at = packet.len();
    packet.push(0);
    let nonce = Nonce::assume_unique_for_key(keys.iv);
    let tag = keys
        .body
        .seal_in_place_separate_tag(nonce, Aad::from(&*packet), &mut body)
        .ok()?;
    packet.extend(body);
    packet.extend(tag.as_ref());
    let mask = keys.head.new_mask(packet.get(at + 4..at + 20)?).ok()?;
    *packet.first_mut()? ^= mask[0] & 0x0f;
    *packet.get_mut(at)? ^= mask[1];
    Some(packet)
}
