//! What else went on: every connection that was tried, every name that was resolved, who heard whom.
//!
//! Incidents are argued by comparison (other ports of the host, other clients, other servers, the time before), so
//! this is the whole capture in one line per connection, sorted by time and found by server, client or name.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::endpoint::Rules;
use crate::failure::flow::Outcomes;
use crate::flow::heard::Heard;
use crate::time::Timestamp;

/// One connection that somebody tried.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Who tried.
    pub client: IpAddr,
    /// Address and port that were tried.
    pub server: (IpAddr, u16),
    /// When it began.
    pub time: Timestamp,
    /// When its last packet passed.
    pub last: Timestamp,
    /// When the handshake was completed.
    pub established: Option<Timestamp>,
    /// What became of its attempts.
    pub outcomes: Outcomes,
    /// The name that the client meant, where known.
    pub name: Option<Arc<str>>,
    /// Handshake, TLS and first-byte times in milliseconds.
    pub latency_ms: [Option<u32>; 3],
    /// From the SYN to the server's answer at the capture point, in microseconds.
    pub server_rtt_us: Option<u32>,
    /// Hops from the server, where it sent more than a RST.
    pub server_hops: Option<u8>,
}

impl Seen {
    /// The service answered at least once.
    pub const fn reached(&self) -> bool {
        self.outcomes.ok > 0 || self.outcomes.answered_no > 0
    }

    /// The handshake was completed by then: one that was begun in an outage and completed after it proves nothing.
    pub fn established_by(&self, time: Timestamp) -> bool {
        self.established.is_some_and(|at| at <= time)
    }

    /// At least one attempt failed.
    pub const fn failed(&self) -> bool {
        self.outcomes.failed > 0
    }
}

/// One name that was resolved.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Who asked.
    pub client: IpAddr,
    /// Who answered.
    pub resolver: IpAddr,
    /// The name.
    pub name: Arc<str>,
    /// When the answer came.
    pub time: Timestamp,
}

/// A connection with what tells whether another capture point saw the same one.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The client's port.
    pub port: u16,
    /// Initial sequence number and TSval of its SYN, where that was seen.
    pub syn: Option<(u32, u32)>,
    /// What incidents ask of it.
    pub seen: Seen,
}

/// What went on in a capture, kept beyond it: incidents that several captures show are argued by all of theirs.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Every connection.
    pub tried: Vec<Tried>,
    /// Every name that was resolved.
    pub answered: Vec<Answered>,
    /// Names resolved before are not all known.
    pub answered_from: Option<Timestamp>,
    /// Who heard whom.
    pub heard: Heard,
}

/// A span of time, both ends included.
pub type Span = (Timestamp, Timestamp);

/// The surroundings of all incidents.
#[derive(Debug)]
pub struct Context<'a> {
    seen: Vec<Seen>,
    answered: Vec<Answered>,
    heard: &'a Heard,
    rules: Option<&'a Rules>,
    answered_from: Option<Timestamp>,
    by_host: HashMap<IpAddr, Vec<u32>>,
    by_server: HashMap<(IpAddr, u16), Vec<u32>>,
    by_client: HashMap<IpAddr, Vec<u32>>,
    by_name: HashMap<Arc<str>, Vec<u32>>,
    answered_to: HashMap<IpAddr, Vec<u32>>,
    answered_by: HashMap<IpAddr, Vec<u32>>,
}

impl<'a> Context<'a> {
    /// The rules that name regions.
    #[must_use]
    pub fn with_rules(mut self, rules: &'a Rules) -> Self {
        self.rules = Some(rules);
        self
    }

    /// Names resolved before are not all known.
    #[must_use]
    pub fn answers_from(mut self, from: Option<Timestamp>) -> Self {
        self.answered_from = from;
        self
    }

    /// Is every name that was resolved from then on known?
    pub(super) fn knows_answers(&self, from: Timestamp) -> bool {
        self.answered_from.is_none_or(|known| from > known)
    }

    /// The region that a name says.
    pub(super) fn region(&self, name: &str) -> Option<&'a str> {
        let rules = self.rules?;
        rules.region(rules.of_name(name), Some(name))
    }

    /// Sorts and indexes; the order of what is given does not matter.
    pub fn new(mut seen: Vec<Seen>, mut answered: Vec<Answered>, heard: &'a Heard) -> Self {
        seen.sort_by(|a, b| {
            (a.time, a.client, a.server, &a.name).cmp(&(b.time, b.client, b.server, &b.name))
        });
        answered.sort_by(|a, b| {
            (a.time, a.client, a.resolver, &a.name).cmp(&(b.time, b.client, b.resolver, &b.name))
        });
        let mut context = Self {
            seen: Vec::new(),
            answered: Vec::new(),
            heard,
            rules: None,
            answered_from: None,
            by_host: HashMap::new(),
            by_server: HashMap::new(),
            by_client: HashMap::new(),
            by_name: HashMap::new(),
            answered_to: HashMap::new(),
            answered_by: HashMap::new(),
        };
        for (place, one) in (0_u32..).zip(&seen) {
            context.by_host.entry(one.server.0).or_default().push(place);
            context.by_server.entry(one.server).or_default().push(place);
            context.by_client.entry(one.client).or_default().push(place);
            if let Some(name) = &one.name {
                context
                    .by_name
                    .entry(Arc::clone(name))
                    .or_default()
                    .push(place);
            }
        }
        for (place, one) in (0_u32..).zip(&answered) {
            context
                .answered_to
                .entry(one.client)
                .or_default()
                .push(place);
            context
                .answered_by
                .entry(one.resolver)
                .or_default()
                .push(place);
        }
        Self {
            seen,
            answered,
            ..context
        }
    }

    /// Connections to an address that began within the span, by time.
    pub fn to_host(&self, host: IpAddr, span: Span) -> impl Iterator<Item = &Seen> {
        within(&self.seen, self.by_host.get(&host), span, |seen| seen.time)
    }

    /// Connections to an address and port that began within the span, by time.
    pub fn to_server(&self, server: (IpAddr, u16), span: Span) -> impl Iterator<Item = &Seen> {
        within(&self.seen, self.by_server.get(&server), span, |seen| {
            seen.time
        })
    }

    /// Connections of a client that began within the span, by time.
    pub fn of_client(&self, client: IpAddr, span: Span) -> impl Iterator<Item = &Seen> {
        within(&self.seen, self.by_client.get(&client), span, |seen| {
            seen.time
        })
    }

    /// Connections that meant a name and began within the span, by time.
    pub fn of_name(&self, name: &str, span: Span) -> impl Iterator<Item = &Seen> {
        within(&self.seen, self.by_name.get(name), span, |seen| seen.time)
    }

    /// Names resolved for a client within the span.
    pub fn answered_to(&self, client: IpAddr, span: Span) -> impl Iterator<Item = &Answered> {
        within(
            &self.answered,
            self.answered_to.get(&client),
            span,
            |answer| answer.time,
        )
    }

    /// Names resolved by a resolver within the span.
    pub fn answered_by(&self, resolver: IpAddr, span: Span) -> impl Iterator<Item = &Answered> {
        within(
            &self.answered,
            self.answered_by.get(&resolver),
            span,
            |answer| answer.time,
        )
    }

    /// All connections that began within the span, by time.
    pub fn all(&self, (from, to): Span) -> &[Seen] {
        let first = self.seen.partition_point(|seen| seen.time < from);
        let end = self.seen.partition_point(|seen| seen.time <= to);
        self.seen.get(first..end).unwrap_or(&[])
    }

    /// `receiver` got a packet of `sender` within the span (to the second).
    pub fn heard(&self, receiver: IpAddr, sender: IpAddr, (from, to): Span) -> bool {
        self.heard.from_host(receiver, sender, from, to)
    }

    /// `receiver` got a packet, within the span, of somebody whom `whom` accepts.
    pub fn heard_any(
        &self,
        receiver: IpAddr,
        (from, to): Span,
        whom: impl Fn(IpAddr) -> bool,
    ) -> bool {
        self.heard.from_any_of(receiver, from, to, whom)
    }

    /// When the first connection began.
    pub fn begin(&self) -> Option<Timestamp> {
        self.seen.first().map(|seen| seen.time)
    }
}

/// The places of a sorted index whose time lies within the span.
fn within<'a, T>(
    all: &'a [T],
    places: Option<&'a Vec<u32>>,
    (from, to): Span,
    time: impl Fn(&T) -> Timestamp + Copy,
) -> impl Iterator<Item = &'a T> {
    let places = places.map_or(&[][..], Vec::as_slice);
    let at = move |place: &u32| all.get(*place as usize);
    let first = places.partition_point(|place| at(place).is_some_and(|one| time(one) < from));
    let end = places.partition_point(|place| at(place).is_some_and(|one| time(one) <= to));
    places.get(first..end).unwrap_or(&[]).iter().filter_map(at)
}

/// The /24 or /64 of an address, its other bits zero.
pub fn site(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}
