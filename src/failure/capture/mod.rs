//! What the capture itself suffered: none of it is a failure of the network, all of it limits what can be said.

pub mod duplicated;
pub mod encrypted_blind;
pub mod file_damaged;
mod lost;
pub mod one_sided;
pub mod packets_cut;
pub mod packets_dropped;
pub mod starts_mid_flow;
pub mod time_disorder;

#[cfg(test)]
mod tests;

use crate::failure::flow::Quality;
use crate::failure::{Class, Finding, Subject, Value};
use crate::ingest::FileReport;
use crate::mark::Mark;

/// Frames cited where each of several files shows one.
const EXAMPLES_MAX: usize = 16;

/// Adds what is to be said about the capture: by the conversations, by the files, and of `packets` in all. What it lost
/// lowers the verdicts among `findings` that rest on silence.
pub fn judge(findings: &mut Vec<Finding>, quality: &Quality, files: &[FileReport], packets: u64) {
    lost::lower(findings, files);
    findings.extend(
        [
            one_sided::judge(quality),
            packets_dropped::judge(quality, files, packets),
            packets_cut::judge(quality, files, packets),
            duplicated::judge(quality, packets),
            starts_mid_flow::judge(quality),
            time_disorder::judge(files),
            encrypted_blind::judge(quality),
        ]
        .into_iter()
        .flatten(),
    );
    findings.extend(file_damaged::judge(files));
}

/// A finding about the capture that begins at its first cited frame.
fn about(class: &'static Class, first: Option<Mark>, role: &'static str) -> Finding {
    let time = first.map(|at| at.time).unwrap_or_default();
    Finding::new(class, Subject::Capture, time).seen_if(first, role)
}

/// A finding that cites one frame of each file, in order.
fn about_files(
    class: &'static Class,
    marks: impl Iterator<Item = Mark>,
    role: &'static str,
) -> Option<Finding> {
    let mut marks: Vec<Mark> = marks.collect();
    marks.sort_unstable();
    let mut finding = Finding::new(class, Subject::Capture, marks.first()?.time);
    for at in marks.into_iter().take(EXAMPLES_MAX) {
        finding = finding.seen(at, role);
    }
    Some(finding)
}

/// The last frame delivered up to number `frame`, of those that notes speak of: records without a packet are numbered
/// too.
fn upto(file: &FileReport, frame: u32) -> Option<Mark> {
    let marks = file.marks.iter().copied();
    marks
        .filter(|at| at.frame <= frame)
        .max_by_key(|at| at.frame)
}

/// The first frame delivered from number `frame` on, of those that notes speak of.
fn from(file: &FileReport, frame: u32) -> Option<Mark> {
    let marks = file.marks.iter().copied();
    marks
        .filter(|at| at.frame >= frame)
        .min_by_key(|at| at.frame)
}

/// `1 packet`, `2 packets`.
fn counted(count: i64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

fn number(count: u64) -> Value {
    Value::Number(i64::try_from(count).unwrap_or(i64::MAX))
}

/// `part` of `whole` in thousandths.
fn share(part: u64, whole: u64) -> Value {
    let thousandths = u128::from(part) * 1_000 / u128::from(whole.max(1));
    Value::Thousandths(i64::try_from(thousandths.min(1_000)).unwrap_or(1_000))
}
