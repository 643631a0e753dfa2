//! 传输层: what TCP itself says went wrong.

pub mod closed_early;
pub mod connect_slow;
pub mod data_injected;
pub mod data_unacked;
pub mod handshake_incomplete;
pub mod idle_dropped;
pub mod interrupted;
pub mod latency_high;
pub mod port_reuse_stalled;
pub mod reset_by_client;
pub mod reset_by_server;
pub mod reset_injected;
pub mod syn_flood;
pub mod syn_refused;
pub mod syn_unanswered;
pub mod zero_window;
