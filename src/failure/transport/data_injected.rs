#![doc = include_str!("data_injected.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::{ToClient, ToServer};

/// `transport.data-injected`
pub static CLASS: Class = Class {
    code: "transport.data-injected",
    severity: Severity::Critical,
    guide: guide!("data_injected"),
    summary,
};

/// Two different payloads for one sequence range in one end's name, one of them from another distance.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    let (from, found) = [ToClient, ToServer].into_iter().find_map(|from| {
        let found = at.connection.turns.contradictions[from].as_deref()?;
        Some((from, *found))
    })?;
    let who = if from == ToServer { "client" } else { "server" };
    let asked = at
        .half(from.reverse())
        .first_data
        .filter(|asked| *asked < found.foreign);
    let finding = at
        .finding(&CLASS)
        .seen_if(asked, "request")
        .seen(found.foreign, "injected")
        .seen(found.own, "own")
        .detail("named_sender", Value::Text(who.to_owned()))
        .detail("injected_hops", Value::Number(found.foreign_hops.into()))
        .detail("sender_hops", Value::Number(found.own_hops.into()))
        .detail("injected_first", Value::Bool(found.foreign_first));
    Some(if found.foreign_first {
        finding.failing()
    } else {
        finding
    })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let who = if finding.text("named_sender") == Some("client") {
        &client
    } else {
        &server
    };
    let hops = finding.number("injected_hops").unwrap_or(0);
    let own = finding.number("sender_hops").unwrap_or(0);
    match lang {
        Lang::En => format!(
            "data in the name of {who}, from {hops} hops away instead of {own}, stands where its own data belongs ({client} to {server})"
        ),
        Lang::Zh => format!(
            "有数据冒用 {who} 的名义插入（距离 {hops} 跳，本身为 {own} 跳），与其真实数据冲突（{client} 到 {server}）"
        ),
    }
}
