//! Message heads: the start line and the fields (RFC 9112 sections 2 to 5).
//!
//! Reads what is there rather than what is allowed: bare LF, bytes above 127, blanks in targets.

use super::body::Framing;
use super::exchange::{Request, Response};
use super::marks;
use super::secrets;

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
pub(super) const TARGET_MAX: usize = 2_048;
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
    if let Some(end) = target.iter().position(|&byte| byte == b'\n') {
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
pub(super) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(3);
    loop {
        let rest = bytes.get(at..)?;
        at = at
            .checked_add(rest.iter().position(|&byte| byte == b'\n')?)?
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
    let version_at = rest.iter().rposition(|&byte| byte == b' ')?;
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
    for (name, value) in Fields(fields) {
        framing.learn(&name, value);
        learn_request(&mut request, &name, value);
    }
    request.body.framing = framing.of_request();
    expose(&mut request, secrets::of_target(target));
    let authority = authority(&request.method, target);
    request.to_proxy = authority.is_some();
    if let Some(authority) = authority {
        // RFC 9112 3.2.2: an absolute target outranks the Host field.
        request.host = Some(text(authority, 255).to_ascii_lowercase());
    }
    Some(request)
}

/// The first credential in clear is the one that is told.
fn expose(request: &mut Request, found: Option<secrets::Exposed>) {
    if request.exposed.is_none() {
        request.exposed = found.map(Box::new);
    }
}

fn learn_request(request: &mut Request, name: &str, value: &[u8]) {
    match name {
        "host" => {
            request.host =
                Some(text(value, 255).to_ascii_lowercase()).filter(|host| !host.is_empty())
        }
        "authorization" => {
            request.authorization = scheme(value);
            expose(request, secrets::of_authorization(name, value));
        }
        "proxy-authorization" => {
            request.proxy_authorization = scheme(value);
            expose(request, secrets::of_authorization(name, value));
        }
        "cookie" => request.cookie = true,
        "content-type" => request.content_type = Some(text(value, 128)),
        "content-encoding" => {
            request.content_encoding = Some(text(value, 64).to_ascii_lowercase());
        }
        "accept" => {
            request.accepts_event_stream = text(value, 256)
                .to_ascii_lowercase()
                .contains("text/event-stream");
            request.accept = Some(text(value, 256));
        }
        "expect" => request.expects_continue = value.eq_ignore_ascii_case(b"100-continue"),
        "x-requested-with" => request.scripted = true,
        "sec-fetch-mode" => {
            request.navigates = value.eq_ignore_ascii_case(b"navigate");
            request.scripted |= !request.navigates;
        }
        "upgrade-insecure-requests" => request.navigates = true,
        "upgrade" => request.upgrade = Some(text(value, 64).to_ascii_lowercase()),
        _ => {}
    }
}

/// A response's head, with its framing unless the request or status decides it; its marks are the caller's.
pub(super) fn response(head: &[u8]) -> Option<Response> {
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
    for (name, value) in Fields(fields) {
        framing.learn(&name, value);
        learn_response(&mut response, &name, value);
    }
    response.body.framing = framing.of_response();
    response.broken = framing.contradictory;
    Some(response)
}

fn learn_response(response: &mut Response, name: &str, value: &[u8]) {
    match name {
        "server" => response.server = Some(text(value, 128)),
        "retry-after" => response.retry_after = Some(text(value, 64)),
        "www-authenticate" => push_scheme(&mut response.authenticate, value),
        "proxy-authenticate" => push_scheme(&mut response.proxy_authenticate, value),
        "location" => response.location = Some(text(value, TARGET_MAX)),
        "content-type" => {
            let kind = text(value, 128);
            let lower = kind.to_ascii_lowercase();
            response.streams = lower.starts_with("text/event-stream")
                || lower.starts_with("multipart/x-mixed-replace");
            response.content_type = Some(kind);
        }
        "content-encoding" => {
            response.content_encoding = Some(text(value, 64).to_ascii_lowercase())
        }
        "upgrade" => response.upgrade = Some(text(value, 64).to_ascii_lowercase()),
        "connection" => {
            let options = text(value, 128).to_ascii_lowercase();
            response.closes =
                options.contains("close") || response.closes && !options.contains("keep-alive");
        }
        _ => {}
    }
    if response.firewall.is_none() {
        response.firewall = marks::of_field(name, &text(value, 128));
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
    fn learn(&mut self, name: &str, value: &[u8]) {
        match name {
            "content-length" => {
                for part in value.split(|&byte| byte == b',') {
                    let length = std::str::from_utf8(part.trim_ascii())
                        .ok()
                        .and_then(|part| part.parse().ok());
                    self.contradictory |=
                        length.is_none() || self.length.is_some() && self.length != length;
                    self.length = length;
                }
            }
            "transfer-encoding" => {
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

impl<'a> Iterator for Fields<'a> {
    type Item = (String, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (line, rest) = split_line(self.0)?;
            self.0 = rest;
            if line.is_empty() {
                return None;
            }
            if let Some((name, value)) = split_at_byte(line, b':')
                && name.first().is_some_and(|&byte| is_token(byte))
            {
                return Some((
                    text(name.trim_ascii(), 64).to_ascii_lowercase(),
                    value.trim_ascii(),
                ));
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
    let at = bytes.iter().position(|&byte| byte == separator)?;
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
fn scheme(value: &[u8]) -> Option<String> {
    let (word, _) = split_at_byte(value, b' ').unwrap_or((value, &[]));
    let named =
        word.len() <= 16 && word.iter().all(|&byte| is_token(byte)) && word.len() < value.len();
    let bare = value.eq_ignore_ascii_case(b"negotiate") || value.eq_ignore_ascii_case(b"ntlm");
    Some(if named || bare {
        text(word, 16).to_ascii_lowercase()
    } else {
        "other".to_owned()
    })
}

fn push_scheme(schemes: &mut Vec<String>, value: &[u8]) {
    if schemes.len() < SCHEMES_MAX {
        let (word, _) = split_at_byte(value, b' ').unwrap_or((value, &[]));
        schemes.push(text(word, 32).to_ascii_lowercase());
    }
}

/// At most `max` bytes as text; what is no UTF-8 is replaced.
pub(super) fn text(bytes: &[u8], max: usize) -> String {
    String::from_utf8_lossy(bytes.get(..max).unwrap_or(bytes)).into_owned()
}
