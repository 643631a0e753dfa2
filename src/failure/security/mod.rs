//! 安全层: TLS and certificates.
//!
//! A handshake fails in one way. `judge` asks the classes in the order of rule 7 of the catalogue; what is a state of
//! the house (old versions, weak suites, certificates about to expire) is told beside it and never fails an attempt.

pub mod chain;
pub mod cipher_weak;
pub mod cleartext_credentials;
pub mod gm_not_used;
pub mod refusal;
pub mod tlcp_cert_pair;
pub mod tlcp_mismatch;
pub mod tls_alert;
pub mod tls_cut_on_hello;
pub mod tls_handshake_stalled;
pub mod tls_name_unrecognized;
pub mod tls_no_common_cipher;
pub mod tls_no_reply;
pub mod tls_not_tls;
pub mod tls_obsolete;
pub mod tls_version_mismatch;

pub mod cert_bad_signature;
pub mod cert_chain_incomplete;
pub mod cert_changed;
pub mod cert_expired;
pub mod cert_expiring;
pub mod cert_intercepted;
pub mod cert_name_mismatch;
pub mod cert_not_yet_valid;
pub mod cert_rejected;
pub mod cert_rejected_inferred;
pub mod cert_revoked;
pub mod cert_self_signed;
pub mod cert_untrusted_root;
pub mod cert_weak;
pub mod client_cert_missing;
pub mod client_cert_rejected;
pub mod client_flight;
pub mod revocation_unreachable;
pub mod shown;
pub mod vpn;
pub mod vpn_auth_failed;
pub mod vpn_no_answer;
pub mod vpn_no_proposal;
pub mod vpn_tunnel_lost;

use crate::failure::episode::Episode;
use crate::failure::flow::Judged;
use crate::failure::transport::interrupted::{Interrupted, in_http};
use crate::failure::transport::reset_injected;
use crate::failure::{Finding, Value};
use crate::mark::Direction::{ToClient, ToServer};
use crate::mark::Mark;
use crate::protocol::tls::{Session, Stage};
use crate::time::Nanos;

pub use shown::Shown;
pub use tls_no_common_cipher::judge_ciphers;

/// Judges the TLS of a conversation; gives the finding that made it fail.
pub fn judge(at: &Episode<'_>, judged: &mut Judged) -> Option<Finding> {
    if let Some(finding) = tls_not_tls::detect(at) {
        return Some(finding);
    }
    let session = at.tls?;
    let failed = tlcp_mismatch::detect(at, session)
        .or_else(|| tls_version_mismatch::detect(at, session))
        .or_else(|| tls_no_common_cipher::detect(at, session))
        .or_else(|| tls_name_unrecognized::detect(at, session))
        .or_else(|| tlcp_cert_pair::detect(at, session))
        .or_else(|| chain::detect_revoked_by_word(at, session))
        .or_else(|| chain::detect_refused(at, session))
        .or_else(|| cert_rejected::detect(at, session))
        .or_else(|| client_cert_missing::detect(at, session))
        .or_else(|| client_cert_rejected::detect(at, session))
        .or_else(|| tls_alert::detect(at, session))
        .or_else(|| cert_rejected_inferred::detect(at, session))
        .or_else(|| reset_injected::detect(at))
        .or_else(|| tls_cut_on_hello::detect(at, session))
        .or_else(|| tls_no_reply::detect(at, session))
        .or_else(|| tls_handshake_stalled::detect(at, session))
        .map(|finding| signed(finding, session));
    if failed.is_none() {
        judged.findings.extend(chain::accepted(at, session));
        judged.findings.extend(tls_obsolete::detect(at, session));
        judged.findings.extend(cipher_weak::detect(at, session));
    }
    if failed
        .as_ref()
        .is_none_or(|finding| !finding.class.code.starts_with("security.cert-"))
    {
        judged.findings.extend(chain::expiring(at));
    }
    failed
}

/// In TLCP: whether the server signed with the key of the certificate that it shows.
fn signed(finding: Finding, session: &Session) -> Finding {
    match session.server_signed() {
        Some(good) => {
            let word = if good { "good" } else { "wrong" };
            finding.detail("server_signature", Value::Text(word.to_owned()))
        }
        None => finding,
    }
}

/// What chains show when they are compared, in whatever order they come; findings that a more specific code fits are
/// renamed.
pub fn compare(findings: &mut [Finding], mut shown: Vec<Shown>) -> Vec<Finding> {
    shown.sort_by(|a, b| (a.first, &a.key).cmp(&(b.first, &b.key)));
    let mut told = cert_changed::judge(&shown);
    told.extend(cert_intercepted::judge(findings, &shown));
    told
}

/// Is the tunnel in use: handshake complete, and application data from the server after the client's first?
pub fn served(session: &Session) -> bool {
    let (asked, answered) = (session.application(ToServer), session.answered_last());
    session.stage() >= Stage::ClientFinished
        && session.unanswered().is_none()
        && matches!((asked, answered), (Some(asked), Some(last)) if last >= asked)
}

/// First encrypted application data, for `capture.encrypted-blind`.
pub fn first_application_data(session: &Session) -> Option<Mark> {
    session
        .application(ToServer)
        .or_else(|| session.application(ToClient))
}

/// How far TLS came, for `flows`.
pub fn outcome(session: &Session) -> &'static str {
    let refused = session.fatal(ToServer).is_some() || session.fatal(ToClient).is_some();
    match session.stage() {
        _ if session.foreign.iter().any(Option::is_some)
            && session.stage() < Stage::ServerHello =>
        {
            "not-tls"
        }
        Stage::Complete => "established",
        _ if refused => "alert",
        Stage::Nothing => "nothing",
        Stage::ClientHello => "client-hello",
        Stage::ServerHello => "server-hello",
        Stage::ServerFlight => "server-flight",
        Stage::ClientFinished => "client-finished",
    }
}

/// From the client's hello to the end of the handshake.
pub fn handshake_time(session: &Session) -> Option<Nanos> {
    let hello = session.client_hello.as_ref()?.at;
    let end = if session.is_13() {
        session.finished_13()
    } else {
        session.finished[ToServer]
            .max(session.finished[ToClient])
            .filter(|_| session.finished.iter().all(Option::is_some))
    };
    Some(end?.time.since(hello.time))
}

/// The client's last record, where it waits for an answer in a finished handshake: its frame and size.
pub fn client_spoke_last(session: &Session) -> Option<(Mark, u16)> {
    session
        .unanswered()
        .filter(|_| session.stage() >= Stage::ClientFinished)
}

/// What a RST cut short in TLS.
pub(crate) fn interrupted(at: &Episode<'_>, session: &Session, rst: Mark) -> Option<Interrupted> {
    if session.stage() < Stage::ClientFinished {
        // The handshake's own classes spoke, or nothing can be told of a session joined in the middle.
        let hello = session.client_hello.as_ref().map(|hello| hello.at)?;
        return Some(Interrupted::Waiting(
            session.client_key_exchange.unwrap_or(hello),
        ));
    }
    let before = |mark: Option<Mark>| mark.filter(|mark| *mark < rst);
    if before(session.close_notify(ToServer)).is_some()
        || before(session.close_notify(ToClient)).is_some()
    {
        return Some(Interrupted::Nothing);
    }
    if let Some(web) = at.inside {
        return Some(in_http(at, web));
    }
    let cut = |from: crate::mark::Direction| {
        let stream = &at.connection.streams[from];
        let open = session
            .inside_record(from)
            .filter(|_| stream.unfinished && stream.missed_bytes == 0);
        open.filter(|_| !session.gapped[from])
    };
    if let Some(response) = cut(ToClient) {
        return Some(Interrupted::Response(response));
    }
    if let Some(request) = cut(ToServer) {
        return Some(Interrupted::Request(request));
    }
    Some(match client_spoke_last(session) {
        Some((asked, length))
            if length >= 60 && rst.time.since(asked.time) < 30 * crate::time::SECOND =>
        {
            Interrupted::Waiting(asked)
        }
        _ => Interrupted::Nothing,
    })
}
