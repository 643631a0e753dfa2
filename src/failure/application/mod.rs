//! 应用层: what HTTP says, or fails to say.

pub mod exchange;
pub mod http_503;
pub mod http_bad_gateway;
pub mod http_client_error;
pub mod http_forbidden;
pub mod http_not_found;
pub mod http_proxy_failed;
pub mod http_server_error;
pub mod http_throttled;
pub mod http_unauthorized;
pub mod no_response;
pub mod response_truncated;
pub mod slow_response;

pub use exchange::{authenticated, first_byte_time, judge};

use crate::failure::Finding;
use crate::failure::episode::Episode;

/// A tunnel in which the client waited in vain, or a server that closed without an answer.
pub fn silent(at: &Episode<'_>) -> Option<Finding> {
    no_response::detect_encrypted(at)
        .or_else(|| crate::failure::transport::closed_early::detect(at))
}
