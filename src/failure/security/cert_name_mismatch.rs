#![doc = include_str!("cert_name_mismatch.en.md")]

use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `security.cert-name-mismatch`
pub static CLASS: Class = Class {
    code: "security.cert-name-mismatch",
    severity: Severity::Critical,
    guide: guide!("cert_name_mismatch"),
    summary,
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let expected = finding.text("expected").unwrap_or("");
    match lang {
        Lang::En => format!("{server} presents a certificate that is not for {expected}"),
        Lang::Zh => format!("{server} 出示的证书与域名 {expected} 不符"),
    }
}
