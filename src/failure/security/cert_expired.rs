#![doc = include_str!("cert_expired.en.md")]

use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `security.cert-expired`
pub static CLASS: Class = Class {
    code: "security.cert-expired",
    severity: Severity::Critical,
    guide: guide!("cert_expired"),
    summary,
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let which = finding.text("which").unwrap_or("");
    let days = finding.number("days_expired").unwrap_or(0);
    match lang {
        Lang::En => format!("{server} presents {which}, expired {days} days before the handshake"),
        Lang::Zh => format!("{server} 出示的证书 {which} 在握手时已过期 {days} 天"),
    }
}
