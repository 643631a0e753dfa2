//! One key of one direction, and the opening of a record by it: what is opened is proven by its tag or MAC.

use aws_lc_rs::cipher::{DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::{aead, hmac};

use super::derive::{expand_label, prf};
use super::keys::Secret;
use super::suite::{Protection, Suite};
use crate::mark::Direction::{self, ToServer};

/// Bytes of an AEAD tag, of a CBC block, and of the nonce that stands in a GCM record.
const TAG: usize = 16;
const BLOCK: usize = 16;
const EXPLICIT: usize = 8;
/// Fixed nonces are 4 or 12 bytes.
const NONCE: usize = 12;

/// A record as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'b> {
    /// Type, version and length.
    pub(super) header: [u8; 5],
    /// What follows, whole.
    pub(super) fragment: &'b [u8],
}

impl Record<'_> {
    /// Content type on the outside.
    pub(super) const fn kind(&self) -> u8 {
        self.header[0]
    }
}

/// What a record held: its content type and its bytes.
pub(super) type Opened = (u8, Vec<u8>);

/// A key that opens records.
#[derive(Debug)]
pub(super) enum Opener {
    /// TLS 1.3 (RFC 8446 5.2).
    Modern(aead::LessSafeKey, [u8; NONCE]),
    /// TLS 1.2 with ChaCha20-Poly1305 (RFC 7905).
    Numbered(aead::LessSafeKey, [u8; NONCE]),
    /// TLS 1.2 with AES-GCM (RFC 5288).
    Explicit(aead::LessSafeKey, [u8; NONCE]),
    /// TLS 1.2 with AES-CBC (RFC 5246 6.2.3.2).
    Cbc(Box<Cbc>),
}

/// A key of a suite in CBC mode.
#[derive(Debug)]
pub(super) struct Cbc {
    key: DecryptingKey,
    mac: hmac::Key,
    /// The MAC covers what is encrypted (RFC 7366).
    of_ciphertext: bool,
}

impl Opener {
    /// A key of TLS 1.3, of a traffic secret.
    pub(super) fn of_13(suite: &Suite, secret: &Secret) -> Option<Self> {
        let Protection::Numbered(algorithm) = suite.protection else {
            return None;
        };
        if secret.bytes().len() != suite.hash.digest_algorithm().output_len() {
            return None;
        }
        let (mut key, mut nonce) = ([0; 32], [0; NONCE]);
        let key = key.get_mut(..algorithm.key_len())?;
        expand_label(suite.hash, secret.bytes(), "key", key);
        expand_label(suite.hash, secret.bytes(), "iv", &mut nonce);
        Some(Self::Modern(sealed(algorithm, key)?, nonce))
    }

    /// The key of one side in TLS 1.2, of a master secret and both randoms, client's first (RFC 5246 6.3).
    pub(super) fn of_12(
        suite: &Suite,
        master: &Secret,
        (client, server): (&[u8; 32], &[u8; 32]),
        from: Direction,
        mac_of_ciphertext: bool,
    ) -> Option<Self> {
        let (mac_len, key_len, nonce_len) = suite.lengths();
        let mut block = vec![0; 2 * (mac_len + key_len + nonce_len)];
        let seeds = [server, client];
        prf(
            suite.hash,
            master.bytes(),
            b"key expansion",
            seeds,
            &mut block,
        );
        let own = usize::from(from != ToServer);
        let part = |before: usize, length: usize| {
            let start = 2 * before + own * length;
            block.get(start..start + length)
        };
        let mac = part(0, mac_len)?;
        let key = part(mac_len, key_len)?;
        let mut nonce = [0; NONCE];
        nonce
            .get_mut(..nonce_len)?
            .copy_from_slice(part(mac_len + key_len, nonce_len)?);
        Some(match suite.protection {
            Protection::Numbered(algorithm) => Self::Numbered(sealed(algorithm, key)?, nonce),
            Protection::Explicit(algorithm) => Self::Explicit(sealed(algorithm, key)?, nonce),
            Protection::Cbc(algorithm, _, hash) => {
                let key = UnboundCipherKey::new(algorithm, key).ok()?;
                let key = DecryptingKey::cbc(key).ok()?;
                Self::Cbc(Box::new(Cbc {
                    key,
                    mac: hmac::Key::new(hash, mac),
                    of_ciphertext: mac_of_ciphertext,
                }))
            }
        })
    }

    /// Opens the record as the one of this number; none where tag or MAC say that it is not.
    pub(super) fn open(&self, number: u64, record: Record<'_>) -> Option<Opened> {
        let kind = record.kind();
        match self {
            Self::Modern(key, nonce) => {
                let whole = unsealed(key, xored(*nonce, number), &record.header, record.fragment)?;
                // RFC 8446 5.4: the type is the last byte that is not zero.
                let end = whole.iter().rposition(|byte| *byte != 0)?;
                let inner = *whole.get(end)?;
                let mut content = whole;
                content.truncate(end);
                Some((inner, content))
            }
            Self::Numbered(key, nonce) => {
                let length = record.fragment.len().checked_sub(TAG)?;
                let header = authenticated(number, &record, length);
                let nonce = xored(*nonce, number);
                Some((kind, unsealed(key, nonce, &header, record.fragment)?))
            }
            Self::Explicit(key, salt) => {
                let (explicit, sealed) = record.fragment.split_at_checked(EXPLICIT)?;
                let length = sealed.len().checked_sub(TAG)?;
                let header = authenticated(number, &record, length);
                let mut nonce = *salt;
                nonce.get_mut(4..)?.copy_from_slice(explicit);
                Some((kind, unsealed(key, nonce, &header, sealed)?))
            }
            Self::Cbc(cbc) => Some((kind, cbc.open(number, record)?)),
        }
    }
}

impl Cbc {
    fn open(&self, number: u64, record: Record<'_>) -> Option<Vec<u8>> {
        let Self { key, mac, .. } = self;
        let length = mac.algorithm().digest_algorithm().output_len();
        if self.of_ciphertext {
            let (covered, tag) = split_end(record.fragment, length)?;
            let header = authenticated(number, &record, covered.len());
            verify(mac, &header, covered, tag)?;
            let mut padded = decrypted(key, covered)?;
            padded.truncate(unpadded(&padded, 0)?);
            return Some(padded);
        }
        let mut padded = decrypted(key, record.fragment)?;
        let end = unpadded(&padded, length)?;
        let (content, tag) = split_end(padded.get(..end)?, length)?;
        let header = authenticated(number, &record, content.len());
        verify(mac, &header, content, tag)?;
        padded.truncate(end - length);
        Some(padded)
    }
}

fn sealed(algorithm: &'static aead::Algorithm, key: &[u8]) -> Option<aead::LessSafeKey> {
    let key = aead::UnboundKey::new(algorithm, key).ok()?;
    Some(aead::LessSafeKey::new(key))
}

/// RFC 8446 5.3, RFC 7905 2: the number, big-endian, over the last bytes of the nonce.
fn xored(mut nonce: [u8; NONCE], number: u64) -> [u8; NONCE] {
    let last = nonce
        .iter_mut()
        .rev()
        .zip(number.to_be_bytes().into_iter().rev());
    for (byte, number) in last {
        *byte ^= number;
    }
    nonce
}

/// RFC 5246 6.2.3.3: number, type, version and length of the content.
fn authenticated(number: u64, record: &Record<'_>, length: usize) -> [u8; 13] {
    let [kind, major, minor, ..] = record.header;
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    [a, b, c, d, e, f, g, h, kind, major, minor, high, low]
}

fn unsealed(
    key: &aead::LessSafeKey,
    nonce: [u8; NONCE],
    header: &[u8],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let (covered, tag) = split_end(sealed, TAG)?;
    let mut content = vec![0; covered.len()];
    let nonce = aead::Nonce::assume_unique_for_key(nonce);
    key.open_separate_gather(nonce, aead::Aad::from(header), covered, tag, &mut content)
        .ok()?;
    Some(content)
}

fn decrypted(key: &DecryptingKey, fragment: &[u8]) -> Option<Vec<u8>> {
    let (start, covered) = fragment.split_first_chunk::<BLOCK>()?;
    let mut content = covered.to_vec();
    let context = DecryptionContext::Iv128((*start).into());
    key.decrypt(&mut content, context).ok()?;
    Some(content)
}

/// RFC 5246 6.2.3.2: where the padding begins, its every byte being its length; `least` bytes stand before it.
fn unpadded(padded: &[u8], least: usize) -> Option<usize> {
    let last = *padded.last()?;
    let end = padded.len().checked_sub(usize::from(last) + 1)?;
    let padding = padded.get(end..)?;
    (end >= least && padding.iter().all(|byte| *byte == last)).then_some(end)
}

fn verify(mac: &hmac::Key, header: &[u8; 13], content: &[u8], tag: &[u8]) -> Option<()> {
    let mut context = hmac::Context::with_key(mac);
    context.update(header);
    context.update(content);
    (context.sign().as_ref() == tag).then_some(())
}

fn split_end(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(bytes.len().checked_sub(length)?)
}
