//! Incidents of worlds made by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod group;
mod network;
mod path;
mod reach;
mod service;
mod table;
mod trust;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use crate::endpoint::Rules;
use crate::failure::flow::Outcomes;
use crate::failure::{Class, Finding, Severity, Subject, Text, Value, classes};
use crate::flow::heard::Heard;
use crate::incident::{Answered, Context, Incident, Seen, find};
use crate::time::{SECOND, Timestamp};

/// Clients of one office, servers of another network.
const CLIENTS: [&str; 4] = ["192.0.2.15", "192.0.2.16", "192.0.2.17", "192.0.2.18"];
const OTHERS: [&str; 3] = ["198.51.100.7", "198.51.100.8", "192.0.2.99"];
const SERVER: &str = "203.0.113.20:8081";

/// Findings and surroundings of a capture that never was.
#[derive(Default)]
struct World {
    findings: Vec<Finding>,
    seen: Vec<Seen>,
    answered: Vec<Answered>,
    heard: Heard,
}

impl World {
    /// An attempt that fails by `code`: the finding, its connection.
    fn fails(&mut self, code: &str, client: &str, server: &str, at: i64) -> &mut Finding {
        self.tried(
            client,
            server,
            at,
            None,
            Outcomes {
                failed: 1,
                ..Outcomes::default()
            },
            !never_connects(code),
        );
        self.says(code, client, server, at).fails = true;
        self.findings.last_mut().unwrap()
    }

    /// A finding without a connection.
    fn says(&mut self, code: &str, client: &str, server: &str, at: i64) -> &mut Finding {
        let mut finding = Finding::new(class(code), Subject::Flow, time(at));
        finding.last = time(at + 1);
        finding.client = Some((ip(client), 40_000));
        finding.server = Some(address(server));
        self.findings.push(finding);
        self.findings.last_mut().unwrap()
    }

    /// The same by a name.
    fn named(
        &mut self,
        code: &str,
        client: &str,
        (name, server): (&str, &str),
        at: i64,
    ) -> &mut Finding {
        let failed = Outcomes {
            failed: 1,
            ..Outcomes::default()
        };
        self.tried(
            client,
            server,
            at,
            Some(name),
            failed,
            !never_connects(code),
        );
        let finding = self.says(code, client, server, at);
        finding.fails = true;
        finding.name = Some(name.to_owned());
        finding
    }

    /// A name that fails to resolve.
    fn unresolved(&mut self, code: &str, client: &str, (name, resolver): (&str, &str), at: i64) {
        let finding = self.says(code, client, resolver, at);
        finding.fails = true;
        finding.name = Some(name.to_owned());
    }

    /// An attempt that goes well.
    fn well(&mut self, client: &str, server: &str, at: i64) -> &mut Seen {
        self.tried(
            client,
            server,
            at,
            None,
            Outcomes {
                ok: 1,
                ..Outcomes::default()
            },
            true,
        )
    }

    fn well_named(&mut self, client: &str, (name, server): (&str, &str), at: i64) {
        self.tried(
            client,
            server,
            at,
            Some(name),
            Outcomes {
                ok: 1,
                ..Outcomes::default()
            },
            true,
        );
    }

    fn tried(
        &mut self,
        client: &str,
        server: &str,
        at: i64,
        name: Option<&str>,
        outcomes: Outcomes,
        established: bool,
    ) -> &mut Seen {
        let (client, server) = (ip(client), address(server));
        if established {
            self.heard.note(client, server.0, time(at));
        }
        let latency_ms = [None; 3];
        let name = name.map(Arc::from);
        self.seen.push(Seen {
            client,
            server,
            time: time(at),
            last: time(at),
            established: established.then(|| time(at)),
            outcomes,
            name,
            latency_ms,
            server_rtt_us: established.then_some(20_000),
            server_hops: established.then_some(8),
        });
        self.seen.last_mut().unwrap()
    }

    /// A packet of `sender` reached `receiver`.
    fn hears(&mut self, receiver: &str, sender: &str, at: i64) {
        self.heard.note(ip(receiver), ip(sender), time(at));
    }

    fn resolves(&mut self, client: &str, (name, resolver): (&str, &str), at: i64) {
        let (client, resolver) = (ip(client), ip(resolver));
        self.answered.push(Answered {
            client,
            resolver,
            name: Arc::from(name),
            time: time(at),
        });
        self.heard.note(client, resolver, time(at));
    }

    fn incidents(&self) -> Vec<Incident> {
        find(
            &self.findings,
            &Context::new(self.seen.clone(), self.answered.clone(), &self.heard)
                .with_rules(&Rules::built_in()),
        )
        .0
    }
}

fn never_connects(code: &str) -> bool {
    ["transport.syn-", "network.icmp-", "network.firewall-"]
        .iter()
        .any(|start| code.starts_with(start))
}

/// The only incident of a world.
fn only(world: &World) -> Incident {
    let mut incidents = world.incidents();
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    incidents.pop().unwrap()
}

/// `cause` is argued first, and nothing else comes near it.
#[track_caller]
fn argues(build: impl Fn(&mut World), cause: &str) {
    let mut world = World::default();
    build(&mut world);
    let incident = only(&world);
    let told: Vec<String> = incident
        .hypotheses
        .iter()
        .map(|hypothesis| {
            let why = |reasons: &[crate::incident::Reason]| {
                reasons
                    .iter()
                    .map(|reason| format!("{} {}", reason.item.id, reason.weight))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            format!(
                "{} {}: {} / {}",
                hypothesis.cause.name,
                hypothesis.score,
                why(&hypothesis.favour),
                why(&hypothesis.against)
            )
        })
        .collect();
    assert_eq!(
        incident.cause().map(|cause| cause.name),
        Some(cause),
        "{told:#?}"
    );
    assert!(incident.rival().is_none(), "{told:#?}");
}

fn detail(finding: &mut Finding, key: &'static str, value: Value) {
    finding.details.push((key, value));
}

/// The class of a code; one that nobody can say yet is made up.
fn class(code: &str) -> &'static Class {
    static MADE: Mutex<BTreeMap<String, &'static Class>> = Mutex::new(BTreeMap::new());
    if let Some(known) = classes::ALL.iter().find(|class| class.code == code) {
        return known;
    }
    let mut made = MADE.lock().unwrap();
    made.entry(code.to_owned()).or_insert_with(|| {
        Box::leak(Box::new(Class {
            code: Box::leak(code.to_owned().into_boxed_str()),
            severity: Severity::Error,
            guide: Text {
                en: "# Made up\n",
                zh: "# 编造\n",
            },
            summary: |_, _| String::new(),
        }))
    })
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_ns((1_795_536_131 + second) * SECOND)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn address(text: &str) -> (IpAddr, u16) {
    match text.parse::<SocketAddr>() {
        Ok(address) => (address.ip(), address.port()),
        Err(_) => (ip(text), 0),
    }
}
