//! Lookups that went well, in short: what failed is compared with them.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashSet;

use super::Lookup;
use crate::time::{Nanos, Timestamp};

/// Kept at once, about 80 bytes each; the oldest makes room.
const WELL_MAX: usize = 65_536;

/// A name that was resolved as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Well {
    /// Who asked.
    pub client: IpAddr,
    /// Who answered.
    pub resolver: IpAddr,
    /// The name.
    pub name: Arc<str>,
    /// When the answer came.
    pub time: Timestamp,
    /// How long it took from the first query; unknown where the capture holds the answer alone.
    pub took: Option<Nanos>,
}

/// The last of them, in the order in which they were closed.
#[derive(Clone, Debug, Default)]
pub struct AllWell {
    kept: VecDeque<Well>,
    names: HashSet<Arc<str>>,
    /// Those of then and before are not all kept.
    pub from: Option<Timestamp>,
}

impl AllWell {
    /// Those that are kept.
    pub fn iter(&self) -> impl Iterator<Item = &Well> {
        self.kept.iter()
    }

    /// Keeps what is needed of a lookup that went well.
    pub(super) fn keep(&mut self, lookup: &Lookup) {
        let Some(answer) = lookup.answer().filter(|one| !one.addresses.is_empty()) else {
            return;
        };
        if self.kept.len() >= WELL_MAX
            && let Some(oldest) = self.kept.pop_front()
        {
            self.from = self.from.max(Some(oldest.time));
        }
        let known = self.names.get(lookup.name.as_str()).cloned();
        let name = known.unwrap_or_else(|| Arc::from(lookup.name.as_str()));
        if self.names.len() < WELL_MAX {
            self.names.insert(Arc::clone(&name));
        }
        self.kept.push_back(Well {
            client: lookup.client,
            resolver: answer.resolver,
            name,
            time: answer.at.time,
            took: lookup
                .queries
                .first()
                .map(|query| answer.at.time.since(query.at.time)),
        });
    }

    /// Forgets those whose answer came before `time`.
    pub(super) fn forget_before(&mut self, time: Timestamp) {
        self.kept.retain(|one| one.time >= time);
        self.names.retain(|name| Arc::strong_count(name) > 1);
        self.from = self.from.filter(|from| *from >= time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::lookup::Reply;
    use crate::mark::Mark;
    use crate::protocol::dns::{kind, rcode};

    fn answered(at: i64) -> Lookup {
        let (time, address) = (Timestamp::from_ns(at), IpAddr::from([192, 0, 2, 1]));
        let mark = Mark {
            time,
            ..Mark::default()
        };
        Lookup {
            client: address,
            name: "fp.example".to_owned(),
            kind: kind::A,
            recursive: true,
            queries: Vec::new(),
            queries_omitted: 0,
            last_query: time,
            replies: vec![Reply {
                at: mark,
                resolver: address,
                resolver_port: 53,
                id: 1,
                tcp: false,
                ttl: None,
                rcode: rcode::NOERROR,
                flags: 0x8180,
                truncated: false,
                addresses: vec![address],
                alias: None,
                soa: false,
            }],
            evicted: false,
        }
    }

    #[test]
    fn the_oldest_makes_room_and_its_time_is_known() {
        let mut well = AllWell::default();
        let mut lookup = answered(0);
        for at in 0..=i64::try_from(WELL_MAX).unwrap_or(0) {
            lookup
                .replies
                .iter_mut()
                .for_each(|reply| reply.at.time = Timestamp::from_ns(at));
            well.keep(&lookup);
        }
        assert_eq!(well.iter().count(), WELL_MAX);
        assert_eq!(well.from, Some(Timestamp::from_ns(0)));
        well.forget_before(Timestamp::from_ns(i64::MAX));
        assert_eq!((well.iter().count(), well.from), (0, None));
    }
}
