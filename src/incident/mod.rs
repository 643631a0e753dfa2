//! From findings to one argued cause: what belongs together, how far it reaches, which causes remain and why.
//!
//! `group` puts findings of one endpoint, or of one cause across endpoints, that are close in time into one incident.
//! `case` lays beside it what else went on at that time, `evidence` reads the separating facts off it, and `cause`
//! weighs them: a table of causes with the weight of every item of evidence, to be followed and changed by a reader.
//! Pure and sorted: the same findings and surroundings in any order give the same incidents.

mod case;
mod cause;
mod context;
mod evidence;
mod group;
mod related;
mod scope;
#[cfg(test)]
mod tests;
mod ways;

use std::net::IpAddr;

pub use cause::{CAUSES, Cause, Owner};
pub use context::{Answered, Context, Seen, Span, Surroundings, Tried, site};
pub use evidence::Item;
pub use related::{Place, place, related};
pub use scope::{Scope, prefix};

use crate::failure::flow::Outcomes;
use crate::failure::{Finding, Severity};
use crate::time::Timestamp;

/// Incidents told of one capture; the smallest beyond that are counted only.
pub const INCIDENTS_MAX: usize = 1_000;
/// Clients named of one incident.
pub const SAMPLE_MAX: usize = 16;
/// Hypotheses told of one incident.
const HYPOTHESES_MAX: usize = 5;
/// A hypothesis below this score is not worth a line.
const SCORE_MIN: f64 = 0.1;
/// Two hypotheses closer than this are not separated.
const SEPARATION: f64 = 0.1;

/// Findings of one cause.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Whom it hits.
    pub scope: Scope,
    /// The worst of its findings.
    pub severity: Severity,
    /// First time of its failures.
    pub start: Timestamp,
    /// Last time of its failures.
    pub end: Timestamp,
    /// Endpoints hit, sorted.
    pub endpoints: Vec<String>,
    /// Regions of those endpoints, sorted.
    pub regions: Vec<String>,
    /// How many clients were hit.
    pub clients: u64,
    /// The first of them by address.
    pub client_sample: Vec<IpAddr>,
    /// Attempts at its endpoints between start and end, by whomever.
    pub attempts: Outcomes,
    /// Failures by code, most often first.
    pub codes: Vec<(&'static str, u64)>,
    /// By score.
    pub hypotheses: Vec<Hypothesis>,
    /// Places of its findings in the list that it was made from, ascending.
    pub findings: Vec<usize>,
    /// More may come.
    pub open: bool,
    /// How often it was told.
    pub revision: u32,
}

/// A cause that would explain an incident.
#[derive(Clone, Debug)]
pub struct Hypothesis {
    /// The row of the table.
    pub cause: &'static Cause,
    /// 0 to 1.
    pub score: f64,
    /// What speaks for it, heaviest first.
    pub favour: Vec<Reason>,
    /// What speaks against it, heaviest first.
    pub against: Vec<Reason>,
}

/// One item of evidence as it was found.
#[derive(Clone, Debug)]
pub struct Reason {
    /// What it is.
    pub item: &'static Item,
    /// Its weight in this hypothesis, times its strength here; 0 to 1.
    pub weight: f64,
    /// The figure for `{n}` in its text.
    pub number: u64,
    /// The words for `{what}` in its text.
    pub what: String,
    /// Places of the findings that show it; empty where surroundings show it.
    pub findings: Vec<usize>,
}

/// The row of the table of causes with this name.
pub fn cause_of(name: &str) -> Option<&'static Cause> {
    let mut all = CAUSES.iter().flat_map(|causes| causes.iter());
    all.find(|cause| cause.name == name)
}

/// The item of evidence with this name.
pub fn item_of(id: &str) -> Option<&'static Item> {
    let all = CAUSES.iter().flat_map(|causes| causes.iter());
    let mut items = all.flat_map(|cause| cause.favour.iter().chain(cause.against));
    let weighed = items.find(|(item, _)| item.id == id).map(|(item, _)| *item);
    let mut beside = cause::BESIDE.into_iter();
    weighed.or_else(|| beside.find(|item| item.id == id))
}

impl Incident {
    /// The cause with the highest score.
    pub fn cause(&self) -> Option<&'static Cause> {
        self.hypotheses.first().map(|first| first.cause)
    }

    /// The second hypothesis, where nothing separates it from the first.
    pub fn rival(&self) -> Option<&Hypothesis> {
        let [first, second, ..] = self.hypotheses.as_slice() else {
            return None;
        };
        (first.score - second.score < SEPARATION).then_some(second)
    }
}

/// Is any of the findings one that an incident begins with? Where none is, surroundings are not needed.
pub fn may_arise(findings: &[Finding]) -> bool {
    findings.iter().any(group::founds)
}

/// It founds no incident and joins none; it may be evidence for one beside it.
pub fn is_beside(finding: &Finding) -> bool {
    !group::founds(finding) && !group::joins(finding)
}

/// The incidents of a capture, by start; and how many were left out because there are too many.
pub fn find(findings: &[Finding], context: &Context<'_>) -> (Vec<Incident>, usize) {
    let mut groups = group::group(findings, context);
    let omitted = cut(&mut groups, findings, |group| group);
    let incidents = groups
        .into_iter()
        .map(|group| tell(&case::Case::new(findings, group, context)));
    (in_order(incidents.collect()), omitted)
}

/// Leaves those with the most failures; gives how many are left out.
pub fn cut<T>(all: &mut Vec<T>, findings: &[Finding], places: impl Fn(&T) -> &Vec<usize>) -> usize {
    let failures = |of: &T| -> u64 {
        let places = places(of).iter();
        let findings = places.filter_map(|place| findings.get(*place));
        findings.map(|finding| finding.count).sum()
    };
    all.sort_by_key(|one| {
        let first = places(one).first().copied();
        (std::cmp::Reverse(failures(one)), first)
    });
    let omitted = all.len().saturating_sub(INCIDENTS_MAX);
    all.truncate(INCIDENTS_MAX);
    omitted
}

/// By start.
pub fn in_order(mut incidents: Vec<Incident>) -> Vec<Incident> {
    incidents.sort_by(|a, b| {
        (a.start, a.end, &a.endpoints, &a.findings).cmp(&(
            b.start,
            b.end,
            &b.endpoints,
            &b.findings,
        ))
    });
    incidents
}

fn tell(case: &case::Case<'_>) -> Incident {
    let mut codes: Vec<(&'static str, u64)> = case
        .codes
        .iter()
        .map(|(code, count)| (*code, *count))
        .collect();
    codes.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
    let hypotheses = cause::weigh(case);
    let owner = hypotheses.first().map(|first| first.cause.owner);
    Incident {
        scope: scope::of(case, owner),
        severity: case.severity,
        start: case.span.0,
        end: case.span.1,
        endpoints: case.endpoints.iter().cloned().collect(),
        regions: case.regions().into_iter().map(str::to_owned).collect(),
        clients: case.clients.len() as u64,
        client_sample: case.clients.iter().take(SAMPLE_MAX).copied().collect(),
        attempts: case.attempts(),
        codes,
        hypotheses,
        findings: case.places.clone(),
        open: false,
        revision: 1,
    }
}
