//! IKEv1 (RFC 2408, RFC 2409) and IKEv2 (RFC 7296): the header of a message, and what its clear payloads say.
//!
//! Promises: no panic, at most `PAYLOADS_MAX` payloads looked at. What is encrypted is stepped over; of IKEv2 fragments
//! (RFC 7383) and Cisco's of IKEv1 only the number is read.

/// Payloads looked at in one message.
const PAYLOADS_MAX: usize = 32;
/// Longest message that is believed.
const LEN_MAX: u32 = 65_535;

/// Exchange types (RFC 2408 3.1, RFC 7296 3.1, RFC 9242).
pub mod exchange {
    /// IKEv1 main mode (identity protection).
    pub const MAIN: u8 = 2;
    /// IKEv1 aggressive mode.
    pub const AGGRESSIVE: u8 = 4;
    /// IKEv1 informational.
    pub const INFORMATIONAL_V1: u8 = 5;
    /// IKEv1 quick mode (RFC 2409 5.5).
    pub const QUICK: u8 = 32;
    /// IKE_SA_INIT.
    pub const SA_INIT: u8 = 34;
    /// IKE_AUTH.
    pub const AUTH: u8 = 35;
    /// CREATE_CHILD_SA.
    pub const CREATE_CHILD: u8 = 36;
    /// INFORMATIONAL.
    pub const INFORMATIONAL: u8 = 37;
    /// IKE_INTERMEDIATE.
    pub const INTERMEDIATE: u8 = 43;
}

/// Notify message types that end a negotiation (RFC 2408 3.14.1, RFC 7296 3.10.1: the numbers are the same).
pub mod notify {
    /// NO_PROPOSAL_CHOSEN.
    pub const NO_PROPOSAL: u16 = 14;
    /// INVALID_KE_PAYLOAD; in IKEv1 INVALID-KEY-INFORMATION.
    pub const INVALID_KE: u16 = 17;
    /// AUTHENTICATION_FAILED.
    pub const AUTHENTICATION_FAILED: u16 = 24;
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// SPI of the initiator: names the attempt.
    pub initiator_spi: u64,
    /// SPI of the responder; 0 in the first message.
    pub responder_spi: u64,
    /// 1 or 2.
    pub version: u8,
    /// See `exchange`.
    pub exchange: u8,
    /// IKEv2: a response.
    pub response: bool,
    /// IKEv2: sent by the original initiator.
    pub from_initiator: bool,
    /// Its payloads, or all behind the first, are encrypted.
    pub encrypted: bool,
    /// Message id.
    pub id: u32,
    /// Length that the header says.
    pub len: u32,
    /// Number of the fragment; 1 for a whole message.
    pub fragment: u16,
    /// The first error notified in clear (types below 16384).
    pub error: Option<u16>,
    /// It carries a security association in clear.
    pub sa: bool,
}

/// Reads a message; `None` where the bytes are none.
pub fn parse(bytes: &[u8]) -> Option<Message> {
    let initiator_spi = u64::from_be_bytes(array(bytes, 0)?);
    let responder_spi = u64::from_be_bytes(array(bytes, 8)?);
    let [next, version, exchange, flags] = array(bytes, 16)?;
    let id = u32::from_be_bytes(array(bytes, 20)?);
    let len = u32::from_be_bytes(array(bytes, 24)?);
    let version = version >> 4;
    let known = match version {
        1 => matches!(exchange, 1..=5 | 32 | 33) && flags & 0xf8 == 0,
        2 => matches!(exchange, 34..=39 | 43) && flags & 0xc7 == 0,
        _ => false,
    };
    if !known
        || initiator_spi == 0
        || !(28..=LEN_MAX).contains(&len)
        || (len as usize) < bytes.len()
    {
        return None;
    }
    let mut message = Message {
        initiator_spi,
        responder_spi,
        version,
        exchange,
        response: version == 2 && flags & 0x20 != 0,
        from_initiator: version == 2 && flags & 0x08 != 0,
        encrypted: version == 1 && flags & 1 != 0,
        id,
        len,
        fragment: 1,
        error: None,
        sa: false,
    };
    if !message.encrypted {
        walk(next, bytes.get(28..)?, &mut message);
    }
    Some(message)
}

fn walk(mut next: u8, mut bytes: &[u8], message: &mut Message) {
    for _ in 0..PAYLOADS_MAX {
        let Some(len) = array(bytes, 2).map(|len| usize::from(u16::from_be_bytes(len))) else {
            return;
        };
        let Some((payload, rest)) = bytes
            .split_at_checked(len)
            .filter(|_| next != 0 && len >= 4)
        else {
            // What is cut within an encrypted payload is one all the same.
            message.encrypted |= message.version == 2 && matches!(next, 46 | 53);
            return;
        };
        match (message.version, next) {
            (2, 46) => message.encrypted = true,
            (2, 53) => {
                message.encrypted = true;
                message.fragment = array(payload, 4).map_or(1, u16::from_be_bytes);
            }
            (1, 132) => message.fragment = payload.get(6).map_or(1, |number| (*number).into()),
            (1, 1) | (2, 33) => message.sa = true,
            (1, 11) => note_error(array(payload, 10), message),
            (2, 41) => note_error(array(payload, 6), message),
            _ => {}
        }
        if message.encrypted {
            return;
        }
        next = payload.first().copied().unwrap_or(0);
        bytes = rest;
    }
}

/// Types from 16384 on tell a state, not an error (RFC 7296 3.10.1; RFC 2408 3.14.1 has 8192 for DOIs).
fn note_error(kind: Option<[u8; 2]>, message: &mut Message) {
    if let Some(kind) = kind
        .map(u16::from_be_bytes)
        .filter(|kind| (1..8_192).contains(kind))
    {
        message.error.get_or_insert(kind);
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Header with these versions, exchange and flags, and payloads behind it.
    fn message(next: u8, version: u8, exchange: u8, flags: u8, payloads: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x11; 8];
        bytes.extend([0; 8]);
        bytes.extend([next, version << 4, exchange, flags, 0, 0, 0, 0, 0, 0, 0]);
        bytes.push(28 + payloads.len() as u8);
        bytes.extend(payloads);
        bytes
    }

    #[test]
    fn a_refusal_in_clear_is_read() {
        let v2 = message(41, 2, 34, 0x20, &[0, 0, 0, 8, 0, 0, 0, 14]);
        let read = parse(&v2).map(|read| (read.version, read.response, read.error));
        assert_eq!(read, Some((2, true, Some(14))));
        let v1 = message(11, 1, 5, 0, &[0, 0, 0, 12, 0, 0, 0, 1, 1, 0, 0, 24]);
        assert_eq!(parse(&v1).and_then(|read| read.error), Some(24));
    }

    #[test]
    fn states_are_no_errors_and_what_is_encrypted_is_left_alone() {
        let state = message(41, 2, 34, 0x20, &[0, 0, 0, 8, 0, 0, 0x40, 0x04]);
        assert_eq!(parse(&state).and_then(|read| read.error), None);
        let sealed = message(46, 2, 35, 0x08, &[41, 0, 0, 8, 0, 0, 0, 24]);
        let read = parse(&sealed).map(|read| (read.encrypted, read.error, read.from_initiator));
        assert_eq!(read, Some((true, None, true)));
        let piece = message(53, 2, 35, 0x08, &[0, 0, 0, 8, 0, 2, 0, 3]);
        assert_eq!(parse(&piece).map(|read| read.fragment), Some(2));
    }

    #[test]
    fn hostile_bytes_are_no_message_or_a_poor_one() {
        assert_eq!(parse(&[0; 64]), None);
        assert_eq!(parse(&message(33, 3, 34, 0, &[])), None);
        let good = message(33, 2, 34, 8, &[41, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 14]);
        for end in 0..good.len() {
            let cut = parse(&good[..end]);
            assert!(end >= 28 || cut.is_none());
        }
        // A payload of no length ends the walk.
        assert_eq!(
            parse(&message(41, 2, 34, 8, &[41, 0, 0, 0])).map(|read| read.sa),
            Some(false)
        );
    }
}
