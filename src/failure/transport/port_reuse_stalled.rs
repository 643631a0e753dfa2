#![doc = include_str!("port_reuse_stalled.en.md")]

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::failure::episode::Episode;
use crate::failure::transport::{connect_slow, syn_unanswered};
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Mark;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// `transport.port-reuse-stalled`
pub static CLASS: Class = Class {
    code: "transport.port-reuse-stalled",
    severity: Severity::Warning,
    guide: guide!("port_reuse_stalled"),
    summary,
};

/// A connect that is not held up by so much is ordinary.
const DELAY: Nanos = 200 * MILLISECOND;
/// Other connects to the same server within this tell whether it is the port.
const NEAR: Nanos = 30 * SECOND;

/// A SYN that the server answers by an ACK of an earlier connection, and no connection comes of it.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let challenge = *at.connection.challenge_ack.as_deref()?;
    let last = at.connection.syns.last?;
    let connected = at.connection.synacks.count > 0;
    let retried = at.connection.syns.count > 1 || at.waited(last, SECOND);
    let refused = at.server_half().reset.is_some();
    let spoke = at.server_half().counts.data_segments > 0;
    if connected || refused || spoke || !retried {
        return None;
    }
    Some(about(at, Some(challenge))?.failing())
}

/// The same, or a SYN without any answer on addresses and ports that were closed a moment ago, and it connects late.
pub fn slow(at: &Episode<'_>) -> Option<Finding> {
    let (syn, synack) = (at.connection.syns.first()?, at.connection.synacks.first()?);
    let took = synack.time.since(syn.time);
    let challenge = at
        .connection
        .challenge_ack
        .as_deref()
        .copied()
        .filter(|challenge| *challenge < synack);
    if took < DELAY || at.connection.syns.count < 2 {
        return None;
    }
    let finding = about(at, challenge)?.seen(synack, "syn-ack");
    Some(finding.detail("connect_ms", Value::Number(took / MILLISECOND)))
}

fn about(at: &Episode<'_>, challenge: Option<Mark>) -> Option<Finding> {
    if challenge.is_none() && at.reused.is_none() {
        return None;
    }
    let syns = &at.connection.syns;
    let syn = syns.first()?;
    let mut finding = at
        .finding(&CLASS)
        .seen(syn, "syn")
        .seen_if(challenge, "ack");
    for retry in syns.kept().skip(1) {
        finding = finding.seen(retry, "syn-retry");
    }
    finding.evidence.sort_by_key(|seen| seen.at);
    let retries = i64::from(syns.count.saturating_sub(1));
    finding = finding
        .detail("port", Value::Number(i64::from(at.client.1)))
        .detail(
            "answer",
            Value::Text(if challenge.is_some() { "ack" } else { "none" }.to_owned()),
        )
        .detail("retries", Value::Number(retries));
    Some(match at.reused {
        Some(closed) => {
            finding = finding.detail("reused_after_ms", after(closed, syn));
            if challenge.is_some() {
                finding
            } else {
                finding.at_most(70, NO_ANSWER)
            }
        }
        None => finding.at_most(85, EARLIER_UNSEEN),
    })
}

/// From the close of the earlier connection to the SYN.
pub(super) fn after(closed: Mark, syn: Mark) -> Value {
    Value::Number(syn.time.since(closed.time) / MILLISECOND)
}

const EARLIER_UNSEEN: Text = Text {
    en: "the earlier connection with these ports is not in the capture",
    zh: "抓包中没有使用相同端口的前一条连接",
};
const NO_ANSWER: Text = Text {
    en: "told by the reused port and by other connects alone; the server says nothing",
    zh: "仅由端口复用和其他连接的情况判断，服务器没有任何应答",
};

/// Where the server says nothing, the other connects to it tell: if others fail or need retries likewise it is not the
/// port, and the finding is told as what it looks like; if others stand at once it is.
pub fn judge_unanswered(
    mut findings: Vec<Finding>,
    stood: &dyn Fn() -> HashMap<(IpAddr, u16), Vec<Timestamp>>,
) -> Vec<Finding> {
    let open = |finding: &Finding| {
        let silent = finding.class.code == syn_unanswered::CLASS.code && reused(finding);
        silent || (finding.class.code == CLASS.code && finding.text("answer") == Some("none"))
    };
    if !findings.iter().any(open) {
        return findings;
    }
    let stood = stood();
    let alike = [syn_unanswered::CLASS.code, connect_slow::CLASS.code];
    let others: Vec<((IpAddr, u16), Timestamp)> = findings
        .iter()
        .filter(|finding| alike.contains(&finding.class.code) && !reused(finding))
        .filter_map(|finding| Some((finding.server?, finding.first)))
        .collect();
    for finding in findings.iter_mut().filter(|finding| open(finding)) {
        let Some(server) = finding.server else {
            continue;
        };
        let near = |time: Timestamp| time.since(finding.first).abs() <= NEAR;
        let likewise = others.iter().any(|(to, time)| *to == server && near(*time));
        let well = stood.get(&server).into_iter().flatten();
        let well = well.filter(|time| near(**time)).count();
        let late = finding.class.code == CLASS.code;
        // A late connect of its own is among those that stand.
        let port = !likewise && well > usize::from(late);
        if late && !port {
            finding.class = &connect_slow::CLASS;
            (finding.confidence, finding.reason) = (95, None);
        } else if port && !late {
            finding.class = &CLASS;
            finding.severity = CLASS.severity;
            finding.silence = None;
            finding.confidence = 70;
            finding.reason = Some(NO_ANSWER);
            let port = finding.client.map_or(0, |client| client.1);
            let answer = Value::Text("none".to_owned());
            let more = [("port", Value::Number(i64::from(port))), ("answer", answer)];
            finding.details.extend(more);
        }
    }
    findings
}

fn reused(finding: &Finding) -> bool {
    finding.number("reused_after_ms").is_some()
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let port = finding.number("port").unwrap_or(0);
    let acked = finding.text("answer") == Some("ack");
    let late = finding.number("connect_ms");
    let en = match late {
        Some(ms) => format!("connected {:.1} s late", ms as f64 / 1e3),
        None => "did not connect".to_owned(),
    };
    let zh = match late {
        Some(ms) => format!("晚 {:.1} 秒才连上", ms as f64 / 1e3),
        None => "未能连上".to_owned(),
    };
    match (lang, acked) {
        (Lang::En, true) => format!(
            "{client} reused port {port} towards {server}, which still answers for the old connection; it {en}"
        ),
        (Lang::En, false) => format!(
            "{client} reused port {port} towards {server} right after closing, its SYN got no answer; it {en}"
        ),
        (Lang::Zh, true) => {
            format!("{client} 复用本地端口 {port} 连接 {server}，对端仍以旧连接应答，{zh}")
        }
        (Lang::Zh, false) => {
            format!("{client} 关闭后随即复用本地端口 {port} 连接 {server}，SYN 没有应答，{zh}")
        }
    }
}
