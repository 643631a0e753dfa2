//! JSON, and the stream of events.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::report::schema::{Closing, Event, Header};
use crate::report::{Findings, Told};

/// One object with a newline at its end: a line for each of its keys, and for each finding, incident, endpoint.
pub fn report(told: &Told<Findings>, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(GATHERED, out);
    let mut serializer = Serializer::with_formatter(&mut out, Layout::default());
    told.report.serialize(&mut serializer)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Bytes gathered before they are handed on.
const GATHERED: usize = 64 * 1024;
/// What lies this deep or deeper stands on one line.
const ON_ONE_LINE: usize = 3;

/// Indented near the surface and on one line below, so that a finding is a line to read and to search for.
#[derive(Debug, Default)]
struct Layout {
    depth: usize,
    holds: bool,
}

impl Layout {
    fn open<W: Write + ?Sized>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.holds = false;
        out.write_all(bracket)
    }

    fn next<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        match (self.depth < ON_ONE_LINE, first) {
            (false, true) => Ok(()),
            (false, false) => out.write_all(b","),
            (true, true) => self.line(out),
            (true, false) => {
                out.write_all(b",")?;
                self.line(out)
            }
        }
    }

    fn close<W: Write + ?Sized>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        let lines = self.holds && self.depth < ON_ONE_LINE;
        self.depth = self.depth.saturating_sub(1);
        if lines {
            self.line(out)?;
        }
        self.holds = true;
        out.write_all(bracket)
    }

    fn line<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(match self.depth {
            0 => b"\n",
            1 => b"\n  ",
            _ => b"\n    ",
        })
    }
}

impl Formatter for Layout {
    fn begin_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.holds = true;
        Ok(())
    }

    fn begin_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(if self.depth < ON_ONE_LINE {
            b": "
        } else {
            b":"
        })
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.holds = true;
        Ok(())
    }
}

/// One object a line: `header`, the findings, incidents, captures and endpoints, last `summary`.
pub fn events(told: &Told<Findings>, out: impl Write) -> io::Result<()> {
    let report = &told.report;
    let mut lines = Lines::new(out);
    lines.push(
        "header",
        &Header {
            schema: "wirefault.events/1",
            tool: &report.tool,
            options: &told.options,
        },
    )?;
    for finding in report.findings.iter() {
        lines.push("finding", &finding)?;
    }
    for incident in &report.incidents {
        lines.push("incident", incident)?;
    }
    lines.end(told)
}

/// Numbered objects, one a line.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    seq: u64,
}

impl<W: Write> Lines<W> {
    /// Lines to `out`, none yet.
    pub const fn new(out: W) -> Self {
        Self { out, seq: 0 }
    }

    pub(super) fn push<T: Serialize>(&mut self, kind: &'static str, body: &T) -> io::Result<()> {
        self.seq += 1;
        let event = Event {
            kind,
            seq: self.seq,
            body,
        };
        serde_json::to_writer(&mut self.out, &event)?;
        self.out.write_all(b"\n")
    }

    /// The last lines: captures, endpoints, `summary`.
    pub(super) fn end(&mut self, told: &Told<Findings>) -> io::Result<()> {
        let report = &told.report;
        for capture in &report.captures {
            self.push("capture", capture)?;
        }
        for endpoint in &report.endpoints {
            self.push("endpoint", endpoint)?;
        }
        self.push(
            "summary",
            &Closing {
                summary: &report.summary,
                unjudged: &report.unjudged,
            },
        )?;
        self.flush()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
