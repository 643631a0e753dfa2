//! Lookups that are seen on both sides of an address translation (catalogue, rule 6): one lookup, the client's.
//!
//! A router that translates keeps the message as it is and takes one off the TTL. What another client asks the same
//! resolver within a second, with the same identifier, for the same name, from one hop further on, is the same question.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::Lookup;
use crate::time::SECOND;

/// Of lookups in order of time, those that are no further sight of an earlier one.
pub fn once(lookups: Vec<Lookup>) -> Vec<Lookup> {
    let mut asked: HashMap<(IpAddr, u16, u16, String), Vec<usize>> = HashMap::new();
    let further: Vec<bool> = lookups
        .iter()
        .enumerate()
        .map(|(place, lookup)| {
            let Some(query) = lookup.queries.first().filter(|query| !query.tcp) else {
                return false;
            };
            let name = lookup.name.to_ascii_lowercase();
            let key = (query.resolver, query.id, lookup.kind, name);
            let alike = asked.entry(key).or_default();
            let earlier = || alike.iter().filter_map(|place| lookups.get(*place));
            let further = earlier().any(|near| {
                let first = near.queries.first();
                near.client != lookup.client
                    && first.is_some_and(|first| {
                        first.ttl > query.ttl && query.at.time.since(first.at.time) <= SECOND
                    })
            });
            alike.push(place);
            further
        })
        .collect();
    lookups
        .into_iter()
        .zip(further)
        .filter(|(_, further)| !further)
        .map(|(lookup, _)| lookup)
        .collect()
}
