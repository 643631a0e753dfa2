//! An archive taken apart into capture sets, without reading more than the heads of its files.
//!
//! The same rules as for the inputs of one report (`plan`): files whose names make them parts of one capture belong
//! together, the same content twice is one file. A file whose size and modification time are as before is not opened.

use super::LinkType;
use super::error::IngestError;
use super::input::{self, Input};
use super::plan;
use super::set::Name;
use super::source::Place;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// What a look at a file's first bytes told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// SHA-256 of its first 64 KiB as stored.
    pub sha256: [u8; 32],
    /// Link types announced before its first frame.
    pub links: Vec<LinkType>,
    /// Its first frame's time.
    pub first: Option<Timestamp>,
}

/// One file of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// As the user gave it; for a file of a folder the folder joined with its name.
    pub path: String,
    /// Stored bytes.
    pub size: u64,
    /// When it was last written, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// What its head told.
    pub head: Head,
}

/// The files of one capture, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Folder and name with number, time and ending taken out: where it was captured.
    pub point: String,
    /// Its files.
    pub parts: Vec<Part>,
}

/// All sets of an archive.
#[derive(Debug, Default)]
pub struct Archive {
    /// By the name of their first file.
    pub sets: Vec<Set>,
    /// Files that cannot be read, or are no captures though their names promise it.
    pub errors: Vec<IngestError>,
    /// Files that hold what another holds; they are left out.
    pub copies: u64,
}

/// What is known of a file by its path, size and time of writing.
pub type Known<'a> = &'a dyn Fn(&str, u64, i64) -> Option<Head>;

impl Archive {
    /// Looks through folders and files. `known` saves the opening of files that are as before.
    pub fn of(paths: &[String], known: Known<'_>) -> Self {
        let (inputs, errors) = input::expand(paths);
        let mut archive = Self {
            errors,
            ..Self::default()
        };
        let mut places: BTreeMap<(String, Vec<LinkType>), usize> = BTreeMap::new();
        let mut contents: BTreeMap<([u8; 32], u64), ()> = BTreeMap::new();
        for input in inputs {
            let Some((name, part)) = archive.part(&input, known) else {
                continue;
            };
            if contents.insert((part.head.sha256, part.size), ()).is_some() {
                archive.copies += 1;
                continue;
            }
            let key = (name.stem.clone(), part.head.links.clone());
            let place = places.get(&key).copied().filter(|_| name.in_set());
            match place.and_then(|place| archive.sets.get_mut(place)) {
                Some(set) => set.parts.push(part),
                None => {
                    if name.in_set() {
                        places.insert(key, archive.sets.len());
                    }
                    archive.sets.push(Set {
                        point: point(&name.stem, paths),
                        parts: vec![part],
                    });
                }
            }
        }
        archive
    }

    fn part(&mut self, input: &Input, known: Known<'_>) -> Option<(Name, Part)> {
        let Place::Path(place) = &input.place else {
            let path = input.path.clone();
            self.errors.push(IngestError::NotFound { path });
            return None;
        };
        let quiet = input.folder.is_some() && !input.promises();
        match look(place, input, known) {
            Ok(part) => Some((Name::parse(place), part)),
            Err(error) => {
                if !quiet || matches!(error, IngestError::Archive { .. }) {
                    self.errors.push(error);
                }
                None
            }
        }
    }
}

fn look(place: &Path, input: &Input, known: Known<'_>) -> Result<Part, IngestError> {
    let path = input.path.clone();
    let unreadable = |source| IngestError::Unreadable {
        path: input.path.clone(),
        source,
    };
    let (size, modified_ns) = stamp(place).map_err(unreadable)?;
    let head = match known(&input.path, size, modified_ns) {
        Some(head) => head,
        None => plan::head(input)?,
    };
    Ok(Part {
        path,
        size,
        modified_ns,
        head,
    })
}

/// Size of a file and when it was last written, in nanoseconds since 1970.
pub fn stamp(path: &Path) -> io::Result<(u64, i64)> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let since = about.modified()?.duration_since(UNIX_EPOCH);
    let modified_ns = i64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(i64::MAX);
    Ok((about.len(), modified_ns))
}

/// `archive/gw1/ring` of `/data/archive/gw1/ring_<n>_<t>.pcap`, where `/data/archive` was given.
fn point(stem: &str, paths: &[String]) -> String {
    let below = |path: &String| {
        let folder = path.trim_end_matches('/');
        stem.strip_prefix(folder)?.strip_prefix('/')?;
        let parent = folder
            .rsplit_once('/')
            .map_or(0, |(parent, _)| parent.len());
        stem.get(parent..)
    };
    let name = paths.iter().find_map(below).unwrap_or(stem);
    let name = name.replace("<n>", "").replace("<t>", "");
    let bare = [".pcapng", ".pcap", ".cap", ".dmp", ".ntar"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending));
    let trimmed = bare
        .unwrap_or(&name)
        .trim_matches(['_', '-', '.', '/', ' ']);
    trimmed.to_owned()
}

#[cfg(test)]
mod tests {
    use super::point;

    #[test]
    fn a_point_is_named_by_the_folder_that_was_given_and_what_is_below() {
        let paths = ["/data/archive/".to_owned(), "gw2".to_owned()];
        let check = |stem: &str, expected: &str| assert_eq!(point(stem, &paths), expected);
        check("/data/archive/gw1/ring_<n>_<t>.pcap", "archive/gw1/ring");
        check("/data/archive/<t>.pcapng", "archive");
        check("gw2/ring_<n>_<t>.pcap", "gw2/ring");
        check("/other/x.pcap", "other/x");
    }
}
