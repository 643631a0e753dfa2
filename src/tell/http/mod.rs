//! A server for two pages, `/metrics` and `/healthz`, over HTTP/1.1 (RFC 9112).
//!
//! One request a connection. A client that is slow, silent or long-winded costs a thread with a small stack for at most
//! `PATIENCE`; when all places are taken the connection that came first is cut, so that a crowd of them cannot lock a
//! scraper out.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::limits::{HTTP_CONNECTIONS, HTTP_HEAD_BYTES};
use crate::tell::Vitals;
use crate::tell::metrics::Page;
use crate::tell::vitals::{held, instant};

/// How long a connection may take from its first byte to its last.
const PATIENCE: Duration = Duration::from_secs(5);
/// A thread that answers needs little.
const STACK: usize = 256 << 10;
/// After an error of `accept`, such as no descriptor left, the next try waits for so long.
const PAUSE: Duration = Duration::from_millis(100);

/// A server that answers until the program ends.
#[derive(Debug)]
pub struct Server {
    /// Where it listens; the port is real where 0 was asked for.
    pub address: SocketAddr,
}

/// What it answers from.
#[derive(Clone, Debug)]
struct Pages {
    metrics: Page,
    vitals: Arc<Vitals>,
}

/// Connections that are being answered, the oldest first.
type Connections = Arc<Mutex<VecDeque<(u64, TcpStream)>>>;

impl Server {
    /// Listens at `address`. The error says what cannot be done and what to do.
    pub fn start(address: SocketAddr, metrics: Page, vitals: Arc<Vitals>) -> Result<Self, String> {
        let refused = |error: io::Error| {
            format!("--listen {address}: {error}; choose another address or port")
        };
        let listener = TcpListener::bind(address).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let pages = Pages { metrics, vitals };
        let thread = std::thread::Builder::new().name("http".to_owned());
        let accepting = thread
            .stack_size(STACK)
            .spawn(move || accept(&listener, &pages));
        accepting.map_err(refused)?;
        Ok(Self { address })
    }
}

fn accept(listener: &TcpListener, pages: &Pages) {
    let connections = Connections::default();
    let mut number = 0;
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // Nobody wakes this thread: it waits the time out.
            std::thread::park_timeout(PAUSE);
            continue;
        };
        let Ok(kept) = stream.try_clone() else {
            continue;
        };
        number += 1;
        let mut all = held(&connections);
        if all.len() >= HTTP_CONNECTIONS
            && let Some((_, oldest)) = all.pop_front()
        {
            let _ = oldest.shutdown(Shutdown::Both);
        }
        all.push_back((number, kept));
        drop(all);
        let (pages, known) = (pages.clone(), Arc::clone(&connections));
        let thread = std::thread::Builder::new().name("http answer".to_owned());
        let answering = thread.stack_size(STACK).spawn(move || {
            let _ = answer(stream, &pages);
            held(&known).retain(|(one, _)| *one != number);
        });
        if answering.is_err() {
            held(&connections).retain(|(one, _)| *one != number);
        }
    }
}

fn answer(mut stream: TcpStream, pages: &Pages) -> io::Result<()> {
    let until = instant() + PATIENCE;
    let head = match head(&mut stream, until)? {
        Some(head) => head,
        None => {
            let long = reply(
                "431 Request Header Fields Too Large",
                "text/plain",
                "the request is too long\n",
            );
            return finish(stream, &long, until);
        }
    };
    finish(stream, &respond(&head, pages), until)
}

/// The bytes up to the empty line; `None` where there are too many.
fn head(stream: &mut TcpStream, until: Instant) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut piece = [0; 1_024];
    while !ends(&head) {
        if head.len() >= HTTP_HEAD_BYTES {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left(until)?))?;
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(piece.get(..count).unwrap_or(&[]));
    }
    Ok(Some(head))
}

fn ends(head: &[u8]) -> bool {
    // RFC 9112 2.2: a lone LF ends a line too.
    let after = |end: &[u8]| memchr::memmem::find(head, end).is_some();
    after(b"\r\n\r\n") || after(b"\n\n")
}

/// What is left of the patience.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(instant());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

fn finish(mut stream: TcpStream, reply: &[u8], until: Instant) -> io::Result<()> {
    let mut rest = reply;
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(until)?))?;
        let count = stream.write(rest)?;
        rest = rest.get(count..).unwrap_or(&[]);
    }
    stream.shutdown(Shutdown::Write)?;
    // RFC 9112 9.6: a close with bytes unread would reset the connection and take the answer with it.
    let mut piece = [0; 1_024];
    let mut drained = 0;
    while drained < HTTP_HEAD_BYTES {
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(&mut piece)? {
            0 => break,
            count => drained += count,
        }
    }
    Ok(())
}

fn respond(head: &[u8], pages: &Pages) -> Vec<u8> {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some(version)) = (method, target, version) else {
        return reply("400 Bad Request", "text/plain", "this is no HTTP request\n");
    };
    if !version.starts_with("HTTP/1.") {
        return reply(
            "400 Bad Request",
            "text/plain",
            "this is no HTTP/1 request\n",
        );
    }
    if method != "GET" && method != "HEAD" {
        return reply(
            "405 Method Not Allowed\r\nAllow: GET, HEAD",
            "text/plain",
            "only GET\n",
        );
    }
    let path = target.split(['?', '#']).next().unwrap_or("");
    let mut reply = match path {
        "/metrics" => reply("200 OK", "text/plain; version=0.0.4", &pages.metrics.text()),
        "/healthz" => health(&pages.vitals),
        _ => reply(
            "404 Not Found",
            "text/plain",
            "there are /metrics and /healthz\n",
        ),
    };
    if method == "HEAD"
        && let Some(end) = memchr::memmem::find(&reply, b"\r\n\r\n")
    {
        reply.truncate(end + 4);
    }
    reply
}

fn health(vitals: &Vitals) -> Vec<u8> {
    let complaints = vitals.complaints();
    if complaints.is_empty() {
        return reply("200 OK", "text/plain", "ok\n");
    }
    let text = complaints.join("\n") + "\n";
    reply("503 Service Unavailable", "text/plain", &text)
}

/// A whole answer; the charset is UTF-8 always.
fn reply(status: &str, kind: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests;
