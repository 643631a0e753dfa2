//! What a capture that lost packets cannot prove: where it lost them, silence may be the capture's.

use super::upto;
use crate::failure::{Finding, Text};
use crate::ingest::{FileReport, Note};
use crate::time::Timestamp;

/// Verdicts that rest on something that did not come.
const SILENCES: [&str; 20] = [
    "application.no-response",
    "application.response-truncated",
    "network.arp-unanswered",
    "network.dhcp-no-offer",
    "network.dns-aaaa-stall",
    "network.dns-timeout",
    "network.egress-lost",
    "network.host-silent",
    "network.pmtu-blackhole",
    "network.pppoe-failed",
    "security.revocation-unreachable",
    "security.tls-handshake-stalled",
    "security.tls-no-reply",
    "security.vpn-no-answer",
    "security.vpn-tunnel-lost",
    "transport.closed-early",
    "transport.data-unacked",
    "transport.handshake-incomplete",
    "transport.idle-dropped",
    "transport.syn-unanswered",
];

/// What the asker's own behaviour proves stays proved; what came back unseen stays open (catalogue, rule 1a).
const AT_MOST: u8 = 75;
/// Fewer lost packets than one in so many do not count (catalogue, `network.packet-loss`).
const FEW: u64 = 1_000;

static LOST: Text = Text {
    en: "the capture itself lost packets meanwhile",
    zh: "其间抓包自身丢失了报文",
};

/// A stretch of a file in which packets were lost.
struct Stretch {
    file: u32,
    from: Timestamp,
    to: Timestamp,
}

/// The stretches of these files in which at least one packet in a thousand was lost.
fn stretches(files: &[FileReport]) -> Vec<Stretch> {
    let mut all = Vec::new();
    for (number, file) in (0_u32..).zip(files) {
        for note in &file.notes {
            let Note::Dropped {
                by_interface,
                by_system,
                frame_before,
                frame_last,
                ..
            } = note
            else {
                continue;
            };
            let lost = by_interface.saturating_add(*by_system);
            let came = u64::from(frame_last.saturating_sub(*frame_before));
            if lost == 0 || lost.saturating_mul(FEW) < came.saturating_add(lost) {
                continue;
            }
            let from = upto(file, *frame_before).filter(|_| *frame_before > 0);
            let to = upto(file, *frame_last);
            all.push(Stretch {
                file: number,
                from: from.map_or(Timestamp::from_ns(i64::MIN), |at| at.time),
                to: to.map_or(Timestamp::from_ns(i64::MAX), |at| at.time),
            });
        }
    }
    all
}

/// Verdicts by silence are less certain where the capture lost packets between their first and their last frame.
pub(super) fn lower(findings: &mut [Finding], files: &[FileReport]) {
    let stretches = stretches(files);
    if stretches.is_empty() {
        return;
    }
    for finding in findings {
        if !SILENCES.contains(&finding.class.code) {
            continue;
        }
        let mut files = finding.evidence.iter().map(|seen| seen.at.file);
        let file = files.next().unwrap_or(0);
        let touched = |stretch: &Stretch| {
            stretch.file == file && finding.first <= stretch.to && stretch.from <= finding.last
        };
        if stretches.iter().any(touched) && finding.confidence > AT_MOST {
            finding.confidence = AT_MOST;
            finding.reason = Some(LOST);
        }
    }
}
