//! Message heads: the start line and the fields (RFC 9112 sections 2 to 5).
//!
//! Reads what is there rather than what is allowed: bare LF, bytes above 127, blanks in targets.

use smol_str::SmolStr;

use super::body::Framing;
use super::exchange::{Request, Response};
use super::marks;
use super::secrets;
use super::words::{holds, lower, text};

/// Methods whose request line is believed before its version is there.
const METHODS: [&str; 16] = [
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "CONNECT",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
];
/// Longest method that is believed at all.
const METHOD_MAX: usize = 32;
/// A request line that has not ended by then is none, unless its method is known.
const LINE_MAX: usize = 8 * 1024;
/// Bytes kept of a target or location.
pub(in crate::protocol) const TARGET_MAX: usize = 2_048;
/// Bytes of a field's name that are compared.
const NAME_MAX: usize = 64;
/// Schemes kept of one response.
const SCHEMES_MAX: usize = 8;

/// What the bytes at a message boundary begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Request,
    Response,
    Short,
    Not,
}

/// Tells what begins here from as few bytes as possible.
pub(super) fn look(bytes: &[u8]) -> Look {
    for start in [&b"HTTP/1."[..], b"ICY "] {
        if bytes.starts_with(start) {
            return Look::Response;
        }
        if start.starts_with(bytes) {
            return Look::Short;
        }
    }
    let method_len = bytes.iter().take_while(|&&byte| is_token(byte)).count();
    let Some((method, rest)) = bytes.split_at_checked(method_len) else {
        return Look::Not;
    };
    if method.is_empty() || method.len() > METHOD_MAX {
        return Look::Not;
    }
    let known = METHODS.iter().any(|known| known.as_bytes() == method);
    match rest {
        [] if METHODS
            .iter()
            .any(|known| known.as_bytes().starts_with(method)) =>
        {
            Look::Short
        }
        [] if method.len() < METHOD_MAX && method.iter().all(u8::is_ascii_uppercase) => Look::Short,
        [b' ', target @ ..] => look_at_target(target, known),
        _ => Look::Not,
    }
}

fn look_at_target(target: &[u8], known_method: bool) -> Look {
    if let Some(end) = memchr::memchr(b'\n', target) {
        let line = target.get(..end).unwrap_or(&[]).trim_ascii_end();
        let version = line.rsplit(|&byte| byte == b' ').next().unwrap_or(&[]);
        let versioned = matches!(
            version,
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']
        );
        return if versioned && line.len() > version.len() {
            Look::Request
        } else {
            Look::Not
        };
    }
    let plausible = match target {
        [b'/', ..] => true,
        [] => return Look::Short,
        _ => target.iter().all(|&byte| byte > b' ') && target.starts_with(b"http"),
    };
    if known_method && plausible {
        Look::Request
    } else if target.len() < LINE_MAX && target.iter().all(|&byte| byte >= b' ' || byte == b'\r') {
        Look::Short
    } else {
        Look::Not
    }
}

/// RFC 9110 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Where the head ends: after the first empty line. `from` bytes were searched before.
pub(in crate::protocol) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(3);
    loop {
        let rest = bytes.get(at..)?;
        at = at
            .checked_add(memchr::memchr(b'\n', rest)?)?
            .checked_add(1)?;
        match bytes.get(at..)? {
            [b'\n', ..] => return at.checked_add(1),
            [b'\r', b'\n', ..] => return at.checked_add(2),
            _ => {}
        }
    }
}

/// A request's head; its marks are the caller's.
pub(super) fn request(head: &[u8]) -> Option<Request> {
    let (line, fields) = split_line(head)?;
    let (method, rest) = split_at_byte(line, b' ')?;
    let version_at = memchr::memrchr(b' ', rest)?;
    let (target, version) = rest.split_at_checked(version_at)?;
    let target = target.trim_ascii();
    let mut request = Request {
        method: text(method, METHOD_MAX),
        target: text(target, TARGET_MAX),
        target_cut: target.len() > TARGET_MAX,
        minor_version: minor(version.trim_ascii())?,
        ..Request::default()
    };
    let mut framing = Lengths::default();
    let mut buffer = [0; NAME_MAX];
    let mut fields = Fields(fields);
    while let Some((name, value)) = fields.next(&mut buffer) {
        framing.learn(name, value);
        learn_request(&mut request, name, value);
    }
    request.body.framing = framing.of_request();
    expose(&mut request, secrets::of_target(target));
    let authority = authority(&request.method, target);
    request.to_proxy = authority.is_some();
    if let Some(authority) = authority {
        // RFC 9112 3.2.2: an absolute target outranks the Host field.
        request.host = Some(lower(authority, 255));
    }
    Some(request)
}

/// The first credential in clear is the one that is told.
pub(in crate::protocol) fn expose(request: &mut Request, found: Option<secrets::Exposed>) {
    if request.exposed.is_none() {
        request.exposed = found.map(Box::new);
    }
}

/// Learns what one field of a request says; `name` in lower case.
pub(in crate::protocol) fn learn_request(request: &mut Request, name: &[u8], value: &[u8]) {
    match name {
        b"host" => request.host = Some(lower(value, 255)).filter(|host| !host.is_empty()),
        b"authorization" => {
            request.authorization = scheme(value);
            expose(
                request,
                secrets::of_authorization(name == b"authorization", value),
            );
        }
        b"proxy-authorization" => {
            request.proxy_authorization = scheme(value);
            expose(
                request,
                secrets::of_authorization(name == b"authorization", value),
            );
        }
        b"cookie" => request.cookie = true,
        b"content-type" => request.content_type = Some(text(value, 128)),
        b"content-encoding" => {
            request.content_encoding = Some(lower(value, 64));
        }
        b"accept" => {
            let accept = text(value, 256);
            request.accepts_event_stream = holds(&accept, "text/event-stream");
            request.accept = Some(accept);
        }
        b"expect" => request.expects_continue = value.eq_ignore_ascii_case(b"100-continue"),
        b"x-requested-with" => request.scripted = true,
        b"sec-fetch-mode" => {
            request.navigates = value.eq_ignore_ascii_case(b"navigate");
            request.scripted |= !request.navigates;
        }
        b"upgrade-insecure-requests" => request.navigates = true,
        b"upgrade" => request.upgrade = Some(lower(value, 64)),
        _ => {}
    }
}

/// A response's head, with its framing unless the request or status decides it; its marks are the caller's.
pub(in crate::protocol) fn response(head: &[u8]) -> Option<Response> {
    let (line, fields) = split_line(head)?;
    let (version, rest) = split_at_byte(line, b' ')?;
    let rest = rest.trim_ascii_start();
    let (status, reason) = rest.split_at_checked(3)?;
    let status = std::str::from_utf8(status)
        .ok()?
        .parse()
        .ok()
        .filter(|status| (100..1_000).contains(status))?;
    if reason.first().is_some_and(|&byte| byte != b' ') {
        return None;
    }
    let minor_version = if version == b"ICY" {
        0
    } else {
        minor(version)?
    };
    let mut response = Response {
        status,
        reason: text(reason.trim_ascii(), 128),
        minor_version,
        closes: minor_version == 0,
        ..Response::default()
    };
    let mut framing = Lengths::default();
    let mut buffer = [0; NAME_MAX];
    let mut fields = Fields(fields);
    while let Some((name, value)) = fields.next(&mut buffer) {
        framing.learn(name, value);
        learn_response(&mut response, name, value);
    }
    response.body.framing = framing.of_response();
    response.broken = framing.contradictory;
    Some(response)
}

/// Learns what one field of a response says; `name` in lower case.
pub(in crate::protocol) fn learn_response(response: &mut Response, name: &[u8], value: &[u8]) {
    match name {
        b"server" => response.server = Some(text(value, 128)),
        b"retry-after" => response.retry_after = Some(text(value, 64)),
        b"www-authenticate" => push_scheme(&mut response.authenticate, value),
        b"proxy-authenticate" => push_scheme(&mut response.proxy_authenticate, value),
        b"location" => response.location = Some(text(value, TARGET_MAX)),
        b"content-type" => {
            let begins = |kind: &[u8]| {
                let start = value.get(..kind.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(kind))
            };
            response.streams = begins(b"text/event-stream") || begins(b"multipart/x-mixed-replace");
            response.content_type = Some(text(value, 128));
        }
        b"content-encoding" => response.content_encoding = Some(lower(value, 64)),
        b"upgrade" => response.upgrade = Some(lower(value, 64)),
        b"connection" => {
            let options = text(value, 128);
            response.closes =
                holds(&options, "close") || response.closes && !holds(&options, "keep-alive");
        }
        _ => {}
    }
    if response.firewall.is_none() {
        response.firewall = marks::of_field(name, value);
    }
}

/// What the fields say of the body's length (RFC 9112 6.3).
#[derive(Default)]
struct Lengths {
    length: Option<u64>,
    coded: bool,
    chunked: bool,
    contradictory: bool,
}

impl Lengths {
    fn learn(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"content-length" => {
                for part in value.split(|&byte| byte == b',') {
                    let length = std::str::from_utf8(part.trim_ascii())
                        .ok()
                        .and_then(|part| part.parse().ok());
                    self.contradictory |=
                        length.is_none() || self.length.is_some() && self.length != length;
                    self.length = length;
                }
            }
            b"transfer-encoding" => {
                let last = value
                    .rsplit(|&byte| byte == b',')
                    .next()
                    .unwrap_or(value)
                    .trim_ascii();
                self.coded |= !last.eq_ignore_ascii_case(b"identity");
                self.chunked = last.eq_ignore_ascii_case(b"chunked");
            }
            _ => {}
        }
    }

    fn of_request(&self) -> Framing {
        match (self.chunked, self.length) {
            (true, _) => Framing::Chunked,
            (false, Some(length)) if !self.contradictory => Framing::Length(length),
            _ => Framing::None,
        }
    }

    fn of_response(&self) -> Framing {
        match (self.chunked, self.length) {
            (true, _) => Framing::Chunked,
            (false, Some(length)) if !self.contradictory && !self.coded => Framing::Length(length),
            _ => Framing::UntilClose,
        }
    }
}

/// The fields of a head, names in lower case; folded lines and lines without a colon are passed over.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next name, in `buffer`, and its value. A name that does not fit the buffer is cut.
    fn next<'b>(&mut self, buffer: &'b mut [u8; NAME_MAX]) -> Option<(&'b [u8], &'a [u8])> {
        loop {
            let (line, rest) = split_line(self.0)?;
            self.0 = rest;
            if line.is_empty() {
                return None;
            }
            if let Some((name, value)) = split_at_byte(line, b':')
                && name.first().is_some_and(|&byte| is_token(byte))
            {
                let name = name.trim_ascii();
                let len = name.len().min(NAME_MAX);
                let lower = buffer.get_mut(..len)?;
                lower.copy_from_slice(name.get(..len)?);
                lower.make_ascii_lowercase();
                return Some((lower, value.trim_ascii()));
            }
        }
    }
}

/// The first line without its end, and what follows.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = split_at_byte(bytes, b'\n')?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest))
}

fn split_at_byte(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, bytes)?;
    Some((bytes.get(..at)?, bytes.get(at.checked_add(1)?..)?))
}

fn minor(version: &[u8]) -> Option<u8> {
    match version {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            digit @ b'0'..=b'9',
        ] => Some(digit.wrapping_sub(b'0')),
        _ => None,
    }
}

/// The authority of a target that is meant for a proxy.
fn authority<'a>(method: &str, target: &'a [u8]) -> Option<&'a [u8]> {
    if method == "CONNECT" {
        return Some(target);
    }
    let scheme_end = target
        .windows(3)
        .take(8)
        .position(|three| three == b"://")?;
    let rest = target.get(scheme_end.checked_add(3)?..)?;
    let end = rest
        .iter()
        .position(|byte| b"/?#".contains(byte))
        .unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    // Credentials before the host are not kept.
    Some(
        authority
            .rsplit(|&byte| byte == b'@')
            .next()
            .unwrap_or(authority),
    )
}

/// The first word of a credential or challenge, in lower case. Where it is no word, the credential is bare.
fn scheme(value: &[u8]) -> Option<SmolStr> {
    let (word, _) = split_at_byte(value, b' ').unwrap_or((value, &[]));
    let named =
        word.len() <= 16 && word.iter().all(|&byte| is_token(byte)) && word.len() < value.len();
    let bare = value.eq_ignore_ascii_case(b"negotiate") || value.eq_ignore_ascii_case(b"ntlm");
    Some(if named || bare {
        lower(word, 16)
    } else {
        SmolStr::new_static("other")
    })
}

fn push_scheme(schemes: &mut Vec<String>, value: &[u8]) {
    if schemes.len() < SCHEMES_MAX {
        let (word, _) = split_at_byte(value, b' ').unwrap_or((value, &[]));
        schemes.push(lower(word, 32).into());
    }
}
