//! The control connection of PPTP (RFC 2637 2): which message a segment begins with, and its result.

/// Control message types.
pub mod kind {
    /// Start-Control-Connection-Request.
    pub const START: u16 = 1;
    /// Start-Control-Connection-Reply.
    pub const STARTED: u16 = 2;
    /// Outgoing-Call-Request.
    pub const CALL: u16 = 7;
    /// Outgoing-Call-Reply.
    pub const CALLED: u16 = 8;
}

/// The port of its control connection.
pub const PORT: u16 = 1723;

/// Type, and the result code of a reply.
pub fn parse(bytes: &[u8]) -> Option<(u16, Option<u8>)> {
    let two = |at: usize| {
        let two = bytes.get(at..at.checked_add(2)?)?;
        two.try_into().ok().map(u16::from_be_bytes)
    };
    if two(2)? != 1 || two(4)? != 0x1a2b || two(6)? != 0x3c4d {
        return None;
    }
    let kind = two(8)?;
    let result = match kind {
        kind::STARTED => bytes.get(14),
        kind::CALLED => bytes.get(16),
        _ => None,
    };
    Some((kind, result.copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_says_its_result() {
        let mut reply = vec![0, 156, 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, 2, 0, 0, 1, 0, 4, 0];
        assert_eq!(parse(&reply), Some((kind::STARTED, Some(4))));
        for end in 0..reply.len() {
            let _ = parse(&reply[..end]);
        }
        reply[4] = 0;
        assert_eq!(parse(&reply), None);
    }
}
