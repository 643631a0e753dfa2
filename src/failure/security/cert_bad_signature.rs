#![doc = include_str!("cert_bad_signature.en.md")]

use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `security.cert-bad-signature`
pub static CLASS: Class = Class {
    code: "security.cert-bad-signature",
    severity: Severity::Critical,
    guide: guide!("cert_bad_signature"),
    summary,
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let which = finding.text("which").unwrap_or("");
    match lang {
        Lang::En => format!("{server} presents {which}, whose signature does not verify"),
        Lang::Zh => format!("{server} 出示的证书 {which} 签名验证失败"),
    }
}
