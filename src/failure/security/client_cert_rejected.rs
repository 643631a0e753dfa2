#![doc = include_str!("client_cert_rejected.en.md")]

use crate::failure::episode::Episode;
use crate::failure::security::client_flight::{Shown, asked, inferred, shown};
use crate::failure::security::refusal::is_certificate_alert;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Both;
use crate::mark::Direction::ToClient;
use crate::protocol::tls::chain::Certificate;
use crate::protocol::tls::{Session, names};
use crate::time::SECOND;

/// `security.client-cert-rejected`
pub static CLASS: Class = Class {
    code: "security.client-cert-rejected",
    severity: Severity::Error,
    guide: guide!("client_cert_rejected"),
    summary,
};

/// access_denied: a valid certificate whose holder is not let in (RFC 8446 6.2).
const ACCESS_DENIED: u8 = 49;
/// decrypt_error: the proof of the key does not verify, or a Finished does not.
const DECRYPT_ERROR: u8 = 51;
const DAY: i64 = 86_400 * SECOND;

/// The client showed a certificate and the server refused it by an alert.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    in_clear(at, session).or_else(|| by_sizes(at, session))
}

fn in_clear(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let sent = session
        .client_certificates
        .as_ref()
        .filter(|sent| !sent.value.is_empty())?;
    let alert = session
        .fatal(ToClient)
        .filter(|alert| alert.at >= sent.at)?;
    if !is_certificate_alert(alert.description) && alert.description != ACCESS_DENIED {
        return None;
    }
    let mut finding = asked(at, session, &CLASS)
        .seen(sent.at, "client-certificate")
        .seen(alert.at, "alert")
        .detail(
            "alert",
            Value::Text(names::alert(alert.description).to_owned()),
        )
        .detail("alert_code", Value::Number(alert.description.into()));
    if alert.description == DECRYPT_ERROR {
        finding = finding.at_most(80, PROOF);
    }
    let leaf = sent.value.first().and_then(|der| Certificate::parse(der));
    Some(match leaf {
        Some(leaf) => described(finding, &leaf, sent.at.time),
        None => finding,
    })
}

/// TLS 1.3: sizes tell that a certificate was sent, and that an alert answered.
fn by_sizes(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    if !session.is_veiled() || session.resumed() {
        return None;
    }
    let Both([client, _]) = &session.sizes;
    let Shown::Certificate(sent) = shown(client)? else {
        return None;
    };
    inferred(at, session, &CLASS, sent, 65)
}

/// What the client's own certificate says of itself.
fn described(finding: Finding, leaf: &Certificate, now: crate::time::Timestamp) -> Finding {
    let finding = finding
        .detail("subject", Value::Text(leaf.subject.clone()))
        .detail("issuer", Value::Text(leaf.issuer.clone()))
        .detail("serial", Value::Text(leaf.serial.clone()))
        .detail("not_before", Value::Time(leaf.not_before))
        .detail("not_after", Value::Time(leaf.not_after));
    if now > leaf.not_after {
        finding.detail(
            "days_expired",
            Value::Number(now.since(leaf.not_after) / DAY),
        )
    } else {
        finding
    }
}

const PROOF: Text = Text {
    en: "decrypt_error may also mean a Finished that does not verify",
    zh: "decrypt_error 也可能表示 Finished 校验失败",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    match (finding.text("alert"), lang) {
        (Some(alert), Lang::En) => {
            format!("{server} refused the certificate of {client} with the alert {alert}")
        }
        (Some(alert), Lang::Zh) => format!("{server} 以告警 {alert} 拒绝了 {client} 的证书"),
        (None, Lang::En) => {
            format!(
                "{server} left right after the certificate of {client} (TLS 1.3): it probably refused it"
            )
        }
        (None, Lang::Zh) => {
            format!("{server} 收到 {client} 的证书后立即退出（TLS 1.3），很可能拒绝了该证书")
        }
    }
}
