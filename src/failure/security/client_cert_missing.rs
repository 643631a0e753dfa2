#![doc = include_str!("client_cert_missing.en.md")]

use crate::failure::episode::Episode;
use crate::failure::security::client_flight::{Shown, asked, cut_12, inferred, shown};
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Both;
use crate::mark::Direction::{ToClient, ToServer};
use crate::mark::Mark;
use crate::protocol::tls::{Session, names};

/// `security.client-cert-missing`
pub static CLASS: Class = Class {
    code: "security.client-cert-missing",
    severity: Severity::Error,
    guide: guide!("client_cert_missing"),
    summary,
};

/// The server asked for a certificate, the client had none, and the server ended it. A server that asks and does
/// without one is ordinary.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    required(at, session)
        .or_else(|| in_clear(at, session))
        .or_else(|| by_sizes(at, session))
}

/// certificate_required says it in so many words (RFC 8446 6.2).
fn required(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let alert = session
        .fatal(ToClient)
        .filter(|alert| alert.description == 116)?;
    Some(alerted(
        asked(at, session, &CLASS),
        alert.description,
        alert.at,
    ))
}

/// TLS 1.2 and before: an empty Certificate, or the no_certificate alert of SSL 3, then the server's alert or close.
fn in_clear(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let refused = session
        .alerts
        .iter()
        .find(|alert| alert.from == ToServer && !alert.encrypted && alert.description == 41);
    let empty = match &session.client_certificates {
        Some(sent) if sent.value.is_empty() => sent.at,
        None => refused?.at,
        Some(_) => return None,
    };
    let finding = asked(at, session, &CLASS).seen(empty, "client-certificate");
    if let Some(alert) = session.fatal(ToClient) {
        // What speaks of damaged records, or of the server itself, has another cause. GnuTLS says decode_error (50).
        let fits = alert.at >= empty && matches!(alert.description, 10 | 40..=43 | 46 | 48..=50);
        let finding = if alert.description == 50 {
            finding.at_most(80, DECODE)
        } else {
            finding
        };
        return fits.then(|| alerted(finding, alert.description, alert.at));
    }
    let ended = cut_12(at, session).filter(|ended| *ended >= empty)?;
    Some(finding.seen(ended, "close").at_most(80, BY_CLOSE))
}

fn by_sizes(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    if !session.is_veiled() || session.resumed() {
        return None;
    }
    let Both([client, _]) = &session.sizes;
    let Shown::Nothing(empty) = shown(client)? else {
        return None;
    };
    inferred(at, session, &CLASS, empty, 70)
}

fn alerted(finding: Finding, description: u8, at: Mark) -> Finding {
    finding
        .seen(at, "alert")
        .detail("alert", Value::Text(names::alert(description).to_owned()))
        .detail("alert_code", Value::Number(description.into()))
}

const DECODE: Text = Text {
    en: "decode_error may also mean a message that the server could not read",
    zh: "decode_error 也可能表示服务器无法解析某条消息",
};
const BY_CLOSE: Text = Text {
    en: "the server closed without an alert that gives the reason",
    zh: "服务器未发告警说明原因即关闭",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    match lang {
        Lang::En => {
            format!("{server} wanted a certificate of {client}, got none and ended the handshake")
        }
        Lang::Zh => format!("{server} 要求 {client} 出示证书，未收到证书即终止握手"),
    }
}
