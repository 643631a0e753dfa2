//! `wirefault live`: the same diagnosis while the capture goes on.
//!
//! The loop is that of `analyze`; every second of the capture's clock it looks at the run as if it ended now, and tells
//! what is settled and new. What is told of the past is kept for ten minutes.

mod evidence;
mod keeping;
mod log;
mod notify;
#[cfg(feature = "live")]
mod rights;
mod run;
mod source;
mod telling;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;

use crate::cli::filter::Filter;
use crate::cli::{Common, Failure, FormatArg, analyze, input, output};
use crate::limits;
use crate::report::Settings;
use crate::report::json::Lines;
use crate::report::stream::{Stream, Tell, Words};

pub(crate) use keeping::Keeping;
use log::Log;
use notify::Notify;
use run::Run;
pub(crate) use source::{Source, list};
pub(crate) use telling::Telling;

/// Captures, looks, tells, until the stream ends or Ctrl-C.
pub(crate) fn run(
    source: &Source,
    keeping: &Keeping,
    telling: &Telling,
    common: &Common,
) -> Result<u8, Failure> {
    let lines = match common.format {
        FormatArg::Jsonl => true,
        FormatArg::Text => false,
        FormatArg::Json | FormatArg::Html | FormatArg::Markdown | FormatArg::Csv => {
            return Err(Failure::usage(
                "live tells what happens as it happens: use --format text or jsonl, and `analyze` for a report over a file",
            ));
        }
    };
    let settings = analyze::settings(common)?;
    let stop = input::stop_on_interrupt()?;
    let reload = reload_on_hangup()?;
    let judging = input::Judging::of(common)?;
    let way = source::open(source, common)?;
    // Before root is given up, and before any thread begins.
    let evidence = keeping.evidence()?;
    let out: Option<Box<dyn io::Write>> = match &common.output {
        Some(path) => Some(Box::new(Log::open(path, keeping.turning()?)?)),
        None => None,
    };
    let _back = output::Back;
    let screen = telling.screen(&source.named(), common, &stop)?;
    if way.ticks() {
        give_up_rights(keeping, telling, common)?;
    }
    let mut tellers = own(out, screen, lines, &settings);
    if let Some(evidence) = &evidence {
        tellers.push(Box::new(evidence.ear()));
    }
    tellers.extend(telling.tellers(common)?);
    if let Some(notify) = Notify::from_environment() {
        tellers.push(Box::new(notify));
    }
    let ticking = way.ticks();
    let (to, says) = channel();
    let mut engine = input::engine_by(&judging, common, false)?;
    if let Some(size) = &common.memory {
        engine.within(looked_at(input::bytes(size)?));
    }
    let run = Run {
        engine,
        feed: way.feed(&stop, &to)?,
        // On interfaces the kernel filters.
        filter: match (&common.filter, ticking) {
            (Some(filter), false) => Some(Filter::new(filter)?),
            _ => None,
        },
        ticking,
        settings,
        stop,
        reload,
        says,
        evidence,
        common,
    };
    run.told(Stream::new(tellers))
}

/// The screen, and the run's own lines: on standard output where no screen has it, or in a file.
fn own(
    file: Option<Box<dyn io::Write>>,
    screen: Option<Box<dyn Tell>>,
    lines: bool,
    settings: &Settings,
) -> Vec<Box<dyn Tell>> {
    let stdout = || -> Box<dyn io::Write> { Box::new(io::BufWriter::new(io::stdout())) };
    let out = file.or_else(|| screen.is_none().then(stdout));
    let told = out.map(|out| -> Box<dyn Tell> {
        if lines {
            Box::new(Lines::new(out))
        } else {
            Box::new(Words::new(out, settings.clone()))
        }
    });
    screen.into_iter().chain(told).collect()
}

/// While a look is taken, what is remembered stands in memory twice, and lists of it beside: it has a third of what
/// `bytes` leave.
const fn looked_at(bytes: u64) -> u64 {
    let room = bytes.saturating_sub(limits::BASE_BYTES);
    bytes.saturating_sub(room / 3 * 2)
}

/// SIGHUP does not end a run: it reads the endpoint rules again.
fn reload_on_hangup() -> Result<Arc<AtomicBool>, Failure> {
    let reload = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&reload))
        .map_err(|error| Failure::usage(format!("signals cannot be handled: {error}")))?;
    Ok(reload)
}

#[cfg(feature = "live")]
fn give_up_rights(keeping: &Keeping, telling: &Telling, common: &Common) -> Result<(), Failure> {
    let mut write = telling.folders()?;
    for folder in &write {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::usage(format!("{}: {error}", folder.display())))?;
    }
    write.extend(keeping.evidence.clone());
    if let Some(path) = &common.output {
        write.insert(0, rights::folder_of(path));
        write.push(path.clone());
    }
    let files = [&common.endpoints, &common.ca_bundle].into_iter().flatten();
    let needs = rights::Needs {
        // A file that is replaced by renaming is another file: its folder is what stays.
        read: files.map(|path| rights::folder_of(path)).collect(),
        write,
    };
    let said = rights::give_up(keeping.user.as_deref(), &needs).map_err(Failure::usage)?;
    if !common.quiet {
        output::complain(&said);
    }
    Ok(())
}

#[cfg(not(feature = "live"))]
fn give_up_rights(_: &Keeping, _: &Telling, _: &Common) -> Result<(), Failure> {
    Ok(())
}
