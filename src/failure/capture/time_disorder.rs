#![doc = include_str!("time_disorder.en.md")]

use crate::failure::capture::{about_files, counted, number};
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::ingest::FileReport;
use crate::time::MILLISECOND;

/// `capture.time-disorder`
pub static CLASS: Class = Class {
    code: "capture.time-disorder",
    severity: Severity::Info,
    guide: guide!("time_disorder"),
    summary,
};

/// Frames stamped more than a millisecond before an earlier one of their interface.
pub(super) fn judge(files: &[FileReport]) -> Option<Finding> {
    let frames: u64 = files.iter().map(|file| file.disorder.frames).sum();
    let back = files
        .iter()
        .map(|file| file.disorder_max_ns)
        .max()
        .unwrap_or(0);
    let firsts = files
        .iter()
        .filter(|file| file.disorder.frames > 0)
        .map(|file| file.disorder.first);
    Some(
        about_files(&CLASS, firsts, "stamped-back")?
            .detail("frames", number(frames))
            .detail("back_max_ms", Value::Number(back / MILLISECOND)),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (frames, back) = (
        finding.number("frames").unwrap_or(0),
        finding.number("back_max_ms").unwrap_or(0),
    );
    match lang {
        Lang::En => format!(
            "{} stamped earlier than a frame before, by up to {back} ms",
            counted(frames, "frame")
        ),
        Lang::Zh => format!("{frames} 个帧的时间戳早于前面的帧，最多倒退 {back} 毫秒"),
    }
}
