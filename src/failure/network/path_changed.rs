#![doc = include_str!("path_changed.en.md")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::guide;
use crate::mark::Mark;

/// `network.path-changed`
pub static CLASS: Class = Class {
    code: "network.path-changed",
    severity: Severity::Info,
    guide: guide!("path_changed"),
    summary,
};

/// Clients on either side of the moment.
const CLIENTS_MIN: usize = 2;
/// Connections on either side, where none shows the change within itself.
const CONNECTIONS_MIN: usize = 4;
/// Changes cited.
const EXAMPLES_MAX: usize = 8;

/// How far the server was in one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hops {
    /// In its first packets.
    pub first: u8,
    /// In its last.
    pub last: u8,
    /// The server's first packet.
    pub began: Mark,
    /// Where that changed: rare, so not kept in place.
    pub changed: Option<Box<Mark>>,
}

impl Hops {
    /// What the server's packets of a connection show; nothing where they come from here and there.
    pub fn of(at: &Episode<'_>) -> Option<Self> {
        let half = at.server_half();
        let (low, high) = half.hops?;
        let began = half.first?;
        match half.hops_changed.as_deref() {
            None => Some(Self {
                first: low,
                last: low,
                began,
                changed: None,
            }),
            Some(&(changed, 1)) => Some(Self {
                first: if half.last_hops == low { high } else { low },
                last: half.last_hops,
                began,
                changed: Some(Box::new(changed)),
            }),
            Some(_) => None,
        }
    }
}

/// One server: before a moment all its packets came over so many hops, and after it over another number, for all its
/// clients. Members of a pool at different distances alternate and are no change.
pub fn judge(server: IpAddr, connections: &[(IpAddr, Hops)]) -> Option<Finding> {
    let mut samples: Vec<(Mark, u8, IpAddr, bool)> = Vec::new();
    for (client, hops) in connections {
        samples.push((hops.began, hops.first, *client, false));
        let changed = hops.changed.as_deref();
        samples.extend(changed.map(|at| (*at, hops.last, *client, true)));
    }
    samples.sort_unstable();
    let before = samples.first()?.1;
    let split = samples.iter().position(|(_, hops, ..)| *hops != before)?;
    let (early, late) = samples.split_at(split);
    let after = late.first()?.1;
    let steady = late.iter().all(|(_, hops, ..)| *hops == after);
    let clients = |side: &[(Mark, u8, IpAddr, bool)]| {
        let clients: BTreeSet<IpAddr> = side.iter().map(|(_, _, client, _)| *client).collect();
        clients.len()
    };
    let within = late.iter().any(|(.., within)| *within);
    let enough = within || early.len().min(late.len()) >= CONNECTIONS_MIN;
    if !steady || !enough || clients(early).min(clients(late)) < CLIENTS_MIN {
        return None;
    }
    let (last, first) = (early.last()?.0, late.first()?.0);
    let mut finding = Finding::new(&CLASS, Subject::Host, first.time).seen(last, "before");
    for (at, ..) in late.iter().take(EXAMPLES_MAX) {
        finding = finding.seen(*at, "after");
    }
    finding.server = Some((server, 0));
    let number = |count: usize| Value::Number(i64::try_from(count).unwrap_or(i64::MAX));
    Some(
        finding
            .detail("hops_before", Value::Number(i64::from(before)))
            .detail("hops_after", Value::Number(i64::from(after)))
            .detail("connections_before", number(early.len()))
            .detail("connections_after", number(late.len()))
            .detail("clients", number(clients(late))),
    )
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let number = |key| finding.number(key).unwrap_or(0);
    let (before, after) = (number("hops_before"), number("hops_after"));
    match lang {
        Lang::En => format!(
            "packets of {server} came over {before} hops and from one moment on over {after}, for all its clients"
        ),
        Lang::Zh => {
            format!("{server} 的报文由经过 {before} 跳变为 {after} 跳，对所有客户端同时发生")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    /// Connections: client, hops at first, hops at last; one a second. Is it a change?
    fn check(connections: &[(u8, u8, u8)]) -> bool {
        let samples: Vec<_> = connections
            .iter()
            .zip(1_u32..)
            .map(|((client, first, last), frame)| {
                let at = |add: u32| Mark {
                    time: Timestamp::from_ns(i64::from(frame + add)),
                    frame: frame + add,
                    ..Mark::default()
                };
                let hops = Hops {
                    first: *first,
                    last: *last,
                    began: at(0),
                    changed: (first != last).then(|| Box::new(at(20))),
                };
                (IpAddr::from([192, 0, 2, *client]), hops)
            })
            .collect();
        judge(IpAddr::from([203, 0, 113, 20]), &samples).is_some()
    }

    #[test]
    fn a_step_within_a_connection_that_all_clients_see_is_a_change() {
        assert!(check(&[(1, 3, 5), (2, 3, 5)]));
        assert!(!check(&[(1, 3, 5), (1, 3, 5)]));
    }

    #[test]
    fn members_of_a_pool_at_other_distances_are_none() {
        assert!(!check(&[
            (1, 3, 3),
            (2, 5, 5),
            (1, 3, 3),
            (2, 3, 3),
            (1, 5, 5)
        ]));
        assert!(!check(&[(1, 3, 3), (2, 3, 3), (1, 5, 5), (2, 5, 5)]));
    }

    #[test]
    fn four_connections_on_either_side_are_a_change() {
        let before = [(1, 3, 3), (2, 3, 3), (1, 3, 3), (2, 3, 3)];
        let after = [(1, 5, 5), (2, 5, 5), (1, 5, 5), (2, 5, 5)];
        assert!(check(&[before, after].concat()));
    }
}
