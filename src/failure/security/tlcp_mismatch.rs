#![doc = include_str!("tlcp_mismatch.en.md")]

use crate::failure::episode::Episode;
use crate::failure::security::tls_cut_on_hello;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Direction::ToClient;
use crate::protocol::tls::Session;

/// `security.tlcp-mismatch`
pub static CLASS: Class = Class {
    code: "security.tlcp-mismatch",
    severity: Severity::Error,
    guide: guide!("tlcp_mismatch"),
    summary,
};

/// Version of TLCP's records and hellos (GB/T 38636 6.3.3).
pub(super) const TLCP: u16 = 0x0101;

/// A hello of one protocol answered by the other's records, or a TLCP hello that is cut off at once.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let hello = session.client_hello.as_ref()?;
    if session.server_hello.is_some() {
        return None;
    }
    let spoken = hello.value.legacy_version == TLCP;
    let answer = at.first_bytes[ToClient];
    let answered_in = match answer {
        [0x15 | 0x16, 1, 1, ..] => Some(true),
        [0x15 | 0x16, 3, 0..=4, ..] => Some(false),
        _ => None,
    };
    let finding = match answered_in {
        Some(other) if other != spoken => {
            let answered = at.server_half().first_data?;
            at.finding(&CLASS)
                .seen(hello.at, "client-hello")
                .seen(answered, "alert")
        }
        // Nobody but a filter or another protocol's server cuts off a hello without a word.
        None if spoken && answer.is_empty() => {
            let cut = tls_cut_on_hello::detect(at, session)?;
            let mut finding = at.finding(&CLASS).at_most(70, BY_SILENCE);
            for seen in &cut.evidence {
                finding = finding.seen(seen.at, seen.role);
            }
            finding.also.push(cut.class.code);
            finding
        }
        _ => return None,
    };
    let name = |tlcp: bool| Value::Text(if tlcp { "TLCP" } else { "TLS" }.to_owned());
    Some(
        finding
            .failing()
            .detail("client_speaks", name(spoken))
            .detail("server_speaks", name(!spoken)),
    )
}

/// A hello that was not answered, to a server of which a rule says that it speaks the other protocol.
pub fn by_rule(finding: &mut Finding, spoken: (&str, &str)) {
    finding.turned_by_rule(&CLASS, BY_RULE);
    for (key, protocol) in [("client_speaks", spoken.0), ("server_speaks", spoken.1)] {
        finding
            .details
            .push((key, Value::Text(protocol.to_owned())));
    }
    finding.details.push(("by_rule", Value::Bool(true)));
}

/// A TLCP hello that was cut off by a server of which a rule says that it speaks TLCP.
pub fn not_by_rule(finding: &mut Finding) {
    let cut = finding.also.contains(&tls_cut_on_hello::CLASS.code);
    if cut && finding.text("client_speaks") == Some("TLCP") {
        finding.class = &tls_cut_on_hello::CLASS;
        finding.severity = finding.class.severity;
        finding.also.clear();
        (finding.confidence, finding.reason) = (95, None);
        finding.details.retain(|(key, _)| !key.ends_with("_speaks"));
    }
}

const BY_RULE: Text = Text {
    en: "what the server speaks is known from the endpoint rule alone",
    zh: "服务端使用的协议仅由端点规则得知",
};

const BY_SILENCE: Text = Text {
    en: "the server cut the TLCP hello off without a word; a filter would do the same",
    zh: "服务端未作应答即切断国密 ClientHello，过滤设备也会如此",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let spoken = finding.text("client_speaks").unwrap_or("");
    let answered = finding.text("server_speaks").unwrap_or("");
    let by_rule = finding.details.contains(&("by_rule", Value::Bool(true)));
    match (finding.confidence < 90, lang) {
        (false, Lang::En) => {
            format!("{client} speaks {spoken} to {server}, which answers in {answered}")
        }
        (false, Lang::Zh) => format!("{client} 以 {spoken} 连接 {server}，对方使用 {answered}"),
        (true, Lang::En) if by_rule => {
            format!(
                "{client} speaks {spoken} to {server}, which speaks {answered} and does not answer"
            )
        }
        (true, Lang::Zh) if by_rule => {
            format!("{client} 以 {spoken} 连接 {server}，对方使用 {answered}，未作应答")
        }
        (true, Lang::En) => {
            format!("{client} speaks {spoken} to {server}, which cuts the hello off")
        }
        (true, Lang::Zh) => format!("{client} 以 {spoken} 连接 {server}，握手首包即被切断"),
    }
}
