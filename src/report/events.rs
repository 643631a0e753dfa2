//! The lines of `jsonl`: what each tells beside the members of the report's own mirror.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::schema::{Finding, Options, Summary, Tool};

/// One line of `jsonl`.
#[derive(Clone, Debug, Serialize)]
pub struct Event<'a, T> {
    /// `header`, `finding`, `amended`, `withdrawn`, `incident`, `capture`, `endpoint`, `summary`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Number of the line from 1.
    pub seq: u64,
    /// The members of what it tells.
    #[serde(flatten)]
    pub body: &'a T,
}

/// What the first line of `jsonl` tells.
#[derive(Clone, Debug, Serialize)]
pub struct Header<'a> {
    /// `wirefault.events/1`.
    pub schema: &'static str,
    /// What judged.
    pub tool: &'a Tool,
    /// How.
    pub options: &'a Options,
}

/// What is said when a finding or an incident no longer holds: later packets overturned it.
#[derive(Clone, Debug, Serialize)]
pub struct Withdrawn {
    /// Its id.
    pub id: String,
    /// When, by the capture's clock.
    pub time: String,
    /// What is told in its place, on the same connection or between the same hosts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// A finding as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct Amended<'a> {
    /// 2, 3 …: the highest counts.
    pub revision: u64,
    /// The whole of it.
    #[serde(flatten)]
    pub row: &'a Finding,
}

/// What the last line of `jsonl` tells.
#[derive(Clone, Debug, Serialize)]
pub struct Closing<'a> {
    /// Totals.
    pub summary: &'a Summary,
    /// Counts of what could not be decoded or decided.
    pub unjudged: &'a BTreeMap<String, u64>,
}

/// Packets that the run did not get; what they would have shown is not known, and no silence is proved by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// When it was noticed, by the capture's clock.
    pub time: String,
    /// Lost by interfaces since the run began.
    pub interface_drops: u64,
    /// Lost by the kernel or by our own queue since the run began.
    pub system_drops: u64,
}
