#![doc = include_str!("tls_no_common_cipher.en.md")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Direction::ToClient;
use crate::protocol::tls::{Session, names};

/// `security.tls-no-common-cipher`
pub static CLASS: Class = Class {
    code: "security.tls-no-common-cipher",
    severity: Severity::Error,
    guide: guide!("tls_no_common_cipher"),
    summary,
};

/// insufficient_security, or handshake_failure before any ServerHello (RFC 8446 6.2). A lone handshake_failure has
/// other readings too, until the server's accepted suites are known from other clients.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let alert = session
        .fatal(ToClient)
        .filter(|_| session.server_hello.is_none() && session.hello_retry.is_none())?;
    let hello = session.client_hello.as_ref()?;
    let certain = match alert.description {
        71 => true,
        40 => false,
        _ => return None,
    };
    let offered: Vec<String> = hello
        .value
        .suites
        .iter()
        .take(64)
        .map(|suite| names::suite(*suite))
        .collect();
    let ids: Vec<String> = hello
        .value
        .suites
        .iter()
        .map(|suite| format!("{suite:04x}"))
        .collect();
    let mut finding = at
        .finding(&CLASS)
        .seen(hello.at, "client-hello")
        .seen(alert.at, "alert")
        .failing()
        .detail(
            "alert",
            Value::Text(names::alert(alert.description).to_owned()),
        )
        .detail("offered", Value::List(offered))
        .detail("offered_ids", Value::List(ids));
    if !certain {
        finding = finding.at_most(70, OTHER_READINGS);
        finding
            .details
            .push(("other_readings", Value::List(readings(session))));
    }
    Some(finding)
}

fn readings(session: &Session) -> Vec<String> {
    let mut readings = Vec::new();
    if session.sni().is_none() {
        readings.push("no SNI was sent".to_owned());
    } else {
        readings.push("unknown host name".to_owned());
    }
    readings.push("no common group or signature scheme".to_owned());
    readings
}

/// Where other clients showed which suites the server takes, a disjoint offer is certain.
pub fn judge_ciphers(
    findings: Vec<Finding>,
    chosen: &BTreeSet<((IpAddr, u16), u16)>,
) -> Vec<Finding> {
    findings
        .into_iter()
        .map(|mut finding| {
            if finding.class.code != CLASS.code || finding.confidence >= 90 {
                return finding;
            }
            let taken: Vec<String> = chosen
                .iter()
                .filter(|(server, _)| Some(*server) == finding.server)
                .map(|(_, suite)| format!("{suite:04x}"))
                .collect();
            let offered = finding.details.iter().find_map(|(key, value)| match value {
                Value::List(ids) if *key == "offered_ids" => Some(ids.clone()),
                _ => None,
            });
            if let Some(offered) = offered
                && !taken.is_empty()
                && taken.iter().all(|suite| !offered.contains(suite))
            {
                finding.confidence = 95;
                finding.reason = None;
                finding.details.push(("server_takes", Value::List(taken)));
            }
            finding
        })
        .collect()
}

const OTHER_READINGS: Text = Text {
    en: "handshake_failure before ServerHello may also mean an unknown name, group or signature scheme",
    zh: "ServerHello 之前的 handshake_failure 也可能是域名未知、群组或签名算法不匹配",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    match lang {
        Lang::En => format!("{server} found nothing usable in the ClientHello of {client}"),
        Lang::Zh => format!("{server} 在 {client} 的 ClientHello 中找不到可用的套件"),
    }
}
