//! `wirefault live`: the same diagnosis while the capture goes on.
//!
//! The loop is that of `analyze`; every ten seconds of the capture's clock it looks at the run as if it ended now, and
//! tells what is settled and new. What is told of the past is kept for ten minutes.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use crate::cli::filter::Filter;
use crate::cli::{Common, Failure, FormatArg, analyze, input, output};
use crate::engine::Engine;
use crate::ingest::{self, Batch, Feed, live};
use crate::report::json::Lines;
use crate::report::stream::{Stream, Tell, Words};
use crate::report::{self, Findings, Settings, Told};
use crate::time::{Nanos, SECOND, Timestamp};

/// How often a look is taken.
const LOOK: Nanos = 10 * SECOND;
/// Endpoints are told so often.
const ENDPOINTS: Nanos = 60 * SECOND;
/// What is told of the past is kept for so long at least, and for half as long again at most.
const WINDOW: Nanos = 600 * SECOND;

/// Options of `live` alone.
#[derive(Args, Clone, Debug)]
pub(crate) struct Source {
    /// Capture on this interface; may be given more than once (builds with the feature `live`)
    #[arg(short, long, value_name = "IFACE", conflicts_with = "paths")]
    pub interface: Vec<String>,
    /// Bytes kept of each packet
    #[arg(long, value_name = "BYTES", default_value_t = 262_144)]
    pub snaplen: u32,
    /// The kernel's buffer of each interface, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    pub buffer: u32,
}

/// Captures, looks, tells, until the stream ends or Ctrl-C.
pub(crate) fn run(source: &Source, common: &Common) -> Result<u8, Failure> {
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
    let (feed, ticking) = opened(source, common, &stop)?;
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
        common,
    };
    let out = destination(common)?;
    if lines {
        run.told(Stream::new(Lines::new(out)))
    } else {
        run.told(Stream::new(Words::new(out, settings)))
    }
}

fn destination(common: &Common) -> Result<Box<dyn io::Write>, Failure> {
    Ok(match &common.output {
        Some(path) => Box::new(io::BufWriter::new(File::create(path).map_err(|error| {
            Failure::usage(format!("{}: cannot be written: {error}", path.display()))
        })?)),
        None => Box::new(io::BufWriter::new(io::stdout())),
    })
}

/// The way in, and whether time passes on it while nothing arrives.
fn opened(
    source: &Source,
    common: &Common,
    stop: &Arc<AtomicBool>,
) -> Result<(Feed, bool), Failure> {
    let (name, stream, ticking) = match (source.interface.as_slice(), common.paths.as_slice()) {
        ([], [path]) if path == "-" => {
            let stream = live::in_pieces(Box::new(io::stdin()));
            ("-".to_owned(), stream, false)
        }
        ([], []) => {
            return Err(Failure::usage(
                "live needs interfaces (-i eth0) or `-` for a capture on standard input",
            ));
        }
        ([], [path, ..]) => {
            return Err(Failure::usage(format!(
                "live {path}: only `-` is read live; `wirefault analyze {path}` reads files"
            )));
        }
        (names, _) => (names.join(","), interfaces(source, common, stop)?, true),
    };
    let feed = Feed::of_live(&name, stream, &ingest::Options::default());
    let feed = feed.map_err(|error| Failure {
        status: 3,
        message: error.to_string(),
    })?;
    Ok((feed, ticking))
}

#[cfg(feature = "live")]
fn interfaces(
    source: &Source,
    common: &Common,
    stop: &Arc<AtomicBool>,
) -> Result<Box<dyn io::Read + Send>, Failure> {
    let buffer_bytes = source.buffer.saturating_mul(1 << 20);
    let options = live::interface::Options {
        snaplen: source.snaplen,
        buffer_bytes: buffer_bytes.min(i32::MAX.unsigned_abs()),
        filter: common.filter.clone(),
    };
    live::interface::open(&source.interface, &options, stop).map_err(Failure::usage)
}

#[cfg(not(feature = "live"))]
fn interfaces(
    source: &Source,
    _: &Common,
    _: &Arc<AtomicBool>,
) -> Result<Box<dyn io::Read + Send>, Failure> {
    let name = source.interface.first().map_or("", String::as_str);
    Err(Failure::usage(format!(
        "-i {name}: this build cannot capture; build it with `cargo build --release --features live` (needs \
         libpcap-dev), or feed it: tcpdump -i {name} -U -w - | wirefault live -"
    )))
}

/// A run that goes on.
struct Run<'a> {
    engine: Engine,
    feed: Feed,
    filter: Option<Filter>,
    ticking: bool,
    settings: Settings,
    stop: Arc<AtomicBool>,
    common: &'a Common,
}

/// When what is done next, by the capture's clock.
#[derive(Default)]
struct Next {
    look: Option<Timestamp>,
    endpoints: Option<Timestamp>,
    forget: Option<Timestamp>,
}

impl Run<'_> {
    fn told<T: Tell>(mut self, mut stream: Stream<T>) -> Result<u8, Failure> {
        let mut next = Next::default();
        let mut batch = Batch::default();
        let written = (|| {
            stream.begin(&self.look())?;
            while self.feed.next(&mut batch) && !self.stop.load(Ordering::Relaxed) {
                if let Some(filter) = &mut self.filter
                    && let Err(failure) = filter.apply(&mut batch)
                {
                    return Ok(Err(failure));
                }
                self.engine.push(&batch);
                if self.ticking && batch.frames.is_empty() {
                    self.engine.tick(live::now());
                }
                self.in_time(&mut stream, &mut next)?;
            }
            stream.finish(&self.look())?;
            Ok(Ok(()))
        })();
        match written {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => return Err(failure),
            Err(error) if closed(&error) => return Ok(0),
            Err(error) => return Err(Failure::usage(format!("cannot be written: {error}"))),
        }
        let told = self.look();
        if self.common.format == FormatArg::Text && !self.common.quiet {
            output::write(
                None,
                report::text::write(&told.whole(), &self.settings).as_bytes(),
            )?;
        }
        Ok(0)
    }

    /// What is due by the capture's clock.
    fn in_time<T: Tell>(&mut self, stream: &mut Stream<T>, next: &mut Next) -> io::Result<()> {
        let now = self.engine.clock();
        if now == Timestamp::default() {
            return Ok(());
        }
        let due = |when: &mut Option<Timestamp>, pause: Nanos| {
            let due = when.is_some_and(|when| now >= when);
            if due || when.is_none() {
                *when = Some(now.plus(pause));
            }
            due
        };
        if due(&mut next.look, LOOK) {
            let told = self.look();
            stream.look(&told, now)?;
            if due(&mut next.endpoints, ENDPOINTS) {
                stream.endpoints(&told)?;
            }
            if due(&mut next.forget, WINDOW / 2) {
                self.engine.forget_before(now.plus(-WINDOW));
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Told<Findings> {
        let files = self.feed.files().to_vec();
        let diagnosis = self.engine.look(&files);
        let mut told = Told::lazily(diagnosis, &files, self.feed.interfaces(), &self.settings);
        told.options.filter.clone_from(&self.common.filter);
        told
    }
}

/// The reader went away, which is no failure.
fn closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// What can be captured, and what right is missing.
#[cfg(feature = "live")]
pub(crate) fn list() -> Result<u8, Failure> {
    let devices = live::interface::list().map_err(Failure::usage)?;
    let mut text = String::new();
    for device in &devices {
        let addresses: Vec<String> = device
            .addresses
            .iter()
            .map(|address| address.addr.to_string())
            .collect();
        let state = if device.flags.is_up() { "up" } else { "down" };
        let told = device.desc.as_deref().unwrap_or("");
        text.push_str(&format!(
            "{:<16}  {state:<4}  {}  {told}\n",
            device.name,
            addresses.join(" ")
        ));
    }
    if devices.is_empty() {
        output::complain(
            "no interface can be seen: the right to capture is missing; run as root, or give it once: \
             setcap cap_net_raw,cap_net_admin=eip $(command -v wirefault)",
        );
    }
    output::write(None, text.as_bytes()).map(|()| 0)
}

/// What can be captured: nothing, in this build.
#[cfg(not(feature = "live"))]
pub(crate) fn list() -> Result<u8, Failure> {
    Err(Failure::usage(
        "interfaces: this build cannot capture; build it with `cargo build --release --features live` (needs \
         libpcap-dev), or feed it: tcpdump -i eth0 -U -w - | wirefault live -",
    ))
}
