#![doc = include_str!("file_damaged.en.md")]

use crate::failure::capture::{EXAMPLES_MAX, from, number, upto};
use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::guide;
use crate::ingest::{Damage, FileReport, Note};

/// `capture.file-damaged`
pub static CLASS: Class = Class {
    code: "capture.file-damaged",
    severity: Severity::Warning,
    guide: guide!("file_damaged"),
    summary,
};

/// Files that are not whole: one finding each, with what was read and what had to be skipped.
pub(super) fn judge(files: &[FileReport]) -> Vec<Finding> {
    files.iter().filter_map(damaged).collect()
}

fn damaged(file: &FileReport) -> Option<Finding> {
    if file.damages == 0 {
        return None;
    }
    let first = file.marks.first().map(|at| at.time).or(file.first_time);
    let mut finding = Finding::new(&CLASS, Subject::Capture, first.unwrap_or_default());
    let (mut skipped_all, mut first_bad) = (0_u64, None);
    for note in &file.notes {
        let Note::Damaged {
            offset,
            skipped,
            frame_before,
            frame_after,
            reason,
        } = note
        else {
            continue;
        };
        skipped_all = skipped_all.saturating_add(*skipped);
        first_bad = first_bad.or(Some((*offset, reason)));
        if finding.evidence.len() < EXAMPLES_MAX {
            let after = frame_after.and_then(|frame| from(file, frame));
            finding = finding
                .seen_if(upto(file, *frame_before), "last-good")
                .seen_if(after, "first-after");
        }
    }
    finding = finding
        .detail("file", Value::Text(file.path.clone()))
        .detail("damages", number(file.damages))
        .detail("frames_read", number(file.packets))
        .detail("skipped_bytes", number(skipped_all));
    Some(match first_bad {
        Some((offset, reason)) => finding
            .detail("first_bad_offset", number(offset))
            .detail("damage", Value::Text(kind(reason).to_owned()))
            .detail("reason", Value::Text(reason.to_string())),
        None => finding,
    })
}

fn kind(reason: &Damage) -> &'static str {
    match reason {
        Damage::Truncated { .. } => "truncated",
        Damage::Header { .. } | Damage::Block { .. } | Damage::Interface { .. } => "corrupt",
        Damage::Compression { .. } => "compression",
        Damage::Read { .. } => "read-error",
    }
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (file, cut) = (
        finding.text("file").unwrap_or(""),
        finding.text("damage") == Some("truncated"),
    );
    let (frames, offset) = (
        finding.number("frames_read").unwrap_or(0),
        finding.number("first_bad_offset").unwrap_or(0),
    );
    let skipped = finding.number("skipped_bytes").unwrap_or(0);
    match (lang, cut) {
        (Lang::En, true) => {
            format!("{file} ends within a record at byte {offset}; frames read: {frames}")
        }
        (Lang::En, false) => {
            format!(
                "{file} is damaged from byte {offset} on; frames read: {frames}, bytes skipped: {skipped}"
            )
        }
        (Lang::Zh, true) => {
            format!("{file} 在字节 {offset} 处的记录中途结束，已读取 {frames} 个帧")
        }
        (Lang::Zh, false) => {
            format!("{file} 从字节 {offset} 起损坏，已读取 {frames} 个帧，跳过 {skipped} 字节")
        }
    }
}
