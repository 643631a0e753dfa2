//! What the classes of name resolution share: one client's try at one name, which names are worth a word, and the
//! order in which the classes are asked (catalogue, "An endpoint's name" and the `dns-*` rows).
//!
//! A and AAAA lookups that follow each other are one try and at most one finding. Names that no endpoint has are
//! told as `info`; forms of a search list, probes and the like are not told at all. Left out: PTR, SRV and other types
//! are never looked at, and an AAAA that alone stays unanswered is the business of `dns-aaaa-stall`.

mod never;
mod repaired;

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::failure::network::dns::never::is_never_told;
use crate::failure::surroundings;
use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::flow::heard::Heard;
use crate::flow::lookup::{Lookup, Outcome, Query};
use crate::flow::names::{Names, OTHER_FORM};
use crate::mark::Mark;
use crate::protocol::dns::kind;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

use crate::failure::network::{
    dns_aaaa_stall, dns_no_address, dns_nxdomain, dns_refused, dns_servfail, dns_slow, dns_spoofed,
    dns_timeout,
};

/// Lookups of one name belong to one try if the next begins this soon after the last frame of the ones before.
const SAME_TRY: Nanos = 5 * SECOND;
/// An attempt, and so a try, lasts at most so long.
const TRY_MAX: Nanos = 30 * SECOND;
/// The other address family may have been asked this much before.
const OTHER_FAMILY: Nanos = 2 * SECOND;
/// Frames cited of one finding.
const EVIDENCE_MAX: usize = 24;

/// A client's connects to some addresses from a time on: the first, and whether any ever came to stand.
pub type Tried<'a> = dyn Fn(IpAddr, &[IpAddr], Timestamp) -> (Option<Timestamp>, bool) + 'a;

/// What a lookup cannot know of itself.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Which names resolved when, and for whom.
    pub names: &'a Names,
    /// Is it a name of the endpoint list?
    pub is_endpoint: &'a dyn Fn(&str) -> bool,
    /// Was this address connected to, or tried, as a server?
    pub is_server: &'a dyn Fn(IpAddr) -> bool,
    /// When this client first tried to connect to one of these addresses, at or after a time; and whether it ever came
    /// to stand there.
    pub tried: &'a Tried<'a>,
    /// Findings of connections that failed: a truncated answer's TCP retry may be among them.
    pub connects: &'a [Finding],
    /// How far the capture's clock has come.
    pub end: Timestamp,
}

/// What the classes say of the lookups of a run.
#[derive(Debug, Default)]
pub struct Told {
    /// Findings by first frame. Those of silence still need `surroundings::judge_silence`.
    pub findings: Vec<Finding>,
    /// Places in `Around::connects` of findings that are consequences of one told here.
    pub absorbed: Vec<usize>,
    /// Tries that the capture does not show to their end.
    pub undetermined: u64,
}

/// One client's one try to learn one name's addresses.
#[derive(Clone, Copy)]
pub struct Try<'a> {
    /// Who asks.
    pub client: IpAddr,
    /// For which name.
    pub name: &'a str,
    /// The lookups that did not go well, by first frame; never empty.
    pub lookups: &'a [&'a Lookup],
    /// It is an endpoint's name.
    pub endpoint: bool,
    /// The failed connect that was a truncated answer's retry over TCP.
    pub tcp53: Option<&'a Finding>,
    /// How far the capture's clock has come.
    pub end: Timestamp,
}

type Detect = fn(&Try<'_>) -> Option<Finding>;

/// The classes in the order in which they are asked; the first that speaks is right.
const CLASSES: [Detect; 6] = [
    dns_nxdomain::detect,
    dns_servfail::detect,
    dns_refused::detect,
    dns_timeout::detect,
    dns_no_address::detect,
    dns_slow::detect,
];

/// Judges the lookups that did not go well. `lookups` by first frame, as `Lookups::finish` gives them.
pub fn judge(lookups: &[Lookup], around: &Around<'_>) -> Told {
    let mut told = Told::default();
    let tries = tries(lookups, around);
    let failing: BTreeMap<(IpAddr, &str), Vec<Timestamp>> = failing(&tries);
    for lookups in &tries {
        let Some(first) = lookups.first() else {
            continue;
        };
        let tcp53 = tcp53(lookups, around.connects);
        let mut at = Try {
            client: first.client,
            name: &first.name,
            lookups,
            endpoint: false,
            tcp53: tcp53.and_then(|index| around.connects.get(index)),
            end: around.end,
        };
        at.endpoint = at.is_of_endpoint(around);
        if let Some(finding) = dns_spoofed::detect(&at) {
            told.spoofed(finding, around);
            continue;
        }
        if let Some(finding) = dns_aaaa_stall::detect(&at, around) {
            told.findings.push(finding);
            continue;
        }
        if at.is_ordinary(around) || (!at.endpoint && at.is_longer_form(&failing)) {
            continue;
        }
        told.undetermined += u64::from(at.with(Outcome::Undetermined).next().is_some());
        if let Some(finding) = CLASSES.iter().find_map(|detect| detect(&at)) {
            told.absorbed.extend(tcp53);
            told.findings.push(finding);
        }
    }
    for finding in dns_spoofed::unroutable(around) {
        told.spoofed(finding, around);
    }
    told.findings = without_stub_twins(told.findings);
    told.absorbed.sort_unstable();
    told.absorbed.dedup();
    told
}

impl Told {
    /// A forged answer, and the connects to its addresses that failed.
    fn spoofed(&mut self, mut finding: Finding, around: &Around<'_>) {
        let client = finding.client.map(|(client, _)| client);
        let led_to = dns_spoofed::addresses(&finding);
        for (place, failed) in around.connects.iter().enumerate() {
            let after = failed.first.since(finding.first);
            let follows = failed.client.map(|(client, _)| client) == client
                && failed.server.is_some_and(|(ip, _)| led_to.contains(&ip))
                && (0..=TRY_MAX).contains(&after);
            if follows && failed.fails {
                finding.fails = true;
                finding.consequences.push(failed.class.code);
                finding.last = finding.last.max(failed.last);
                self.absorbed.push(place);
            }
        }
        finding.consequences.sort_unstable();
        finding.consequences.dedup();
        self.findings.push(finding);
    }
}

/// The same with silence judged by who was heard (rule 1); what may not be said is counted in `unjudged`.
pub fn judge_heard(
    lookups: &[Lookup],
    around: &Around<'_>,
    heard: &Heard,
    unjudged: &mut BTreeMap<String, u64>,
) -> Told {
    let mut told = judge(lookups, around);
    let mut kept = Vec::with_capacity(told.findings.len());
    for finding in told.findings {
        match surroundings::judge_silence(finding, heard) {
            Ok(finding) => kept.push(finding),
            Err(reason) => *unjudged.entry(reason.to_owned()).or_default() += 1,
        }
    }
    told.findings = kept;
    if told.undetermined > 0 {
        *unjudged
            .entry("dns-patience-not-passed".to_owned())
            .or_default() += told.undetermined;
    }
    told
}

/// Puts the lookups of one client and name that follow each other together.
fn tries<'l>(lookups: &'l [Lookup], around: &Around<'_>) -> Vec<Vec<&'l Lookup>> {
    let mut tries: Vec<Vec<&'l Lookup>> = Vec::new();
    let mut open: BTreeMap<(IpAddr, &str), (usize, Timestamp, Timestamp)> = BTreeMap::new();
    let in_vain = repaired::InVain::of(lookups);
    for lookup in lookups
        .iter()
        .filter(|lookup| lookup.recursive && !is_never_told(&lookup.name))
        .filter(|lookup| !in_vain.has_nothing_of(lookup, around))
    {
        let (first, last) = (lookup.first().time, lookup.last());
        let place = open
            .entry((lookup.client, &lookup.name))
            .or_insert((usize::MAX, first, last));
        let goes_on = first.since(place.2) <= SAME_TRY && first.since(place.1) <= TRY_MAX;
        match tries.get_mut(place.0).filter(|_| goes_on) {
            Some(known) => {
                known.push(lookup);
                place.2 = place.2.max(last);
            }
            None => {
                *place = (tries.len(), first, last);
                tries.push(vec![lookup]);
            }
        }
    }
    tries
}

/// When which client failed to resolve which name.
fn failing<'a>(tries: &[Vec<&'a Lookup>]) -> BTreeMap<(IpAddr, &'a str), Vec<Timestamp>> {
    let mut failing: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for first in tries.iter().filter_map(|lookups| lookups.first()) {
        failing
            .entry((first.client, first.name.as_str()))
            .or_default()
            .push(first.first().time);
    }
    failing
}

/// The failed connect to the resolver's TCP port that follows a truncated answer.
fn tcp53(lookups: &[&Lookup], connects: &[Finding]) -> Option<usize> {
    lookups.iter().find_map(|lookup| {
        let answer = lookup.answer().filter(|answer| answer.truncated)?;
        connects.iter().position(|failed| {
            let after = failed.first.since(answer.at.time);
            failed
                .client
                .is_some_and(|(client, _)| client == lookup.client)
                && failed.server == Some((answer.resolver, answer.resolver_port))
                && (0..=TRY_MAX).contains(&after)
        })
    })
}

impl Try<'_> {
    /// When it began.
    pub fn first(&self) -> Timestamp {
        self.lookups
            .iter()
            .map(|lookup| lookup.first().time)
            .min()
            .unwrap_or_default()
    }

    /// The time of its last frame.
    pub fn last(&self) -> Timestamp {
        self.lookups
            .iter()
            .map(|lookup| lookup.last())
            .max()
            .unwrap_or_default()
    }

    /// What became of it: what the A lookups say, else the AAAA lookups.
    pub fn outcome(&self) -> Outcome {
        if self.tcp53.is_some() {
            return Outcome::TcpUnanswered;
        }
        let outcomes = |kind: u16| {
            self.lookups
                .iter()
                .filter(move |lookup| lookup.kind == kind)
                .map(|lookup| lookup.outcome(self.end))
        };
        if outcomes(kind::A)
            .chain(outcomes(kind::AAAA))
            .any(|outcome| outcome == Outcome::Resolved)
        {
            return Outcome::Resolved;
        }
        let rank = |outcome: &Outcome| match outcome {
            Outcome::NxDomain => 0,
            Outcome::ServerFailure(_) => 1,
            Outcome::Refused => 2,
            Outcome::TcpUnanswered => 3,
            Outcome::Unanswered => 4,
            Outcome::NoAddress => 5,
            Outcome::Resolved | Outcome::Truncated | Outcome::Undetermined => 6,
        };
        let (four, six) = (
            outcomes(kind::A).min_by_key(rank),
            outcomes(kind::AAAA).min_by_key(rank),
        );
        match (four, six) {
            (Some(four), Some(six)) if rank(&four) == 6 => six,
            (Some(four), _) => four,
            // An AAAA alone that nobody answers fails nobody by itself.
            (None, Some(Outcome::Unanswered | Outcome::TcpUnanswered) | None) => {
                Outcome::Undetermined
            }
            (None, Some(six)) => six,
        }
    }

    /// Its lookups with a given outcome.
    pub fn with(&self, outcome: Outcome) -> impl Iterator<Item = &Lookup> {
        self.lookups
            .iter()
            .copied()
            .filter(move |lookup| lookup.outcome(self.end) == outcome)
    }

    fn is_of_endpoint(&self, around: &Around<'_>) -> bool {
        let mut addresses = self
            .lookups
            .iter()
            .flat_map(|lookup| &lookup.replies)
            .flat_map(|reply| &reply.addresses);
        (around.is_endpoint)(self.name)
            || around
                .names
                .resolved_elsewhere(self.client, self.name, self.first(), self.last())
            || addresses.any(|&address| (around.is_server)(address))
    }

    /// The name was resolved after all: by the other address family, or in another form of a search list.
    fn is_ordinary(&self, around: &Around<'_>) -> bool {
        let (first, last) = (self.first(), self.last());
        if around.names.other_form_between(
            self.client,
            self.name,
            first.plus(-OTHER_FORM),
            last.plus(OTHER_FORM),
        ) {
            return true;
        }
        if self.outcome() == Outcome::Resolved || self.tcp53.is_some() {
            return false;
        }
        // An AAAA that failed earlier does not widen the try: the name may have resolved before A was asked again.
        let asked_a = self
            .lookups
            .iter()
            .filter(|lookup| lookup.kind == kind::A)
            .map(|lookup| lookup.first().time)
            .min();
        let first = asked_a.unwrap_or(first);
        let (before, after) = if asked_a.is_some() {
            (0, OTHER_FAMILY)
        } else {
            (OTHER_FAMILY, OTHER_FORM)
        };
        around.names.resolved_between(
            self.client,
            self.name,
            first.plus(-before),
            last.plus(after),
        )
    }

    /// The name is another failing name of the same client with labels added: one failure, told for the shorter.
    fn is_longer_form(&self, failing: &BTreeMap<(IpAddr, &str), Vec<Timestamp>>) -> bool {
        self.name
            .rmatch_indices('.')
            .filter_map(|(at, _)| self.name.get(..at))
            .filter(|name| name.contains('.'))
            .any(|shorter| {
                let (from, to) = (
                    self.first().plus(-OTHER_FORM),
                    self.first().plus(OTHER_FORM),
                );
                failing.get(&(self.client, shorter)).is_some_and(|times| {
                    let next = times.partition_point(|time| *time < from);
                    times.get(next).is_some_and(|time| *time <= to)
                })
            })
    }

    /// A finding of `class` about this try, with its queries and replies as evidence.
    pub fn finding(&self, class: &'static Class) -> Finding {
        let mut finding = Finding::new(class, Subject::Name, self.first());
        finding.protocol = 17;
        finding.client = Some((self.client, 0));
        finding.server = self.lookups.iter().find_map(|lookup| lookup.asked());
        finding.name = Some(self.name.to_owned());
        for (at, role) in self.evidence() {
            finding = finding.seen(at, role);
        }
        if self.endpoint {
            finding = finding.failing();
        } else {
            finding.severity = Severity::Info;
        }
        let retries: u32 = self
            .lookups
            .iter()
            .map(|lookup| lookup.retries())
            .max()
            .unwrap_or(0);
        finding
            .detail("qtype", Value::Text(self.types()))
            .detail(
                "resolvers",
                Value::List(self.resolvers().iter().map(IpAddr::to_string).collect()),
            )
            .detail("retries", Value::Number(i64::from(retries)))
    }

    fn evidence(&self) -> Vec<(Mark, &'static str)> {
        let mut evidence = Vec::new();
        for lookup in self.lookups {
            let role = |(index, query): (usize, &Query)| {
                (query.at, if index == 0 { "query" } else { "query-retry" })
            };
            evidence.extend(lookup.queries.iter().enumerate().map(role));
            evidence.extend(
                lookup
                    .queries
                    .iter()
                    .filter_map(|query| Some((query.unreachable?, "icmp"))),
            );
            evidence.extend(lookup.replies.iter().map(|reply| (reply.at, "response")));
        }
        evidence.sort_unstable();
        evidence.dedup();
        evidence.truncate(EVIDENCE_MAX);
        evidence
    }

    fn types(&self) -> String {
        let has = |kind: u16| self.lookups.iter().any(|lookup| lookup.kind == kind);
        match (has(kind::A), has(kind::AAAA)) {
            (true, true) => "A, AAAA",
            (true, false) => "A",
            _ => "AAAA",
        }
        .to_owned()
    }

    fn resolvers(&self) -> Vec<IpAddr> {
        let mut resolvers = Vec::new();
        for resolver in self.lookups.iter().flat_map(|lookup| lookup.resolvers()) {
            if !resolvers.contains(&resolver) {
                resolvers.push(resolver);
            }
        }
        resolvers
    }
}

/// A stub resolver on the client repeats to itself what it asks outside: the failure is told for the outside.
fn without_stub_twins(findings: Vec<Finding>) -> Vec<Finding> {
    let inside = |finding: &Finding| {
        finding
            .client
            .is_some_and(|(client, _)| client.is_loopback())
    };
    let mut outside: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| !inside(finding)) {
        outside
            .entry(finding.name.clone().unwrap_or_default())
            .or_default()
            .push(finding.first);
    }
    let told_outside = |finding: &Finding| {
        let times = finding.name.as_ref().and_then(|name| outside.get(name));
        let (from, to) = (finding.first.plus(-TRY_MAX), finding.first.plus(TRY_MAX));
        times.is_some_and(|times| {
            let next = times.partition_point(|time| *time < from);
            times.get(next).is_some_and(|time| *time <= to)
        })
    };
    findings
        .into_iter()
        .filter(|finding| !inside(finding) || !told_outside(finding))
        .collect()
}

/// Milliseconds of a span, never negative.
pub(super) fn ms(span: Nanos) -> Value {
    Value::Number(span.max(0) / MILLISECOND)
}

/// The resolvers of a finding, as words.
pub(super) fn resolvers_text(finding: &Finding, lang: Lang) -> String {
    let list = finding.details.iter().find_map(|(key, value)| match value {
        Value::List(list) if *key == "resolvers" => Some(list.as_slice()),
        _ => None,
    });
    list.unwrap_or(&[]).join(match lang {
        Lang::En => ", ",
        Lang::Zh => "、",
    })
}

#[cfg(test)]
mod tests;
