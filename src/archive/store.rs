//! The folder of results: every file appears by renaming, and a set's manifest appears last.
//!
//! One process writes at a time. Whatever is below the tables and not named by a manifest was left by a run that ended
//! in the middle, or by captures that have changed or gone; it is removed at the start of the next run.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::archive::around;
use crate::archive::manifest::{Manifest, Run};
use crate::archive::stored::Partial;
use crate::incident::Surroundings;

/// Folders that hold outputs of sets.
const TABLES: [&str; 6] = [
    "attempts",
    "findings",
    "flows",
    "incidents",
    "partials",
    "sets",
];
const RUN: &str = "run.json";
const MANIFESTS: &str = "manifest";
/// Ending of what reports are made of.
const PARTIAL: &str = "json.zst";
/// Ending of what went on around a set's findings.
const AROUND: &str = "around.zst";
const TEMPORARY: &str = "tmp";
/// As zstd's own program.
const LEVEL: i32 = 3;

/// Why results cannot be written or read.
#[derive(Debug)]
pub struct StoreError {
    path: PathBuf,
    reason: String,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

pub(super) fn wrong(path: &Path, reason: impl fmt::Display) -> StoreError {
    StoreError {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// Where a set's outputs lie.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Its id.
    pub set: &'a str,
    /// Day of its first frame.
    pub day: Option<&'a str>,
    /// Where it was captured.
    pub point: &'a str,
}

impl Place<'_> {
    /// Below OUT: partitioned as DuckDB, Polars and Spark know it.
    fn path(&self, table: &str, ending: &str) -> String {
        // The name that Hive gives to what has no value.
        let day = self.day.unwrap_or("__HIVE_DEFAULT_PARTITION__");
        format!(
            "{table}/day={day}/point={}/{}.{ending}",
            partition(self.point),
            self.set
        )
    }
}

/// A name as it can stand in a path and be read off it again by anybody: without separators and signs.
fn partition(point: &str) -> String {
    const BYTES_MAX: usize = 120;
    let mut name = String::new();
    for letter in point.chars() {
        let plain = letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-');
        let letter = if letter == '/' { '-' } else { letter };
        name.push(if plain || letter == '-' { letter } else { '_' });
        if name.len() >= BYTES_MAX {
            break;
        }
    }
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() {
        "unnamed".to_owned()
    } else {
        name.to_owned()
    }
}

/// The folder, open for writing.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    _lock: File,
}

impl Store {
    /// Opens or makes the folder. Fails while another process writes there, or where it holds something else.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let foreign = fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some())
            && !root.join(RUN).is_file()
            && !root.join("lock").is_file();
        if foreign {
            return Err(wrong(
                root,
                "holds other things than results of batch; choose an empty folder",
            ));
        }
        let create = |path: &Path| fs::create_dir_all(path).map_err(|error| wrong(path, error));
        create(root)?;
        let path = root.join("lock");
        let lock = File::create(&path).map_err(|error| wrong(&path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(wrong(
                    root,
                    "another batch is writing there; wait for its end",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(wrong(&path, error)),
        }
        let temporary = root.join(TEMPORARY);
        if temporary.exists() {
            fs::remove_dir_all(&temporary).map_err(|error| wrong(&temporary, error))?;
        }
        create(&temporary)?;
        Ok(Self {
            root: root.to_owned(),
            _lock: lock,
        })
    }

    /// What was asked for the last time.
    pub fn run(&self) -> Option<Run> {
        read_run(&self.root).ok().map(|(run, _)| run)
    }

    /// Sets that are done: their outputs are all there.
    pub fn manifests(&self) -> Vec<Manifest> {
        let mut all = manifests(&self.root);
        all.retain(|manifest| {
            let mut outputs = manifest.outputs.iter();
            outputs.all(|path| self.root.join(path).is_file())
        });
        all
    }

    /// Writes down what is asked for.
    pub fn begin(&self, run: &Run) -> Result<(), StoreError> {
        self.place(RUN, &line(run))
    }

    /// Removes every set but these, and what belongs to no set.
    pub fn keep(&self, sets: &BTreeSet<&str>) -> Result<(), StoreError> {
        let keeps = |name: &str| sets.contains(name);
        // Manifests first: what they name must not be missed while they stand.
        for folder in [MANIFESTS].iter().chain(&TABLES) {
            sweep(&self.root.join(folder), &keeps)?;
        }
        Ok(())
    }

    /// Writes one output; gives its path below the folder.
    pub fn write(
        &self,
        place: &Place<'_>,
        table: &str,
        ending: &str,
        bytes: &[u8],
    ) -> Result<String, StoreError> {
        debug_assert!(TABLES.contains(&table), "outputs lie where they are swept");
        let path = place.path(table, ending);
        self.place(&path, bytes)?;
        Ok(path)
    }

    /// Writes tables; gives their paths below the folder.
    pub fn write_tables(
        &self,
        place: &Place<'_>,
        made: Result<Vec<(&'static str, Vec<u8>)>, String>,
    ) -> Result<Vec<String>, StoreError> {
        let made = made.map_err(|reason| wrong(&self.root, reason))?;
        let written = made
            .iter()
            .map(|(table, bytes)| self.write(place, table, "parquet", bytes));
        written.collect()
    }

    /// Writes what reports are made of.
    pub fn write_partial(
        &self,
        place: &Place<'_>,
        partial: &Partial,
    ) -> Result<String, StoreError> {
        let packed = serde_json::to_vec(partial)
            .map_err(io::Error::from)
            .and_then(|text| zstd::bulk::compress(&text, LEVEL))
            .map_err(|error| wrong(&self.root, error))?;
        self.write(place, "partials", PARTIAL, &packed)
    }

    /// Writes what went on around its findings.
    pub fn write_surroundings(
        &self,
        place: &Place<'_>,
        surroundings: &Surroundings,
        redact: bool,
    ) -> Result<String, StoreError> {
        let packed = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)
            .and_then(|mut encoder| {
                around::write(surroundings, redact, &mut encoder)?;
                encoder.finish()
            })
            .map_err(|error| wrong(&self.root, error))?;
        self.write(place, "partials", AROUND, &packed)
    }

    /// The set is done.
    pub fn done(&self, manifest: &Manifest) -> Result<(), StoreError> {
        self.place(&manifest_path(&manifest.set), &line(manifest))
    }

    /// A file appears whole, and stays when the power goes.
    fn place(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let target = self.root.join(path);
        let part = self.root.join(TEMPORARY).join(path.replace('/', "~"));
        let folder = target.parent().unwrap_or(&self.root);
        let placed = fs::create_dir_all(folder)
            .and_then(|()| File::create(&part))
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&part, &target))
            .and_then(|()| File::open(folder)?.sync_all());
        placed.map_err(|error| {
            let _ = fs::remove_file(&part);
            wrong(
                &target,
                format!(
                    "cannot be written: {error}; the sets that are done stay, start again to go on"
                ),
            )
        })
    }
}

fn manifest_path(set: &str) -> String {
    let shelf = set.get(2..4).unwrap_or("00");
    format!("{MANIFESTS}/{shelf}/{set}.json")
}

/// One line of JSON.
fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    let text = fs::read(path).map_err(|error| wrong(path, error))?;
    serde_json::from_slice(&text).map_err(|error| wrong(path, error))
}

/// Removes files whose set is not kept, and folders that become empty.
fn sweep(folder: &Path, keeps: &dyn Fn(&str) -> bool) -> Result<(), StoreError> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            sweep(&path, keeps)?;
            // Fails where something is left in it.
            let _ = fs::remove_dir(&path);
        } else if !keeps(&set_of(&path)) {
            fs::remove_file(&path).map_err(|error| wrong(&path, error))?;
        }
    }
    Ok(())
}

/// `s-3f…` of `s-3f….json.zst`.
fn set_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or("").to_owned()
}

fn manifests(root: &Path) -> Vec<Manifest> {
    let mut all = Vec::new();
    let shelves = fs::read_dir(root.join(MANIFESTS)).into_iter().flatten();
    for shelf in shelves.flatten() {
        let files = fs::read_dir(shelf.path()).into_iter().flatten();
        for file in files.flatten() {
            // A manifest that cannot be read is of no set that is done.
            let read = read_json::<Manifest>(&file.path());
            let own = |manifest: &Manifest| {
                manifest.schema == Manifest::SCHEMA && manifest.set == set_of(&file.path())
            };
            all.extend(read.ok().filter(own));
        }
    }
    all.sort_by(|a, b| a.set.cmp(&b.set));
    all
}

/// What a folder of results was made of: the run, and the sets that are done.
pub fn read_run(root: &Path) -> Result<(Run, Vec<Manifest>), StoreError> {
    let path = root.join(RUN);
    if !path.is_file() {
        return Err(wrong(
            root,
            "holds no results of batch; make them with `wirefault batch DIR --out OUT`",
        ));
    }
    let run: Run = read_json(&path)?;
    if run.schema != Run::SCHEMA {
        return Err(wrong(
            &path,
            format!("expected {}, found {}", Run::SCHEMA, run.schema),
        ));
    }
    Ok((run, manifests(root)))
}

/// Where an output of a set lies.
fn output(root: &Path, manifest: &Manifest, ending: &str) -> Result<PathBuf, StoreError> {
    let mut outputs = manifest.outputs.iter();
    let own = |path: &&String| path.starts_with("partials/") && path.ends_with(ending);
    let path = outputs.find(own).map(|path| root.join(path));
    path.ok_or_else(|| wrong(root, format!("{} names no {ending}", manifest.set)))
}

/// What reports are made of, of one set.
pub fn partial(root: &Path, manifest: &Manifest) -> Result<Partial, StoreError> {
    let path = output(root, manifest, PARTIAL)?;
    let file = File::open(&path).map_err(|error| wrong(&path, error))?;
    let stream = zstd::stream::read::Decoder::new(file).map_err(|error| wrong(&path, error))?;
    serde_json::from_reader(io::BufReader::new(stream)).map_err(|error| wrong(&path, error))
}

/// Where what went on around a set's findings lies.
pub fn surroundings(root: &Path, manifest: &Manifest) -> Result<PathBuf, StoreError> {
    output(root, manifest, AROUND)
}

#[cfg(test)]
mod tests {
    use super::partition;

    #[test]
    fn a_point_is_a_name_in_a_path() {
        assert_eq!(partition("gw1/ring"), "gw1-ring");
        assert_eq!(partition("../a=b c"), "a_b_c");
        assert_eq!(partition("发票/1"), "发票-1");
        assert_eq!(partition("//"), "unnamed");
    }
}
