//! What is learned from answers, and what is forgotten.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::protocol::dns::{Address, Question};

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10));
const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 11));
const RESOLVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 53));

fn second(second: i64) -> Timestamp {
    Timestamp::from_ns(second * SECOND)
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([198, 51, 100, last])
}

fn answer(name: &str, addresses: &[u8]) -> Message {
    Message {
        response: true,
        question: Some(Question {
            name: name.into(),
            kind: kind::A,
        }),
        addresses: addresses
            .iter()
            .map(|&last| Address {
                ip: address(last),
                ttl_s: 60,
            })
            .collect(),
        ..Message::default()
    }
}

fn learn(names: &mut Names, client: IpAddr, name: &str, addresses: &[u8], at: i64) {
    let mark = Mark {
        time: second(at),
        ..Mark::default()
    };
    names.learn(client, RESOLVER, &answer(name, addresses), mark);
}

#[test]
fn the_name_resolved_last_before_the_connection_is_meant() {
    let mut names = Names::default();
    learn(&mut names, CLIENT, "a.example", &[1], 10);
    learn(&mut names, CLIENT, "b.example", &[1, 2], 20);
    learn(&mut names, OTHER, "c.example", &[1, 3], 15);
    assert_eq!(
        names.best(CLIENT, address(1), second(19)),
        Some("a.example")
    );
    assert_eq!(
        names.best(CLIENT, address(1), second(21)),
        Some("b.example")
    );
    assert_eq!(names.best(CLIENT, address(1), second(5)), Some("a.example"));
    assert_eq!(
        names.best(CLIENT, address(3), second(16)),
        Some("c.example")
    );
    assert_eq!(names.best(CLIENT, address(9), second(16)), None);
    assert_eq!(names.meant(CLIENT, address(1), second(9)), [""; 0]);
    assert_eq!(names.meant(CLIENT, address(1), second(12)), ["a.example"]);
    assert_eq!(
        names.meant(CLIENT, address(1), second(22)),
        ["b.example", "a.example"]
    );
    assert_eq!(
        names.names_of(address(1)),
        ["a.example", "b.example", "c.example"]
    );
    assert_eq!(names.siblings(CLIENT, address(1), second(21)), [address(2)]);
}

#[test]
fn answers_without_addresses_teach_nothing() {
    let mut names = Names::default();
    learn(&mut names, CLIENT, "a.example", &[], 1);
    let failed = Message {
        rcode: rcode::SERVFAIL,
        ..answer("a.example", &[1])
    };
    names.learn(CLIENT, RESOLVER, &failed, Mark::default());
    assert!(names.names_of(address(1)).is_empty());
}

#[test]
fn another_client_or_time_makes_a_name_known() {
    let mut names = Names::default();
    learn(&mut names, CLIENT, "a.example", &[1], 10);
    assert!(!names.resolved_elsewhere(CLIENT, "a.example", second(9), second(11)));
    assert!(names.resolved_elsewhere(CLIENT, "a.example", second(11), second(12)));
    assert!(names.resolved_elsewhere(OTHER, "a.example", second(9), second(11)));
    assert!(!names.resolved_elsewhere(OTHER, "b.example", second(9), second(11)));
}

#[test]
fn forms_of_a_search_list_are_found_both_ways() {
    let mut names = Names::default();
    learn(&mut names, CLIENT, "fp.example.com", &[1], 10);
    let found =
        |name: &str, from, to| names.other_form_between(CLIENT, name, second(from), second(to));
    assert!(found("fp.example.com.corp.lan", 5, 15));
    assert!(found("fp", 5, 15));
    assert!(!found("fp.example.com.corp.lan", 11, 15));
    assert!(!found("f", 5, 15));
    assert!(!found("p.example.com.lan", 5, 15));
    assert!(!names.other_form_between(OTHER, "fp", second(5), second(15)));
}

#[test]
fn endless_names_stay_bounded_and_the_newest_are_kept() {
    let mut names = Names::default();
    for index in 0..200_000_i64 {
        learn(
            &mut names,
            CLIENT,
            &format!("n{index}.example"),
            &[1],
            index,
        );
    }
    assert!(names.recent.by_client.len() + names.older.by_client.len() <= 2 * GENERATION_MAX);
    assert_eq!(names.forgotten, 196_608);
    assert_eq!(names.resolved(CLIENT, "n199999.example").count(), 1);
    assert_eq!(names.resolved(CLIENT, "n0.example").count(), 0);
}
