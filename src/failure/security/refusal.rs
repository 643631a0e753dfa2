//! Did the client refuse what the server presented, and how sure is that?

use crate::failure::Text;
use crate::failure::episode::Episode;
use crate::mark::Direction::{ToClient, ToServer};
use crate::mark::Mark;
use crate::protocol::tls::session::is_alert_size;
use crate::protocol::tls::{Session, Stage};

/// How a client's part of the handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A fatal alert in clear: description and frame.
    Alert(u8, Mark),
    /// TLS 1.3: an encrypted record of an alert's size, then the end.
    EncryptedAlert(u16, Mark),
    /// FIN or RST before the client's first application data.
    Close(Mark),
    /// The client went on: its Finished or application data was seen.
    Accepted,
    /// The capture does not show how it ended.
    Unknown,
}

/// What a certificate refusal may be called by a client (RFC 8446 6.2, RFC 5246 7.2.2).
pub const fn is_certificate_alert(description: u8) -> bool {
    matches!(description, 42 | 43 | 44 | 45 | 46 | 48 | 51 | 113)
}

/// Reads the end of the handshake from the client's side.
pub fn refusal(at: &Episode<'_>, session: &Session) -> Refusal {
    if let Some(alert) = session.fatal(ToServer) {
        return Refusal::Alert(alert.description, alert.at);
    }
    // The server ended it: that the client then closes says nothing of the chain.
    if session
        .fatal(ToClient)
        .is_some_and(|alert| close(at).is_none_or(|own| alert.at < own))
    {
        return Refusal::Unknown;
    }
    if session.stage() >= Stage::ClientFinished {
        // Some clients check the chain only after the handshake: they close without a request. The server may answer
        // their close_notify by its own FIN before theirs.
        let word = session.close_notify(ToServer);
        let first = |word: &Mark| end(at.server_half()).is_none_or(|other| *word < other);
        return match (
            session.application(ToServer),
            close(at).or(word.filter(first)),
        ) {
            (Some(_), _) => Refusal::Accepted,
            (None, Some(end)) => Refusal::Close(end),
            (None, None) => Refusal::Unknown,
        };
    }
    if session.is_veiled() {
        let flight = session.server_flight();
        let first = session.sizes[ToServer].first().copied();
        if let (Some((size, mark)), Some(flight)) = (first, flight)
            && is_alert_size(size)
            && mark >= flight
        {
            return Refusal::EncryptedAlert(size, mark);
        }
    }
    let flight = session
        .server_flight()
        .or(session.certificates.as_ref().map(|seen| seen.at));
    match (close(at), flight) {
        (Some(end), Some(flight)) if end > flight => Refusal::Close(end),
        _ => Refusal::Unknown,
    }
}

/// The client's FIN or RST, unless the server closed first.
pub fn close(at: &Episode<'_>) -> Option<Mark> {
    let own = end(at.client_half())?;
    end(at.server_half())
        .is_none_or(|other| own < other)
        .then_some(own)
}

/// The first FIN or RST of either side.
pub fn first_close(at: &Episode<'_>) -> Option<Mark> {
    at.connection.halves.iter().filter_map(end).min()
}

fn end(half: &crate::tcp::half::Half) -> Option<Mark> {
    [half.fin.map(|fin| fin.at), half.reset.map(|rst| rst.at)]
        .into_iter()
        .flatten()
        .min()
}

/// Reasons for a confidence below certainty.
pub const NOT_SEEN: Text = Text {
    en: "not seen whether the client accepted it",
    zh: "未见客户端是否接受该证书",
};
