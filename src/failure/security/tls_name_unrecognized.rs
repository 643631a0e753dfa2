#![doc = include_str!("tls_name_unrecognized.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Direction::{ToClient, ToServer};
use crate::protocol::tls::{Alert, Session, Stage};

/// `security.tls-name-unrecognized`
pub static CLASS: Class = Class {
    code: "security.tls-name-unrecognized",
    severity: Severity::Error,
    guide: guide!("tls_name_unrecognized"),
    summary,
};

/// unrecognized_name (RFC 6066 3).
const UNRECOGNIZED: u8 = 112;

/// A fatal unrecognized_name of the server, or a warning of it that the client takes for fatal (Java 7 and its kin).
/// A warning that the handshake survives is ordinary.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let fatal = session
        .fatal(ToClient)
        .filter(|alert| alert.description == UNRECOGNIZED);
    let (alert, answer) = match fatal {
        Some(alert) => (alert, None),
        None => warned(session).map(|(warning, answer)| (warning, Some(answer)))?,
    };
    let mut finding = at.finding(&CLASS).failing();
    finding = finding.seen_if(
        session.client_hello.as_ref().map(|hello| hello.at),
        "client-hello",
    );
    finding = finding
        .seen(alert.at, "alert")
        .seen_if(answer.map(|answer| answer.at), "refusal");
    finding = finding
        .detail("level", Value::Number(alert.level.into()))
        .detail("alert_code", Value::Number(alert.description.into()));
    if let Some(sni) = session.sni() {
        finding = finding.detail("sni", Value::Text(sni.to_owned()));
    }
    Some(if answer.is_some() {
        finding.at_most(85, BY_WARNING)
    } else {
        finding
    })
}

/// The warning, and the client's own alert that follows it and speaks of no certificate.
fn warned(session: &Session) -> Option<(&Alert, &Alert)> {
    let warning = session.alerts.iter().find(|alert| {
        alert.from == ToClient
            && !alert.encrypted
            && alert.level == 1
            && alert.description == UNRECOGNIZED
    })?;
    let answer = session
        .fatal(ToServer)
        .filter(|alert| matches!(alert.description, 10 | 40 | UNRECOGNIZED))?;
    (answer.at > warning.at && session.stage() < Stage::ClientFinished).then_some((warning, answer))
}

const BY_WARNING: Text = Text {
    en: "the server only warned; the client's own alert followed",
    zh: "服务器仅发出警告级告警，随后由客户端告警终止",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    match (finding.text("sni"), lang) {
        (Some(sni), Lang::En) => {
            format!("{server} does not know the name {sni} that {client} asked for")
        }
        (Some(sni), Lang::Zh) => format!("{server} 不识别 {client} 所请求的域名 {sni}"),
        (None, Lang::En) => {
            format!("{server} refused the ClientHello of {client}, which carries no server name")
        }
        (None, Lang::Zh) => format!("{server} 拒绝了 {client} 未带域名（SNI）的 ClientHello"),
    }
}
