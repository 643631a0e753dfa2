//! Arguments into inputs: files, folders, shell patterns and standard input.
//!
//! Folders are read with all folders inside them, in the order of names; links to folders and hidden names are not
//! followed. What a folder holds besides captures is passed over in silence.

use super::error::IngestError;
use super::source::Place;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders inside folders that are entered.
const DEPTH_MAX: usize = 32;

/// One input to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    /// As reports name it.
    pub(super) path: String,
    pub(super) place: Place,
    /// Which of the arguments it came from, if that was a folder.
    pub(super) folder: Option<usize>,
}

impl Input {
    /// A name that promises a capture: if it is none, that is worth a word even within a folder.
    pub(super) fn promises(&self) -> bool {
        let name = self.path.to_ascii_lowercase();
        [".pcap", ".cap", ".dmp", ".ntar"]
            .iter()
            .any(|ending| name.contains(ending))
    }
}

/// Expands the arguments in their order. Folders that came out of one are told apart by argument.
pub(super) fn expand(paths: &[String]) -> (Vec<Input>, Vec<IngestError>) {
    let (mut inputs, mut errors) = (Vec::new(), Vec::new());
    let mut stdin = false;
    for (argument, path) in paths.iter().enumerate() {
        if path == "-" {
            if stdin {
                errors.push(IngestError::InputTwice);
            } else {
                inputs.push(Input {
                    path: path.clone(),
                    place: Place::Stdin,
                    folder: None,
                });
            }
            stdin = true;
        } else if Path::new(path).symlink_metadata().is_ok() {
            one(Path::new(path), argument, &mut inputs, &mut errors);
        } else if path.contains(['*', '?', '[']) {
            pattern(path, argument, &mut inputs, &mut errors);
        } else {
            errors.push(IngestError::NotFound { path: path.clone() });
        }
    }
    (inputs, errors)
}

fn pattern(path: &str, argument: usize, inputs: &mut Vec<Input>, errors: &mut Vec<IngestError>) {
    let found = match glob::glob(path) {
        Ok(found) => found,
        Err(error) => {
            errors.push(IngestError::NoMatch {
                pattern: path.to_owned(),
                reason: Some(error.msg.to_owned()),
            });
            return;
        }
    };
    let mut any = false;
    for entry in found {
        any = true;
        match entry {
            Ok(name) => one(&name, argument, inputs, errors),
            Err(error) => errors.push(IngestError::Unreadable {
                path: error.path().display().to_string(),
                source: error.into(),
            }),
        }
    }
    if !any {
        errors.push(IngestError::NoMatch {
            pattern: path.to_owned(),
            reason: None,
        });
    }
}

fn one(path: &Path, argument: usize, inputs: &mut Vec<Input>, errors: &mut Vec<IngestError>) {
    if path.is_dir() {
        folder(path, argument, 0, inputs, errors);
    } else {
        inputs.push(Input {
            path: path.display().to_string(),
            place: Place::Path(path.to_owned()),
            folder: None,
        });
    }
}

fn folder(
    path: &Path,
    argument: usize,
    depth: usize,
    inputs: &mut Vec<Input>,
    errors: &mut Vec<IngestError>,
) {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(source) => {
            errors.push(IngestError::Unreadable {
                path: path.display().to_string(),
                source,
            });
            return;
        }
    };
    let mut names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    names.sort();
    for name in names {
        let hidden = name
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let Ok(kind) = name.symlink_metadata().map(|about| about.file_type()) else {
            continue;
        };
        if hidden {
            continue;
        }
        if kind.is_dir() && depth < DEPTH_MAX {
            folder(&name, argument, depth + 1, inputs, errors);
        } else if kind.is_file() || (kind.is_symlink() && name.is_file()) {
            inputs.push(Input {
                path: name.display().to_string(),
                place: Place::Path(name),
                folder: Some(argument),
            });
        }
    }
}
