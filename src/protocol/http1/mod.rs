//! HTTP/1.0 and HTTP/1.1: requests, and what answered them (RFC 9110, RFC 9112).
//!
//! `Log` pairs each request with its response over keep-alive and pipelining, follows bodies by length, by chunk or
//! to the close, and keeps owned `Exchange`s: what was asked and answered, when, in which frames, and how complete.
//! A body is counted and mostly not kept. The first bytes of an error's body are looked at, for the marks that tell who
//! speaks; what a request that changes something says is hashed, and its first bytes are read for a version and a serial
//! number; JSON and XML are checked as a receiver would (`content`); then all is dropped.
//! It joins in mid-connection and finds its way again after a gap at the next message
//! that begins a segment; `Exchange::sure` says whether such a hole may have taken a request or a response.
//! Left out: HTTP/0.9, and what bodies mean. Credentials in clear are told by kind and field; the value of one
//! is never kept.

mod body;
mod content;
mod exchange;
mod field;
pub(super) mod head;
mod log;
pub(super) mod marks;
pub(super) mod secrets;
pub(super) mod words;

pub use body::Framing;
pub(super) use content::Gathering;
pub use content::{CodingFault, Content, Declared, Fault, FormFault, Reading, Version, version_in};
pub use exchange::{Body, Exchange, Grpc, Request, Reset, Response};
pub(super) use log::Payloads;
pub use log::{Foreign, Log, Tunnel, Upgraded};
pub use secrets::Exposed;
pub(crate) use words::{ends_with, holds};

use crate::protocol::Probe;
use head::Look;

/// Do these first bytes of a direction begin an HTTP/1 request or response? Other protocols with the same shape
/// (RTSP, SIP) are told by their version.
pub fn probe(start: &[u8]) -> Probe {
    match head::look(start) {
        Look::Request | Look::Response => Probe::Yes,
        Look::Short => Probe::NeedMore,
        Look::Not => Probe::No,
    }
}

#[cfg(test)]
mod tests;
