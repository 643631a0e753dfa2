#![doc = include_str!("packet_loss.en.md")]

use std::net::IpAddr;

use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::guide;
use crate::mark::Mark;

/// `network.packet-loss`
pub static CLASS: Class = Class {
    code: "network.packet-loss",
    severity: Severity::Warning,
    guide: guide!("packet_loss"),
    summary,
};

/// Data segments and their repetitions at one endpoint, both directions, over all its connections.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Segments with payload.
    pub data_segments: u64,
    /// Retransmitted ones; spurious ones, probes, keep-alives and sightings aside.
    pub retransmitted: u64,
    /// Those whose first copy never passed the capture point.
    pub upstream: u64,
    /// Bytes that the capture missed though they were acknowledged.
    pub missed_bytes: u64,
    /// Payload bytes.
    pub payload_bytes: u64,
    /// First retransmissions, in order of time.
    pub examples: Vec<Mark>,
    /// Distinct clients among the flows that lost (counted up to 1,000).
    pub clients: u64,
}

impl Tally {
    /// Adds another tally of the same endpoint.
    pub fn merge(&mut self, other: &Self) {
        self.data_segments += other.data_segments;
        self.retransmitted += other.retransmitted;
        self.upstream += other.upstream;
        self.missed_bytes += other.missed_bytes;
        self.payload_bytes += other.payload_bytes;
        self.clients += other.clients;
        self.examples.extend_from_slice(&other.examples);
        self.examples.sort_unstable();
        self.examples.truncate(EXAMPLES_MAX);
    }
}

/// Retransmissions cited.
pub const EXAMPLES_MAX: usize = 8;
/// Fewer data segments say nothing.
const SEGMENTS_MIN: u64 = 50;

/// Judges one endpoint: from 3 % of at least 50 data segments, `error` from 10 %. Nothing is said where the capture
/// itself lost a thousandth.
pub fn judge(server: (IpAddr, u16), tally: &Tally) -> Option<Finding> {
    let captured_badly = tally.missed_bytes.saturating_mul(1_000) >= tally.payload_bytes.max(1);
    let share = tally
        .retransmitted
        .saturating_mul(1_000)
        .checked_div(tally.data_segments)?;
    if tally.data_segments < SEGMENTS_MIN
        || share < 30
        || (captured_badly && tally.missed_bytes > 0)
    {
        return None;
    }
    let first = tally.examples.first()?.time;
    let mut finding = Finding::new(&CLASS, Subject::Host, first);
    finding.protocol = 6;
    finding.server = Some(server);
    if share >= 100 {
        finding.severity = Severity::Error;
    }
    for mark in &tally.examples {
        finding = finding.seen(*mark, "retransmission");
    }
    let side = match tally.upstream.saturating_mul(100) / tally.retransmitted.max(1) {
        0..=20 => "downstream",
        80.. => "upstream",
        _ => "both",
    };
    Some(
        finding
            .detail(
                "retransmitted",
                Value::Number(tally.retransmitted.cast_signed()),
            )
            .detail(
                "data_segments",
                Value::Number(tally.data_segments.cast_signed()),
            )
            .detail("share", Value::Thousandths(share.cast_signed()))
            .detail("where", Value::Text(side.to_owned())),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let share = finding.number("share").unwrap_or(0) as f64 / 10.0;
    let (lost, all) = (
        finding.number("retransmitted").unwrap_or(0),
        finding.number("data_segments").unwrap_or(0),
    );
    match lang {
        Lang::En => format!(
            "{share:.1} % of the data segments of {server} had to be sent again ({lost} of {all})"
        ),
        Lang::Zh => format!("{server} 的数据段重传率 {share:.1} %（{lost}/{all}）"),
    }
}
