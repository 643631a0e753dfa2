#![doc = include_str!("cert_weak.en.md")]

use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `security.cert-weak`
pub static CLASS: Class = Class {
    code: "security.cert-weak",
    severity: Severity::Warning,
    guide: guide!("cert_weak"),
    summary,
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let which = finding.text("which").unwrap_or("");
    let why = finding.text("why").unwrap_or("");
    match lang {
        Lang::En => format!("{server} presents {which} with {why}"),
        Lang::Zh => format!("{server} 出示的证书 {which} 使用 {why}"),
    }
}
