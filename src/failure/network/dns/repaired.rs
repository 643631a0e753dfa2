//! Lookups of AAAA that failed while the name resolved: they are ordinary, and no part of what fails later.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Around, OTHER_FAMILY};
use crate::flow::lookup::{Lookup, Outcome};
use crate::protocol::dns::kind;
use crate::time::{MILLISECOND, Nanos, Timestamp};

/// Both families are asked for at once, or the one right after the other's answer.
const BESIDE: Nanos = 300 * MILLISECOND;

/// From when to when each client asked in vain for an A of each name.
pub(super) struct InVain<'l>(BTreeMap<(IpAddr, &'l str), Vec<(Timestamp, Timestamp)>>);

impl<'l> InVain<'l> {
    /// Among lookups that did not go well.
    pub(super) fn of(lookups: &'l [Lookup]) -> Self {
        let mut asked: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for lookup in lookups.iter().filter(|lookup| lookup.kind == kind::A) {
            let times = asked.entry((lookup.client, lookup.name.as_str()));
            times
                .or_default()
                .push((lookup.first().time, lookup.last()));
        }
        Self(asked)
    }

    /// Is it an AAAA that was answered with a denial or an error beside an A that resolved, and beside none of these?
    pub(super) fn has_nothing_of(&self, lookup: &Lookup, around: &Around<'_>) -> bool {
        if lookup.kind != kind::AAAA || !was_denied(lookup.outcome(around.end)) {
            return false;
        }
        let (first, last) = (lookup.first().time, lookup.last());
        let beside = |(from, to): &(Timestamp, Timestamp)| {
            (from.plus(-BESIDE)..=to.plus(BESIDE)).contains(&first)
        };
        let asked = self.0.get(&(lookup.client, lookup.name.as_str()));
        !asked.is_some_and(|asked| asked.iter().any(beside))
            && around.names.resolved_between(
                lookup.client,
                &lookup.name,
                first.plus(-OTHER_FAMILY),
                last.plus(OTHER_FAMILY),
            )
    }
}

const fn was_denied(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::NoAddress | Outcome::NxDomain | Outcome::ServerFailure(_) | Outcome::Refused
    )
}
