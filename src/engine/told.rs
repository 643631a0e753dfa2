//! What the shards have to tell at the end: findings, what stays of each flow, and what they learned beside.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::engine::crossing::Pass;
use crate::engine::row::Row;
use crate::engine::unnamed::Waiting;
use crate::failure::Behind;
use crate::failure::application::Placed;
use crate::failure::episode::Web;
use crate::failure::fallback::Offer;
use crate::failure::network::packet_loss::{EXAMPLES_MAX, Tally};
use crate::failure::network::path_changed::Hops;
use crate::failure::security::revocation_unreachable::Wait;
use crate::failure::security::{Shown, shown};
use crate::failure::transport::syn_flood::HalfOpen;
use crate::failure::{Finding, flow as judging};
use crate::flow::heard::Heard;
use crate::limits;
use crate::mark::Mark;
use crate::protocol::tls::chain::NO_SM2_ANCHORS;
use crate::protocol::tls::{Opening, Session};
use crate::time::Timestamp;

/// Whom connections are made to and what is asked for there: one for all that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Server address and port.
    pub server: (IpAddr, u16),
    /// The name the client asked for.
    pub name: Option<Arc<str>>,
    /// It stood in a ClientHello, else in a Host header or a CONNECT.
    pub sni: bool,
    /// The address, where it is no name, and the port that a proxy was asked for: the server is that proxy.
    pub behind: Option<Behind>,
    /// Of the certificate's names the first that an endpoint rule knows; where the client named nobody.
    pub certificate: Option<Arc<str>>,
}

/// What stays of a flow when its packets are forgotten.
#[derive(Clone, Debug)]
pub struct Stub {
    /// Client address and port.
    pub client: (IpAddr, u16),
    /// Whom it meant.
    pub to: Arc<Target>,
    /// First frame's time.
    pub first: Timestamp,
    /// Last frame's time.
    pub last: Timestamp,
    /// It goes on: judged as it stands.
    pub open: bool,
    /// When the handshake was complete.
    pub established: Option<Mark>,
    /// Initial sequence number and TSval of the client's SYN.
    pub twin: Option<(u32, u32)>,
    /// Where the client's first packet was seen, hashed.
    pub origin: u32,
    /// What became of the connection, and of its exchanges.
    pub outcomes: judging::Outcomes,
    /// What its TLS offered.
    pub hello: Option<Arc<Offer>>,
    /// Handshake, TLS and first-byte times.
    pub times: Times,
    /// From the SYN to the server's answer at the capture point, in microseconds, at least one; not over retries.
    pub server_rtt_us: Option<NonZeroU32>,
    /// What few connections have.
    pub rare: Option<Box<Rare>>,
    /// Hops of the server's first and last packets, and where they changed.
    pub hops: Option<Hops>,
    /// What of the client's packets was seen, here and beyond a router.
    pub pass: Pass,
}

/// What few connections have.
#[derive(Clone, Debug, Default)]
pub struct Rare {
    /// Attempts by minute, where they did not all begin in that of the first frame.
    pub minutes: Option<judging::Minutes>,
    /// The SYN of a connection that never stood.
    pub half_open: Option<HalfOpen>,
}

/// Times in milliseconds, where measured; each takes four bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times([Option<NonZeroU32>; 3]);

impl Times {
    /// Keeps times up to `u32::MAX - 1` ms, 49 days.
    pub fn new(ms: [Option<u32>; 3]) -> Self {
        Self(ms.map(|ms| NonZeroU32::new(ms?.saturating_add(1))))
    }

    /// The times.
    pub fn ms(self) -> [Option<u32>; 3] {
        self.0.map(|one| one.map(|one| one.get() - 1))
    }
}

impl Target {
    /// The address, where it is known, and the port that the client meant.
    pub(super) fn means(&self) -> (Option<IpAddr>, u16) {
        self.behind.unwrap_or((Some(self.server.0), self.server.1))
    }
}

impl Stub {
    /// Attempts by minute, where they did not all begin in that of the first frame.
    pub(super) fn minutes(&self) -> Option<&judging::Minutes> {
        self.rare.as_ref()?.minutes.as_ref()
    }

    /// The same, to be changed.
    pub(super) fn minutes_mut(&mut self) -> Option<&mut judging::Minutes> {
        self.rare.as_mut()?.minutes.as_mut()
    }

    /// The SYN of a connection that never stood.
    pub(super) fn half_open(&self) -> Option<HalfOpen> {
        self.rare.as_ref()?.half_open
    }
}

/// What the shards tell at the end; merged in shard order, then sorted.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Findings, those of silence unjudged.
    pub findings: Vec<Finding>,
    /// All flows with a handshake or data; boxed, since the list grows with the capture and is sorted.
    pub stubs: Vec<Box<Stub>>,
    /// Rows of `flows`, where asked for.
    pub rows: Vec<Row>,
    /// Loss by server address and port.
    pub tallies: HashMap<(IpAddr, u16), Tally>,
    /// Why things could not be judged.
    pub unjudged: HashMap<&'static str, u64>,
    /// Who heard whom.
    pub heard: Heard,
    /// Facts about the capture itself.
    pub quality: judging::Quality,
    /// Authenticated successes: client, server, target, when.
    pub authenticated: Vec<judging::Authenticated>,
    /// Chains that clients were shown.
    pub shown: HashMap<shown::Key, Shown>,
    /// Handshakes that waited after the certificates.
    pub waits: Vec<Wait>,
    /// Exchanges to be compared with others, in the order of their connections' ends.
    pub traces: VecDeque<Placed>,
    /// Cipher suites that a server chose: server, suite.
    pub chosen: HashSet<((IpAddr, u16), u16)>,
    /// Handshakes whose client named nobody.
    pub unnamed: Waiting,
    /// TCP flows.
    pub flows: u64,
}

/// Adds what one flow's data went through to its endpoint's tally.
pub(super) fn tally(tally: &mut Tally, at: &crate::failure::episode::Episode<'_>) {
    for half in at.connection.halves.iter() {
        tally.data_segments += half.counts.data_segments;
        tally.retransmitted += u64::from(half.counts.retransmitted);
        tally.upstream += u64::from(half.counts.upstream);
        tally.payload_bytes += half.counts.payload_bytes;
        if tally.examples.len() < EXAMPLES_MAX {
            tally.examples.extend(half.retransmissions.iter().copied());
        }
        tally.clients += u64::from(half.counts.retransmitted > 0);
    }
    tally.missed_bytes += at
        .connection
        .streams
        .iter()
        .map(|stream| stream.missed_bytes)
        .sum::<u64>();
}

impl Told {
    /// Keeps the chain that this connection's client was shown.
    pub(super) fn show(&mut self, at: &crate::failure::episode::Episode<'_>) {
        if self.waits.len() < limits::WAITS_PER_SHARD {
            self.waits.extend(Wait::of(at));
        }
        let unjudged = at.chain.and_then(|verdict| verdict.unjudged);
        if unjudged == Some(NO_SM2_ANCHORS) {
            *self.unjudged.entry("no-sm2-anchors").or_default() += 1;
        }
        let Some(shown) = Shown::of(at) else { return };
        let room = self.shown.len() < limits::CHAINS_PER_SHARD;
        match self.shown.get_mut(&shown.key) {
            Some(known) => known.again(&shown),
            None if room => {
                self.shown.insert(shown.key.clone(), shown);
            }
            None => *self.unjudged.entry("chains-not-compared").or_default() += 1,
        }
    }

    /// Counts a session whose keys did not open it.
    pub(super) fn note_keys(&mut self, at: &crate::failure::episode::Episode<'_>) {
        let reason = match at.tls.map(Session::opening) {
            Some(Opening::Wrong) => "tls-keys-wrong",
            Some(Opening::Lost) => "tls-lost-track",
            Some(Opening::Unread) => "tls-suite-not-opened",
            _ => return,
        };
        *self.unjudged.entry(reason).or_default() += 1;
    }

    /// Keeps what exchanges of this connection are compared by.
    pub(super) fn trace(&mut self, at: &crate::failure::episode::Episode<'_>) {
        for web in [at.web, at.inside].into_iter().flatten() {
            self.trace_of(web, at);
        }
    }

    fn trace_of(&mut self, web: &Web, at: &crate::failure::episode::Episode<'_>) {
        let mut lost = web.untraced;
        if web.unread > 0 {
            *self.unjudged.entry("bodies-not-read").or_default() += web.unread;
        }
        if web.log.omitted() > 0 {
            *self.unjudged.entry("exchanges-not-told").or_default() += web.log.omitted();
        }
        let unread = web.log.as_two().map_or(0, |log| log.unread);
        if unread > 0 {
            *self.unjudged.entry("http2-unread").or_default() += unread;
        }
        if web.closed > 0 {
            *self.unjudged.entry("messages-encrypted").or_default() += web.closed;
        }
        for trace in &web.traces {
            if self.traces.len() >= limits::TRACES_PER_SHARD {
                self.traces.pop_front();
                lost += 1;
            }
            self.traces.push_back(Placed::new(trace, at));
        }
        if lost > 0 {
            *self.unjudged.entry("exchanges-not-compared").or_default() += lost;
        }
    }
}
