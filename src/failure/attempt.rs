//! One attempt over several connections: the addresses of one name tried one after the other, the two families of a
//! race, and tries repeated soon after each other (catalogue, "The attempt").
//!
//! What links two addresses is a name that both were given, by DNS or by what other connections asked for. Where the
//! capture holds no name for one of them, order and neighbourhood have to do, and the finding says so. Two addresses
//! with names of their own are never linked.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::failure::transport::{connect_slow, syn_unanswered};
use crate::failure::{Evidence, Finding, Text, Value};
use crate::mark::Mark;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// Tries of one client at one endpoint belong to one attempt within this.
const ATTEMPT: Nanos = 30 * SECOND;
/// A race between families is over within this (RFC 8305 5: 250 ms, and a refusal at once).
const RACE: Nanos = 2 * SECOND;
/// Without a name, the next address follows the last try of the one before within this.
const TURNED: Nanos = 3 * SECOND;

/// Addresses that one failed attempt tries.
const ADDRESSES_MAX: usize = 32;

/// A connection that came to stand.
#[derive(Clone, Copy, Debug)]
pub struct Connected {
    /// By whom.
    pub client: IpAddr,
    /// To whom.
    pub server: (IpAddr, u16),
    /// Its first frame's time.
    pub began: Timestamp,
    /// The frame that completed the handshake.
    pub at: Mark,
    /// Interface, VLAN and MAC of the client's packets, hashed.
    pub origin: u32,
}

/// Which connections of a run came to stand, for looking up what a failed one was followed by.
#[derive(Debug, Default)]
pub struct Successes {
    /// Of one client at one server, by when they stood.
    by_pair: HashMap<Pair, Vec<Connected>>,
    /// The servers that one client reached on a port, in the order of their addresses.
    reached: HashMap<(IpAddr, u16), BTreeSet<IpAddr>>,
    /// Of one place, family and port, by when they stood.
    by_origin: HashMap<Family, Vec<Connected>>,
}

/// Where a client's packets were seen, whether by IPv4, and the server's port.
type Family = (u32, bool, u16);

type Pair = (IpAddr, (IpAddr, u16));

impl Successes {
    /// Sorts them by when they stood.
    pub fn new(connected: impl Iterator<Item = Connected>) -> Self {
        let mut all = Self::default();
        for one in connected {
            all.by_pair
                .entry((one.client, one.server))
                .or_default()
                .push(one);
            all.reached
                .entry((one.client, one.server.1))
                .or_default()
                .insert(one.server.0);
            all.by_origin
                .entry((one.origin, one.client.is_ipv4(), one.server.1))
                .or_default()
                .push(one);
        }
        all.by_pair
            .values_mut()
            .for_each(|list| list.sort_by_key(|one| one.at));
        all.by_origin
            .values_mut()
            .for_each(|list| list.sort_by_key(|one| one.at));
        all
    }

    /// The first connection that the same attempt as this failed connect came to; true where only a guess links them.
    fn of(&self, failed: &Finding, names: &mut NamesOf<'_>) -> Option<(Connected, bool)> {
        let ((client, _), server) = (failed.client?, failed.server?);
        let again = window(self.by_pair.get(&(client, server)), failed.first, ATTEMPT)
            .find(|one| one.began >= failed.first)
            .map(|one| (*one, false));
        let others = self
            .reached
            .get(&(client, server.1))
            .into_iter()
            .flatten()
            .filter(|other| **other != server.0);
        let mut found: Vec<(Connected, bool)> = again.into_iter().collect();
        found.extend(others.filter_map(|other| {
            let known = self.by_pair.get(&(client, (*other, server.1)));
            match related(names, server.0, *other) {
                Some(true) => window(known, failed.first, ATTEMPT)
                    .next()
                    .map(|one| (*one, false)),
                Some(false) => None,
                None => window(known, failed.first, ATTEMPT)
                    .find(|one| self.turned_to(failed, client, one))
                    .map(|one| (*one, true)),
            }
        }));
        let other_family = (failed.origin, !client.is_ipv4(), server.1);
        let family = window(self.by_origin.get(&other_family), failed.first, RACE)
            .filter_map(|one| match related(names, server.0, one.server.0) {
                Some(true) => Some((*one, false)),
                Some(false) => None,
                None => self.turned_to(failed, client, one).then_some((*one, true)),
            })
            .min_by_key(|(one, guessed)| (*guessed, one.at));
        found.extend(family);
        found
            .into_iter()
            .min_by_key(|(one, guessed)| (*guessed, one.at))
    }

    /// Nothing names the addresses: did the client turn from one to the other at once, for the first time?
    fn turned_to(&self, failed: &Finding, client: IpAddr, one: &Connected) -> bool {
        let earliest = self
            .by_pair
            .get(&(one.client, one.server))
            .and_then(|list| list.first());
        let fresh = earliest.is_none_or(|first| first.began >= failed.first);
        let server = failed.server.map(|(ip, _)| ip);
        let after_last = one.began.since(failed.last);
        let near = match (server, one.server.0) {
            (Some(IpAddr::V4(a)), IpAddr::V4(b)) => {
                a.octets().starts_with(b.octets().get(..3).unwrap_or(&[]))
            }
            (Some(IpAddr::V6(a)), IpAddr::V6(b)) => {
                a.octets().starts_with(b.octets().get(..8).unwrap_or(&[]))
            }
            _ => one.began.since(failed.first) <= RACE && one.client != client,
        };
        let turned = one.client != client || (0..=TURNED).contains(&after_last);
        fresh && near && turned && one.began >= failed.first
    }
}

/// Were both addresses given one name? `None` where one of them has none.
fn related(names: &mut NamesOf<'_>, dead: IpAddr, live: IpAddr) -> Option<bool> {
    let (dead, live) = (names.of(dead), names.of(live));
    (!dead.is_empty() && !live.is_empty()).then(|| !dead.is_disjoint(&live))
}

/// The names of an address, looked up once.
struct NamesOf<'n> {
    ask: &'n dyn Fn(IpAddr) -> BTreeSet<String>,
    known: HashMap<IpAddr, Rc<BTreeSet<String>>>,
}

impl NamesOf<'_> {
    fn of(&mut self, address: IpAddr) -> Rc<BTreeSet<String>> {
        Rc::clone(
            self.known
                .entry(address)
                .or_insert_with(|| Rc::new((self.ask)(address))),
        )
    }
}

/// Those that stood within `span` after `first`.
fn window(
    list: Option<&Vec<Connected>>,
    first: Timestamp,
    span: Nanos,
) -> impl Iterator<Item = &Connected> {
    let list: &[Connected] = list.map_or(&[], Vec::as_slice);
    let from = list.partition_point(|one| one.at.time < first);
    list.iter()
        .skip(from)
        .take_while(move |one| one.at.time.since(first) <= span)
}

const GUESSED: Text = Text {
    en: "no name in the capture links the two addresses: told by the order of the client's tries",
    zh: "抓包中没有域名可关联两个地址：由客户端先后尝试的次序判断",
};

/// A connection: its first frame's time, its client, its server.
pub type Flow = (Timestamp, (IpAddr, u16), (IpAddr, u16));

/// The connection that a finding is about.
pub fn flow_of(finding: &Finding) -> Option<Flow> {
    let (_, began) = finding.flow?;
    Some((began, finding.client?, finding.server?))
}

/// What is left of the findings, and which connections were no attempt of their own.
#[derive(Debug, Default)]
pub struct Folded {
    /// Findings.
    pub findings: Vec<Finding>,
    /// Connections that failed as a part of an attempt that others stand for.
    pub parts: Vec<Flow>,
}

/// Failed connects whose attempt succeeded after all are told as `connect-slow` from one second of delay on, else not
/// at all. Tries repeated within an attempt become one finding. Addresses of one name that all fail are told each, and
/// are one attempt.
pub fn fold(
    findings: Vec<Finding>,
    successes: &Successes,
    names: &dyn Fn(IpAddr) -> BTreeSet<String>,
) -> Folded {
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut parts = Vec::new();
    let mut tries = Tries::default();
    let mut open: HashMap<(IpAddr, IpAddr, u16), usize> = HashMap::new();
    let mut names = NamesOf {
        ask: names,
        known: HashMap::new(),
    };
    for finding in findings {
        let (Some((client, _)), Some(server), true) =
            (finding.client, finding.server, is_connect(&finding))
        else {
            kept.push(finding);
            continue;
        };
        if let Some((success, guessed)) = successes.of(&finding, &mut names) {
            parts.extend(flow_of(&finding));
            let delay = success.at.time.since(finding.first);
            if delay >= SECOND {
                let slow =
                    connect_slow::after(&finding, delay / MILLISECOND, success.at, success.server);
                kept.push(if guessed {
                    slow.at_most(70, GUESSED)
                } else {
                    slow
                });
            }
            continue;
        }
        if finding.class.code == "transport.syn-unanswered" {
            let key = (client, server.0, server.1);
            if let Some(earlier) = open.get(&key).and_then(|index| kept.get_mut(*index))
                && finding.first.since(earlier.first) <= ATTEMPT
                && finding.first >= earlier.last
            {
                join(earlier, &finding);
                parts.extend(flow_of(&finding));
                continue;
            }
            open.insert(key, kept.len());
        }
        if tries.is_next(&finding, &mut names) {
            parts.extend(flow_of(&finding));
        }
        kept.push(finding);
    }
    Folded {
        findings: kept,
        parts,
    }
}

/// The failed attempts of a run so far: which addresses each of them tried.
#[derive(Debug, Default)]
struct Tries {
    by_client: HashMap<(IpAddr, u16), Try>,
    by_origin: HashMap<Family, Try>,
}

/// One failed attempt.
#[derive(Clone, Debug)]
struct Try {
    first: Timestamp,
    servers: Vec<IpAddr>,
}

impl Try {
    /// Would this address be the next of the same attempt?
    fn goes_on_to(&self, server: IpAddr, names: &mut NamesOf<'_>) -> bool {
        !self.servers.contains(&server)
            && self.servers.len() < ADDRESSES_MAX
            && self
                .servers
                .iter()
                .any(|tried| related(names, *tried, server) == Some(true))
    }
}

impl Tries {
    /// Is this failed connect the next address, or the sibling, of an attempt that failed so far?
    fn is_next(&mut self, failed: &Finding, names: &mut NamesOf<'_>) -> bool {
        let (Some((client, _)), Some((server, port))) = (failed.client, failed.server) else {
            return false;
        };
        let (own, other) = (client.is_ipv4(), !client.is_ipv4());
        let within = |known: &&mut Try, span| failed.first.since(known.first) <= span;
        let known = self.by_client.get_mut(&(client, port));
        let known = known.filter(|known| within(known, ATTEMPT));
        if let Some(known) = known.filter(|known| known.goes_on_to(server, names)) {
            known.servers.push(server);
            return true;
        }
        let sibling = self.by_origin.get(&(failed.origin, other, port));
        let sibling = sibling.filter(|known| failed.first.since(known.first) <= RACE);
        let raced = sibling.is_some_and(|known| known.goes_on_to(server, names));
        let new = Try {
            first: failed.first,
            servers: vec![server],
        };
        self.by_origin
            .insert((failed.origin, own, port), new.clone());
        self.by_client.insert((client, port), new);
        raced
    }
}

/// A SYN retried from a new source port within the attempt is the same finding.
fn join(earlier: &mut Finding, again: &Finding) {
    earlier.last = earlier.last.max(again.last);
    earlier
        .evidence
        .extend(again.evidence.iter().take(4).map(|seen| Evidence {
            role: "syn-retry",
            ..*seen
        }));
    if let (Some(known), Some(new)) = (&mut earlier.silence, again.silence) {
        known.to = known.to.max(new.to);
        known.proven |= new.proven;
    }
    if earlier.class.code == syn_unanswered::CLASS.code {
        let waited = earlier.last.since(earlier.first).max(0) / MILLISECOND;
        let more = again.number("retries").unwrap_or(0).saturating_add(1);
        for (key, value) in &mut earlier.details {
            match (*key, value) {
                ("retries", Value::Number(retries)) => *retries = retries.saturating_add(more),
                ("waited_ms", Value::Number(known)) => *known = waited,
                _ => {}
            }
        }
    }
}

/// A connect that failed: another one may stand for it.
pub fn is_connect(finding: &Finding) -> bool {
    matches!(
        finding.class.code,
        "transport.syn-unanswered"
            | "transport.syn-refused"
            | "network.icmp-unreachable"
            | "network.firewall-rejected"
    ) && finding.fails
}
