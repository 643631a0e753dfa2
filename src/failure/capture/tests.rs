//! Hand-made counts, and what is said of them.

use super::*;
use crate::ingest::{Damage, Note, Tally};
use crate::time::{MILLISECOND, Timestamp};

fn at(frame: u32) -> Mark {
    let time = Timestamp::from_ns(i64::from(frame) * MILLISECOND);
    Mark {
        time,
        frame,
        ..Mark::default()
    }
}

fn file(last_frame: u32) -> FileReport {
    FileReport {
        path: "a.pcap".to_owned(),
        packets: last_frame.into(),
        last_frame,
        first_time: Some(at(1).time),
        last_time: Some(at(last_frame).time),
        marks: (1..=last_frame).map(at).collect(),
        ..FileReport::default()
    }
}

/// `code: frames` of each finding.
fn check(quality: &Quality, files: &[FileReport], expected: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    judge(&mut findings, quality, files, 100);
    let told: Vec<String> = findings
        .iter()
        .map(|finding| {
            let frames: Vec<String> = finding
                .evidence
                .iter()
                .map(|seen| seen.at.frame.to_string())
                .collect();
            format!("{}: {}", finding.class.code, frames.join(","))
        })
        .collect();
    assert_eq!(told, expected);
    assert!(
        findings
            .iter()
            .all(|finding| !finding.fails && finding.subject == Subject::Capture)
    );
    findings
}

fn dropped(by_interface: u64, by_system: u64) -> Note {
    Note::Dropped {
        interface: 0,
        by_interface,
        by_system,
        frame_before: 3,
        frame_last: 9,
    }
}

#[test]
fn a_whole_capture_is_silent() {
    check(
        &Quality {
            flows: 5,
            ..Quality::default()
        },
        &[file(10)],
        &[],
    );
}

#[test]
fn an_empty_file_is_silent() {
    check(&Quality::default(), &[FileReport::default()], &[]);
}

#[test]
fn what_conversations_tell_is_said_with_its_first_frame() {
    let quality = Quality {
        flows: 5,
        one_sided: 1,
        first_one_sided: Some(at(2)),
        mid_flow: 2,
        first_mid_flow: Some(at(3)),
        blind: 3,
        first_blind: Some(at(4)),
        sightings: 25,
        first_sighting: Some(at(5)),
        ..Quality::default()
    };
    let findings = check(
        &quality,
        &[file(10)],
        &[
            "capture.one-sided: 2",
            "capture.duplicated: 5",
            "capture.starts-mid-flow: 3",
            "capture.encrypted-blind: 4",
        ],
    );
    let share = findings.iter().find_map(|finding| finding.number("share"));
    assert_eq!(share, Some(250));
}

#[test]
fn statistics_that_count_drops_are_told_with_the_frames_around() {
    let mut lossy = file(10);
    lossy.notes = vec![dropped(7, 2)];
    let findings = check(
        &Quality::default(),
        &[lossy],
        &["capture.packets-dropped: 3,9"],
    );
    assert_eq!(
        findings
            .first()
            .and_then(|finding| finding.number("dropped")),
        Some(9)
    );
}

#[test]
fn statistics_without_drops_are_silent() {
    let mut clean = file(10);
    clean.notes = vec![dropped(0, 0)];
    check(&Quality::default(), &[clean], &[]);
}

#[test]
fn bytes_acknowledged_and_never_seen_are_drops_unless_nothing_was_to_be_seen() {
    let missed = Quality {
        flows: 2,
        missed_bytes: 8_688,
        first_missed: Some(at(6)),
        ..Quality::default()
    };
    check(&missed, &[file(10)], &["capture.packets-dropped: 6"]);
    let one_way = Quality {
        one_sided: 2,
        first_one_sided: Some(at(1)),
        ..missed
    };
    check(&one_way, &[file(10)], &["capture.one-sided: 1"]);
}

#[test]
fn cut_frames_are_told_once_over_all_files() {
    let mut cut = file(10);
    cut.cut = Tally {
        frames: 4,
        first: at(2),
    };
    let other = FileReport {
        cut: Tally {
            frames: 1,
            first: at(8),
        },
        ..file(10)
    };
    let findings = check(
        &Quality::default(),
        &[cut, other],
        &["capture.packets-cut: 2,8"],
    );
    assert_eq!(
        findings
            .first()
            .and_then(|finding| finding.number("frames")),
        Some(5)
    );
}

#[test]
fn time_that_steps_back_is_told_with_the_largest_step() {
    let mut disordered = file(10);
    disordered.disorder = Tally {
        frames: 8,
        first: at(7),
    };
    disordered.disorder_max_ns = 1_999 * MILLISECOND;
    let findings = check(
        &Quality::default(),
        &[disordered],
        &["capture.time-disorder: 7"],
    );
    assert_eq!(
        findings
            .first()
            .and_then(|finding| finding.number("back_max_ms")),
        Some(1_999)
    );
}

#[test]
fn each_damaged_file_is_told_with_the_frames_before_and_after() {
    let mut damaged = file(10);
    damaged.damages = 1;
    damaged.notes = vec![Note::Damaged {
        offset: 1_012,
        skipped: 700,
        frame_before: 5,
        frame_after: Some(6),
        reason: Damage::Header {
            captured: 0,
            wire: 0,
        },
    }];
    let mut cut = file(4);
    cut.damages = 1;
    cut.notes = vec![Note::Damaged {
        offset: 400,
        skipped: 7,
        frame_before: 4,
        frame_after: None,
        reason: Damage::Truncated {
            expected: 16,
            found: 7,
        },
    }];
    let findings = check(
        &Quality::default(),
        &[damaged, file(3), cut],
        &["capture.file-damaged: 5,6", "capture.file-damaged: 4"],
    );
    let offsets: Vec<_> = findings
        .iter()
        .filter_map(|finding| finding.number("first_bad_offset"))
        .collect();
    assert_eq!(offsets, [1_012, 400]);
    assert_eq!(
        findings.last().and_then(|finding| finding.text("damage")),
        Some("truncated")
    );
    assert!(
        findings
            .iter()
            .all(|finding| finding.severity == crate::failure::Severity::Warning)
    );
}

#[test]
fn a_file_damaged_before_its_first_frame_is_told_without_frames() {
    let damaged = FileReport {
        damages: 1,
        notes: vec![Note::Damaged {
            offset: 24,
            skipped: 3,
            frame_before: 0,
            frame_after: None,
            reason: Damage::Truncated {
                expected: 16,
                found: 3,
            },
        }],
        ..FileReport::default()
    };
    check(&Quality::default(), &[damaged], &["capture.file-damaged: "]);
}

#[test]
fn silence_is_less_certain_where_the_capture_lost_packets_and_nowhere_else() {
    let silent = |frame: u32| {
        let class = crate::failure::classes::ALL
            .iter()
            .find(|class| class.code == "transport.syn-unanswered");
        let mut finding = Finding::new(class.unwrap(), Subject::Flow, at(frame).time);
        finding.confidence = 95;
        finding.seen(at(frame), "syn")
    };
    let told = |note: Note, frame: u32| {
        let mut file = file(10);
        file.notes.push(note);
        file.marks = (1..=20).map(at).collect();
        let mut findings = [silent(frame)];
        lost::lower(&mut findings, &[file]);
        let [finding] = findings;
        finding.confidence
    };
    assert_eq!(told(dropped(0, 1), 5), 75);
    assert_eq!(told(dropped(0, 1), 12), 95);
    assert_eq!(told(dropped(0, 0), 5), 95);
    let few = Note::Dropped {
        interface: 0,
        by_interface: 0,
        by_system: 1,
        frame_before: 0,
        frame_last: 2_000,
    };
    assert_eq!(told(few, 5), 95);
}
