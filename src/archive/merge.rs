//! Partials into one diagnosis: counts sum, findings stand beside each other, incidents are told over all.
//!
//! The order in which partials are given decides about the numbers of captures alone; `archive` gives them by the name
//! of their first file, so that any order of analysis, and any division over machines, makes the same report.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::archive::across::{self, Known, Set};
use crate::archive::room::Findings;
use crate::archive::shares::Sums;
use crate::archive::store::StoreError;
use crate::archive::stored::{self, Attempts, Detail, Partial, time};
use crate::endpoint::Rules;
use crate::engine::diagnosis::{Diagnosis, EndpointBalance, Histogram, regions};
use crate::failure::flow::Outcomes;
use crate::failure::{Class, Evidence, Finding, Lang, Severity, Subject, Text, Value, classes};
use crate::flow::key::{FlowKey, SHARDS};
use crate::incident::{self, Hypothesis, Incident, Reason, Scope, cause_of, item_of};
use crate::limits;
use crate::mark::Mark;
use crate::report::Reading;
use crate::time::Timestamp;

/// What partials add up to.
#[derive(Debug)]
pub struct Merged {
    diagnosis: Diagnosis,
    reading: Reading,
    endpoints: BTreeMap<String, (EndpointBalance, Sums)>,
    sums: Sums,
    words: Words,
    points: u32,
    sets: Vec<Set>,
    findings: Findings,
    /// Of each set: the number of the first one of its capture point.
    points_of: Vec<u32>,
    numbers: BTreeMap<String, u32>,
    room: Room,
    lang: Lang,
}

/// What is held at once.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Findings, before they are added up.
    pub findings: usize,
    /// Rows of surroundings.
    pub around: usize,
}

impl Room {
    /// What fits into so many bytes.
    pub fn of(bytes: Option<u64>) -> Self {
        let most = Self {
            findings: limits::FINDINGS_PER_SHARD * SHARDS,
            around: limits::AROUND_MAX,
        };
        let Some(bytes) = bytes else {
            return most;
        };
        let third = bytes.saturating_sub(limits::BASE_BYTES) / 3;
        let many = |each: u64| usize::try_from(third / each).unwrap_or(usize::MAX);
        Self {
            findings: many(limits::FINDING_BYTES).min(most.findings),
            around: many(limits::AROUND_BYTES).min(most.around),
        }
    }
}

/// Where a partial comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where its set was captured.
    pub point: String,
    /// Where the set's surroundings lie.
    pub surroundings: PathBuf,
}

impl Merged {
    /// Nothing yet, to be told in this language.
    pub fn new(rules: Arc<Rules>, lang: Lang, room: Room) -> Self {
        Self {
            diagnosis: Diagnosis {
                rules,
                ..Diagnosis::default()
            },
            reading: Reading::default(),
            endpoints: BTreeMap::new(),
            sums: Sums::default(),
            words: Words::default(),
            points: 0,
            sets: Vec::new(),
            findings: Findings::default(),
            points_of: Vec::new(),
            numbers: BTreeMap::new(),
            room,
            lang,
        }
    }

    /// Adds a set. Fails where it holds words that this version does not know.
    pub fn add(&mut self, partial: Partial, source: Source) -> Result<(), String> {
        if partial.schema != stored::SCHEMA {
            return Err(format!(
                "expected {}, found {}",
                stored::SCHEMA,
                partial.schema
            ));
        }
        let files = u32::try_from(self.reading.captures.len()).unwrap_or(u32::MAX);
        let place = self.findings.all.len();
        let number = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        let point = self.numbers.entry(source.point.clone()).or_insert(number);
        self.points_of.push(*point);
        for finding in partial.findings {
            let finding = self.words.finding(finding, files)?;
            self.findings.push(finding, number);
        }
        for told in partial.incidents {
            let told = self.words.incident(told, place)?;
            self.diagnosis.incidents.push(told);
        }
        for told in partial.endpoints {
            self.endpoint(told)?;
        }
        for (reason, count) in partial.unjudged {
            *self.diagnosis.unjudged.entry(reason).or_default() += count;
        }
        self.diagnosis.packets += partial.packets;
        self.diagnosis.flows += partial.flows;
        self.diagnosis.attempts.add(outcomes(partial.attempts));
        self.sums.add(partial.shares);
        self.diagnosis.decrypted += partial.decrypted;
        self.diagnosis.trust_store = partial.trust_store;
        self.diagnosis.key_log = partial.key_log;
        self.read(partial.captures);
        let span = partial.span_ns;
        let span = span.map(|(first, last)| (time(first), time(last)));
        self.sets.push(Set {
            around: source.surroundings,
            point: source.point,
            span,
        });
        let told = &mut self.diagnosis.incidents;
        let summed = self.findings.fit(self.room.findings, told, &self.points_of);
        self.count("findings-summed", summed);
        if let Some((first, last)) = span {
            let span = self.reading.span.get_or_insert((first, last));
            *span = (span.0.min(first), span.1.max(last));
        }
        Ok(())
    }

    fn read(&mut self, captures: Vec<stored::Read>) {
        let points: BTreeSet<String> = captures.iter().map(|read| read.en.point.clone()).collect();
        for read in captures {
            let within = points.iter().position(|point| *point == read.en.point);
            let within = u32::try_from(within.unwrap_or(0)).unwrap_or(0);
            let mut capture = read.en;
            if self.lang == Lang::Zh {
                capture.notes = read.notes_zh;
            }
            capture.id = format!("c-{}", self.reading.captures.len() + 1);
            capture.point = format!("p-{}", self.points + within + 1);
            self.reading.captures.push(capture);
        }
        self.points += u32::try_from(points.len()).unwrap_or(0);
    }

    fn endpoint(&mut self, told: stored::Endpoint) -> Result<(), String> {
        let all = self.endpoints.entry(told.id.clone());
        let (all, sums) = all.or_insert_with(|| {
            let balance = EndpointBalance {
                id: told.id.clone(),
                ..EndpointBalance::default()
            };
            (balance, Sums::default())
        });
        all.name = least(all.name.take(), told.name);
        all.host = least(all.host.take(), told.host);
        all.region = least(all.region.take(), told.region);
        all.invoicing |= told.invoicing;
        join(&mut all.addresses, told.addresses);
        join(&mut all.ports, told.ports);
        join(&mut all.proxies, told.proxies);
        all.attempts.add(outcomes(told.attempts));
        sums.add(told.shares);
        for (histogram, counts) in all.latency.iter_mut().zip(told.latency) {
            add(histogram, &counts);
        }
        for (code, count) in told.codes {
            *all.findings_by_code.entry(class(&code)?.code).or_default() += count;
        }
        Ok(())
    }

    /// The diagnosis over all, and what was read.
    pub fn finish(mut self) -> Result<(Diagnosis, Reading), StoreError> {
        self.incidents()?;
        let endpoints = self.endpoints.into_values();
        let mut endpoints: Vec<EndpointBalance> = endpoints
            .map(|(balance, sums)| EndpointBalance {
                shares: sums.list(),
                ..balance
            })
            .collect();
        // As the engine sorts them.
        endpoints.sort_by(|a, b| {
            (!a.invoicing, Reverse(a.attempts.failed), &a.id).cmp(&(
                !b.invoicing,
                Reverse(b.attempts.failed),
                &b.id,
            ))
        });
        self.diagnosis.shares = self.sums.list();
        self.diagnosis.regions = regions(&endpoints);
        self.diagnosis.endpoints = endpoints;
        Ok((self.diagnosis, self.reading))
    }

    /// Those over all sets, in place of each set's own.
    fn incidents(&mut self) -> Result<(), StoreError> {
        let told = std::mem::take(&mut self.diagnosis.incidents);
        let findings = std::mem::take(&mut self.findings);
        let known = Known {
            findings: &findings.all,
            set_of: &findings.set,
            sets: &self.sets,
            rules: &self.diagnosis.rules,
        };
        let (mut all, large) = across::judge(&known, told, self.room.around)?;
        let omitted = incident::cut(&mut all, &findings.all, |one| &one.findings);
        self.diagnosis.incidents = incident::in_order(all);
        self.diagnosis.findings = findings.all;
        self.count("incidents-omitted", omitted as u64);
        self.count("incidents-not-compared", large);
        Ok(())
    }

    fn count(&mut self, reason: &str, more: u64) {
        if more > 0 {
            let count = self.diagnosis.unjudged.entry(reason.to_owned());
            *count.or_default() += more;
        }
    }
}

/// Adds what is not there yet; sorted.
fn join<T: Ord>(all: &mut Vec<T>, more: Vec<T>) {
    all.extend(more);
    all.sort_unstable();
    all.dedup();
}

fn least(one: Option<String>, other: Option<String>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

pub(super) fn outcomes([ok, failed, answered_no, undetermined]: Attempts) -> Outcomes {
    Outcomes {
        ok,
        failed,
        answered_no,
        undetermined,
    }
}

fn add(histogram: &mut Histogram, counts: &[u64]) {
    for (sum, count) in histogram.counts.iter_mut().zip(counts) {
        *sum += count;
    }
}

fn class(code: &str) -> Result<&'static Class, String> {
    let known = classes::ALL.iter().find(|class| class.code == code);
    known
        .copied()
        .ok_or_else(|| format!("code {code} is not known to this version"))
}

const fn severity(number: u8) -> Severity {
    match number {
        0 => Severity::Info,
        1 => Severity::Warning,
        2 => Severity::Error,
        _ => Severity::Critical,
    }
}

/// Words that the engine's findings borrow from its code: each is kept once, for as long as the program runs.
#[derive(Debug, Default)]
struct Words(BTreeSet<&'static str>);

impl Words {
    fn of(&mut self, text: &str) -> Result<&'static str, String> {
        if let Some(known) = self.0.get(text) {
            return Ok(known);
        }
        if self.0.len() >= limits::WORDS_MAX {
            return Err("more kinds of words than wirefault has".to_owned());
        }
        let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
        self.0.insert(kept);
        Ok(kept)
    }

    /// `files` were read before this set's.
    fn finding(&mut self, told: stored::Finding, files: u32) -> Result<Finding, String> {
        let subject = match told.subject {
            0 => Subject::Flow,
            1 => Subject::Host,
            2 => Subject::Name,
            3 => Subject::Link,
            _ => Subject::Capture,
        };
        let mut finding = Finding::new(class(&told.code)?, subject, time(told.first_ns));
        finding.severity = severity(told.severity);
        finding.confidence = told.confidence;
        finding.reason = match told.reason {
            Some((en, zh)) => Some(Text {
                en: self.of(&en)?,
                zh: self.of(&zh)?,
            }),
            None => None,
        };
        finding.protocol = told.protocol;
        finding.client = told.client;
        finding.server = told.server;
        finding.name = told.name;
        finding.behind = told.behind;
        finding.endpoint = told.endpoint;
        finding.flow = told.flow.map(flow);
        finding.last = time(told.last_ns);
        for stored::Frame(file, frame, offset, at, role) in told.evidence {
            let at = Mark {
                time: time(at),
                offset,
                file: files.saturating_add(file),
                frame,
            };
            let role = self.of(&role)?;
            finding.evidence.push(Evidence { at, role });
        }
        for (key, value) in told.details {
            let value = match value {
                Detail::Number(number) => Value::Number(number),
                Detail::Thousandths(share) => Value::Thousandths(share),
                Detail::Bool(flag) => Value::Bool(flag),
                Detail::Text(words) => Value::Text(words),
                Detail::List(items) => Value::List(items),
                Detail::Time(at) => Value::Time(time(at)),
            };
            finding.details.push((self.of(&key)?, value));
        }
        finding.fails = told.fails;
        for code in told.also {
            finding.also.push(self.of(&code)?);
        }
        for code in told.consequences {
            finding.consequences.push(self.of(&code)?);
        }
        finding.count = told.count;
        Ok(finding)
    }

    /// `place` findings stand before this set's.
    fn incident(&mut self, told: stored::Incident, place: usize) -> Result<Incident, String> {
        let mut codes = Vec::new();
        for (code, count) in told.codes {
            codes.push((self.of(&code)?, count));
        }
        let mut hypotheses = Vec::new();
        for one in told.hypotheses {
            let cause = cause_of(&one.cause)
                .ok_or_else(|| format!("cause {} is not known to this version", one.cause))?;
            hypotheses.push(Hypothesis {
                cause,
                score: one.score,
                favour: reasons(one.favour, place)?,
                against: reasons(one.against, place)?,
            });
        }
        Ok(Incident {
            scope: match told.scope {
                stored::Scope::Client(ip) => Scope::Client(ip),
                stored::Scope::Site(ip) => Scope::Site(ip),
                stored::Scope::Endpoint(endpoint) => Scope::Endpoint(endpoint),
                stored::Scope::Region(region) => Scope::Region(region),
                stored::Scope::Everything => Scope::Everything,
            },
            severity: severity(told.severity),
            start: time(told.start_ns),
            end: time(told.end_ns),
            endpoints: told.endpoints,
            regions: told.regions,
            clients: told.clients,
            client_sample: told.client_sample,
            attempts: outcomes(told.attempts),
            codes,
            hypotheses,
            findings: moved(told.findings, place),
            open: false,
            revision: 1,
        })
    }
}

fn flow(told: stored::Flow) -> (FlowKey, Timestamp) {
    let stored::Flow((a, a_port), (b, b_port), protocol, tunnel, first) = told;
    let key = FlowKey {
        a,
        b,
        a_port,
        b_port,
        protocol,
        tunnel,
    };
    (key, time(first))
}

fn reasons(told: Vec<stored::Reason>, place: usize) -> Result<Vec<Reason>, String> {
    let all = told.into_iter().map(|why| {
        let item = item_of(&why.item)
            .ok_or_else(|| format!("evidence {} is not known to this version", why.item))?;
        Ok(Reason {
            item,
            weight: why.weight,
            number: why.number,
            what: why.what,
            findings: moved(why.findings, place),
        })
    });
    all.collect()
}

fn moved(places: Vec<usize>, by: usize) -> Vec<usize> {
    let all = places.into_iter();
    all.map(|place| place.saturating_add(by)).collect()
}
