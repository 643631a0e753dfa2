//! OpenVPN over UDP (openvpn-rfc draft, `ssl.h` of OpenVPN): the opcode of a packet and the session that it names.
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
}
