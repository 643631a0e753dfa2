#![doc = include_str!("cert_self_signed.en.md")]

use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `security.cert-self-signed`
pub static CLASS: Class = Class {
    code: "security.cert-self-signed",
    severity: Severity::Critical,
    guide: guide!("cert_self_signed"),
    summary,
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let subject = finding.text("subject").unwrap_or("");
    match lang {
        Lang::En => format!("{server} presents a certificate that signs itself: {subject}"),
        Lang::Zh => format!("{server} 出示自签名证书：{subject}"),
    }
}
