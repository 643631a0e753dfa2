//! The report as text.

use crate::report::{Settings, Told};

/// The report.
pub fn write(told: &Told, _settings: &Settings) -> String {
    let attempts = &told.report.summary.attempts;
    let all = attempts.ok + attempts.failed + attempts.answered_no + attempts.undetermined;
    let mut text = format!("{} of {all} attempts failed\n\n", attempts.failed);
    for finding in &told.report.findings {
        text.push_str(&format!(
            "{} {} {}\n",
            finding.severity, finding.code, finding.summary
        ));
    }
    text
}
