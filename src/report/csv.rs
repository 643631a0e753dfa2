//! CSV (RFC 4180): one row per finding.

use std::collections::BTreeMap;

use crate::report::schema::{End, Finding};
use crate::report::{Findings, Told};

/// The columns, in their order.
const COLUMNS: [&str; 22] = [
    "id",
    "code",
    "layer",
    "severity",
    "confidence",
    "confidence_reason",
    "count",
    "fails",
    "title",
    "endpoint",
    "region",
    "client",
    "client_port",
    "server",
    "server_port",
    "first_time",
    "last_time",
    "file",
    "frames",
    "summary",
    "remedy",
    "flow",
];

/// The findings, with a header row. Times are UTC as in JSON; `frames` are those that lie in `file`.
pub fn findings(told: &Told<Findings>) -> String {
    let regions: BTreeMap<&str, &str> = told
        .report
        .endpoints
        .iter()
        .filter_map(|endpoint| Some((endpoint.id.as_str(), endpoint.region.as_deref()?)))
        .collect();
    let mut text = COLUMNS.join(",");
    text.push_str("\r\n");
    for finding in told.report.findings.iter() {
        let region = finding
            .endpoint
            .as_deref()
            .and_then(|id| regions.get(id))
            .copied();
        text.push_str(&row(&finding, region).map(|cell| quote(&cell)).join(","));
        text.push_str("\r\n");
    }
    text
}

fn row(finding: &Finding, region: Option<&str>) -> [String; 22] {
    let address = |end: &Option<End>| {
        end.as_ref()
            .and_then(|end| end.ip.clone())
            .unwrap_or_default()
    };
    let port = |end: &Option<End>| {
        end.as_ref()
            .and_then(|end| end.port)
            .map_or_else(String::new, |port| port.to_string())
    };
    let file = finding.evidence.first().map_or("", |seen| &*seen.file);
    let in_file = finding.evidence.iter().filter(|seen| *seen.file == *file);
    let frames: Vec<String> = in_file.map(|seen| seen.frame.to_string()).collect();
    [
        finding.id.clone(),
        finding.code.to_owned(),
        finding.layer.to_owned(),
        finding.severity.to_owned(),
        format!("{:.2}", finding.confidence),
        finding.confidence_reason.unwrap_or("").to_owned(),
        finding.count.to_string(),
        finding.fails.to_string(),
        finding.title.to_owned(),
        finding.endpoint.clone().unwrap_or_default(),
        region.unwrap_or("").to_owned(),
        address(&finding.client),
        port(&finding.client),
        address(&finding.server),
        port(&finding.server),
        finding.first_time.clone(),
        finding.last_time.clone(),
        file.to_owned(),
        frames.join(" "),
        finding.summary.clone(),
        finding.remedy.to_owned(),
        finding.flow.clone().unwrap_or_default(),
    ]
}

/// A cell, quoted where it must be. A leading `=`, `+`, `-` or `@` would be a formula to a spreadsheet: names in
/// captures are not ours, so those are preceded by a quote.
pub(crate) fn quote(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let safe = if formula {
        format!("'{cell}")
    } else {
        cell.to_owned()
    };
    if safe.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(quote("plain"), "plain");
        assert_eq!(quote("a,b"), "\"a,b\"");
        assert_eq!(quote("say \"no\""), "\"say \"\"no\"\"\"");
        assert_eq!(quote("=1+1"), "'=1+1");
    }
}
