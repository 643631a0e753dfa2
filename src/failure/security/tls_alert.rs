#![doc = include_str!("tls_alert.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::{ToClient, ToServer};
use crate::protocol::tls::{Session, names};

/// `security.tls-alert`
pub static CLASS: Class = Class {
    code: "security.tls-alert",
    severity: Severity::Error,
    guide: guide!("tls_alert"),
    summary,
};

/// Any fatal alert that no other class explains. What the client sends after the server's FIN or RST answers the cut
/// (OpenSSL: decode_error), it is not what the handshake failed by.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let server = at.server_half();
    let cut = [server.fin.map(|fin| fin.at), server.reset.map(|rst| rst.at)]
        .into_iter()
        .flatten()
        .min();
    let own = session
        .fatal(ToServer)
        .filter(|alert| cut.is_none_or(|cut| alert.at < cut));
    let alert = [own, session.fatal(ToClient)]
        .into_iter()
        .flatten()
        .min_by_key(|alert| alert.at)?;
    let sender = if alert.from == ToClient {
        "server"
    } else {
        "client"
    };
    let finding = at.finding(&CLASS).seen_if(
        session.client_hello.as_ref().map(|hello| hello.at),
        "client-hello",
    );
    Some(
        finding
            .seen(alert.at, "alert")
            .failing()
            .detail("level", Value::Number(alert.level.into()))
            .detail("alert_code", Value::Number(alert.description.into()))
            .detail(
                "alert",
                Value::Text(names::alert(alert.description).to_owned()),
            )
            .detail("sender", Value::Text(sender.to_owned())),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let who = if finding.text("sender") == Some("client") {
        &client
    } else {
        &server
    };
    let alert = finding.text("alert").unwrap_or("");
    if finding.text("server_signature") == Some("wrong") {
        return match lang {
            Lang::En => format!(
                "{who} sent the fatal alert {alert}: the key exchange of {server} is not signed with the key of its certificate"
            ),
            Lang::Zh => {
                format!("{who} 发出致命告警 {alert}：{server} 的密钥交换并非由其证书对应的私钥签名")
            }
        };
    }
    match lang {
        Lang::En => format!("{who} sent the fatal alert {alert}"),
        Lang::Zh => format!("{who} 发出致命告警 {alert}"),
    }
}
