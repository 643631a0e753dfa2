//! What a run over an archive leaves behind, and reports made from that alone.
//!
//! A capture set is analysed by itself, on any machine, and what it yields is named by what it was made of: paths, sizes,
//! times of writing, heads, version, options. Files appear by renaming, the set's manifest last: a set is done or was
//! never begun. Reports are sums over sets (`merge`), so no capture is read for them.
//!
//! ```text
//! OUT/run.json                                    what was asked for, and what could not be read
//! OUT/manifest/3f/s-3f….json                      a set that is done: its files as they were, its outputs
//! OUT/partials/day=2026-11-24/point=gw1/s-3f….json.zst   what reports are made of
//! OUT/partials/day=2026-11-24/point=gw1/s-3f….around.zst the set's surroundings: what incidents over several sets are argued by
//! OUT/findings/day=2026-11-24/point=gw1/s-3f….parquet    the same for incidents, attempts, sets, flows
//! OUT/tmp/                                        what was being written; emptied at the next start
//! ```

mod across;
mod around;
mod manifest;
mod merge;
mod room;
mod shares;
mod store;
mod stored;
#[cfg(feature = "parquet")]
pub mod tables;

pub use manifest::{File, Manifest, Options, Run, Unread, room, set_id};
pub use merge::{Merged, Room, Source};
pub use store::{Place, Store, StoreError, partial, read_run, surroundings};
pub use stored::Partial;

/// This build writes tables.
pub const TABLES_WRITTEN: bool = cfg!(feature = "parquet");
