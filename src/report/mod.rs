//! Telling it: findings into text, Markdown, HTML, JSON, lines of events and CSV, flows into a table.
//!
//! Texts are made while writing. The same bytes with the same options give the same report, byte for byte.

mod balance;
mod clock;
pub mod csv;
mod events;
pub mod html;
pub mod id;
mod incident;
pub mod json;
pub mod ladder;
mod layout;
pub mod markdown;
mod notes;
mod order;
pub mod redact;
mod row;
pub mod schema;
mod spread;
mod story;
pub mod stream;
pub mod table;
#[cfg(test)]
mod tests;
pub mod text;
mod told;
mod unjudged;
mod words;

pub use row::{Findings, masked_detail, shown};
pub use told::{Beside, Lost, Reading, Told, catalogue, limited};

use crate::failure::Lang;
use crate::time::Timestamp;

/// How a report is written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Language of texts.
    pub lang: Lang,
    /// Zone of the times in text, Markdown and HTML.
    pub zone: jiff::tz::TimeZone,
    /// Findings of one code and endpoint kept before further ones fold by client.
    pub findings_max: usize,
    /// Findings from this time on.
    pub since: Option<Timestamp>,
    /// Findings up to this time.
    pub until: Option<Timestamp>,
    /// Mask identifiers of taxpayers and people; credentials are masked always.
    pub redact: bool,
    /// Colours in text.
    pub color: bool,
    /// Columns of text.
    pub width: usize,
    /// Threads that make the findings' ids and rows; what is written does not depend on them.
    pub threads: usize,
}

/// The time zone of a name, or the machine's.
pub fn zone(name: Option<&str>) -> Result<jiff::tz::TimeZone, String> {
    match name {
        Some(name) => jiff::tz::TimeZone::get(name).map_err(|_| {
            format!("--tz {name}: no such time zone; use a name such as Asia/Shanghai or UTC")
        }),
        None => Ok(jiff::tz::TimeZone::system()),
    }
}
