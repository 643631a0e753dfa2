//! Message heads: the start line and the fields (RFC 9112 sections 2 to 5).
//!
//! Reads what is there rather than what is allowed: bare LF, bytes above 127, blanks in targets.

use smol_str::SmolStr;

use crate::mark::Mark;

use super::body::Framing;
use super::exchange::{Request, Response};
use super::field::{Field, Fields, is_token, split_at_byte, split_line};
use super::marks;
use super::secrets;
use super::words::{bytes_hold, holds, lower, text};

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
    let start = bytes.iter().take(METHOD_MAX.saturating_add(1));
    let method_len = start.take_while(|&&byte| is_token(byte)).count();
    let Some((method, rest)) = bytes.split_at_checked(method_len) else {
        return Look::Not;
    };
    if method.is_empty() || method.len() > METHOD_MAX {
        return Look::Not;
    }
    match rest {
        [] if METHODS
            .iter()
            .any(|known| known.as_bytes().starts_with(method)) =>
        {
            Look::Short
        }
        [] if method.len() < METHOD_MAX && method.iter().all(u8::is_ascii_uppercase) => Look::Short,
        [b' ', target @ ..] => look_at_target(target, method),
        _ => Look::Not,
    }
}

fn look_at_target(target: &[u8], method: &[u8]) -> Look {
    if let Some(end) = memchr::memchr(b'\n', target) {
        let line = target.get(..end).unwrap_or(&[]).trim_ascii_end();
        let versioned = matches!(
            line,
            [
                ..,
                b' ',
                b'H',
                b'T',
                b'T',
                b'P',
                b'/',
                b'1',
                b'.',
                b'0'..=b'9'
            ]
        );
        return if versioned { Look::Request } else { Look::Not };
    }
    let plausible = match target {
        [b'/', ..] => true,
        [] => return Look::Short,
        _ => target.iter().all(|&byte| byte > b' ') && target.starts_with(b"http"),
    };
    let known = || METHODS.iter().any(|known| known.as_bytes() == method);
    if plausible && known() {
        Look::Request
    } else if target.len() < LINE_MAX && target.iter().all(|&byte| byte >= b' ' || byte == b'\r') {
        Look::Short
    } else {
        Look::Not
    }
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

/// The request whose head these bytes begin with, and what follows it; `None` where the head is not whole or is none.
/// `first` is the frame of its first byte, `at` that of its last.
pub(super) fn request(bytes: &[u8], first: Mark, at: Mark) -> Option<(Request, &[u8])> {
    let (line, rest) = split_line(bytes)?;
    let (method, target) = split_at_byte(line, b' ')?;
    let version_at = memchr::memrchr(b' ', target)?;
    let (target, version) = target.split_at_checked(version_at)?;
    let target = target.trim_ascii();
    let mut request = Request {
        first,
        head: at,
        last: at,
        method: text(method, METHOD_MAX),
        target: text(target, TARGET_MAX),
        target_cut: target.len() > TARGET_MAX,
        minor_version: minor(version.trim_ascii())?,
        ..Request::default()
    };
    let mut framing = Lengths::default();
    let mut fields = Fields::new(rest);
    for (name, value) in fields.by_ref() {
        if let Some(field) = Field::of(name) {
            let value = value.trim_ascii();
            framing.learn(field, value);
            request_field(&mut request, field, value);
        }
    }
    let after = fields.after()?;
    request.body.framing = framing.of_request();
    expose(&mut request, secrets::of_target(target));
    let authority = authority(&request.method, target);
    request.to_proxy = authority.is_some();
    if let Some(authority) = authority {
        // RFC 9112 3.2.2: an absolute target outranks the Host field.
        request.host = Some(lower(authority, 255));
    }
    Some((request, after))
}

/// The first credential in clear is the one that is told.
pub(in crate::protocol) fn expose(request: &mut Request, found: Option<secrets::Exposed>) {
    if request.exposed.is_none() {
        request.exposed = found.map(Box::new);
    }
}

/// Learns what one field of a request says, but for its body's length.
pub(in crate::protocol) fn learn_request(request: &mut Request, name: &[u8], value: &[u8]) {
    if let Some(field) = Field::of(name) {
        request_field(request, field, value);
    }
}

fn request_field(request: &mut Request, field: Field, value: &[u8]) {
    match field {
        Field::Host => request.host = Some(lower(value, 255)).filter(|host| !host.is_empty()),
        Field::Authorization => {
            request.authorization = scheme(value);
            expose(request, secrets::of_authorization(true, value));
        }
        Field::ProxyAuthorization => {
            request.proxy_authorization = scheme(value);
            expose(request, secrets::of_authorization(false, value));
        }
        Field::Cookie => request.cookie = true,
        Field::ContentType => request.content_type = Some(text(value, 128)),
        Field::ContentEncoding => request.content_encoding = Some(lower(value, 64)),
        Field::Accept => {
            let accept = text(value, 256);
            request.accepts_event_stream = holds(&accept, "text/event-stream");
            request.accept = Some(accept);
        }
        Field::Expect => request.expects_continue = value.eq_ignore_ascii_case(b"100-continue"),
        Field::XRequestedWith => request.scripted = true,
        Field::SecFetchMode => {
            request.navigates = value.eq_ignore_ascii_case(b"navigate");
            request.scripted |= !request.navigates;
        }
        Field::UpgradeInsecureRequests => request.navigates = true,
        Field::Upgrade => request.upgrade = Some(lower(value, 64)),
        _ => {}
    }
}

/// The response whose head these bytes begin with, and what follows it, as for `request`. Its framing holds unless the
/// request or the status decides it.
pub(in crate::protocol) fn response(
    bytes: &[u8],
    first: Mark,
    at: Mark,
) -> Option<(Response, &[u8])> {
    let (line, rest) = split_line(bytes)?;
    let (version, status) = split_at_byte(line, b' ')?;
    let (status, reason) = status.trim_ascii_start().split_at_checked(3)?;
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
        first,
        head: at,
        last: at,
        status,
        reason: text(reason.trim_ascii(), 128),
        minor_version,
        closes: minor_version == 0,
        ..Response::default()
    };
    let mut framing = Lengths::default();
    let mut fields = Fields::new(rest);
    for (name, value) in fields.by_ref() {
        if let Some(field) = Field::of(name) {
            let value = value.trim_ascii();
            framing.learn(field, value);
            response_field(&mut response, field, value);
        } else if response.firewall.is_none() {
            response.firewall = marks::of_name(name);
        }
    }
    let after = fields.after()?;
    response.body.framing = framing.of_response();
    response.broken = framing.contradictory;
    Some((response, after))
}

/// Learns what one field of a response says, but for its body's length.
pub(in crate::protocol) fn learn_response(response: &mut Response, name: &[u8], value: &[u8]) {
    match Field::of(name) {
        Some(field) => response_field(response, field, value),
        None => response.firewall = response.firewall.or_else(|| marks::of_name(name)),
    }
}

fn response_field(response: &mut Response, field: Field, value: &[u8]) {
    match field {
        Field::Server => {
            let server = text(value, 128);
            response.firewall = response.firewall.or_else(|| marks::of_server(&server));
            response.server = Some(server);
        }
        Field::RetryAfter => response.retry_after = Some(text(value, 64)),
        Field::WwwAuthenticate => push_scheme(&mut response.authenticate, value),
        Field::ProxyAuthenticate => push_scheme(&mut response.proxy_authenticate, value),
        Field::Location => response.location = Some(text(value, TARGET_MAX)),
        Field::ContentType => {
            let begins = |kind: &[u8]| {
                let start = value.get(..kind.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(kind))
            };
            response.streams = begins(b"text/event-stream") || begins(b"multipart/x-mixed-replace");
            response.content_type = Some(text(value, 128));
        }
        Field::ContentEncoding => response.content_encoding = Some(lower(value, 64)),
        Field::Upgrade => response.upgrade = Some(lower(value, 64)),
        Field::Connection => {
            let options = value.get(..128).unwrap_or(value);
            response.closes = bytes_hold(options, "close")
                || response.closes && !bytes_hold(options, "keep-alive");
        }
        _ => {}
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
    fn learn(&mut self, field: Field, value: &[u8]) {
        match field {
            Field::ContentLength => {
                for part in value.split(|&byte| byte == b',') {
                    let length = std::str::from_utf8(part.trim_ascii())
                        .ok()
                        .and_then(|part| part.parse().ok());
                    self.contradictory |=
                        length.is_none() || self.length.is_some() && self.length != length;
                    self.length = length;
                }
            }
            Field::TransferEncoding => {
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
