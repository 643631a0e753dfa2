//! The fields of a head (RFC 9110 5, RFC 9112 5), and which of them are read.

/// A field that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Accept,
    Authorization,
    Connection,
    ContentEncoding,
    ContentLength,
    ContentType,
    Cookie,
    Expect,
    Host,
    Location,
    ProxyAuthenticate,
    ProxyAuthorization,
    RetryAfter,
    SecFetchMode,
    Server,
    TransferEncoding,
    Upgrade,
    UpgradeInsecureRequests,
    WwwAuthenticate,
    XRequestedWith,
}

impl Field {
    /// The field of this name, whatever the case of its letters. Length and first letter leave one name to compare: most
    /// fields of a head are none of these.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let first = name.first()?.to_ascii_lowercase();
        let (field, known): (Self, &[u8]) = match (name.len(), first) {
            (4, b'h') => (Self::Host, b"Host"),
            (6, b'a') => (Self::Accept, b"Accept"),
            (6, b'c') => (Self::Cookie, b"Cookie"),
            (6, b'e') => (Self::Expect, b"Expect"),
            (6, b's') => (Self::Server, b"Server"),
            (7, b'u') => (Self::Upgrade, b"Upgrade"),
            (8, b'l') => (Self::Location, b"Location"),
            (10, b'c') => (Self::Connection, b"Connection"),
            (11, b'r') => (Self::RetryAfter, b"Retry-After"),
            (12, b'c') => (Self::ContentType, b"Content-Type"),
            (13, b'a') => (Self::Authorization, b"Authorization"),
            (14, b'c') => (Self::ContentLength, b"Content-Length"),
            (14, b's') => (Self::SecFetchMode, b"Sec-Fetch-Mode"),
            (16, b'c') => (Self::ContentEncoding, b"Content-Encoding"),
            (16, b'w') => (Self::WwwAuthenticate, b"WWW-Authenticate"),
            (16, b'x') => (Self::XRequestedWith, b"X-Requested-With"),
            (17, b't') => (Self::TransferEncoding, b"Transfer-Encoding"),
            (18, b'p') => (Self::ProxyAuthenticate, b"Proxy-Authenticate"),
            (19, b'p') => (Self::ProxyAuthorization, b"Proxy-Authorization"),
            (25, b'u') => (Self::UpgradeInsecureRequests, b"Upgrade-Insecure-Requests"),
            _ => return None,
        };
        (name == known || name.eq_ignore_ascii_case(known)).then_some(field)
    }
}

/// The fields of a head, line by line, up to its empty line; lines without a colon are passed over, and folded ones have
/// a name that no field has.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    ended: bool,
}

impl<'a> Fields<'a> {
    /// Those of a head whose start line is behind.
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest, ended: false }
    }

    /// What follows the head; `None` where its empty line has not come.
    pub(super) fn after(&self) -> Option<&'a [u8]> {
        self.ended.then_some(self.rest)
    }
}

impl<'a> Iterator for Fields<'a> {
    /// A name, and its value with the blanks around it.
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (line, rest) = split_line(self.rest)?;
            self.rest = rest;
            if line.is_empty() {
                self.ended = true;
                return None;
            }
            // Names are short: a vector's search would cost more than it saves.
            let mut parts = line.splitn(2, |&byte| byte == b':');
            if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
                return Some((name.trim_ascii_end(), value));
            }
        }
    }
}

/// The first line without its end, and what follows.
#[inline]
pub(super) fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = split_at_byte(bytes, b'\n')?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest))
}

/// What stands before and after the first such byte.
#[inline]
pub(super) fn split_at_byte(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, bytes)?;
    Some((bytes.get(..at)?, bytes.get(at.checked_add(1)?..)?))
}

/// RFC 9110 5.6.2.
pub(super) const fn is_token(byte: u8) -> bool {
    matches!(
        byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~'
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_whatever_their_case() {
        assert_eq!(Field::of(b"content-TYPE"), Some(Field::ContentType));
        assert_eq!(Field::of(b"Host"), Some(Field::Host));
        assert_eq!(Field::of(b"Cost"), None);
        assert_eq!(Field::of(b"Content-Typo"), None);
        assert_eq!(Field::of(b"CF-Mitigated"), None);
        assert_eq!(Field::of(b" Host"), None);
        assert_eq!(Field::of(b""), None);
    }

    #[test]
    fn every_name_has_its_own_length() {
        let names = "Accept Authorization Connection Content-Encoding Content-Length Content-Type Cookie Expect Host \
                     Location Proxy-Authenticate Proxy-Authorization Retry-After Sec-Fetch-Mode Server \
                     Transfer-Encoding Upgrade Upgrade-Insecure-Requests WWW-Authenticate X-Requested-With";
        for name in names.split_whitespace() {
            let field = Field::of(name.as_bytes());
            let told = format!("{:?}", field.unwrap());
            assert!(told.eq_ignore_ascii_case(&name.replace('-', "")), "{name}");
        }
    }

    #[test]
    fn lines_without_a_colon_are_passed_over() {
        let mut fields = Fields::new(b"A : 1 \r\nnone\n: 3\nB:4:5\r\n\r\nbody\n");
        let told: Vec<_> = fields.by_ref().collect();
        assert_eq!(
            told,
            [(&b"A"[..], &b" 1 "[..]), (b"", b" 3"), (b"B", b"4:5")]
        );
        assert_eq!(fields.after(), Some(&b"body\n"[..]));
    }

    #[test]
    fn a_head_without_its_empty_line_has_no_end() {
        let mut fields = Fields::new(b"A: 1\r\nB: 2\r\n");
        assert_eq!(fields.by_ref().count(), 2);
        assert_eq!(fields.after(), None);
    }

    #[test]
    fn tokens_are_those_of_the_standard() {
        for byte in 0..=u8::MAX {
            let listed = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_token(byte), listed, "{byte}");
        }
    }
}
