#![doc = include_str!("cert_rejected.en.md")]

use crate::failure::episode::Episode;
use crate::failure::security::refusal::is_certificate_alert;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Direction::ToServer;
use crate::protocol::tls::{Session, names};

/// `security.cert-rejected`
pub static CLASS: Class = Class {
    code: "security.cert-rejected",
    severity: Severity::Error,
    guide: guide!("cert_rejected"),
    summary,
};

/// A certificate alert of the client against a chain that validates, or that TLS 1.3 hides.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let alert = session
        .fatal(ToServer)
        .filter(|alert| is_certificate_alert(alert.description))?;
    // TLCP: decrypt_error speaks of the key exchange, where that is not signed as the certificate says.
    if alert.description == 51 && session.server_signed() == Some(false) {
        return None;
    }
    let mut finding = at.finding(&CLASS).failing();
    finding = finding.seen_if(
        session.client_hello.as_ref().map(|hello| hello.at),
        "client-hello",
    );
    finding = finding
        .seen_if(
            session.certificates.as_ref().map(|sent| sent.at),
            "certificate",
        )
        .seen(alert.at, "alert");
    finding = finding
        .detail(
            "alert",
            Value::Text(names::alert(alert.description).to_owned()),
        )
        .detail("alert_code", Value::Number(alert.description.into()));
    match at.chain {
        Some(verdict) => {
            if alert.description == 45 && verdict.is_good() {
                finding = finding.detail("client_clock", Value::Bool(true));
            }
            if let Some(reason) = verdict.unjudged {
                finding = finding
                    .at_most(80, UNJUDGED)
                    .detail("chain_unjudged", Value::Text(reason.to_owned()));
            }
            finding = finding.detail("chain", Value::Text(verdict.chain.clone()));
        }
        None => {
            finding = finding
                .at_most(85, HIDDEN)
                .detail("chain_visible", Value::Bool(false))
        }
    }
    Some(finding)
}

const HIDDEN: Text = Text {
    en: "TLS 1.3 hides the chain: a key log of the client would show which certificate it was",
    zh: "TLS 1.3 隐藏了证书链：需客户端密钥日志方可确定具体证书",
};
const UNJUDGED: Text = Text {
    en: "the chain could not be judged",
    zh: "证书链无法判断",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let alert = finding.text("alert").unwrap_or("");
    match lang {
        Lang::En => format!("{client} refused the certificate of {server} with the alert {alert}"),
        Lang::Zh => format!("{client} 以告警 {alert} 拒绝了 {server} 的证书"),
    }
}
