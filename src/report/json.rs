//! JSON, and the stream of events.

use serde::Serialize;

use crate::report::Told;
use crate::report::schema::{Closing, Event, Header};

/// What a finding takes with its evidence, mostly.
const FINDING_BYTES: usize = 1_600;
/// What a report takes beside its findings, mostly.
const HEAD_BYTES: usize = 64 << 10;

/// One object, indented, with a newline at its end.
pub fn report(told: &Told) -> String {
    // Room for all of it at once: a text that doubles as it grows is copied, and its pages cleared, twice over.
    let mut text = Vec::with_capacity(told.report.findings.len() * FINDING_BYTES + HEAD_BYTES);
    if serde_json::to_writer_pretty(&mut text, &told.report).is_err() {
        return String::new();
    }
    text.push(b'\n');
    String::from_utf8(text).unwrap_or_default()
}

/// One object a line: `header`, the findings, incidents, captures and endpoints, last `summary`.
pub fn events(told: &Told) -> String {
    let report = &told.report;
    let mut lines = Lines::default();
    lines.push(
        "header",
        &Header {
            schema: "wirefault.events/1",
            tool: &report.tool,
            options: &told.options,
        },
    );
    report
        .findings
        .iter()
        .for_each(|finding| lines.push("finding", finding));
    report
        .incidents
        .iter()
        .for_each(|incident| lines.push("incident", incident));
    report
        .captures
        .iter()
        .for_each(|capture| lines.push("capture", capture));
    report
        .endpoints
        .iter()
        .for_each(|endpoint| lines.push("endpoint", endpoint));
    lines.push(
        "summary",
        &Closing {
            summary: &report.summary,
            unjudged: &report.unjudged,
        },
    );
    lines.text
}

#[derive(Default)]
struct Lines {
    text: String,
    seq: u64,
}

impl Lines {
    fn push<T: Serialize>(&mut self, kind: &'static str, body: &T) {
        self.seq += 1;
        let line = serde_json::to_string(&Event {
            kind,
            seq: self.seq,
            body,
        })
        .unwrap_or_default();
        self.text.push_str(&line);
        self.text.push('\n');
    }
}
