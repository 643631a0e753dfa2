//! Ids made of content alone: the same from file, pipe, split ring or another machine.

use std::fmt::Write as _;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::digits;
use crate::failure::Finding;
use crate::flow::key::FlowKey;
use crate::time::Timestamp;

/// Id of a finding; sorts as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u64);

impl Id {
    /// As it is written.
    pub fn text(self) -> String {
        let mut text = String::with_capacity(18);
        text.push_str("f-");
        push_hex(&mut text, &self.0.to_be_bytes(), 8);
        text
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "f-{:016x}", self.0)
    }
}

/// `f-` and 16 hex digits of SHA-256 over code, protocol, client, server and the first evidence's time in ns; for a
/// second finding with all of these alike (`alike` 1 and more) also over its number.
pub fn finding(finding: &Finding, alike: u32) -> Id {
    let first = finding
        .evidence
        .iter()
        .map(|seen| seen.at.time)
        .min()
        .unwrap_or(finding.first);
    let mut text = String::with_capacity(128);
    text.push_str(finding.class.code);
    text.push('|');
    digits::push_number(&mut text, finding.protocol.into());
    push_end(&mut text, finding.client);
    match &finding.name {
        Some(name) if finding.server.is_none() => {
            text.push('|');
            text.push_str(name);
        }
        _ => push_end(&mut text, finding.server),
    }
    push_time(&mut text, first);
    if alike > 0 {
        let _ = write!(text, "|{alike}");
    }
    let hash = Sha256::digest(text.as_bytes());
    Id(hash
        .first_chunk()
        .map_or(0, |first| u64::from_be_bytes(*first)))
}

/// `w-` and 16 hex digits over protocol, both ends and the first frame's time in ns.
pub fn flow(key: &FlowKey, first: Timestamp) -> String {
    let mut text = String::with_capacity(96);
    digits::push_number(&mut text, key.protocol.into());
    push_end(&mut text, Some((key.a, key.a_port)));
    push_end(&mut text, Some((key.b, key.b_port)));
    push_time(&mut text, first);
    let mut id = String::with_capacity(18);
    id.push_str("w-");
    push_hex(&mut id, &Sha256::digest(text.as_bytes()), 8);
    id
}

/// Community ID 1.0 of a TCP or UDP flow: `1:` and base64 of SHA-1 over seed 0 and the ordered tuple
/// (<https://github.com/corelight/community-id-spec>).
pub fn community(key: &FlowKey) -> String {
    let mut bytes = Vec::with_capacity(40);
    bytes.extend_from_slice(&[0, 0]);
    for ip in [key.a, key.b] {
        match ip {
            IpAddr::V4(ip) => bytes.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => bytes.extend_from_slice(&ip.octets()),
        }
    }
    bytes.extend_from_slice(&[key.protocol, 0]);
    bytes.extend_from_slice(&key.a_port.to_be_bytes());
    bytes.extend_from_slice(&key.b_port.to_be_bytes());
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let mut id = String::with_capacity(30);
    id.push_str("1:");
    push_base64(&mut id, hash.as_ref());
    id
}

fn push_end(text: &mut String, end: Option<(IpAddr, u16)>) {
    text.push('|');
    match end {
        Some((ip, port)) => digits::push_host_port(text, ip, port),
        None => text.push('-'),
    }
}

fn push_time(text: &mut String, time: Timestamp) {
    text.push('|');
    if time.ns() < 0 {
        text.push('-');
    }
    digits::push_number(text, time.ns().unsigned_abs());
}

/// The first `bytes` bytes in lower-case hexadecimal.
pub fn hex(of: &[u8], bytes: usize) -> String {
    let mut text = String::with_capacity(2 * bytes);
    push_hex(&mut text, of, bytes);
    text
}

fn push_hex(text: &mut String, of: &[u8], bytes: usize) {
    for byte in of.iter().take(bytes) {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(half.into(), 16).unwrap_or('0'));
        }
    }
}

/// Standard base64 with padding (RFC 4648 4).
fn push_base64(text: &mut String, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (group >> (18 - 6 * place) & 63) as usize;
            let letter = ALPHABET.get(index).copied().map_or('=', char::from);
            text.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::key::FlowKey;

    #[test]
    fn community_id_matches_the_specification() {
        let (key, _) = FlowKey::of(
            ([128, 232, 110, 120].into(), 34_855),
            ([66, 35, 250, 204].into(), 80),
            6,
            0,
        );
        assert_eq!(community(&key), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    }
}
