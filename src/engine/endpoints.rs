//! Which endpoint a connection, a finding or a host belongs to, by the rules and by the names that the capture gives.
//!
//! The name is what the client asked for (SNI, Host, CONNECT), else the one that its DNS answer gave for the address
//! before, else the first of the server's certificate that a rule knows, else the one that all other connections to its
//! address and port asked for. What a proxy is asked for is the endpoint, not the proxy. With a rule file, what belongs to no rule is
//! counted and not told; findings about links and the capture always are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::{Equivalent, HashMap, HashSet};

use crate::endpoint::{Rule, Rules, Seen};
use crate::engine::row::Row;
use crate::engine::told::{Stub, Target};
use crate::failure::security::{
    gm_not_used, tlcp_mismatch, tls_cut_on_hello, tls_no_reply, tls_not_tls,
};
use crate::failure::{Behind, Finding, Severity, Subject, Value};
use crate::flow::names::Names;
use crate::time::{MILLISECOND, Nanos, Timestamp};

type Server = (IpAddr, u16);

/// All that rules ask of a connection: its server, its name, and by what it was told.
#[derive(PartialEq, Eq, Hash)]
struct Asked<'a>(Server, Option<&'a str>, (bool, bool, Option<Behind>));

/// A server by its name: finds what is known by an owned one.
#[derive(Hash)]
struct Named<'a>(Server, Option<&'a str>);

impl Equivalent<(Server, Option<String>)> for Named<'_> {
    fn equivalent(&self, known: &(Server, Option<String>)) -> bool {
        self.0 == known.0 && self.1 == known.1.as_deref()
    }
}

/// The endpoints of a run.
pub(super) struct Endpoints<'e> {
    rules: &'e Rules,
    names: &'e Names,
    certified: HashMap<Server, Arc<str>>,
    /// The name that connections to a server asked for, where they all asked for one.
    asked: HashMap<Server, Option<Arc<str>>>,
    known: HashMap<(Server, Option<String>), Option<&'e Rule>>,
    strangers: BTreeSet<IpAddr>,
}

impl<'e> Endpoints<'e> {
    /// Finds the rule of every server; `stubs` by first frame.
    pub(super) fn new(rules: &'e Rules, names: &'e Names, stubs: &[Box<Stub>]) -> Self {
        let mut all = Self {
            rules,
            names,
            certified: HashMap::new(),
            asked: HashMap::new(),
            known: HashMap::new(),
            strangers: BTreeSet::new(),
        };
        all.learn(stubs);
        let mut known: HashMap<(Server, Option<String>), Option<&'e Rule>> = HashMap::new();
        let (mut own, mut strangers) = (BTreeSet::new(), BTreeSet::new());
        // Most connections differ from one before in nothing that a rule asks for.
        let mut judged: HashMap<Asked<'_>, bool> = HashMap::new();
        let mut met: HashSet<*const Target> = HashSet::new();
        for stub in stubs {
            // By name all meant the same who asked alike; who they are matters only where strangers are told apart.
            let named = stub.to.name.is_some() && rules.others;
            if named && !met.insert(Arc::as_ptr(&stub.to)) {
                continue;
            }
            let name = all.name_of(stub);
            let told = (stub.to.sni, stub.to.name.is_some(), stub.to.behind);
            let asked = Asked(stub.to.server, name, told);
            if let Some(ruled) = judged.get(&asked) {
                if *ruled {
                    own.insert(stub.client.0);
                }
                continue;
            }
            let seen = Seen {
                name,
                sni: stub.to.sni,
                host: stub.to.name.is_some() && !stub.to.sni,
                connect: stub.to.behind.map(|(_, port)| port),
                certificate: all.certified.get(&stub.to.server).map(|name| &**name),
                server: Some(stub.to.behind.map_or(stub.to.server, |(address, port)| {
                    address.map_or(stub.to.server, |address| (address, port))
                })),
            };
            let rule = rules.find(&seen);
            judged.insert(asked, rule.is_some());
            match rule {
                Some(_) => own.extend([stub.to.server.0, stub.client.0]),
                None => drop(strangers.insert(stub.to.server.0)),
            }
            let known = known.entry((stub.to.server, name.map(str::to_owned)));
            let known = known.or_default();
            *known = known.or(rule);
        }
        drop(judged);
        strangers.retain(|address| !own.contains(address));
        (all.known, all.strangers) = (known, strangers);
        all
    }

    /// Learns the names by which servers are asked for, and those of their certificates; `stubs` by first frame.
    fn learn(&mut self, stubs: &[Box<Stub>]) {
        let mut met: HashSet<*const Target> = HashSet::new();
        for stub in stubs {
            let to = &stub.to;
            if !met.insert(Arc::as_ptr(to)) {
                continue;
            }
            if let Some(name) = &to.certificate {
                self.certified
                    .entry(to.server)
                    .or_insert_with(|| Arc::clone(name));
            }
            if let Some(name) = to.name.as_ref().filter(|_| to.behind.is_none()) {
                self.asked
                    .entry(to.server)
                    .and_modify(|one| {
                        if one.as_ref() != Some(name) {
                            *one = None;
                        }
                    })
                    .or_insert_with(|| Some(Arc::clone(name)));
            }
        }
    }

    /// The name of a connection's server.
    pub(super) fn name_of<'s>(&'s self, stub: &'s Stub) -> Option<&'s str> {
        match &stub.to.name {
            Some(name) => Some(name),
            // What lies behind a proxy has the name that the proxy was asked for, or none.
            None if stub.to.behind.is_some() => None,
            None => self.name_at(stub.client.0, stub.to.server, stub.first),
        }
    }

    /// The name of a server that was not asked for by one.
    fn name_at(&self, client: IpAddr, server: Server, at: Timestamp) -> Option<&str> {
        let certified = || {
            let name = self.certified.get(&server)?;
            // A wildcard tells the rule, and names no host.
            Some(&**name).filter(|name| !name.contains('*'))
        };
        let asked = || self.asked.get(&server)?.as_deref();
        let known = self.names.best(client, server.0, at);
        known.or_else(certified).or_else(asked)
    }

    /// A finding without a name of its own takes the one that its connection has.
    pub(super) fn name(&self, finding: &mut Finding) {
        if finding.name.is_none()
            && finding.behind.is_none()
            && let (Some((client, _)), Some(server)) = (finding.client, finding.server)
        {
            finding.name = self
                .name_at(client, server, finding.first)
                .map(str::to_owned);
        }
    }

    /// The rule of a connection.
    pub(super) fn rule(&self, name: Option<&str>, server: Server) -> Option<&'e Rule> {
        match self.known.get(&Named(server, name)) {
            Some(rule) => *rule,
            None => self.rules.find(&Seen {
                name,
                sni: true,
                host: true,
                connect: None,
                certificate: self.certified.get(&server).map(|name| &**name),
                server: Some(server),
            }),
        }
    }

    fn rule_of(&self, finding: &Finding) -> Option<&'e Rule> {
        match (finding.subject, &finding.name, finding.server) {
            (Subject::Name, Some(name), _) => self.rules.of_name(name).or_else(|| {
                let client = finding.client?.0;
                let mut answers = self.names.resolved(client, name);
                let address = |address: &IpAddr| self.rules.holds(*address);
                let held =
                    answers.find_map(|answer| answer.addresses.iter().copied().find(address))?;
                let mut rules = self.rules.all().iter();
                rules.find(|rule| {
                    let ranges = &rule.matching.addresses;
                    ranges.iter().any(|range| range.holds(held))
                })
            }),
            (_, name, Some(server)) if server.1 != 0 => self.rule(name.as_deref(), server),
            _ => None,
        }
    }

    /// Does a finding concern an endpoint? Of a host it does unless only servers without a rule have its address.
    pub(super) fn concerns(&self, finding: &Finding) -> bool {
        if self.rules.others || self.rule_of(finding).is_some() {
            return true;
        }
        match (finding.subject, finding.server) {
            (Subject::Capture, _) => true,
            // A tunnel is the way to endpoints, whatever its own end is.
            (Subject::Link, _) if finding.class.code.starts_with("security.vpn-") => true,
            (Subject::Link | Subject::Host, Some((address, 0))) => {
                let hop = finding.details.contains(&("next_hop", Value::Bool(true)));
                hop || self.rules.holds(address) || !self.strangers.contains(&address)
            }
            (Subject::Link | Subject::Host, None) => true,
            _ => false,
        }
    }

    /// The versions that its rule expects on a path; none where it says nothing of it.
    pub(super) fn versions(&self, finding: &Finding, path: &str) -> Vec<String> {
        let rule = self.rule_of(finding);
        rule.map_or_else(Vec::new, |rule| rule.versions_of(path).to_vec())
    }

    /// The handshake above which a finding is told, where its rule says so.
    pub(super) fn connect_limit(&self, finding: &Finding) -> Option<Nanos> {
        let limit = self.rule_of(finding)?.thresholds.connect_ms?;
        Some(Nanos::from(limit) * MILLISECOND)
    }

    /// What the rules make of the findings: whose they are, how bad, and whether they are told at all.
    pub(super) fn judge(
        &self,
        findings: Vec<Finding>,
        unjudged: &mut BTreeMap<String, u64>,
    ) -> Vec<Finding> {
        let mut kept = Vec::with_capacity(findings.len());
        for mut finding in findings {
            if !self.concerns(&finding) {
                // Connections are counted as such.
                if finding.flow.is_none() {
                    *unjudged.entry(NOT_AN_ENDPOINT.to_owned()).or_default() += finding.count;
                }
                continue;
            }
            let rule = self.rule_of(&finding);
            if finding.class.code == gm_not_used::CLASS.code
                && rule.is_none_or(|rule| !rule.gm_required)
            {
                continue;
            }
            if let Some(rule) = rule {
                other_protocol(&mut finding, rule);
                if is_fast_enough(&finding, rule) {
                    continue;
                }
                if finding.class.code == "security.tls-obsolete"
                    && finding.text("version").is_some_and(|version| {
                        rule.versions.iter().any(|expected| expected == version)
                    })
                {
                    finding.severity = Severity::Info;
                }
                if rule.takes_id {
                    finding.endpoint = Some(rule.id.clone());
                }
            }
            kept.push(finding);
        }
        kept
    }

    /// The connections to endpoints; the others are counted.
    pub(super) fn keep(
        &self,
        stubs: Vec<Box<Stub>>,
        unjudged: &mut BTreeMap<String, u64>,
    ) -> Vec<Box<Stub>> {
        if self.rules.others {
            return stubs;
        }
        let before = stubs.len();
        let mut stubs = stubs;
        stubs.retain(|stub| self.rule(self.name_of(stub), stub.to.server).is_some());
        let others = (before - stubs.len()) as u64;
        if others > 0 {
            *unjudged.entry(NOT_AN_ENDPOINT.to_owned()).or_default() += others;
        }
        stubs
    }

    /// Is it the row of a connection to an endpoint?
    pub(super) fn holds(&self, row: &Row) -> bool {
        let name = || match &row.name {
            Some(name) => Some(name.as_str()),
            None => self.name_at(row.orig.0, row.resp, row.ts),
        };
        self.rules.others || self.rule(name(), row.resp).is_some()
    }

    /// The rule of a name.
    pub(super) fn of_name(&self, name: &str) -> Option<&'e Rule> {
        self.rules.of_name(name)
    }

    /// Is it a name of the rules?
    pub(super) fn knows(&self, name: &str) -> bool {
        self.rules.of_name(name).is_some()
    }

    /// The region that a rule or a name says.
    pub(super) fn region(&self, rule: Option<&Rule>, name: Option<&str>) -> Option<String> {
        self.rules.region(rule, name).map(str::to_owned)
    }
}

/// Why something was neither told nor counted among the attempts.
const NOT_AN_ENDPOINT: &str = "not-an-endpoint";

/// A hello without an answer, to a server of which the rule says that it speaks another protocol.
fn other_protocol(finding: &mut Finding, rule: &Rule) {
    let code = finding.class.code;
    let silent = [tls_cut_on_hello::CLASS.code, tls_no_reply::CLASS.code].contains(&code);
    let spoken = finding.text("hello").unwrap_or("TLS");
    match rule.protocol.as_deref() {
        Some("tlcp") if silent && spoken == "TLS" => {
            tlcp_mismatch::by_rule(finding, ("TLS", "TLCP"));
        }
        Some("tls") if silent && spoken == "TLCP" => {
            tlcp_mismatch::by_rule(finding, ("TLCP", "TLS"));
        }
        Some("http") if silent => tls_not_tls::by_rule(finding),
        // Both speak TLCP: the silence has another reason.
        Some("tlcp") if code == tlcp_mismatch::CLASS.code => tlcp_mismatch::not_by_rule(finding),
        _ => {}
    }
}

/// A slow answer that the rule allows.
fn is_fast_enough(finding: &Finding, rule: &Rule) -> bool {
    let limit = match finding.class.code {
        "application.slow-response" => rule.thresholds.first_byte_ms,
        // An answer that only the second resolver gave is told however soon it came.
        "network.dns-slow" if !finding.details.contains(&("fallback", Value::Bool(true))) => {
            rule.thresholds.dns_ms
        }
        _ => None,
    };
    let waited = finding.number("waited_ms");
    matches!((limit, waited), (Some(limit), Some(waited)) if waited <= i64::from(limit))
}
