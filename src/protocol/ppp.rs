//! What PPP says of itself: link control (RFC 1661), PAP (RFC 1334), CHAP (RFC 1994), and the tags of PPPoE discovery
//! (RFC 2516).

/// Link control.
pub const LCP: u16 = 0xc021;
/// Password authentication.
pub const PAP: u16 = 0xc023;
/// Challenge handshake.
pub const CHAP: u16 = 0xc223;
/// Characters kept of a server's words.
const WORDS_MAX: usize = 64;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// LCP Configure-Request.
    Configure,
    /// LCP Echo-Request.
    Echo,
    /// Any other LCP message: the link's other end is there.
    Link,
    /// Credentials, or a challenge.
    Asked,
    /// They are accepted.
    Accepted,
    /// They are refused, with the server's words.
    Refused(Option<String>),
}

/// Reads a message of this PPP protocol.
pub fn parse(protocol: u16, bytes: &[u8]) -> Option<Said> {
    let (&code, &[_, high, low, ref body @ ..]) = bytes.split_first()? else {
        return None;
    };
    let len = usize::from(u16::from_be_bytes([high, low])).checked_sub(4)?;
    let body = body.get(..len).unwrap_or(body);
    match (protocol, code) {
        (LCP, 1) => Some(Said::Configure),
        (LCP, 9) => Some(Said::Echo),
        (LCP, 2..=15) => Some(Said::Link),
        (PAP, 1) | (CHAP, 1 | 2) => Some(Said::Asked),
        (PAP, 2) | (CHAP, 3) => Some(Said::Accepted),
        // RFC 1334 2.2.2: a length before the words.
        (PAP, 3) => Some(Said::Refused(words(body.get(1..).unwrap_or_default()))),
        (CHAP, 4) => Some(Said::Refused(words(body))),
        _ => None,
    }
}

/// Reads a PPP frame that begins with its protocol number, address and control bytes allowed.
pub fn frame(bytes: &[u8]) -> Option<Said> {
    let bytes = bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes);
    let (&[high, low], rest) = bytes.split_first_chunk::<2>()?;
    parse(u16::from_be_bytes([high, low]), rest)
}

/// The first printable words.
fn words(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let kept: String = text
        .chars()
        .filter(|one| !one.is_control())
        .take(WORDS_MAX)
        .collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// The error that a PADO or PADS carries (RFC 2516 appendix A).
pub fn discovery_error(mut tags: &[u8]) -> Option<&'static str> {
    loop {
        let (&[a, b, c, d], rest) = tags.split_first_chunk::<4>()?;
        match u16::from_be_bytes([a, b]) {
            0x0000 => return None,
            0x0201 => return Some("service-name-error"),
            0x0202 => return Some("ac-system-error"),
            0x0203 => return Some("generic-error"),
            _ => {}
        }
        tags = rest.get(usize::from(u16::from_be_bytes([c, d]))..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_why() {
        let nak = [3, 1, 0, 10, 5, b'w', b'r', b'o', b'n', b'g'];
        assert_eq!(
            parse(PAP, &nak),
            Some(Said::Refused(Some("wrong".to_owned())))
        );
        assert_eq!(parse(CHAP, &[4, 1, 0, 4]), Some(Said::Refused(None)));
        assert_eq!(
            frame(&[0xff, 3, 0xc0, 0x21, 1, 7, 0, 4]),
            Some(Said::Configure)
        );
    }

    #[test]
    fn hostile_bytes_are_none() {
        for bytes in [
            &[][..],
            &[3],
            &[3, 1, 0],
            &[3, 1, 0, 3],
            &[4, 1, 0xff, 0xff],
        ] {
            let _ = parse(PAP, bytes);
            let _ = frame(bytes);
        }
        assert_eq!(parse(LCP, &[1, 1, 0, 3]), None);
        assert_eq!(discovery_error(&[1, 3, 0xff, 0xff, 0]), None);
        assert_eq!(
            discovery_error(&[1, 3, 0, 1, 9, 2, 2, 0, 0]),
            Some("ac-system-error")
        );
    }
}
