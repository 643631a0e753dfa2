//! A TCP segment on its way to its shard, and what tells it from every other packet.

use std::net::IpAddr;

use crate::decode::{IpFacts, TcpSegment, flag};
use crate::flow::key::{self, End, FlowKey, fold};
use crate::mark::Mark;
use crate::tcp::sighting::Signature;
use crate::time::Timestamp;

/// A TCP segment on its way to its shard.
#[derive(Clone, Copy, Debug)]
pub struct Routed<'a> {
    /// Flow.
    pub key: FlowKey,
    /// Hash of the key.
    pub hash: u64,
    /// Who sent it.
    pub from: End,
    /// The segment.
    pub segment: &'a TcpSegment<'a>,
    /// Its IP header.
    pub ip: &'a IpFacts,
    /// Where it was seen, hashed.
    pub place: u32,
    /// Its frame.
    pub at: Mark,
    /// The capture's clock at that frame.
    pub clock: Timestamp,
}

/// What tells this packet from every other of its flow, and from a copy of it.
pub(super) fn signature(routed: &Routed<'_>) -> Signature {
    let (segment, ip) = (routed.segment, routed.ip);
    let stamp = segment.options.timestamps.map_or(0, |(value, _)| value);
    let id = ip.id.unwrap_or(0);
    let words = [
        u64::from(segment.seq) << 32 | u64::from(segment.ack),
        u64::from(segment.payload_len) << 32
            | u64::from(segment.window) << 8
            | u64::from(segment.flags),
        u64::from(stamp) << 32 | u64::from(id),
        u64::from(routed.from == End::A),
    ];
    Signature {
        print: words
            .iter()
            .fold(routed.hash, |print, word| fold(print ^ word)),
        time: routed.at.time,
        place: routed.place,
        checksum: segment.checksum,
        ttl: ip.ttl,
        identified: id != 0,
        stamped: stamp != 0,
        weighty: segment.payload_len > 0
            || segment.flags & (flag::FIN | flag::SYN) != 0
            || segment.flags & (flag::RST | flag::ACK) == flag::RST | flag::ACK,
    }
}

/// What tells a packet without a connection from every other: its addresses, some words of its headers, first bytes.
pub(super) fn print(source: IpAddr, destination: IpAddr, words: [u64; 2], head: &[u8]) -> u64 {
    let mut print = words.iter().fold(1, |print, word| fold(print ^ word));
    for [high, low] in [key::words(source), key::words(destination)] {
        print = fold(print ^ low ^ high);
    }
    head.chunks(8).fold(print, |print, chunk| {
        let word = chunk
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte));
        fold(print ^ word)
    })
}
