//! Where things are written: data to standard output or a file that appears whole, everything else to standard
//! error. The only place that prints.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::cli::Failure;
use crate::tell::Say;

/// Where sentences go while something else has the terminal.
static ASIDE: Mutex<Option<Say>> = Mutex::new(None);

/// Sentences go there from now on, or to standard error again.
pub(crate) fn aside(to: Option<Say>) {
    *ASIDE.lock().unwrap_or_else(PoisonError::into_inner) = to;
}

/// Sentences go to standard error again when it is dropped.
pub(crate) struct Back;

impl Drop for Back {
    fn drop(&mut self) {
        aside(None);
    }
}

/// One sentence on standard error.
pub(crate) fn complain(message: &str) {
    let aside = ASIDE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match aside {
        Some(say) => say(message),
        // A terminal that is gone must not end a run.
        None => drop(writeln!(io::stderr(), "wirefault: {message}")),
    }
}

/// One line on standard error without the program's name.
pub(crate) fn remark(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Bytes gathered before they are written.
const BUFFER: usize = 256 << 10;

/// What is to be written, as it is made.
pub(crate) type Write<'a> = &'a mut dyn FnMut(&mut dyn io::Write) -> io::Result<()>;

/// Writes `data` to `path`, or to standard output.
pub(crate) fn write(path: Option<&Path>, data: &[u8]) -> Result<(), Failure> {
    write_as_made(path, &mut |out| out.write_all(data))
}

/// Writes to `path`, or to standard output, what is made meanwhile. A file appears whole or not at all; a closed pipe is no failure.
pub(crate) fn write_as_made(path: Option<&Path>, data: Write<'_>) -> Result<(), Failure> {
    match path {
        Some(path) => write_file(path, data).map_err(|error| {
            Failure::usage(format!(
                "{}: cannot be written: {error}; choose another --output",
                path.display()
            ))
        }),
        None => match gathered(io::stdout().lock(), data) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::usage(
                format!("standard output: cannot be written: {error}"),
            )),
            _ => Ok(()),
        },
    }
}

fn gathered(out: impl io::Write, data: Write<'_>) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(BUFFER, out);
    data(&mut out)?;
    out.flush()
}

fn write_file(path: &Path, data: Write<'_>) -> io::Result<()> {
    // A device or a pipe is written to, never put aside for a file of its name: `/dev/null` must stay what it is.
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir()) {
        let device = std::fs::OpenOptions::new().write(true).open(path)?;
        return gathered(device, data);
    }
    // Through a link the file behind it is written, and the link stays.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let path = target.as_path();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = std::fs::File::create(&part).and_then(|mut file| {
        gathered(&mut file, data)?;
        file.sync_all()
    });
    let moved = written.and_then(|()| std::fs::rename(&part, path));
    if moved.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    moved
}

/// Redraws the progress bar.
pub(crate) fn bar(line: &str) {
    let _ = write!(io::stderr(), "{line}");
}

/// Are colours wanted? `auto`: on a terminal, unless `NO_COLOR` is set or the report goes to a file.
pub(crate) fn color(arg: crate::cli::ColorArg, to_stdout: bool) -> bool {
    use std::io::IsTerminal as _;
    match arg {
        crate::cli::ColorArg::Always => true,
        crate::cli::ColorArg::Never => false,
        crate::cli::ColorArg::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            to_stdout && !refused && io::stdout().is_terminal()
        }
    }
}

/// Columns of the terminal: `COLUMNS` where set, else 100.
pub(crate) fn width() -> usize {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|value| value.parse().ok())
        .filter(|width| *width >= 40)
        .unwrap_or(100)
}
