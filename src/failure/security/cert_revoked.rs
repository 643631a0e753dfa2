#![doc = include_str!("cert_revoked.en.md")]

use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::time::Timestamp;

/// `security.cert-revoked`
pub static CLASS: Class = Class {
    code: "security.cert-revoked",
    severity: Severity::Critical,
    guide: guide!("cert_revoked"),
    summary,
};

/// What the stapled answer says of the certificate at a place of the chain.
pub(super) fn detailed(
    finding: Finding,
    (which, place): (&str, usize),
    when: Timestamp,
    reason: Option<&'static str>,
    verified: bool,
) -> Finding {
    let finding = finding
        .detail("which", Value::Text(which.to_owned()))
        .detail("position", Value::Number(i64::try_from(place).unwrap_or(0)))
        .detail("revoked_at", Value::Time(when))
        .detail(
            "reason",
            Value::Text(reason.unwrap_or("not given").to_owned()),
        )
        .detail("stapled", Value::Bool(true))
        .detail("signature_verified", Value::Bool(verified));
    if verified {
        finding
    } else {
        finding.at_most(70, UNVERIFIED)
    }
}

const UNVERIFIED: Text = Text {
    en: "the signature of the OCSP response cannot be verified with what was sent and trusted",
    zh: "以所发送及所信任的证书无法验证 OCSP 应答的签名",
};
pub(super) const BY_WORD: Text = Text {
    en: "the client's alert says so; no stapled OCSP response shows it",
    zh: "仅由客户端告警得知，没有装订的 OCSP 应答可证",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let which = finding.text("which").unwrap_or("");
    let stapled = finding
        .details
        .iter()
        .any(|(key, value)| *key == "stapled" && *value == Value::Bool(true));
    match (stapled, lang) {
        (true, Lang::En) => {
            format!("{server} presents {which} and an OCSP response that says it is revoked")
        }
        (true, Lang::Zh) => format!("{server} 出示的证书 {which} 附带的 OCSP 应答显示其已被吊销"),
        (false, Lang::En) => format!("{client} refused {which} of {server} as revoked"),
        (false, Lang::Zh) => format!("{client} 以证书已吊销为由拒绝了 {server} 的证书 {which}"),
    }
}
