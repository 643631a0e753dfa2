//! What those who watch a run ask for and no report says: until when certificates are valid, how long lookups take.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::engine::balance::id_of;
use crate::engine::diagnosis::{Aside, Histogram};
use crate::engine::endpoints::Endpoints;
use crate::failure::security::Shown;
use crate::flow::lookup::{Lookups, Well};
use crate::time::{MILLISECOND, Timestamp};

/// What is known beside the report.
pub(super) fn of(certificates: BTreeMap<String, Timestamp>, lookups: &Lookups) -> Aside {
    Aside {
        certificates,
        resolvers: resolvers(lookups.well.iter()),
    }
}

/// When the first of the leaves that each endpoint showed expires. A chain shown through a proxy stands by the proxy's
/// port, where no endpoint may be.
pub(super) fn certificates<'s>(
    shown: impl Iterator<Item = &'s Shown>,
    endpoints: &Endpoints<'_>,
) -> BTreeMap<String, Timestamp> {
    let mut all: BTreeMap<String, Timestamp> = BTreeMap::new();
    for one in shown {
        let (_, server, name, _) = &one.key;
        let name = Some(name.as_str()).filter(|name| !name.is_empty());
        let rule = endpoints.rule(name, *server);
        let id = id_of(rule.filter(|rule| rule.takes_id), name, *server);
        all.entry(id)
            .and_modify(|first| *first = one.leaf.not_after.min(*first))
            .or_insert(one.leaf.not_after);
    }
    all
}

/// How long the lookups that are kept took, by resolver.
fn resolvers<'w>(well: impl Iterator<Item = &'w Well>) -> BTreeMap<IpAddr, Histogram> {
    let mut all: BTreeMap<IpAddr, Histogram> = BTreeMap::new();
    for one in well {
        if let Some(took) = one.took {
            let ms = u32::try_from((took.max(0) + MILLISECOND - 1) / MILLISECOND);
            let times = all.entry(one.resolver).or_default();
            times.add(ms.unwrap_or(u32::MAX));
        }
    }
    all
}
