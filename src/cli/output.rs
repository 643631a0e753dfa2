//! Where things are written: data to standard output or a file that appears whole, everything else to standard
//! error. The only place that prints.
#![expect(clippy::print_stderr, reason = "this is where messages go out")]

use std::io::{self, Write};
use std::path::Path;

use crate::cli::Failure;

/// One sentence on standard error.
pub(crate) fn complain(message: &str) {
    eprintln!("wirefault: {message}");
}

/// One line on standard error without the program's name.
pub(crate) fn remark(line: &str) {
    eprintln!("{line}");
}

/// Writes `data` to `path`, or to standard output. A file appears whole or not at all; a closed pipe is no failure.
pub(crate) fn write(path: Option<&Path>, data: &[u8]) -> Result<(), Failure> {
    match path {
        Some(path) => write_file(path, data).map_err(|error| {
            Failure::usage(format!(
                "{}: cannot be written: {error}; choose another --output",
                path.display()
            ))
        }),
        None => match io::stdout()
            .lock()
            .write_all(data)
            .and_then(|()| io::stdout().lock().flush())
        {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::usage(
                format!("standard output: cannot be written: {error}"),
            )),
            _ => Ok(()),
        },
    }
}

fn write_file(path: &Path, data: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = std::fs::File::create(&part).and_then(|mut file| {
        file.write_all(data)?;
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
    eprint!("{line}");
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
