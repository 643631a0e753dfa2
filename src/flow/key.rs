//! The direction-free identity of a conversation.
//!
//! Both directions of a TCP connection or UDP exchange give the same key. VLAN, MPLS and interface are not part
//! of it (a packet seen on two of them is one packet); the innermost tunnel is.

use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;

use foldhash::quality::FixedState;

/// Flows are owned by this many shards, whatever the number of threads.
pub const SHARDS: usize = 64;

/// Two ends, the protocol and the tunnel. `a` is the lower (address, port).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    /// Lower end's address.
    pub a: IpAddr,
    /// Higher end's address.
    pub b: IpAddr,
    /// Lower end's port.
    pub a_port: u16,
    /// Higher end's port.
    pub b_port: u16,
    /// IP protocol (6 TCP, 17 UDP).
    pub protocol: u8,
    /// Identity of the innermost tunnel, 0 for none.
    pub tunnel: u32,
}

/// Which end of a `FlowKey` sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The lower end.
    A,
    /// The higher end.
    B,
}

impl End {
    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl FlowKey {
    /// The key of a packet, and the end that sent it.
    pub fn of(
        source: (IpAddr, u16),
        destination: (IpAddr, u16),
        protocol: u8,
        tunnel: u32,
    ) -> (Self, End) {
        let (a, b, end) = if source <= destination {
            (source, destination, End::A)
        } else {
            (destination, source, End::B)
        };
        (
            Self {
                a: a.0,
                b: b.0,
                a_port: a.1,
                b_port: b.1,
                protocol,
                tunnel,
            },
            end,
        )
    }

    /// Address and port of one end.
    pub const fn end(&self, end: End) -> (IpAddr, u16) {
        match end {
            End::A => (self.a, self.a_port),
            End::B => (self.b, self.b_port),
        }
    }
}

/// The seeded hash of keys. Six bits in its middle choose the shard; its ends choose the slot.
#[derive(Clone, Debug)]
pub struct KeyHasher(FixedState, u64);

impl KeyHasher {
    /// A hasher of this run. Output never depends on the seed: nothing iterates over a hash table.
    pub const fn new(seed: u64) -> Self {
        Self(FixedState::with_seed(seed), fold(seed))
    }

    /// Hash of a flow's key: a few multiplications, since every packet asks for it.
    pub fn key(&self, key: &FlowKey) -> u64 {
        let ports = u64::from(key.a_port) << 16 | u64::from(key.b_port);
        let ends = match (key.a, key.b) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                fold(self.1 ^ (u64::from(u32::from(a)) << 32 | u64::from(u32::from(b))))
            }
            (a, b) => words(a)
                .into_iter()
                .chain(words(b))
                .fold(self.1, |hash, word| fold(hash ^ word)),
        };
        let rest = ports << 32 | u64::from(key.tunnel);
        fold(fold(ends ^ rest) ^ u64::from(key.protocol))
    }

    /// Hash of two words.
    pub fn words(&self, words: [u64; 2]) -> u64 {
        words.iter().fold(self.1, |hash, word| fold(hash ^ word))
    }

    /// Hash of anything else.
    pub fn hash(&self, key: &impl Hash) -> u64 {
        self.0.hash_one(key)
    }
}

/// The shard that owns what hashes to `hash`, by bits that its table does not use.
pub const fn shard_of(hash: u64) -> usize {
    ((hash >> 32) % SHARDS as u64) as usize
}

/// The bits of an address.
pub fn words(ip: IpAddr) -> [u64; 2] {
    let bits = match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    };
    [(bits >> 64) as u64, bits as u64]
}

/// Multiplies and folds: enough between words of a seeded hash.
pub const fn fold(word: u64) -> u64 {
    let wide = ((word ^ 0x9e37_79b9_7f4a_7c15) as u128)
        .wrapping_mul(0xd6e8_feb8_6659_fd93_a076_1d64_78bd_642f);
    (wide as u64) ^ (wide >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn both_directions_share_one_key() {
        let client = (IpAddr::from(Ipv4Addr::new(192, 0, 2, 9)), 40_000);
        let server = (IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)), 443);
        let (there, from) = FlowKey::of(client, server, 6, 0);
        let (back, answered) = FlowKey::of(server, client, 6, 0);
        assert_eq!(there, back);
        assert_eq!((from, answered), (End::B, End::A));
        assert_eq!(there.end(End::A), server);
    }
}
