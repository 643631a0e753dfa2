#![doc = include_str!("congestion.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::time::{MILLISECOND, SECOND};

/// `network.congestion`
pub static CLASS: Class = Class {
    code: "network.congestion",
    severity: Severity::Warning,
    guide: guide!("congestion"),
    summary,
};

/// Inflated trips before it is said; and at least half of all since the first.
const TRIPS_MIN: u32 = 8;

/// Round trips of flowing data grow to four times their base and by 50 ms, segments are lost, and no more gets through:
/// a queue on the way is full. Seen where the sender's data and the acknowledgments from behind the queue pass.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    [ToServer, ToClient]
        .into_iter()
        .find_map(|from| side(at, from))
}

fn side(at: &Episode<'_>, from: Direction) -> Option<Finding> {
    let half = at.half(from);
    let inflated = half.trips.inflated.as_deref()?;
    let lasts = inflated.last.time.since(inflated.first.time);
    let steady = inflated.count >= TRIPS_MIN && inflated.count * 2 >= inflated.of;
    let lost = half.counts.retransmitted;
    // A receiver that reads slowly holds its sender up by its window.
    let by_receiver = at.half(from.reverse()).zero_window.as_ref();
    let by_receiver = by_receiver.is_some_and(|closed| closed.longest.is_some());
    if !steady || lost == 0 || lasts < 2 * SECOND || by_receiver {
        return None;
    }
    let rate = inflated.plateau()?;
    let sender = if from == ToServer { "client" } else { "server" };
    let mut finding = at.finding(&CLASS).seen(inflated.first, "ack");
    for mark in &half.retransmissions {
        finding = finding.seen(*mark, "retransmission");
    }
    finding = finding.seen(inflated.last, "ack");
    finding.evidence.sort_by_key(|seen| seen.at);
    Some(
        finding
            .detail("sender", Value::Text(sender.to_owned()))
            .detail("base_ms", Value::Number(inflated.base / MILLISECOND))
            .detail("inflated_ms", Value::Number(inflated.longest / MILLISECOND))
            .detail("lasted_ms", Value::Number(lasts / MILLISECOND))
            .detail("retransmitted", Value::Number(i64::from(lost)))
            .detail(
                "bytes_per_s",
                Value::Number(i64::try_from(rate).unwrap_or(i64::MAX)),
            ),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let (from, to) = if finding.text("sender") == Some("client") {
        (client, server)
    } else {
        (server, client)
    };
    let number = |key| finding.number(key).unwrap_or(0);
    let (base, grown) = (number("base_ms"), number("inflated_ms"));
    let rate = number("bytes_per_s") / 1_000;
    match lang {
        Lang::En => format!(
            "round trips from {from} to {to} grew from {base} to {grown} ms with losses, while no more than {rate} kB/s got through"
        ),
        Lang::Zh => format!(
            "{from} 到 {to} 的往返时间由 {base} 毫秒增至 {grown} 毫秒并伴有丢包，吞吐停留在 {rate} kB/s"
        ),
    }
}
