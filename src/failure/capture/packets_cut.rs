#![doc = include_str!("packets_cut.en.md")]

use crate::failure::capture::{about, about_files, counted, number, share};
use crate::failure::flow::Quality;
use crate::failure::{Class, Finding, Lang, Severity};
use crate::guide;
use crate::ingest::FileReport;

/// `capture.packets-cut`
pub static CLASS: Class = Class {
    code: "capture.packets-cut",
    severity: Severity::Info,
    guide: guide!("packets_cut"),
    summary,
};

/// Frames that the snaplen shortened, and the conversations in which something was lost by it.
pub(super) fn judge(quality: &Quality, files: &[FileReport], packets: u64) -> Option<Finding> {
    let frames: u64 = files.iter().map(|file| file.cut.frames).sum();
    let firsts = files
        .iter()
        .filter(|file| file.cut.frames > 0)
        .map(|file| file.cut.first);
    let finding = match about_files(&CLASS, firsts, "cut") {
        Some(finding) => finding,
        None if quality.cut > 0 => about(&CLASS, quality.first_cut, "cut"),
        None => return None,
    };
    Some(
        finding
            .detail("frames", number(frames))
            .detail("share", share(frames, packets))
            .detail("flows", number(quality.cut)),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (frames, flows) = (
        finding.number("frames").unwrap_or(0),
        finding.number("flows").unwrap_or(0),
    );
    match (lang, flows) {
        (Lang::En, 0) => format!("{} captured in part only", counted(frames, "frame")),
        (Lang::En, _) => {
            let (frames, flows) = (counted(frames, "frame"), counted(flows, "conversation"));
            format!("{frames} captured in part only; content of {flows} is not whole")
        }
        (Lang::Zh, 0) => format!("{frames} 个帧只抓取了一部分"),
        (Lang::Zh, _) => format!("{frames} 个帧只抓取了一部分，{flows} 条会话因此内容不全"),
    }
}
