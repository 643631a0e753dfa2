#![doc = include_str!("firewall_rejected.en.md")]

use crate::failure::episode::Episode;
use crate::failure::network::icmp_unreachable::{about, reason};
use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;

/// `network.firewall-rejected`
pub static CLASS: Class = Class {
    code: "network.firewall-rejected",
    severity: Severity::Error,
    guide: guide!("firewall_rejected"),
    summary,
};

/// An attempt answered by an administratively-prohibited code (v4 3/9, 3/10, 3/13; v6 1/1, 1/5, 1/6).
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let error = at
        .unreachable()
        .filter(|error| reason(error).is_some_and(|(_, rejected)| rejected))?;
    about(at, error, &CLASS)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let router = finding.text("router").unwrap_or("");
    match lang {
        Lang::En => {
            format!("{router} rejected the connection of {client} to {server} by policy (ICMP)")
        }
        Lang::Zh => format!("{router} 以策略禁止（ICMP）拒绝了 {client} 到 {server} 的连接"),
    }
}
