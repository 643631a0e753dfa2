#![doc = include_str!("connect_slow.en.md")]

use crate::failure::episode::Episode;
use crate::failure::transport::port_reuse_stalled;
use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::flow::quic::Try;
use crate::guide;
use crate::time::MILLISECOND;

/// `transport.connect-slow`
pub static CLASS: Class = Class {
    code: "transport.connect-slow",
    severity: Severity::Warning,
    guide: guide!("connect_slow"),
    summary,
};

/// Established, but only after SYNs or SYN-ACKs had to be repeated.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    if port_reuse_stalled::slow(at).is_some() {
        return None;
    }
    let connection = at.connection;
    let (syn, ack) = (connection.syns.first()?, connection.established?);
    let before = |marks: &crate::tcp::repeats::Repeats| {
        marks.kept().filter(|seen| seen.time < ack.time).count()
    };
    let (syns, synacks) = (before(&connection.syns), before(&connection.synacks));
    let took = ack.time.since(syn.time);
    if (syns < 2 && synacks < 2) || took < 200 * MILLISECOND || at.server_half().counts.packets == 0
    {
        return None;
    }
    let mut finding = at.finding(&CLASS).seen(syn, "syn");
    for retry in connection
        .syns
        .kept()
        .skip(1)
        .filter(|seen| seen.time < ack.time)
    {
        finding = finding.seen(retry, "syn-retry");
    }
    for (index, answer) in connection
        .synacks
        .kept()
        .filter(|seen| seen.time < ack.time)
        .enumerate()
    {
        finding = finding.seen(
            answer,
            if index == 0 {
                "syn-ack"
            } else {
                "syn-ack-retry"
            },
        );
    }
    finding = finding.seen(ack, "ack");
    finding.evidence.sort_by_key(|seen| seen.at);
    Some(
        finding
            .detail("syn_retries", Value::Number(syns.saturating_sub(1) as i64))
            .detail(
                "synack_retries",
                Value::Number(synacks.saturating_sub(1) as i64),
            )
            .detail("connect_ms", Value::Number(took / MILLISECOND)),
    )
}

/// The finding about an address that failed (`failed`) while the same attempt connected `delay_ms` later.
pub fn after(
    failed: &Finding,
    delay_ms: i64,
    connected: crate::mark::Mark,
    by: (std::net::IpAddr, u16),
) -> Finding {
    let mut finding = failed.clone();
    let dead = failed.server_text();
    let gateway = failed.text("gateway").map(str::to_owned);
    finding.class = &CLASS;
    finding.severity = Severity::Warning;
    finding.fails = false;
    finding.silence = None;
    finding.details = vec![
        ("connect_ms", Value::Number(delay_ms)),
        ("failed_address", Value::Text(dead)),
        ("failed_code", Value::Text(failed.class.code.to_owned())),
        (
            "connected_address",
            Value::Text(crate::failure::host_port(by.0, by.1)),
        ),
    ];
    finding
        .details
        .extend(gateway.map(|word| ("gateway", Value::Text(word))));
    finding.seen(connected, "ack")
}

/// The finding about a QUIC try that nobody answered while the same attempt connected by TCP `delay_ms` later.
pub fn after_quic(
    failed: &Try,
    delay_ms: i64,
    connected: crate::mark::Mark,
    by: (std::net::IpAddr, u16),
) -> Finding {
    let mut finding = Finding::new(&CLASS, Subject::Flow, failed.first().time);
    (finding.client, finding.server) = (Some(failed.client), Some(by));
    finding.protocol = 17;
    finding.name.clone_from(&failed.name);
    for (index, at) in failed.marks.iter().enumerate() {
        let role = if index == 0 {
            "quic-initial"
        } else {
            "quic-initial-retry"
        };
        finding = finding.seen(*at, role);
    }
    let dead = crate::failure::host_port(failed.server.0, failed.server.1);
    finding
        .seen_if(failed.icmp, "icmp")
        .seen(connected, "ack")
        .detail("connect_ms", Value::Number(delay_ms))
        .detail("failed_address", Value::Text(dead))
        .detail("failed_protocol", Value::Text("quic".to_owned()))
        .detail("quic_version", Value::Text(failed.version.name()))
        .detail("quic_sent", Value::Number(i64::from(failed.sent)))
        .detail(
            "connected_address",
            Value::Text(crate::failure::host_port(by.0, by.1)),
        )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let seconds = finding.number("connect_ms").unwrap_or(0) as f64 / 1e3;
    if let (Some(dead), Some(_)) = (
        finding.text("failed_address"),
        finding.text("failed_protocol"),
    ) {
        return match lang {
            Lang::En => {
                format!(
                    "{client} connected {seconds:.1} s late: QUIC to {dead} got no answer first"
                )
            }
            Lang::Zh => format!("{client} 晚 {seconds:.1} 秒才连上：先试的 QUIC（{dead}）无应答"),
        };
    }
    match (finding.text("failed_address"), lang) {
        (Some(dead), Lang::En) => {
            format!("{client} connected {seconds:.1} s late: {dead} failed first")
        }
        (Some(dead), Lang::Zh) => format!("{client} 晚 {seconds:.1} 秒才连上：先试的 {dead} 失败"),
        (None, Lang::En) => {
            format!("{client} needed {seconds:.1} s and retries to connect to {server}")
        }
        (None, Lang::Zh) => format!("{client} 连接 {server} 经重试耗时 {seconds:.1} 秒"),
    }
}
