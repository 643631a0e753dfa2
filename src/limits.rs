//! Every bound of the engine, its reason, and what happens there.
//!
//! | limit | at the limit |
//! | --- | --- |
//! | `FLOWS_PER_SHARD` | the flow that was to be looked at next is judged and forgotten, counted as `evicted` |
//! | `STUBS_PER_SHARD` | the older half of the ended connections is added up by client and server, counted as `connections-summed` |
//! | `FINDINGS_PER_SHARD` | the same of findings, counted as `findings-summed` |
//! | `PAIRS_PER_SHARD` | further pairs of hosts are not noted, counted as `pairs-not-noted`; from then on no silence of a host or of a way out is told |
//! | `TARGETS_PER_SHARD` | the server and name that a flow meant are kept with the flow alone |
//! | `cli::live::evidence` (window, memory, budget of the options) | the oldest packets leave the memory, the oldest files the folder, which is said |
//! | `tcp::stream::OUT_OF_ORDER_MAX` | the hole before the waiting bytes is given up as a gap |
//! | `tcp::stream::WAITING_MAX` | the observer is not fed any more in that direction |
//! | `tcp::resent::RESENT_MAX` | the oldest retransmission can no longer be taken back |
//! | `flow::circling::DESTINATIONS_MAX` | further destinations whose datagrams go round in a loop are not told |
//! | `failure::episode::ADVERSE_MAX` | of further failed or slow exchanges of a connection the outcome alone is counted: `exchanges-not-told` |
//! | `failure::episode::ROUTERS_MAX` | "time exceeded" of further routers about one flow is not kept |
//! | `flow::neighbours::moves::PAIRS_MAX` | further MACs and addresses are not watched for moves, counted as `neighbours-omitted` |
//! | `flow::neighbours::storm::LINKS_MAX` | further interfaces and VLANs are not watched for storms, counted as `neighbours-omitted` |
//! | `flow::neighbours::vlans::HOSTS_MAX`, `TALKS_MAX`, `ASKED_MAX` | further hosts and pairs are not watched for their VLAN, counted as `neighbours-omitted` |
//! | `flow::tunnels::asks::OPEN_MAX`, `ENDED_MAX`, `LIVES_MAX`; `ike::ASSOCIATIONS_MAX`; `esp::PAIRS_MAX`, `SILENCES_MAX`; `REFUSALS_MAX` | further questions, attempts and pairs of a VPN are not judged, counted as `tunnels-omitted` |
//! | `flow::leases::CLIENTS_MAX`, `NAKS_MAX` | further clients of DHCP are not judged, counted as `leases-omitted` |
//! | `flow::dialup::DIALS_MAX`, `FAILURES_MAX` | further hosts that dial are not judged, counted as `dialups-omitted` |
//! | `flow::checksums::HOSTS_MAX` | further hosts with wrong checksums are not judged, counted as `checksums-omitted` |
//! | `flow::quic::OPEN_MAX`, `ENDED_MAX` | further connections by QUIC are not followed, counted as `quic-omitted` |
//! | `tcp::trips::SECONDS_MAX` | throughput of a congested connection is not counted any further |
//! | `SUITES_PER_SHARD` | further chosen suites are not remembered |
//! | `OFFERS_PER_SHARD` | further kinds of ClientHello are not compared for a fallback: each failure is an attempt |
//! | `UNNAMED_PER_SHARD` | the leaf is not held against the name that a DNS answer gave: `names-unchecked` |
//! | `CHAINS_PER_SHARD` | further pairs of client and chain are not compared, counted as `chains-not-compared` |
//! | `CERTIFIED_PER_SHARD` | the leaf met first is looked up in the rules again |
//! | `WAITS_PER_SHARD` | further handshakes that waited are not looked at for revocation |
//! | `SAMPLE_BYTES` | fields that begin later in a body are not read |
//! | `BODY_BYTES` | a longer body is not judged, counted as `bodies-not-read` |
//! | `DECODED_BYTES` | what a coding holds beyond is not judged |
//! | `FIELDS_MAX` | a body of more fields is not read by the endpoint rules |
//! | `INNER_MAX` | messages wrapped deeper are not read |
//! | `VERSIONS_MAX` | further versions in a body are not compared |
//! | `TRACES_PER_FLOW`, `TRACES_PER_SHARD` | the oldest exchange is not compared with others any more, counted as `exchanges-not-compared` |
//! | `flow::lookup::well::WELL_MAX` | the oldest lookup that went well is forgotten; that a resolver answered nobody is not said of its time |
//! | `MINUTES_PER_FLOW` | further attempts of a connection count in the minute that was added last |
//! | `CLIENTS_COUNTED` | of further clients of an endpoint each connection is counted: `clients_omitted` |
//! | `CLIENTS_LISTED` | further clients of an endpoint are counted: `clients_omitted` |
//! | `SPANS_LISTED` | minutes are put together by twos, fours, ... until they fit |
//! | `ingest::writer::WAITING_MAX` | a frame stamped further back is written where it comes |
//! | `PIECES_WAITING_MAX` | `extract --flow` leaves out the fragments that came first of a packet joined much later |
//! | `archive::merge::Room` | findings of further sets are added up by client and server, counted as `findings-summed` |
//! | `AROUND_MAX` | incidents of several sets with more connections around them stay as each set tells them, counted as `incidents-not-compared` |
//! | `WORDS_MAX` | a partial that holds further words is none of ours and is not merged |
//! | `KEYS_MAX` | further secrets of a key log are not kept, and a sentence says so |
//! | `tls::inside::lane`: `FAILURES_MAX`, `AHEAD_MAX`, `TRIALS_MAX` | a direction of TLS whose records do not open is given up: `tls-lost-track` |
//! | `SCREEN_ROWS` | further endpoints, and closed incidents that ended earlier, are not on the screen of `--tui`, which says how many |
//! | `LADDER_HEAD`, `LADDER_TAIL` | of a flow that `show` draws, the lines between are forgotten but for the evidence |
//! | `ENDPOINTS_MEASURED`, `FINDINGS_MEASURED`, `RESOLVERS_MEASURED`, `INTERFACES_MEASURED`, `REASONS_MEASURED` | `/metrics` counts further ones as `other`: below `SERIES_MAX` series whatever the traffic |
//! | `HTTP_CONNECTIONS` | of the connections to `--listen` the oldest is cut |
//! | `HTTP_HEAD_BYTES` | a longer request is refused with 431 |
//! | `--webhook-queue-max` | the oldest eighth of the events that wait is dropped and counted |
//! | `tell::syslog`: `LINES_A_SECOND` | further lines of a second are counted and said with the next one |
//! | `ZABBIX_ENDPOINTS` | the figures of further endpoints, those with the fewest attempts, are not sent |
//! | `ZABBIX_WAITING` | the oldest figures that wait for the server are dropped and counted |
//! | `WEBHOOK_LISTED` | a message names no further findings and endpoints of an incident: `findings_omitted`, `endpoints_omitted` |

use crate::flow::key::SHARDS;

/// Secrets kept of a key log and of secrets blocks: 66 bytes each and their place; five a session of TLS 1.3.
pub const KEYS_MAX: usize = 1 << 22;
/// Conversations remembered at once, over all shards: about 3 KiB each while they live.
pub const FLOWS_MAX: usize = 1 << 20;
/// What a conversation may take while it lives, with its readers: `--memory` is divided by it.
pub const FLOW_BYTES: u64 = 8 << 10;
/// Connections that ended, of which one shard tells one by one.
pub const STUBS_PER_SHARD: usize = 1 << 16;
/// What one of them takes: 232 bytes, their place, and what few of them hold besides.
pub const STUB_BYTES: u64 = 320;
/// Findings of connections that one shard tells one by one.
pub const FINDINGS_PER_SHARD: usize = 1 << 14;
/// What one of them takes.
pub const FINDING_BYTES: u64 = 1 << 10;
/// Pairs of receiver and sender of which one shard remembers when they were heard.
pub const PAIRS_PER_SHARD: usize = 1 << 14;
/// What one of them takes.
pub const PAIR_BYTES: u64 = 128;
/// What a lookup takes while it is followed, and two that failed with it.
pub const LOOKUP_BYTES: u64 = 4 << 10;
/// What a pair of client and name takes, with its addresses, in both generations.
pub const NAME_BYTES: u64 = 1 << 10;
/// What a run takes before its first conversation: trust anchors, read blocks, tables of fixed size.
pub const BASE_BYTES: u64 = 64 << 20;
/// The least that `--memory` may be.
pub const MEMORY_MIN: u64 = 96 << 20;
/// A shard's share of them.
pub const FLOWS_PER_SHARD: usize = FLOWS_MAX / SHARDS;
/// Servers, with the names asked for there, that flows of one shard share; further ones are kept flow by flow.
pub const TARGETS_PER_SHARD: usize = 16_384;
/// Pairs of server and chosen cipher suite remembered by one shard.
pub const SUITES_PER_SHARD: usize = 4_096;
/// Kinds of ClientHello, by versions and suites, remembered by one shard: up to 600 bytes each, mostly 100.
pub const OFFERS_PER_SHARD: usize = 1_024;
/// Handshakes without a name kept by one shard until the capture's names are known; about 1 KiB each. Those that went
/// well count once for each client, server and chain.
pub const UNNAMED_PER_SHARD: usize = 512;
/// First bytes of a request's body that are read for a version and a serial number.
pub const SAMPLE_BYTES: usize = 4 << 10;
/// Bytes kept of a JSON or XML body until it ends.
pub const BODY_BYTES: usize = 256 << 10;
/// Bytes that such a body may have without its coding.
pub const DECODED_BYTES: usize = 4 << 20;
/// Fields of a body that is read by endpoint rules.
pub const FIELDS_MAX: usize = 8_192;
/// Messages within messages that are read.
pub const INNER_MAX: usize = 3;
/// Versions kept of a body.
pub const VERSIONS_MAX: usize = 16;
/// Exchanges of one connection kept for comparison with others: about 400 bytes each.
pub const TRACES_PER_FLOW: usize = 256;
/// The same of one shard.
pub const TRACES_PER_SHARD: usize = 1_024;
/// Minutes by which the attempts of one connection are counted: 24 bytes each.
pub const MINUTES_PER_FLOW: usize = 1_440;
/// Clients whose attempts at one endpoint are summed up while the report is made: about 50 bytes each.
pub const CLIENTS_COUNTED: usize = 65_536;
/// Clients listed of one endpoint with their attempts; those with the most failures.
pub const CLIENTS_LISTED: usize = 100;
/// Spans of time listed of one endpoint with their attempts: a day of minutes.
pub const SPANS_LISTED: usize = 1_440;
/// Pairs of client and presented chain remembered by one shard: about 500 bytes each.
pub const CHAINS_PER_SHARD: usize = 1_024;
/// Kinds of words (roles, keys, reasons, codes) that merged partials may hold; the code has a few hundred.
pub const WORDS_MAX: usize = 16_384;
/// Connections, names and pairs of hosts held at once while incidents are told over several sets: about 256 bytes each.
pub const AROUND_MAX: usize = 1 << 21;
/// What one of them takes.
pub const AROUND_BYTES: u64 = 256;
/// Connections of a set that its network is recognised by.
pub const CONNECTIONS_MET: usize = 1_024;
/// Leaves whose names were looked up in the endpoint rules, remembered by one shard.
pub const CERTIFIED_PER_SHARD: usize = 16;
/// Handshakes that waited, or failed after the certificates, remembered by one shard.
pub const WAITS_PER_SHARD: usize = 512;

/// Fragments kept by `extract --flow` until their packet is joined: up to 64 KiB each, mostly 1,500 bytes.
pub const PIECES_WAITING_MAX: usize = 1_024;

/// First lines kept of a flow that is drawn without `--all`.
pub const LADDER_HEAD: usize = 50;
/// Last lines of it.
pub const LADDER_TAIL: usize = 50;

/// Endpoints, and incidents, that the screen of `--tui` holds.
pub const SCREEN_ROWS: usize = 200;
/// Sentences that it remembers.
pub const SCREEN_SAID: usize = 8;

/// Series of `/metrics`, of all families together.
pub const SERIES_MAX: usize = 2_000;
/// Endpoints with series of their own, 41 each; half of them for those that no rule speaks of.
pub const ENDPOINTS_MEASURED: usize = 30;
/// Pairs of endpoint and code with a series of their own.
pub const FINDINGS_MEASURED: usize = 350;
/// Resolvers with series of their own, 12 each.
pub const RESOLVERS_MEASURED: usize = 8;
/// Interfaces with series of their own, 2 each.
pub const INTERFACES_MEASURED: usize = 16;
/// Reasons for what was not judged with a series of their own.
pub const REASONS_MEASURED: usize = 64;
/// Connections that the server of `--listen` answers at once.
pub const HTTP_CONNECTIONS: usize = 32;
/// Bytes of a request to it.
pub const HTTP_HEAD_BYTES: usize = 8 << 10;
/// Findings, and endpoints, that a message about an incident names.
pub const WEBHOOK_LISTED: usize = 100;
/// Endpoints whose figures a Zabbix server gets.
pub const ZABBIX_ENDPOINTS: usize = 100;
/// Times whose figures wait for it.
pub const ZABBIX_WAITING: usize = 120;
