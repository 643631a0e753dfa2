//! Incidents on the page of the text report.

use crate::incident::Incident;
use crate::report::Told;
use crate::report::incident::{INCIDENTS_MAX, by_weight, layers, words};
use crate::report::layout::{Style, columns, left, wrap};
use crate::report::row::masked_if;
use crate::report::text::Page;
use crate::report::words::{enumeration, severity};

impl Page {
    /// The incidents, worst first, and the state of each layer below them.
    pub(in crate::report) fn incidents(&mut self, told: &Told) {
        if told.incidents.is_empty() {
            return;
        }
        self.heading(words::HEADING);
        let places = by_weight(&told.incidents);
        for (number, one) in places
            .iter()
            .take(INCIDENTS_MAX)
            .filter_map(|place| told.incidents.get(*place))
            .enumerate()
        {
            if number > 0 {
                self.text.push('\n');
            }
            self.incident(one, told.options.redact);
        }
        if places.len() > INCIDENTS_MAX {
            self.dim(&words::further(places.len() - INCIDENTS_MAX, self.lang));
        }
        self.layers(told);
    }

    fn incident(&mut self, one: &Incident, redact: bool) {
        let word = one.severity.name();
        let severity = severity(word, self.lang);
        let indent = columns(severity) + 2;
        let causes = words::causes(one).join(enumeration(self.lang));
        let title = format!("{}  {causes}", words::title(one, self.lang));
        let title = title.trim_end();
        for (number, line) in wrap(title, self.width.saturating_sub(indent))
            .iter()
            .enumerate()
        {
            let lead = if number == 0 {
                format!("{}  ", self.painter.paint(severity, Style::of(word)))
            } else {
                " ".repeat(indent)
            };
            self.text.push_str(&lead);
            self.line(line, Style::Bold);
        }
        let indent = words::indent(self.lang);
        for (label, lines) in words::items(one, &self.clock, self.lang) {
            for (number, value) in lines.iter().enumerate() {
                let label = if number == 0 { label.of(self.lang) } else { "" };
                self.hang(label, &masked_if(redact, value), indent);
            }
        }
    }

    fn layers(&mut self, told: &Told) {
        self.heading(layers::HEADING);
        let rows = layers::rows(told, self.lang);
        let name = rows.iter().map(|row| columns(row.name)).max().unwrap_or(0);
        let state = rows.iter().map(|row| columns(row.state)).max().unwrap_or(0);
        for row in rows {
            let lead = format!("  {}  ", left(row.name, name));
            let style = if row.ill { Style::Error } else { Style::Plain };
            let told = format!("{}  {}", left(row.state, state), row.codes);
            let indent = columns(&lead);
            for (number, line) in wrap(told.trim_end(), self.width.saturating_sub(indent))
                .iter()
                .enumerate()
            {
                self.text.push_str(&if number == 0 {
                    lead.clone()
                } else {
                    " ".repeat(indent)
                });
                self.line(line, style);
            }
        }
    }
}
