//! One flow as a ladder: the client left, the server right, one line per segment or run of like ones, with what the
//! protocol says, the silence between, the frames of evidence marked; below it the findings.
//!
//! Nothing is wider than the terminal. What is quoted from payload is masked as in the report.

mod draw;
mod words;

use std::collections::BTreeMap;

use crate::engine::trace::{Glimpse, Line, Segments, Trace};
use crate::failure::{Lang, host_port};
use crate::mark::Mark;
use crate::report::clock::{Clock, duration};
use crate::report::ladder::draw::Shaft;
use crate::report::layout::{Painter, Style, columns, left, right, safe, wrap};
use crate::report::row::{masked, shown};
use crate::report::text::Page;
use crate::report::words::number;
use crate::report::{Settings, Told, id};
use crate::time::{MICROSECOND, Nanos, SECOND, Timestamp};

/// What is drawn.
#[derive(Debug)]
pub struct Ladder<'a> {
    /// Id of the flow, and the flow; absent for what has none.
    pub flow: Option<(&'a str, &'a Trace)>,
    /// Frames of evidence with their roles, by file and number.
    pub evidence: &'a BTreeMap<(u32, u32), Vec<&'static str>>,
    /// Frames of evidence outside the flow.
    pub beside: &'a [Glimpse],
    /// The files by the numbers that marks carry.
    pub files: &'a [String],
    /// The capture ends here.
    pub end: Option<Timestamp>,
}

/// Silence worth a line.
const IDLE: Nanos = SECOND;

/// The ladder, and `told`, which holds the findings to be told below it.
pub fn write(ladder: &Ladder<'_>, told: &Told, settings: &Settings) -> String {
    let mut view = View {
        ladder,
        lang: settings.lang,
        width: settings.width.max(60),
        settings,
        frames: 0,
        times: 0,
        several: false,
        page: Page {
            text: String::new(),
            lang: settings.lang,
            width: settings.width.max(60),
            painter: Painter {
                color: settings.color,
            },
            clock: Clock::new(told, settings),
        },
    };
    view.measure();
    if let Some((id, trace)) = ladder.flow {
        view.head(id, trace);
        view.files();
        view.rungs(trace);
    } else {
        view.bare_head(told);
        view.files();
    }
    view.beside();
    view.page.findings(told);
    view.ids(told);
    view.page.text
}

/// A ladder while it is drawn.
struct View<'a> {
    ladder: &'a Ladder<'a>,
    lang: Lang,
    width: usize,
    settings: &'a Settings,
    /// Columns of frame numbers and of times.
    frames: usize,
    times: usize,
    /// Frames come from several files, so that their numbers need the file's.
    several: bool,
    page: Page,
}

impl View<'_> {
    fn marks(&self) -> Vec<Mark> {
        let lines = self.ladder.flow.map_or(&[][..], |(_, trace)| &trace.lines);
        let rungs = lines.iter().filter_map(|line| match line {
            Line::Segments(run) => Some([run.at, run.last]),
            Line::Omitted(_) => None,
        });
        let beside = self.ladder.beside.iter().map(|glimpse| glimpse.at);
        rungs.flatten().chain(beside).collect()
    }

    /// The zero of the times shown.
    fn zero(&self) -> Timestamp {
        let lines = self.ladder.flow.map_or(&[][..], |(_, trace)| &trace.lines);
        let first = lines.iter().find_map(|line| match line {
            Line::Segments(run) => Some(run.at.time),
            Line::Omitted(_) => None,
        });
        let beside = self.ladder.beside.first().map(|glimpse| glimpse.at.time);
        first.or(beside).unwrap_or_default()
    }

    fn measure(&mut self) {
        let marks = self.marks();
        let file = marks.first().map(|at| at.file);
        self.several = marks.iter().any(|at| Some(at.file) != file);
        let zero = self.zero();
        let frames = marks.iter().map(|at| columns(&self.frame(*at))).max();
        let times = marks
            .iter()
            .map(|at| columns(&seconds(at.time.since(zero))))
            .max();
        self.frames = frames.unwrap_or(0).max(columns(words::FRAME.of(self.lang)));
        self.times = times
            .unwrap_or(0)
            .max(columns(words::SECONDS.of(self.lang)));
    }

    /// `17`, or `2#17` where there are several files.
    fn frame(&self, at: Mark) -> String {
        if self.several {
            format!("{}#{}", u64::from(at.file) + 1, at.frame)
        } else {
            at.frame.to_string()
        }
    }

    fn head(&mut self, id: &str, trace: &Trace) {
        let zero = self.zero();
        let began = self.page.clock.full(zero, self.lang);
        self.page.line(&format!("{id}  {began}"), Style::Bold);
        let name = trace.name.as_deref().map_or(String::new(), |name| {
            format!("{}  ", safe(&masked(name, self.settings)))
        });
        let guessed = if trace.assumed {
            words::ASSUMED.of(self.lang)
        } else {
            ""
        };
        let client = host_port(trace.client.0, trace.client.1);
        let server = host_port(trace.server.0, trace.server.1);
        self.page.hang(
            words::CLIENT.of(self.lang),
            &format!("{client}{guessed}"),
            10,
        );
        self.page
            .hang(words::SERVER.of(self.lang), &format!("{name}{server}"), 10);
    }

    /// The head of what has no flow: the finding, and when its first frame passed.
    fn bare_head(&mut self, told: &Told) {
        let id = told.report.findings.first().map_or("", |first| &first.id);
        let began = self.page.clock.full(self.zero(), self.lang);
        self.page.line(&format!("{id}  {began}"), Style::Bold);
    }

    /// Which file a frame number belongs to.
    fn files(&mut self) {
        let mut known: Vec<u32> = self.marks().iter().map(|at| at.file).collect();
        known.sort_unstable();
        known.dedup();
        for file in known {
            let path = self.ladder.files.get(file as usize);
            let path = path.map_or(String::new(), |path| shown(path, self.settings));
            let number = if self.several {
                format!("{}#", u64::from(file) + 1)
            } else {
                words::FILE.of(self.lang).to_owned()
            };
            self.page.hang(&number, &path, 10);
        }
    }

    fn rungs(&mut self, trace: &Trace) {
        self.page.text.push('\n');
        let zero = self.zero();
        let shaft = Shaft::new(self.width);
        self.heads(&shaft);
        let mut last: Option<Timestamp> = None;
        for line in &trace.lines {
            match line {
                Line::Segments(run) => {
                    if let Some(idle) = last
                        .map(|last| run.at.time.since(last))
                        .filter(|idle| *idle >= IDLE)
                    {
                        let words = format!("… {} …", duration(idle, self.lang));
                        self.between(&shaft, &words);
                    }
                    self.rung(&shaft, run, trace, zero);
                    last = Some(last.map_or(run.last.time, |last| last.max(run.last.time)));
                }
                Line::Omitted(count) => {
                    let words = words::omitted(*count, self.lang);
                    self.between(&shaft, &words);
                    last = None;
                }
            }
        }
        // What is over may be silent.
        let end = self.ladder.end.filter(|_| !trace.closed);
        let silence = end.zip(last).map(|(end, last)| end.since(last));
        if let Some(silence) = silence.filter(|silence| *silence >= IDLE) {
            self.between(
                &shaft,
                &words::until_the_end(&duration(silence, self.lang), self.lang),
            );
        }
    }

    fn margin(&self) -> usize {
        self.frames + self.times + 6
    }

    fn heads(&mut self, shaft: &Shaft) {
        let (frame, time) = (words::FRAME.of(self.lang), words::SECONDS.of(self.lang));
        let ends = shaft.heads(words::CLIENT.of(self.lang), words::SERVER.of(self.lang));
        let line = format!(
            "  {}  {}  {ends}",
            right(frame, self.frames),
            right(time, self.times)
        );
        self.page.line(line.trim_end(), Style::Dim);
    }

    /// A line of its own within the ladder: silence, what is left out.
    fn between(&mut self, shaft: &Shaft, words: &str) {
        let line = format!("{}{}", " ".repeat(self.margin()), shaft.between(words));
        self.page.line(line.trim_end(), Style::Dim);
    }

    fn rung(&mut self, shaft: &Shaft, run: &Segments, trace: &Trace, zero: Timestamp) {
        let roles = self.ladder.evidence.get(&(run.at.file, run.at.frame));
        let to_server = run.from == trace.client_end;
        let style = match roles {
            Some(_) => Style::Critical,
            None => draw::style(run),
        };
        let sign = if roles.is_some() { "●" } else { " " };
        let frame = right(&self.frame(run.at), self.frames);
        let time = right(&seconds(run.at.time.since(zero)), self.times);
        let painter = self.page.painter;
        let lead = format!(
            "{} {frame}  {}  ",
            painter.paint(sign, style),
            painter.paint(&time, Style::Dim)
        );
        let arrow = shaft.arrow(&words::label(run), to_server);
        let room = self.width.saturating_sub(self.margin() + shaft.width() + 2);
        let role = roles.map_or(String::new(), |roles| format!("[{}]", roles.join(", ")));
        let mut lines = self.details(run, room, &role).into_iter();
        let first = lines.next().unwrap_or_default();
        let first = first.strip_prefix(&role).map_or(first.clone(), |rest| {
            format!("{}{rest}", painter.paint(&role, style))
        });
        let text = format!("{lead}{}  {first}", shaft.paint(&arrow, painter, style));
        self.page.text.push_str(text.trim_end());
        self.page.text.push('\n');
        for line in lines {
            let text = format!("{}{}  {line}", " ".repeat(self.margin()), shaft.empty());
            self.page.text.push_str(&text);
            self.page.text.push('\n');
        }
    }

    /// The role of evidence, what the protocol says, and what the numbers do, in lines of at most `room` columns.
    fn details(&self, run: &Segments, room: usize, role: &str) -> Vec<String> {
        let said = run.said.iter();
        let mut parts: Vec<String> = said.map(|words| self.shown(words)).collect();
        // A role that tells of a repetition says so already.
        let kind = words::kind(run, self.lang).filter(|_| !role.contains("retr"));
        parts.splice(0..0, kind);
        parts.push(words::facts(run, self.lang));
        parts.retain(|part| !part.is_empty());
        if !role.is_empty() {
            let first = parts.first().cloned().unwrap_or_default();
            let joined = format!("{role} {first}").trim_end().to_owned();
            parts.splice(..parts.len().min(1), [joined]);
        }
        flowed(&parts, room)
    }

    /// What quotes the wire, as it may be shown.
    fn shown(&self, words: &str) -> String {
        safe(&masked(words, self.settings))
    }

    /// Ids of the findings, for `extract`.
    fn ids(&mut self, told: &Told) {
        if told.report.findings.len() < 2 {
            return;
        }
        self.page.text.push('\n');
        for finding in &told.report.findings {
            self.page.dim(&format!("{}  {}", finding.id, finding.code));
        }
    }

    /// Frames that belong to no flow, or to another one.
    fn beside(&mut self) {
        if self.ladder.beside.is_empty() {
            return;
        }
        if self.ladder.flow.is_some() {
            self.page.heading(words::BESIDE);
        } else {
            self.page.text.push('\n');
        }
        let zero = self.zero();
        let mut last: Option<Timestamp> = None;
        let indent = self.margin();
        let roles = |glimpse: &Glimpse| {
            let place = (glimpse.at.file, glimpse.at.frame);
            let roles = self.ladder.evidence.get(&place);
            roles.map_or(String::new(), |roles| format!("[{}]", roles.join(", ")))
        };
        let widest = self
            .ladder
            .beside
            .iter()
            .map(|glimpse| columns(&roles(glimpse)));
        let widest = widest.max().unwrap_or(0);
        for glimpse in self.ladder.beside {
            let idle = last.map(|last| glimpse.at.time.since(last));
            if let Some(idle) = idle.filter(|idle| *idle >= IDLE) {
                let words = format!("{}… {} …", " ".repeat(indent), duration(idle, self.lang));
                self.page.line(&words, Style::Dim);
            }
            last = Some(glimpse.at.time);
            self.glimpse(glimpse, &left(&roles(glimpse), widest), zero);
        }
    }

    /// One frame by itself, its role in a column of its own.
    fn glimpse(&mut self, glimpse: &Glimpse, role: &str, zero: Timestamp) {
        let end = |(ip, port): (std::net::IpAddr, u16)| match port {
            0 => ip.to_string(),
            port => host_port(ip, port),
        };
        let ends = glimpse.ends.map_or(String::new(), |[from, to]| {
            format!("{} → {}  ", end(from), end(to))
        });
        let parts = [format!("{ends}{}", self.shown(&glimpse.what))];
        let painter = self.page.painter;
        let time = right(&seconds(glimpse.at.time.since(zero)), self.times);
        let mut start = format!(
            "{} {}  {}  {}",
            painter.paint("●", Style::Critical),
            right(&self.frame(glimpse.at), self.frames),
            painter.paint(&time, Style::Dim),
            painter.paint(role, Style::Critical)
        );
        let wide = self.margin() + columns(role);
        for line in flowed(&parts, self.width.saturating_sub(wide + 2)) {
            self.page.text.push_str(&format!("{start}  {line}\n"));
            start = " ".repeat(wide);
        }
    }
}

/// Parts in lines of at most `room` columns, broken between parts first, then at double spaces, then anywhere.
fn flowed(parts: &[String], room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        for (place, piece) in part.split("  ").enumerate() {
            let between = if place == 0 { "; " } else { "  " };
            match lines.last_mut() {
                Some(line) if columns(line) + columns(piece) + 2 <= room => {
                    line.push_str(between);
                    line.push_str(piece);
                }
                _ => lines.extend(wrap(piece, room)),
            }
        }
    }
    lines
}

/// `0.000123`, `12.400000`: seconds with the microseconds that matter.
fn seconds(span: Nanos) -> String {
    let sign = if span < 0 { "-" } else { "" };
    let span = span.unsigned_abs();
    let (whole, part) = (span / SECOND.unsigned_abs(), span % SECOND.unsigned_abs());
    format!(
        "{sign}{}.{:06}",
        number(whole),
        part / MICROSECOND.unsigned_abs()
    )
}

/// Id of a flow, for whoever draws it.
pub fn flow_id(key: &crate::flow::key::FlowKey, first: Timestamp) -> String {
    id::flow(key, first)
}
