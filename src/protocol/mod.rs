//! Application protocols: bytes in order into what was said. One file per protocol.
//!
//! A protocol is recognised by its bytes on any port (`Probe`), then fed chunks in order. It keeps a typed
//! summary that owns everything; nothing borrowed survives a call.

pub mod dhcp;
pub mod dns;
pub mod http;
pub mod http1;
pub mod http2;
pub mod ike;
pub mod l2tp;
pub mod openvpn;
pub mod ppp;
pub mod pptp;
pub mod quic;
pub mod socks;
pub mod tls;
pub mod wireguard;

use crate::mark::{Direction, Mark};

/// The next thing in order in one direction of a connection.
#[derive(Clone, Copy, Debug)]
pub enum Chunk<'b> {
    /// Bytes. On the first call after `Next::Wait` they begin with the unused rest of the earlier ones.
    Data(&'b [u8]),
    /// So many bytes were never captured; what was kept after `Next::Wait` is dropped and among them.
    Gap(u64),
    /// The sender closed its direction.
    Fin,
}

/// What an observer wants next in that direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// All consumed; call again with what follows.
    More,
    /// `used` bytes were consumed; keep the rest and call again when `want` bytes in all (`want` > the rest) are
    /// there, or at the end.
    Wait {
        /// Bytes consumed of this chunk.
        used: usize,
        /// Bytes needed from the first unused one on.
        want: usize,
    },
    /// All consumed; the next so many bytes are not needed: they are counted, not delivered, and a gap among them
    /// does not matter.
    Skip(u64),
    /// Nothing later in this direction can teach anything: stop delivering.
    Done,
    /// These bytes are not what they claim: stop delivering, in both directions.
    Broken(&'static str),
}

/// Does a direction's first bytes look like this protocol?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Too few bytes to tell.
    NeedMore,
}

/// A protocol's reader of one connection.
pub trait Observer {
    /// Takes the next chunk that `from` sends. `at` is the frame that completed it (Wireshark's frame of the
    /// reassembled message). After `Gap` the observer resynchronises or answers `Done`.
    fn on_chunk(&mut self, from: Direction, chunk: Chunk<'_>, at: Mark) -> Next;
}
