#![doc = include_str!("status_stuck.en.md")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::failure::application::Placed;
use crate::failure::application::exchange::subject;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::time::{Nanos, SECOND};

/// `data.status-stuck`
pub static CLASS: Class = Class {
    code: "data.status-stuck",
    severity: Severity::Warning,
    guide: guide!("status_stuck"),
    summary,
};

/// So often was it asked for,
const POLLS_MIN: usize = 10;
/// and over so long a time.
const SPAN_MIN: Nanos = 600 * SECOND;

/// The same serial asked for again and again, and never another answer than "not yet"; in the order of the requests.
pub(crate) fn judge(traces: &[Placed]) -> Vec<Finding> {
    let mut runs: BTreeMap<(IpAddr, String, &str, &str), Vec<&Placed>> = BTreeMap::new();
    for placed in traces {
        let Some(poll) = placed.trace.poll.as_deref() else {
            continue;
        };
        let key = (
            placed.client.0,
            placed.endpoint(),
            poll.payload.as_str(),
            poll.serial.as_str(),
        );
        let run = runs.entry(key).or_default();
        // It moved on: what comes later is another wait.
        match poll.waits {
            true => run.push(placed),
            false => run.clear(),
        }
    }
    let mut told: Vec<Finding> = runs.values().filter_map(|run| one(run)).collect();
    told.sort_by_key(|finding| finding.first);
    told
}

fn one(run: &[&Placed]) -> Option<Finding> {
    let (first, last) = (*run.first()?, *run.last()?);
    let span = last.trace.asked.time.since(first.trace.asked.time);
    if run.len() < POLLS_MIN || span < SPAN_MIN {
        return None;
    }
    let poll = last.trace.poll.as_deref()?;
    let mut finding = first
        .finding(&CLASS)
        .seen(last.trace.asked, "last-request")
        .seen(last.trace.answered, "last-response")
        .detail("rule", Value::Text(poll.payload.to_string()))
        .detail("serial", Value::Text(poll.serial.clone()))
        .detail("state", Value::Text(poll.state.clone()))
        .detail(
            "polls",
            Value::Number(i64::try_from(run.len()).unwrap_or(i64::MAX)),
        )
        .detail("over_s", Value::Number(span / SECOND));
    finding.last = last.trace.answered.time;
    Some(finding)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let (polls, span) = (
        finding.number("polls").unwrap_or(0),
        finding.number("over_s").unwrap_or(0) / 60,
    );
    let (serial, state) = (
        finding.text("serial").unwrap_or(""),
        finding.text("state").unwrap_or(""),
    );
    match lang {
        Lang::En => format!(
            "{client} asked {what} {polls} times over {span} min for {serial}, which stays \"{state}\""
        ),
        Lang::Zh => format!(
            "{client} 在 {span} 分钟内向 {what} 查询 {serial} 共 {polls} 次，状态一直是“{state}”"
        ),
    }
}
