//! One sixty-fourth of the flows: their table, their end, and what was told of them.
//!
//! A shard sees its packets in the capture's order and nothing else, so its results do not depend on threads or
//! batches. A flow ends when another connection takes its addresses and ports, a little after both FINs or a RST, when
//! it has been silent for long, or with the capture. What comes late of an ended flow is counted and starts no new one.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::{HashMap, HashTable};

use crate::decode::flag;
use crate::endpoint::Rules;
use crate::engine::conversation::Conversation;
use crate::engine::due::Due;
use crate::engine::routed::{Routed, signature};
use crate::engine::row;
use crate::engine::stubs::Shared;
use crate::engine::told::{Told, tally};
use crate::failure::episode::Unreachable;
use crate::failure::flow as judging;
use crate::failure::security::gm_not_used;
use crate::flow::circling::Passes;
use crate::flow::heard::Heard;
use crate::flow::key::{End, FlowKey, KeyHasher};
use crate::limits;
use crate::mark::Mark;
use crate::protocol::tls::KeyLog;
use crate::protocol::tls::chain::{TrustStore, Verifier};
use crate::tcp::sighting::Recent;
use crate::time::{Nanos, SECOND, Timestamp};

/// A closed flow still takes segments for so long: whoever was reset in another's name goes on at once, and Windows
/// repeats a refused SYN twice within it.
const LINGER: Nanos = 3 * SECOND;
/// Segments of an ended flow are late for so long (a FIN is repeated with growing pauses).
const LATE: Nanos = 60 * SECOND;
/// So long after both FINs the same addresses and ports are reused too soon (Linux waits 60 s).
const TIME_WAIT: Nanos = 60 * SECOND;
/// A handshake that stands still for so long is over: Linux repeats a SYN for 127 s, its last pause is 64 s.
const HALF_OPEN_IDLE: Nanos = 130 * SECOND;
/// A connection that nobody used for so long is over.
const IDLE: Nanos = 2 * 3_600 * SECOND;

/// Ended conversations kept for their memory.
const SPARE_MAX: usize = 4;

/// Trust anchors that endpoint rules bring, by the id of the rule.
pub type Anchors = BTreeMap<String, Arc<TrustStore>>;

/// The flows of one shard.
#[derive(Debug)]
pub struct Shard {
    hasher: KeyHasher,
    table: HashTable<u32>,
    slots: Vec<Option<Box<Conversation>>>,
    free: Vec<u32>,
    due: Due,
    /// Ended flows by the hash of their key: until when their segments are late, and where both ends had closed.
    ended: HashMap<u64, (Timestamp, Option<Mark>)>,
    ended_order: VecDeque<(Timestamp, u64)>,
    shared: Shared,
    /// Conversations that ended: the next one begins in their memory, which is at hand.
    spare: Vec<Box<Conversation>>,
    flows_max: usize,
    stubs_max: usize,
    findings_max: usize,
    next_id: u64,
    pub(super) verifier: Verifier,
    pub(super) rules: Arc<Rules>,
    /// Verifiers of the rules that bring their own trust anchors, by id.
    pub(super) verifiers: BTreeMap<String, Verifier>,
    want_rows: bool,
    clock: Timestamp,
    recent: Recent,
    passes: Passes,
    keys: Option<Arc<KeyLog>>,
    /// DNS messages that came over TCP: client, resolver, message, frame.
    pub dns: Vec<(IpAddr, (IpAddr, u16), crate::protocol::dns::Message, Mark)>,
    /// What it has to tell.
    pub told: Told,
}

impl Shard {
    /// An empty shard that remembers up to `flows_max` flows.
    pub fn new(hasher: KeyHasher, verifier: Verifier, want_rows: bool, flows_max: usize) -> Self {
        Self {
            hasher,
            table: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            due: Due::default(),
            ended: HashMap::new(),
            ended_order: VecDeque::new(),
            shared: Shared::default(),
            spare: Vec::new(),
            flows_max,
            stubs_max: limits::STUBS_PER_SHARD,
            findings_max: limits::FINDINGS_PER_SHARD,
            next_id: 0,
            verifier,
            rules: crate::endpoint::Rules::shared(),
            verifiers: BTreeMap::new(),
            want_rows,
            clock: Timestamp::default(),
            recent: Recent::default(),
            passes: Passes::default(),
            keys: None,
            dns: Vec::new(),
            told: Told::default(),
        }
    }

    /// The endpoint rules, and the trust anchors that some of them bring.
    pub fn judge_by(&mut self, rules: Arc<Rules>, anchors: &Anchors) {
        self.rules = rules;
        let verifier = |(id, store): (&String, &Arc<TrustStore>)| {
            (id.clone(), Verifier::new(Arc::clone(store)))
        };
        self.verifiers = anchors.iter().map(verifier).collect();
    }

    /// Opens the TLS sessions that the key log has the secrets of, from the connections on that begin now.
    pub fn open_by(&mut self, keys: Arc<KeyLog>) {
        self.keys = Some(keys);
    }

    /// Remembers at most so many flows at once, and one at least.
    pub fn remember_at_most(&mut self, flows: usize) {
        self.flows_max = flows.max(1);
    }

    /// Tells at most so many ended connections, findings and pairs of hosts one by one.
    pub fn tell_at_most(&mut self, stubs: usize, findings: usize, pairs: usize) {
        (self.stubs_max, self.findings_max) = (stubs, findings);
        self.told.heard.remember_at_most(pairs);
    }

    /// Takes one segment.
    pub fn on_segment(&mut self, routed: &Routed<'_>) {
        self.advance(routed.clock);
        let slot = match self.find(&routed.key, routed.hash) {
            Some(slot) if self.starts_another(slot, routed) => {
                self.finish_slot(slot);
                self.create(routed)
            }
            Some(slot) => slot,
            None if self.is_late(routed) => return,
            None => self.create(routed),
        };
        let Some(conversation) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else {
            return;
        };
        note_heard(&mut self.told.heard, conversation, routed);
        let signature = signature(routed);
        if self.recent.is_sighting(signature) {
            let (place, ttl) = (routed.place, routed.ip.ttl);
            let from = conversation.direction(routed.from);
            conversation
                .connection
                .on_sighting(from, routed.segment.flags, ttl);
            if let Some(round) = self
                .passes
                .on_repeat(signature.print, place, ttl, routed.at)
            {
                conversation.goes_round(routed.from, round);
            }
            self.told.quality.sighting(routed.at);
            return;
        }
        conversation.on_segment(routed, self.keys.as_ref());
        let (client, server) = (conversation.client().0, conversation.server());
        let over_tcp = conversation.take_dns().into_iter();
        self.dns
            .extend(over_tcp.map(|(_, message, at)| (client, server, message, at)));
        let closed = conversation.connection.closed.is_some() && !conversation.closing;
        if closed {
            conversation.closing = true;
            let id = conversation.id;
            self.due.closing((routed.clock.plus(LINGER), slot, id));
        }
    }

    /// An ICMP error that quotes a packet of `from` in this flow.
    pub fn on_unreachable(
        &mut self,
        key: &FlowKey,
        hash: u64,
        error: &Unreachable,
        clock: Timestamp,
    ) {
        self.advance(clock);
        let Some(slot) = self.find(key, hash) else {
            return;
        };
        let Some(conversation) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else {
            return;
        };
        conversation.errors.get_or_insert_default().add(error);
    }

    /// Time passed without a packet.
    pub fn tick(&mut self, clock: Timestamp) {
        if clock > self.clock {
            self.advance(clock);
        }
    }

    /// What would be told if the capture ended now. Flows that are open are judged as they stand, and go on.
    pub fn look(&mut self) -> Told {
        let kept = self.told.clone();
        let open = std::mem::take(&mut self.slots);
        for conversation in open.iter().flatten() {
            self.judge(conversation);
        }
        self.slots = open;
        let ended = kept.stubs.len();
        let mut told = std::mem::replace(&mut self.told, kept);
        for stub in told.stubs.iter_mut().skip(ended) {
            stub.open = true;
        }
        told
    }

    /// Flows that have closed and still take segments.
    pub fn lingering(&self) -> impl Iterator<Item = FlowKey> + '_ {
        let open = self.slots.iter().flatten();
        open.filter(|open| open.closing).map(|open| open.key)
    }

    /// The capture ends: every flow does.
    pub fn finish(&mut self, clock: Timestamp) {
        self.clock = self.clock.max(clock);
        for slot in 0..self.slots.len() {
            self.finish_slot(u32::try_from(slot).unwrap_or(u32::MAX));
        }
    }

    /// Time passed: looks at the flows whose time has come, and forgets old ends.
    fn advance(&mut self, clock: Timestamp) {
        self.clock = clock;
        while let Some((deadline, slot, id)) = self.due.pop_by(clock) {
            let known = self
                .slots
                .get(slot as usize)
                .and_then(Option::as_ref)
                .filter(|known| known.id == id);
            match known.map(|known| ends_at(known, deadline)) {
                Some(end) if end > clock => self.due.again((end, slot, id)),
                Some(_) => self.finish_slot(slot),
                None => {}
            }
        }
        while let Some(&(until, hash)) = self
            .ended_order
            .front()
            .filter(|(until, _)| *until <= clock)
        {
            self.ended_order.pop_front();
            if self.ended.get(&hash).is_some_and(|past| past.0 == until) {
                self.ended.remove(&hash);
            }
        }
    }

    /// A segment of a flow that has ended, and no SYN that begins another.
    fn is_late(&mut self, routed: &Routed<'_>) -> bool {
        let begins = routed.segment.flags & (flag::SYN | flag::ACK | flag::RST) == flag::SYN;
        let late = !begins && self.ended.contains_key(&routed.hash);
        if late {
            *self.told.unjudged.entry("late-segments").or_default() += 1;
            self.told
                .heard
                .note(routed.ip.destination, routed.ip.source, routed.at.time);
        }
        late
    }

    fn find(&self, key: &FlowKey, hash: u64) -> Option<u32> {
        self.table
            .find(hash, |slot| {
                self.slots
                    .get(*slot as usize)
                    .and_then(Option::as_ref)
                    .is_some_and(|c| c.key == *key)
            })
            .copied()
    }

    fn starts_another(&self, slot: u32, routed: &Routed<'_>) -> bool {
        self.slots
            .get(slot as usize)
            .and_then(Option::as_ref)
            .is_some_and(|known| {
                known
                    .connection
                    .is_another(known.direction(routed.from), routed.segment)
            })
    }

    fn create(&mut self, routed: &Routed<'_>) -> u32 {
        if self.slots.len() - self.free.len() >= self.flows_max {
            self.evict();
        }
        let rules = Arc::clone(&self.rules);
        let new = Conversation::new(routed.key, routed.from, routed.segment, self.next_id, rules);
        let mut conversation = match self.spare.pop() {
            Some(mut old) => {
                *old = new;
                old
            }
            None => Box::new(new),
        };
        let closed = self.ended.get(&routed.hash).and_then(|past| past.1);
        conversation.reused =
            closed.filter(|closed| routed.at.time.since(closed.time) <= TIME_WAIT);
        self.next_id += 1;
        self.told.flows += 1;
        let slot = match self.free.pop() {
            Some(slot) => {
                if let Some(place) = self.slots.get_mut(slot as usize) {
                    *place = Some(conversation);
                }
                slot
            }
            None => {
                self.slots.push(Some(conversation));
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        self.due
            .opened((routed.clock.plus(HALF_OPEN_IDLE), slot, self.next_id - 1));
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.table.insert_unique(routed.hash, slot, |other| {
            slots
                .get(*other as usize)
                .and_then(Option::as_ref)
                .map_or(0, |known| hasher.key(&known.key))
        });
        slot
    }

    /// The table is full: the flow that was to be looked at next is closed and counted.
    fn evict(&mut self) {
        while let Some((_, slot, id)) = self.due.pop_by(Timestamp::from_ns(i64::MAX)) {
            if self
                .slots
                .get(slot as usize)
                .and_then(Option::as_ref)
                .is_some_and(|known| known.id == id)
            {
                *self.told.unjudged.entry("evicted").or_default() += 1;
                self.finish_slot(slot);
                return;
            }
        }
    }

    fn finish_slot(&mut self, slot: u32) {
        let Some(mut conversation) = self.slots.get_mut(slot as usize).and_then(Option::take)
        else {
            return;
        };
        let hash = self.hasher.key(&conversation.key);
        if let Ok(entry) = self.table.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
        self.free.push(slot);
        let until = self.clock.plus(LATE);
        // RFC 9293 3.6.1: only who closed by FIN waits.
        let halves = &conversation.connection.halves;
        let closed = conversation.connection.closed;
        let closed = closed.filter(|_| halves.iter().all(|half| half.fin.is_some()));
        self.ended.insert(hash, (until, closed));
        self.ended_order.push_back((until, hash));
        conversation.finish(self.keys.as_ref());
        self.judge(&conversation);
        if self.spare.len() < SPARE_MAX {
            conversation.let_go();
            self.spare.push(conversation);
        }
    }

    fn judge(&mut self, conversation: &Conversation) {
        let chain = self.chain(conversation);
        let episode = conversation.episode(chain.as_deref(), self.clock);
        let judged = judging::judge(&episode);
        if self.want_rows {
            self.told.rows.push(row::row(&episode, &judged));
        }
        self.told.quality.add(&episode);
        self.told.note_keys(&episode);
        if let Some(reason) = judged.undetermined {
            *self.told.unjudged.entry(reason).or_default() += 1;
        }
        if judged.outcomes.failed == 0 || !judged.explains_loss {
            tally(
                self.told.tallies.entry(conversation.server()).or_default(),
                &episode,
            );
        }
        if !self.told.unnamed.note(&episode, &judged) {
            *self.told.unjudged.entry("names-unchecked").or_default() += 1;
        }
        self.told.authenticated.extend(judged.authenticated);
        self.told.trace(&episode);
        self.told.show(&episode);
        if let Some(hello) = episode
            .tls
            .and_then(|session| session.server_hello.as_ref())
        {
            let chosen = (conversation.server(), hello.value.suite);
            if self.told.chosen.len() < limits::SUITES_PER_SHARD {
                self.told.chosen.insert(chosen);
            }
        }
        self.told.findings.extend(judged.findings);
        if self.rules.requires_gm() {
            let gm = episode
                .tls
                .and_then(|tls| gm_not_used::detect(&episode, tls));
            self.told.findings.extend(gm);
        }
        let counted = (judged.outcomes, judged.minutes, judged.latency_ms);
        let stub = self.shared.stub(&episode, counted, &self.rules);
        self.told.stubs.push(Box::new(stub));
        self.told.sum_up(self.stubs_max, self.findings_max);
    }
}

/// When a flow that stays as it is will be over; `looked_at` is when it was to be looked at.
fn ends_at(known: &Conversation, looked_at: Timestamp) -> Timestamp {
    let connection = &known.connection;
    let Some((_, last)) = connection.span else {
        return looked_at;
    };
    match () {
        () if known.closing => looked_at,
        () if connection
            .halves
            .iter()
            .any(|half| half.counts.data_segments > 0) =>
        {
            last.time.plus(IDLE)
        }
        () => last.time.plus(HALF_OPEN_IDLE),
    }
}

fn note_heard(heard: &mut Heard, conversation: &mut Conversation, routed: &Routed<'_>) {
    let second = routed.at.time.second();
    let slot = match routed.from {
        End::A => &mut conversation.heard[1],
        End::B => &mut conversation.heard[0],
    };
    if *slot != second {
        *slot = second;
        heard.note(routed.ip.destination, routed.ip.source, routed.at.time);
    }
}
