#![doc = include_str!("cert_expiring.en.md")]

use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `security.cert-expiring`
pub static CLASS: Class = Class {
    code: "security.cert-expiring",
    severity: Severity::Warning,
    guide: guide!("cert_expiring"),
    summary,
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let which = finding.text("which").unwrap_or("");
    let days = finding.number("days_left").unwrap_or(0);
    match lang {
        Lang::En => format!("{server} presents {which}, with {days} days left at the handshake"),
        Lang::Zh => format!("{server} 出示的证书 {which} 在握手时仅剩 {days} 天有效期"),
    }
}
