//! What lies in a link, a route or a host, in place of everything that fails by it: neighbours, loops, addresses that
//! move, the way out, hosts that fall silent. Outermost cause first.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hashbrown::{HashMap, HashSet};

use crate::engine::Engine;
use crate::engine::told::{Stub, Told};
use crate::failure::Finding;
use crate::failure::flow::Outcomes;
use crate::failure::network::path_changed::{self, Hops};
use crate::failure::network::{
    self, arp_storm, egress_lost, host_silent, mac_flapping, routing_loop, vip_moved, vlan_mismatch,
};
use crate::failure::transport::syn_flood::{self, Tried};
use crate::flow::neighbours::Moved;
use crate::incident;
use crate::time::Timestamp;

/// Neighbours that do not answer, in place of what fails for want of them.
pub(super) fn judge(
    findings: Vec<Finding>,
    engine: &Engine,
    moved: &[Moved],
    told: &mut Told,
) -> Vec<Finding> {
    let name_of = |address| {
        engine
            .names
            .names_of(address)
            .first()
            .map(|name| (*name).to_owned())
    };
    let findings = tagged(findings, engine, told);
    let mut missing = network::judge_neighbours(&engine.neighbours, &told.heard, &name_of);
    let mut findings = network::neighbours::fold(&mut missing, findings);
    findings.extend(missing);
    findings.extend(loops(&findings, engine, &name_of));
    let served = LazyCell::new(|| served(&told.stubs));
    let is_server = |address, until| served.get(&address).is_some_and(|first| *first < until);
    findings = vip_moved::judge(findings, moved, &engine.neighbours, &is_server);
    findings = egress_lost::judge(findings, &told.heard, &incident::site);
    let stood = || stood(&told.stubs);
    findings = host_silent::judge(findings, &told.heard, &stood, &incident::site);
    findings = floods(findings, told, &name_of);
    findings.extend(paths(told, &name_of));
    findings
}

/// When the first connection that stood to each server began.
fn served(stubs: &[Box<Stub>]) -> BTreeMap<IpAddr, Timestamp> {
    let mut served = BTreeMap::new();
    for stub in stubs.iter().filter(|stub| stub.established.is_some()) {
        served.entry(stub.to.server.0).or_insert(stub.first);
    }
    served
}

/// By client when, and to whom, its connections came to stand.
fn stood(stubs: &[Box<Stub>]) -> host_silent::Stood {
    let mut stood = host_silent::Stood::new();
    for stub in stubs {
        if let Some(at) = stub.established {
            let own = stood.entry(stub.client.0).or_default();
            own.push((at.time, stub.to.server.0));
        }
    }
    stood
}

/// Links whose two directions carry different tags, broadcast storms, hosts that flap.
fn tagged(mut findings: Vec<Finding>, engine: &Engine, told: &Told) -> Vec<Finding> {
    let worked = || {
        let stood = told.stubs.iter().filter(|stub| stub.established.is_some());
        let pairs: HashSet<(IpAddr, IpAddr)> = stood
            .map(|stub| (stub.client.0, stub.to.server.0))
            .collect();
        pairs
    };
    findings = vlan_mismatch::judge(findings, &engine.neighbours, &told.heard, &worked);
    let begin = engine.outside.begin.unwrap_or(engine.clock);
    findings.extend(arp_storm::judge(
        &engine.neighbours.bursts(),
        (begin, engine.clock),
    ));
    findings.extend(mac_flapping::judge(&engine.neighbours.flapping()));
    findings
}

/// Floods of SYNs, in place of what the flood's own connections and its victims' would tell. The flood's SYNs are
/// nobody's attempts: they are counted apart.
fn floods(
    mut findings: Vec<Finding>,
    told: &mut Told,
    name_of: &dyn Fn(IpAddr) -> Option<String>,
) -> Vec<Finding> {
    let mut tries = asked_in_vain(&told.stubs);
    if tries.is_empty() {
        return findings;
    }
    let stood = told.stubs.iter().filter(|stub| stub.established.is_some());
    let stood: HashSet<IpAddr> = stood.map(|stub| stub.client.0).collect();
    for (place, stub) in told.stubs.iter().enumerate() {
        let Some(own) = tries.get_mut(&stub.to.server) else {
            continue;
        };
        let tried = Tried {
            client: stub.client.0,
            time: stub.first,
            half_open: stub.half_open(),
            syns: stub.pass.syns,
            stands: stood.contains(&stub.client.0),
        };
        own.push((place, tried));
    }
    for (server, tries) in tries {
        let all: Vec<Tried> = tries.iter().map(|(_, tried)| *tried).collect();
        let Some(mut flood) = syn_flood::judge(server, &all) else {
            continue;
        };
        flood.finding.name = name_of(server.0);
        let mut own: HashSet<((IpAddr, u16), Timestamp)> = HashSet::new();
        for (place, _) in tries.iter().filter(|(_, tried)| flood.owns(tried)) {
            if let Some(stub) = told.stubs.get_mut(*place) {
                own.insert((stub.client, stub.first));
                stub.outcomes = Outcomes::default();
            }
        }
        *told.unjudged.entry("flood-syns").or_default() += own.len() as u64;
        let owns = |finding: &Finding| {
            let flow = finding.client.zip(finding.flow.map(|(_, began)| began));
            flow.is_some_and(|flow| own.contains(&flow))
        };
        findings = syn_flood::stand_for(flood.finding, findings, &owns);
    }
    findings
}

/// Servers of which so many SYNs got no answer that a flood may be among them, with room for all that was tried there.
fn asked_in_vain(stubs: &[Box<Stub>]) -> BTreeMap<(IpAddr, u16), Vec<(usize, Tried)>> {
    let mut open: BTreeMap<(IpAddr, u16), usize> = BTreeMap::new();
    for stub in stubs.iter().filter(|stub| stub.half_open().is_some()) {
        *open.entry(stub.to.server).or_default() += 1;
    }
    open.retain(|_, count| *count >= syn_flood::WITHIN);
    open.into_keys()
        .map(|server| (server, Vec::new()))
        .collect()
}

/// Servers whose distance changed for everybody at one moment.
fn paths(told: &Told, name_of: &dyn Fn(IpAddr) -> Option<String>) -> Vec<Finding> {
    let mut hops_of: HashMap<IpAddr, (u8, bool)> = HashMap::new();
    for stub in &told.stubs {
        if let Some(hops) = &stub.hops {
            let (known, differs) = hops_of
                .entry(stub.to.server.0)
                .or_insert((hops.first, false));
            *differs |= hops.first != *known || hops.changed.is_some();
        }
    }
    hops_of.retain(|_, (_, differs)| *differs);
    let mut samples: BTreeMap<IpAddr, Vec<(IpAddr, Hops)>> = BTreeMap::new();
    for stub in told.stubs.iter().filter(|_| !hops_of.is_empty()) {
        if let Some(hops) = stub.hops.as_ref()
            && hops_of.contains_key(&stub.to.server.0)
        {
            let own = samples.entry(stub.to.server.0).or_default();
            own.push((stub.client.0, hops.clone()));
        }
    }
    let changed = samples
        .iter()
        .filter_map(|(server, samples)| path_changed::judge(*server, samples));
    changed
        .map(|mut finding| {
            finding.name = finding.server.and_then(|(ip, _)| name_of(ip));
            finding
        })
        .collect()
}

/// Routing loops that no connection shows.
fn loops(
    findings: &[Finding],
    engine: &Engine,
    name_of: &dyn Fn(IpAddr) -> Option<String>,
) -> Vec<Finding> {
    let told: BTreeSet<IpAddr> = findings
        .iter()
        .filter(|finding| finding.class.code == routing_loop::CLASS.code)
        .filter_map(|finding| Some(finding.server?.0))
        .collect();
    let beside = engine.beside.found.iter();
    beside
        .filter(|(_, destination, _)| !told.contains(destination))
        .map(|(source, destination, circling)| {
            let mut finding = routing_loop::beside_flows(*source, *destination, circling);
            finding.name = name_of(*destination);
            finding
        })
        .collect()
}
