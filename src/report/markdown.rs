//! The report as Markdown.

use crate::report::{Settings, Told};

/// The report.
pub fn write(told: &Told, settings: &Settings) -> String {
    format!("# wirefault\n\n{}", super::text::write(told, settings))
}
