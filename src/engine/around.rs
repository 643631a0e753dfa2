//! What went on around the findings of a run: for its incidents, and for those that run over several runs.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::engine::endpoints::Endpoints;
use crate::engine::told::Stub;
use crate::flow::heard::Heard;
use crate::flow::lookup::{Lookup, Lookups};
use crate::incident::{Answered, Seen, Surroundings, Tried};
use crate::time::Timestamp;

/// The connections of a run, as incidents see them.
pub(super) fn seen(stubs: &[Box<Stub>], endpoints: &Endpoints<'_>) -> Vec<Seen> {
    stubs.iter().map(|stub| one(stub, endpoints)).collect()
}

fn one(stub: &Stub, endpoints: &Endpoints<'_>) -> Seen {
    Seen {
        client: stub.client.0,
        server: stub.to.server,
        time: stub.first,
        last: stub.last,
        established: stub.established.map(|at| at.time),
        outcomes: stub.outcomes,
        name: stub
            .to
            .name
            .clone()
            .or_else(|| endpoints.name_of(stub).map(Arc::from)),
        latency_ms: stub.times.ms(),
        server_rtt_us: stub.server_rtt_us.map(NonZeroU32::get),
        server_hops: stub.hops.as_ref().map(|hops| hops.first),
    }
}

/// All of it, for whoever keeps it beyond the run.
pub(super) fn surroundings(
    stubs: &[Box<Stub>],
    endpoints: &Endpoints<'_>,
    (answered, answered_from): (Vec<Answered>, Option<Timestamp>),
    heard: Heard,
) -> Surroundings {
    let tried = stubs.iter().map(|stub| Tried {
        port: stub.client.1,
        syn: stub.twin,
        seen: one(stub, endpoints),
    });
    Surroundings {
        tried: tried.collect(),
        answered,
        answered_from,
        heard,
    }
}

/// Names that were resolved: those that had trouble, and those that had none.
pub(super) fn answered(lookups: &[Lookup], table: &Lookups) -> Vec<Answered> {
    let troubled = lookups.iter().filter_map(|lookup| {
        let answer = lookup
            .answer()
            .filter(|answer| !answer.addresses.is_empty())?;
        Some(Answered {
            client: lookup.client,
            resolver: answer.resolver,
            name: Arc::from(lookup.name.as_str()),
            time: answer.at.time,
        })
    });
    let well = table.well.iter().map(|one| Answered {
        client: one.client,
        resolver: one.resolver,
        name: Arc::clone(&one.name),
        time: one.time,
    });
    troubled.chain(well).collect()
}
