//! The view as cells. Every text is cut by columns, so that Chinese never breaks the frame.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget as _, Wrap};
use unicode_width::UnicodeWidthStr as _;

use crate::failure::Lang;
use crate::report::schema::{Incident, Reason};
use crate::tell::screen::view::{MINUTES, Row, View};
use crate::tell::screen::words;
use crate::time::Timestamp;

/// Below this nothing useful fits.
const WIDTH_MIN: u16 = 60;
const HEIGHT_MIN: u16 = 12;

/// What the user looks at.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursor {
    /// Which incident of the list.
    pub(super) chosen: usize,
    /// Its page is open, scrolled so far.
    pub(super) details: Option<u16>,
}

/// How it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub(super) lang: Lang,
    pub(super) zone: jiff::tz::TimeZone,
    pub(super) color: bool,
}

impl Manner {
    fn style(&self, color: Color) -> Style {
        if self.color {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }

    fn severity(&self, name: &str) -> Style {
        match name {
            "critical" => self.style(Color::Red).add_modifier(Modifier::BOLD),
            "error" => self.style(Color::Red),
            _ => self.style(Color::Yellow),
        }
    }

    /// `15:04:05` in the user's zone, of a report's time.
    fn clock(&self, text: &str) -> String {
        let time: Option<jiff::Timestamp> = text.parse().ok();
        time.map_or_else(String::new, |time| {
            time.to_zoned(self.zone.clone())
                .strftime("%H:%M:%S")
                .to_string()
        })
    }

    fn now(&self, time: Timestamp) -> String {
        if time == Timestamp::default() {
            return "--:--:--".to_owned();
        }
        self.clock(&time.to_string())
    }
}

/// Draws everything.
pub(super) fn draw(area: Rect, buffer: &mut Buffer, view: &View, cursor: &Cursor, manner: &Manner) {
    let mut pen = Pen { area, buffer };
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        pen.put(0, 0, words::SMALL.of(manner.lang), Style::new());
        return;
    }
    head(&mut pen, view, manner);
    let last = area.height - 1;
    let chosen = view.incidents.get(cursor.chosen);
    match (cursor.details, chosen) {
        (Some(scrolled), Some(incident)) => {
            let body = Rect::new(area.x, area.y + 2, area.width, last - 3);
            details(body, pen.buffer, incident, scrolled, manner);
        }
        _ => {
            // Incidents have what they need, up to a half; the endpoints the rest.
            let room = last - 3;
            let wanted = u16::try_from(view.incidents.len().max(1)).unwrap_or(u16::MAX);
            let half = wanted.min(room / 2);
            incidents(&mut pen, (2, half), view, cursor, manner);
            endpoints(
                &mut pen,
                (half + 4, room.saturating_sub(half + 2)),
                view,
                manner,
            );
        }
    }
    foot(&mut pen, last, view, cursor, manner);
}

/// Puts text down, cut at the right edge.
struct Pen<'a> {
    area: Rect,
    buffer: &'a mut Buffer,
}

impl Pen<'_> {
    /// Gives the column behind it.
    fn put(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        let Some(room) = self
            .area
            .width
            .checked_sub(x)
            .filter(|_| y < self.area.height)
        else {
            return x;
        };
        // What controls a terminal has no width, and no place here.
        let clean: String = text.chars().filter(|letter| !letter.is_control()).collect();
        let (x, y) = (self.area.x + x, self.area.y + y);
        let (end, _) = self.buffer.set_stringn(x, y, clean, room.into(), style);
        end - self.area.x
    }

    /// The same, cut with `…` after so many columns.
    fn cut(&mut self, x: u16, y: u16, text: &str, columns: u16, style: Style) {
        self.put(x, y, &shortened(text, columns.into()), style);
    }

    fn right(&mut self, end: u16, y: u16, text: &str, style: Style) {
        let width = u16::try_from(text.width()).unwrap_or(u16::MAX);
        self.put(end.saturating_sub(width), y, text, style);
    }
}

/// At most so many columns, `…` where something is left out.
fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        let mut longer = kept.clone();
        longer.push(letter);
        if longer.width() >= columns {
            break;
        }
        kept = longer;
    }
    kept.push('…');
    kept
}

fn head(pen: &mut Pen<'_>, view: &View, manner: &Manner) {
    let lang = manner.lang;
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let at = pen.put(0, 0, "wirefault", bold);
    let at = pen.put(at + 1, 0, &shortened(&view.source, 16), Style::new());
    let at = pen.put(at + 2, 0, &manner.now(view.clock), Style::new());
    let rate = format!(
        "{} {}  {}/s",
        grouped(view.packets),
        words::PACKETS.of(lang),
        grouped(view.per_second)
    );
    let at = pen.put(at + 2, 0, &rate, Style::new());
    let lost = format!("{} {}", words::LOST.of(lang), grouped(view.lost));
    let style = if view.lost > 0 {
        manner.style(Color::Red).add_modifier(Modifier::BOLD)
    } else {
        Style::new()
    };
    let at = pen.put(at + 2, 0, &lost, style);
    let share = format!(
        "{} {}",
        words::AVAILABLE.of(lang),
        percent(view.availability)
    );
    let width = u16::try_from(share.width()).unwrap_or(u16::MAX);
    let room = pen.area.width.saturating_sub(width);
    if at < room {
        pen.right(pen.area.width, 0, &share, Style::new());
    }
    let memory = format!("  {} MiB", view.memory >> 20);
    if view.memory > 0 && usize::from(at) + memory.len() < room.into() {
        pen.put(at, 0, &memory, Style::new());
    }
}

fn title(pen: &mut Pen<'_>, y: u16, text: &str, manner: &Manner) -> u16 {
    let style = manner.style(Color::Cyan).add_modifier(Modifier::BOLD);
    let at = pen.put(0, y, text, style);
    let line = "─".repeat(usize::from(pen.area.width.saturating_sub(at + 1)));
    pen.put(at + 1, y, &line, manner.style(Color::DarkGray));
    at
}

fn incidents(
    pen: &mut Pen<'_>,
    (top, rows): (u16, u16),
    view: &View,
    cursor: &Cursor,
    manner: &Manner,
) {
    let lang = manner.lang;
    let open = view
        .incidents
        .iter()
        .filter(|one| one.state != "closed")
        .count();
    let heading = format!(
        "{} · {} {open}",
        words::INCIDENTS.of(lang),
        words::OPEN.of(lang)
    );
    title(pen, top - 1, &heading, manner);
    if view.incidents.is_empty() {
        pen.put(
            2,
            top,
            words::NO_INCIDENT.of(lang),
            manner.style(Color::Green),
        );
        return;
    }
    let rows = usize::from(rows.max(1));
    let skipped = cursor.chosen.saturating_sub(rows - 1);
    let shown = view.incidents.iter().enumerate().skip(skipped).take(rows);
    for (y, (place, one)) in (top..).zip(shown) {
        incident(pen, y, one, place == cursor.chosen, manner);
    }
    let left = view.incidents.len().saturating_sub(skipped + rows) + view.incidents_omitted;
    if left > 0 {
        let more = format!("+{left} {}", words::MORE.of(lang));
        pen.right(
            pen.area.width,
            top - 1,
            &more,
            manner.style(Color::DarkGray),
        );
    }
}

fn incident(pen: &mut Pen<'_>, y: u16, one: &Incident, chosen: bool, manner: &Manner) {
    let lang = manner.lang;
    let dim = if one.state == "closed" {
        Style::new().add_modifier(Modifier::DIM)
    } else {
        Style::new()
    };
    let mark = if chosen { ">" } else { " " };
    pen.put(0, y, mark, Style::new().add_modifier(Modifier::BOLD));
    let (sign, style) = match one.state {
        "closed" => ("·", dim),
        _ => ("●", manner.severity(one.severity)),
    };
    pen.put(1, y, sign, style);
    pen.put(3, y, &manner.clock(&one.start), dim);
    let failed = format!(
        "{} {}",
        grouped(one.attempts.failed),
        words::FAILED.of(lang)
    );
    let clients = format!("  {} {}", grouped(one.clients), words::CLIENTS.of(lang));
    // Whom it hits is worth more than how many.
    let end = if pen.area.width < 100 {
        failed
    } else {
        failed + &clients
    };
    let width = u16::try_from(end.width()).unwrap_or(0);
    let text = format!("{}  {}", one.title, one.scope);
    let room = pen.area.width.saturating_sub(12 + width + 2);
    pen.cut(
        12,
        y,
        &text,
        room,
        if chosen {
            dim.add_modifier(Modifier::BOLD)
        } else {
            dim
        },
    );
    pen.right(pen.area.width, y, &end, dim);
}

fn endpoints(pen: &mut Pen<'_>, (top, rows): (u16, u16), view: &View, manner: &Manner) {
    let lang = manner.lang;
    title(pen, top - 1, words::ENDPOINTS.of(lang), manner);
    let width = pen.area.width;
    let cells = u16::try_from(MINUTES).unwrap_or(0);
    let columns = [width - cells - 20, width - cells - 11, width - cells - 1];
    let names = [words::OK, words::FAILED, words::AVAILABLE].map(|name| name.of(lang));
    for (end, name) in columns.iter().zip(names) {
        pen.right(
            *end,
            top - 1,
            &format!(" {name}"),
            manner.style(Color::DarkGray),
        );
    }
    let minutes = format!(" {MINUTES} {}", words::MINUTES.of(lang));
    pen.right(width, top - 1, &minutes, manner.style(Color::DarkGray));
    if view.endpoints.is_empty() {
        pen.put(2, top, words::NO_ENDPOINT.of(lang), Style::new());
    }
    let shown = view.endpoints.iter().take(rows.into());
    for (y, row) in (top..).zip(shown) {
        endpoint(pen, y, row, columns, manner);
    }
    let left = view.endpoints.len().saturating_sub(rows.into()) + view.endpoints_omitted;
    if left > 0 {
        let at = top + rows.saturating_sub(1);
        let line = " ".repeat(width.into());
        pen.put(0, at, &line, Style::new());
        pen.put(
            2,
            at,
            &format!("+{} {}", left + 1, words::MORE.of(lang)),
            manner.style(Color::DarkGray),
        );
    }
}

fn endpoint(pen: &mut Pen<'_>, y: u16, row: &Row, columns: [u16; 3], manner: &Manner) {
    let width = pen.area.width;
    let [ok, failed, available] = columns;
    pen.cut(2, y, &row.id, ok.saturating_sub(10), Style::new());
    pen.right(ok, y, &grouped(row.ok), Style::new());
    let style = if row.failed > 0 {
        manner.style(Color::Red)
    } else {
        Style::new()
    };
    pen.right(failed, y, &grouped(row.failed), style);
    pen.right(available, y, &percent(row.availability), Style::new());
    let mut x = width.saturating_sub(u16::try_from(MINUTES).unwrap_or(0));
    for (reached, failed) in row.minutes {
        // Also without colours: nothing, well, some failed, all failed.
        let (sign, color) = match (reached, failed) {
            (0, 0) => ("·", Color::DarkGray),
            (_, 0) => ("▁", Color::Green),
            (0, _) => ("█", Color::Red),
            (reached, failed) if failed >= reached => ("▆", Color::Red),
            _ => ("▃", Color::Yellow),
        };
        x = pen.put(x, y, sign, manner.style(color));
    }
}

/// The page of an incident.
fn details(area: Rect, buffer: &mut Buffer, one: &Incident, scrolled: u16, manner: &Manner) {
    let lang = manner.lang;
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut lines = vec![
        Line::styled(
            one.title.clone(),
            manner.severity(one.severity).add_modifier(Modifier::BOLD),
        ),
        Line::raw(format!(
            "{} – {}  {}  {}",
            manner.clock(&one.start),
            manner.clock(&one.end),
            words::state(one.state, lang),
            one.scope
        )),
        Line::raw(format!(
            "{}: {} {}  {} {}  {} {}",
            words::HIT.of(lang),
            grouped(one.clients),
            words::CLIENTS.of(lang),
            grouped(one.attempts.ok + one.attempts.answered_no),
            words::OK.of(lang),
            grouped(one.attempts.failed),
            words::FAILED.of(lang)
        )),
        Line::raw(one.client_sample.join(" ")),
        Line::raw(one.endpoints.join(" ")),
    ];
    for told in &one.hypotheses {
        lines.push(Line::raw(""));
        lines.push(Line::styled(
            format!("{:.2}  {}", told.score, told.title),
            bold,
        ));
        let reasons = |what: &'static str, all: &[Reason]| -> Vec<Line<'static>> {
            let line =
                |one: &Reason| Line::raw(format!("  {what}: {} ({:.2})", one.text, one.weight));
            all.iter().map(line).collect()
        };
        lines.extend(reasons(words::FOR.of(lang), &told.favour));
        lines.extend(reasons(words::AGAINST.of(lang), &told.against));
        for (what, text) in [
            (words::OWNER, told.owner),
            (words::REMEDY, told.remedy),
            (words::DISPROOF, told.disproof),
        ] {
            let name = Span::styled(format!("  {}: ", what.of(lang)), bold);
            lines.push(Line::from(vec![name, Span::raw(text)]));
        }
    }
    for line in &mut lines {
        for span in &mut line.spans {
            if span.content.chars().any(char::is_control) {
                span.content = span
                    .content
                    .chars()
                    .filter(|letter| !letter.is_control())
                    .collect();
            }
        }
    }
    Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .scroll((scrolled, 0))
        .render(area, buffer);
}

fn foot(pen: &mut Pen<'_>, y: u16, view: &View, cursor: &Cursor, manner: &Manner) {
    let lang = manner.lang;
    if let Some(said) = view.said.back() {
        pen.cut(0, y - 1, said, pen.area.width, manner.style(Color::Yellow));
    }
    let keys = if cursor.details.is_some() {
        words::KEYS_DETAILS
    } else {
        words::KEYS
    };
    pen.put(0, y, keys.of(lang), manner.style(Color::DarkGray));
}

/// `12,345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(
        || "–".to_owned(),
        |share| {
            // 99.96 % is not all of it.
            let tenths = (share * 1_000.0).floor();
            format!("{:.1} %", tenths / 10.0)
        },
    )
}
