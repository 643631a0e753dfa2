//! Frames of HTTP/2 by their heads (RFC 9113 4.1 and 6), and error codes by name (RFC 9113 7).

/// Bytes of a frame's head.
pub(super) const HEAD: usize = 9;
/// Longest frame that is believed; senders may agree on up to 2^24, and hardly any does (RFC 9113 4.2).
const LEN_MAX: usize = 1 << 20;
/// Longest frame that is believed where a frame is looked for: what everybody starts with.
const LEN_USUAL: usize = 1 << 14;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Headers,
    Priority,
    Reset,
    Settings,
    Promise,
    Ping,
    GoAway,
    Window,
    Continuation,
    /// An extension, to be passed over (RFC 9113 5.5).
    Other,
}

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) len: usize,
    pub(super) kind: Kind,
    flags: u8,
    /// The stream; 0 for the connection.
    pub(super) stream: u32,
}

impl Head {
    /// The head that begins here, if it can be one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[high, middle, low, kind, flags, a, b, c, d] = bytes.first_chunk::<HEAD>()?;
        let head = Self {
            len: usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low),
            kind: match kind {
                0 => Kind::Data,
                1 => Kind::Headers,
                2 => Kind::Priority,
                3 => Kind::Reset,
                4 => Kind::Settings,
                5 => Kind::Promise,
                6 => Kind::Ping,
                7 => Kind::GoAway,
                8 => Kind::Window,
                9 => Kind::Continuation,
                _ => Kind::Other,
            },
            flags,
            stream: u32::from_be_bytes([a & 0x7f, b, c, d]),
        };
        head.fits().then_some(head)
    }

    /// Lengths and streams that the types demand.
    fn fits(&self) -> bool {
        let (len, connection) = (self.len, self.stream == 0);
        let well = match self.kind {
            Kind::Data | Kind::Headers | Kind::Continuation => !connection,
            Kind::Priority => len == 5 && !connection,
            Kind::Reset => len == 4 && !connection,
            Kind::Settings => connection && len.is_multiple_of(6) && (!self.ack() || len == 0),
            Kind::Promise => !connection && len >= 4,
            Kind::Ping => connection && len == 8,
            Kind::GoAway => connection && len >= 8,
            Kind::Window => len == 4,
            Kind::Other => true,
        };
        well && len <= LEN_MAX
    }

    /// DATA and HEADERS: the sender's last frame of this stream.
    pub(super) const fn ends_stream(&self) -> bool {
        self.flags & 0x1 != 0 && matches!(self.kind, Kind::Data | Kind::Headers)
    }

    /// The header block ends here.
    pub(super) const fn ends_block(&self) -> bool {
        self.flags & 0x4 != 0
    }

    /// SETTINGS: an acknowledgment.
    pub(super) const fn ack(&self) -> bool {
        self.flags & 0x1 != 0
    }

    /// DATA, HEADERS and PUSH_PROMISE: the payload begins with the length of its padding.
    pub(super) const fn padded(&self) -> bool {
        self.flags & 0x8 != 0
    }

    /// The payload without padding and what stands before the header block.
    pub(super) fn block<'b>(&self, payload: &'b [u8]) -> Option<&'b [u8]> {
        let mut rest = payload;
        let mut padding = 0;
        if self.padded() && self.kind != Kind::Continuation {
            let (&first, later) = rest.split_first()?;
            (padding, rest) = (usize::from(first), later);
        }
        let before = match self.kind {
            // RFC 9113 6.2: a priority that nobody heeds any more.
            Kind::Headers if self.flags & 0x20 != 0 => 5,
            Kind::Promise => 4,
            _ => 0,
        };
        rest.get(before..rest.len().checked_sub(padding)?)
    }
}

/// Do these bytes look like a run of whole frames, or of several frames of which the last goes on? For finding the way
/// back in after a hole: a segment mostly begins with a frame.
pub(super) fn chain(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut whole = 0;
    while !rest.is_empty() {
        let Some(head) = Head::parse(rest) else {
            return rest.len() < HEAD && whole >= 2;
        };
        let own = head.kind != Kind::Other && head.len <= LEN_USUAL && rest.get(5) < Some(&0x80);
        if !own {
            return false;
        }
        match rest.get(HEAD + head.len..) {
            Some(later) => rest = later,
            None => return whole >= 2,
        }
        whole += 1;
    }
    whole > 0
}

/// The name of an error code.
pub fn error_name(code: u32) -> String {
    let known = match code {
        0 => "NO_ERROR",
        1 => "PROTOCOL_ERROR",
        2 => "INTERNAL_ERROR",
        3 => "FLOW_CONTROL_ERROR",
        4 => "SETTINGS_TIMEOUT",
        5 => "STREAM_CLOSED",
        6 => "FRAME_SIZE_ERROR",
        7 => "REFUSED_STREAM",
        8 => "CANCEL",
        9 => "COMPRESSION_ERROR",
        10 => "CONNECT_ERROR",
        11 => "ENHANCE_YOUR_CALM",
        12 => "INADEQUATE_SECURITY",
        13 => "HTTP_1_1_REQUIRED",
        other => return format!("0x{other:x}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

    #[test]
    fn a_chain_ends_with_a_frame_or_is_long_enough_to_be_believed() {
        assert!(chain(&SETTINGS) && chain(&PING));
        assert!(chain(&[&SETTINGS[..], &PING, &PING[..12]].concat()));
        assert!(!chain(&PING[..12]) && !chain(&[&SETTINGS[..], &PING[..12]].concat()));
        assert!(!chain(b"GET / HTTP/1.1\r\n\r\n") && !chain(&[0; 9]) && !chain(&[]));
    }

    #[test]
    fn lengths_and_streams_must_suit_their_type() {
        // PING on a stream, RST_STREAM of five bytes, SETTINGS of seven, DATA without a stream, a frame of 4 MiB.
        for bytes in [
            [0, 0, 8, 6, 0, 0, 0, 0, 1],
            [0, 0, 5, 3, 0, 0, 0, 0, 1],
            [0, 0, 7, 4, 0, 0, 0, 0, 0],
            [0, 0, 7, 0, 0, 0, 0, 0, 0],
            [0x40, 0, 0, 0, 0, 0, 0, 0, 1],
        ] {
            assert_eq!(Head::parse(&bytes), None, "{bytes:?}");
        }
        // An extension may be anything (RFC 8701 makes some up).
        assert!(Head::parse(&[0, 0, 3, 0x2a, 9, 0, 0, 0, 0]).is_some());
    }

    #[test]
    fn padding_and_priority_are_no_part_of_the_block() {
        let head = Head::parse(&[0, 0, 9, 1, 0x2c, 0, 0, 0, 1]).unwrap_or_else(|| unreachable!());
        assert!(head.ends_block() && !head.ends_stream());
        assert_eq!(
            head.block(&[2, 0, 0, 0, 0, 9, 0x82, 0, 0]),
            Some(&[0x82][..])
        );
        assert_eq!(head.block(&[200, 0, 0, 0, 0, 9, 0x82, 0, 0]), None);
    }
}
