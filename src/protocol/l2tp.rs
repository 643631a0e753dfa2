//! L2TP version 2 (RFC 2661): control messages, and the PPP that data messages carry.
//!
//! Version 3 is not read.

/// Message types (RFC 2661 3.2).
pub mod kind {
    /// Start-Control-Connection-Request.
    pub const SCCRQ: u16 = 1;
    /// Stop-Control-Connection-Notification.
    pub const STOP: u16 = 4;
    /// Hello.
    pub const HELLO: u16 = 6;
}

/// A message of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Control; without a type it is a mere acknowledgment.
    Control {
        /// Tunnel id of the receiver.
        tunnel: u16,
        /// Its number, which a repetition keeps.
        ns: u16,
        /// Message type.
        kind: Option<u16>,
        /// Result code of a StopCCN or CDN.
        result: Option<u16>,
    },
    /// Data: a PPP frame.
    Data(&'a [u8]),
}

/// Reads one datagram of port 1701.
pub fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    let flags = u16_at(bytes, 0)?;
    if flags & 0x000f != 2 {
        return None;
    }
    let (control, length, sequence) = (
        flags & 0x8000 != 0,
        flags & 0x4000 != 0,
        flags & 0x0800 != 0,
    );
    if !control {
        let mut at = if length { 8 } else { 6 };
        at += if sequence { 4 } else { 0 };
        if flags & 0x0200 != 0 {
            at += 2 + usize::from(u16_at(bytes, at)?);
        }
        return bytes.get(at..).map(Message::Data);
    }
    // RFC 2661 3.1: length and sequence must be there, offset must not.
    if !length || !sequence || flags & 0x0200 != 0 || usize::from(u16_at(bytes, 2)?) < 12 {
        return None;
    }
    let (tunnel, ns) = (u16_at(bytes, 4)?, u16_at(bytes, 8)?);
    let avps = bytes.get(12..usize::from(u16_at(bytes, 2)?).min(bytes.len()))?;
    let kind = avp(avps, 0).and_then(|value| u16_at(value, 0));
    let result = avp(avps, 1).and_then(|value| u16_at(value, 0));
    Some(Message::Control {
        tunnel,
        ns,
        kind,
        result,
    })
}

/// The value of an attribute of the IETF's that is not hidden.
fn avp(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let head = u16_at(bytes, 0)?;
        let len = usize::from(head & 0x03ff);
        let (one, rest) = bytes.split_at_checked(len).filter(|_| len >= 6)?;
        if u16_at(one, 2)? == 0 && u16_at(one, 4)? == wanted && head & 0x4000 == 0 {
            return one.get(6..);
        }
        bytes = rest;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    two.try_into().ok().map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCCRQ: [u8; 20] = [
        0xc8, 2, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 8, 0, 0, 0, 0, 0, 1,
    ];

    #[test]
    fn a_request_for_a_tunnel_is_told_by_its_type() {
        let expected = Message::Control {
            tunnel: 0,
            ns: 0,
            kind: Some(kind::SCCRQ),
            result: None,
        };
        assert_eq!(parse(&SCCRQ), Some(expected));
    }

    #[test]
    fn data_is_ppp_behind_its_header() {
        assert_eq!(
            parse(&[0x00, 2, 0, 1, 0, 1, 0xc0, 0x23]),
            Some(Message::Data(&[0xc0, 0x23]))
        );
        assert_eq!(parse(&[0x02, 2, 0, 1, 0, 1, 0xff, 0xff]), None);
    }

    #[test]
    fn hostile_bytes_are_none() {
        for end in 0..SCCRQ.len() {
            let _ = parse(&SCCRQ[..end]);
        }
        let mut endless = SCCRQ;
        endless[13] = 0;
        assert!(matches!(
            parse(&endless),
            Some(Message::Control { kind: None, .. })
        ));
        assert_eq!(parse(&[0xff; 32]), None);
    }
}
