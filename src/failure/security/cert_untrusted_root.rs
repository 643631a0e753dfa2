#![doc = include_str!("cert_untrusted_root.en.md")]

use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `security.cert-untrusted-root`
pub static CLASS: Class = Class {
    code: "security.cert-untrusted-root",
    severity: Severity::Critical,
    guide: guide!("cert_untrusted_root"),
    summary,
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let root = finding.text("root").unwrap_or("");
    match lang {
        Lang::En => {
            format!("the chain of {server} ends in {root}, which the trust store does not hold")
        }
        Lang::Zh => format!("{server} 的证书链止于 {root}，不在信任库中"),
    }
}
