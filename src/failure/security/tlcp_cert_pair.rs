#![doc = include_str!("tlcp_cert_pair.en.md")]

use crate::failure::episode::Episode;
use crate::failure::security::tlcp_mismatch::TLCP;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::ToServer;
use crate::protocol::tls::chain::Certificate;
use crate::protocol::tls::{Session, Stage};

/// `security.tlcp-cert-pair`
pub static CLASS: Class = Class {
    code: "security.tlcp-cert-pair",
    severity: Severity::Error,
    guide: guide!("tlcp_cert_pair"),
    summary,
};

/// A TLCP Certificate message without a certificate that may sign and another that may encrypt (GB/T 38636 6.4.5.3),
/// in a handshake that then fails. Authorities may stand behind or between the two.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let hello = session.server_hello.as_ref()?;
    let sent = session.certificates.as_ref()?;
    if hello.value.version != TLCP || session.stage() == Stage::Complete {
        return None;
    }
    let parsed: Vec<Certificate> = sent
        .value
        .iter()
        .filter_map(|der| Certificate::parse(der))
        .collect();
    // One that cannot be read may be the one that lacks.
    if parsed.len() != sent.value.len() {
        return None;
    }
    let own: Vec<&Certificate> = parsed.iter().filter(|one| !one.authority).collect();
    let problem = problem(&own)?;
    let refused = session.fatal(ToServer);
    let close = refused.map(|alert| alert.at).or(at
        .client_half()
        .fin
        .map(|fin| fin.at)
        .or(at.client_half().reset.map(|rst| rst.at)))?;
    let role = if refused.is_some() { "alert" } else { "close" };
    let usages = own.iter().map(|one| one.usages()).collect();
    Some(
        at.finding(&CLASS)
            .seen(sent.at, "certificate")
            .seen(close, role)
            .failing()
            .detail("problem", Value::Text(problem.to_owned()))
            .detail(
                "certificates",
                Value::Number(i64::try_from(own.len()).unwrap_or(i64::MAX)),
            )
            .detail("usages", Value::List(usages)),
    )
}

/// What the servers' own certificates lack.
fn problem(own: &[&Certificate]) -> Option<&'static str> {
    let (first, rest) = own.split_first()?;
    Some(match () {
        () if rest.is_empty() => "one-certificate",
        () if !own.iter().any(|one| one.may_sign()) => "none-signs",
        () if !own.iter().any(|one| one.may_encrypt()) => "none-encrypts",
        () if !first.may_sign() => "wrong-order",
        () if !rest.iter().any(|one| one.may_encrypt()) => "none-encrypts",
        () => return None,
    })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let what = match (finding.text("problem").unwrap_or(""), lang) {
        ("one-certificate", Lang::En) => {
            "one certificate instead of a signing and an encryption one"
        }
        ("one-certificate", Lang::Zh) => "只有一张证书，缺少签名或加密证书",
        ("none-signs", Lang::En) => "no certificate that may sign",
        ("none-signs", Lang::Zh) => "没有可用于签名的证书",
        ("none-encrypts", Lang::En) => "no second certificate that may encrypt",
        ("none-encrypts", Lang::Zh) => "没有可用于加密的证书",
        (_, Lang::En) => "the encryption certificate before the signing one",
        (_, Lang::Zh) => "加密证书排在签名证书之前",
    };
    match lang {
        Lang::En => format!("{server} shows {client} {what} (TLCP), and the handshake fails"),
        Lang::Zh => format!("{server} 向 {client} 出示的国密双证书有误：{what}，握手失败"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(usage: Option<(bool, bool)>) -> Certificate {
        let mut one = Certificate::default();
        one.usage = usage;
        one
    }

    fn check(usages: &[Option<(bool, bool)>], expect: Option<&str>) {
        let own: Vec<Certificate> = usages.iter().map(|usage| one(*usage)).collect();
        let own: Vec<&Certificate> = own.iter().collect();
        assert_eq!(problem(&own), expect);
    }

    #[test]
    fn a_pair_signs_first_and_encrypts_then() {
        let (sign, encrypt) = (Some((true, false)), Some((false, true)));
        check(&[sign, encrypt], None);
        check(&[None, None], None);
        check(&[Some((true, true)), encrypt], None);
        check(&[sign], Some("one-certificate"));
        check(&[sign, sign], Some("none-encrypts"));
        check(&[encrypt, encrypt], Some("none-signs"));
        check(&[encrypt, sign], Some("wrong-order"));
        check(&[], None);
    }
}
