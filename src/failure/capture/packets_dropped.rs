#![doc = include_str!("packets_dropped.en.md")]

use crate::failure::capture::{EXAMPLES_MAX, counted, number, upto};
use crate::failure::flow::Quality;
use crate::failure::{Class, Evidence, Finding, Lang, Severity, Subject};
use crate::guide;
use crate::ingest::{FileReport, Note};

/// `capture.packets-dropped`
pub static CLASS: Class = Class {
    code: "capture.packets-dropped",
    severity: Severity::Warning,
    guide: guide!("packets_dropped"),
    summary,
};

/// Packets that were on the wire and are not in the capture: counted by the capturing machine, or proved by an
/// acknowledgment of bytes that no packet carried. Where every conversation shows one direction only, the missing
/// bytes are the other direction's and no loss.
pub(super) fn judge(quality: &Quality, files: &[FileReport], packets: u64) -> Option<Finding> {
    let one_sided = quality.one_sided > 0 && quality.one_sided >= quality.flows;
    let missed = if one_sided { 0 } else { quality.missed_bytes };
    let (mut by_interface, mut by_system) = (0_u64, 0_u64);
    let mut evidence: Vec<Evidence> = Vec::new();
    for file in files {
        for note in &file.notes {
            let Note::Dropped {
                by_interface: face,
                by_system: system,
                frame_before,
                frame_last,
                ..
            } = note
            else {
                continue;
            };
            by_interface = by_interface.saturating_add(*face);
            by_system = by_system.saturating_add(*system);
            if *face > 0 || *system > 0 {
                let around = [
                    (*frame_before, "before-drops"),
                    (*frame_last, "after-drops"),
                ];
                evidence.extend(
                    around.into_iter().filter_map(|(frame, role)| {
                        upto(file, frame).map(|at| Evidence { at, role })
                    }),
                );
            }
        }
    }
    let dropped = by_interface.saturating_add(by_system);
    if dropped == 0 && missed == 0 {
        return None;
    }
    evidence.dedup_by_key(|seen| (seen.at.file, seen.at.frame));
    evidence.truncate(EXAMPLES_MAX);
    evidence.extend(
        quality
            .first_missed
            .filter(|_| missed > 0)
            .map(|at| Evidence {
                at,
                role: "acknowledged-unseen",
            }),
    );
    evidence.sort_by_key(|seen| seen.at);
    let first = evidence
        .first()
        .map(|seen| seen.at.time)
        .unwrap_or_default();
    let mut finding = Finding::new(&CLASS, Subject::Capture, first);
    for seen in evidence {
        finding = finding.seen(seen.at, seen.role);
    }
    Some(
        finding
            .detail("dropped", number(dropped))
            .detail("dropped_by_interface", number(by_interface))
            .detail("dropped_by_system", number(by_system))
            .detail("missed_bytes", number(missed))
            .detail("packets", number(packets)),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (dropped, missed) = (
        finding.number("dropped").unwrap_or(0),
        finding.number("missed_bytes").unwrap_or(0),
    );
    match (lang, dropped, missed) {
        (Lang::En, 0, _) => {
            format!("{missed} bytes were acknowledged that no captured packet carries")
        }
        (Lang::En, _, 0) => format!(
            "the capturing machine dropped {}",
            counted(dropped, "packet")
        ),
        (Lang::En, ..) => {
            let dropped = counted(dropped, "packet");
            format!(
                "the capturing machine dropped {dropped}; {missed} acknowledged bytes are in none captured"
            )
        }
        (Lang::Zh, 0, _) => format!("有 {missed} 字节已被确认，却没有任何抓到的报文携带"),
        (Lang::Zh, _, 0) => format!("抓包机丢弃了 {dropped} 个报文"),
        (Lang::Zh, ..) => {
            format!("抓包机丢弃了 {dropped} 个报文；有 {missed} 字节已被确认却未抓到")
        }
    }
}
