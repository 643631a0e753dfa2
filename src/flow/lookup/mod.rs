//! Name lookups: what one client went through to learn one name's addresses.
//!
//! Joins the DNS messages of UDP and TCP into lookups by (client, name, type): retries from any port, to the same or
//! the next resolver, and whatever came back. Only A and AAAA are followed; PTR, SRV and the rest fail nobody.
//! A lookup takes retries for `JOIN` after its last query and spans at most `SPAN_MAX`; answers find their query by
//! client, port, resolver and id. A packet seen twice is no retry. Bounded: `LIVE_MAX` lookups at once (the oldest is
//! closed early), `TROUBLED_MAX` failed ones for the end (further ones are counted), `QUERIES_MAX` queries and
//! `REPLIES_MAX` replies of each; of lookups that went well the last `WELL_MAX` are kept in short.

mod table;
mod translated;
mod well;

use std::net::IpAddr;

pub use table::{Counts, Lookups};
pub use translated::once;
pub use well::{AllWell, Well};

use crate::mark::Mark;
use crate::protocol::dns::rcode;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// A query joins a lookup whose last query is at most so old: Linux repeats after 5 s, Windows after 1, 1, 2 and 4 s.
const JOIN: Nanos = 10 * SECOND;
/// A lookup that answered with an error is repeated within this, or it is another lookup.
const JOIN_AFTER_ERROR: Nanos = 5 * SECOND;
/// All retries of one lookup lie within this.
const SPAN_MAX: Nanos = 30 * SECOND;
/// A query that waited so long has no answer (rule 1 of the catalogue).
pub const PATIENCE: Nanos = 5 * SECOND;
/// A name that took so long to resolve is slow.
pub const SLOW: Nanos = SECOND;
/// Queries to several resolvers closer than this are asked at once, not after a silence.
const AT_ONCE: Nanos = 300 * MILLISECOND;
/// Queries kept of one lookup.
const QUERIES_MAX: usize = 16;
/// Replies kept of one lookup.
const REPLIES_MAX: usize = 8;

/// One query of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Its frame.
    pub at: Mark,
    /// Whom it asked.
    pub resolver: IpAddr,
    /// On which port.
    pub resolver_port: u16,
    /// The client's port; 0 where it went over TCP.
    pub port: u16,
    /// Identifier.
    pub id: u16,
    /// It went over TCP.
    pub tcp: bool,
    /// It was replied to.
    pub answered: bool,
    /// An ICMP error that quotes it.
    pub unreachable: Option<Mark>,
    /// IP identification, for telling sightings.
    ip_id: Option<u32>,
    /// Time to live, for telling sightings.
    ttl: u8,
}

/// One reply of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its frame.
    pub at: Mark,
    /// Who sent it, or is named as the sender.
    pub resolver: IpAddr,
    /// From which port.
    pub resolver_port: u16,
    /// Identifier.
    pub id: u16,
    /// It came over TCP.
    pub tcp: bool,
    /// Time to live of its packet; over TCP unknown.
    pub ttl: Option<u8>,
    /// Response code.
    pub rcode: u16,
    /// Header bits as on the wire.
    pub flags: u16,
    /// It did not fit.
    pub truncated: bool,
    /// Addresses, in order.
    pub addresses: Vec<IpAddr>,
    /// The last alias that the answer followed.
    pub alias: Option<String>,
    /// A negative answer with the zone's SOA.
    pub soa: bool,
}

/// One client's lookup of one name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Who asks.
    pub client: IpAddr,
    /// For which name.
    pub name: String,
    /// A or AAAA: see `dns::kind`.
    pub kind: u16,
    /// A client's question rather than a resolver's own (`RD` set in every query; true where only replies were seen).
    pub recursive: bool,
    /// The queries, in order; none where the capture holds only the reply.
    pub queries: Vec<Query>,
    /// Further queries.
    pub queries_omitted: u32,
    /// When the last query was sent, kept or not.
    pub last_query: Timestamp,
    /// The replies, in order.
    pub replies: Vec<Reply>,
    /// It was closed before its time because too many lookups were open.
    pub evicted: bool,
}

/// What became of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It gave an address.
    Resolved,
    /// The name exists and has no address of this type.
    NoAddress,
    /// The name does not exist.
    NxDomain,
    /// SERVFAIL, FORMERR, NOTIMP or another error: the code.
    ServerFailure(u16),
    /// Every resolver that replied refused.
    Refused,
    /// The answer did not fit a datagram, and TCP was asked in vain.
    TcpUnanswered,
    /// The answer did not fit a datagram; nothing is known of TCP.
    Truncated,
    /// Nobody replied, and the patience passed.
    Unanswered,
    /// The capture ends before the patience passed, or the lookup was closed early.
    Undetermined,
}

impl Lookup {
    /// Its first frame.
    pub fn first(&self) -> Mark {
        let query = self.queries.first().map(|query| query.at);
        let reply = self.replies.first().map(|reply| reply.at);
        query.or(reply).unwrap_or_default()
    }

    /// The time of its last frame.
    pub fn last(&self) -> Timestamp {
        self.replies
            .last()
            .map_or(self.last_query, |reply| reply.at.time.max(self.last_query))
    }

    /// The reply that decided it: an address before a denial, a denial before an error, the last error.
    pub fn answer(&self) -> Option<&Reply> {
        let rank = |reply: &Reply| match (reply.rcode, reply.truncated) {
            (rcode::NOERROR, false) if !reply.addresses.is_empty() => 0,
            (rcode::NXDOMAIN, _) => 1,
            (rcode::NOERROR, false) => 2,
            (rcode::NOERROR, true) => 3,
            _ => 4,
        };
        let best = self.replies.iter().map(rank).min()?;
        let mut fitting = self.replies.iter().filter(|reply| rank(reply) == best);
        if best == 4 {
            fitting.next_back()
        } else {
            fitting.next()
        }
    }

    /// What became of it, as seen at `end` of the capture.
    pub fn outcome(&self, end: Timestamp) -> Outcome {
        let Some(answer) = self.answer() else {
            return self.silence(end);
        };
        match answer.rcode {
            rcode::NOERROR if answer.truncated => self.after_truncation(answer, end),
            rcode::NOERROR if answer.addresses.is_empty() => Outcome::NoAddress,
            rcode::NOERROR => Outcome::Resolved,
            rcode::NXDOMAIN => Outcome::NxDomain,
            rcode::REFUSED => Outcome::Refused,
            code => Outcome::ServerFailure(code),
        }
    }

    fn silence(&self, end: Timestamp) -> Outcome {
        let Some(first) = self.queries.first() else {
            return Outcome::Undetermined;
        };
        let told = self.queries.iter().all(|query| query.unreachable.is_some());
        if told || (!self.evicted && end.since(first.at.time) >= PATIENCE) {
            Outcome::Unanswered
        } else {
            Outcome::Undetermined
        }
    }

    /// RFC 7766 5: a truncated answer is to be asked for again over TCP.
    fn after_truncation(&self, answer: &Reply, end: Timestamp) -> Outcome {
        match self
            .queries
            .iter()
            .find(|query| query.tcp && query.at.time >= answer.at.time)
        {
            Some(query) if end.since(query.at.time) >= PATIENCE => Outcome::TcpUnanswered,
            Some(_) => Outcome::Undetermined,
            None if answer.addresses.is_empty() => Outcome::Truncated,
            None => Outcome::Resolved,
        }
    }

    /// From the first query to the reply that decided it.
    pub fn latency(&self) -> Option<Nanos> {
        let first = self.queries.first()?;
        Some(self.answer()?.at.time.since(first.at.time).max(0))
    }

    /// Who was asked, in the order of the first query to each.
    pub fn resolvers(&self) -> Vec<IpAddr> {
        let mut resolvers = Vec::new();
        for asked in self
            .queries
            .iter()
            .map(|query| query.resolver)
            .chain(self.replies.iter().map(|r| r.resolver))
        {
            if !resolvers.contains(&asked) {
                resolvers.push(asked);
            }
        }
        resolvers
    }

    /// The resolver and port that was asked first.
    pub fn asked(&self) -> Option<(IpAddr, u16)> {
        let query = self.queries.first();
        let asked = query.map(|query| (query.resolver, query.resolver_port));
        let reply = self.replies.first();
        asked.or_else(|| reply.map(|reply| (reply.resolver, reply.resolver_port)))
    }

    /// The answer came from a resolver that was asked only after the first one had failed or stayed silent.
    pub fn by_fallback(&self) -> bool {
        let (Some(first), Some(answer)) = (self.queries.first(), self.answer()) else {
            return false;
        };
        let asked = self
            .queries
            .iter()
            .find(|query| query.resolver == answer.resolver);
        let gave_up = self
            .replies
            .iter()
            .any(|reply| reply.resolver == first.resolver && reply.at < answer.at);
        answer.resolver != first.resolver
            && asked.is_some_and(|asked| gave_up || asked.at.time.since(first.at.time) >= AT_ONCE)
    }

    /// The client asked again after a pause: its own behaviour proves that no usable answer reached it (rule 1a).
    pub fn proves_silence(&self) -> bool {
        self.queries
            .first()
            .is_some_and(|first| self.last_query.since(first.at.time) >= AT_ONCE)
    }

    /// Two replies of one resolver to one query share no address.
    pub fn contradicts_itself(&self) -> bool {
        self.replies.iter().enumerate().any(|(index, first)| {
            self.replies
                .iter()
                .skip(index.saturating_add(1))
                .any(|second| {
                    (first.resolver, first.id, first.tcp)
                        == (second.resolver, second.id, second.tcp)
                        && !first.addresses.is_empty()
                        && !second.addresses.is_empty()
                        && first
                            .addresses
                            .iter()
                            .all(|address| !second.addresses.contains(address))
                })
        })
    }

    /// Queries after the first.
    pub fn retries(&self) -> u32 {
        let kept = u32::try_from(self.queries.len()).unwrap_or(u32::MAX);
        kept.saturating_add(self.queries_omitted).saturating_sub(1)
    }

    /// A reply ended it: an address or a denial. What is asked after that is another lookup.
    fn is_settled(&self) -> bool {
        self.replies.iter().any(|reply| {
            !reply.truncated && matches!(reply.rcode, rcode::NOERROR | rcode::NXDOMAIN)
        })
    }
}

#[cfg(test)]
mod tests;
