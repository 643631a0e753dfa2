//! Lines that wait on disk until they are delivered: whole lines, appended to files that are deleted when they are done.
//!
//! A folder holds `00000001.jsonl`, ... and `at`, which says how far delivery came. What is appended is there after the
//! process is killed at any moment; a line that a crash of the machine cut is left out. `at` is replaced after a line was
//! delivered: killed in between, the line is delivered again. Where the bound is reached the oldest file goes.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// The queue's bytes are spread over so many files, one of which is lost at once where the bound is reached.
const FILES: u64 = 8;
/// Lines kept in memory while the disk takes none.
const UNWRITTEN_MAX: usize = 256;

/// One file of lines.
#[derive(Debug)]
struct Part {
    number: u64,
    bytes: u64,
    /// Those not delivered.
    lines: u64,
}

/// Lines on disk, in order.
#[derive(Debug)]
pub(crate) struct Queue {
    folder: PathBuf,
    /// Held as long as the queue is: one process a folder.
    _lock: File,
    bytes_max: u64,
    parts: VecDeque<Part>,
    /// Of the first part: bytes delivered.
    offset: u64,
    out: Option<File>,
    unwritten: VecDeque<String>,
    /// Lines lost since it was asked last.
    dropped: u64,
}

impl Queue {
    /// Takes up what a former run left in `folder`, which is made if need be.
    pub(crate) fn open(folder: &Path, bytes_max: u64) -> Result<Self, String> {
        let failed = |error: io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(folder).map_err(failed)?;
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|_| {
            format!(
                "{}: another run delivers from this folder; give each run a folder of its own",
                folder.display()
            )
        })?;
        let mut queue = Self {
            folder: folder.to_owned(),
            _lock: lock,
            bytes_max,
            parts: VecDeque::new(),
            offset: 0,
            out: None,
            unwritten: VecDeque::new(),
            dropped: 0,
        };
        queue.take_up().map_err(failed)?;
        Ok(queue)
    }

    fn take_up(&mut self) -> io::Result<()> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            let number: Option<u64> = name
                .strip_suffix(".jsonl")
                .and_then(|stem| stem.parse().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        let (delivered, offset) = self.delivered().unwrap_or_default();
        for number in numbers {
            if number < delivered {
                fs::remove_file(self.path(number))?;
                continue;
            }
            let begin = if number == delivered { offset } else { 0 };
            let bytes = fs::read(self.path(number))?;
            // What stands behind the last line end was cut.
            let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |place| place + 1);
            if whole < bytes.len() {
                let file = OpenOptions::new().write(true).open(self.path(number))?;
                file.set_len(whole as u64)?;
                self.dropped += 1;
            }
            // An offset that is no line's end is not ours.
            let begin = usize::try_from(begin).unwrap_or(usize::MAX);
            let ends = |begin: usize| begin == 0 || bytes.get(begin - 1) == Some(&b'\n');
            let begin = if begin <= whole && ends(begin) {
                begin
            } else {
                0
            };
            let rest = bytes.get(begin..whole).unwrap_or(&[]);
            let lines = memchr::memchr_iter(b'\n', rest).count() as u64;
            if self.parts.is_empty() {
                self.offset = begin as u64;
            }
            self.parts.push_back(Part {
                number,
                bytes: whole as u64,
                lines,
            });
        }
        Ok(())
    }

    /// How far delivery came: number of the file, bytes.
    fn delivered(&self) -> Option<(u64, u64)> {
        let text = fs::read_to_string(self.folder.join("at")).ok()?;
        let (number, offset) = text.trim().split_once(' ')?;
        Some((number.parse().ok()?, offset.parse().ok()?))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:08}.jsonl"))
    }

    /// Appends a line, which holds no line end. An error says why the disk took none; it is tried again with the next.
    pub(crate) fn push(&mut self, line: String) -> io::Result<()> {
        self.unwritten.push_back(line);
        if self.unwritten.len() > UNWRITTEN_MAX {
            self.unwritten.pop_front();
            self.dropped += 1;
        }
        self.write()
    }

    /// Writes what the disk did not take before.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        while let Some(line) = self.unwritten.front() {
            let mut bytes = line.clone().into_bytes();
            bytes.push(b'\n');
            self.append(&bytes)?;
            self.unwritten.pop_front();
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let size = bytes.len() as u64;
        let full = |part: &Part| part.bytes + size > self.bytes_max / FILES && part.bytes > 0;
        if self.out.is_none() || self.parts.back().is_none_or(full) {
            let number = self.next();
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(self.path(number))?;
            self.out = Some(file);
            self.parts.push_back(Part {
                number,
                bytes: 0,
                lines: 0,
            });
        }
        let (Some(out), Some(part)) = (&mut self.out, self.parts.back_mut()) else {
            return Ok(());
        };
        if let Err(error) = out.write_all(bytes) {
            // A full disk took a part of the line: readers see whole lines only.
            let _ = out.set_len(part.bytes);
            return Err(error);
        }
        part.bytes += size;
        part.lines += 1;
        while self.parts.len() > 1 && self.bytes() > self.bytes_max {
            self.forget()?;
        }
        Ok(())
    }

    /// The number of the next file: above all that were, also before a restart.
    fn next(&self) -> u64 {
        let last = self.parts.back().map(|part| part.number);
        let delivered = self.delivered().map(|(number, _)| number);
        last.max(delivered).unwrap_or(0) + 1
    }

    fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// Drops the oldest file.
    fn forget(&mut self) -> io::Result<()> {
        if let Some(part) = self.parts.pop_front() {
            self.dropped += part.lines;
            self.offset = 0;
            fs::remove_file(self.path(part.number))?;
        }
        Ok(())
    }

    /// The oldest line that was not delivered.
    pub(crate) fn peek(&mut self) -> io::Result<Option<(Place, String)>> {
        while let Some(part) = self.parts.front() {
            if part.lines == 0 {
                if self.parts.len() == 1 {
                    return Ok(None);
                }
                let number = part.number;
                self.parts.pop_front();
                self.offset = 0;
                fs::remove_file(self.path(number))?;
                continue;
            }
            let mut file = BufReader::new(File::open(self.path(part.number))?);
            file.seek(SeekFrom::Start(self.offset))?;
            let mut line = Vec::new();
            file.read_until(b'\n', &mut line)?;
            let place = Place {
                number: part.number,
                end: self.offset + line.len() as u64,
            };
            line.pop();
            return Ok(Some((place, String::from_utf8_lossy(&line).into_owned())));
        }
        Ok(None)
    }

    /// The line at `place` was delivered, or given up. Where it was dropped meanwhile nothing happens.
    pub(crate) fn done(&mut self, place: Place) -> io::Result<()> {
        let Some(part) = self.parts.front_mut() else {
            return Ok(());
        };
        if part.number != place.number || place.end <= self.offset {
            return Ok(());
        }
        part.lines = part.lines.saturating_sub(1);
        self.offset = place.end;
        let fresh = self.folder.join("at.part");
        fs::write(&fresh, format!("{} {}\n", place.number, place.end))?;
        fs::rename(fresh, self.folder.join("at"))
    }

    /// Lines that wait.
    pub(crate) fn waiting(&self) -> u64 {
        let written: u64 = self.parts.iter().map(|part| part.lines).sum();
        written + self.unwritten.len() as u64
    }

    /// Lines lost since this was asked last.
    pub(crate) fn dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

/// Where a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    number: u64,
    end: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(folder: &Path, bytes_max: u64) -> Queue {
        Queue::open(folder, bytes_max).unwrap()
    }

    fn take(queue: &mut Queue) -> Option<String> {
        let (place, line) = queue.peek().unwrap()?;
        queue.done(place).unwrap();
        Some(line)
    }

    #[test]
    fn what_was_not_delivered_is_there_after_a_restart_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = queue(folder.path(), 1 << 20);
        for line in ["a", "b", "c"] {
            first.push(line.to_owned()).unwrap();
        }
        assert_eq!(take(&mut first).as_deref(), Some("a"));
        // Seen and not delivered: it comes again.
        assert_eq!(first.peek().unwrap().unwrap().1, "b");
        drop(first);
        let mut second = queue(folder.path(), 1 << 20);
        assert_eq!(second.waiting(), 2);
        second.push("d".to_owned()).unwrap();
        let all: Vec<String> = std::iter::from_fn(|| take(&mut second)).collect();
        assert_eq!(all, ["b", "c", "d"]);
        drop(second);
        let mut third = queue(folder.path(), 1 << 20);
        assert_eq!((third.waiting(), third.peek().unwrap()), (0, None));
        third.push("e".to_owned()).unwrap();
        drop(third);
        assert_eq!(
            take(&mut queue(folder.path(), 1 << 20)).as_deref(),
            Some("e")
        );
    }

    #[test]
    fn a_line_that_was_cut_is_left_out_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = queue(folder.path(), 1 << 20);
        first.push("whole".to_owned()).unwrap();
        drop(first);
        let path = folder.path().join("00000001.jsonl");
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"cut").unwrap();
        let mut second = queue(folder.path(), 1 << 20);
        assert_eq!(second.dropped(), 1);
        second.push("next".to_owned()).unwrap();
        let all: Vec<String> = std::iter::from_fn(|| take(&mut second)).collect();
        assert_eq!(all, ["whole", "next"]);
    }

    #[test]
    fn at_the_bound_the_oldest_lines_go_and_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut queue = queue(folder.path(), 1_000);
        let line = |number: u32| format!("{number:049}");
        for number in 0..100 {
            queue.push(line(number)).unwrap();
            assert!(queue.bytes() <= 1_000);
        }
        let dropped = queue.dropped();
        let all: Vec<String> = std::iter::from_fn(|| take(&mut queue)).collect();
        assert_eq!(dropped + all.len() as u64, 100);
        assert!(all.len() >= 16, "{} lines are left", all.len());
        let left: Vec<String> = (100 - u32::try_from(all.len()).unwrap()..100)
            .map(line)
            .collect();
        assert_eq!(all, left, "the newest stay, in order");
    }

    #[test]
    fn a_line_that_was_dropped_while_it_was_on_its_way_takes_no_other_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut queue = queue(folder.path(), 1_000);
        queue.push("x".repeat(100)).unwrap();
        let (place, _) = queue.peek().unwrap().unwrap();
        for number in 0..40 {
            queue.push(format!("{number:099}")).unwrap();
        }
        let waiting = queue.waiting();
        queue.done(place).unwrap();
        assert_eq!(queue.waiting(), waiting);
    }

    #[test]
    fn a_folder_serves_one_run() {
        let folder = tempfile::tempdir().unwrap();
        let _first = queue(folder.path(), 1_000);
        let error = Queue::open(folder.path(), 1_000).unwrap_err();
        assert!(error.contains("another run"), "{error}");
    }

    #[test]
    fn a_spoilt_mark_of_delivery_repeats_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = queue(folder.path(), 1 << 20);
        for line in ["a", "b"] {
            first.push(line.to_owned()).unwrap();
        }
        assert_eq!(take(&mut first).as_deref(), Some("a"));
        drop(first);
        for spoilt in ["", "1 1", "1 99999", "x"] {
            fs::write(folder.path().join("at"), spoilt).unwrap();
            let mut again = queue(folder.path(), 1 << 20);
            assert_eq!(again.peek().unwrap().unwrap().1, "a", "{spoilt:?}");
        }
    }
}
