//! JSON, and the stream of events.

use std::io::{self, Write};

use serde::Serialize;

use crate::report::schema::{Closing, Event, Header};
use crate::report::{Findings, Told};

/// One object, indented, with a newline at its end.
pub fn report(told: &Told<Findings>, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, &told.report)?;
    out.write_all(b"\n")
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
