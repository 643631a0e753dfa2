//! The end of a run: what the shards told, against what only the whole capture knows.
//!
//! One thread, in a fixed order; every list is sorted before its order matters.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::endpoint::Rules;
use crate::engine::Engine;
use crate::engine::around::{answered, seen, surroundings};
use crate::engine::aside;
use crate::engine::attempts;
use crate::engine::balance::{FailedLookup, balances};
use crate::engine::by_minute::ByMinute;
use crate::engine::crossing;
use crate::engine::diagnosis::Diagnosis;
use crate::engine::endpoints::Endpoints;
use crate::engine::links;
use crate::engine::states::fold_states;
use crate::engine::told::{Stub, Target, Told};
use crate::failure::application::{self, retry_storm};
use crate::failure::attempt::{self, Connected, Successes};
use crate::failure::network::{dns, packet_loss};
use crate::failure::quic;
use crate::failure::surroundings;
use crate::failure::transport::port_reuse_stalled;
use crate::failure::{Finding, capture, security};
use crate::flow::heard::Heard;
use crate::flow::lookup::{self, Lookup, Lookups};
use crate::flow::names::Names;
use crate::incident::{self, Context, Incident, Surroundings};
use crate::ingest::FileReport;
use crate::time::{MILLISECOND, Nanos, Timestamp};

/// Everything that was told becomes one diagnosis.
pub(super) fn close(mut engine: Engine, files: &[FileReport]) -> Diagnosis {
    let told = merge(engine.shards.drain(..).map(|shard| shard.told));
    judge(told, &mut engine, files)
}

/// What the shards told, against what only the whole capture knows. Takes from the engine what it needs whole.
pub(super) fn judge(mut told: Told, engine: &mut Engine, files: &[FileReport]) -> Diagnosis {
    let mut unjudged = unjudged(engine, &mut told);
    let mut table = std::mem::take(&mut engine.lookups);
    let lookups = lookup::once(table.finish(engine.clock));
    let moved = engine.neighbours.moved();
    let engine = &*engine;
    let names = &engine.names;
    let rules = Arc::clone(&engine.rules);
    let endpoints = Endpoints::new(&rules, names, &told.stubs);
    let certificates = aside::certificates(told.shown.values(), &endpoints);
    let mut findings = connections(&mut told, names, &endpoints, &mut unjudged);
    findings.extend(loss(&told, names));
    let around = LookedUp {
        lookups: &lookups,
        names,
        endpoints: &endpoints,
        end: engine.clock,
    };
    let failed_lookups = lookups_told(&mut findings, &around, &mut told, &mut unjudged);
    security::revocation_unreachable::judge(&mut findings, std::mem::take(&mut told.waits));
    findings.extend(engine.outside.judge(
        &engine.neighbours,
        &told.heard,
        engine.clock,
        &mut unjudged,
    ));
    findings.extend(by_quic(engine, &told.stubs, &mut unjudged));
    findings = links::judge(findings, engine, &moved, &mut told);
    for (reason, count) in told.unjudged.drain() {
        *unjudged.entry(reason.to_owned()).or_default() += count;
    }
    findings = fold_states(endpoints.judge(findings, &mut unjudged));
    capture::judge(&mut findings, &told.quality, files, engine.packets);
    told.rows.retain(|row| endpoints.holds(row));
    let stubs = endpoints.keep(std::mem::take(&mut told.stubs), &mut unjudged);
    let began = (&*stubs, &*failed_lookups, engine.horizon);
    let mut minutes = ByMinute::new(engine.by_minute);
    let balances = balances(began, &mut findings, &endpoints, &mut minutes);
    let around = WentOn {
        stubs: &stubs,
        endpoints: &endpoints,
        lookups: &lookups,
        table: &table,
        rules: &rules,
    };
    let incidents = around.incidents(&findings, &told.heard, &mut unjudged);
    let kept = engine.surroundings.then(|| around.kept(told.heard));
    Diagnosis {
        packets: engine.packets,
        flows: told.flows,
        attempts: balances.attempts,
        forgotten: balances.forgotten,
        shares: balances.shares,
        regions: balances.regions,
        endpoints: balances.endpoints,
        minutes: minutes.list(),
        findings,
        incidents,
        unjudged,
        rows: told.rows,
        decrypted: told.quality.decrypted,
        trust_store: engine.trust.identity(),
        key_log: engine.key_log.clone(),
        rules: Arc::clone(&rules),
        aside: aside::of(certificates, &table),
        surroundings: kept,
    }
}

/// What went on in a run.
struct WentOn<'a> {
    stubs: &'a [Box<Stub>],
    endpoints: &'a Endpoints<'a>,
    lookups: &'a [Lookup],
    table: &'a Lookups,
    rules: &'a Rules,
}

impl WentOn<'_> {
    /// The incidents; where none can arise, nobody asks for their surroundings.
    fn incidents(
        &self,
        findings: &[Finding],
        heard: &Heard,
        unjudged: &mut BTreeMap<String, u64>,
    ) -> Vec<Incident> {
        if !incident::may_arise(findings) {
            return Vec::new();
        }
        let answered = answered(self.lookups, self.table);
        let context = Context::new(seen(self.stubs, self.endpoints), answered, heard)
            .answers_from(self.table.well.from)
            .with_rules(self.rules);
        let (incidents, omitted) = incident::find(findings, &context);
        if omitted > 0 {
            unjudged.insert("incidents-omitted".to_owned(), omitted as u64);
        }
        incidents
    }

    /// The same for whoever keeps it.
    fn kept(&self, heard: Heard) -> Surroundings {
        let answered = answered(self.lookups, self.table);
        let from = self.table.well.from;
        surroundings(self.stubs, self.endpoints, (answered, from), heard)
    }
}

/// Who heard whom, put together; what could not be decoded or decided, and what did not fit a limit.
fn unjudged(engine: &mut Engine, told: &mut Told) -> BTreeMap<String, u64> {
    told.heard.merge(std::mem::take(&mut engine.heard));
    if told.heard.omitted() > 0 {
        told.unjudged
            .insert("pairs-not-noted", told.heard.omitted());
    }
    let mut unjudged: BTreeMap<String, u64> = std::mem::take(&mut engine.undecoded);
    for (reason, count) in told.unjudged.drain() {
        *unjudged.entry(reason.to_owned()).or_default() += count;
    }
    let lookups = engine.lookups.counts;
    for (reason, count) in [
        ("fragments-incomplete", engine.fragments.incomplete()),
        ("neighbours-omitted", engine.neighbours.omitted()),
        ("lookups-evicted", lookups.evicted + lookups.omitted),
        ("names-forgotten", engine.names.forgotten),
    ]
    .into_iter()
    .chain(engine.outside.omitted())
    {
        if count > 0 {
            unjudged.insert(reason.to_owned(), count);
        }
    }
    unjudged
}

/// What the conversations told, against each other and against who was heard.
fn connections(
    told: &mut Told,
    names: &Names,
    endpoints: &Endpoints<'_>,
    unjudged: &mut BTreeMap<String, u64>,
) -> Vec<Finding> {
    let mut findings = std::mem::take(&mut told.findings);
    std::mem::take(&mut told.unnamed).settle(&mut findings, names);
    findings
        .iter_mut()
        .for_each(|finding| endpoints.name(finding));
    findings.sort_by_key(|told| (told.first, told.client, told.server, told.class.code));
    findings = crossing::settle(&mut told.stubs, findings);
    findings = port_reuse_stalled::judge_unanswered(findings, &|| stood(&told.stubs));
    let asked_for = LazyCell::new(|| asked_for(&told.stubs));
    let successes = successes(&findings, &told.stubs);
    let folded = attempt::fold(findings, &successes, &|address| {
        let asked = asked_for
            .get(&address)
            .into_iter()
            .flatten()
            .map(|name| name.to_string());
        names
            .names_of(address)
            .into_iter()
            .map(str::to_owned)
            .chain(asked)
            .collect()
    });
    attempts::are_parts(&mut told.stubs, &folded.parts);
    findings = folded.findings;
    attempts::fall_back(&mut told.stubs, &mut findings);
    findings = silence(findings, told, unjudged);
    let (open, settled) = surroundings::settle_authentication(findings, &told.authenticated);
    attempts::did_not_fail(&mut told.stubs, &settled);
    let limit = |finding: &Finding| endpoints.connect_limit(finding);
    let medians = LazyCell::new(|| medians(&told.stubs));
    let median = |server| medians.get(&server).copied();
    findings = surroundings::judge_latency(open, &median, &limit);
    findings = security::judge_ciphers(findings, &told.chosen.iter().copied().collect());
    let expected = |finding: &Finding, path: &str| endpoints.versions(finding, path);
    let exchanges = Vec::from(std::mem::take(&mut told.traces));
    let mut compared = application::compare(&mut findings, exchanges, &expected);
    compared
        .iter_mut()
        .for_each(|finding| endpoints.name(finding));
    findings.extend(compared);
    let shown = std::mem::take(&mut told.shown).into_values().collect();
    let mut compared = security::compare(&mut findings, shown);
    compared
        .iter_mut()
        .for_each(|finding| endpoints.name(finding));
    findings.extend(compared);
    findings = surroundings::fold_twins(findings);
    findings.extend(retry_storm::judge(&findings, &|| well(&told.stubs)));
    findings
}

/// Connections on which at least as much went well as failed.
fn well(stubs: &[Box<Stub>]) -> Vec<retry_storm::Well> {
    stubs
        .iter()
        .filter(|stub| stub.outcomes.ok > 0 && stub.outcomes.ok >= stub.outcomes.failed)
        .map(|stub| retry_storm::Well {
            client: stub.client,
            server: stub.to.server,
            first: stub.first,
        })
        .collect()
}

pub(super) fn merge(shards: impl Iterator<Item = Told>) -> Told {
    let mut all = Told::default();
    for shard in shards {
        all.findings.extend(shard.findings);
        all.stubs.extend(shard.stubs);
        all.rows.extend(shard.rows);
        all.authenticated.extend(shard.authenticated);
        all.chosen.extend(shard.chosen);
        all.unnamed.merge(shard.unnamed);
        all.traces.extend(shard.traces);
        all.waits.extend(shard.waits);
        for (key, shown) in shard.shown {
            all.shown
                .entry(key)
                .and_modify(|known| known.again(&shown))
                .or_insert(shown);
        }
        all.flows += shard.flows;
        all.quality.merge(&shard.quality);
        all.heard.merge(shard.heard);
        for (reason, count) in shard.unjudged {
            *all.unjudged.entry(reason).or_default() += count;
        }
        for (server, tally) in shard.tallies {
            all.tallies.entry(server).or_default().merge(&tally);
        }
    }
    all.stubs.sort_by(|a, b| attempts::order(a, b));
    all
}

/// When connections to each server came to stand.
fn stood(stubs: &[Box<Stub>]) -> HashMap<(IpAddr, u16), Vec<Timestamp>> {
    let mut stood: HashMap<_, Vec<_>> = HashMap::new();
    for stub in stubs {
        if let Some(at) = stub.established {
            stood.entry(stub.to.server).or_default().push(at.time);
        }
    }
    stood
}

/// The connections that stand, where any failed connect may have been followed by one.
fn successes(findings: &[Finding], stubs: &[Box<Stub>]) -> Successes {
    if !findings.iter().any(attempt::is_connect) {
        return Successes::default();
    }
    Successes::new(stubs.iter().filter_map(|stub| {
        Some(Connected {
            client: stub.client.0,
            server: stub.to.server,
            began: stub.first,
            at: stub.established?,
            origin: stub.origin,
        })
    }))
}

/// The names that connections to an address asked for: SNI or Host.
fn asked_for(stubs: &[Box<Stub>]) -> HashMap<IpAddr, BTreeSet<Arc<str>>> {
    let mut names: HashMap<IpAddr, BTreeSet<Arc<str>>> = HashMap::new();
    let mut met: HashSet<*const Target> = HashSet::new();
    for stub in stubs {
        if let Some(name) = &stub.to.name
            && met.insert(Arc::as_ptr(&stub.to))
        {
            names
                .entry(stub.to.server.0)
                .or_default()
                .insert(Arc::clone(name));
        }
    }
    names
}

fn silence(
    findings: Vec<Finding>,
    told: &mut Told,
    unjudged: &mut BTreeMap<String, u64>,
) -> Vec<Finding> {
    let mut kept = Vec::with_capacity(findings.len());
    for finding in findings {
        let failed = attempt::flow_of(&finding).filter(|_| finding.fails);
        let at = finding.first;
        match surroundings::judge_silence(finding, &told.heard) {
            Ok(finding) => kept.push(finding),
            Err(reason) => {
                *unjudged.entry(reason.to_owned()).or_default() += 1;
                if let Some(stub) = failed.and_then(|flow| attempts::stub(&mut told.stubs, flow)) {
                    stub.is_not_told(at);
                }
            }
        }
    }
    kept
}

/// What QUIC tries without an answer cost their clients.
fn by_quic(
    engine: &Engine,
    stubs: &[Box<Stub>],
    unjudged: &mut BTreeMap<String, u64>,
) -> Vec<Finding> {
    let tries = engine.outside.quic.unanswered();
    if tries.is_empty() {
        return Vec::new();
    }
    let connections: Vec<quic::Tcp<'_>> = stubs
        .iter()
        .map(|stub| quic::Tcp {
            client: stub.client.0,
            server: stub.to.server,
            name: stub.to.name.as_deref(),
            span: (stub.first, stub.last),
            established: stub.established,
            failed: stub.outcomes.failed > 0,
        })
        .collect();
    quic::judge(&tries, &connections, engine.clock, unjudged)
}

/// Median handshake of each endpoint with at least five of them.
fn medians(stubs: &[Box<Stub>]) -> HashMap<(IpAddr, u16), Nanos> {
    let mut times: HashMap<(IpAddr, u16), Vec<u32>> = HashMap::new();
    for stub in stubs {
        if let [Some(connect), ..] = stub.times.ms() {
            times.entry(stub.to.server).or_default().push(connect);
        }
    }
    times
        .into_iter()
        .filter(|(_, times)| times.len() >= 5)
        .map(|(server, mut times)| {
            times.sort_unstable();
            let median = times.get(times.len() / 2).copied().unwrap_or(0).max(1);
            (server, Nanos::from(median) * MILLISECOND)
        })
        .collect()
}

fn loss(told: &Told, names: &Names) -> Vec<Finding> {
    let mut servers: Vec<_> = told.tallies.iter().collect();
    servers.sort_by_key(|(server, _)| **server);
    servers
        .into_iter()
        .filter_map(|(server, tally)| {
            let mut finding = packet_loss::judge(*server, tally)?;
            finding.name = names
                .names_of(server.0)
                .first()
                .map(|name| (*name).to_owned());
            Some(finding)
        })
        .collect()
}

/// The lookups of a run, with what their judgement needs.
struct LookedUp<'a> {
    lookups: &'a [Lookup],
    names: &'a Names,
    endpoints: &'a Endpoints<'a>,
    end: Timestamp,
}

/// Adds what name resolution failed by, in place of the connects that followed from it; gives the failed attempts.
fn lookups_told(
    findings: &mut Vec<Finding>,
    looked_up: &LookedUp<'_>,
    told: &mut Told,
    unjudged: &mut BTreeMap<String, u64>,
) -> Vec<FailedLookup> {
    let endpoints = looked_up.endpoints;
    let servers = || told.stubs.iter().map(|stub| stub.to.server.0);
    let servers = LazyCell::new(|| servers().collect::<HashSet<IpAddr>>());
    let connects = LazyCell::new(|| connects(&told.stubs));
    let around = dns::Around {
        names: looked_up.names,
        is_endpoint: &|name| endpoints.knows(name),
        is_server: &|address| servers.contains(&address),
        tried: &|client, addresses, from| {
            let tries = |address: &IpAddr| connects.get(&(client, *address));
            let first = addresses.iter().filter_map(|address| {
                let times = tries(address)?;
                let next = times.partition_point(|(time, _)| *time < from);
                times.get(next).map(|(time, _)| *time)
            });
            let stood = addresses.iter().filter_map(tries).flatten();
            (first.min(), stood.into_iter().any(|(_, stood)| *stood))
        },
        connects: findings,
        end: looked_up.end,
    };
    let mut said = dns::judge_heard(looked_up.lookups, &around, &told.heard, unjudged);
    said.absorbed.sort_unstable();
    let mut parts = Vec::new();
    for place in said.absorbed.into_iter().rev() {
        parts.extend(attempt::flow_of(&findings.remove(place)));
    }
    attempts::are_parts(&mut told.stubs, &parts);
    let own = said.findings.iter();
    let own = own.filter(|finding| endpoints.concerns(finding));
    let failed = own.filter_map(FailedLookup::of).collect();
    findings.extend(said.findings);
    failed
}

/// Connects of each client to each address, with whether they came to stand, by time.
fn connects(stubs: &[Box<Stub>]) -> HashMap<(IpAddr, IpAddr), Vec<(Timestamp, bool)>> {
    let mut connects: HashMap<_, Vec<_>> = HashMap::new();
    for stub in stubs {
        connects
            .entry((stub.client.0, stub.to.server.0))
            .or_default()
            .push((stub.first, stub.established.is_some()));
    }
    connects
}
