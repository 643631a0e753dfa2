//! One line a finding and an incident, for people.

use std::io::{self, Write};

use crate::report::schema::{Finding, Incident, Losses, Withdrawn};
use crate::report::stream::{Tell, line};
use crate::report::{Findings, Settings, Told};

/// One line a finding and an incident, for people.
#[derive(Debug)]
pub struct Words<W> {
    out: W,
    settings: Settings,
}

impl<W: Write> Words<W> {
    /// Lines in the language and the time zone of `settings`.
    pub const fn new(out: W, settings: Settings) -> Self {
        Self { out, settings }
    }

    fn clock(&self, time: &str) -> String {
        let parsed: Result<jiff::Timestamp, _> = time.parse();
        parsed.map_or_else(
            |_| time.to_owned(),
            |time| {
                let here = time.to_zoned(self.settings.zone.clone());
                here.strftime("%Y-%m-%d %H:%M:%S").to_string()
            },
        )
    }
}

impl<W: Write> Tell for Words<W> {
    fn begin(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn finding(&mut self, row: &Finding) -> io::Result<()> {
        let line = line::finding(row, self.settings.lang);
        writeln!(
            self.out,
            "{}  {line}  {}",
            self.clock(&row.first_time),
            row.id
        )
    }

    fn losses(&mut self, losses: &Losses) -> io::Result<()> {
        let line = line::losses(losses, self.settings.lang);
        writeln!(self.out, "{}  {line}", self.clock(&losses.time))
    }

    fn withdrawn(&mut self, past: &Withdrawn) -> io::Result<()> {
        let line = line::withdrawn(past, self.settings.lang);
        writeln!(self.out, "{}  {line}", self.clock(&past.time))
    }

    fn incident(&mut self, row: &Incident) -> io::Result<()> {
        let line = line::incident(row, self.settings.lang);
        writeln!(self.out, "{}  {line}", self.clock(&row.end))
    }

    fn endpoints(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
