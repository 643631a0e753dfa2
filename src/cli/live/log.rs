//! The file that a run writes its lines to: whole lines only, turned over by size and age.
//!
//! Lines go out in one write each time there is nothing more to tell, so that a kill between two writes leaves whole
//! lines. A disk that is full does not end the run: what could not be written waits within a limit, is tried again and
//! counted. `FILE` is the newest, `FILE.1` the one before; each begins with the header line.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cli::{Failure, output};

/// Bytes that wait for a disk with room; then the oldest lines are given up and counted.
const WAITING_MAX: usize = 8 << 20;
/// It is said so often at most that the disk takes nothing.
const SAID: Duration = Duration::from_secs(60);

/// When a file is turned over, and how many of the past are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turning {
    pub(super) bytes: u64,
    pub(super) age: Option<Duration>,
    pub(super) kept: u32,
}

/// The file, and the lines that wait.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    /// Not a device or a pipe, which are neither turned over nor anybody's own.
    regular: bool,
    turning: Turning,
    bytes: u64,
    since: Instant,
    /// The first line of all: each file begins with it.
    header: Vec<u8>,
    waiting: Vec<u8>,
    lost: u64,
    said: Option<Instant>,
    trouble: bool,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a file's age is the machine's time"
)]
fn now() -> Instant {
    Instant::now()
}

impl Log {
    /// Goes on at the end of the file, behind its last whole line.
    pub(super) fn open(path: &Path, turning: Turning) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            Failure::usage(format!("{}: cannot be written: {error}", path.display()))
        };
        let file = appended(path).map_err(failed)?;
        let regular = file.metadata().map_err(failed)?.is_file();
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if regular => {
                return Err(Failure::usage(format!(
                    "{}: another wirefault writes to it; choose another --output",
                    path.display()
                )));
            }
            _ => {}
        }
        let bytes = whole_lines(&file).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            regular,
            turning,
            bytes,
            since: now(),
            header: Vec::new(),
            waiting: Vec::new(),
            lost: 0,
            said: None,
            trouble: false,
        })
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.turn_over()?;
        let before = self.file.metadata()?.len();
        let written = self.file.write_all(&self.waiting);
        if let Err(error) = written {
            // Half a line may stand there now.
            let _ = self.file.set_len(before);
            return Err(error);
        }
        self.bytes = before + self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// The file becomes `FILE.1` if it is large or old enough; the oldest is removed.
    fn turn_over(&mut self) -> io::Result<()> {
        if !self.regular {
            return Ok(());
        }
        let old = self
            .turning
            .age
            .is_some_and(|age| self.since.elapsed() >= age);
        let large = self.bytes + self.waiting.len() as u64 > self.turning.bytes;
        if self.bytes <= self.header.len() as u64 || !(old || large) {
            return Ok(());
        }
        // What can fail for want of room comes first: nothing has moved yet.
        let next = beside(&self.path, "new");
        let fresh = appended(&next)?;
        for number in (1..self.turning.kept).rev() {
            let from = numbered(&self.path, number);
            if from.exists() {
                fs::rename(from, numbered(&self.path, number + 1))?;
            }
        }
        if self.turning.kept > 0 && self.path.exists() {
            fs::rename(&self.path, numbered(&self.path, 1))?;
        }
        fs::rename(next, &self.path)?;
        self.file = fresh;
        let _ = self.file.try_lock();
        self.bytes = 0;
        self.since = now();
        if !self.waiting.starts_with(&self.header) {
            let mut lines = self.header.clone();
            lines.append(&mut self.waiting);
            self.waiting = lines;
        }
        Ok(())
    }

    /// The disk took nothing: what waits too long is given up by whole lines, and it is said.
    fn is_refused(&mut self, error: &io::Error) {
        self.trouble = true;
        if self.waiting.len() > WAITING_MAX {
            // Where a line ends there it may end.
            let least = self.waiting.len() - WAITING_MAX - 1;
            let end = self
                .waiting
                .iter()
                .skip(least)
                .position(|byte| *byte == b'\n');
            let end = end.map_or(self.waiting.len(), |end| least + end + 1);
            let given_up = self.waiting.drain(..end).filter(|byte| *byte == b'\n');
            self.lost += given_up.count() as u64;
        }
        if self.said.is_none_or(|said| said.elapsed() >= SAID) {
            self.said = Some(now());
            output::complain(&format!(
                "{}: cannot be written: {error}; the run goes on and tries again ({} lines given up)",
                self.path.display(),
                self.lost
            ));
        }
    }
}

impl Drop for Log {
    /// What the disk did not take to the end is lost, which is said.
    fn drop(&mut self) {
        let lines = self.waiting.iter().filter(|byte| **byte == b'\n').count() as u64;
        if lines > 0 {
            output::complain(&format!(
                "{}: the last {} lines could not be written",
                self.path.display(),
                lines + self.lost
            ));
        }
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Everything so far is whole lines.
    fn flush(&mut self) -> io::Result<()> {
        if self.header.is_empty()
            && let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n')
        {
            self.header = self.waiting.iter().take(end + 1).copied().collect();
        }
        if self.waiting.is_empty() {
            return Ok(());
        }
        match self.write_out() {
            Ok(()) if self.trouble => {
                self.trouble = false;
                self.said = None;
                output::complain(&format!(
                    "{}: is written again; {} lines were given up",
                    self.path.display(),
                    self.lost
                ));
            }
            Ok(()) => {}
            Err(error) => self.is_refused(&error),
        }
        Ok(())
    }
}

fn appended(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .open(path)
}

/// `FILE.1`, `FILE.2` …
fn numbered(path: &Path, number: u32) -> PathBuf {
    beside(path, &number.to_string())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    PathBuf::from(name)
}

/// Cuts what stands behind the last whole line (a power cut, a full disk); gives the length.
fn whole_lines(mut file: &File) -> io::Result<u64> {
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Ok(0);
    }
    let mut end = meta.len();
    let mut piece = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(piece.len() as u64);
        let count = usize::try_from(end - start).unwrap_or(piece.len());
        let Some(room) = piece.get_mut(..count) else {
            break;
        };
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(room)?;
        if let Some(last) = room.iter().rposition(|byte| *byte == b'\n') {
            end = start + last as u64 + 1;
            break;
        }
        end = start;
    }
    if end < meta.len() {
        file.set_len(end)?;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap_or_default();
        assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
        text.lines().map(str::to_owned).collect()
    }

    fn log(path: &Path, kept: u32) -> Log {
        let turning = Turning {
            bytes: 30,
            age: None,
            kept,
        };
        Log::open(path, turning)
            .map_err(|failure| failure.message)
            .unwrap()
    }

    #[test]
    fn files_turn_over_by_size_hold_whole_lines_and_begin_with_the_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        let mut log = log(&path, 2);
        log.write_all(b"header\n").unwrap();
        log.flush().unwrap();
        for number in 0..9 {
            log.write_all(format!("line {number}\n").as_bytes())
                .unwrap();
            log.flush().unwrap();
        }
        assert_eq!(lines(&path), ["header", "line 6", "line 7", "line 8"]);
        let before = lines(&numbered(&path, 1));
        assert_eq!(before, ["header", "line 3", "line 4", "line 5"]);
        assert_eq!(lines(&numbered(&path, 2)).len(), 4);
        assert!(!numbered(&path, 3).exists());
    }

    #[test]
    fn a_file_that_cannot_be_made_moves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        let mut log = log(&path, 2);
        log.write_all(b"header\nline of some length\n").unwrap();
        log.flush().unwrap();
        // A folder stands where the next file is to be made.
        let next = beside(&path, "new");
        fs::create_dir(&next).unwrap();
        for _ in 0..5 {
            log.write_all(b"another line\n").unwrap();
            log.flush().unwrap();
        }
        assert!(!numbered(&path, 1).exists());
        fs::remove_dir(&next).unwrap();
        log.flush().unwrap();
        assert_eq!(lines(&path).len(), 6);
        assert_eq!(lines(&numbered(&path, 1)).len(), 2);
    }

    #[test]
    fn half_a_line_at_the_end_is_cut_and_a_second_writer_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        fs::write(&path, "one\ntwo\nthr").unwrap();
        let mut first = log(&path, 1);
        first.write_all(b"three\n").unwrap();
        first.flush().unwrap();
        assert_eq!(lines(&path), ["one", "two", "three"]);
        let turning = first.turning;
        let second = Log::open(&path, turning)
            .err()
            .map(|refused| refused.message);
        assert!(second.is_some_and(|refused| refused.contains("another wirefault")));
    }

    #[test]
    fn a_full_disk_is_waited_out_and_the_oldest_lines_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        let mut log = log(&path, 1);
        log.turning.bytes = u64::MAX;
        let good = log.file.try_clone().unwrap();
        log.file = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        for _ in 0..(WAITING_MAX / 1024 + 3) {
            log.write_all(&line).unwrap();
        }
        log.flush().unwrap();
        assert_eq!((log.lost, log.waiting.len()), (3, WAITING_MAX));
        log.file = good;
        log.flush().unwrap();
        assert_eq!(lines(&path).len(), WAITING_MAX / 1024);
    }
}
