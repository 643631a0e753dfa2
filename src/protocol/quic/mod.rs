//! QUIC as a passive reader sees it (RFC 8999, RFC 9000, RFC 9369): the clear heads of packets, and what an Initial says,
//! whose keys follow from the connection id that it carries (`initial`, RFC 9001 5.2).
//!
//! Versions 1 and 2 and the drafts 29 to 34 are opened; of other versions the head alone is known. Promises: no panic, at
//! most `PACKETS_MAX` packets of a datagram. All that comes after the Initials is encrypted with keys that only the ends
//! have; nothing of it is read.

mod gather;
pub mod initial;

pub use gather::Gather;

/// Packets of one datagram that are looked at (RFC 9000 12.2).
const PACKETS_MAX: usize = 8;
/// Longest connection id (RFC 9000 17.2).
const ID_MAX: usize = 20;

/// Versions whose Initials are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 9000.
    One,
    /// RFC 9369.
    Two,
    /// A draft from 29 on, with its number.
    Draft(u8),
}

impl Version {
    /// The version of this number.
    pub const fn of(number: u32) -> Option<Self> {
        match number {
            0x0000_0001 => Some(Self::One),
            0x6b33_43cf => Some(Self::Two),
            0xff00_001d..=0xff00_0022 => Some(Self::Draft((number & 0xff) as u8)),
            _ => None,
        }
    }

    /// Its name in reports.
    pub fn name(self) -> String {
        match self {
            Self::One => "v1".to_owned(),
            Self::Two => "v2".to_owned(),
            Self::Draft(number) => format!("draft-{number}"),
        }
    }
}

/// What a packet with a long head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Opens the connection, in both directions.
    Initial,
    /// Early data of the client.
    ZeroRtt,
    /// The rest of the TLS handshake.
    Handshake,
    /// The server asks the client to prove its address first.
    Retry,
}

/// One packet of a datagram, by its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A long head of a version that is known.
    Long(Long<'a>),
    /// The server does not speak the version that it was asked in (RFC 9000 17.2.1), and the versions that it does.
    Negotiation(&'a [u8]),
    /// A short head: the handshake is over for its sender.
    Short,
}

/// A packet with a long head (RFC 9000 17.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Long<'a> {
    /// Its version.
    pub version: Version,
    /// What it is.
    pub kind: Kind,
    /// Connection id of the receiver.
    pub to: &'a [u8],
    /// Connection id of the sender.
    pub from: &'a [u8],
    /// The whole packet, as far as it was captured.
    pub bytes: &'a [u8],
    /// Where the packet number begins in `bytes`; 0 for a Retry.
    pub number_at: usize,
    /// It was captured to its end.
    pub whole: bool,
}

/// The packets of a datagram, in order; none where it begins unlike QUIC.
pub fn packets(datagram: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let (packet, len) = packet(rest)?;
        rest = rest.get(len..).unwrap_or(&[]);
        Some(packet)
    })
    .take(PACKETS_MAX)
}

/// Could this datagram open a connection: an Initial of a known version to begin with?
pub fn begins(datagram: &[u8]) -> bool {
    matches!(packet(datagram), Some((Packet::Long(long), _)) if long.kind == Kind::Initial)
}

/// One packet and its length.
fn packet(bytes: &[u8]) -> Option<(Packet<'_>, usize)> {
    let first = *bytes.first()?;
    if first & 0x80 == 0 {
        // RFC 9000 17.3: the fixed bit; a short head has no length and ends its datagram.
        return (first & 0x40 != 0).then_some((Packet::Short, bytes.len()));
    }
    let mut reader = Reader { bytes, at: 1 };
    let number = u32::from_be_bytes(reader.take(4)?.try_into().ok()?);
    let to = reader.id()?;
    let from = reader.id()?;
    if number == 0 {
        return Some((Packet::Negotiation(reader.rest()), bytes.len()));
    }
    let version = Version::of(number).filter(|_| first & 0x40 != 0)?;
    let kind = kind(version, first >> 4 & 3);
    let mut long = Long {
        version,
        kind,
        to,
        from,
        bytes,
        number_at: 0,
        whole: true,
    };
    if kind == Kind::Retry {
        return Some((Packet::Long(long), bytes.len()));
    }
    if kind == Kind::Initial {
        let token = usize::try_from(reader.number()?).ok()?;
        reader.take(token)?;
    }
    let len = usize::try_from(reader.number()?).ok()?;
    let end = reader.at.checked_add(len)?;
    long.number_at = reader.at;
    long.whole = end <= bytes.len();
    long.bytes = bytes.get(..end).unwrap_or(bytes);
    Some((Packet::Long(long), end.min(bytes.len())))
}

/// RFC 9000 17.2; RFC 9369 3.2 turns them by one.
const fn kind(version: Version, bits: u8) -> Kind {
    let bits = match version {
        Version::Two => (bits + 3) & 3,
        _ => bits,
    };
    match bits {
        0 => Kind::Initial,
        1 => Kind::ZeroRtt,
        2 => Kind::Handshake,
        _ => Kind::Retry,
    }
}

/// Reads from the front; every step may find the end.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or(&[])
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn id(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(*self.take(1)?.first()?);
        (len <= ID_MAX).then(|| self.take(len))?
    }

    /// A number of one to eight bytes (RFC 9000 16).
    fn number(&mut self) -> Option<u64> {
        let first = *self.take(1)?.first()?;
        let more = self.take((1_usize << (first >> 6)) - 1)?;
        let start = u64::from(first & 0x3f);
        Some(
            more.iter()
                .fold(start, |value, byte| value << 8 | u64::from(*byte)),
        )
    }
}

#[cfg(test)]
pub(crate) mod tests;
