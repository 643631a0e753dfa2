//! Identity and memory of conversations: the key of a flow, who heard whom, and what is kept of hosts and names.

pub mod checksums;
pub mod circling;
pub mod dialup;
pub mod heard;
pub mod key;
pub mod leases;
pub mod lookup;
pub mod names;
pub mod neighbours;
pub mod quic;
pub mod tunnels;
