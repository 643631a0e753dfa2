//! The items of evidence: what separates one cause from another, and how strongly it is seen.
//!
//! An item reads one fact off a case. It gives nothing where the fact does not hold *or cannot be known*, so that the
//! absence of an item is never an argument; what argues by absence has an item of its own (`host-silent`).

mod before;
mod clients;
mod course;
mod details;
mod gateway;
mod hosts;
mod names;
mod resets;

pub(super) use before::*;
pub(super) use clients::*;
pub(super) use course::*;
use details::half_open;
pub(super) use details::*;
pub(super) use gateway::*;
pub(super) use hosts::*;
pub(super) use names::*;
pub(super) use resets::*;

use std::fmt::Display;

use crate::failure::{Lang, Text};
use crate::incident::case::Case;

/// A kind of evidence.
#[derive(Debug)]
pub struct Item {
    /// Its name in JSON.
    pub id: &'static str,
    /// Its sentence; `{n}` is the figure, `{what}` the words found.
    pub text: Text,
    /// Reads it off a case.
    measure: fn(&Case<'_>) -> Option<Found>,
}

impl Item {
    /// The fact as this case shows it.
    pub(super) fn measure(&self, case: &Case<'_>) -> Option<Found> {
        let found = (self.measure)(case).filter(|found| found.strength > 0.0)?;
        Some(Found {
            strength: found.strength.min(1.0),
            ..found
        })
    }

    /// The sentence with its figure and words.
    pub fn sentence(&self, lang: Lang, number: u64, what: &str) -> String {
        self.text
            .of(lang)
            .replace("{n}", &number.to_string())
            .replace("{what}", what)
    }
}

/// A fact.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// 0 to 1: how strongly it holds.
    pub(super) strength: f64,
    /// The figure.
    pub(super) number: u64,
    /// The words.
    pub(super) what: String,
    /// Places of the findings that show it.
    pub(super) findings: Vec<usize>,
}

impl Found {
    fn new(strength: f64, number: usize) -> Self {
        Self {
            strength: strength.clamp(0.0, 1.0),
            number: number as u64,
            what: String::new(),
            findings: Vec::new(),
        }
    }

    fn what(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }
}

/// One is some evidence, three and more are all that counting can give.
fn by_count(count: usize) -> f64 {
    match count {
        0 => 0.0,
        1 => 0.75,
        2 => 0.9,
        _ => 1.0,
    }
}

/// The first few, and whether there are more.
fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    const LISTED_MAX: usize = 4;
    let all: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    let mut text = all
        .iter()
        .take(LISTED_MAX)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if all.len() > LISTED_MAX {
        text.push_str(", …");
    }
    text
}

fn median(mut values: Vec<u32>) -> Option<u32> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}
