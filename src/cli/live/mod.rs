//! `wirefault live`: the same diagnosis while the capture goes on.
//!
//! The loop is that of `analyze`; every ten seconds of the capture's clock it looks at the run as if it ended now, and
//! tells what is settled and new. What is told of the past is kept for ten minutes.

mod evidence;
mod run;
mod source;
mod telling;

use std::fs::File;
use std::io;

use crate::cli::filter::Filter;
use crate::cli::{Common, Failure, FormatArg, analyze, input};
use crate::report::json::Lines;
use crate::report::stream::{Stream, Tell, Words};

pub(crate) use evidence::Keeping;
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
    let evidence = keeping.evidence()?;
    // A stream may keep us waiting for its first bytes, and who listens must not wait for them.
    let others = telling.tellers(common)?;
    let (feed, ticking) = source::opened(source, common, &stop)?;
    let ear = evidence.as_ref().map(evidence::Evidence::ear);
    let run = Run {
        engine: input::engine(common, false)?,
        feed,
        // On interfaces the kernel filters.
        filter: match (&common.filter, ticking) {
            (Some(filter), false) => Some(Filter::new(filter)?),
            _ => None,
        },
        ticking,
        settings: settings.clone(),
        stop,
        evidence,
        common,
    };
    let out = destination(common)?;
    let own: Box<dyn Tell> = if lines {
        Box::new(Lines::new(out))
    } else {
        Box::new(Words::new(out, settings))
    };
    let mut tellers = vec![own];
    tellers.extend(ear.map(|ear| Box::new(ear) as Box<dyn Tell>));
    tellers.extend(others);
    run.told(Stream::new(tellers))
}

fn destination(common: &Common) -> Result<Box<dyn io::Write>, Failure> {
    Ok(match &common.output {
        Some(path) => Box::new(io::BufWriter::new(File::create(path).map_err(|error| {
            Failure::usage(format!("{}: cannot be written: {error}", path.display()))
        })?)),
        None => Box::new(io::BufWriter::new(io::stdout())),
    })
}
