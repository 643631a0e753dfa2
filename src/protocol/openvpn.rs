//! OpenVPN (openvpn-rfc draft, `ssl.h` of OpenVPN): the opcode of a datagram and the session that it names; over TCP, the
//! client's first packet alone.
//!
//! A first packet is believed on port 1194, and elsewhere where it has one of the sizes that the ways to wrap it give.

/// OpenVPN's own port.
pub const PORT: u16 = 1194;
/// Sizes of a first packet: plain, and with HMACs of 20, 32 and 64 bytes (tls-auth), or sealed (tls-crypt, 54).
const RESETS: [usize; 4] = [14, 42, 54, 86];

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// A client begins a session, or begins it again with the same number.
    Reset(u64),
    /// The server's answer to it.
    Answer,
    /// Control or acknowledgment.
    Control,
    /// Data, pings included.
    Data,
}

/// Reads a datagram between these ports.
pub fn parse(bytes: &[u8], ports: (u16, u16)) -> Option<Packet> {
    let (&first, rest) = bytes.split_first()?;
    let own = ports.0 == PORT || ports.1 == PORT;
    let session = rest.get(..8).and_then(|id| id.try_into().ok());
    let session = session.map(u64::from_be_bytes).filter(|id| *id != 0);
    match (first >> 3, first & 7) {
        // P_CONTROL_HARD_RESET_CLIENT_V2 and _V3 (with tls-crypt-v2, whose key makes it long).
        (7, 0) if own && bytes.len() >= 14 || RESETS.contains(&bytes.len()) => {
            session.map(Packet::Reset)
        }
        (10, 0) if own && bytes.len() >= 54 => session.map(Packet::Reset),
        (8, 0) if bytes.len() >= 26 => session.map(|_| Packet::Answer),
        (4 | 5, _) if own && bytes.len() >= 14 => session.map(|_| Packet::Control),
        (6 | 9, _) if own && bytes.len() >= 20 => Some(Packet::Data),
        _ => None,
    }
}

/// Is this segment a client's first packet, alone and whole? Over TCP a packet comes behind its length in two bytes.
pub fn begins_stream(bytes: &[u8]) -> bool {
    let Some((&[high, low, opcode], rest)) = bytes.split_first_chunk() else {
        return false;
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    let whole = bytes.len() == len + 2 && RESETS.contains(&len) && opcode == 7 << 3;
    let session = rest.get(..8).is_some_and(|id| id != [0; 8]);
    // No acknowledgments and packet number 0 end it, where it is not sealed (54 with HMAC of 32 bytes, or sealed).
    let clear = bytes.ends_with(&[0; 5]);
    whole && session && (clear || len == 54)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESET: [u8; 14] = [0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0];

    #[test]
    fn a_first_packet_is_told_on_any_port_by_its_size() {
        let session = 0x0102_0304_0506_0708;
        assert_eq!(parse(&RESET, (40_000, PORT)), Some(Packet::Reset(session)));
        assert_eq!(parse(&RESET, (40_000, 443)), Some(Packet::Reset(session)));
        let mut longer = RESET.to_vec();
        longer.push(0);
        assert_eq!(parse(&longer, (40_000, 443)), None);
    }

    #[test]
    fn data_is_believed_on_its_own_port_only() {
        let data = [0x48; 40];
        assert_eq!(parse(&data, (PORT, 40_000)), Some(Packet::Data));
        assert_eq!(parse(&data, (40_000, 443)), None);
    }

    #[test]
    fn short_bytes_are_none() {
        for end in 0..RESET.len() {
            assert_eq!(parse(&RESET[..end], (1, PORT)), None);
        }
    }

    #[test]
    fn over_tcp_a_first_packet_stands_alone_behind_its_length() {
        let mut bytes = vec![0, 14];
        bytes.extend(RESET);
        assert!(begins_stream(&bytes));
        for end in 0..bytes.len() {
            assert!(!begins_stream(&bytes[..end]));
        }
        bytes.push(0);
        assert!(!begins_stream(&bytes));
    }
}
