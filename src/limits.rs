//! Every bound of the engine, its reason, and what happens there.
//!
//! | limit | at the limit |
//! | --- | --- |
//! | `FLOWS_PER_SHARD` | the flow that was to be looked at next is judged and forgotten, counted as `evicted` |
//! | `NAMES_PER_SHARD` | a flow's name is kept with the flow alone |
//! | `tcp::stream::OUT_OF_ORDER_MAX` | the hole before the waiting bytes is given up as a gap |
//! | `tcp::stream::WAITING_MAX` | the observer is not fed any more in that direction |
//! | `flow::circling::DESTINATIONS_MAX` | further destinations whose datagrams go round in a loop are not told |
//! | `failure::episode::ROUTERS_MAX` | "time exceeded" of further routers about one flow is not kept |
//! | `flow::neighbours::moves::PAIRS_MAX` | further MACs and addresses are not watched for moves, counted as `neighbours-omitted` |
//! | `tcp::trips::SECONDS_MAX` | throughput of a congested connection is not counted any further |
//! | `SUITES_PER_SHARD` | further chosen suites are not remembered |

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
