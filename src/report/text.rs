//! The report as text, for someone who is tired: what failed first, how often, at whom, which frames show it, what
//! to do. Details follow for whom wants them; nothing is wider than the terminal.

use crate::failure::{Lang, Text};
use crate::report::clock::Clock;
use crate::report::layout::{Painter, Style, columns, left, right, safe, wrap};
use crate::report::schema::Endpoint;
use crate::report::story::{self, Block};
use crate::report::{Settings, Told, balance, spread, unjudged, words};

/// Blocks listed in the overview.
const GLANCE_MAX: usize = 8;
/// Notes told of one capture, and captures told of.
const NOTES_MAX: usize = 6;
const CAPTURES_MAX: usize = 20;

/// The report.
pub fn write(told: &Told, settings: &Settings) -> String {
    let mut page = Page {
        text: String::new(),
        lang: settings.lang,
        width: settings.width.max(40),
        painter: Painter {
            color: settings.color,
        },
        clock: Clock::new(told, settings),
    };
    let (blocks, brief) = story::blocks(told);
    page.head(told, &blocks);
    page.incidents(told);
    if blocks.len() > 1 {
        page.glance(&blocks);
    }
    page.blocks(told, &blocks);
    page.endpoints(told);
    page.spread(told);
    page.brief(&brief);
    page.unjudged(told);
    page.captures(told);
    if words::masks(told, settings) {
        page.text.push('\n');
        page.dim(words::MASKED.of(settings.lang));
    }
    page.text
}

/// The text so far, and how it is written.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) lang: Lang,
    pub(super) width: usize,
    pub(super) painter: Painter,
    pub(super) clock: Clock,
}

impl Page {
    /// The findings of `told` and nothing else.
    pub(super) fn findings(&mut self, told: &Told) {
        let (blocks, brief) = story::blocks(told);
        self.blocks(told, &blocks);
        self.brief(&brief);
    }

    fn head(&mut self, told: &Told, blocks: &[Block<'_>]) {
        let failed = told.report.summary.attempts.failed;
        let style = match blocks.first() {
            _ if failed > 0 => Style::Critical,
            Some(block) => Style::of(block.first.severity),
            None => Style::Good,
        };
        for line in wrap(&words::headline(told, self.lang), self.width) {
            self.line(&line, style);
        }
        for fact in words::facts(told, &self.clock, self.lang) {
            self.dim(&fact);
        }
    }

    /// One line for each block: how bad, how often, where, what.
    fn glance(&mut self, blocks: &[Block<'_>]) {
        self.heading(words::AT_A_GLANCE);
        let listed = blocks.get(..GLANCE_MAX).unwrap_or(blocks);
        let rows: Vec<[String; 4]> = listed
            .iter()
            .map(|block| {
                [
                    words::severity(block.first.severity, self.lang).to_owned(),
                    format!("×{}", words::number(block.count)),
                    block.first.title.to_owned(),
                    safe(block.first.endpoint.as_deref().unwrap_or("")),
                ]
            })
            .collect();
        let widest = |column: usize| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| columns(cell))
                .max()
        };
        let [severity, count, title] = [0, 1, 2].map(|column| widest(column).unwrap_or(0));
        let title = title.min(self.width.saturating_sub(severity + count + 6 + 24));
        for (row, block) in rows.iter().zip(listed) {
            let [word, times, what, place] = row;
            let head = format!("{}  {}  ", left(word, severity), right(times, count));
            let indent = columns(&head);
            // A title that is too long for its column pushes its endpoint to the next line.
            let body = if columns(what) > title {
                format!("{what}  {place}")
            } else {
                format!("{}  {place}", left(what, title))
            };
            let room = self.width.saturating_sub(indent);
            let lines = if columns(&body) <= room {
                vec![body]
            } else {
                wrap(&body, room)
            };
            for (number, line) in lines.iter().enumerate() {
                let lead = if number == 0 {
                    self.painter.paint(&head, Style::of(block.first.severity))
                } else {
                    " ".repeat(indent)
                };
                self.text.push_str(&lead);
                self.line(line.trim_end(), Style::Plain);
            }
        }
        if blocks.len() > listed.len() {
            self.dim(&words::more(blocks.len() - listed.len(), self.lang));
        }
    }

    fn blocks(&mut self, told: &Told, blocks: &[Block<'_>]) {
        if blocks.is_empty() {
            return;
        }
        self.heading(words::findings(told));
        let (listed, rest) = story::listed(blocks);
        for (number, block) in listed.iter().enumerate() {
            if number > 0 {
                self.text.push('\n');
            }
            self.block(block);
        }
        if let Some(rest) = words::rest(rest, self.lang) {
            self.text.push('\n');
            self.dim(&rest);
        }
    }

    fn block(&mut self, block: &Block<'_>) {
        let finding = block.first;
        let severity = words::severity(finding.severity, self.lang);
        let head = format!("{severity}  {}", finding.title);
        let code = format!("  {}", finding.code);
        let fits = columns(&head) + columns(&code) <= self.width;
        self.text
            .push_str(&self.painter.paint(severity, Style::of(finding.severity)));
        self.text.push_str("  ");
        let room = self.width.saturating_sub(columns(severity) + 2);
        for (number, line) in wrap(finding.title, room).iter().enumerate() {
            if number > 0 {
                self.text.push('\n');
                self.text.push_str(&" ".repeat(columns(severity) + 2));
            }
            self.text.push_str(&self.painter.paint(line, Style::Bold));
        }
        if !fits {
            self.text.push('\n');
            self.text.push_str(&" ".repeat(columns(severity)));
        }
        self.line(&code, Style::Dim);
        let list =
            |codes: &[&str]| (!codes.is_empty()).then(|| codes.join(words::enumeration(self.lang)));
        let items = [
            (words::ENDPOINT, words::place(block, self.lang)),
            (
                words::WHEN,
                Some(words::times(block, &self.clock, self.lang)),
            ),
            (words::CLIENTS, words::clients(block, self.lang)),
            (words::seen(block), Some(finding.summary.clone())),
            (words::CERTAINTY, words::certainty(block, self.lang)),
            (words::CONSEQUENCES, list(&block.consequences)),
            (words::ALSO, list(&block.also)),
            (words::FRAMES, words::frames(block, self.lang)),
            (words::FILTER, block.filter()),
            (words::ID, Some(finding.id.clone())),
            (words::REMEDY, Some(finding.remedy.replace("**", ""))),
        ];
        for (label, value) in items {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                self.item(label, &value);
            }
        }
    }

    /// A label and its text, which hangs beside it.
    fn item(&mut self, label: Text, value: &str) {
        let indent = match self.lang {
            Lang::En => 13,
            Lang::Zh => 12,
        };
        self.hang(label.of(self.lang), value, indent);
    }

    pub(super) fn hang(&mut self, label: &str, value: &str, indent: usize) {
        let label = left(&format!("  {label}"), indent);
        for (number, line) in wrap(&safe(value), self.width.saturating_sub(indent))
            .iter()
            .enumerate()
        {
            let lead = if number == 0 {
                self.painter.paint(&label, Style::Dim)
            } else {
                " ".repeat(indent)
            };
            self.text.push_str(&lead);
            self.line(line, Style::Plain);
        }
    }

    fn endpoints(&mut self, told: &Told) {
        let (listed, omitted) = balance::listed(told);
        if listed.is_empty() {
            return;
        }
        self.heading(words::ENDPOINTS);
        let heads = balance::COLUMNS.map(|head| head.of(self.lang).to_owned());
        let rows: Vec<[String; 9]> = listed
            .iter()
            .map(|endpoint| balance::cells(endpoint, self.lang).map(|cell| safe(&cell)))
            .collect();
        let mut widths = heads.clone().map(|head| columns(&head));
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = columns(cell).max(*width);
            }
        }
        let [name, figures @ ..] = widths;
        let figures_wide: usize = figures.iter().map(|width| width + 2).sum();
        // Where names and figures do not fit beside each other, the figures stand below the name.
        let stacked = name + figures_wide > self.width;
        let room = if stacked { 4 } else { name };
        self.row(&heads, &figures, room, stacked, None);
        for (row, endpoint) in rows.iter().zip(&listed) {
            self.row(row, &figures, room, stacked, Some(endpoint));
        }
        if omitted > 0 {
            self.dim(&balance::further(omitted, self.lang));
        }
        self.dim(balance::LEGEND.of(self.lang));
    }

    fn spread(&mut self, told: &Told) {
        let lines = spread::lines(told, &self.clock, self.lang);
        if !lines.is_empty() {
            self.heading(spread::HEADING);
        }
        for (label, line) in lines {
            self.item(label, &line);
        }
    }

    fn row(
        &mut self,
        cells: &[String; 9],
        widths: &[usize; 8],
        room: usize,
        stacked: bool,
        of: Option<&&Endpoint>,
    ) {
        let [name, figures @ ..] = cells;
        let style = if of.is_none() {
            Style::Dim
        } else {
            Style::Plain
        };
        let name = left(name, room);
        self.text
            .push_str(&self.painter.paint(name.trim_end(), style));
        if stacked {
            self.text.push('\n');
            self.text.push_str(&" ".repeat(room));
        } else {
            self.text
                .push_str(&" ".repeat(columns(&name) - columns(name.trim_end())));
        }
        let failed = of.is_some_and(|endpoint| endpoint.attempts.failed > 0);
        let mut free = self.width.saturating_sub(room);
        for (place, (figure, width)) in figures.iter().zip(widths).enumerate() {
            // What does not fit even below the name is left to wider terminals and other formats.
            let Some(left) = free.checked_sub(width + 2) else {
                break;
            };
            free = left;
            let style = if place == 1 && failed {
                Style::Error
            } else {
                style
            };
            self.text.push_str(
                &self
                    .painter
                    .paint(&format!("  {}", right(figure, *width)), style),
            );
        }
        self.text.push('\n');
    }

    fn brief(&mut self, blocks: &[Block<'_>]) {
        if blocks.is_empty() {
            return;
        }
        self.heading(words::ALSO_SEEN);
        let (listed, rest) = story::listed(blocks);
        for block in listed {
            let finding = block.first;
            let count = if block.count > 1 {
                format!(" ×{}", words::number(block.count))
            } else {
                String::new()
            };
            let word = words::severity(finding.severity, self.lang);
            let told = safe(&format!("{}{count}  {}", finding.code, finding.summary));
            let indent = columns(word) + 2;
            for (number, line) in wrap(&told, self.width.saturating_sub(indent))
                .iter()
                .enumerate()
            {
                let lead = if number == 0 {
                    format!("{word}  ")
                } else {
                    " ".repeat(indent)
                };
                self.text
                    .push_str(&self.painter.paint(&lead, Style::of(finding.severity)));
                let style = if finding.severity == "info" {
                    Style::Dim
                } else {
                    Style::Plain
                };
                self.line(line, style);
            }
        }
        if let Some(rest) = words::rest(rest, self.lang) {
            self.dim(&rest);
        }
    }

    fn unjudged(&mut self, told: &Told) {
        let sentences = unjudged::sentences(&told.report.unjudged, self.lang);
        if sentences.is_empty() {
            return;
        }
        self.heading(words::UNJUDGED);
        let widest = sentences
            .iter()
            .map(|(count, _)| columns(&words::number(*count)))
            .max()
            .unwrap_or(0);
        for (count, sentence) in sentences {
            let lead = format!("  {}  ", right(&words::number(count), widest));
            for (number, line) in wrap(&safe(&sentence), self.width.saturating_sub(widest + 4))
                .iter()
                .enumerate()
            {
                self.text.push_str(&if number == 0 {
                    lead.clone()
                } else {
                    " ".repeat(widest + 4)
                });
                self.line(line, Style::Plain);
            }
        }
    }

    fn captures(&mut self, told: &Told) {
        let odd: Vec<_> = told
            .report
            .captures
            .iter()
            .filter(|capture| !capture.complete || !capture.notes.is_empty())
            .collect();
        if odd.is_empty() {
            return;
        }
        self.heading(words::CAPTURES);
        for capture in odd.iter().take(CAPTURES_MAX) {
            let mut path = safe(&capture.path);
            if !capture.complete {
                path.push_str(&format!(
                    "{}{}",
                    words::comma(self.lang),
                    words::INCOMPLETE.of(self.lang)
                ));
            }
            let style = if capture.complete {
                Style::Plain
            } else {
                Style::Warning
            };
            for line in wrap(&path, self.width) {
                self.line(&line, style);
            }
            for note in capture.notes.iter().take(NOTES_MAX) {
                for line in wrap(&safe(note), self.width.saturating_sub(2)) {
                    self.line(&format!("  {line}"), Style::Plain);
                }
            }
            if capture.notes.len() > NOTES_MAX {
                self.dim(&format!(
                    "  {}",
                    words::more(capture.notes.len() - NOTES_MAX, self.lang)
                ));
            }
        }
        if odd.len() > CAPTURES_MAX {
            self.dim(&words::more(odd.len() - CAPTURES_MAX, self.lang));
        }
    }

    pub(super) fn heading(&mut self, heading: Text) {
        self.text.push('\n');
        self.line(heading.of(self.lang), Style::Bold);
    }

    pub(super) fn dim(&mut self, text: &str) {
        for line in wrap(&safe(text), self.width) {
            self.line(&line, Style::Dim);
        }
    }

    pub(super) fn line(&mut self, line: &str, style: Style) {
        self.text.push_str(&self.painter.paint(line, style));
        self.text.push('\n');
    }
}
