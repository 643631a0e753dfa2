//! `wirefault schema`: the JSON Schemas as they ship.

use crate::cli::{Failure, SchemaArg, output};
use crate::report::schema::{EVENTS_SCHEMA, REPORT_SCHEMA};

/// Prints one schema.
pub(crate) fn run(which: SchemaArg) -> Result<u8, Failure> {
    let text = match which {
        SchemaArg::Report => REPORT_SCHEMA,
        SchemaArg::Events => EVENTS_SCHEMA,
    };
    output::write(None, text.as_bytes()).map(|()| 0)
}
