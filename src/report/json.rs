//! JSON, and the stream of events.

use serde_json::json;

use crate::report::Told;

/// One object, indented, with a newline at its end.
pub fn report(told: &Told) -> String {
    let mut text = serde_json::to_string_pretty(&told.report).unwrap_or_default();
    text.push('\n');
    text
}

/// One object a line: `header`, the captures, the findings, the endpoints, last `summary`.
pub fn events(told: &Told) -> String {
    let report = &told.report;
    let mut lines = vec![json!({
        "type": "header", "schema": "wirefault.events/1", "tool": report.tool, "options": {},
    })];
    lines.extend(report.captures.iter().map(|capture| tagged("capture", json!(capture))));
    lines.extend(report.findings.iter().map(|finding| tagged("finding", json!(finding))));
    lines.extend(report.endpoints.iter().map(|endpoint| tagged("endpoint", json!(endpoint))));
    lines.push(json!({"type": "summary", "summary": report.summary, "unjudged": report.unjudged}));
    let mut text = String::new();
    for (seq, mut line) in lines.into_iter().enumerate() {
        if let Some(object) = line.as_object_mut() {
            object.insert("seq".to_owned(), json!(seq + 1));
        }
        text.push_str(&line.to_string());
        text.push('\n');
    }
    text
}

fn tagged(kind: &str, mut value: serde_json::Value) -> serde_json::Value {
    if let Some(object) = value.as_object_mut() {
        object.insert("type".to_owned(), json!(kind));
    }
    value
}
