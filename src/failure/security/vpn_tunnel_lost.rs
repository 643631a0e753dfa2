#![doc = include_str!("vpn_tunnel_lost.en.md")]

use crate::failure::security::vpn::{Around, LIVED, finding, unanswered};
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::flow::tunnels::{Ask, Kind, Silence};
use crate::guide;
use crate::time::MILLISECOND;

/// `security.vpn-tunnel-lost`
pub static CLASS: Class = Class {
    code: "security.vpn-tunnel-lost",
    severity: Severity::Critical,
    guide: guide!("vpn_tunnel_lost"),
    summary,
};

/// A question whether the other end lives, or for a tunnel anew right after one that lived, without an answer.
pub(super) fn detect(ask: &Ask, around: &Around<'_>) -> Option<Finding> {
    let ike = matches!(ask.kind, Kind::IkeV1 | Kind::IkeV2);
    let lived = ask
        .lived
        .filter(|lived| ask.first().time.since(lived.time) <= LIVED);
    if ask.liveness {
        // What the capture saw begin and never stand is no live tunnel.
        let known = around.association(ask);
        let stood = known
            .is_none_or(|known| !known.begun || known.auth_answer.is_some() || known.version == 1);
        let lives = around
            .tunnels
            .lived(ask.kind, ask.asked.0, ask.asker.0)
            .is_some_and(|last| last > ask.first().time);
        if (ike && known.is_none())
            || !stood
            || lives
            // Their probes differ in a number of their own: without the other end they are no repetitions.
            || (lived.is_none() && matches!(ask.kind, Kind::IkeV1 | Kind::Pptp))
        {
            return None;
        }
    } else if lived.is_none() || ask.stage == "other" {
        return None;
    }
    let role = if ask.liveness {
        "dead-peer-detection"
    } else {
        "initiation"
    };
    let mut finding = unanswered(&CLASS, ask, role);
    if let Some(lived) = lived {
        finding = finding.seen(lived, "last-heard");
        finding.evidence.sort_by_key(|seen| seen.at);
        finding.first = ask.first().time;
        let silent = ask.last().time.since(lived.time) / MILLISECOND;
        finding = finding.detail("silent_ms", Value::Number(silent));
    }
    let (lost, _) = around.tunnels.lost(ask.asked.0, ask.asker.0);
    if lost > 0 && ike {
        finding = finding.detail(
            "esp_lost",
            Value::Number(i64::try_from(lost).unwrap_or(i64::MAX)),
        );
    }
    Some(finding)
}

/// ESP that goes on one way alone; where dead-peer detection told the same already, it adds its frames.
pub(super) fn silences(around: &Around<'_>, findings: &mut Vec<Finding>) {
    for silence in around.tunnels.silences() {
        let known = findings.iter_mut().find(|finding| {
            let ends = (
                finding.client.map(|(ip, _)| ip),
                finding.server.map(|(ip, _)| ip),
            );
            let same = ends == (Some(silence.speaker), Some(silence.silent))
                || ends == (Some(silence.silent), Some(silence.speaker));
            same && finding.class.code == CLASS.code
        });
        match known {
            Some(known) => {
                if let Some(last) = silence.marks.last() {
                    known.evidence.push(crate::failure::Evidence {
                        at: *last,
                        role: "esp",
                    });
                    known.evidence.sort_by_key(|seen| seen.at);
                    known.evidence.dedup();
                }
            }
            None => findings.push(one_way(&silence)),
        }
    }
}

fn one_way(silence: &Silence) -> Finding {
    let ends = ((silence.speaker, 0), (silence.silent, 0));
    let mut finding = finding(&CLASS, Kind::IkeV2, ends);
    finding.protocol = 50;
    finding.details.clear();
    finding = finding
        .detail("protocol", Value::Text("ESP".to_owned()))
        .seen(silence.last_heard, "last-heard");
    for mark in &silence.marks {
        finding = finding.seen(*mark, "esp");
    }
    finding = finding.seen_if(silence.back, "back");
    let until = silence
        .back
        .or(silence.marks.last().copied())
        .unwrap_or_default();
    let silent = until.time.since(silence.last_heard.time);
    let number = |count: u64| Value::Number(i64::try_from(count).unwrap_or(i64::MAX));
    finding = finding
        .detail("silent_ms", Value::Number(silent / MILLISECOND))
        .detail("sent", number(silence.sent))
        .detail("spi", Value::Text(format!("0x{:08x}", silence.spi)));
    if silence.lost > 0 {
        return finding.detail("esp_lost", number(silence.lost));
    }
    finding.at_most(80, ESP_ALONE)
}

const ESP_ALONE: Text = Text {
    en: "only ESP shows it: traffic that goes one way by nature looks the same",
    zh: "仅由 ESP 推断：本就单向的业务流看起来也是如此",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (client, server) = (finding.client_text(), finding.server_text());
    let protocol = finding.text("protocol").unwrap_or("VPN");
    let retries = finding.number("retries");
    let seconds = finding
        .number("silent_ms")
        .or(finding.number("waited_ms"))
        .unwrap_or(0) as f64
        / 1e3;
    let lost = finding.number("esp_lost").unwrap_or(0);
    match (lang, retries) {
        (Lang::En, Some(retries)) => format!(
            "the live tunnel between {client} and {server} ({protocol}) fell silent: {retries} retries, nothing for {seconds:.0} s"
        ),
        (Lang::Zh, Some(retries)) => format!(
            "{client} 与 {server} 之间已建立的隧道（{protocol}）中断：重试 {retries} 次，{seconds:.0} 秒内无任何应答"
        ),
        (Lang::En, None) if lost > 0 => format!(
            "{lost} packets of {server} were lost in the tunnel to {client} ({protocol}): nothing came for {seconds:.0} s"
        ),
        (Lang::Zh, None) if lost > 0 => format!(
            "隧道（{protocol}）中 {server} 发往 {client} 的 {lost} 个报文丢失，{seconds:.0} 秒内未收到任何报文"
        ),
        (Lang::En, None) => format!(
            "{client} goes on alone in its tunnel with {server} ({protocol}): nothing came back for {seconds:.0} s"
        ),
        (Lang::Zh, None) => format!(
            "{client} 在与 {server} 的隧道（{protocol}）中单向发送，{seconds:.0} 秒内没有任何回程报文"
        ),
    }
}
