#![doc = include_str!("reset_injected.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::Mark;
use crate::tcp::half::{Half, Reset, hops};
use crate::time::MILLISECOND;

/// `transport.reset-injected`
pub static CLASS: Class = Class {
    code: "transport.reset-injected",
    severity: Severity::Critical,
    guide: guide!("reset_injected"),
    summary,
};

/// A RST that the end it names did not send: one decisive trait, or two weak ones.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    at.connection.established?;
    // A real RST of either end makes the other's silence or answer ordinary: judge the first one.
    let mut resets: Vec<(Direction, Reset)> = [ToServer, ToClient]
        .into_iter()
        .filter_map(|from| Some((from, at.half(from).reset?)))
        .collect();
    resets.sort_by_key(|(_, reset)| reset.at);
    resets
        .into_iter()
        .find_map(|(from, reset)| side(at, from, reset))
}

fn side(at: &Episode<'_>, from: Direction, reset: Reset) -> Option<Finding> {
    let half = at.half(from);
    let (mut decisive, mut weak): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    if half.alive_after_reset.is_some() {
        decisive.push("sender-goes-on");
    }
    if half
        .second_reset
        .as_deref()
        .is_some_and(|second| conflicts(half, &reset, second))
    {
        decisive.push("conflicting-sequence");
    }
    let distance = hops(reset.ttl);
    let foreign = half.hops.filter(|(low, high)| {
        u16::from(distance) + 2 <= u16::from(*low) || u16::from(distance) >= u16::from(*high) + 2
    });
    // Of a server that only answered the SYN: a balancer may have done that, but never for a server nearer than itself.
    let nearer = from == ToClient && half.hops.is_some_and(|(low, _)| distance + 2 <= low);
    if foreign.is_some() && (half.counts.packets >= 3 || nearer) {
        decisive.push("hop-count");
    }
    if let (Some(id), Some(last)) = (
        reset.id.filter(|id| *id != 0),
        half.last_id.filter(|id| *id != 0),
    ) {
        let ahead = id.wrapping_sub(last) & 0xffff;
        if ahead > 0x1000 && at.connection.half(from).timestamps {
            weak.push("ip-id");
        }
    }
    if too_soon(at, from, &reset) {
        weak.push("too-soon");
    }
    if decisive.is_empty() && weak.len() < 2 {
        return None;
    }
    let who = if from == ToServer { "client" } else { "server" };
    let sure = !decisive.is_empty();
    let mut finding = at.finding(&CLASS).failing();
    finding = finding
        .seen_if(trigger(at, from, &reset), "trigger")
        .seen(reset.at, "rst");
    finding = finding
        .seen_if(half.second_reset.as_ref().map(|second| second.at), "rst")
        .seen_if(half.alive_after_reset.as_deref().copied(), "alive");
    finding = if sure {
        finding
    } else {
        finding.at_most(80, WEAK)
    };
    let traits = decisive
        .iter()
        .chain(&weak)
        .map(|name| (*name).to_owned())
        .collect();
    finding = finding
        .detail("named_sender", Value::Text(who.to_owned()))
        .detail("traits", Value::List(traits))
        .detail("rst_ttl", Value::Number(i64::from(reset.ttl)))
        .detail("rst_hops", Value::Number(i64::from(distance)));
    if let Some((low, _)) = half.hops {
        finding = finding.detail("sender_hops", Value::Number(i64::from(low)));
    }
    if let Some(sni) = at.tls.and_then(crate::protocol::tls::Session::sni) {
        finding = finding.detail("sni", Value::Text(sni.to_owned()));
    }
    Some(finding)
}

/// Two RSTs of one end, one of them beyond anything it had sent. An end that answers late segments with RSTs takes
/// their acknowledgment numbers, which lie at or below what it sent.
fn conflicts(half: &Half, first: &Reset, second: &Reset) -> bool {
    let beyond = |reset: &Reset| reset.position > half.next;
    beyond(first) != beyond(second)
}

/// The RST follows the other end's segment sooner than that end's answers can.
fn too_soon(at: &Episode<'_>, from: Direction, reset: &Reset) -> bool {
    let rtt = match from {
        ToClient => at.connection.server_rtt(),
        ToServer => at.connection.client_rtt(),
    };
    let Some(trigger) = trigger(at, from, reset) else {
        return false;
    };
    let after = reset.at.time.since(trigger.time);
    rtt.is_some_and(|rtt| rtt > 5 * MILLISECOND && after < MILLISECOND && after < rtt / 5)
}

/// The last data of the other end before the RST.
fn trigger(at: &Episode<'_>, from: Direction, reset: &Reset) -> Option<Mark> {
    at.half(from.reverse())
        .last_data
        .filter(|data| *data < reset.at)
}

const WEAK: Text = Text {
    en: "two weak traits, none decisive",
    zh: "仅有两项弱特征，无决定性特征",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let who = if finding.text("named_sender") == Some("client") {
        &client
    } else {
        &server
    };
    match lang {
        Lang::En => format!(
            "a RST in the name of {who} was not sent by it; the connection {client} to {server} died"
        ),
        Lang::Zh => {
            format!("以 {who} 名义发出的 RST 并非其本身所发，{client} 到 {server} 的连接因此中断")
        }
    }
}
