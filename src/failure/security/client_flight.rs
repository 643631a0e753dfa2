//! What the client showed of itself where the server asked for a certificate, and how the server ended it.
//!
//! Up to TLS 1.2 messages and alerts stand in clear. TLS 1.3 leaves sizes and order: an empty Certificate is a record
//! of 25 bytes (8 of message, 1 of type, 16 of tag; 41 with the padding of JSSE), the Finished after it one of 53 or
//! 69 (69 or 85), both in one record 61 or 77 (RFC 8446 4.4.2, 4.4.4, 5.2). Nothing else that a client sends there has
//! these sizes.

use crate::failure::episode::Episode;
use crate::failure::security::refusal::close;
use crate::failure::{Class, Finding, Text, Value};
use crate::mark::Both;
use crate::mark::Direction::{ToClient, ToServer};
use crate::mark::Mark;
use crate::protocol::tls::Session;
use crate::protocol::tls::session::{SIZES_MAX, is_alert_size};
use crate::time::SECOND;

/// What stands in the place of the client's certificate in TLS 1.3, by sizes, and its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// An empty Certificate.
    Nothing(Mark),
    /// A Certificate and the proof that its key is held.
    Certificate(Mark),
}

/// A finding of `class` about a client that was asked for a certificate.
pub(super) fn asked(at: &Episode<'_>, session: &Session, class: &'static Class) -> Finding {
    let hello = session.client_hello.as_ref().map(|hello| hello.at);
    at.finding(class)
        .failing()
        .seen_if(hello, "client-hello")
        .seen_if(session.certificate_request, "certificate-request")
}

/// TLS 1.3: an alert answered what the client showed at `shown`, as sizes tell it; at most `percent` sure.
pub(super) fn inferred(
    at: &Episode<'_>,
    session: &Session,
    class: &'static Class,
    shown: Mark,
    percent: u8,
) -> Option<Finding> {
    let (alert, ended) = refused_13(at, session, shown)?;
    let finding = asked(at, session, class)
        .seen(shown, "client-certificate")
        .seen(alert, "alert")
        .seen(ended, "close");
    Some(
        finding
            .at_most(percent, BY_SIZE)
            .detail("inferred", Value::Bool(true)),
    )
}

/// Reads the client's flight in TLS 1.3.
pub(super) fn shown(sizes: &[(u16, Mark)]) -> Option<Shown> {
    let size = |place: usize| sizes.get(place).map(|(size, _)| *size);
    let (first, at) = sizes.first().copied()?;
    if matches!(
        (first, size(1)),
        (25, Some(53 | 69)) | (41, Some(69 | 85)) | (61 | 77, _)
    ) {
        return Some(Shown::Nothing(at));
    }
    let finished = sizes
        .iter()
        .take(6)
        .position(|(size, _)| matches!(size, 53 | 69 | 85))?;
    let (certificate, at) = sizes.get(finished.checked_sub(2)?).copied()?;
    let proven = is_proof(size(finished.checked_sub(1)?)?);
    (certificate >= 200 && proven).then_some(Shown::Certificate(at))
}

/// A CertificateVerify record: 25 bytes beside the signature (41 with padding) of ECDSA, Ed25519 or RSA.
const fn is_proof(size: u16) -> bool {
    matches!(size, 85..=182 | 281 | 297 | 409 | 425 | 537 | 553)
}

/// TLS 1.3: the server's one record after the client's Certificate has an alert's size, it comes at once, and the
/// server closes upon it: the frames of both. It may come before the client's Finished (JSSE).
fn refused_13(at: &Episode<'_>, session: &Session, shown: Mark) -> Option<(Mark, Mark)> {
    let Both([client, server]) = &session.sizes;
    if session.gapped.iter().any(|gapped| *gapped) || server.len() >= SIZES_MAX {
        return None;
    }
    let mut after = server.iter().filter(|(_, at)| *at > shown);
    let (size, alert) = after.next().copied()?;
    if !is_alert_size(size) || after.next().is_some() {
        return None;
    }
    // Who said close_notify first, or waited, was not refused.
    let left = client
        .iter()
        .any(|(size, at)| is_alert_size(*size) && *at > shown && *at < alert);
    let rtt = at.connection.connect_rtt().unwrap_or(0);
    let late = alert.time.since(shown.time) > (2 * SECOND).max(4 * rtt);
    let ended = server_close(at)?;
    let first = close(at).is_some_and(|own| own < alert);
    (!left && !late && !first && ended >= alert).then_some((alert, ended))
}

/// The server's FIN or RST.
pub(super) fn server_close(at: &Episode<'_>) -> Option<Mark> {
    let server = at.server_half();
    [server.fin.map(|fin| fin.at), server.reset.map(|rst| rst.at)]
        .into_iter()
        .flatten()
        .min()
}

/// The server closed first, in the middle of a handshake of TLS 1.2 and before, without an alert of either side.
pub(super) fn cut_12(at: &Episode<'_>, session: &Session) -> Option<Mark> {
    let Both([_, finished]) = session.finished;
    let Both([_, gapped]) = session.gapped;
    let finished = session.is_13() || finished.is_some();
    let alerted = session.fatal(ToServer).is_some() || session.fatal(ToClient).is_some();
    let ended = server_close(at).filter(|_| !finished && !alerted && !gapped)?;
    close(at).is_none_or(|own| ended < own).then_some(ended)
}

const BY_SIZE: Text = Text {
    en: "inferred from the size and order of encrypted records; the server's log would settle it",
    zh: "由加密记录的长度与次序推断，服务器日志可予证实",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sizes: &[u16], expected: &str) {
        let sizes: Vec<(u16, Mark)> = sizes.iter().map(|size| (*size, Mark::default())).collect();
        let told = match shown(&sizes) {
            Some(Shown::Nothing(..)) => "nothing",
            Some(Shown::Certificate(..)) => "certificate",
            None => "unknown",
        };
        assert_eq!(told, expected, "{sizes:?}");
    }

    #[test]
    fn an_empty_certificate_is_told_by_its_size() {
        check(&[25, 69], "nothing");
        check(&[25, 53, 120], "nothing");
        check(&[41, 85], "nothing");
        check(&[77], "nothing");
    }

    #[test]
    fn a_certificate_is_followed_by_its_proof_and_the_finished() {
        check(&[1_823, 281, 69, 140], "certificate");
        check(&[620, 96, 53], "certificate");
    }

    #[test]
    fn a_client_that_was_not_asked_sends_its_finished_alone() {
        check(&[69, 140], "unknown");
        check(&[53, 1_900, 281, 69], "unknown");
        check(&[19], "unknown");
        check(&[25], "unknown");
        check(&[], "unknown");
    }
}
