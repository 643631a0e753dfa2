#![doc = include_str!("vpn_no_answer.en.md")]

use crate::failure::security::vpn::{Around, unanswered};
use crate::failure::{Class, Finding, Lang, Severity};
use crate::flow::tunnels::{Ask, Kind};
use crate::guide;

/// `security.vpn-no-answer`
pub static CLASS: Class = Class {
    code: "security.vpn-no-answer",
    severity: Severity::Error,
    guide: guide!("vpn_no_answer"),
    summary,
};

/// A question of who wants a tunnel that stayed without an answer, whichever step of it.
pub(super) fn detect(ask: &Ask, around: &Around<'_>) -> Option<Finding> {
    if ask.liveness || ask.stage == "other" {
        return None;
    }
    if matches!(ask.kind, Kind::IkeV1 | Kind::IkeV2) {
        // The responder repeats its own messages too when the initiator has gone.
        let known = around.association(ask)?;
        if known.initiator.0 != ask.asker.0 || (known.version == 1 && !known.begun) {
            return None;
        }
    }
    Some(unanswered(&CLASS, ask, "initiation"))
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (client, server) = (finding.client_text(), finding.server_text());
    let protocol = finding.text("protocol").unwrap_or("VPN");
    let stage = finding.text("stage").unwrap_or("");
    let retries = finding.number("retries").unwrap_or(0);
    let seconds = finding.number("waited_ms").unwrap_or(0) as f64 / 1e3;
    if finding
        .details
        .iter()
        .any(|(name, _)| *name == "answers_lost")
    {
        return match lang {
            Lang::En => format!(
                "{client} asked {server} for a tunnel ({protocol}, {stage}) and goes on asking, {retries} retries in {seconds:.1} s, though the capture holds answers: they do not reach it"
            ),
            Lang::Zh => format!(
                "{client} 向 {server} 发起 {protocol} 隧道协商（{stage}），{seconds:.1} 秒内重试 {retries} 次；抓包中可见应答，但应答未到达发起方"
            ),
        };
    }
    match (lang, retries) {
        (Lang::En, 0) => {
            format!("{client} asked {server} for a tunnel ({protocol}, {stage}) and got no answer")
        }
        (Lang::Zh, 0) => {
            format!("{client} 向 {server} 发起 {protocol} 隧道协商（{stage}），未得到应答")
        }
        (Lang::En, _) => format!(
            "{client} asked {server} for a tunnel ({protocol}, {stage}), {retries} retries in {seconds:.1} s, and got no answer"
        ),
        (Lang::Zh, _) => format!(
            "{client} 向 {server} 发起 {protocol} 隧道协商（{stage}），{seconds:.1} 秒内重试 {retries} 次均无应答"
        ),
    }
}
