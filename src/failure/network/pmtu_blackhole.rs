#![doc = include_str!("pmtu_blackhole.en.md")]

use crate::failure::episode::{Episode, Unreachable};
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::tcp::half::Half;
use crate::tcp::sizes::LARGE;
use crate::time::{MILLISECOND, SECOND};

/// `network.pmtu-blackhole`
pub static CLASS: Class = Class {
    code: "network.pmtu-blackhole",
    severity: Severity::Error,
    guide: guide!("pmtu_blackhole"),
    summary,
};

/// Repetitions of the large range before it is said.
const REPEATS: u32 = 3;
/// Seen from the receiver, a hole stays open for so long: a sender repeats within a second, and again.
const HOLE: i64 = 5 * SECOND;
/// What every path carries: IPv6's least MTU (RFC 8200 5).
const SAFE: u32 = 1_280;

/// What was found of one end's packets.
struct Hole<'a> {
    from: Direction,
    half: &'a Half,
    /// The router's word, where there is one.
    told: Option<&'a Unreachable>,
    /// The sender's large packets never came by: the capture is behind the black hole.
    behind: bool,
}

/// Large segments that vanish again and again while smaller ones pass, or a router's word about them that is not heeded.
pub fn detect(at: &Episode<'_>) -> Option<Finding> {
    [ToServer, ToClient]
        .into_iter()
        .find_map(|from| open(at, from))
        .map(|hole| tell(at, &hole))
}

/// The same, after which the sender tried a smaller size that passed (RFC 4821): slow, and no failure.
pub fn healed(at: &Episode<'_>) -> Option<Finding> {
    let (sizes, (lost, passed, when), from) =
        [ToServer, ToClient].into_iter().find_map(|from| {
            let sizes = &at.half(from).sizes;
            Some((sizes, *sizes.healed.as_deref()?, from))
        })?;
    let first = sizes.first.as_deref().copied();
    let mut finding = at
        .finding(&CLASS)
        .severity(Severity::Warning)
        .seen_if(first, "retransmission")
        .seen(when, "ack");
    finding = sized(at, finding, from, lost, passed, None);
    let waited = first.map(|first| when.time.since(first.time));
    finding = finding.detail("healed", Value::Bool(true));
    Some(finding.detail(
        "waited_ms",
        Value::Number(waited.unwrap_or(0) / MILLISECOND),
    ))
}

fn open<'a>(at: &Episode<'a>, from: Direction) -> Option<Hole<'a>> {
    let half = at.half(from);
    let sizes = &half.sizes;
    if half.all_acked() || at.half(from.reverse()).closed_since().is_some() {
        return None;
    }
    let told = at
        .errors
        .and_then(|errors| errors.too_big.as_ref())
        .filter(|error| error.quoted.source == sender(at, from));
    if sizes.repeats >= REPEATS && sizes.lost >= LARGE {
        let ignored = told.filter(|error| {
            let mtu = error.rest & 0xffff;
            let later = sizes.last.as_deref().is_some_and(|last| *last > error.at);
            later && (1..sizes.lost).contains(&mtu)
        });
        let smaller = sizes
            .smaller
            .as_ref()
            .is_some_and(|smaller| smaller.bytes < u64::from(sizes.lost - HEADERS))
            && sizes.passed < sizes.lost;
        return (ignored.is_some() || smaller).then_some(Hole {
            from,
            half,
            told: ignored,
            behind: false,
        });
    }
    // From behind the black hole only what is small is seen, and the receiver that goes on asking.
    let (end, since) = half.open_hole()?;
    let over = at.connection.closed.map_or(at.until, |closed| closed.time);
    let width = end.saturating_sub(half.acked);
    let small = sizes.seen < LARGE;
    let wide = width >= u64::from(LARGE - HEADERS);
    // The last piece of a flight may be larger than that. Then nothing in full size came at all, a full segment is
    // missing, and the sender was heard long after it: the way itself is alive.
    let lesser = full(at, from).is_some_and(|full| {
        let alive = half.last.is_some_and(|last| last.time.since(since) >= HOLE);
        sizes.seen < full && width >= u64::from(full.saturating_sub(HEADERS)) && alive
    });
    let asked = sizes.smaller.is_some();
    let captured = at.connection.streams[from].missed_bytes == 0 || half.acked < end;
    (asked && (small && wide || lesser) && captured && over.since(since) >= HOLE).then_some(Hole {
        from,
        half,
        told: None,
        behind: true,
    })
}

/// IP and TCP headers with time stamps.
const HEADERS: u32 = 52;

/// A packet of one end that is as large as its peer takes.
fn full(at: &Episode<'_>, from: Direction) -> Option<u32> {
    let headers = if at.server.0.is_ipv6() { 60 } else { 40 };
    let mss = at.half(from.reverse()).mss?;
    Some(u32::from(mss) + headers)
}

fn sender(at: &Episode<'_>, from: Direction) -> std::net::IpAddr {
    if from == ToServer {
        at.client.0
    } else {
        at.server.0
    }
}

fn tell(at: &Episode<'_>, hole: &Hole<'_>) -> Finding {
    let (half, sizes) = (hole.half, &hole.half.sizes);
    let mut finding = at.finding(&CLASS).failing();
    if hole.behind {
        finding = finding.seen_if(half.last_data, "data").at_most(75, BEHIND);
    } else {
        finding = finding.seen_if(half.unacked.first, "data");
        for mark in &half.unacked.marks {
            finding = finding.seen(*mark, "retransmission");
        }
        if let Some(last) = &sizes.last {
            finding.last = finding.last.max(last.time);
        }
    }
    let smaller = sizes.smaller.as_ref().map(|smaller| smaller.at);
    let selects = sizes
        .smaller
        .as_ref()
        .is_some_and(|smaller| smaller.bytes > 0);
    let sign = if selects { "sack" } else { "ack" };
    finding = finding
        .seen_if(hole.told.map(|error| error.at), "icmp")
        .seen_if(smaller, sign);
    finding.evidence.sort_by_key(|seen| seen.at);
    let repeats = Value::Number(i64::from(sizes.repeats));
    if !hole.behind {
        finding = finding.detail("repeats", repeats);
    }
    let lost = if hole.behind { 0 } else { sizes.lost };
    let told = hole.told.map(|error| error.rest & 0xffff);
    finding = sized(at, finding, hole.from, lost, sizes.passed, told);
    if let Some(error) = hole.told {
        finding = finding.detail("router", Value::Text(error.router.to_string()));
    }
    let segments = hello_segments(at, hole);
    match segments {
        Some(segments) => finding.detail("hello_segments", Value::Number(segments)),
        None => finding,
    }
}

/// Adds who sends too large, what was lost, and the MTU and MSS that would pass.
fn sized(
    at: &Episode<'_>,
    mut finding: Finding,
    from: Direction,
    lost: u32,
    passed: u32,
    told: Option<u32>,
) -> Finding {
    let v6 = at.server.0.is_ipv6();
    let headers = if v6 { 60 } else { 40 };
    // A sender with segmentation offload hands down more than a packet; its peer's MSS bounds what is on the wire.
    let most = at
        .half(from.reverse())
        .mss
        .map_or(lost, |mss| u32::from(mss) + headers);
    let lost = lost.min(most.max(LARGE));
    let mtu = told.unwrap_or(match passed {
        passed if passed >= SAFE && (passed < lost || lost == 0) => passed,
        // Seen in the field: PPPoE, tunnels and VPNs leave 1400 and more, IPv6's least is 1280.
        _ if v6 => SAFE,
        _ if lost > 1_400 || lost == 0 => 1_400,
        _ => SAFE.min(lost.saturating_sub(1)),
    });
    let mtu = mtu.max(576);
    let who = if from == ToServer { "client" } else { "server" };
    finding = finding.detail("sender", Value::Text(who.to_owned()));
    if lost > 0 {
        finding = finding.detail("lost_bytes", Value::Number(i64::from(lost)));
    }
    if passed > 0 {
        finding = finding.detail("passed_bytes", Value::Number(i64::from(passed)));
    }
    finding
        .detail("mtu", Value::Number(i64::from(mtu)))
        .detail("mss", Value::Number(i64::from(mtu - headers)))
        .detail("mtu_told", Value::Bool(told.is_some()))
}

/// The open range is a ClientHello that needs several segments.
fn hello_segments(at: &Episode<'_>, hole: &Hole<'_>) -> Option<i64> {
    let bytes = at.first_bytes[ToServer];
    let whole = hole.from == ToServer && hole.half.acked <= hole.half.data_start();
    let hello = bytes.first() == Some(&22) && bytes.get(5) == Some(&1);
    if !whole || !hello || hole.behind {
        return None;
    }
    let length = u32::from(*bytes.get(3)?) << 8 | u32::from(*bytes.get(4)?);
    let segment = hole.half.sizes.lost.checked_sub(HEADERS)?.max(1);
    let segments = (length + 5).div_ceil(segment);
    (segments > 1).then_some(i64::from(segments))
}

const BEHIND: Text = Text {
    en: "captured behind the black hole: the large segments are missing, not seen to vanish",
    zh: "抓包点位于黑洞之后：只见大报文缺失，未直接看到其被丢弃",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let (from, to) = if finding.text("sender") == Some("client") {
        (client, server)
    } else {
        (server, client)
    };
    let number = |key| finding.number(key).unwrap_or(0);
    let (mtu, mss, lost) = (number("mtu"), number("mss"), number("lost_bytes"));
    let healed = finding.details.contains(&("healed", Value::Bool(true)));
    match (lang, healed, lost) {
        (Lang::En, true, _) => format!(
            "packets of {lost} bytes from {from} to {to} vanished until it sent smaller ones; clamp the MTU to {mtu}, the MSS to {mss}"
        ),
        (Lang::Zh, true, _) => format!(
            "{from} 发往 {to} 的 {lost} 字节报文被丢弃，改发小报文后才通；建议 MTU 调为 {mtu}、MSS 调为 {mss}"
        ),
        (Lang::En, false, 0) => format!(
            "large segments of {from} never reach {to}, small ones do; clamp the MTU to {mtu}, the MSS to {mss}"
        ),
        (Lang::Zh, false, 0) => format!(
            "{from} 发往 {to} 的大报文始终未到达，小报文正常；建议 MTU 调为 {mtu}、MSS 调为 {mss}"
        ),
        (Lang::En, false, _) => format!(
            "packets of {lost} bytes from {from} to {to} vanish, smaller ones pass; clamp the MTU to {mtu}, the MSS to {mss}"
        ),
        (Lang::Zh, false, _) => format!(
            "{from} 发往 {to} 的 {lost} 字节报文被丢弃，小报文可以通过；建议 MTU 调为 {mtu}、MSS 调为 {mss}"
        ),
    }
}
