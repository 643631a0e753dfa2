//! What stays of a flow when its packets are forgotten: made once, of what its shard shares between flows.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::endpoint::Rules;
use crate::engine::chains::Certified;
use crate::engine::crossing::Pass;
use crate::engine::told::Stub;
use crate::failure::episode::Episode;
use crate::failure::fallback::Offer;
use crate::failure::network::path_changed::Hops;
use crate::failure::outcomes::{Minutes, Outcomes, minute_of};
use crate::failure::transport::syn_flood::HalfOpen;
use crate::limits;
use crate::time::MICROSECOND;

/// What the flows of a shard have in common, each kept once.
#[derive(Debug, Default)]
pub(super) struct Shared {
    names: HashSet<Arc<str>>,
    offers: HashSet<Arc<Offer>>,
    certified: Certified,
}

impl Shared {
    /// What stays of a flow, with its attempts in all and by minute, and its times.
    pub(super) fn stub(
        &mut self,
        at: &Episode<'_>,
        counted: (Outcomes, Minutes, [Option<u32>; 3]),
        rules: &Rules,
    ) -> Stub {
        let (outcomes, minutes, latency_ms) = counted;
        let name = at.name().map(|name| intern(&mut self.names, name));
        let certificate = at
            .chain
            .filter(|_| name.is_none() || rules.reads_certificates());
        let certificate = certificate.and_then(|chain| self.certified.name(rules, chain));
        let connection = at.connection;
        let first = connection.span.map_or(at.until, |span| span.0.time);
        let isn = at.client_half().isn;
        Stub {
            client: at.client,
            server: at.server,
            first,
            last: connection.span.map_or(at.until, |span| span.1.time),
            open: false,
            established: connection.established,
            twin: isn.map(|isn| (isn, connection.syn_ts_value.unwrap_or(0))),
            origin: at.origin,
            outcomes,
            minutes: Some(minutes)
                .filter(|all| all.iter().any(|(minute, _)| minute != minute_of(first)))
                .map(Box::new),
            hello: Offer::of(at).and_then(|offer| intern_offer(&mut self.offers, offer)),
            name,
            sni: at.tls.is_some_and(|session| session.sni().is_some()),
            behind: at.behind.map(|meant| meant.place()),
            certificate,
            latency_ms,
            server_rtt_us: connection
                .server_rtt()
                .and_then(|rtt| u32::try_from(rtt / MICROSECOND).ok()),
            half_open: HalfOpen::of(at).map(Box::new),
            hops: Hops::of(at),
            pass: Pass::of(at),
        }
    }
}

/// One copy of a name.
fn intern(names: &mut HashSet<Arc<str>>, name: &str) -> Arc<str> {
    match names.get(name) {
        Some(known) => Arc::clone(known),
        None => {
            let new: Arc<str> = Arc::from(name);
            if names.len() < limits::NAMES_PER_SHARD {
                names.insert(Arc::clone(&new));
            }
            new
        }
    }
}

/// One copy of what TLS clients offer; none where there are too many kinds.
fn intern_offer(offers: &mut HashSet<Arc<Offer>>, offer: Offer) -> Option<Arc<Offer>> {
    if let Some(known) = offers.get(&offer) {
        return Some(Arc::clone(known));
    }
    (offers.len() < limits::OFFERS_PER_SHARD).then(|| {
        let new = Arc::new(offer);
        offers.insert(Arc::clone(&new));
        new
    })
}
