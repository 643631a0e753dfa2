//! Which input belongs to which capture point, and in what order the files of a set are read.
//!
//! A file is looked into up to its first frame; a file of a set waits closed until it is its turn. The same content
//! twice is read once.

use super::Batch;
use super::error::IngestError;
use super::file::FileReader;
use super::input::Input;
use super::note::Note;
use super::point::{Member, Point};
use super::report::FileReport;
use super::set::{self, Name};
use super::sets::Head;
use super::sink::{Faces, Sink};
use super::source::{self, Place, Source};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Bytes looked at for the first frame.
const PROBE_BLOCK: usize = 64 << 10;
/// Blocks looked at before the first frame is given up.
const PROBE_BLOCKS: usize = 256;

/// An input that is a capture.
pub(super) struct Readable {
    report: FileReport,
    place: Place,
    pub(super) size: Option<u64>,
    reader: Option<FileReader>,
    first_time: Option<Timestamp>,
}

/// Opens an input that cannot be opened again.
pub(super) fn keep(
    input: &Input,
    block_bytes: usize,
    read: &Arc<AtomicU64>,
) -> Result<Readable, IngestError> {
    let source = source::open(&input.place, &input.path, read)?;
    from_source(input, source, block_bytes)
}

/// As `keep`, of an opened source.
pub(super) fn from_source(
    input: &Input,
    source: Source,
    block_bytes: usize,
) -> Result<Readable, IngestError> {
    let (sha256_head, size) = (source.sha256_head, source.size);
    let reader = FileReader::new(source, &input.path, block_bytes)?;
    Ok(Readable {
        report: FileReport {
            path: input.path.clone(),
            sha256_head,
            format: reader.format(),
            ..FileReport::default()
        },
        place: input.place.clone(),
        size,
        reader: Some(reader),
        first_time: None,
    })
}

/// Looks into a file and closes it again, unless it is the only one or no regular file.
pub(super) fn probe(
    input: &Input,
    alone: bool,
    block_bytes: usize,
    read: &Arc<AtomicU64>,
) -> Result<Readable, IngestError> {
    let regular = matches!(&input.place, Place::Path(path) if path.is_file());
    if alone || !regular {
        return keep(input, block_bytes, read);
    }
    let source = source::open(&input.place, &input.path, &Arc::default())?;
    let mut file = from_source(input, source, PROBE_BLOCK)?;
    let (mut batch, mut faces, mut scratch) =
        (Batch::default(), Faces::default(), FileReport::default());
    let mut spare = Vec::new();
    if let Some(mut reader) = file.reader.take() {
        for _ in 0..PROBE_BLOCKS {
            let mut sink = Sink {
                frames: &mut batch.frames,
                secrets: &mut batch.secrets,
                report: &mut scratch,
                faces: &mut faces,
                file: 0,
                block: 0,
            };
            let more = reader.fill(&mut sink, &mut batch.blocks, &mut spare);
            if !batch.frames.is_empty() || !more {
                break;
            }
        }
    }
    file.first_time = batch.frames.first().map(|frame| frame.at.time);
    file.report.link_types = scratch.link_types;
    Ok(file)
}

/// What a look into a file tells, for those who read it another time.
pub(super) fn head(input: &Input) -> Result<Head, IngestError> {
    let file = probe(input, false, PROBE_BLOCK, &Arc::default())?;
    Ok(Head {
        sha256: file.report.sha256_head,
        links: file.report.link_types,
        first: file.first_time,
    })
}

/// Sorts the files into capture points. Reports stand in the order of the files given.
pub(super) fn points(readable: Vec<Readable>) -> (Vec<Point>, Vec<FileReport>) {
    let mut reports = Vec::new();
    let mut seen: BTreeMap<([u8; 32], u64), u32> = BTreeMap::new();
    let mut groups: Vec<Vec<(Name, Member)>> = Vec::new();
    let mut sets: BTreeMap<(String, Vec<super::LinkType>), usize> = BTreeMap::new();
    let mut copies: Vec<(u32, u32, Name)> = Vec::new();
    for (file, input) in readable.into_iter().enumerate() {
        let file = u32::try_from(file).unwrap_or(u32::MAX);
        let mut report = input.report;
        let name = match &input.place {
            Place::Path(path) => Name::parse(path),
            Place::Stdin => Name::parse("-".as_ref()),
        };
        let original = input
            .size
            .map(|size| *seen.entry((report.sha256_head, size)).or_insert(file))
            .filter(|original| *original != file);
        let key = (name.stem.clone(), std::mem::take(&mut report.link_types));
        if let Some(of) = original {
            report.note(Note::Duplicate { of });
            report.complete = true;
            copies.push((file, of, name));
        } else {
            let member = Member {
                file,
                place: input.place,
                reader: input.reader,
                first_time: input.first_time,
            };
            let known = if name.in_set() {
                sets.get(&key).copied()
            } else {
                None
            };
            match known.and_then(|place| groups.get_mut(place)) {
                Some(group) => group.push((name, member)),
                None => {
                    if name.in_set() {
                        sets.insert(key, groups.len());
                    }
                    groups.push(vec![(name, member)]);
                }
            }
        }
        reports.push(report);
    }
    let points = assemble(groups, &copies, &mut reports);
    for (file, of, _) in copies {
        let point = reports.get(of as usize).map_or(0, |report| report.point);
        if let Some(report) = reports.get_mut(file as usize) {
            report.point = point;
        }
    }
    (points, reports)
}

fn assemble(
    groups: Vec<Vec<(Name, Member)>>,
    copies: &[(u32, u32, Name)],
    reports: &mut [FileReport],
) -> Vec<Point> {
    let mut points = Vec::new();
    for mut group in groups {
        let marked = group
            .iter()
            .any(|(name, _)| name.number.is_some() || name.timed);
        let rest = if marked {
            Vec::new()
        } else {
            group.split_off(1)
        };
        missing(&group, copies, reports);
        // Files without a frame come last: nothing of theirs can be out of order.
        group.sort_by_key(|(name, member)| {
            let time = member
                .first_time
                .map_or((1, Timestamp::default()), |time| (0, time));
            (time, name.number, member.file)
        });
        let alone = rest.into_iter().map(|entry| vec![entry]);
        for members in std::iter::once(group).chain(alone) {
            let id = u32::try_from(points.len()).unwrap_or(u32::MAX);
            for (_, member) in &members {
                if let Some(report) = reports.get_mut(member.file as usize) {
                    report.point = id;
                }
            }
            points.push(Point::new(
                members.into_iter().map(|(_, member)| member).collect(),
            ));
        }
    }
    points
}

/// Names the numbers that are absent from a set, at the file after the gap.
fn missing(group: &[(Name, Member)], copies: &[(u32, u32, Name)], reports: &mut [FileReport]) {
    let Some((first, _)) = group.first() else {
        return;
    };
    if group.len() < 2 {
        return;
    }
    let number = |name: &Name| name.number.or(name.behind.then_some(0));
    let mut numbers: Vec<u64> = group.iter().filter_map(|(name, _)| number(name)).collect();
    numbers.extend(
        copies
            .iter()
            .filter(|(_, _, name)| name.stem == first.stem)
            .filter_map(|(_, _, name)| number(name)),
    );
    numbers.sort_unstable();
    numbers.dedup();
    for (first, last) in set::gaps(&numbers) {
        let after = group
            .iter()
            .find(|(name, _)| number(name) == Some(last + 1));
        if let Some(report) = after.and_then(|(_, member)| reports.get_mut(member.file as usize)) {
            report.note(Note::Missing { first, last });
        }
    }
}
