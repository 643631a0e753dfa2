//! The conductor: the only room that sees the whole line.
//!
//! With several threads a batch goes through two phases: decode (parallel over lanes), then flows (parallel over 64
//! shards, each in the capture's order) and beside them, on one thread, what concerns no single flow (ARP and neighbour
//! discovery, names). With one thread every frame goes its whole way at once, which touches no memory between. Fragments
//! are joined in order. The result never depends on threads or batches.

mod around;
mod aside;
mod attempts;
mod balance;
mod by_minute;
mod chains;
pub mod close;
pub mod conversation;
mod crossing;
pub mod diagnosis;
mod due;
mod endpoints;
mod lane;
mod links;
mod ongoing;
pub mod opened;
mod outside;
mod parallel;
pub mod routed;
pub mod row;
mod setting;
pub mod shard;
mod shares;
mod states;
mod stubs;
mod summed;
pub mod told;
pub mod trace;
pub mod unnamed;

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use crate::decode::fragment::Fragments;
use crate::decode::{Body, IcmpMessage, IpFacts, Packet};
use crate::endpoint::Rules;
use crate::engine::diagnosis::Diagnosis;
use crate::engine::lane::{Item, flow, item_of, prepare, reason};
use crate::engine::outside::Outside;
use crate::engine::shard::{Anchors, Shard};
use crate::failure::flow::Outcomes;
use crate::flow::circling::Beside;
use crate::flow::heard::Heard;
use crate::flow::key::{KeyHasher, SHARDS};
use crate::flow::lookup::Lookups;
use crate::flow::names::Names;
use crate::flow::neighbours::Neighbours;
use crate::ingest::{Batch, FileReport, FrameRef, Secrets};
use crate::limits;
use crate::mark::Mark;
use crate::protocol::dns;
use crate::protocol::tls::KeyLog;
use crate::protocol::tls::chain::{TrustStore, Verifier};
use crate::time::Timestamp;

/// Bytes of a datagram that tell it from its neighbours.
const PRINT_BYTES: usize = 32;

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
    beside: Beside,
    outside: Outside,
    last_heard: Option<(std::net::IpAddr, std::net::IpAddr, i64)>,
    packets: u64,
    undecoded: BTreeMap<String, u64>,
    clock: Timestamp,
    /// Attempts of connections that were forgotten.
    past: Outcomes,
    /// What began earlier is about to be forgotten.
    horizon: Timestamp,
    trust: Arc<TrustStore>,
    rules: Arc<Rules>,
    by_minute: bool,
    surroundings: bool,
    keys: Option<Arc<KeyLog>>,
    late_keys: bool,
    key_log: Option<String>,
}

impl Engine {
    /// An engine without packets. Fails if no threads can be had.
    pub fn new(options: &Options) -> Result<Self, String> {
        let hasher = KeyHasher::new(0x77_69_72_65);
        // More threads than shards would have nothing to do.
        let threads = options.threads.min(SHARDS);
        let pool = if threads > 1 {
            let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            Some(built.map_err(|error| {
                format!("threads could not be started: {error}; try --threads 1")
            })?)
        } else {
            None
        };
        let shards = (0..SHARDS)
            .map(|_| {
                let verifier = Verifier::new(Arc::clone(&options.trust));
                Shard::new(
                    hasher.clone(),
                    verifier,
                    options.rows,
                    limits::FLOWS_PER_SHARD,
                )
            })
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
            beside: Beside::default(),
            outside: Outside::default(),
            last_heard: None,
            packets: 0,
            undecoded: BTreeMap::new(),
            clock: Timestamp::default(),
            past: Outcomes::default(),
            horizon: Timestamp::default(),
            trust: Arc::clone(&options.trust),
            rules: crate::endpoint::Rules::shared(),
            by_minute: false,
            surroundings: false,
            keys: None,
            late_keys: false,
            key_log: None,
        })
    }

    /// Counts attempts by endpoint and minute too.
    pub fn count_by_minute(&mut self) {
        self.by_minute = true;
    }

    /// Hands over what went on around the findings too.
    pub fn keep_surroundings(&mut self) {
        self.surroundings = true;
    }

    /// Other endpoint rules than the built-in ones, with the trust anchors that some of them bring. Before `push`.
    pub fn judge_by(&mut self, rules: Arc<Rules>, anchors: &Anchors) {
        self.shards
            .iter_mut()
            .for_each(|shard| shard.judge_by(Arc::clone(&rules), anchors));
        self.rules = rules;
    }

    /// Opens the TLS sessions that the key log has the secrets of; the report names it by `identity`. Before `push`.
    pub fn open_by(&mut self, keys: Arc<KeyLog>, identity: Option<String>) {
        self.key_log = identity;
        // What a capture holds besides is this run's alone.
        let keys = Arc::new(KeyLog::over(keys));
        for shard in &mut self.shards {
            shard.open_by(Arc::clone(&keys));
        }
        self.keys = Some(keys);
    }

    /// All secrets that are known: the key log's, and those that the captures held.
    pub fn keys(&self) -> Option<&Arc<KeyLog>> {
        self.keys.as_ref()
    }

    /// Did a capture hold secrets behind its first packets? Connections before them were not opened by them.
    pub const fn had_late_keys(&self) -> bool {
        self.late_keys
    }

    /// Secrets that the capture holds: they count from here on.
    fn learn(&mut self, secrets: &Secrets) {
        let keys = self.keys.get_or_insert_default();
        let before = keys.len();
        let read = keys.read(secrets.lines.as_slice()).unwrap_or_default();
        self.late_keys |= secrets.late && keys.len() > before;
        if read.malformed > 0 {
            let counted = self.undecoded.entry("key-lines-malformed".to_owned());
            *counted.or_default() += read.malformed;
        }
        if read.beyond > 0 {
            *self.undecoded.entry("keys-omitted".to_owned()).or_default() += read.beyond;
        }
        let keys = Arc::clone(keys);
        for shard in &mut self.shards {
            shard.open_by(Arc::clone(&keys));
        }
    }

    /// Remembers at most so many conversations at once, over all shards.
    pub fn remember_at_most(&mut self, flows: usize) {
        for shard in &mut self.shards {
            shard.remember_at_most(flows / SHARDS);
        }
    }

    /// Takes about so many bytes: what is remembered of conversations, of those that ended, of findings and of who was
    /// heard has a share of them each.
    pub fn within(&mut self, bytes: u64) {
        let room = bytes.saturating_sub(limits::BASE_BYTES) / SHARDS as u64;
        let share = |part: u64, each: u64, most: usize| {
            usize::try_from(room / part / each).map_or(most, |share| share.min(most))
        };
        let shards = SHARDS as u64;
        self.lookups.remember_at_most(
            usize::try_from(room * shards / 16 / limits::LOOKUP_BYTES).unwrap_or(usize::MAX),
        );
        self.names.remember_at_most(
            usize::try_from(room * shards / 16 / limits::NAME_BYTES).unwrap_or(usize::MAX),
        );
        for shard in &mut self.shards {
            let flows = share(8, limits::FLOW_BYTES, limits::FLOWS_PER_SHARD / 3);
            shard.remember_at_most(3 * flows);
            shard.tell_at_most(
                share(8, limits::STUB_BYTES, limits::STUBS_PER_SHARD),
                share(4, limits::FINDING_BYTES, limits::FINDINGS_PER_SHARD),
                share(8, limits::PAIR_BYTES, limits::PAIRS_PER_SHARD),
            );
        }
    }

    /// All phases of one batch.
    pub fn push(&mut self, batch: &Batch) {
        self.packets += batch.frames.len() as u64;
        let mut rest = batch.frames.as_slice();
        let mut passed = 0;
        for secrets in &batch.secrets {
            let count = secrets.place.saturating_sub(passed).min(rest.len());
            let (before, after) = rest.split_at(count);
            self.push_frames(batch, before);
            (rest, passed) = (after, passed + count);
            self.learn(secrets);
        }
        self.push_frames(batch, rest);
        self.take_names();
    }

    fn push_frames(&mut self, batch: &Batch, frames: &[FrameRef]) {
        match self.pool.take() {
            Some(pool) => {
                pool.install(|| self.push_parallel(batch, frames));
                self.pool = Some(pool);
            }
            None => self.push_serial(batch, frames),
        }
    }

    /// One frame after the other, each to its end.
    fn push_serial(&mut self, batch: &Batch, frames: &[FrameRef]) {
        for frame in frames {
            let item = prepare(&batch.frame(frame), &self.hasher);
            self.step(&item);
        }
    }

    /// Everything that one frame means.
    fn step(&mut self, item: &Item<'_>) {
        if let Body::Fragment(_) = item.packet.body {
            self.clock = self.clock.max(item.clock);
            if let Some(whole) = self.fragments.push(&item.packet, item.clock) {
                let joined = item_of(
                    whole.packet(),
                    item.at,
                    item.clock,
                    item.interface,
                    &self.hasher,
                );
                self.step_joined(&joined);
            }
        } else {
            self.step_joined(item);
        }
    }

    fn step_joined(&mut self, item: &Item<'_>) {
        self.serial(item);
        if let Some(shard) = self.shards.get_mut(usize::from(item.shard())) {
            flow(shard, item);
        }
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
        let past = self.past;
        let mut diagnosis = close::close(self, files);
        diagnosis.attempts.add(past);
        diagnosis
    }

    /// What a frame means beside its flow: names, neighbours, who was heard, what could not be read.
    fn serial(&mut self, item: &Item<'_>) {
        self.clock = self.clock.max(item.clock);
        let packet = &item.packet;
        if let Some(stop) = packet.stopped {
            *self.undecoded.entry(reason(stop)).or_default() += 1;
        }
        self.outside.on_item(item);
        match (&packet.body, &packet.ip) {
            (Body::Tcp(_), Some(ip)) => self.note_host(packet, ip, item),
            (Body::Udp(datagram), Some(ip)) => {
                self.note_heard(ip, item.at);
                self.note_host(packet, ip, item);
                let ports32 =
                    u32::from(datagram.source_port) << 16 | u32::from(datagram.destination_port);
                self.note_pass(ip, ports32, datagram.payload, item);
                let ports = (datagram.source_port, datagram.destination_port);
                if dns::looks_like(datagram.payload, ports)
                    && let Some(message) = dns::parse(datagram.payload)
                {
                    self.on_dns(ip, ports, &message, item);
                }
            }
            (Body::Icmp(message), Some(ip)) => {
                self.note_heard(ip, item.at);
                self.note_pass(ip, message.rest, message.payload, item);
                self.on_icmp(message, ip, item);
            }
            (Body::Arp(_), _) if packet.link.tunnel == 0 => {
                self.neighbours.on_packet(packet, item.at, item.interface);
            }
            (_, Some(ip)) => self.note_heard(ip, item.at),
            _ => {}
        }
    }

    /// Does this very packet go round? TCP segments are asked in their shard, where copies are told from repetitions.
    fn note_pass(&mut self, ip: &IpFacts, own: u32, payload: &[u8], item: &Item<'_>) {
        let head = payload.get(..PRINT_BYTES).unwrap_or(payload);
        let words = [
            u64::from(own) << 32 | u64::from(ip.id.unwrap_or(0)),
            u64::from(ip.total_len) << 8 | u64::from(ip.protocol),
        ];
        let print = routed::print(ip.source, ip.destination, words, head);
        let (packet, hasher, interface) = (&item.packet, &self.hasher, item.interface);
        let place = || lane::place(packet, interface, hasher);
        let ends = (ip.source, ip.destination);
        self.beside.on_packet(print, ends, ip.ttl, item.at, place);
    }

    /// Inside a tunnel the MAC is the tunnel's, and says nothing of the address.
    fn note_host(&mut self, packet: &Packet<'_>, ip: &IpFacts, item: &Item<'_>) {
        if packet.link.tunnel == 0 {
            self.neighbours
                .on_host(ip, &packet.link, item.at, item.interface);
        }
    }

    fn note_heard(&mut self, ip: &IpFacts, at: Mark) {
        let now = (ip.destination, ip.source, at.time.second());
        if self.last_heard != Some(now) {
            self.last_heard = Some(now);
            self.heard.note(ip.destination, ip.source, at.time);
        }
    }

    fn on_icmp(&mut self, message: &IcmpMessage<'_>, ip: &IpFacts, item: &Item<'_>) {
        self.note_host(&item.packet, ip, item);
        // Neighbour discovery, and the routers that announce themselves (RFC 4861 4.2).
        if item.packet.link.tunnel == 0
            && (message.neighbour.is_some() || (message.v6 && message.kind == 134))
        {
            self.neighbours
                .on_packet(&item.packet, item.at, item.interface);
        }
        if let Some(quoted) = message
            .quoted
            .filter(|quoted| quoted.protocol == 17 && quoted.destination_port == 53)
        {
            self.lookups.on_unreachable(
                quoted.source,
                quoted.destination,
                quoted.source_port,
                item.at,
            );
        }
    }

    fn on_dns(&mut self, ip: &IpFacts, ports: (u16, u16), message: &dns::Message, item: &Item<'_>) {
        let (client, resolver) = if message.response {
            (ip.destination, ip.source)
        } else {
            (ip.source, ip.destination)
        };
        let (client_port, resolver_port) = if message.response {
            (ports.1, ports.0)
        } else {
            ports
        };
        self.lookups.on_datagram(
            (client, client_port),
            (resolver, resolver_port),
            message,
            ip,
            item.at,
            item.clock,
        );
        if message.response {
            self.names.learn(client, resolver, message, item.at);
        }
    }

    /// Lookups over TCP reach the names after the datagrams of the same batch, in frame order.
    fn take_names(&mut self) {
        let mut over_tcp: Vec<_> = self
            .shards
            .iter_mut()
            .flat_map(|shard| shard.dns.drain(..))
            .collect();
        over_tcp.sort_by_key(|entry| entry.3);
        for (client, resolver, message, at) in over_tcp {
            self.lookups
                .on_stream(client, resolver, &message, at, self.clock);
            if message.response {
                self.names.learn(client, resolver.0, &message, at);
            }
        }
    }
}
