//! What every analysing command does first: trust anchors, inputs, the loop `next -> push`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::cli::filter::Filter;
use crate::cli::{Common, Failure, endpoints, keys, output};
use crate::decode;
use crate::endpoint::Rules;
use crate::engine::diagnosis::Diagnosis;
use crate::engine::shard::Anchors;
use crate::engine::{Engine, Options};
use crate::ingest::{self, Batch, Feed, FileReport, Interface, LinkType};
use crate::limits;
use crate::protocol::tls::KeyLog;
use crate::protocol::tls::chain::TrustStore;

/// A finished reading.
pub(crate) struct Run {
    /// What was found out.
    pub(crate) diagnosis: Diagnosis,
    /// What was read.
    pub(crate) files: Vec<FileReport>,
    /// On which interfaces.
    pub(crate) interfaces: Vec<Interface>,
    /// Secrets of TLS sessions: the key log's and the captures'.
    pub(crate) keys: Option<Arc<KeyLog>>,
    /// Some of the captures' stood behind the first packets.
    late_keys: bool,
    /// Interrupted.
    stopped: bool,
    /// Some input could not be read, or not to its end because the run was interrupted.
    pub(crate) skipped: bool,
}

/// Reads all inputs through the engine.
pub(crate) fn read(common: &Common, rows: bool) -> Result<Run, Failure> {
    if common.paths.is_empty() {
        return Err(Failure::usage(
            "PATH is missing: name files, folders or globs, or - for standard input; --help lists the options",
        ));
    }
    let judging = Judging::of(common)?;
    let run = pass(common, &judging, rows, true)?;
    // Secrets that stood behind their packets are known now. A stream cannot be read again.
    match run.keys.clone().filter(|_| run.late_keys && !run.stopped) {
        Some(keys) if common.paths.iter().all(|path| !is_stream(path)) => {
            pass(common, &judging.with(keys), rows, false)
        }
        _ => Ok(run),
    }
}

/// Standard input, a pipe, a device.
pub(crate) fn is_stream(path: &str) -> bool {
    let other = |about: std::fs::Metadata| !about.is_file() && !about.is_dir();
    path == "-" || std::fs::metadata(path).is_ok_and(other)
}

/// One reading of all inputs; a second one complains of nothing that the first one did.
fn pass(common: &Common, judging: &Judging, rows: bool, first: bool) -> Result<Run, Failure> {
    let mut filter = common.filter.as_deref().map(Filter::new).transpose()?;
    let mut engine = engine_by(judging, common, rows)?;
    let complain = |errors: &[ingest::IngestError]| {
        if first {
            complain(errors);
        }
    };
    // One thread takes what it read at once, while it is in its core's cache; several need enough to share.
    let portions = if threads(common)? > 1 {
        ingest::Options::default()
    } else {
        ingest::Options {
            block_bytes: 256 << 10,
            batch_frames: 1_024,
        }
    };
    let (mut feed, errors) = Feed::open(&common.paths, &portions);
    complain(&errors);
    let mut progress = Progress::new(common);
    let (mut batch, mut next) = (Batch::default(), Batch::default());
    let stop = stop_on_interrupt()?;
    let mut stopped = false;
    let mut more = feed.next(&mut batch);
    while more {
        if let Some(filter) = &mut filter {
            filter.apply(&mut batch)?;
        }
        // What is read is judged, so that the report tells both alike.
        stopped = stop.load(Ordering::Relaxed);
        more = engine.push_beside(&batch, || !stopped && feed.next(&mut next));
        std::mem::swap(&mut batch, &mut next);
        progress.show(&feed);
    }
    progress.clear();
    if stopped {
        output::complain("interrupted: the report tells what was read up to here");
    }
    let late = feed.take_errors();
    complain(&late);
    let (files, interfaces) = (feed.files().to_vec(), feed.interfaces().to_vec());
    if files.is_empty() {
        return Err(Failure {
            status: 3,
            message: "no input could be read".to_owned(),
        });
    }
    let left_out = filter.map_or(Ok(0), Filter::finish)?;
    let (keys, late_keys) = (engine.keys().cloned(), engine.had_late_keys());
    let mut diagnosis = engine.finish(&files);
    if left_out > 0 {
        diagnosis
            .unjudged
            .insert("filtered-out".to_owned(), left_out);
    }
    let unread = unread(&files, &interfaces, first);
    let skipped = stopped || unread || !errors.is_empty() || !late.is_empty();
    Ok(Run {
        diagnosis,
        files,
        interfaces,
        keys,
        late_keys,
        stopped,
        skipped,
    })
}

/// A capture must not be replaced by what is told of it.
pub(crate) fn spare(path: Option<&Path>, files: &[FileReport]) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let target: Option<PathBuf> = std::fs::canonicalize(path).ok();
    let is_target = |file: &str| target.is_some() && std::fs::canonicalize(file).ok() == target;
    if files.iter().any(|file| is_target(&file.path)) {
        return Err(Failure::usage(format!(
            "{}: this is one of the captures that are read; choose another --output",
            path.display()
        )));
    }
    Ok(())
}

/// Says of which captures no packet can be read for want of their link type, if that is to be `told`; true if there are
/// any.
pub(crate) fn unread(files: &[FileReport], interfaces: &[Interface], told: bool) -> bool {
    let mut any = false;
    for file in files {
        let faces = interfaces.iter().filter(|face| face.point == file.point);
        let here = faces.filter(|face| face.packets > 0 && file.link_types.contains(&face.link));
        let unknown = here
            .map(|face| face.link)
            .filter(|link| !decode::reads(*link));
        let unknown: BTreeSet<LinkType> = unknown.collect();
        for link in unknown {
            any = true;
            if !told {
                continue;
            }
            output::complain(&format!(
                "{}: packets of link type {} are counted and not read; capture on an Ethernet, cooked, raw IP, PPP \
                 or 802.11 interface instead",
                file.path,
                link.name()
            ));
        }
    }
    any
}

/// One sentence for each input that could not be read, or not to its end.
pub(crate) fn complain(errors: &[ingest::IngestError]) {
    for error in errors {
        output::complain(&error.to_string());
    }
}

/// How many threads were asked for, else as many as the machine has.
pub(crate) fn threads(common: &Common) -> Result<usize, Failure> {
    match common.threads {
        Some(0) => Err(Failure::usage("--threads 0: at least one thread is needed")),
        Some(threads) => Ok(threads),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}

/// An engine with what it judges by, and the bound of memory that was asked for.
pub(crate) fn engine_by(judging: &Judging, common: &Common, rows: bool) -> Result<Engine, Failure> {
    let mut engine = judging.engine(threads(common)?, rows)?;
    if let Some(size) = &common.memory {
        engine.within(bytes(size)?);
    }
    Ok(engine)
}

/// What engines judge by, read once.
pub(crate) struct Judging {
    trust: Arc<TrustStore>,
    rules: Option<(Arc<Rules>, Anchors)>,
    keys: Option<Arc<KeyLog>>,
    /// Identity of the key log that was asked for.
    key_log: Option<String>,
}

impl Judging {
    /// The trust anchors and endpoint rules that were asked for.
    pub(crate) fn of(common: &Common) -> Result<Self, Failure> {
        let trust = Arc::new(trust(common)?);
        let keys = keys::read(common)?;
        let rules = common
            .endpoints
            .as_deref()
            .map(endpoints::read)
            .transpose()?;
        Ok(Self {
            trust,
            rules: rules.map(|(rules, anchors)| (Arc::new(rules), anchors)),
            key_log: keys.as_ref().map(|keys| keys.identity()),
            keys,
        })
    }

    /// The same with what is known of secrets besides.
    pub(crate) fn with(&self, keys: Arc<KeyLog>) -> Self {
        Self {
            keys: Some(keys),
            trust: Arc::clone(&self.trust),
            rules: self.rules.clone(),
            key_log: self.key_log.clone(),
        }
    }

    /// An engine that judges by them.
    pub(crate) fn engine(&self, threads: usize, rows: bool) -> Result<Engine, Failure> {
        let mut engine = Engine::new(&Options {
            threads,
            rows,
            trust: Arc::clone(&self.trust),
        })
        .map_err(Failure::usage)?;
        if let Some((rules, anchors)) = &self.rules {
            engine.judge_by(Arc::clone(rules), anchors);
        }
        if let Some(keys) = &self.keys {
            engine.open_by(Arc::clone(keys), self.key_log.clone());
        }
        Ok(engine)
    }

    /// The endpoint rules.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        let own = self.rules.as_ref().map(|(rules, _)| Arc::clone(rules));
        own.unwrap_or_else(Rules::shared)
    }

    /// Identity of the key log.
    pub(crate) fn key_log(&self) -> Option<String> {
        self.key_log.clone()
    }

    /// Identity of the trust anchors.
    pub(crate) fn trust_store(&self) -> String {
        self.trust.identity()
    }
}

/// The bound of memory: a size, and not too small to work in.
pub(crate) fn bytes(size: &str) -> Result<u64, Failure> {
    let bytes = sized("--memory", size)?;
    if bytes < limits::MEMORY_MIN {
        return Err(Failure::usage(format!(
            "--memory {size}: at least 96M are needed; write it as 512M or 2G"
        )));
    }
    Ok(bytes)
}

/// A size such as `512M`, of this option: K, M, G and T are powers of 1,024, with or without `iB`.
pub(crate) fn sized(option: &str, size: &str) -> Result<u64, Failure> {
    let wrong =
        |what: &str| Failure::usage(format!("{option} {size}: {what}; write it as 512M or 2G"));
    let digits = size.len()
        - size
            .trim_start_matches(|letter: char| letter.is_ascii_digit())
            .len();
    let (number, unit) = size.split_at(digits);
    let shift = match unit
        .to_ascii_uppercase()
        .trim_end_matches('B')
        .trim_end_matches('I')
    {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(wrong("not a size")),
    };
    let number: u64 = number.parse().map_err(|_| wrong("not a size"))?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| wrong("larger than any memory"))
}

/// The first Ctrl-C ends the reading, the second the program.
pub(crate) fn stop_on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| Failure::usage(format!("signals cannot be handled: {error}")))?;
    }
    Ok(stop)
}

fn trust(common: &Common) -> Result<TrustStore, Failure> {
    let mut store = match &common.ca_bundle {
        Some(path) => {
            let pem = std::fs::read(path).map_err(|error| {
                Failure::usage(format!(
                    "--ca-bundle {}: cannot be read: {error}",
                    path.display()
                ))
            })?;
            TrustStore::from_pem(&pem).map_err(|error| {
                Failure::usage(format!("--ca-bundle {}: {error}", path.display()))
            })?
        }
        None => TrustStore::bundled(),
    };
    if common.native_roots {
        store.add_native();
    }
    Ok(store)
}

/// The bar on standard error: bytes, packets, rate and time left. Only on a terminal, and not with `--quiet`.
struct Progress {
    shown: bool,
    wanted: bool,
    began: Instant,
    last: Instant,
}

impl Progress {
    #[expect(
        clippy::disallowed_methods,
        reason = "the bar shows the reader's time, not the capture's"
    )]
    fn new(common: &Common) -> Self {
        use std::io::IsTerminal as _;
        let now = Instant::now();
        Self {
            shown: false,
            wanted: !common.quiet && std::io::stderr().is_terminal(),
            began: now,
            last: now,
        }
    }

    fn show(&mut self, feed: &Feed) {
        if !self.wanted || self.last.elapsed() < Duration::from_millis(200) {
            return;
        }
        self.last += self.last.elapsed();
        self.shown = true;
        let progress = feed.progress();
        let seconds = self.began.elapsed().as_secs_f64().max(1e-3);
        let rate = progress.bytes_read as f64 / seconds;
        let megabytes = progress.bytes_read as f64 / 1e6;
        let left = match progress.bytes_total {
            Some(total) if rate > 0.0 => {
                let rest = total.saturating_sub(progress.bytes_read) as f64 / rate;
                format!(" of {:.0} MB, {rest:.0} s left", total as f64 / 1e6)
            }
            _ => " MB".to_owned(),
        };
        let line = format!(
            "\r{megabytes:.0}{left}, {} packets, {:.0} MB/s   ",
            progress.packets,
            rate / 1e6
        );
        output::bar(&line);
    }

    fn clear(&self) {
        if self.shown {
            output::bar("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_read_with_their_units() {
        let size = |size: &str| bytes(size).ok();
        assert_eq!(size("96M"), Some(96 << 20));
        assert_eq!(size("128MiB"), Some(128 << 20));
        assert_eq!(size("134217728"), Some(128 << 20));
        assert_eq!(size("1t"), Some(1 << 40));
        assert_eq!(size("95M"), None);
        assert_eq!(size("much"), None);
        assert_eq!(size("12X"), None);
        assert_eq!(size("99999999999G"), None);
    }
}
