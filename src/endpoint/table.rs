//! Typed access to a TOML table that remembers the line of everything: what is wrong is told in one sentence, with
//! what was found and what to write.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing wrong with a rule file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleError {
    /// Its line, from 1.
    pub line: usize,
    /// What was found, and what to write.
    pub message: String,
}

/// The text of a rule file, and what was found wrong with it so far.
#[derive(Debug)]
pub(super) struct Source<'t> {
    text: &'t str,
    pub(super) errors: Vec<RuleError>,
}

/// One table: the words that name it in messages, and where it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'d> {
    pub(super) of: &'d DeTable<'d>,
    pub(super) what: &'static str,
    pub(super) at: usize,
}

type Value<'d> = Spanned<DeValue<'d>>;

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            errors: Vec::new(),
        }
    }

    /// The document; what its syntax lacks is an error.
    pub(super) fn parse(&mut self) -> Option<Spanned<DeTable<'t>>> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        // What follows the first is mostly its echo.
        let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        let Some(error) = errors.iter().min_by_key(|error| place(error)) else {
            return Some(document);
        };
        let message = match (
            error.message(),
            error.span().and_then(|span| self.text.get(span)),
        ) {
            ("duplicate key", Some(key)) => {
                format!("`{key}` stands here a second time; write it once")
            }
            (reason, _) => format!("no TOML: {}", reason.replace('\n', ", ")),
        };
        self.wrong(place(error), message);
        None
    }

    /// The line of a place in the text.
    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        1 + before.filter(|byte| **byte == b'\n').count()
    }

    pub(super) fn wrong(&mut self, at: usize, message: String) {
        let line = self.line(at);
        self.errors.push(RuleError { line, message });
    }

    /// Keys that a table cannot have.
    pub(super) fn only(&mut self, table: Table<'_>, keys: &[&str]) {
        for key in table.of.keys() {
            let found = key.get_ref();
            if keys.contains(&found.as_ref()) {
                continue;
            }
            let near = keys.iter().find(|key| near(key, found)).map_or_else(
                || format!("one of {}", keys.join(", ")),
                |key| format!("`{key}`"),
            );
            self.wrong(
                key.span().start,
                format!("{} has no key `{found}`; write {near}", table.what),
            );
        }
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, table: Table<'_>, key: &str) -> Option<(String, usize)> {
        let value = table.of.get(key)?;
        self.text_of(value, key)
    }

    fn text_of(&mut self, value: &Value<'_>, key: &str) -> Option<(String, usize)> {
        let at = value.span().start;
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some((text.trim().to_owned(), at)),
            DeValue::String(_) => {
                self.wrong(
                    at,
                    format!("`{key}` is empty; write a text or leave it out"),
                );
                None
            }
            other => {
                let found = described(other);
                self.wrong(at, format!("`{key}` is {found}; write a text in quotes"));
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word(&mut self, table: Table<'_>, key: &str, words: &[&str]) -> Option<String> {
        let (text, at) = self.text(table, key)?;
        self.known(&text, at, key, words).then_some(text)
    }

    pub(super) fn known(&mut self, text: &str, at: usize, key: &str, words: &[&str]) -> bool {
        let known = words.contains(&text);
        if !known {
            let list: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let one_of = if words.len() > 1 { "one of " } else { "" };
            self.wrong(
                at,
                format!("`{key}` is \"{text}\"; write {one_of}{}", list.join(", ")),
            );
        }
        known
    }

    /// A list of texts, each with its place.
    pub(super) fn texts(&mut self, table: Table<'_>, key: &str) -> Vec<(String, usize)> {
        let values = self.list(table, key, "[\"…\", \"…\"]");
        values
            .iter()
            .filter_map(|value| self.text_of(value, key))
            .collect()
    }

    /// A list of texts, each turned into what it means.
    pub(super) fn parsed<T>(
        &mut self,
        table: Table<'_>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let mut kept = Vec::new();
        for (text, at) in self.texts(table, key) {
            match parse(&text) {
                Ok(meant) => kept.push(meant),
                Err(message) => self.wrong(at, message),
            }
        }
        kept
    }

    /// A list of ports.
    pub(super) fn ports(&mut self, table: Table<'_>, key: &str) -> Vec<u16> {
        let values = self.list(table, key, "[443, 8443]");
        values
            .iter()
            .filter_map(|value| self.number_of(value, key, 1, 65_535))
            .filter_map(|port| u16::try_from(port).ok())
            .collect()
    }

    fn list<'d>(&mut self, table: Table<'d>, key: &str, example: &str) -> &'d [Value<'d>] {
        let Some(value) = table.of.get(key) else {
            return &[];
        };
        let at = value.span().start;
        match value.get_ref() {
            DeValue::Array(items) if !items.is_empty() => items,
            DeValue::Array(_) => {
                self.wrong(
                    at,
                    format!("`{key}` is an empty list; write {example} or leave it out"),
                );
                &[]
            }
            other => {
                let found = described(other);
                self.wrong(at, format!("`{key}` is {found}; write a list: {example}"));
                &[]
            }
        }
    }

    /// A number within bounds.
    pub(super) fn number(
        &mut self,
        table: Table<'_>,
        key: &str,
        least: u32,
        most: u32,
    ) -> Option<u32> {
        let value = table.of.get(key)?;
        self.number_of(value, key, least, most)
    }

    fn number_of(&mut self, value: &Value<'_>, key: &str, least: u32, most: u32) -> Option<u32> {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok());
        let fits = number
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (least..=most).contains(number));
        if fits.is_none() {
            let found = described(value.get_ref());
            self.wrong(
                value.span().start,
                format!("`{key}` is {found}; write a number from {least} to {most}"),
            );
        }
        fits
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, table: Table<'_>, key: &str, unless_said: bool) -> bool {
        let Some(value) = table.of.get(key) else {
            return unless_said;
        };
        value.get_ref().as_bool().unwrap_or_else(|| {
            let found = described(value.get_ref());
            self.wrong(
                value.span().start,
                format!("`{key}` is {found}; write true or false"),
            );
            unless_said
        })
    }

    /// A table within a table.
    pub(super) fn table<'d>(
        &mut self,
        table: Table<'d>,
        key: &str,
        what: &'static str,
    ) -> Option<Table<'d>> {
        let (name, value) = table.of.get_key_value(key)?;
        let at = name.span().start;
        match value.get_ref().as_table() {
            Some(of) => Some(Table { of, what, at }),
            None => {
                let found = described(value.get_ref());
                self.wrong(
                    at,
                    format!("`{key}` is {found}; write `{key}.…` keys or a table"),
                );
                None
            }
        }
    }

    /// The tables of `[[key]]`.
    pub(super) fn tables<'d>(
        &mut self,
        table: Table<'d>,
        key: &str,
        what: &'static str,
    ) -> Vec<Table<'d>> {
        let Some((name, value)) = table.of.get_key_value(key) else {
            return Vec::new();
        };
        let items: Option<Vec<Table<'d>>> = value.get_ref().as_array().and_then(|items| {
            let table = |item: &'d Value<'d>| {
                let of = item.get_ref().as_table()?;
                let at = begins(item.span(), of);
                Some(Table { of, what, at })
            };
            items.iter().map(table).collect()
        });
        items.unwrap_or_else(|| {
            let found = described(value.get_ref());
            self.wrong(
                name.span().start,
                format!("`{key}` is {found}; write a line {what} before each"),
            );
            Vec::new()
        })
    }
}

/// Where a table of a list begins: its header, else its first key.
fn begins(span: Range<usize>, of: &DeTable<'_>) -> usize {
    let keys = of.keys().map(|key| key.span().start);
    if span.end > span.start {
        span.start
    } else {
        keys.min().unwrap_or(span.start)
    }
}

/// What a value is, in words.
fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text \"{text}\""),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => format!("the time {time}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// Is it the same word but for one letter, or the number of the noun?
fn near(key: &str, found: &str) -> bool {
    let (key, found) = (key.to_ascii_lowercase(), found.to_ascii_lowercase());
    let (a, b) = (key.trim_end_matches('s'), found.trim_end_matches('s'));
    let swapped = |a: &str, b: &str| {
        let different = a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count();
        a.len() == b.len() && different <= 1
    };
    let dropped = |long: &str, short: &str| {
        let same = long
            .bytes()
            .zip(short.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        long.len() == short.len() + 1
            && long.as_bytes().get(same + 1..) == short.as_bytes().get(same..)
    };
    a == b || (a.len() > 3 && (swapped(a, b) || dropped(a, b) || dropped(b, a)))
}
