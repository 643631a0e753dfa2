//! A frame on its way: decoded, keyed, given to the shard of its flow. Pure; runs in parallel over lanes.

use crate::decode::{Body, IcmpMessage, Packet, Stop, StopReason, decode};
use crate::engine::routed::Routed;
use crate::engine::shard::Shard;
use crate::failure::episode::Unreachable;
use crate::flow::key::{End, FlowKey, KeyHasher, SHARDS, shard_of};
use crate::ingest::{Batch, Frame, FrameRef};
use crate::mark::Mark;
use crate::time::Timestamp;

/// A decoded frame with what routing needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) packet: Packet<'a>,
    pub(super) key: Option<(FlowKey, End)>,
    pub(super) hash: u64,
    pub(super) place: u32,
    pub(super) at: Mark,
    pub(super) clock: Timestamp,
    pub(super) interface: u32,
}

/// Frames that one thread decodes at a time, and the shard that each of them concerns.
#[derive(Debug, Default)]
pub(super) struct Lane<'a> {
    pub(super) items: Vec<Item<'a>>,
    pub(super) shards: Vec<u8>,
    pub(super) fragments: bool,
}

/// Frames in a lane: few enough for their decoded form to stay in a core's cache.
pub(super) const LANE: usize = 512;
/// Not the business of any flow.
pub(super) const NO_SHARD: u8 = u8::MAX;
const _: () = assert!(SHARDS <= NO_SHARD as usize);

impl<'a> Lane<'a> {
    pub(super) fn decode(batch: &'a Batch, frames: &[FrameRef], hasher: &KeyHasher) -> Self {
        let mut lane = Self {
            items: Vec::with_capacity(frames.len()),
            shards: Vec::with_capacity(frames.len()),
            fragments: false,
        };
        for frame in frames {
            let item = prepare(&batch.frame(frame), hasher);
            lane.fragments |= matches!(item.packet.body, Body::Fragment(_));
            lane.shards.push(item.shard());
            lane.items.push(item);
        }
        lane
    }
}

impl Item<'_> {
    /// The shard of its flow; an ICMP error belongs to the flow that it quotes.
    pub(super) fn shard(&self) -> u8 {
        match self.key {
            Some(_) => u8::try_from(shard_of(self.hash)).unwrap_or(NO_SHARD),
            None => NO_SHARD,
        }
    }
}

/// What a frame means to its flow.
pub(super) fn flow(shard: &mut Shard, item: &Item<'_>) {
    let (Some((key, from)), Some(ip)) = (item.key, &item.packet.ip) else {
        return;
    };
    match &item.packet.body {
        Body::Tcp(segment) => shard.on_segment(&Routed {
            key,
            hash: item.hash,
            from,
            segment,
            ip,
            place: item.place,
            at: item.at,
            clock: item.clock,
        }),
        Body::Icmp(message) => {
            let Some(quoted) = message.quoted else { return };
            let error = Unreachable {
                at: item.at,
                v6: message.v6,
                kind: message.kind,
                code: message.code,
                router: ip.source,
                quoted,
                rest: message.rest,
                count: 1,
            };
            shard.on_unreachable(&key, item.hash, &error, item.clock);
        }
        _ => {}
    }
}

/// Why decoding stopped, as it is counted.
pub(super) fn reason(stop: Stop) -> String {
    match stop.reason {
        StopReason::Cut => format!("cut:{}", stop.layer),
        StopReason::Malformed => format!("malformed:{}", stop.layer),
        StopReason::Unknown(number) => format!("unknown:{}:{number}", stop.layer),
        StopReason::Encrypted => format!("encrypted:{}", stop.layer),
    }
}

pub(super) fn prepare<'a>(frame: &Frame<'a>, hasher: &KeyHasher) -> Item<'a> {
    item_of(
        decode(frame),
        frame.at,
        frame.clock,
        frame.interface,
        hasher,
    )
}

pub(super) fn item_of<'a>(
    packet: Packet<'a>,
    at: Mark,
    clock: Timestamp,
    interface: u32,
    hasher: &KeyHasher,
) -> Item<'a> {
    let tunnel = packet.link.tunnel;
    let key = match (&packet.body, &packet.ip) {
        (Body::Tcp(segment), Some(ip)) => {
            let (source, destination) = (segment.source_port, segment.destination_port);
            Some(FlowKey::of(
                (ip.source, source),
                (ip.destination, destination),
                6,
                tunnel,
            ))
        }
        (
            Body::Icmp(IcmpMessage {
                quoted: Some(quoted),
                ..
            }),
            _,
        ) if quoted.protocol == 6 => {
            let (source, destination) = (quoted.source_port, quoted.destination_port);
            Some(FlowKey::of(
                (quoted.source, source),
                (quoted.destination, destination),
                6,
                tunnel,
            ))
        }
        _ => None,
    };
    let hash = key.as_ref().map_or(0, |(key, _)| hasher.key(key));
    let place = if key.is_some() {
        place(&packet, interface, hasher)
    } else {
        0
    };
    Item {
        packet,
        key,
        hash,
        place,
        at,
        clock,
        interface,
    }
}

/// Where a packet was seen, for telling sightings: interface, VLAN and source MAC.
pub(super) fn place(packet: &Packet<'_>, interface: u32, hasher: &KeyHasher) -> u32 {
    let [a, b, c, d, e, f] = packet.link.source.unwrap_or_default();
    let known = u8::from(packet.link.source.is_some());
    let source = u64::from_be_bytes([0, known, a, b, c, d, e, f]);
    let vlan = packet.link.vlan.map_or(0, |vlan| 1 << 16 | u64::from(vlan));
    (hasher.words([source, vlan << 32 | u64::from(interface)]) >> 32) as u32
}
