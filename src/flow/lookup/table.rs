//! The lookups that are open, and those kept for the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;

use hashbrown::HashMap;

use crate::decode::IpFacts;
use crate::mark::Mark;
use crate::protocol::dns::{Message, kind, rcode};
use crate::time::{Nanos, SECOND, Timestamp};

use super::well::AllWell;
use super::{
    JOIN, JOIN_AFTER_ERROR, Lookup, Outcome, QUERIES_MAX, Query, REPLIES_MAX, Reply, SLOW, SPAN_MAX,
};

/// Lookups open at once, about 1 KiB each.
const LIVE_MAX: usize = 32_768;
/// Failed lookups kept for the end.
const TROUBLED_MAX: usize = 65_536;
/// A lookup stays open for late answers, and for those over TCP that reach it a batch later. It takes no queries then.
const LINGER: Nanos = 70 * SECOND;
/// The same packet may be captured again within this.
const SIGHTING: Nanos = SECOND;

/// How many lookups went which way, beside those kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Went well, or failed nobody.
    pub ordinary: u64,
    /// Closed early because too many were open.
    pub evicted: u64,
    /// Failed and no longer fitted.
    pub omitted: u64,
    /// Packets that were further sightings.
    pub sightings: u64,
}

type Key = (IpAddr, Box<str>, u16);
/// Client, its port (0 over TCP), resolver, id.
type Exchange = (IpAddr, u16, IpAddr, u16, bool);

/// All lookups of a run.
#[derive(Clone, Debug)]
pub struct Lookups {
    live_max: usize,
    troubled_max: usize,
    live: HashMap<u64, Lookup>,
    by_name: HashMap<Key, u64>,
    by_exchange: HashMap<Exchange, u64>,
    /// The last two lookups that a client asked a resolver from one port.
    by_port: HashMap<(IpAddr, u16, IpAddr), [Option<u64>; 2]>,
    due: BinaryHeap<Reverse<(Timestamp, u64)>>,
    next: u64,
    troubled: Vec<Lookup>,
    /// Those that went well and are closed.
    pub well: AllWell,
    /// What was not kept.
    pub counts: Counts,
}

/// How a message came.
#[derive(Clone, Copy)]
struct Way {
    client: IpAddr,
    resolver: IpAddr,
    resolver_port: u16,
    port: u16,
    tcp: bool,
    ip_id: Option<u32>,
    ttl: Option<u8>,
    at: Mark,
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            live_max: LIVE_MAX,
            troubled_max: TROUBLED_MAX,
            live: HashMap::new(),
            by_name: HashMap::new(),
            by_exchange: HashMap::new(),
            by_port: HashMap::new(),
            due: BinaryHeap::new(),
            next: 0,
            troubled: Vec::new(),
            well: Default::default(),
            counts: Counts::default(),
        }
    }
}

impl Lookups {
    /// Follows at most so many lookups at once, and keeps twice as many that failed.
    pub fn remember_at_most(&mut self, lookups: usize) {
        self.live_max = lookups.clamp(1, LIVE_MAX);
        self.troubled_max = self.live_max.saturating_mul(2).min(TROUBLED_MAX);
    }

    /// Takes a datagram between `client` and `resolver`, both with their ports. `clock` is the capture's clock there.
    pub fn on_datagram(
        &mut self,
        (client, port): (IpAddr, u16),
        (resolver, resolver_port): (IpAddr, u16),
        message: &Message,
        ip: &IpFacts,
        at: Mark,
        clock: Timestamp,
    ) {
        let way = Way {
            client,
            resolver,
            resolver_port,
            port,
            tcp: false,
            ip_id: ip.id,
            ttl: Some(ip.ttl),
            at,
        };
        self.take(way, message, clock);
    }

    /// Takes a message that `client` and `resolver` exchanged over TCP; it may come up to a minute after datagrams of
    /// its time.
    pub fn on_stream(
        &mut self,
        client: IpAddr,
        (resolver, resolver_port): (IpAddr, u16),
        message: &Message,
        at: Mark,
        clock: Timestamp,
    ) {
        let way = Way {
            client,
            resolver,
            resolver_port,
            port: 0,
            tcp: true,
            ip_id: None,
            ttl: None,
            at,
        };
        self.take(way, message, clock);
    }

    /// An ICMP error came back that quotes a query of `client` to `resolver`.
    pub fn on_unreachable(&mut self, client: IpAddr, resolver: IpAddr, client_port: u16, at: Mark) {
        // The error quotes ports but not always the id; A and AAAA are mostly asked from one port.
        let Some(serials) = self.by_port.get(&(client, client_port, resolver)).copied() else {
            return;
        };
        for serial in serials.into_iter().flatten() {
            let queries = self.live.get_mut(&serial).map(|lookup| &mut lookup.queries);
            for query in queries.into_iter().flatten() {
                let quoted = query.resolver == resolver && query.port == client_port && !query.tcp;
                if quoted && !query.answered && query.unreachable.is_none() {
                    query.unreachable = Some(at);
                }
            }
        }
    }

    /// The capture ends at `end` of its clock: every lookup is closed. The failed, the slow and the undetermined ones, by
    /// first frame.
    pub fn finish(&mut self, end: Timestamp) -> Vec<Lookup> {
        let mut serials: Vec<u64> = self.live.keys().copied().collect();
        serials.sort_unstable();
        for serial in serials {
            self.close(serial, end);
        }
        let mut troubled = std::mem::take(&mut self.troubled);
        troubled.sort_by(|a, b| (a.first(), &a.name, a.kind).cmp(&(b.first(), &b.name, b.kind)));
        troubled
    }

    /// Forgets the lookups whose last query was sent, or whose answer came, before `time`.
    pub fn forget_before(&mut self, time: Timestamp) {
        self.troubled.retain(|lookup| lookup.last_query >= time);
        self.well.forget_before(time);
    }

    fn take(&mut self, way: Way, message: &Message, clock: Timestamp) {
        self.close_due(clock);
        if message.opcode != 0 {
            return;
        }
        let followed = message
            .question
            .as_ref()
            .filter(|question| matches!(question.kind, kind::A | kind::AAAA));
        match (message.response, followed) {
            (false, Some(question)) => {
                let key = (way.client, question.name.as_str().into(), question.kind);
                self.query(way, key, message);
            }
            (true, Some(question)) => {
                let key: Key = (way.client, question.name.as_str().into(), question.kind);
                let serial = self
                    .asked(&way, message, Some(&key))
                    .unwrap_or_else(|| self.open(key, &way));
                self.reply(serial, &way, message);
            }
            // RFC 1035 4.1.1: a FORMERR need not repeat the question.
            (true, None) if message.question.is_none() => {
                if let Some(serial) = self.asked(&way, message, None) {
                    self.reply(serial, &way, message);
                }
            }
            _ => {}
        }
    }

    /// The lookup that asked what this message answers.
    fn asked(&self, way: &Way, message: &Message, key: Option<&Key>) -> Option<u64> {
        let exchange = (way.client, way.port, way.resolver, message.id, way.tcp);
        let serial = *self.by_exchange.get(&exchange)?;
        let lookup = self.live.get(&serial)?;
        let fits = key.is_none_or(|(_, name, kind)| *lookup.name == **name && lookup.kind == *kind);
        fits.then_some(serial)
    }

    fn query(&mut self, way: Way, key: Key, message: &Message) {
        let known = self.by_name.get(&key).copied();
        let serial =
            match known.and_then(|serial| self.live.get(&serial).map(|lookup| (serial, lookup))) {
                Some((_, lookup)) if is_sighting(lookup, &way, message) => {
                    self.counts.sightings = self.counts.sightings.saturating_add(1);
                    return;
                }
                Some((serial, lookup)) if joins(lookup, way.at.time) => serial,
                _ => self.open(key, &way),
            };
        let Some(lookup) = self.live.get_mut(&serial) else {
            return;
        };
        lookup.recursive &= message.recursion_desired;
        lookup.last_query = lookup.last_query.max(way.at.time);
        if lookup.queries.len() >= QUERIES_MAX {
            lookup.queries_omitted = lookup.queries_omitted.saturating_add(1);
            return;
        }
        lookup.queries.push(Query {
            at: way.at,
            resolver: way.resolver,
            resolver_port: way.resolver_port,
            port: way.port,
            id: message.id,
            tcp: way.tcp,
            answered: false,
            unreachable: None,
            ip_id: way.ip_id,
            ttl: way.ttl.unwrap_or(0),
        });
        self.by_exchange.insert(
            (way.client, way.port, way.resolver, message.id, way.tcp),
            serial,
        );
        let asked = self
            .by_port
            .entry((way.client, way.port, way.resolver))
            .or_default();
        if !asked.contains(&Some(serial)) {
            *asked = [Some(serial), asked[0]];
        }
    }

    fn reply(&mut self, serial: u64, way: &Way, message: &Message) {
        let Some(lookup) = self.live.get_mut(&serial) else {
            return;
        };
        let reply = Reply {
            at: way.at,
            resolver: way.resolver,
            resolver_port: way.resolver_port,
            id: message.id,
            tcp: way.tcp,
            ttl: way.ttl,
            rcode: message.rcode,
            flags: message.flags,
            truncated: message.truncated,
            addresses: message.addresses.iter().map(|address| address.ip).collect(),
            alias: message.aliases.last().cloned(),
            soa: message.soa,
        };
        let same = |known: &Reply| {
            way.at.time.since(known.at.time).abs() <= SIGHTING
                && Reply {
                    at: known.at,
                    ttl: known.ttl,
                    ..reply.clone()
                } == *known
        };
        if lookup.replies.iter().any(same) {
            self.counts.sightings = self.counts.sightings.saturating_add(1);
            return;
        }
        for query in &mut lookup.queries {
            query.answered |=
                query.id == message.id && query.resolver == way.resolver && query.tcp == way.tcp;
        }
        if lookup.replies.len() < REPLIES_MAX {
            lookup.replies.push(reply);
        }
    }

    fn open(&mut self, key: Key, way: &Way) -> u64 {
        if self.live.len() >= self.live_max {
            self.evict(way.at.time);
        }
        let serial = self.next;
        self.next = self.next.wrapping_add(1);
        self.live.insert(
            serial,
            Lookup {
                client: key.0,
                name: key.1.to_string(),
                kind: key.2,
                recursive: true,
                queries: Vec::new(),
                queries_omitted: 0,
                last_query: way.at.time,
                replies: Vec::new(),
                evicted: false,
            },
        );
        self.by_name.insert(key, serial);
        self.due.push(Reverse((way.at.time.plus(LINGER), serial)));
        serial
    }

    /// Closes what nobody will answer any more. The clock alone decides, so batches do not matter.
    fn close_due(&mut self, clock: Timestamp) {
        while let Some(&Reverse((deadline, serial))) = self.due.peek() {
            if deadline > clock {
                break;
            }
            self.due.pop();
            let Some(last) = self.live.get(&serial).map(Lookup::last) else {
                continue;
            };
            let deadline = last.plus(LINGER);
            if deadline > clock {
                self.due.push(Reverse((deadline, serial)));
            } else {
                self.close(serial, clock);
            }
        }
    }

    fn evict(&mut self, clock: Timestamp) {
        while let Some(Reverse((_, serial))) = self.due.pop() {
            if let Some(lookup) = self.live.get_mut(&serial) {
                lookup.evicted = true;
                self.counts.evicted = self.counts.evicted.saturating_add(1);
                self.close(serial, clock);
                return;
            }
        }
    }

    fn close(&mut self, serial: u64, clock: Timestamp) {
        let Some(lookup) = self.live.remove(&serial) else {
            return;
        };
        let key = (lookup.client, lookup.name.as_str().into(), lookup.kind);
        if self.by_name.get(&key) == Some(&serial) {
            self.by_name.remove(&key);
        }
        for query in &lookup.queries {
            let exchange = (
                lookup.client,
                query.port,
                query.resolver,
                query.id,
                query.tcp,
            );
            if self.by_exchange.get(&exchange) == Some(&serial) {
                self.by_exchange.remove(&exchange);
            }
            let port = (lookup.client, query.port, query.resolver);
            if self
                .by_port
                .get(&port)
                .is_some_and(|asked| asked[0] == Some(serial))
            {
                self.by_port.remove(&port);
            }
        }
        if is_ordinary(&lookup, clock) {
            self.counts.ordinary = self.counts.ordinary.saturating_add(1);
            self.well.keep(&lookup);
        } else if self.troubled.len() >= self.troubled_max {
            self.counts.omitted = self.counts.omitted.saturating_add(1);
        } else {
            self.troubled.push(lookup);
        }
    }
}

/// Is this the same packet as one of the lookup's queries, captured again on its way (rule 6)?
fn is_sighting(lookup: &Lookup, way: &Way, message: &Message) -> bool {
    lookup.queries.iter().any(|query| {
        let same = (query.resolver, query.port, query.id, query.tcp)
            == (way.resolver, way.port, message.id, way.tcp);
        let soon = way.at.time.since(query.at.time).abs() <= SIGHTING;
        same && soon && !way.tcp && (query.ip_id == way.ip_id || Some(query.ttl) != way.ttl)
    })
}

/// Is a query at `time` a retry of this lookup?
fn joins(lookup: &Lookup, time: Timestamp) -> bool {
    let truncated = lookup
        .replies
        .iter()
        .any(|reply| reply.truncated && reply.rcode == rcode::NOERROR);
    let patience = if lookup.replies.is_empty() || truncated {
        JOIN
    } else {
        JOIN_AFTER_ERROR
    };
    !lookup.is_settled()
        && time.since(lookup.last()) <= patience
        && time.since(lookup.first().time) <= SPAN_MAX
}

/// Nothing about it can be a failure: it resolved in time by the first resolver, or it is an AAAA without address.
fn is_ordinary(lookup: &Lookup, clock: Timestamp) -> bool {
    match lookup.outcome(clock) {
        Outcome::Resolved => {
            let truncated = lookup.answer().is_some_and(|answer| answer.truncated);
            let slow = lookup.latency().is_some_and(|latency| latency >= SLOW);
            !slow && !truncated && !lookup.by_fallback() && !lookup.contradicts_itself()
        }
        Outcome::NoAddress => lookup.kind == kind::AAAA,
        _ => false,
    }
}
