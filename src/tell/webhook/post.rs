//! One POST over HTTP/1.1 (RFC 9112) with a bound of time, whatever the other side does.
//!
//! No redirect is followed and no proxy asked: a receiver of alarms is named as what it is.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use crate::tell::vitals::instant;

/// How long the whole exchange may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long each address has for its handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes read of an answer.
const ANSWER_MAX: usize = 16 << 10;

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// TLS or not.
    pub https: bool,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// An `http://` or `https://` URL (RFC 3986). The error says what is wrong with it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{url}: {what}");
        let (https, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(wrong("not an http:// or https:// URL")),
        };
        if url
            .bytes()
            .any(|byte| byte <= b' ' || byte == 0x7f || byte >= 0x80)
        {
            return Err(wrong(
                "a space, a control or a letter outside ASCII; write it as %XX",
            ));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(wrong(
                "no user and password in the URL; give them by --webhook-header",
            ));
        }
        let path = path.split('#').next().unwrap_or("");
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                let port: Option<u16> = port.parse().ok().filter(|port| *port != 0);
                (
                    host,
                    port.ok_or_else(|| wrong("the port is no number from 1 to 65535"))?,
                )
            }
            _ => (authority, if https { 443 } else { 80 }),
        };
        if host.is_empty() {
            return Err(wrong("no host"));
        }
        Ok(Self {
            https,
            host: host.to_owned(),
            port,
            path,
        })
    }

    /// The host without the brackets of an IPv6 address.
    pub(super) fn name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

impl fmt::Display for Target {
    /// Without path and query, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// What the receiver said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `Retry-After` in seconds.
    pub(super) retry_after: Option<Duration>,
}

/// How `https` is spoken.
#[cfg(feature = "https")]
pub(super) type Tls = std::sync::Arc<rustls::ClientConfig>;
/// It is not, in this build.
#[cfg(not(feature = "https"))]
pub(super) type Tls = ();

/// Sends `body` and reads the head of the answer. `headers` are whole lines without their ends.
pub(super) fn post(
    target: &Target,
    tls: Option<&Tls>,
    headers: &[String],
    body: &str,
) -> io::Result<Answer> {
    let until = instant() + PATIENCE;
    let timed = Timed {
        tcp: connect(target, until)?,
        until,
    };
    let request = request(target, headers, body);
    match tls {
        None => exchange(timed, &request),
        Some(tls) => exchange(secured(target, tls, timed)?, &request),
    }
}

#[cfg(feature = "https")]
fn secured(target: &Target, tls: &Tls, timed: Timed) -> io::Result<impl Read + Write> {
    let name = rustls::pki_types::ServerName::try_from(target.name().to_owned());
    let name = name.map_err(io::Error::other)?;
    let connection = rustls::ClientConnection::new(std::sync::Arc::clone(tls), name);
    let connection = connection.map_err(io::Error::other)?;
    Ok(rustls::StreamOwned::new(connection, timed))
}

#[cfg(not(feature = "https"))]
fn secured(_: &Target, (): &Tls, timed: Timed) -> io::Result<Timed> {
    Ok(timed)
}

fn request(target: &Target, headers: &[String], body: &str) -> Vec<u8> {
    let ordinary = if target.https { 443 } else { 80 };
    let port = if target.port == ordinary {
        String::new()
    } else {
        format!(":{}", target.port)
    };
    let mut text = format!(
        "POST {} HTTP/1.1\r\nHost: {}{port}\r\nUser-Agent: wirefault/{}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n",
        target.path,
        target.host,
        env!("CARGO_PKG_VERSION"),
        body.len()
    );
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

fn connect(target: &Target, until: Instant) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (target.name(), target.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(until)?.min(CONNECT)) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(instant());
    if left.is_zero() {
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no answer within 10 s",
        ));
    }
    Ok(left)
}

/// A connection on which every step has what is left of the patience.
struct Timed {
    tcp: TcpStream,
    until: Instant,
}

/// Timeouts of sockets come as `WouldBlock`.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        return io::Error::new(io::ErrorKind::TimedOut, "no answer within 10 s");
    }
    error
}

impl Read for Timed {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(Some(left(self.until)?))?;
        self.tcp.read(room).map_err(timed_out)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(Some(left(self.until)?))?;
        self.tcp.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

fn exchange(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Answer> {
    stream.write_all(request)?;
    stream.flush()?;
    let mut read = Vec::new();
    let mut piece = [0; 1_024];
    loop {
        if let Some(answer) = answer(&read)? {
            return Ok(answer);
        }
        if read.len() > ANSWER_MAX {
            return Err(io::Error::other("the answer's head is longer than 16 KiB"));
        }
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection was closed without an answer",
            ));
        }
        read.extend_from_slice(piece.get(..count).unwrap_or(&[]));
    }
}

/// The answer that `read` begins with, once its head is whole; interim ones (RFC 9110 15.2) are passed over.
fn answer(mut read: &[u8]) -> io::Result<Option<Answer>> {
    loop {
        let Some(end) = memchr::memmem::find(read, b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = String::from_utf8_lossy(read.get(..end).unwrap_or(&[]));
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or("");
        let status = line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split(' ').nth(1))
            .and_then(|status| status.parse::<u16>().ok());
        let Some(status) = status else {
            return Err(io::Error::other("the answer is no HTTP/1"));
        };
        if (100..200).contains(&status) {
            read = read.get(end + 4..).unwrap_or(&[]);
            continue;
        }
        let retry_after = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let ours = name.eq_ignore_ascii_case("retry-after");
            ours.then(|| value.trim().parse().ok().map(Duration::from_secs))?
        });
        return Ok(Some(Answer {
            status,
            retry_after,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let check = |url: &str, https, host: &str, port, path: &str| {
            let target = Target {
                https,
                host: host.to_owned(),
                port,
                path: path.to_owned(),
            };
            assert_eq!(Target::parse(url).as_ref(), Ok(&target), "{url}");
        };
        check("http://a.example", false, "a.example", 80, "/");
        check(
            "https://a.example/x?y=1#z",
            true,
            "a.example",
            443,
            "/x?y=1",
        );
        check(
            "http://[2001:db8::1]:8080/x",
            false,
            "[2001:db8::1]",
            8080,
            "/x",
        );
        check("https://[2001:db8::1]", true, "[2001:db8::1]", 443, "/");
        check("http://a.example?q", false, "a.example", 80, "/?q");
        for (url, words) in [
            ("ftp://a.example", "not an http"),
            ("http://", "no host"),
            ("http://a:0/", "port"),
            ("http://a:b/", "port"),
            ("http://u:p@a/", "--webhook-header"),
            ("http://a/\r\nX: y", "control"),
        ] {
            let error = Target::parse(url).unwrap_err();
            assert!(error.contains(words), "{url}: {error}");
        }
    }

    #[test]
    fn an_answer_is_read_off_its_head() {
        let check = |read: &str, status, retry_after| {
            let answer = answer(read.as_bytes()).unwrap();
            let expected = Answer {
                status,
                retry_after,
            };
            assert_eq!(answer, Some(expected), "{read}");
        };
        check("HTTP/1.1 204 No Content\r\n\r\n", 204, None);
        check("HTTP/1.0 200\r\n\r\n", 200, None);
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n",
            202,
            None,
        );
        let after = Some(Duration::from_secs(7));
        check("HTTP/1.1 503 x\r\nretry-after: 7\r\n\r\n", 503, after);
        check(
            "HTTP/1.1 503 x\r\nRetry-After: Fri, 31 Dec\r\n\r\n",
            503,
            None,
        );
        assert_eq!(answer(b"HTTP/1.1 200 OK\r\n").unwrap(), None);
        assert!(answer(b"SSH-2.0-x\r\n\r\n").is_err());
    }

    #[test]
    fn a_receiver_is_named_without_what_may_be_secret() {
        let target = Target::parse("https://hooks.example/T0/secret?token=x").unwrap();
        assert_eq!(target.to_string(), "https://hooks.example:443");
    }
}
