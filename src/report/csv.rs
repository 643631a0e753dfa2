//! CSV (RFC 4180): one row per finding.

use crate::report::Told;

/// The findings, with a header row.
pub fn findings(told: &Told) -> String {
    let mut text = String::from(
        "id,code,severity,confidence,count,fails,endpoint,client,server,first_time,last_time,file,frames,summary,remedy\r\n",
    );
    for finding in &told.report.findings {
        let address = |end: &Option<crate::report::schema::End>| {
            end.as_ref()
                .and_then(|end| end.ip.clone())
                .unwrap_or_default()
        };
        let frames: Vec<String> = finding
            .evidence
            .iter()
            .map(|seen| seen.frame.to_string())
            .collect();
        let file = finding
            .evidence
            .first()
            .map_or("", |seen| seen.file.as_str());
        let cells = [
            finding.id.clone(),
            finding.code.to_owned(),
            finding.severity.to_owned(),
            format!("{:.2}", finding.confidence),
            finding.count.to_string(),
            finding.fails.to_string(),
            finding.endpoint.clone().unwrap_or_default(),
            address(&finding.client),
            address(&finding.server),
            finding.first_time.clone(),
            finding.last_time.clone(),
            file.to_owned(),
            frames.join(" "),
            finding.summary.clone(),
            finding.remedy.to_owned(),
        ];
        text.push_str(&cells.map(|cell| quote(&cell)).join(","));
        text.push_str("\r\n");
    }
    text
}

/// A cell, quoted where it must be. A leading `=`, `+`, `-` or `@` would be a formula to a spreadsheet: names in
/// captures are not ours, so those are preceded by a quote.
pub(crate) fn quote(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t']);
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
