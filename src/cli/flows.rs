//! `wirefault flows`: one row per flow.

use crate::cli::{Common, Failure, FormatArg, SwitchArg, input, output};
use crate::report::{redact, table};

/// Reads and writes the table as text, csv or json.
pub(crate) fn run(common: &Common) -> Result<u8, Failure> {
    let refused = match common.format {
        FormatArg::Html => Some("html"),
        FormatArg::Markdown => Some("markdown"),
        _ => None,
    };
    if let Some(format) = refused {
        return Err(Failure::usage(format!(
            "flows: --format {format} is not offered; use text, csv, json or jsonl"
        )));
    }
    let run = input::read(common, true)?;
    input::spare(common.output.as_deref(), &run.files)?;
    let mut rows = run.diagnosis.rows;
    rows.sort_by_key(|a| (a.ts, a.key));
    if common.redact == SwitchArg::On {
        for name in rows.iter_mut().filter_map(|row| row.name.as_mut()) {
            *name = redact::name(name);
        }
    }
    let text = match common.format {
        FormatArg::Csv => table::csv(&rows),
        FormatArg::Json => table::json(&rows),
        FormatArg::Jsonl => table::jsonl(&rows),
        FormatArg::Text | FormatArg::Html | FormatArg::Markdown => table::text(&rows),
    };
    output::write(common.output.as_deref(), text.as_bytes())?;
    Ok(
        if run.skipped || run.files.iter().any(|file| !file.complete) {
            4
        } else {
            0
        },
    )
}
