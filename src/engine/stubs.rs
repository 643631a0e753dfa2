//! What stays of a flow when its packets are forgotten: made once, of what its shard shares between flows.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use hashbrown::{Equivalent, HashSet};

use crate::endpoint::Rules;
use crate::engine::chains::Certified;
use crate::engine::crossing::Pass;
use crate::engine::told::{Rare, Stub, Target, Times};
use crate::failure::Behind;
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
    targets: HashSet<Arc<Target>>,
    offers: HashSet<Arc<Offer>>,
    certified: Certified,
}

/// A target as a flow shows it: finds what is kept by owned names. Hashes as `Target` does.
#[derive(Hash)]
struct Meant<'a> {
    server: (IpAddr, u16),
    name: Option<&'a str>,
    sni: bool,
    behind: Option<Behind>,
    certificate: Option<&'a str>,
}

impl Equivalent<Arc<Target>> for Meant<'_> {
    fn equivalent(&self, known: &Arc<Target>) -> bool {
        self.server == known.server
            && self.name == known.name.as_deref()
            && self.sni == known.sni
            && self.behind == known.behind
            && self.certificate == known.certificate.as_deref()
    }
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
        let name = at.name();
        let certificate = at
            .chain
            .filter(|_| name.is_none() || rules.reads_certificates());
        let certificate = certificate.and_then(|chain| self.certified.name(rules, chain));
        let to = self.target(&Meant {
            server: at.server,
            name,
            sni: at.tls.is_some_and(|session| session.sni().is_some()),
            behind: at.behind.map(|meant| meant.place()),
            certificate: certificate.as_deref(),
        });
        let connection = at.connection;
        let first = connection.span.map_or(at.until, |span| span.0.time);
        let isn = at.client_half().isn;
        let rare = Rare {
            minutes: Some(minutes)
                .filter(|all| all.iter().any(|(minute, _)| minute != minute_of(first))),
            half_open: HalfOpen::of(at),
        };
        Stub {
            client: at.client,
            to,
            first,
            last: connection.span.map_or(at.until, |span| span.1.time),
            open: false,
            established: connection.established,
            twin: isn.map(|isn| (isn, connection.syn_ts_value.unwrap_or(0))),
            origin: at.origin,
            outcomes,
            hello: Offer::of(at).and_then(|offer| intern_offer(&mut self.offers, offer)),
            times: Times::new(latency_ms),
            server_rtt_us: connection
                .server_rtt()
                .and_then(|rtt| NonZeroU32::new(u32::try_from(rtt / MICROSECOND).ok()?.max(1))),
            rare: (rare.minutes.is_some() || rare.half_open.is_some()).then(|| Box::new(rare)),
            hops: Hops::of(at),
            pass: Pass::of(at),
        }
    }

    /// The one copy of a target; one of its own where there are too many.
    fn target(&mut self, meant: &Meant<'_>) -> Arc<Target> {
        if let Some(known) = self.targets.get(meant) {
            return Arc::clone(known);
        }
        let new = Arc::new(Target {
            server: meant.server,
            name: meant.name.map(Arc::from),
            sni: meant.sni,
            behind: meant.behind,
            certificate: meant.certificate.map(Arc::from),
        });
        if self.targets.len() < limits::TARGETS_PER_SHARD {
            self.targets.insert(Arc::clone(&new));
        }
        new
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
