#![doc = include_str!("api_version_mismatch.en.md")]

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::failure::application::exchange::subject;
use crate::failure::application::trace::Placed;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::mark::Mark;
use crate::time::Timestamp;

/// `application.api-version-mismatch`
pub static CLASS: Class = Class {
    code: "application.api-version-mismatch",
    severity: Severity::Error,
    guide: guide!("api_version_mismatch"),
    summary,
};

/// Codes that give way to it.
const GIVES_WAY: [&str; 2] = [
    "application.http-not-found",
    "application.http-client-error",
];
/// Statuses that an unknown version is answered with.
const STATUSES: [i64; 4] = [400, 404, 410, 426];

/// Versions that succeeded at one thing: when last, and the response.
type Succeeded = HashMap<String, (Timestamp, Mark)>;

/// Makes findings of this class of those whose request differs in its version alone from one that succeeds, or from
/// what `expected` says of the endpoint's path; the exchanges are in the order of their requests.
pub fn judge(
    findings: &mut [Finding],
    traces: &[Placed],
    expected: &dyn Fn(&Finding, &str) -> Vec<String>,
) {
    let mut succeeded: HashMap<(String, String, String), Succeeded> = HashMap::new();
    let mut refused: HashMap<(Mark, (IpAddr, u16)), &Placed> = HashMap::new();
    for placed in traces {
        let trace = &placed.trace;
        if STATUSES.contains(&i64::from(trace.status)) {
            refused.insert((trace.asked, placed.client), placed);
        } else if trace.well()
            && let Some((version, rest)) = trace.version()
        {
            succeeded
                .entry((placed.endpoint(), trace.method.to_string(), rest))
                .or_default()
                .insert(version, (trace.answered.time, trace.answered));
        }
    }
    for finding in findings.iter_mut().filter(|finding| {
        GIVES_WAY.contains(&finding.class.code)
            && finding
                .number("status")
                .is_some_and(|status| STATUSES.contains(&status))
    }) {
        let placed = finding
            .evidence
            .first()
            .zip(finding.client)
            .and_then(|(seen, client)| refused.get(&(seen.at, client)).copied());
        let Some((placed, (version, rest))) =
            placed.and_then(|placed| Some((placed, placed.trace.version()?)))
        else {
            continue;
        };
        let key = (placed.endpoint(), placed.trace.method.to_string(), rest);
        // A bad request of a version that is served elsewhere is bad for another reason.
        let served = |good: &&Succeeded| placed.trace.status == 400 && good.contains_key(&version);
        let good = succeeded
            .get(&key)
            .filter(|good| !served(good))
            .and_then(|good| other_than(&version, good, placed.trace.asked.time));
        let ruled = expected(finding, placed.trace.target.split('?').next().unwrap_or(""));
        let ruled = Some(ruled)
            .filter(|ruled| !ruled.is_empty() && ruled.iter().all(|known| *known != version));
        if good.is_none() && ruled.is_none() {
            continue;
        }
        rename(finding, &version, good, ruled);
    }
}

/// The other versions that succeeded, unless this one did so after it had failed.
fn other_than(version: &str, good: &Succeeded, failed: Timestamp) -> Option<(Vec<String>, Mark)> {
    if good.get(version).is_some_and(|(at, _)| *at > failed) {
        return None;
    }
    let mut others: Vec<(&String, Mark)> = good
        .iter()
        .filter(|(other, _)| !other.eq_ignore_ascii_case(version))
        .map(|(other, (_, response))| (other, *response))
        .collect();
    others.sort();
    let response = others.last().map(|(_, response)| *response)?;
    Some((
        others.into_iter().map(|(other, _)| other.clone()).collect(),
        response,
    ))
}

fn rename(
    finding: &mut Finding,
    version: &str,
    good: Option<(Vec<String>, Mark)>,
    ruled: Option<Vec<String>>,
) {
    let own = finding.class.code;
    finding.also.push(own);
    finding.class = &CLASS;
    finding.severity = CLASS.severity;
    let mut details = vec![("sent_version", Value::Text(version.to_owned()))];
    if let Some((versions, response)) = good {
        details.push(("accepted_versions", Value::List(versions)));
        // Another exchange shows what is accepted: its time is not this failure's.
        let (first, last) = (finding.first, finding.last);
        *finding = finding.clone().seen(response, "accepted");
        (finding.first, finding.last) = (first, last);
    }
    if let Some(versions) = ruled {
        details.push(("expected_versions", Value::List(versions)));
    }
    finding.details.extend(details);
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let status = finding.number("status").unwrap_or(0);
    let sent = finding.text("sent_version").unwrap_or("");
    let versions = finding
        .details
        .iter()
        .find(|(key, _)| matches!(*key, "accepted_versions" | "expected_versions"))
        .and_then(|(_, value)| match value {
            Value::List(versions) => Some(versions.join(", ")),
            _ => None,
        })
        .unwrap_or_default();
    match lang {
        Lang::En => format!(
            "{what} answered {client} with {status}: version {sent} was asked for, {versions} is served"
        ),
        Lang::Zh => {
            format!("{what} 对 {client} 应答 {status}：请求版本 {sent}，现行版本为 {versions}")
        }
    }
}
