//! What a run that goes on tells to machines and people beside its report: metrics, messages to receivers, a screen.
//!
//! Each listener is a `Tell`: it sees every look, every finding and every incident of the stream, and must neither stop
//! the run nor slow it. What may wait (a receiver that is away) waits on a thread of its own, behind a bound that
//! `limits` names, and is counted when it is lost.

mod backoff;
pub mod http;
pub mod metrics;
#[cfg(feature = "live")]
pub mod screen;
pub mod syslog;
pub mod vitals;
pub mod webhook;
pub mod zabbix;

use std::sync::Arc;

pub use vitals::Vitals;

/// Says a sentence to whoever runs the program.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;
