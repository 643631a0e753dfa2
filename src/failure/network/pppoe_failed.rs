#![doc = include_str!("pppoe_failed.en.md")]

use std::collections::BTreeMap;

use crate::failure::network::arp_unanswered::mac_text;
use crate::failure::{Class, Finding, Lang, Severity, Subject, Text, Value};
use crate::flow::dialup::{Dialed, Dialups, Refused, Step};
use crate::flow::neighbours::{Mac, Neighbours, Sight};
use crate::guide;
use crate::time::MILLISECOND;

/// `network.pppoe-failed`
pub static CLASS: Class = Class {
    code: "network.pppoe-failed",
    severity: Severity::Error,
    guide: guide!("pppoe_failed"),
    summary,
};

/// So many questions without an answer.
const SENT_MIN: u32 = 3;

/// Lines that do not come up, and those that fall silent; once for each host that dials and kind of failure.
pub fn judge(dialups: &Dialups, neighbours: &Neighbours) -> Vec<Finding> {
    let asked = dialups.unanswered();
    let asked = asked.into_iter().filter(|asked| asked.sent >= SENT_MIN);
    let mut findings: Vec<(Mac, &'static str, Finding)> = asked
        .map(|asked| (asked.mac, reason(asked.step), unanswered(asked, neighbours)))
        .collect();
    let refused = dialups.refused().iter().filter(|refused| !refused.mended);
    findings.extend(refused.map(|no| (no.mac, no.what, by_refusal(no))));
    let mut kept: BTreeMap<(Mac, &'static str), Finding> = BTreeMap::new();
    findings.sort_by_key(|(mac, what, finding)| (finding.first, *mac, *what));
    for (mac, what, finding) in findings {
        if let Some(first) = kept.get_mut(&(mac, what)) {
            first.count += 1;
            first.last = first.last.max(finding.last);
        } else {
            kept.insert((mac, what), finding);
        }
    }
    let mut kept: Vec<Finding> = kept.into_values().collect();
    kept.sort_by_key(|finding| finding.first);
    kept
}

const fn reason(step: Step) -> &'static str {
    match step {
        Step::Discovery => "no-pado",
        Step::Session => "no-pads",
        Step::Link => "lcp-unanswered",
        Step::Echo => "lcp-echo-unanswered",
    }
}

const fn role(step: Step) -> &'static str {
    match step {
        Step::Discovery => "padi",
        Step::Session => "padr",
        Step::Link => "lcp-configure-request",
        Step::Echo => "lcp-echo-request",
    }
}

fn unanswered(asked: &Dialed, neighbours: &Neighbours) -> Finding {
    let first = asked.marks.first().copied().unwrap_or_default();
    let mut finding = Finding::new(&CLASS, Subject::Link, first.time);
    for mark in &asked.marks {
        finding = finding.seen(*mark, role(asked.step));
    }
    let waited = finding.last.since(first.time) / MILLISECOND;
    finding = finding
        .detail("reason", Value::Text(reason(asked.step).to_owned()))
        .detail("client_mac", Value::Text(mac_text(asked.mac)))
        .detail("requests", Value::Number(asked.sent.into()))
        .detail("waited_ms", Value::Number(waited));
    if let Some(peer) = asked.peer {
        finding = finding.detail("peer_mac", Value::Text(mac_text(peer)));
    }
    let (nobody, everybody) = ([0, 0, 0, 0].into(), [255, 255, 255, 255].into());
    let seen = neighbours.sight((asked.mac, nobody), everybody) != Sight::None;
    if seen {
        finding
    } else {
        finding.at_most(75, REVERSE_UNSEEN)
    }
}

const REVERSE_UNSEEN: Text = Text {
    en: "reverse path not in the capture",
    zh: "抓包中没有回程报文",
};

fn by_refusal(refused: &Refused) -> Finding {
    let mut finding = Finding::new(&CLASS, Subject::Link, refused.at.time)
        .seen(refused.at, "refusal")
        .detail("reason", Value::Text(refused.what.to_owned()))
        .detail("client_mac", Value::Text(mac_text(refused.mac)))
        .detail("peer_mac", Value::Text(mac_text(refused.peer)));
    if refused.session != 0 {
        finding = finding.detail("session", Value::Number(refused.session.into()));
    }
    if let Some(words) = &refused.words {
        finding = finding.detail("message", Value::Text(words.clone()));
    }
    finding
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let mac = finding.text("client_mac").unwrap_or("");
    let requests = finding.number("requests").unwrap_or(0);
    let said = finding.text("message").map_or_else(String::new, |words| {
        let colon = if lang == Lang::En { ": " } else { "：" };
        format!("{colon}{words}")
    });
    match (finding.text("reason").unwrap_or(""), lang) {
        ("no-pado", Lang::En) => {
            format!(
                "{mac} looked {requests} times for an access concentrator (PADI) and found none"
            )
        }
        ("no-pado", Lang::Zh) => {
            format!("{mac} 发送 {requests} 次 PADI，未收到任何 PADO（找不到接入服务器）")
        }
        ("no-pads", Lang::En) => {
            format!("{mac} asked {requests} times for a PPPoE session (PADR) and got none")
        }
        ("no-pads", Lang::Zh) => format!("{mac} 发送 {requests} 次 PADR，未收到 PADS"),
        ("authentication", Lang::En) => format!("the line refuses the login of {mac}{said}"),
        ("authentication", Lang::Zh) => format!("接入服务器拒绝了 {mac} 的拨号认证{said}"),
        ("lcp-unanswered" | "lcp-echo-unanswered", Lang::En) => {
            format!("{requests} LCP requests of {mac} in its PPPoE session stayed unanswered")
        }
        ("lcp-unanswered" | "lcp-echo-unanswered", Lang::Zh) => {
            format!("{mac} 在 PPPoE 会话中发送 {requests} 次 LCP 请求，均无应答")
        }
        (reason, Lang::En) => {
            format!("the access concentrator refuses a session to {mac}: {reason}")
        }
        (reason, Lang::Zh) => format!("接入服务器拒绝为 {mac} 建立会话：{reason}"),
    }
}
