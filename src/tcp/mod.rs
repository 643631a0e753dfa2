//! What a TCP connection went through, and its bytes in order (RFC 9293).
//!
//! `connection` follows both half-connections of one flow; `half` keeps what one end sent; `stream` puts its bytes
//! in order; `resent` takes back losses that were none; `history` keeps Zeek's letters and states. Passive: nothing is validated that an end would not act on.

pub mod connection;
pub mod counts;
pub mod half;
pub mod history;
pub mod idle;
pub mod repeats;
pub mod resent;
pub mod sighting;
pub mod sizes;
pub mod stream;
pub mod trips;
pub mod turn;
