//! TLS 1.0 to 1.3 (RFC 2246 … RFC 8446), SSL 3 and TLCP (GB/T 38636) as a passive reader sees them: both hellos,
//! certificates, alerts, and the sizes and order of what is encrypted.
//!
//! Records are cut here and handshake messages gathered over records and segments; hellos are parsed by
//! `tls-parser`. Encrypted payload is skipped by its length, unless a key log has the session's secrets (`inside`).

pub mod chain;
pub mod hello;
mod inside;
pub mod names;
mod presented;
mod reader;
pub mod session;
mod tlcp;

pub use hello::{ClientHello, ServerHello};
pub use inside::{KeyLog, Lines, Opening, Plain};
pub use session::{Alert, Session, Stage};

use crate::protocol::Probe;

/// Record types (RFC 8446 5.1).
pub(crate) mod content {
    pub(crate) const CHANGE_CIPHER_SPEC: u8 = 20;
    pub(crate) const ALERT: u8 = 21;
    pub(crate) const HANDSHAKE: u8 = 22;
    pub(crate) const APPLICATION_DATA: u8 = 23;
}

/// Largest record fragment on the wire: 2^14 + 2,048 (RFC 5246 6.2.3).
pub(crate) const FRAGMENT_MAX: usize = 16_384 + 2_048;

/// Do these first bytes of a direction begin a TLS or TLCP connection, or continue one?
pub fn probe(start: &[u8]) -> Probe {
    let Some(&kind) = start.first() else {
        return Probe::NeedMore;
    };
    // SSL 2 compatible hello: two-byte length with the high bit, message type 1, version 3.x.
    if kind & 0x80 != 0 {
        return match start.get(2..4) {
            Some([1, 3]) => Probe::Yes,
            Some(_) => Probe::No,
            None => Probe::NeedMore,
        };
    }
    if !(content::CHANGE_CIPHER_SPEC..=content::APPLICATION_DATA).contains(&kind) {
        return Probe::No;
    }
    let Some(&major) = start.get(1) else {
        return Probe::NeedMore;
    };
    let Some(&minor) = start.get(2) else {
        return Probe::NeedMore;
    };
    if !is_version(major, minor) {
        return Probe::No;
    }
    let Some(length) = start.get(3..5) else {
        return Probe::NeedMore;
    };
    let length = length
        .iter()
        .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    if length == 0 || length > FRAGMENT_MAX {
        return Probe::No;
    }
    match (kind, start.get(5)) {
        (content::HANDSHAKE, Some(message)) if *message > 24 && *message != 67 => Probe::No,
        (content::HANDSHAKE, None) => Probe::NeedMore,
        _ => Probe::Yes,
    }
}

/// SSL 3, TLS 1.0 to 1.3, TLCP.
pub(crate) const fn is_version(major: u8, minor: u8) -> bool {
    (major == 3 && minor <= 4) || (major == 1 && minor == 1)
}
