//! WireGuard messages by their fixed shape (wireguard.com/protocol, section 5.4 of the paper): a type, three zero
//! bytes, a size.

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Handshake initiation.
    Initiation,
    /// Handshake response, or the cookie that a busy host answers with.
    Response,
    /// Data, or an empty keep-alive: to which session of the receiver's.
    Data(u32),
}

/// What a datagram of `len` bytes on the wire is, if it has a shape of WireGuard's.
pub fn parse(bytes: &[u8], len: usize) -> Option<Message> {
    let (head, _) = bytes.split_at_checked(4)?;
    match (head, len) {
        ([1, 0, 0, 0], 148) => Some(Message::Initiation),
        ([2, 0, 0, 0], 92) | ([3, 0, 0, 0], 64) => Some(Message::Response),
        ([4, 0, 0, 0], 32..) if len.is_multiple_of(16) => {
            let receiver = bytes.get(4..8)?.try_into().ok()?;
            Some(Message::Data(u32::from_le_bytes(receiver)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_and_size_must_agree() {
        assert_eq!(parse(&[1, 0, 0, 0, 9], 148), Some(Message::Initiation));
        assert_eq!(parse(&[2, 0, 0, 0], 92), Some(Message::Response));
        let data = [4, 0, 0, 0, 7, 1, 0, 0];
        assert_eq!(parse(&data, 32), Some(Message::Data(0x107)));
        assert_eq!(parse(&data[..7], 32), None);
        assert_eq!(parse(&[1, 0, 0, 0], 149), None);
        assert_eq!(parse(&[1, 0, 0, 1], 148), None);
        assert_eq!(parse(&[1, 0, 0], 148), None);
    }
}
