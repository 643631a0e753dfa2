//! One attempt over several connections: the addresses of one name tried one after the other, the two families of a
//! race, and tries repeated soon after each other (catalogue, "The attempt").
//!
//! What links two addresses is a name that both were given, by DNS or by what other connections asked for. Where the
//! capture holds no name for one of them, order and neighbourhood have to do, and the finding says so. Two addresses
//! with names of their own are never linked.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::failure::transport::connect_slow;
use crate::failure::{Evidence, Finding, Text};
use crate::mark::Mark;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// Tries of one client at one endpoint belong to one attempt within this.
const ATTEMPT: Nanos = 30 * SECOND;
/// A race between families is over within this (RFC 8305 5: 250 ms, and a refusal at once).
const RACE: Nanos = 2 * SECOND;
/// Without a name, the next address follows the last try of the one before within this.
const TURNED: Nanos = 3 * SECOND;

/// A connection that came to stand.
#[derive(Clone, Copy, Debug)]
pub struct Connected {
    /// By whom.
    pub client: IpAddr,
    /// To whom.
    pub server: (IpAddr, u16),
    /// Its first frame's time.
    pub began: Timestamp,
    /// The frame that completed the handshake.
    pub at: Mark,
    /// Interface, VLAN and MAC of the client's packets, hashed.
    pub origin: u32,
}

/// Which connections of a run came to stand, for looking up what a failed one was followed by.
#[derive(Debug, Default)]
pub struct Successes {
    by_client: HashMap<IpAddr, Vec<Connected>>,
    by_origin: HashMap<u32, Vec<Connected>>,
    earliest: HashMap<(IpAddr, (IpAddr, u16)), Timestamp>,
}

impl Successes {
    /// Sorts them by when they stood.
    pub fn new(connected: impl Iterator<Item = Connected>) -> Self {
        let mut all = Self::default();
        for one in connected {
            all.by_client.entry(one.client).or_default().push(one);
            all.by_origin.entry(one.origin).or_default().push(one);
            let earliest = all.earliest.entry((one.client, one.server)).or_insert(one.began);
            *earliest = one.began.min(*earliest);
        }
        all.by_client.values_mut().for_each(|list| list.sort_by_key(|one| one.at));
        all.by_origin.values_mut().for_each(|list| list.sort_by_key(|one| one.at));
        all
    }

    /// The first connection that the same attempt as this failed connect came to; true where only a guess links them.
    fn of(&self, failed: &Finding, names: &mut NamesOf<'_>) -> Option<(Connected, bool)> {
        let ((client, _), server) = (failed.client?, failed.server?);
        let own = window(self.by_client.get(&client), failed.first, ATTEMPT);
        let other = window(self.by_origin.get(&failed.origin), failed.first, RACE)
            .filter(|one| one.client.is_ipv4() != client.is_ipv4());
        own.chain(other)
            .filter(|one| one.server.1 == server.1)
            .filter_map(|one| {
                if one.server == server {
                    return (one.began >= failed.first).then_some((*one, false));
                }
                let (dead, live) = (names.of(server.0), names.of(one.server.0));
                match (dead.is_empty(), live.is_empty()) {
                    (false, false) => (!dead.is_disjoint(&live)).then_some((*one, false)),
                    _ => self.turned_to(failed, client, one).then_some((*one, true)),
                }
            })
            .min_by_key(|(one, guessed)| (*guessed, one.at))
    }

    /// Nothing names the addresses: did the client turn from one to the other at once, for the first time?
    fn turned_to(&self, failed: &Finding, client: IpAddr, one: &Connected) -> bool {
        let fresh = self.earliest.get(&(one.client, one.server)).is_none_or(|began| *began >= failed.first);
        let server = failed.server.map(|(ip, _)| ip);
        let after_last = one.began.since(failed.last);
        let near = match (server, one.server.0) {
            (Some(IpAddr::V4(a)), IpAddr::V4(b)) => a.octets().starts_with(b.octets().get(..3).unwrap_or(&[])),
            (Some(IpAddr::V6(a)), IpAddr::V6(b)) => a.octets().starts_with(b.octets().get(..8).unwrap_or(&[])),
            _ => one.began.since(failed.first) <= RACE && one.client != client,
        };
        let turned = one.client != client || (0..=TURNED).contains(&after_last);
        fresh && near && turned && one.began >= failed.first
    }
}

/// The names of an address, looked up once.
struct NamesOf<'n> {
    ask: &'n dyn Fn(IpAddr) -> BTreeSet<String>,
    known: HashMap<IpAddr, Rc<BTreeSet<String>>>,
}

impl NamesOf<'_> {
    fn of(&mut self, address: IpAddr) -> Rc<BTreeSet<String>> {
        Rc::clone(self.known.entry(address).or_insert_with(|| Rc::new((self.ask)(address))))
    }
}

/// Those that stood within `span` after `first`.
fn window(list: Option<&Vec<Connected>>, first: Timestamp, span: Nanos) -> impl Iterator<Item = &Connected> {
    let list: &[Connected] = list.map_or(&[], Vec::as_slice);
    let from = list.partition_point(|one| one.at.time < first);
    list.iter().skip(from).take_while(move |one| one.at.time.since(first) <= span)
}

const GUESSED: Text = Text {
    en: "no name in the capture links the two addresses: told by the order of the client's tries",
    zh: "抓包中没有域名可关联两个地址：由客户端先后尝试的次序判断",
};

/// Failed connects whose attempt succeeded after all are told as `connect-slow` from one second of delay on, else not
/// at all. Tries repeated within an attempt become one finding.
pub fn fold(
    findings: Vec<Finding>,
    successes: &Successes,
    names: &dyn Fn(IpAddr) -> BTreeSet<String>,
) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut open: HashMap<(IpAddr, IpAddr, u16), usize> = HashMap::new();
    let mut names = NamesOf { ask: names, known: HashMap::new() };
    for finding in findings {
        let (Some((client, _)), Some(server), true) = (finding.client, finding.server, is_connect(&finding)) else {
            kept.push(finding);
            continue;
        };
        if let Some((success, guessed)) = successes.of(&finding, &mut names) {
            let delay = success.at.time.since(finding.first);
            if delay >= SECOND {
                let slow = connect_slow::after(&finding, delay / MILLISECOND, success.at, success.server);
                kept.push(if guessed { slow.at_most(70, GUESSED) } else { slow });
            }
            continue;
        }
        if finding.class.code == "transport.syn-unanswered" {
            let key = (client, server.0, server.1);
            if let Some(earlier) = open.get(&key).and_then(|index| kept.get_mut(*index))
                && finding.first.since(earlier.first) <= ATTEMPT
                && finding.first >= earlier.last
            {
                join(earlier, &finding);
                continue;
            }
            open.insert(key, kept.len());
        }
        kept.push(finding);
    }
    kept
}

/// A SYN retried from a new source port within the attempt is the same finding.
fn join(earlier: &mut Finding, again: &Finding) {
    earlier.last = earlier.last.max(again.last);
    earlier.evidence.extend(again.evidence.iter().take(4).map(|seen| Evidence { role: "syn-retry", ..*seen }));
    if let (Some(known), Some(new)) = (&mut earlier.silence, again.silence) {
        known.to = known.to.max(new.to);
        known.proven |= new.proven;
    }
}

fn is_connect(finding: &Finding) -> bool {
    matches!(
        finding.class.code,
        "transport.syn-unanswered"
            | "transport.syn-refused"
            | "network.icmp-unreachable"
            | "network.firewall-rejected"
    ) && finding.fails
}
