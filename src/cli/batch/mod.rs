//! `wirefault batch`: an archive set by set, in parallel, resumable.
//!
//! Each set has an engine of its own. What it yields appears by renaming, its manifest last (`archive`), so that a run
//! which ends in the middle has lost the sets in work and nothing else.

mod plan;
mod progress;
mod set;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use clap::Args;

use crate::archive::{Manifest, Run, Store, Unread};
use crate::cli::batch::plan::{Plan, Wanted};
use crate::cli::batch::progress::Progress;
use crate::cli::batch::set::Work;
use crate::cli::filter::Filter;
use crate::cli::{Common, Failure, FormatArg, analyze, input, output};
use crate::failure::Severity;

/// Options of `batch` alone.
#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// Folder of the results; made if it is absent, gone on with if it holds some
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Write the table of flows too (builds with the feature `parquet`)
    #[arg(long)]
    pub flows: bool,
}

/// Plans, removes what is no longer true, does what is not done.
pub(crate) fn run(target: &Target, common: &Common) -> Result<u8, Failure> {
    refuse(target, common)?;
    // A filter that cannot be had fails before anything is done.
    common.filter.as_deref().map(Filter::new).transpose()?;
    let mut settings = analyze::settings(common)?;
    // The sets share the threads.
    settings.threads = 1;
    let judging = input::Judging::of(common)?;
    let stop = input::stop_on_interrupt()?;
    let store = Store::open(&target.out).map_err(|error| Failure::usage(error.to_string()))?;
    let before = store.run();
    if let Some(other) = before.filter(|run| run.paths != common.paths) {
        return Err(Failure::usage(format!(
            "{}: holds the results of {}; choose another --out",
            target.out.display(),
            other.paths.join(" ")
        )));
    }
    let manifests = store.manifests();
    let plan = Plan::of(target, common, &judging, &settings, &manifests)?;
    let writes = |error: crate::archive::StoreError| Failure::usage(error.to_string());
    // Results that are no longer true go before others come: between two runs no set counts twice.
    let keep: BTreeSet<&str> = plan.done.iter().map(|done| done.set.as_str()).collect();
    store.keep(&keep).map_err(writes)?;
    let mut run = Run {
        schema: Run::SCHEMA.to_owned(),
        paths: common.paths.clone(),
        options: plan.options.clone(),
        unread: plan.unread.clone(),
    };
    store.begin(&run).map_err(writes)?;
    let work = Work {
        store: &store,
        judging: &judging,
        settings: &settings,
        options: &plan.options,
        filter: common.filter.as_deref(),
        stop: &stop,
        shares: plan.shares,
    };
    let ended = all(&work, &plan.wanted, &Progress::new(common, &plan.wanted));
    run.unread.extend(ended.failed.iter().cloned());
    store.begin(&run).map_err(writes)?;
    if let Some(failure) = ended.fatal {
        return Err(failure);
    }
    let stopped = stop.load(Ordering::Relaxed);
    if stopped {
        output::complain("interrupted: the sets that are done stay, start again to go on");
    }
    if !common.quiet {
        summary(&plan, &ended);
    }
    let done = || plan.done.iter().chain(&ended.done);
    let threshold = common.fail_on.map(Severity::from);
    let failing = |manifest: &Manifest| {
        let worst = manifest.worst;
        threshold.is_some_and(|threshold| worst.is_some_and(|worst| worst >= threshold as u8))
    };
    let cut = stopped || !run.unread.is_empty() || done().any(|manifest| !manifest.complete);
    Ok(match () {
        () if done().any(failing) => 1,
        () if cut => 4,
        () => 0,
    })
}

/// One line about the sets, and another where this build could not do all.
fn summary(plan: &Plan, ended: &Ended) {
    output::remark(&format!(
        "{} of {} sets done: {} before, {} now",
        plan.done.len() + ended.done.len(),
        plan.done.len() + plan.wanted.len(),
        plan.done.len(),
        ended.done.len()
    ));
    if !crate::archive::TABLES_WRITTEN {
        output::remark(
            "no tables: for Parquet build with `cargo build --release --features parquet`; reports need none",
        );
    }
}

/// What makes no sense here.
fn refuse(target: &Target, common: &Common) -> Result<(), Failure> {
    if common.format != FormatArg::Text || common.output.is_some() {
        return Err(Failure::usage(
            "batch writes to --out; `wirefault report OUT --format …` makes a report of it",
        ));
    }
    if common.paths.is_empty() {
        return Err(Failure::usage(
            "DIR is missing: name the folders of the archive",
        ));
    }
    if let Some(path) = common.paths.iter().find(|path| *path == "-") {
        return Err(Failure::usage(format!(
            "batch {path}: an archive is folders and files; `wirefault analyze -` reads standard input"
        )));
    }
    let out = std::path::absolute(&target.out).unwrap_or_else(|_| target.out.clone());
    let out = std::fs::canonicalize(&out).unwrap_or(out);
    for path in &common.paths {
        if std::fs::canonicalize(path).is_ok_and(|path| out.starts_with(path)) {
            return Err(Failure::usage(format!(
                "--out {}: lies within {path}, which is read; choose a folder outside",
                target.out.display()
            )));
        }
    }
    if target.flows && !crate::archive::TABLES_WRITTEN {
        return Err(Failure::usage(
            "--flows: this build writes no tables; build it with `cargo build --release --features parquet`",
        ));
    }
    Ok(())
}

/// How the sets ended.
#[derive(Default)]
struct Ended {
    done: Vec<Manifest>,
    failed: Vec<Unread>,
    /// Why no further set was begun.
    fatal: Option<Failure>,
}

/// Does the sets, several at once, in the order of the plan.
fn all(work: &Work<'_>, wanted: &[Wanted], progress: &Progress) -> Ended {
    let next = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let ended = Mutex::new(Ended::default());
    let at_once = || {
        while !work.stop.load(Ordering::Relaxed) && !over.load(Ordering::Relaxed) {
            let Some(set) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) else {
                break;
            };
            let told = set::analyse(work, set, progress);
            let Ok(mut ended) = ended.lock() else { break };
            match told {
                Ok(Some(manifest)) => ended.done.push(manifest),
                Ok(None) => {}
                Err(set::Trouble::Set(reason)) => ended.failed.push(Unread { reason }),
                Err(set::Trouble::Run(failure)) => {
                    over.store(true, Ordering::Relaxed);
                    ended.fatal = Some(failure);
                }
            }
        }
    };
    match rayon::ThreadPoolBuilder::new()
        .num_threads(work.shares.at_once)
        .build()
    {
        Ok(pool) => drop(pool.broadcast(|_| at_once())),
        Err(_) => at_once(),
    }
    progress.clear();
    let mut ended = ended.into_inner().unwrap_or_default();
    ended.done.sort_by(|a, b| a.set.cmp(&b.set));
    ended.failed.sort_by(|a, b| a.reason.cmp(&b.reason));
    ended
}
