//! Sets made by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::net::IpAddr;

use tempfile::TempDir;

use super::*;
use crate::archive::around;
use crate::failure::flow::Outcomes;
use crate::failure::{Subject, classes};
use crate::incident::{Seen, Surroundings, Tried};
use crate::time::SECOND;

const SERVER: (IpAddr, u16) = (IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 20)), 443);

fn time(second: i64) -> Timestamp {
    Timestamp::from_ns(second * SECOND)
}

/// A client of a network of its own whose SYN nobody answers.
fn fails(client: u8, at: i64) -> (Finding, Tried) {
    let client = IpAddr::from([198, 51, client, 7]);
    let class = classes::ALL
        .iter()
        .find(|class| class.code == "transport.syn-unanswered")
        .expect("a code");
    let mut finding = Finding::new(class, Subject::Flow, time(at));
    finding.client = Some((client, 40_000));
    finding.server = Some(SERVER);
    finding.fails = true;
    let tried = Tried {
        port: 40_000,
        syn: Some((1, 2)),
        seen: Seen {
            client,
            server: SERVER,
            time: time(at),
            last: time(at + 1),
            established: None,
            outcomes: Outcomes {
                failed: 1,
                ..Outcomes::default()
            },
            name: None,
            latency_ms: [None; 3],
            server_rtt_us: None,
            server_hops: None,
        },
    };
    (finding, tried)
}

/// Two sets, in each a client that fails at these seconds; their incidents with so much room.
fn judged(at: [i64; 2], room: usize) -> (Vec<Incident>, u64) {
    let folder = TempDir::new().expect("a folder");
    let (mut findings, mut sets, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for (number, second) in (0_u8..).zip(at) {
        let (finding, tried) = fails(number, second);
        let surroundings = Surroundings {
            tried: vec![tried],
            ..Surroundings::default()
        };
        let around = folder.path().join(number.to_string());
        let mut packed = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        around::write(&surroundings, false, &mut packed).unwrap();
        std::fs::write(&around, packed.finish().unwrap()).unwrap();
        let seen = surroundings.tried.into_iter().map(|one| one.seen).collect();
        let context = Context::new(seen, Vec::new(), &surroundings.heard);
        let (mut own, _) = find(std::slice::from_ref(&finding), &context);
        for incident in &mut own {
            incident.findings = vec![findings.len()];
        }
        told.extend(own);
        sets.push(Set {
            around,
            point: number.to_string(),
            span: Some((time(second), time(second + 1))),
        });
        findings.push(finding);
    }
    let known = Known {
        findings: &findings,
        set_of: &[0, 1],
        sets: &sets,
        rules: &Rules::default(),
    };
    judge(&known, told, room).expect("sets that can be read")
}

fn clients(incidents: &[Incident]) -> Vec<u64> {
    incidents.iter().map(|one| one.clients).collect()
}

#[test]
fn two_sets_at_one_time_tell_one_incident() {
    let (incidents, large) = judged([100, 150], 10);
    assert_eq!((clients(&incidents), large), (vec![2], 0));
    assert_eq!(incidents[0].findings, [0, 1]);
    assert_eq!(incidents[0].attempts.failed, 2);
}

#[test]
fn what_is_an_hour_apart_stays_apart() {
    let (incidents, large) = judged([100, 3_700], 10);
    assert_eq!((clients(&incidents), large), (vec![1, 1], 0));
}

#[test]
fn what_does_not_fit_stays_as_each_set_told_it_and_is_counted() {
    let (incidents, large) = judged([100, 150], 1);
    assert_eq!((clients(&incidents), large), (vec![1, 1], 1));
}
