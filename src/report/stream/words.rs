//! One line a finding and an incident, for people.

use std::io::{self, Write};

use crate::failure::Lang;
use crate::report::layout::safe;
use crate::report::schema::{Finding, Incident, Withdrawn};
use crate::report::stream::Tell;
use crate::report::{Findings, Settings, Told, words};

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
        let severity = words::severity(row.severity, self.settings.lang);
        let client = row.client.as_ref().and_then(|client| client.ip.as_deref());
        let client = client
            .map(|client| format!("{client}: "))
            .unwrap_or_default();
        writeln!(
            self.out,
            "{}  {severity}  {}  {client}{}  {}",
            self.clock(&row.first_time),
            row.code,
            safe(&row.summary),
            row.id
        )
    }

    fn withdrawn(&mut self, past: &Withdrawn) -> io::Result<()> {
        let (what, instead) = match self.settings.lang {
            Lang::En => ("later packets show otherwise; no longer held", "instead"),
            Lang::Zh => ("后续报文表明并非如此，撤回", "改判为"),
        };
        let by = past.by.join(", ");
        let instead = if by.is_empty() {
            String::new()
        } else {
            format!("  ({instead}: {by})")
        };
        let when = self.clock(&past.time);
        writeln!(self.out, "{when}  {what}: {}{instead}", past.id)
    }

    fn incident(&mut self, row: &Incident) -> io::Result<()> {
        let lang = self.settings.lang;
        let state = match (row.state, lang) {
            ("open", Lang::En) => "incident opens",
            ("grown", Lang::En) => "incident grows",
            (_, Lang::En) => "incident ends",
            ("open", Lang::Zh) => "事件开始",
            ("grown", Lang::Zh) => "事件扩大",
            (_, Lang::Zh) => "事件结束",
        };
        let clients = match (row.clients, lang) {
            (1, Lang::En) => "1 client".to_owned(),
            (clients, Lang::En) => format!("{clients} clients"),
            (clients, Lang::Zh) => format!("{clients} 个客户端"),
        };
        let remedy = row.hypotheses.first().map_or("", |cause| cause.remedy);
        let (when, scope) = (self.clock(&row.end), &row.scope);
        writeln!(
            self.out,
            "{when}  {state}: {}  ({}; {clients})  {remedy}",
            row.title,
            safe(scope)
        )
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
