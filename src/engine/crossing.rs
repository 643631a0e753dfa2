//! What a gateway that is seen from both of its sides let through (catalogue, rule 6).
//!
//! A connection through address translation is two flows with the same server and initial sequence number; through a
//! plain router it is one, whose packets are seen again with another TTL. Either way it is one attempt, told where it
//! was seen first. What entered and never left, where everything else of that site leaves, was kept by the gateway; the
//! finding then says so (detail `gateway`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::{HashMap, HashSet};

use crate::engine::attempts::place;
use crate::engine::told::Stub;
use crate::failure::attempt::flow_of;
use crate::failure::episode::Episode;
use crate::failure::{Finding, Value};
use crate::incident::site;
use crate::mark::Direction::{ToClient, ToServer};
use crate::time::{SECOND, Timestamp};

/// Connections that must be seen on both sides before one that is not tells anything.
const CROSSING_MIN: u32 = 3;
/// Of a hundred that stand, so many must be seen on both sides.
const SHARE_MIN: u32 = 90;

/// Flows that one connection can be: each translation on its way makes one more.
const SIDES_MAX: usize = 8;

/// What of a connection's packets was seen, here and beyond a router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// SYNs of the client.
    pub(super) syns: u32,
    /// The last of them.
    syns_until: Timestamp,
    /// Payload of the client, repeated bytes included.
    asked: u64,
    /// Payload of the server.
    answered: u64,
    /// The server sent something.
    heard: bool,
    /// Packets of the client that were seen again with another TTL.
    routed: u32,
    /// SYNs of them.
    routed_syns: u32,
}

impl Pass {
    /// What a conversation shows.
    pub(super) fn of(at: &Episode<'_>) -> Self {
        let (client, server) = (&at.half(ToServer).counts, &at.half(ToClient).counts);
        let syns = &at.connection.syns;
        Self {
            syns: syns.count,
            syns_until: syns.last.map(|last| last.time).unwrap_or_default(),
            asked: client.payload_bytes,
            answered: server.payload_bytes,
            heard: server.packets > 0,
            routed: client.routed,
            routed_syns: client.routed_syns,
        }
    }
}

/// Takes the further sides of translated connections out of `stubs`, and of findings what they tell a second time; what
/// a gateway kept is said in the rest.
pub(super) fn settle(stubs: &mut Vec<Box<Stub>>, findings: Vec<Finding>) -> Vec<Finding> {
    let pairs = Pairs::new(stubs);
    if pairs.near_of.is_empty() && stubs.iter().all(|stub| stub.pass.routed == 0) {
        return findings;
    }
    let kept = if findings.is_empty() {
        findings
    } else {
        told(stubs, &pairs, findings)
    };
    let mut place = 0;
    stubs.retain(|_| {
        place += 1;
        !pairs.near_of.contains_key(&(place - 1))
    });
    kept
}

/// The findings, each once, with what a gateway did to what they tell.
fn told(stubs: &[Box<Stub>], pairs: &Pairs, findings: Vec<Finding>) -> Vec<Finding> {
    let base = Base::new(stubs, pairs);
    let place_of = |finding: &Finding| place(stubs, flow_of(finding)?);
    let near: HashSet<(usize, &'static str)> = findings
        .iter()
        .filter_map(|finding| Some((place_of(finding)?, finding.class.code)))
        .collect();
    // Whether an attempt failed is what its client saw.
    let told_near = |place: usize, finding: &Finding| {
        let code = finding.class.code;
        finding.fails || near.contains(&(place, code))
    };
    let mut kept = Vec::with_capacity(findings.len());
    for finding in findings {
        let Some(place) = place_of(&finding) else {
            kept.push(finding);
            continue;
        };
        if let Some(near) = pairs.near_of.get(&place) {
            if !told_near(*near, &finding) {
                kept.push(finding);
            }
            continue;
        }
        let far = pairs
            .far_of
            .get(&place)
            .and_then(|far| stubs.get(*far))
            .map(|far| far.pass);
        let word = stubs
            .get(place)
            .filter(|stub| base.both_sides(stub))
            .and_then(|stub| word(&finding, &stub.pass, far.as_ref()));
        kept.push(match word {
            Some(word) => finding.detail("gateway", Value::Text(word.to_owned())),
            None => finding,
        });
    }
    kept
}

/// Which flows are one connection on the two sides of a translation.
struct Pairs {
    /// Of a flow beyond the gateway: the one before it.
    near_of: HashMap<usize, usize>,
    /// Of a flow before the gateway: the one beyond it.
    far_of: HashMap<usize, usize>,
}

impl Pairs {
    fn new(stubs: &[Box<Stub>]) -> Self {
        let mut by_isn: Vec<(u32, usize)> = stubs
            .iter()
            .enumerate()
            .filter_map(|(place, stub)| Some((stub.twin?.0, place)))
            .collect();
        by_isn.sort_unstable();
        let mut pairs = Self {
            near_of: HashMap::new(),
            far_of: HashMap::new(),
        };
        // Most numbers are there once: only what shares one is told apart by its server.
        for alike in by_isn.chunk_by(|a, b| a.0 == b.0) {
            if alike.len() < 2 {
                continue;
            }
            let mut by_server: BTreeMap<(IpAddr, u16), Vec<usize>> = BTreeMap::new();
            for (_, place) in alike {
                if let Some(stub) = stubs.get(*place) {
                    by_server.entry(stub.to.server).or_default().push(*place);
                }
            }
            by_server
                .values()
                .for_each(|places| pairs.add(stubs, places));
        }
        pairs
    }

    /// Pairs the flows to one server with one initial sequence number, `places` in the order of their first frames.
    fn add(&mut self, stubs: &[Box<Stub>], places: &[usize]) {
        // Forged SYNs may all have one sequence number: so many are no translation.
        if !(2..=SIDES_MAX).contains(&places.len()) {
            return;
        }
        for (index, far) in places.iter().enumerate() {
            let earlier = places.get(..index).unwrap_or(&[]);
            let near = earlier.iter().find(|near| {
                !self.near_of.contains_key(*near)
                    && matches!((stubs.get(**near), stubs.get(*far)), (Some(a), Some(b)) if one(a, b))
            });
            if let Some(near) = near {
                self.near_of.insert(*far, *near);
                self.far_of.entry(*near).or_insert(*far);
            }
        }
    }
}

/// The same SYN at once; or, where the first was kept by the gateway, a repetition of it.
fn one(near: &Stub, far: &Stub) -> bool {
    let since = far.first.since(near.first);
    let at_once = near.twin == far.twin && since.abs() <= SECOND;
    let repeated = near.pass.syns > 1 && far.first.since(near.pass.syns_until) <= SECOND;
    near.client != far.client && (at_once || repeated && since >= 0)
}

/// Which sites, and which servers of theirs, are seen on both sides: how many connections stand, how many of them so.
#[derive(Default)]
struct Base {
    of_site: HashMap<IpAddr, (u32, u32)>,
    of_server: HashMap<(IpAddr, IpAddr), (u32, u32)>,
}

impl Base {
    fn new(stubs: &[Box<Stub>], pairs: &Pairs) -> Self {
        let mut base = Self::default();
        for (place, stub) in stubs.iter().enumerate() {
            let home = site(stub.client.0);
            if stub.established.is_none()
                || pairs.near_of.contains_key(&place)
                || home == site(stub.to.server.0)
            {
                continue;
            }
            let crossing = pairs.far_of.contains_key(&place) || stub.pass.routed > 0;
            for (all, crossed) in [
                base.of_site.entry(home).or_default(),
                base.of_server.entry((home, stub.to.server.0)).or_default(),
            ] {
                *all += 1;
                *crossed += u32::from(crossing);
            }
        }
        base
    }

    /// Would this connection have been seen beyond the gateway, had it left?
    fn both_sides(&self, stub: &Stub) -> bool {
        let home = site(stub.client.0);
        let holds = |(all, crossed): (u32, u32)| {
            u64::from(crossed) * 100 >= u64::from(all) * u64::from(SHARE_MIN)
        };
        let own = self.of_server.get(&(home, stub.to.server.0)).copied();
        let any = self.of_site.get(&home).copied().unwrap_or_default();
        any.1 >= CROSSING_MIN
            && holds(any)
            && own.is_none_or(holds)
            && home != site(stub.to.server.0)
    }
}

/// What the gateway did with what failed: `not-left`, `answer-kept`, or `left` where it let both pass.
fn word(finding: &Finding, near: &Pass, far: Option<&Pass>) -> Option<&'static str> {
    let passed = far.is_some() || near.routed > 0;
    match finding.class.code {
        "transport.connect-slow" if finding.text("failed_code").is_none() => {
            let through = far.map_or(near.routed_syns, |far| far.syns);
            Some(if near.syns > through {
                "not-left"
            } else {
                "left"
            })
        }
        "transport.syn-unanswered" | "transport.connect-slow" => Some(match far {
            Some(far) if far.heard => "answer-kept",
            _ if passed => "left",
            _ => "not-left",
        }),
        "transport.data-unacked"
        | "transport.idle-dropped"
        | "security.tls-no-reply"
        | "security.tls-handshake-stalled"
        | "application.no-response" => far.map(|far| match () {
            () if near.asked > far.asked => "not-left",
            () if near.answered < far.answered => "answer-kept",
            () => "left",
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Subject;
    use crate::failure::transport::{connect_slow, data_unacked, syn_unanswered};

    const ONE_SYN: Pass = Pass {
        syns: 1,
        syns_until: Timestamp::from_ns(0),
        asked: 0,
        answered: 0,
        heard: false,
        routed: 0,
        routed_syns: 0,
    };

    fn finding(class: &'static crate::failure::Class) -> Finding {
        Finding::new(class, Subject::Flow, Timestamp::from_ns(0))
    }

    #[test]
    fn a_syn_is_kept_let_out_or_its_answer_kept() {
        let silent = finding(&syn_unanswered::CLASS);
        let heard = Pass {
            heard: true,
            ..ONE_SYN
        };
        let routed = Pass {
            routed: 1,
            routed_syns: 1,
            ..ONE_SYN
        };
        assert_eq!(word(&silent, &ONE_SYN, None), Some("not-left"));
        assert_eq!(word(&silent, &routed, None), Some("left"));
        assert_eq!(word(&silent, &ONE_SYN, Some(&ONE_SYN)), Some("left"));
        assert_eq!(word(&silent, &ONE_SYN, Some(&heard)), Some("answer-kept"));
    }

    #[test]
    fn a_connect_is_late_by_the_gateway_where_it_let_out_fewer_syns() {
        let late = finding(&connect_slow::CLASS);
        let three = Pass {
            syns: 3,
            heard: true,
            ..ONE_SYN
        };
        assert_eq!(word(&late, &three, Some(&ONE_SYN)), Some("not-left"));
        assert_eq!(word(&late, &three, Some(&three)), Some("left"));
    }

    #[test]
    fn data_is_followed_across_a_translation_only() {
        let stuck = finding(&data_unacked::CLASS);
        let sent = |asked, answered| Pass {
            asked,
            answered,
            ..ONE_SYN
        };
        let near = sent(900, 100);
        assert_eq!(word(&stuck, &near, Some(&sent(300, 100))), Some("not-left"));
        assert_eq!(
            word(&stuck, &near, Some(&sent(900, 400))),
            Some("answer-kept")
        );
        assert_eq!(word(&stuck, &near, Some(&near)), Some("left"));
        assert_eq!(word(&stuck, &near, None), None);
    }
}
