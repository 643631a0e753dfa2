//! HTTP/2 (RFC 9113): requests, and what answered them, stream by stream.
//!
//! `Log` reads the frames of both directions and tells the `Exchange`s that HTTP/1 is told by, with the stream they are.
//! Header blocks are opened by `hpack`, bodies pass as in HTTP/1: counted, and looked at where that is of interest. It joins
//! in mid-connection and after a gap, at the next segment that begins with a frame; what a header block says by reference to
//! what was not heard is unknown, and an answer whose status is unknown is counted in `unread`, not told. gRPC's own status
//! is read from trailers. Left out: pushed responses, tunnels (CONNECT), priorities, and flow control.
//!
//! Nothing grows with what a peer sends: at most `log::OPEN_MAX` streams are followed, a header block has a limit over all
//! its CONTINUATION frames, and PING, SETTINGS, PRIORITY and WINDOW_UPDATE frames leave nothing behind.

mod fields;
mod frame;
pub mod hpack;
mod log;
mod stream;

pub use frame::error_name;
pub use log::{Away, Log};

use crate::protocol::Probe;

/// What a client begins with (RFC 9113 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Header blocks over all their frames.
const BLOCK_MAX: usize = 64 * 1024;

/// Do these first bytes of a direction begin an HTTP/2 connection, as its client?
pub fn probe(start: &[u8]) -> Probe {
    if start.starts_with(PREFACE) {
        Probe::Yes
    } else if PREFACE.starts_with(start) {
        Probe::NeedMore
    } else {
        Probe::No
    }
}

/// Who sends a header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// It is a request.
    Client,
    /// It is a response.
    Server,
}

/// Does this segment of a connection whose begin was not captured belong to HTTP/2? It has to begin with a run of frames,
/// and one of them has to be a header block that names a method or a status.
pub fn joined(segment: &[u8]) -> Option<Speaker> {
    if !frame::chain(segment) {
        return None;
    }
    let mut rest = segment;
    while let Some(head) = frame::Head::parse(rest) {
        let payload = rest.get(frame::HEAD..)?.get(..head.len)?;
        if head.kind == frame::Kind::Headers && head.ends_block() {
            return speaker(head.block(payload)?);
        }
        rest = rest.get(frame::HEAD + head.len..)?;
    }
    None
}

/// Is this segment a run of frames, if perhaps without a header block that tells who speaks?
pub fn frames(segment: &[u8]) -> bool {
    frame::chain(segment)
}

fn speaker(block: &[u8]) -> Option<Speaker> {
    let mut decoder = hpack::Decoder::default();
    decoder.lose();
    let mut found = None;
    let read = decoder.decode(block, &mut |name, _| match name {
        Some(b":method" | b":path" | b":authority") => found = Some(Speaker::Client),
        Some(b":status") => found = Some(Speaker::Server),
        _ => {}
    });
    found.filter(|_| read.is_ok())
}

#[cfg(test)]
mod tests;
