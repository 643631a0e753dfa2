//! Who has series of his own: endpoints, resolvers and codes as they come, until the places are taken; the rest are
//! added up as `other`.
//!
//! A place once given is kept for the run, since a counter must not vanish; and who was added up with others stays with
//! them, since nothing may be counted twice. Half of the endpoints' places are for those that a rule speaks of, so that
//! a scan cannot take them.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::limits::ENDPOINTS_MEASURED;

/// What everything without a place is called.
pub(super) const OTHER: &str = "other";

/// Places of endpoints.
#[derive(Debug)]
pub(super) struct Places {
    names: Vec<String>,
    by_name: HashMap<String, usize>,
    ruled: usize,
    /// Further endpoints at the last look.
    pub(super) folded: u64,
}

/// The place of all others.
pub(super) const SHARED: usize = 0;

impl Places {
    pub(super) fn new() -> Self {
        Self {
            names: vec![OTHER.to_owned()],
            by_name: HashMap::new(),
            ruled: 0,
            folded: 0,
        }
    }

    /// The place of an endpoint, given now if there is one left.
    pub(super) fn give(&mut self, name: &str, ruled: bool) -> usize {
        if let Some(place) = self.by_name.get(name) {
            return *place;
        }
        let half = ENDPOINTS_MEASURED / 2;
        let given = self.names.len() - 1;
        let free = if ruled {
            given < ENDPOINTS_MEASURED
        } else {
            given - self.ruled < half
        };
        if !free {
            self.folded += 1;
            return SHARED;
        }
        self.ruled += usize::from(ruled);
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), given + 1);
        given + 1
    }

    /// The place of an endpoint, if it has one of its own.
    pub(super) fn of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Name by place.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}

/// The series of `name`, where `most` have one of their own; `told` have one already, `fresh` shall have.
pub(super) fn own<T>(
    told: &BTreeMap<String, T>,
    fresh: &BTreeMap<String, T>,
    name: &str,
    most: usize,
) -> String {
    let taken = || {
        let fresh = fresh.keys().filter(|name| !told.contains_key(*name));
        told.len() + fresh.count()
    };
    if told.contains_key(name) || fresh.contains_key(name) || taken() < most {
        name.to_owned()
    } else {
        OTHER.to_owned()
    }
}
