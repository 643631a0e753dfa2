#![doc = include_str!("cert_chain_incomplete.en.md")]

use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `security.cert-chain-incomplete`
pub static CLASS: Class = Class {
    code: "security.cert-chain-incomplete",
    severity: Severity::Critical,
    guide: guide!("cert_chain_incomplete"),
    summary,
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let issuer = finding.text("missing_issuer").unwrap_or("");
    match lang {
        Lang::En => format!("{server} does not send the certificate of {issuer}"),
        Lang::Zh => format!("{server} 未发送签发者 {issuer} 的证书"),
    }
}
