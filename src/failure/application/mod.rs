//! 应用层: what HTTP says, or fails to say.

pub mod api_version_mismatch;
pub mod duplicate_request;
pub mod exchange;
pub mod http_503;
pub mod http_bad_gateway;
pub mod http_client_error;
pub mod http_forbidden;
pub mod http_malformed;
pub mod http_not_found;
pub mod http_proxy_failed;
pub mod http_redirect_loop;
pub mod http_server_error;
pub mod http_throttled;
pub mod http_unauthorized;
pub mod no_response;
pub mod redirect_to_login;
pub mod response_truncated;
pub mod retry_storm;
pub mod slow_response;
pub mod stream;
pub mod trace;

pub use exchange::{authenticated, first_byte_time, judge};
pub use trace::{Placed, Trace};

use crate::failure::episode::Episode;
use crate::failure::{Finding, data};

/// A tunnel in which the client waited in vain, or a server that closed without an answer.
pub fn silent(at: &Episode<'_>) -> Option<Finding> {
    no_response::detect_encrypted(at)
        .or_else(|| crate::failure::transport::closed_early::detect(at))
}

/// What exchanges show when they are compared with each other, in whatever order they come; findings that a more
/// specific code fits are renamed. `expected` gives the versions that a rule says for an endpoint's path.
pub fn compare(
    findings: &mut [Finding],
    mut traces: Vec<Placed>,
    expected: &dyn Fn(&Finding, &str) -> Vec<String>,
) -> Vec<Finding> {
    traces.sort_by_key(|placed| (placed.trace.begun, placed.client, placed.server));
    api_version_mismatch::judge(findings, &traces, expected);
    let mut told = http_redirect_loop::judge(&traces);
    told.extend(duplicate_request::judge(&traces));
    told.extend(redirect_to_login::judge(&traces));
    told.extend(data::status_stuck::judge(&traces));
    told
}
