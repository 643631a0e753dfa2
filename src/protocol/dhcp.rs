//! DHCP (RFC 2131, RFC 2132) and DHCPv6 (RFC 8415): who asks, and which message it is.
//!
//! Of DHCPv6 relays' envelopes are not opened.

/// Message types of DHCP.
pub mod kind {
    /// DHCPDISCOVER.
    pub const DISCOVER: u8 = 1;
    /// DHCPOFFER.
    pub const OFFER: u8 = 2;
    /// DHCPREQUEST.
    pub const REQUEST: u8 = 3;
    /// DHCPACK.
    pub const ACK: u8 = 5;
    /// DHCPNAK.
    pub const NAK: u8 = 6;
    /// DHCPINFORM.
    pub const INFORM: u8 = 8;
}

/// Message types of DHCPv6.
pub mod kind6 {
    /// Solicit.
    pub const SOLICIT: u8 = 1;
    /// Advertise.
    pub const ADVERTISE: u8 = 2;
    /// Request.
    pub const REQUEST: u8 = 3;
    /// Reply.
    pub const REPLY: u8 = 7;
}

/// A DHCP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// See `kind`.
    pub kind: u8,
    /// Transaction.
    pub transaction: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// The client's hardware address.
    pub client: [u8; 6],
    /// Address that is given.
    pub yours: [u8; 4],
    /// Relay that forwarded it; zero for none.
    pub relay: [u8; 4],
    /// Address asked for.
    pub requested: Option<[u8; 4]>,
    /// Server identifier.
    pub server: Option<[u8; 4]>,
}

/// Reads a datagram of ports 67 and 68.
pub fn parse(bytes: &[u8]) -> Option<Message> {
    let [op, 1, 6, _] = array(bytes, 0)? else {
        return None;
    };
    if !matches!(op, 1 | 2) || array(bytes, 236)? != [0x63, 0x82, 0x53, 0x63] {
        return None;
    }
    let mut message = Message {
        kind: 0,
        transaction: u32::from_be_bytes(array(bytes, 4)?),
        secs: u16::from_be_bytes(array(bytes, 8)?),
        client: array(bytes, 28)?,
        yours: array(bytes, 16)?,
        relay: array(bytes, 24)?,
        requested: None,
        server: None,
    };
    let mut rest = bytes.get(240..)?;
    while let Some((&option, later)) = rest.split_first() {
        if option == 0 {
            rest = later;
            continue;
        }
        let Some((&len, later)) = later.split_first().filter(|_| option != 255) else {
            break;
        };
        let Some((value, later)) = later.split_at_checked(len.into()) else {
            break;
        };
        match option {
            50 => message.requested = array(value, 0),
            53 => message.kind = value.first().copied().unwrap_or(0),
            54 => message.server = array(value, 0),
            _ => {}
        }
        rest = later;
    }
    // RFC 2131 3: without a type it is BOOTP.
    let from_client = matches!(message.kind, 1 | 3 | 4 | 7 | 8);
    (message.kind != 0 && from_client == (op == 1)).then_some(message)
}

/// Type and transaction of a datagram of ports 546 and 547.
pub fn parse6(bytes: &[u8]) -> Option<(u8, u32)> {
    let [kind, a, b, c] = array(bytes, 0)?;
    (1..=11)
        .contains(&kind)
        .then(|| (kind, u32::from_be_bytes([0, a, b, c])))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(op: u8, options: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 236];
        bytes[..4].copy_from_slice(&[op, 1, 6, 0]);
        bytes[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
        bytes.extend([0x63, 0x82, 0x53, 0x63]);
        bytes.extend(options);
        bytes
    }

    #[test]
    fn a_discover_names_its_client() {
        let read = parse(&message(1, &[53, 1, 1, 50, 4, 192, 0, 2, 7, 255]));
        let read = read.map(|read| (read.kind, read.client, read.requested));
        assert_eq!(read, Some((1, [2, 0, 0, 0, 0, 9], Some([192, 0, 2, 7]))));
    }

    #[test]
    fn a_reply_of_a_client_and_bootp_are_none() {
        assert_eq!(parse(&message(1, &[53, 1, 2, 255])), None);
        assert_eq!(parse(&message(2, &[255])), None);
    }

    #[test]
    fn hostile_bytes_are_none_or_what_came_before() {
        let whole = message(2, &[53, 1, 6, 54, 200, 1]);
        assert_eq!(
            parse(&whole).map(|read| (read.kind, read.server)),
            Some((6, None))
        );
        for end in 0..whole.len() {
            let _ = parse(&whole[..end]);
        }
        assert_eq!(parse6(&[1, 0, 0]), None);
        assert_eq!(parse6(&[12, 0, 0, 0]), None);
        assert_eq!(parse6(&[1, 0, 1, 2]), Some((1, 258)));
    }
}
