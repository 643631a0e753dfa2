//! One set: read, judged, written.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::archive::{Manifest, Options, Partial, Place, Store, StoreError, TABLES_WRITTEN};
use crate::cli::batch::plan::{Shares, Wanted};
use crate::cli::batch::progress::Progress;
use crate::cli::filter::Filter;
use crate::cli::{Failure, input, output};
use crate::engine::diagnosis::{Diagnosis, Surroundings};
use crate::failure::Lang;
use crate::ingest::{self, Batch, Feed, FileReport, Interface};
use crate::protocol::tls::KeyLog;
use crate::report::{self, Reading, Settings};

/// What all sets share.
pub(crate) struct Work<'a> {
    pub(crate) store: &'a Store,
    pub(crate) judging: &'a input::Judging,
    pub(crate) settings: &'a Settings,
    pub(crate) options: &'a Options,
    pub(crate) filter: Option<&'a str>,
    pub(crate) stop: &'a AtomicBool,
    pub(crate) shares: Shares,
}

/// Why a set is not done.
pub(crate) enum Trouble {
    /// It costs itself only.
    Set(String),
    /// It would be the same with every other: nothing can be written, or what was asked for makes no sense.
    Run(Failure),
}

/// What was read of a set.
struct Read {
    diagnosis: Diagnosis,
    files: Vec<FileReport>,
    interfaces: Vec<Interface>,
    complete: bool,
}

/// Reads, judges and writes a set; `None` where the run was interrupted meanwhile.
pub(crate) fn analyse(
    work: &Work<'_>,
    wanted: &Wanted,
    progress: &Progress,
) -> Result<Option<Manifest>, Trouble> {
    let first = wanted.files.first().map_or("", |file| &file.path);
    // An engine's mistake about one set must not cost the others.
    let read = catch_unwind(AssertUnwindSafe(|| read(work, wanted, progress)));
    let read = match read {
        Ok(Ok(Some(read))) => read,
        Ok(Ok(None)) => return Ok(None),
        Ok(Err(failure)) if failure.status == 2 => return Err(Trouble::Run(failure)),
        Ok(Err(failure)) => {
            output::complain(&failure.message);
            return Err(Trouble::Set(failure.message));
        }
        Err(_) => {
            let reason = format!("{first}: wirefault failed on this set; please report it");
            output::complain(&reason);
            return Err(Trouble::Set(reason));
        }
    };
    // What is kept is named by the files as they were found.
    if let Some(file) = wanted.files.iter().find(|file| !file.stands()) {
        let reason = format!(
            "{}: changed while it was read; start again later",
            file.path
        );
        output::complain(&reason);
        return Err(Trouble::Set(reason));
    }
    let written = write(work, wanted, read)
        .map_err(|error| Trouble::Run(Failure::usage(error.to_string())))?;
    progress.ended();
    Ok(Some(written))
}

fn read(work: &Work<'_>, wanted: &Wanted, progress: &Progress) -> Result<Option<Read>, Failure> {
    match pass(work, wanted, work.judging, Some(progress))? {
        // Secrets that stood behind their packets are known now.
        Some((_, Some(keys))) => {
            let again = pass(work, wanted, &work.judging.with(keys), None)?;
            Ok(again.map(|(read, _)| read))
        }
        read => Ok(read.map(|(read, _)| read)),
    }
}

/// What was read, and the secrets that were found too late for it.
type Pass = (Read, Option<Arc<KeyLog>>);

/// One reading, and the secrets that it found too late. Only a first one tells how far it is, and what it suffers.
fn pass(
    work: &Work<'_>,
    wanted: &Wanted,
    judging: &input::Judging,
    progress: Option<&Progress>,
) -> Result<Option<Pass>, Failure> {
    let complain = |errors: &[ingest::IngestError]| {
        if progress.is_some() {
            input::complain(errors);
        }
    };
    let mut filter = work.filter.map(Filter::new).transpose()?;
    let mut engine = judging.engine(work.shares.threads, work.options.flows)?;
    if let Some(bytes) = work.shares.memory {
        engine.within(bytes);
    }
    engine.count_by_minute();
    engine.keep_surroundings();
    let paths: Vec<String> = wanted.files.iter().map(|file| file.path.clone()).collect();
    let portions = ingest::Options {
        block_bytes: 256 << 10,
        batch_frames: 1_024,
    };
    let (mut feed, errors) = Feed::open(&paths, &portions);
    complain(&errors);
    let mut batch = Batch::default();
    let mut told = 0;
    while feed.next(&mut batch) {
        if work.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if let Some(filter) = &mut filter {
            filter.apply(&mut batch)?;
        }
        engine.push(&batch);
        let now = feed.progress().bytes_read;
        if let Some(progress) = progress {
            progress.read(now.saturating_sub(told));
        }
        told = now;
    }
    let late = feed.take_errors();
    complain(&late);
    let (files, interfaces) = (feed.files().to_vec(), feed.interfaces().to_vec());
    if files.is_empty() {
        let reason = errors.first().map(ToString::to_string);
        return Err(Failure {
            status: 4,
            message: reason.unwrap_or_else(|| "a set could not be read".to_owned()),
        });
    }
    let left_out = filter.map_or(Ok(0), Filter::finish)?;
    let keys = engine.keys().filter(|_| engine.had_late_keys()).cloned();
    let mut diagnosis = engine.finish(&files);
    if left_out > 0 {
        let reason = "filtered-out".to_owned();
        diagnosis.unjudged.insert(reason, left_out);
    }
    let unread = input::unread(&files, &interfaces, progress.is_some());
    let whole = errors.is_empty() && late.is_empty() && !unread;
    let read = Read {
        diagnosis,
        complete: whole && files.iter().all(|file| file.complete),
        files,
        interfaces,
    };
    Ok(Some((read, keys)))
}

/// Outputs first, the manifest last: whoever sees it finds them.
fn write(work: &Work<'_>, wanted: &Wanted, mut read: Read) -> Result<Manifest, StoreError> {
    let limited = report::limited(&read.diagnosis);
    let reading = |lang| {
        let settings = Settings {
            lang,
            ..work.settings.clone()
        };
        Reading::of(&read.files, &read.interfaces, limited, &settings)
    };
    let (english, chinese) = (reading(Lang::En), reading(Lang::Zh));
    // 2026-11-24T10:02:11Z
    let first = english.span.map(|(first, _)| first.text());
    let day = first.and_then(|text| text.get(..10).map(str::to_owned));
    let place = Place {
        set: &wanted.set,
        day: day.as_deref(),
        point: &wanted.point,
    };
    let partial = Partial::of(&read.diagnosis, &english, &chinese, work.settings.redact);
    let mut outputs = vec![work.store.write_partial(&place, &partial)?];
    let around = read.diagnosis.surroundings.take().unwrap_or_default();
    let redact = work.settings.redact;
    outputs.push(work.store.write_surroundings(&place, &around, redact)?);
    let findings = read.diagnosis.findings.iter();
    let worst = findings
        .filter(|finding| finding.class.layer() != "capture")
        .map(|finding| finding.severity as u8)
        .max();
    if TABLES_WRITTEN {
        let diagnosis = std::mem::take(&mut read.diagnosis);
        let reading = match work.settings.lang {
            Lang::En => english,
            Lang::Zh => chinese,
        };
        let made = tables(work, wanted, (diagnosis, &around), reading, read.complete);
        outputs.extend(work.store.write_tables(&place, made)?);
    }
    outputs.sort();
    let manifest = Manifest {
        schema: Manifest::SCHEMA.to_owned(),
        set: wanted.set.clone(),
        point: wanted.point.clone(),
        day: day.clone(),
        files: wanted.files.clone(),
        complete: read.complete,
        limited,
        memory: work.shares.memory,
        worst,
        outputs,
    };
    work.store.done(&manifest)?;
    Ok(manifest)
}

/// A table's name and its bytes.
type Made = Result<Vec<(&'static str, Vec<u8>)>, String>;

#[cfg(feature = "parquet")]
fn tables(
    work: &Work<'_>,
    wanted: &Wanted,
    (mut diagnosis, around): (Diagnosis, &Surroundings),
    reading: Reading,
    complete: bool,
) -> Made {
    let mut minutes = std::mem::take(&mut diagnosis.minutes);
    for minute in &mut minutes {
        minute.endpoint = report::shown(&minute.endpoint, work.settings);
    }
    let mut flows = std::mem::take(&mut diagnosis.rows);
    flows.sort_by_key(|row| (row.ts, row.key));
    for name in flows.iter_mut().filter_map(|row| row.name.as_mut()) {
        *name = report::shown(name, work.settings);
    }
    let settings = Settings {
        // Whoever queries folds by himself.
        findings_max: usize::MAX,
        ..work.settings.clone()
    };
    crate::archive::tables::of(&crate::archive::tables::Source {
        set: &wanted.set,
        files: &wanted.files,
        options: work.options,
        complete,
        told: &report::Told::of(diagnosis, reading, &settings),
        minutes: &minutes,
        surroundings: around,
        redact: work.settings.redact,
        flows: work.options.flows.then_some(flows.as_slice()),
    })
}

#[cfg(not(feature = "parquet"))]
fn tables(_: &Work<'_>, _: &Wanted, _: (Diagnosis, &Surroundings), _: Reading, _: bool) -> Made {
    Ok(Vec::new())
}
