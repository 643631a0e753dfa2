//! Every bound of the engine, its reason, and what happens there.
//!
//! | limit | at the limit |
//! | --- | --- |
//! | `FLOWS_PER_SHARD` | the flow that was to be looked at next is judged and forgotten, counted as `evicted` |
//! | `NAMES_PER_SHARD` | a flow's name is kept with the flow alone |
//! | `tcp::stream::OUT_OF_ORDER_MAX` | the hole before the waiting bytes is given up as a gap |
//! | `tcp::stream::WAITING_MAX` | the observer is not fed any more in that direction |
//! | `tcp::resent::RESENT_MAX` | the oldest retransmission can no longer be taken back |
//! | `SUITES_PER_SHARD` | further chosen suites are not remembered |
//! | `UNNAMED_PER_SHARD` | the leaf is not held against the name that a DNS answer gave: `names-unchecked` |
//! | `ingest::writer::WAITING_MAX` | a frame stamped further back is written where it comes |
//! | `PIECES_WAITING_MAX` | `extract --flow` leaves out the fragments that came first of a packet joined much later |
//! | `LADDER_HEAD`, `LADDER_TAIL` | of a flow that `show` draws, the lines between are forgotten but for the evidence |

use crate::flow::key::SHARDS;

/// Conversations remembered at once, over all shards: about 3 KiB each while they live.
pub const FLOWS_MAX: usize = 1 << 20;
/// What a conversation may take while it lives, with its readers: `--memory` is divided by it.
pub const FLOW_BYTES: u64 = 8 << 10;
/// What a run takes before its first conversation: trust anchors, read blocks, tables of fixed size.
pub const BASE_BYTES: u64 = 64 << 20;
/// The least that `--memory` may be.
pub const MEMORY_MIN: u64 = 96 << 20;
/// A shard's share of them.
pub const FLOWS_PER_SHARD: usize = FLOWS_MAX / SHARDS;
/// Names that flows of one shard share; further ones are kept flow by flow.
pub const NAMES_PER_SHARD: usize = 16_384;
/// Pairs of server and chosen cipher suite remembered by one shard.
pub const SUITES_PER_SHARD: usize = 4_096;
/// Handshakes without a name kept by one shard until the capture's names are known; about 1 KiB each. Those that went
/// well count once for each client, server and chain.
pub const UNNAMED_PER_SHARD: usize = 512;

/// Fragments kept by `extract --flow` until their packet is joined: up to 64 KiB each, mostly 1,500 bytes.
pub const PIECES_WAITING_MAX: usize = 1_024;

/// First lines kept of a flow that is drawn without `--all`.
pub const LADDER_HEAD: usize = 50;
/// Last lines of it.
pub const LADDER_TAIL: usize = 50;
