#![doc = include_str!("vpn_auth_failed.en.md")]

use std::net::IpAddr;

use crate::failure::security::vpn::{Around, ENCRYPTED, finding, unanswered};
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::flow::tunnels::{Ask, Association, Kind, Refusal};
use crate::guide;
use crate::time::{Nanos, SECOND};

/// `security.vpn-auth-failed`
pub static CLASS: Class = Class {
    code: "security.vpn-auth-failed",
    severity: Severity::Error,
    guide: guide!("vpn_auth_failed"),
    summary,
};

/// AUTHENTICATION_FAILED (RFC 7296 3.10.1, RFC 2408 3.14.1).
const AUTHENTICATION_FAILED: u16 = 24;
/// An IKE_AUTH response up to this holds a notification or an EAP verdict and no identity: header 28, payload header 4,
/// IV up to 16, 16 bytes of blocks, check value up to 32.
const SHORT: u32 = 100;
/// An initiator that goes on does so at once.
const PATIENCE: Nanos = 5 * SECOND;
/// An initiator that refuses its peer says so at once.
const AT_ONCE: Nanos = 2 * SECOND;

/// Refusals in clear, and those that the order of encrypted messages shows.
pub(super) fn judge(around: &Around<'_>) -> Vec<Finding> {
    let attempts = around.associations.values();
    let mut findings: Vec<Finding> = attempts
        .filter_map(|known| in_clear(known).or_else(|| inferred(known, around)))
        .collect();
    let refused = around.tunnels.refusals().iter();
    findings.extend(refused.filter(|refusal| !refusal.mended).map(by_ppp));
    findings.sort_by_key(|finding| (finding.first, finding.client, finding.server));
    findings
}

/// IKEv1 with another pre-shared key. Main mode: the first encrypted message is repeated, and what comes back is none of
/// its exchange: the other end cannot read it (RFC 2409 5.4). Aggressive mode: the initiator's word to the responder's
/// hash is none of its exchange either, and the responder repeats it.
pub(super) fn detect(ask: &Ask, around: &Around<'_>) -> Option<Finding> {
    let known = around.association(ask)?;
    let by = match (ask.stage, known.initiator.0 == ask.asker.0) {
        ("main-mode-auth", true) => "server",
        ("aggressive-mode", false) if known.refused.is_none() => "client",
        _ => return None,
    };
    let other = ask.other?;
    let mut finding = unanswered(&CLASS, ask, "authentication").seen(other, "informational");
    if by == "client" {
        (finding.client, finding.server) = (finding.server, finding.client);
    }
    finding.evidence.sort_by_key(|seen| seen.at);
    finding.silence = None;
    Some(
        finding
            .detail("refused_by", Value::Text(by.to_owned()))
            .at_most(60, ENCRYPTED),
    )
}

fn in_clear(known: &Association) -> Option<Finding> {
    let (_, at, by_responder) = known
        .refused
        .filter(|(error, ..)| *error == AUTHENTICATION_FAILED)?;
    let kind = if known.version == 1 {
        Kind::IkeV1
    } else {
        Kind::IkeV2
    };
    let by = if by_responder { "server" } else { "client" };
    Some(
        finding(&CLASS, kind, (known.initiator, known.responder))
            .seen(known.first, "initiation")
            .seen(at, "notify")
            .detail("refused_by", Value::Text(by.to_owned())),
    )
}

/// IKEv2: a short IKE_AUTH response with which everything ends, or a refusal by the initiator right after a long one.
fn inferred(known: &Association, around: &Around<'_>) -> Option<Finding> {
    let (answer, len) = known.auth_answer.filter(|_| known.version == 2)?;
    let auth = known.auth?;
    let (a, b): (IpAddr, IpAddr) = (known.initiator.0, known.responder.0);
    let again = around.associations.values().any(|other| {
        (other.initiator.0, other.responder.0) == (a, b) && other.first.time > answer.time
    });
    // The first response of an EAP login holds the server's identity and is long.
    let final_word = known.auth_first && len <= SHORT && known.later.is_none();
    let over =
        final_word || again || around.end.since(answer.time.max(known.last.time)) >= PATIENCE;
    if auth.time > answer.time || !over || around.tunnels.protected_after(a, b, answer.time) {
        return None;
    }
    let told = |by: &str| {
        finding(&CLASS, Kind::IkeV2, (known.initiator, known.responder))
            .seen(known.first, "initiation")
            .seen(auth, "authentication")
            .seen(answer, "response")
            .detail("response_bytes", Value::Number(len.into()))
            .detail("refused_by", Value::Text(by.to_owned()))
    };
    match known.later {
        None if len <= SHORT => Some(told("server").at_most(70, ENCRYPTED)),
        // One exchange and no more: what follows a tunnel that stands is traffic.
        Some((true, refusal))
            if len > SHORT
                && refusal.time.since(answer.time) <= AT_ONCE
                && known.later_count <= 2 =>
        {
            Some(
                told("client")
                    .seen(refusal, "refusal")
                    .at_most(60, ENCRYPTED),
            )
        }
        _ => None,
    }
}

fn by_ppp(refusal: &Refusal) -> Finding {
    let mut told = finding(&CLASS, refusal.kind, (refusal.client, refusal.server))
        .seen(refusal.at, "refusal")
        .detail("refused_by", Value::Text("server".to_owned()))
        .detail("refusal", Value::Text(refusal.what.to_owned()));
    if let Some(words) = &refusal.words {
        told = told.detail("message", Value::Text(words.clone()));
    }
    told
}

const REFUSES: Text = Text {
    en: "refuses",
    zh: "拒绝了",
};
const SEEMS: Text = Text {
    en: "seems to refuse",
    zh: "疑似拒绝了",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (client, server) = (finding.client_text(), finding.server_text());
    let protocol = finding.text("protocol").unwrap_or("VPN");
    let words = if finding.confidence < 90 {
        SEEMS
    } else {
        REFUSES
    }
    .of(lang);
    let said = finding.text("message");
    let (by, whom) = if finding.text("refused_by") == Some("client") {
        (client, server)
    } else {
        (server, client)
    };
    match (lang, said) {
        (Lang::En, Some(said)) => {
            format!("{by} {words} the authentication of {whom} ({protocol}): {said}")
        }
        (Lang::En, None) => format!("{by} {words} the authentication of {whom} ({protocol})"),
        (Lang::Zh, Some(said)) => format!("{by} {words} {whom} 的身份认证（{protocol}）：{said}"),
        (Lang::Zh, None) => format!("{by} {words} {whom} 的身份认证（{protocol}）"),
    }
}
