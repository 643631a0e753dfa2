//! What is to be done: the sets of the archive without those that are done.

use std::collections::BTreeMap;

use crate::archive::{File, Manifest, Options, TABLES_WRITTEN, Unread, room, set_id};
use crate::cli::batch::Target;
use crate::cli::{Common, Failure, input, output};
use crate::failure::Lang;
use crate::ingest::{self, Part};
use crate::limits;
use crate::report::Settings;
use crate::time::{Nanos, SECOND, Timestamp};

/// Read before `--since`, so that flows which run into it are known.
const CONTEXT: Nanos = 60 * SECOND;

/// A set that is not done.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) set: String,
    pub(crate) point: String,
    pub(crate) files: Vec<File>,
}

/// How the machine is divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares {
    /// Sets in work at once.
    pub(crate) at_once: usize,
    /// Threads of each.
    pub(crate) threads: usize,
    /// Bytes of each, where memory is bounded.
    pub(crate) memory: Option<u64>,
}

/// The whole archive, as it is now.
pub(crate) struct Plan {
    pub(crate) options: Options,
    pub(crate) shares: Shares,
    pub(crate) done: Vec<Manifest>,
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) unread: Vec<Unread>,
}

impl Plan {
    /// Walks the archive; what is unchanged since `manifests` were written is not opened.
    pub(crate) fn of(
        target: &Target,
        common: &Common,
        judging: &input::Judging,
        settings: &Settings,
        manifests: &[Manifest],
    ) -> Result<Self, Failure> {
        let files = manifests.iter().flat_map(|manifest| &manifest.files);
        let known: BTreeMap<&str, &File> = files.map(|file| (file.path.as_str(), file)).collect();
        let archive = ingest::Archive::of(&common.paths, &|path, size, modified_ns| {
            let file = known.get(path)?;
            let same = (file.size, file.modified_ns) == (size, modified_ns);
            same.then(|| file.head()).flatten()
        });
        input::complain(&archive.errors);
        if archive.sets.is_empty() {
            return Err(Failure {
                status: 3,
                message: "no input could be read".to_owned(),
            });
        }
        if archive.copies > 0 && !common.quiet {
            output::remark(&format!(
                "{} files hold what others hold and are read once",
                archive.copies
            ));
        }
        let options = options(target, common, judging, settings);
        let mut all = Vec::new();
        for set in archive.sets {
            let parts = within(set.parts, settings.since, settings.until);
            if parts.is_empty() {
                continue;
            }
            let files: Vec<File> = parts.iter().map(File::of).collect();
            all.push(Wanted {
                set: set_id(&options, &files),
                point: set.point,
                files,
            });
        }
        let shares = shares(common, all.len())?;
        let (done, wanted) = parted(all, manifests, shares);
        Ok(Self {
            options,
            shares,
            done,
            wanted,
            unread: archive
                .errors
                .iter()
                .map(|error| Unread {
                    reason: error.to_string(),
                })
                .collect(),
        })
    }
}

/// What decides about the sets' outputs.
fn options(
    target: &Target,
    common: &Common,
    judging: &input::Judging,
    settings: &Settings,
) -> Options {
    Options {
        endpoints: judging.rules().identity(),
        trust_store: judging.trust_store(),
        key_log: judging.key_log(),
        filter: common.filter.clone(),
        since_ns: settings.since.map(Timestamp::ns),
        until_ns: settings.until.map(Timestamp::ns),
        redact: settings.redact,
        lang: match settings.lang {
            Lang::En => "en".to_owned(),
            Lang::Zh => "zh".to_owned(),
        },
        tables: TABLES_WRITTEN,
        flows: target.flows,
        ..Options::here()
    }
}

/// Those that are done, and those that are not.
fn parted(
    all: Vec<Wanted>,
    manifests: &[Manifest],
    shares: Shares,
) -> (Vec<Manifest>, Vec<Wanted>) {
    let known: BTreeMap<&str, &Manifest> = manifests
        .iter()
        .map(|manifest| (manifest.set.as_str(), manifest))
        .collect();
    let (mut done, mut wanted) = (Vec::new(), Vec::new());
    for one in all {
        // What did not fit is judged again where more fits now.
        let good = known
            .get(one.set.as_str())
            .filter(|manifest| !manifest.limited || manifest.room() >= room(shares.memory));
        match good {
            Some(manifest) => done.push((*manifest).clone()),
            None => wanted.push(one),
        }
    }
    (done, wanted)
}

/// The files that may hold something of the window. A file of a ring ends where the next one begins; when the last one
/// does is looked up where that is cheap.
fn within(parts: Vec<Part>, since: Option<Timestamp>, until: Option<Timestamp>) -> Vec<Part> {
    if since.is_none() && until.is_none() {
        return parts;
    }
    let mut firsts: Vec<Timestamp> = parts.iter().filter_map(|part| part.head.first).collect();
    firsts.sort_unstable();
    let wanted = |part: &Part| {
        // What has no frame is read: it may be damaged, which is worth a word.
        let Some(first) = part.head.first else {
            return true;
        };
        let next = firsts.get(firsts.partition_point(|other| *other <= first));
        let late = until.is_some_and(|until| first > until);
        let early = since.is_some_and(|since| {
            let last = next.copied();
            let last = last.or_else(|| ingest::last_time(part.path.as_ref()));
            // Twice the context: frames of neighbours may overlap.
            last.is_some_and(|last| last.plus(2 * CONTEXT) < since)
        });
        !late && !early
    };
    let keep: Vec<bool> = parts.iter().map(wanted).collect();
    let kept = parts.into_iter().zip(keep);
    kept.filter_map(|(part, keep)| keep.then_some(part))
        .collect()
}

/// Several sets at once before several threads a set; each set has its share of the memory.
fn shares(common: &Common, sets: usize) -> Result<Shares, Failure> {
    let threads = input::threads(common)?;
    let mut at_once = threads.min(sets).max(1);
    let bytes = common.memory.as_deref().map(input::bytes).transpose()?;
    if let Some(bytes) = bytes {
        let fitting = usize::try_from(bytes / limits::MEMORY_MIN).unwrap_or(usize::MAX);
        at_once = at_once.min(fitting).max(1);
    }
    Ok(Shares {
        at_once,
        threads: (threads / at_once).max(1),
        memory: bytes.map(|bytes| bytes / at_once as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Head;

    /// Files that begin at these minutes; those that are read with `--since` and `--until` at these.
    fn check(begin: &[Option<i64>], since: Option<i64>, until: Option<i64>, read: &[usize]) {
        let minute = |minute: i64| Timestamp::from_ns(minute * 60 * SECOND);
        let part = |(place, first): (usize, &Option<i64>)| Part {
            path: place.to_string(),
            size: 1,
            modified_ns: 0,
            head: Head {
                sha256: [0; 32],
                links: Vec::new(),
                first: first.map(minute),
            },
        };
        let parts: Vec<Part> = begin.iter().enumerate().map(part).collect();
        let kept = within(parts, since.map(minute), until.map(minute));
        let kept: Vec<usize> = kept
            .iter()
            .filter_map(|part| part.path.parse().ok())
            .collect();
        assert_eq!(kept, read);
    }

    #[test]
    fn files_that_end_before_or_begin_after_the_window_are_not_read() {
        let ring = [Some(0), Some(10), Some(20), Some(30)];
        check(&ring, None, None, &[0, 1, 2, 3]);
        check(&ring, Some(15), None, &[1, 2, 3]);
        check(&ring, Some(11), None, &[0, 1, 2, 3]);
        check(&ring, None, Some(20), &[0, 1, 2]);
        check(&ring, Some(25), Some(29), &[2]);
        check(&ring, Some(99), None, &[3]);
    }

    #[test]
    fn a_file_without_a_frame_is_read_since_it_may_be_damaged() {
        check(&[None, Some(0)], None, Some(-1), &[0]);
    }
}
