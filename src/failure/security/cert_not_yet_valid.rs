#![doc = include_str!("cert_not_yet_valid.en.md")]

use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `security.cert-not-yet-valid`
pub static CLASS: Class = Class {
    code: "security.cert-not-yet-valid",
    severity: Severity::Critical,
    guide: guide!("cert_not_yet_valid"),
    summary,
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let which = finding.text("which").unwrap_or("");
    let days = finding.number("days_until_valid").unwrap_or(0);
    match lang {
        Lang::En => {
            format!("{server} presents {which}, not valid for another {days} days at the handshake")
        }
        Lang::Zh => format!("{server} 出示的证书 {which} 在握手时尚未生效，还差 {days} 天"),
    }
}
