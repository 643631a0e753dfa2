//! Which files are the parts of one capture, by their names.
//!
//! Known are the rings of dumpcap (`base_00001_20260101120000.pcap`, number and time in either order), tcpdump's
//! numbers behind the ending (`x.pcap`, `x.pcap1`) and names that hold a time (tcpdump `-G`). A lone number before
//! the ending (`server1.pcap`) names a place as often as a part, and makes no set.

use std::path::Path;

/// A file name taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The name with its number and time taken out: equal for the files of a set.
    pub(super) stem: String,
    /// The file's number within its set.
    pub(super) number: Option<u64>,
    /// The name holds a time, too.
    pub(super) timed: bool,
    /// The number stands behind the ending, so that the first file may have none.
    pub(super) behind: bool,
}

const PACKED: [&str; 5] = [".gz", ".zst", ".lz4", ".xz", ".zstd"];
const ENDINGS: [&str; 5] = [".pcapng", ".pcap", ".cap", ".dmp", ".ntar"];

impl Name {
    /// Takes the name of `path` apart; the folder belongs to the stem.
    pub(super) fn parse(path: &Path) -> Self {
        let folder = path
            .parent()
            .map(|folder| folder.display().to_string())
            .unwrap_or_default();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let bare = PACKED
            .iter()
            .find_map(|ending| name.strip_suffix(ending))
            .unwrap_or(&name);
        let digits = bare.len()
            - bare
                .trim_end_matches(|byte: char| byte.is_ascii_digit())
                .len();
        let (before, behind) = bare.split_at(bare.len() - digits);
        let ending = ENDINGS.iter().find(|ending| before.ends_with(**ending));
        let (base, behind) = match ending {
            Some(_) => (before, behind.parse().ok()),
            None => (bare, None),
        };
        let mut name = Self {
            stem: String::new(),
            number: behind,
            timed: false,
            behind: ending.is_some(),
        };
        name.stem = format!("{folder}/{}", name.without_time(base));
        name
    }

    /// Replaces times by `<t>` and, beside a time or five digits long, dumpcap's number by `<n>`.
    fn without_time(&mut self, base: &str) -> String {
        let mut out = String::with_capacity(base.len());
        let mut rest = base;
        while let Some(next) = rest.chars().next() {
            let digits = rest.len()
                - rest
                    .trim_start_matches(|byte: char| byte.is_ascii_digit())
                    .len();
            if let Some(length) = time_length(rest) {
                self.timed = true;
                out.push_str("<t>");
                rest = rest.get(length..).unwrap_or("");
            } else if digits == 5 && out.ends_with('_') && self.number.is_none() {
                self.number = rest.get(..5).and_then(|digits| digits.parse().ok());
                self.behind = false;
                out.push_str("<n>");
                rest = rest.get(5..).unwrap_or("");
            } else {
                let step = digits.max(next.len_utf8());
                out.push_str(rest.get(..step).unwrap_or(""));
                rest = rest.get(step..).unwrap_or("");
            }
        }
        out
    }

    /// The name says that its file is, or may be, part of a set.
    pub(super) fn in_set(&self) -> bool {
        self.number.is_some() || self.timed || self.behind
    }
}

/// Bytes of a time at the beginning of `text`: `20260101120000`, `20260101-12…`, `2026-01-01…`, or ten digits of seconds.
fn time_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let number =
        |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<u32>().ok());
    let date = |year, month, day| {
        (1990..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
    };
    let dated = match digits {
        8 | 12 | 14 if date(number(0, 4)?, number(4, 6)?, number(6, 8)?) => digits,
        // Seconds since 1970, from 2001 to 2286.
        10 if bytes.first() != Some(&b'0') => return Some(10),
        4 if matches!(bytes.get(4), Some(b'-' | b'_' | b'.'))
            && bytes.get(7) == bytes.get(4)
            && date(number(0, 4)?, number(5, 7)?, number(8, 10)?) =>
        {
            10
        }
        _ => return None,
    };
    // The time of day, as far as digits and its usual separators go on.
    let tail = bytes.get(dated..)?;
    let mut end = 0;
    while let Some(byte) = tail.get(end) {
        let joins = matches!(byte, b'-' | b'_' | b'.' | b':' | b'T' | b'h' | b'm');
        let two = |at: usize| {
            let run = tail
                .get(at..)
                .unwrap_or(&[])
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            matches!(run, 2 | 4 | 6).then_some(run)
        };
        match joins.then(|| two(end + 1)).flatten() {
            Some(run) => end += 1 + run,
            None => break,
        }
    }
    Some(dated + end)
}

/// Runs of numbers that lie between the smallest and the largest and are absent. `numbers` ascend.
pub(super) fn gaps(numbers: &[u64]) -> Vec<(u64, u64)> {
    numbers
        .windows(2)
        .filter_map(|pair| match pair {
            [low, high] if high.saturating_sub(*low) > 1 => Some((low + 1, high - 1)),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> (String, Option<u64>, bool) {
        let name = Name::parse(Path::new(name));
        (name.stem, name.number, name.timed)
    }

    #[test]
    fn the_names_of_dumpcap_and_tcpdump_are_taken_apart() {
        assert_eq!(
            parse("d/ring_00012_20260101120000.pcapng"),
            ("d/ring_<n>_<t>.pcapng".into(), Some(12), true)
        );
        assert_eq!(
            parse("d/ring_20260101120000_00012.pcap.gz"),
            ("d/ring_<t>_<n>.pcap".into(), Some(12), true)
        );
        assert_eq!(parse("x.pcap3"), ("/x.pcap".into(), Some(3), false));
        assert_eq!(parse("x.pcap"), ("/x.pcap".into(), None, false));
        assert_eq!(
            parse("gw-2026-01-01_12-30-00.pcap"),
            ("/gw-<t>.pcap".into(), None, true)
        );
        assert_eq!(
            parse("gw-20260101-1230.pcap"),
            ("/gw-<t>.pcap".into(), None, true)
        );
        assert_eq!(
            parse("gw-1767225600.pcap"),
            ("/gw-<t>.pcap".into(), None, true)
        );
        assert_eq!(parse("server1.pcap"), ("/server1.pcap".into(), None, false));
        assert_eq!(
            parse("发票_00001_20260101120000.pcap"),
            ("/发票_<n>_<t>.pcap".into(), Some(1), true)
        );
    }

    #[test]
    fn missing_numbers_are_found_between_the_ends_only() {
        assert_eq!(gaps(&[3, 4, 7, 9]), [(5, 6), (8, 8)]);
        assert_eq!(gaps(&[]), []);
    }
}
