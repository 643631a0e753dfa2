//! Which name a client meant by an address, learned from the DNS answers it got.
//!
//! Keeps, for each client and name, when it resolved, by whom and to which addresses. Bounded: after
//! `GENERATION_MAX` pairs of client and name, or `POINTERS` times as many addresses, a new generation begins and the one before
//! the last is forgotten, so the newest are always there. What is kept depends on the order of the answers alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hashbrown::HashMap;

use crate::mark::Mark;
use crate::protocol::dns::{Message, kind, rcode};
use crate::time::{Nanos, SECOND, Timestamp};

/// Pairs of client and name in one of the two generations; about 0.5 KiB each.
const GENERATION_MAX: usize = 65_536;
/// Entries by address in one generation.
const POINTERS: usize = 4;
/// Addresses kept of one name and client, and names of one address: the newest.
const KEPT_MAX: usize = 16;
/// Times kept of one name and client: the newest.
const TIMES_MAX: usize = 32;
/// An answer may stand this much behind the packet that used it, as captures reorder.
const REORDER: Nanos = 50_000_000;

/// What became of one client's lookups of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The first answer with an address in this generation.
    pub first: Mark,
    /// The last.
    pub last: Mark,
    /// Who gave the last.
    pub resolver: IpAddr,
    /// Addresses, the newest last.
    pub addresses: Vec<IpAddr>,
    /// The first answer that held nothing but addresses that no public server has.
    pub unroutable: Option<Unroutable>,
    times: Vec<Timestamp>,
}

/// An answer whose addresses lead nowhere in public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unroutable {
    /// Its frame.
    pub at: Mark,
    /// Who gave it, or is named as the sender.
    pub resolver: IpAddr,
    /// Its first address.
    pub address: IpAddr,
}

/// Loopback, unspecified, private and link-local addresses (RFC 6890), and those of benchmarks (198.18/15) that local
/// proxies make up.
pub fn is_unroutable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let benchmark = ip.octets()[0] == 198 && ip.octets()[1] & 0xfe == 18;
            ip.is_loopback()
                || ip.octets()[0] == 0
                || ip.is_private()
                || ip.is_link_local()
                || benchmark
        }
        IpAddr::V6(ip) => {
            let head = ip.segments()[0];
            ip.is_loopback()
                || ip.is_unspecified()
                || head & 0xfe00 == 0xfc00
                || head & 0xffc0 == 0xfe80
        }
    }
}

/// When and to whom a name resolved, over all clients.
#[derive(Clone, Debug)]
struct Spread {
    first: Timestamp,
    last: Timestamp,
    client: IpAddr,
    other_client: bool,
}

/// A name that an address was given for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pointer {
    time: Timestamp,
    name: Box<str>,
}

#[derive(Clone, Debug, Default)]
struct Generation {
    by_client: BTreeMap<(IpAddr, Box<str>), Resolved>,
    by_name: HashMap<Box<str>, Spread>,
    by_use: HashMap<(IpAddr, IpAddr), Vec<Pointer>>,
    by_address: HashMap<IpAddr, Vec<Pointer>>,
}

/// Names by client and address.
#[derive(Clone, Debug)]
pub struct Names {
    recent: Generation,
    older: Generation,
    generation_max: usize,
    /// Pairs of client and name that were forgotten.
    pub forgotten: u64,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            recent: Generation::default(),
            older: Generation::default(),
            generation_max: GENERATION_MAX,
            forgotten: 0,
        }
    }
}

impl Names {
    /// Remembers at most twice so many pairs of client and name.
    pub fn remember_at_most(&mut self, pairs: usize) {
        self.generation_max = pairs.clamp(1, GENERATION_MAX);
    }

    /// Takes an answer that `client` got from `resolver`; anything without an address is passed over.
    pub fn learn(&mut self, client: IpAddr, resolver: IpAddr, message: &Message, at: Mark) {
        let Some(question) = &message.question else {
            return;
        };
        let asked = matches!(question.kind, kind::A | kind::AAAA);
        if !message.response
            || message.rcode != rcode::NOERROR
            || !asked
            || message.addresses.is_empty()
        {
            return;
        }
        let full = self.recent.by_client.len() >= self.generation_max
            || self.recent.by_use.len() >= POINTERS * self.generation_max;
        if full {
            self.older = std::mem::take(&mut self.recent);
            self.forgotten = self
                .forgotten
                .saturating_add(self.older.by_client.len() as u64);
        }
        let addresses = message.addresses.iter().map(|address| address.ip);
        self.recent.learn(
            (client, resolver),
            question.name.as_str().into(),
            addresses,
            at,
        );
    }

    /// The name that `client` most probably meant by `address` at `time`: the one it resolved last before, else the
    /// one it resolved first after, else the same of any client (a stub resolver asks in its own name).
    pub fn best(&self, client: IpAddr, address: IpAddr, time: Timestamp) -> Option<&str> {
        let own = self.both().flat_map(|generation| {
            generation
                .by_use
                .get(&(client, address))
                .into_iter()
                .flatten()
        });
        let any = self.pointers(address);
        nearest(own, time).or_else(|| nearest(any, time))
    }

    /// The names that `client` resolved to `address` up to `time`, the last one first: those it may have meant.
    pub fn meant(&self, client: IpAddr, address: IpAddr, time: Timestamp) -> Vec<&str> {
        let until = time.plus(REORDER);
        let own = self
            .both()
            .filter_map(|generation| generation.by_use.get(&(client, address)));
        let mut pointers: Vec<&Pointer> = own.flatten().collect();
        pointers.retain(|pointer| pointer.time <= until);
        pointers.sort_unstable_by_key(|pointer| (std::cmp::Reverse(pointer.time), &pointer.name));
        let mut names: Vec<&str> = Vec::with_capacity(pointers.len());
        for pointer in pointers {
            if !names.contains(&&*pointer.name) {
                names.push(&pointer.name);
            }
        }
        names
    }

    /// The names that were given `address`, sorted.
    pub fn names_of(&self, address: IpAddr) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .pointers(address)
            .map(|pointer| &*pointer.name)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The other addresses of the name that `client` meant by `address` at `time`, sorted: where a client goes next.
    pub fn siblings(&self, client: IpAddr, address: IpAddr, time: Timestamp) -> Vec<IpAddr> {
        let Some(name) = self.best(client, address, time) else {
            return Vec::new();
        };
        let mut addresses: Vec<IpAddr> = self
            .resolved(client, name)
            .flat_map(|resolved| resolved.addresses.iter().copied())
            .filter(|&other| other != address)
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// What is known of one client's lookups of one name: the newer entry first.
    pub fn resolved(&self, client: IpAddr, name: &str) -> impl Iterator<Item = &Resolved> {
        let key: (IpAddr, Box<str>) = (client, name.into());
        self.both()
            .filter_map(move |generation| generation.by_client.get(&key))
    }

    /// Clients that got nothing but unroutable addresses for a name, by client and name; names that anybody got a public
    /// address of the same family for, with one of those.
    pub fn unroutable(&self) -> Vec<(IpAddr, &str, Unroutable, IpAddr)> {
        let entries = || self.both().flat_map(|generation| &generation.by_client);
        let odd: Vec<_> = entries()
            .filter_map(|((client, name), resolved)| Some((*client, &**name, resolved.unroutable?)))
            .collect();
        let wanted: BTreeSet<&str> = odd.iter().map(|(_, name, _)| *name).collect();
        let mut public: BTreeMap<(&str, bool), IpAddr> = BTreeMap::new();
        for ((_, name), resolved) in entries().filter(|((_, name), _)| wanted.contains(&**name)) {
            for address in resolved.addresses.iter().filter(|ip| !is_unroutable(**ip)) {
                public.entry((name, address.is_ipv4())).or_insert(*address);
            }
        }
        odd.into_iter()
            .filter_map(|(client, name, answer)| {
                let other = public.get(&(name, answer.address.is_ipv4()))?;
                Some((client, name, answer, *other))
            })
            .collect()
    }

    /// Did the name resolve for `client` between the two times, both included?
    pub fn resolved_between(
        &self,
        client: IpAddr,
        name: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> bool {
        self.resolved(client, name)
            .any(|resolved| resolved.between(from, to))
    }

    /// Did the name resolve for another client, or at a time outside `from` to `to`?
    pub fn resolved_elsewhere(
        &self,
        client: IpAddr,
        name: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> bool {
        self.both()
            .filter_map(|generation| generation.by_name.get(name))
            .any(|spread| {
                spread.other_client
                    || spread.client != client
                    || spread.first < from
                    || spread.last > to
            })
    }

    /// Did `client` resolve the name with labels added to, or taken from, its end between the two times? Then the
    /// name was one form of a search list, and another was meant.
    pub fn other_form_between(
        &self,
        client: IpAddr,
        name: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> bool {
        let shorter = name
            .rmatch_indices('.')
            .filter_map(|(at, _)| name.get(..at));
        if shorter
            .into_iter()
            .any(|shorter| self.resolved_between(client, shorter, from, to))
        {
            return true;
        }
        let stem = format!("{name}.");
        let start: (IpAddr, Box<str>) = (client, stem.as_str().into());
        self.both().any(|generation| {
            generation
                .by_client
                .range(start.clone()..)
                .take_while(|((owner, longer), _)| *owner == client && longer.starts_with(&stem))
                .any(|(_, resolved)| resolved.between(from, to))
        })
    }

    fn both(&self) -> impl Iterator<Item = &Generation> {
        [&self.recent, &self.older].into_iter()
    }

    fn pointers(&self, address: IpAddr) -> impl Iterator<Item = &Pointer> {
        self.both()
            .flat_map(move |generation| generation.by_address.get(&address).into_iter().flatten())
    }
}

impl Generation {
    fn learn(
        &mut self,
        who: (IpAddr, IpAddr),
        name: Box<str>,
        addresses: impl Iterator<Item = IpAddr>,
        at: Mark,
    ) {
        let (client, resolver) = who;
        let resolved = self
            .by_client
            .entry((client, name.clone()))
            .or_insert_with(|| Resolved {
                first: at,
                last: at,
                resolver,
                addresses: Vec::new(),
                unroutable: None,
                times: Vec::new(),
            });
        resolved.last = at;
        resolved.resolver = resolver;
        keep_newest(&mut resolved.times, at.time, TIMES_MAX);
        let addresses: Vec<IpAddr> = addresses.take(KEPT_MAX).collect();
        if let Some(&address) = addresses.first()
            && resolved.unroutable.is_none()
            && addresses.iter().all(|address| is_unroutable(*address))
        {
            resolved.unroutable = Some(Unroutable {
                at,
                resolver,
                address,
            });
        }
        for address in addresses {
            resolved.addresses.retain(|known| *known != address);
            keep_newest(&mut resolved.addresses, address, KEPT_MAX);
            let pointer = Pointer {
                time: at.time,
                name: name.clone(),
            };
            keep_newest(
                self.by_use.entry((client, address)).or_default(),
                pointer.clone(),
                KEPT_MAX,
            );
            keep_newest(
                self.by_address.entry(address).or_default(),
                pointer,
                KEPT_MAX,
            );
        }
        let spread = self.by_name.entry(name).or_insert(Spread {
            first: at.time,
            last: at.time,
            client,
            other_client: false,
        });
        spread.last = spread.last.max(at.time);
        spread.first = spread.first.min(at.time);
        spread.other_client |= spread.client != client;
    }
}

impl Resolved {
    fn between(&self, from: Timestamp, to: Timestamp) -> bool {
        self.times
            .iter()
            .chain([&self.first.time, &self.last.time])
            .any(|time| (from..=to).contains(time))
    }
}

fn nearest<'a>(pointers: impl Iterator<Item = &'a Pointer>, time: Timestamp) -> Option<&'a str> {
    let time = time.plus(REORDER);
    pointers
        .map(|pointer| {
            (
                pointer.time > time,
                pointer.time.since(time).abs(),
                &*pointer.name,
            )
        })
        .min()
        .map(|(_, _, name)| name)
}

fn keep_newest<T>(kept: &mut Vec<T>, new: T, max: usize) {
    if kept.len() >= max {
        kept.remove(0);
    }
    kept.push(new);
}

/// Two forms of a name resolve within this of each other when one is the search list's work.
pub const OTHER_FORM: Nanos = 10 * SECOND;

#[cfg(test)]
mod tests;
