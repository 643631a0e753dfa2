//! The conductor: the only room that sees the whole line.
//!
//! A batch goes through three phases: decode (parallel over lanes), what concerns no single flow (one thread:
//! fragments, ARP and neighbour discovery, names), and flows (parallel over 64 shards, each in the capture's order).
//! With one thread the phases are plain loops. The result never depends on threads or batches.

pub mod close;
pub mod conversation;
pub mod diagnosis;
pub mod row;
pub mod shard;

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use rayon::prelude::*;

use crate::decode::fragment::{Fragments, Joined};
use crate::decode::{Body, IcmpMessage, IpFacts, Packet, StopReason, decode};
use crate::engine::diagnosis::Diagnosis;
use crate::engine::shard::{Routed, Shard};
use crate::failure::episode::Unreachable;
use crate::flow::heard::Heard;
use crate::flow::key::{FlowKey, KeyHasher, SHARDS, shard_of};
use crate::flow::lookup::Lookups;
use crate::flow::names::Names;
use crate::flow::neighbours::Neighbours;
use crate::ingest::{Batch, FileReport, Frame};
use crate::mark::Mark;
use crate::protocol::dns;
use crate::protocol::tls::chain::{TrustStore, Verifier};
use crate::time::Timestamp;

/// How a run works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads of the parallel phases; 1 means plain loops.
    pub threads: usize,
    /// Keep rows for `wirefault flows`.
    pub rows: bool,
    /// Trust anchors.
    pub trust: Arc<TrustStore>,
}

/// The engine of one run.
#[derive(Debug)]
pub struct Engine {
    hasher: KeyHasher,
    pool: Option<rayon::ThreadPool>,
    shards: Vec<Shard>,
    fragments: Fragments,
    neighbours: Neighbours,
    lookups: Lookups,
    names: Names,
    heard: Heard,
    last_heard: Option<(std::net::IpAddr, std::net::IpAddr, i64)>,
    packets: u64,
    undecoded: BTreeMap<String, u64>,
    clock: Timestamp,
    trust: Arc<TrustStore>,
}

/// A decoded frame with what routing needs.
#[derive(Clone, Copy, Debug)]
struct Lane<'a> {
    packet: Packet<'a>,
    key: Option<(FlowKey, crate::flow::key::End)>,
    hash: u64,
    at: Mark,
    clock: Timestamp,
    interface: u32,
}

/// Frames that one lane decodes.
const LANE: usize = 1_024;

impl Engine {
    /// An engine without packets. Fails if no threads can be had.
    pub fn new(options: &Options) -> Result<Self, String> {
        let hasher = KeyHasher::new(0x77_69_72_65);
        let pool = if options.threads > 1 {
            let built = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
            Some(built.map_err(|error| format!("threads could not be started: {error}; try --threads 1"))?)
        } else {
            None
        };
        let shards = (0..SHARDS)
            .map(|_| Shard::new(hasher.clone(), Verifier::new(Arc::clone(&options.trust)), options.rows))
            .collect();
        Ok(Self {
            hasher,
            pool,
            shards,
            fragments: Fragments::default(),
            neighbours: Neighbours::default(),
            lookups: Lookups::default(),
            names: Names::default(),
            heard: Heard::default(),
            last_heard: None,
            packets: 0,
            undecoded: BTreeMap::new(),
            clock: Timestamp::default(),
            trust: Arc::clone(&options.trust),
        })
    }

    /// All phases of one batch.
    pub fn push(&mut self, batch: &Batch) {
        let hasher = self.hasher.clone();
        let lane = |frames: &[crate::ingest::FrameRef]| -> Vec<Lane<'_>> {
            frames.iter().map(|frame| prepare(&batch.frame(frame), &hasher)).collect()
        };
        let lanes: Vec<Vec<Lane<'_>>> = match &self.pool {
            Some(pool) => pool.install(|| batch.frames.par_chunks(LANE).map(lane).collect()),
            None => batch.frames.chunks(LANE).map(lane).collect(),
        };
        self.packets += batch.frames.len() as u64;
        let mut joined: Vec<(Joined, Mark, Timestamp, u32)> = Vec::new();
        let mut order: Vec<Vec<Step<'_>>> = vec![Vec::new(); SHARDS];
        for item in lanes.iter().flatten() {
            self.clock = self.clock.max(item.clock);
            if let Body::Fragment(_) = item.packet.body {
                if let Some(whole) = self.fragments.push(&item.packet, item.clock) {
                    joined.push((whole, item.at, item.clock, item.interface));
                }
            } else {
                self.route(item, &mut order);
            }
        }
        let rejoined: Vec<Lane<'_>> = joined
            .iter()
            .map(|(whole, at, clock, interface)| lane_of(whole.packet(), *at, *clock, *interface, &self.hasher))
            .collect();
        for item in &rejoined {
            self.route(item, &mut order);
        }
        if !rejoined.is_empty() {
            // A joined packet takes its place at the frame that completed it.
            for steps in &mut order {
                steps.sort_by_key(Step::place);
            }
        }
        self.flow_phase(&order);
        self.take_names();
    }

    /// The capture ends; `files` tell what they themselves suffered.
    pub fn finish(mut self, files: &[FileReport]) -> Diagnosis {
        let clock = self.clock;
        match &self.pool {
            Some(pool) => {
                let shards = &mut self.shards;
                pool.install(|| shards.par_iter_mut().for_each(|shard| shard.finish(clock)));
            }
            None => self.shards.iter_mut().for_each(|shard| shard.finish(clock)),
        }
        self.take_names();
        close::close(self, files)
    }

    fn flow_phase(&mut self, order: &[Vec<Step<'_>>]) {
        let work = |(shard, steps): (&mut Shard, &Vec<Step<'_>>)| {
            for step in steps {
                match step {
                    Step::Segment(routed) => shard.on_segment(routed),
                    Step::Error { key, hash, error, clock } => shard.on_unreachable(key, *hash, error, *clock),
                }
            }
        };
        match &self.pool {
            Some(pool) => {
                let shards = &mut self.shards;
                pool.install(|| shards.par_iter_mut().zip(order.par_iter()).for_each(work));
            }
            None => self.shards.iter_mut().zip(order).for_each(work),
        }
    }

    fn route<'a>(&mut self, item: &Lane<'a>, order: &mut [Vec<Step<'a>>]) {
        let packet = &item.packet;
        if let Some(stop) = packet.stopped {
            let reason = match stop.reason {
                StopReason::Cut => format!("cut:{}", stop.layer),
                StopReason::Malformed => format!("malformed:{}", stop.layer),
                StopReason::Unknown(number) => format!("unknown:{}:{number}", stop.layer),
                StopReason::Encrypted => format!("encrypted:{}", stop.layer),
            };
            *self.undecoded.entry(reason).or_default() += 1;
        }
        match (&packet.body, &packet.ip) {
            (Body::Tcp(segment), Some(ip)) => {
                let Some((key, from)) = item.key else { return };
                if let Some(steps) = order.get_mut(shard_of(item.hash)) {
                    steps.push(Step::Segment(Routed {
                        key,
                        hash: item.hash,
                        from,
                        segment: *segment,
                        ip: *ip,
                        place: place(packet, item.interface, &self.hasher),
                        at: item.at,
                        clock: item.clock,
                    }));
                }
                self.note_host(packet, ip, item);
            }
            (Body::Udp(datagram), Some(ip)) => {
                self.note_heard(ip, item.at);
                self.note_host(packet, ip, item);
                let ports = (datagram.source_port, datagram.destination_port);
                if dns::looks_like(datagram.payload, ports)
                    && let Some(message) = dns::parse(datagram.payload)
                {
                    self.on_dns(ip, ports, &message, item);
                }
            }
            (Body::Icmp(message), Some(ip)) => {
                self.note_heard(ip, item.at);
                self.on_icmp(message, ip, item, order);
                self.note_host(packet, ip, item);
                // Neighbour discovery, and the routers that announce themselves (RFC 4861 4.2).
                if packet.link.tunnel == 0 && (message.neighbour.is_some() || (message.v6 && message.kind == 134)) {
                    self.neighbours.on_packet(packet, item.at, item.interface);
                }
            }
            (Body::Arp(_), _) if packet.link.tunnel == 0 => self.neighbours.on_packet(packet, item.at, item.interface),
            (_, Some(ip)) => self.note_heard(ip, item.at),
            _ => {}
        }
    }

    /// Inside a tunnel the MAC is the tunnel's, and says nothing of the address.
    fn note_host(&mut self, packet: &Packet<'_>, ip: &IpFacts, item: &Lane<'_>) {
        if packet.link.tunnel == 0 {
            self.neighbours.on_host(ip, &packet.link, item.at, item.interface);
        }
    }

    fn note_heard(&mut self, ip: &IpFacts, at: Mark) {
        let now = (ip.destination, ip.source, at.time.second());
        if self.last_heard != Some(now) {
            self.last_heard = Some(now);
            self.heard.note(ip.destination, ip.source, at.time);
        }
    }

    fn on_icmp<'a>(&mut self, message: &IcmpMessage<'_>, ip: &IpFacts, item: &Lane<'a>, order: &mut [Vec<Step<'a>>]) {
        let Some(quoted) = message.quoted else { return };
        let source = (quoted.source, quoted.source_port);
        let destination = (quoted.destination, quoted.destination_port);
        let error = Unreachable {
            at: item.at,
            v6: message.v6,
            kind: message.kind,
            code: message.code,
            router: ip.source,
            quoted,
            count: 1,
        };
        if quoted.protocol == 6 {
            let (key, _) = FlowKey::of(source, destination, 6, item.packet.link.tunnel);
            let hash = self.hasher.hash(&key);
            if let Some(steps) = order.get_mut(shard_of(hash)) {
                steps.push(Step::Error { key, hash, error, clock: item.clock });
            }
        } else if quoted.protocol == 17 && quoted.destination_port == 53 {
            self.lookups.on_unreachable(quoted.source, quoted.destination, quoted.source_port, item.at);
        }
    }

    fn on_dns(&mut self, ip: &IpFacts, ports: (u16, u16), message: &dns::Message, item: &Lane<'_>) {
        let (client, resolver) =
            if message.response { (ip.destination, ip.source) } else { (ip.source, ip.destination) };
        let client_port = if message.response { ports.1 } else { ports.0 };
        self.lookups.on_datagram(client, resolver, client_port, message, ip, item.at, item.clock);
        if message.response {
            self.names.learn(client, resolver, message, item.at);
        }
    }

    /// Lookups over TCP reach the names after the datagrams of the same batch, in frame order.
    fn take_names(&mut self) {
        let mut over_tcp: Vec<_> = self.shards.iter_mut().flat_map(|shard| shard.dns.drain(..)).collect();
        over_tcp.sort_by_key(|entry| entry.3);
        for (client, resolver, message, at) in over_tcp {
            self.lookups.on_stream(client, resolver, &message, at, self.clock);
            if message.response {
                self.names.learn(client, resolver, &message, at);
            }
        }
    }
}

/// One thing that a shard takes.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Segment(Routed<'a>),
    Error { key: FlowKey, hash: u64, error: Unreachable, clock: Timestamp },
}

impl Step<'_> {
    /// Reading order: files of a run are merged by time, so frame numbers alone do not order them.
    fn place(&self) -> (Timestamp, Mark) {
        match self {
            Self::Segment(routed) => (routed.clock, routed.at),
            Self::Error { error, clock, .. } => (*clock, error.at),
        }
    }
}

fn prepare<'a>(frame: &Frame<'a>, hasher: &KeyHasher) -> Lane<'a> {
    lane_of(decode(frame), frame.at, frame.clock, frame.interface, hasher)
}

fn lane_of<'a>(packet: Packet<'a>, at: Mark, clock: Timestamp, interface: u32, hasher: &KeyHasher) -> Lane<'a> {
    let key = match (&packet.body, &packet.ip) {
        (Body::Tcp(segment), Some(ip)) => Some(FlowKey::of(
            (ip.source, segment.source_port),
            (ip.destination, segment.destination_port),
            6,
            packet.link.tunnel,
        )),
        _ => None,
    };
    let hash = key.as_ref().map_or(0, |(key, _)| hasher.hash(key));
    Lane { packet, key, hash, at, clock, interface }
}

/// Where a packet was seen, for telling sightings: interface, VLAN and source MAC.
fn place(packet: &Packet<'_>, interface: u32, hasher: &KeyHasher) -> u32 {
    #[derive(Hash)]
    struct Place {
        interface: u32,
        vlan: Option<u16>,
        source: Option<[u8; 6]>,
    }
    let place = Place { interface, vlan: packet.link.vlan, source: packet.link.source };
    (hasher.hash(&place) >> 32) as u32
}
