//! What is kept of one request and its response.

use smol_str::SmolStr;

use crate::mark::{Mark, Seen};
use crate::time::Timestamp;

use super::body::Framing;
use super::content::{Content, Declared};
use super::secrets::Exposed;
use super::words::holds;

/// One request and its response, as far as they went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Its place among the connection's exchanges, from 0.
    pub number: u32,
    /// The request; absent where only a response was seen (mid-connection, one-sided, or a server that speaks
    /// unasked, as with 408 on a spare connection).
    pub request: Option<Request>,
    /// The last interim response (100, 102, 103) before the final one.
    pub interim: Option<Seen<u16>>,
    /// The final response, 101 included.
    pub response: Option<Response>,
    /// The request was sent before the previous response had ended.
    pub pipelined: bool,
    /// The stream of HTTP/2 that it is; absent in HTTP/1.
    pub stream: Option<u32>,
    /// One end gave that stream up (RST_STREAM).
    pub reset: Option<Reset>,
    /// No hole in either direction can have taken a message between request and response. Where this is false,
    /// a missing response proves nothing.
    pub sure: bool,
}

/// One end of an HTTP/2 connection gave a stream up (RFC 9113 6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// It was the client.
    pub by_client: bool,
    /// Error code.
    pub code: u32,
    /// The frame.
    pub at: Mark,
}

/// How a gRPC call ended, said in its trailers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grpc {
    /// `grpc-status`.
    pub status: u16,
    /// `grpc-message` as sent, up to 256 bytes.
    pub message: Option<SmolStr>,
    /// The frame.
    pub at: Mark,
}

/// Body of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// How its end is told.
    pub framing: Framing,
    /// Captured bytes, chunk framing aside.
    pub seen_bytes: u64,
    /// Bytes that passed but were not captured.
    pub missed_bytes: u64,
}

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The frame of its first byte.
    pub first: Mark,
    /// The frame that completed its head.
    pub head: Mark,
    /// The frame of its last byte so far; of its end, once complete.
    pub last: Mark,
    /// Head and body were sent in full.
    pub complete: bool,
    /// The method, up to 32 bytes.
    pub method: SmolStr,
    /// The target as sent, up to 2,048 bytes. It may hold credentials: mask before printing.
    pub target: SmolStr,
    /// `target` was longer.
    pub target_cut: bool,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1; 0 in HTTP/2.
    pub minor_version: u8,
    /// `grpc-timeout` was sent: one answer is expected, within that time.
    pub deadline: bool,
    /// The Host field, or the authority of an absolute target (RFC 9112 3.2.2), in lower case.
    pub host: Option<SmolStr>,
    /// The target is a whole URI or an authority: it is meant for a proxy.
    pub to_proxy: bool,
    /// Its body.
    pub body: Body,
    /// Scheme of the Authorization field in lower case (`basic`, `bearer`); its value is not kept.
    pub authorization: Option<SmolStr>,
    /// Scheme of the Proxy-Authorization field in lower case.
    pub proxy_authorization: Option<SmolStr>,
    /// A credential that passed in clear: its kind and field, never its value.
    pub exposed: Option<Box<Exposed>>,
    /// A Cookie field was sent.
    pub cookie: bool,
    /// Content-Type, up to 128 bytes, as sent.
    pub content_type: Option<SmolStr>,
    /// Content-Encoding in lower case, up to 64 bytes.
    pub content_encoding: Option<SmolStr>,
    /// Accept, up to 256 bytes.
    pub accept: Option<SmolStr>,
    /// The client waits for 100 before it sends the body.
    pub expects_continue: bool,
    /// Upgrade, in lower case (`websocket`).
    pub upgrade: Option<SmolStr>,
    /// A script asked, not somebody who opens a page (`X-Requested-With`, `Sec-Fetch-Mode`).
    pub scripted: bool,
    /// A page is opened (`Sec-Fetch-Mode: navigate`, `Upgrade-Insecure-Requests`).
    pub navigates: bool,
    /// What its body says, where it is meant to change something and came in full.
    pub content: Option<Box<Content>>,
    /// The client asks for a stream of events: its response may stay open for hours.
    pub accepts_event_stream: bool,
}

/// A final response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The frame of its first byte.
    pub first: Mark,
    /// The frame that completed its head.
    pub head: Mark,
    /// The frame of its last byte so far; of its end, once complete.
    pub last: Mark,
    /// The whole response passed: all of its length, its last chunk, or, without either, the server's FIN.
    pub complete: bool,
    /// Status code.
    pub status: u16,
    /// Reason phrase, up to 128 bytes.
    pub reason: SmolStr,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor_version: u8,
    /// Its body.
    pub body: Body,
    /// The chunk framing or the lengths contradict themselves.
    pub broken: bool,
    /// The connection ends after this response: `Connection: close`, or HTTP/1.0 without keep-alive.
    pub closes: bool,
    /// Server, up to 128 bytes.
    pub server: Option<SmolStr>,
    /// Retry-After as sent, up to 64 bytes: seconds or a date.
    pub retry_after: Option<SmolStr>,
    /// Schemes of WWW-Authenticate in lower case, in order (`negotiate`, `ntlm`, `basic`), at most eight.
    pub authenticate: Vec<String>,
    /// Schemes of Proxy-Authenticate.
    pub proxy_authenticate: Vec<String>,
    /// Location, up to 2,048 bytes. It may hold credentials: mask before printing.
    pub location: Option<SmolStr>,
    /// Content-Type, up to 128 bytes.
    pub content_type: Option<SmolStr>,
    /// Content-Encoding in lower case, up to 64 bytes.
    pub content_encoding: Option<SmolStr>,
    /// Upgrade, in lower case.
    pub upgrade: Option<SmolStr>,
    /// The body is a stream without an end of its own (`text/event-stream`, `multipart/x-mixed-replace`).
    pub streams: bool,
    /// How the gRPC call ended.
    pub grpc: Option<Box<Grpc>>,
    /// What its body says, where that is of interest and it came in full.
    pub content: Option<Box<Content>>,
    /// The application firewall whose mark the header or the error's body carries.
    pub firewall: Option<&'static str>,
    /// The body says that plain HTTP was sent to a TLS port.
    pub plain_to_tls: bool,
}

impl Request {
    /// Did a program ask for data: JSON or XML by what it accepts, without HTML, or by what it sent?
    pub fn wants_data(&self) -> bool {
        let accept = self.accept.as_deref().unwrap_or("");
        let accepts = || holds(accept, "json") || holds(accept, "xml");
        let sends = || {
            matches!(
                Declared::of(self.content_type.as_deref()),
                Some(Declared::Json | Declared::Xml)
            )
        };
        !self.navigates && (accepts() || sends()) && !holds(accept, "html")
    }
}

impl Request {
    /// A call of gRPC.
    pub fn is_grpc(&self) -> bool {
        let kind = self.content_type.as_deref().unwrap_or("");
        kind.get(..16)
            .is_some_and(|start| start.eq_ignore_ascii_case("application/grpc"))
    }
}

impl Exchange {
    /// The final status.
    pub fn status(&self) -> Option<u16> {
        self.response.as_ref().map(|response| response.status)
    }

    /// When it began: with its request, or with its response where that is all that was seen.
    pub fn began(&self) -> Timestamp {
        let request = self.request.as_ref().map(|request| request.first.time);
        let response = || self.response.as_ref().map(|response| response.first.time);
        request.or_else(response).unwrap_or_default()
    }

    /// A whole request without the first byte of a final response.
    pub fn unanswered(&self) -> bool {
        self.response.is_none()
            && self.reset.is_none()
            && self
                .request
                .as_ref()
                .is_some_and(|request| request.complete)
    }

    /// Is the response allowed to keep the client waiting (event streams, upgrades)?
    pub fn may_last(&self) -> bool {
        self.request
            .as_ref()
            .is_some_and(|request| request.accepts_event_stream || request.upgrade.is_some())
            || self
                .response
                .as_ref()
                .is_some_and(|response| response.streams || response.status == 101)
    }
}

impl Body {
    /// Bytes that the declared length still owes: 0 without one.
    pub fn lacking_bytes(&self) -> u64 {
        match self.framing {
            Framing::Length(length) => length
                .saturating_sub(self.seen_bytes)
                .saturating_sub(self.missed_bytes),
            _ => 0,
        }
    }
}
