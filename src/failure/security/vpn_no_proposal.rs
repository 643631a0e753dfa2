#![doc = include_str!("vpn_no_proposal.en.md")]

use crate::failure::security::vpn::{Around, finding};
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::flow::tunnels::{Association, Kind};
use crate::guide;
use crate::time::{Nanos, SECOND};

/// `security.vpn-no-proposal`
pub static CLASS: Class = Class {
    code: "security.vpn-no-proposal",
    severity: Severity::Error,
    guide: guide!("vpn_no_proposal"),
    summary,
};

/// NO_PROPOSAL_CHOSEN and INVALID_KE_PAYLOAD (RFC 7296 3.10.1; in RFC 2408 3.14.1 the same numbers).
const NO_PROPOSAL: u16 = 14;
const INVALID_KE: u16 = 17;
/// A further offer that is accepted within this mends it.
const RECOVERS: Nanos = 30 * SECOND;
/// An initiator goes on at once if it has something else to offer.
const PATIENCE: Nanos = 3 * SECOND;

/// Offers that were refused and never agreed on afterwards.
pub(super) fn judge(around: &Around<'_>) -> Vec<Finding> {
    let all = around.associations.values();
    let mut findings: Vec<Finding> = all.filter_map(|known| detect(known, around)).collect();
    findings.sort_by_key(|finding| (finding.first, finding.client, finding.server));
    findings
}

fn detect(known: &Association, around: &Around<'_>) -> Option<Finding> {
    let (error, at, _) = known.refused?;
    if !matches!(error, NO_PROPOSAL | INVALID_KE) {
        return None;
    }
    let ends = (known.initiator.0, known.responder.0);
    let mut pair = around.associations.values();
    let recovered = pair.any(|other| {
        let same = (other.initiator.0, other.responder.0) == ends;
        let agreed = other.agreed.map(|agreed| agreed.time.since(at.time));
        same && agreed.is_some_and(|after| (0..=RECOVERS).contains(&after))
    });
    let again = around.associations.values().any(|other| {
        let same = (other.initiator.0, other.responder.0) == ends;
        same && other.first > at
    });
    // A new offer might be on its way when the capture ends; not one that was refused again and again.
    let since = known.refused_since.unwrap_or(at.time);
    let waited = around.end.since(since) >= PATIENCE || again;
    if recovered || (error == INVALID_KE && !waited) {
        return None;
    }
    let kind = if known.version == 1 {
        Kind::IkeV1
    } else {
        Kind::IkeV2
    };
    let notify = if error == NO_PROPOSAL {
        "NO_PROPOSAL_CHOSEN"
    } else {
        "INVALID_KE_PAYLOAD"
    };
    Some(
        finding(&CLASS, kind, (known.initiator, known.responder))
            .seen(known.first, "initiation")
            .seen(at, "notify")
            .detail("notify", Value::Text(notify.to_owned())),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (client, server) = (finding.client_text(), finding.server_text());
    let protocol = finding.text("protocol").unwrap_or("IKE");
    let notify = finding.text("notify").unwrap_or("");
    match lang {
        Lang::En => {
            format!("{server} accepts none of the {protocol} proposals of {client} ({notify})")
        }
        Lang::Zh => format!("{server} 不接受 {client} 的任何 {protocol} 提议（{notify}）"),
    }
}
