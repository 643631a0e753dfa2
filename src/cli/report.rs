//! `wirefault report`: any report from what `batch` wrote, without the captures.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::archive::{self, Manifest, Merged, Options, Room, Run, Source};
use crate::cli::{Common, Failure, analyze, input, output};
use crate::report::Told;
use crate::time::Timestamp;

/// Reads the sets of all folders, adds them up, writes.
pub(crate) fn run(common: &Common) -> Result<u8, Failure> {
    if common.paths.is_empty() {
        return Err(Failure::usage(
            "OUT is missing: name the folders that `wirefault batch DIR --out OUT` wrote",
        ));
    }
    if common.filter.is_some() {
        return Err(Failure::usage(
            "report: --filter is not offered; packets are read by `wirefault batch` alone",
        ));
    }
    let mut settings = analyze::settings(common)?;
    let (runs, sets) = read(&common.paths)?;
    let asked = same_options(&runs)?;
    let rules = input::Judging::of(common)?.rules();
    if rules.identity() != asked.endpoints {
        return Err(Failure::usage(format!(
            "report: these results were judged by endpoint rules {}, not {}; give the same --endpoints FILE to both commands",
            asked.endpoints,
            rules.identity()
        )));
    }
    // What lies outside was not kept whole.
    let window = |ns: Option<i64>| ns.map(Timestamp::from_ns);
    settings.since = settings.since.max(window(asked.since_ns));
    settings.until = match (settings.until, window(asked.until_ns)) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    let bytes = common.memory.as_deref().map(input::bytes).transpose()?;
    let mut merged = Merged::new(rules, settings.lang, Room::of(bytes));
    for (manifest, root) in &sets {
        let added = archive::partial(root, manifest)
            .map_err(|error| error.to_string())
            .and_then(|partial| {
                let around = archive::surroundings(root, manifest);
                let source = Source {
                    point: manifest.point.clone(),
                    surroundings: around.map_err(|error| error.to_string())?,
                };
                let told = merged.add(partial, source);
                told.map_err(|error| format!("{}: {error}", manifest.set))
            });
        added.map_err(|message| Failure { status: 3, message })?;
    }
    let unread: BTreeSet<&str> = runs
        .iter()
        .flat_map(|run| run.unread.iter().map(|unread| unread.reason.as_str()))
        .collect();
    for reason in &unread {
        output::complain(reason);
    }
    let (diagnosis, reading) = merged.finish().map_err(|error| Failure {
        status: 3,
        message: error.to_string(),
    })?;
    let mut told = Told::of(diagnosis, reading, &settings);
    told.options.filter.clone_from(&asked.filter);
    analyze::tell(told, common, &settings, !unread.is_empty())
}

/// A set and the folder that its results lie in.
type Found = (Manifest, PathBuf);

/// All sets by the names of their first files; one that lies in two folders counts once.
fn read(paths: &[String]) -> Result<(Vec<Run>, Vec<Found>), Failure> {
    let mut runs = Vec::new();
    let mut sets: BTreeMap<(String, String), Found> = BTreeMap::new();
    for path in paths {
        let root = Path::new(path);
        let (run, manifests) = archive::read_run(root).map_err(|error| Failure {
            status: 3,
            message: error.to_string(),
        })?;
        runs.push(run);
        for manifest in manifests {
            let first = manifest.files.first().map(|file| file.path.clone());
            let key = (first.unwrap_or_default(), manifest.set.clone());
            // Of one set judged twice, the one that had more room: whatever the order of the folders.
            let room = |manifest: &Manifest| (!manifest.limited, manifest.room());
            let better = sets
                .get(&key)
                .is_none_or(|(known, _)| room(known) < room(&manifest));
            if better {
                sets.insert(key, (manifest, root.to_owned()));
            }
        }
    }
    if sets.is_empty() {
        return Err(Failure {
            status: 3,
            message: "no set is done there; start `wirefault batch` again".to_owned(),
        });
    }
    Ok((runs, sets.into_values().collect()))
}

/// Results that were judged otherwise do not add up.
fn same_options(runs: &[Run]) -> Result<Options, Failure> {
    let mut all = runs.iter().map(|run| Options {
        // Neither changes what reports are made of.
        lang: String::new(),
        tables: false,
        flows: false,
        ..run.options.clone()
    });
    let first = all.next().unwrap_or_default();
    let here = Options::here();
    if (&first.version, &first.catalogue) != (&here.version, &here.catalogue) {
        return Err(Failure::usage(format!(
            "report: these results are of wirefault {} with catalogue {}, this is {} with {}; run batch again with this one",
            first.version, first.catalogue, here.version, here.catalogue
        )));
    }
    if all.any(|other| other != first) {
        return Err(Failure::usage(
            "report: these folders were made with different options or versions and do not add up; make them alike",
        ));
    }
    Ok(first)
}
