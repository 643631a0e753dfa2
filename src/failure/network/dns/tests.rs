#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::decode::{IpFacts, Sum};
use crate::failure::network::{dns_slow, dns_timeout};
use crate::flow::lookup::Lookups;
use crate::protocol::dns::{Address, Message, Question, rcode};

const ENDPOINT: &str = "fp.chinatax.example";

fn host(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// Plays a transcript: `ms client>resolver name [A|AAAA]` is a query, `ms client<resolver name type answer` a reply;
/// the answer is an rcode, `empty`, `cut` or the last octet of an address. Hosts are last octets. The capture's clock
/// ends at `end` seconds. Each finding is told as `code severity frames`, frames counted from 1.
fn play(transcript: &str, end: i64) -> (Vec<Finding>, u64) {
    judge_with(transcript, end, &[])
}

fn judge_with(transcript: &str, end: i64, connects: &[Finding]) -> (Vec<Finding>, u64) {
    let (mut lookups, mut names) = (Lookups::default(), Names::default());
    let lines = transcript
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    for (index, line) in lines.enumerate() {
        let frame = u32::try_from(index).unwrap() + 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        let ms: i64 = words[0].parse().unwrap();
        let response = words[1].contains('<');
        let (client, resolver) = words[1].split_once(['<', '>']).unwrap();
        let (client, resolver) = (address(client), host(resolver.parse().unwrap()));
        let kind = if words[3] == "A" { kind::A } else { kind::AAAA };
        let message = message(
            words[2],
            kind,
            response,
            words.get(4).copied().unwrap_or(""),
        );
        let at = Mark {
            time: Timestamp::from_ns(ms * MILLISECOND),
            offset: 0,
            file: 0,
            frame,
        };
        let ip = IpFacts {
            source: client,
            destination: resolver,
            ttl: 64,
            id: Some(frame),
            dont_fragment: false,
            total_len: 60,
            protocol: 17,
            head_sum: Sum::default(),
            body_sum: Sum::default(),
        };
        lookups.on_datagram((client, 4_000), (resolver, 53), &message, &ip, at, at.time);
        names.learn(client, resolver, &message, at);
    }
    let end = Timestamp::from_ns(end * SECOND);
    let around = Around {
        names: &names,
        is_endpoint: &|name| name == ENDPOINT,
        is_server: &|address| address == host(99),
        tried: &|_, _, _| (None, false),
        connects,
        end,
    };
    let told = judge(&lookups.finish(end), &around);
    assert_eq!(told.absorbed.len(), connects.len());
    (told.findings, told.undetermined)
}

fn address(octet: &str) -> IpAddr {
    if octet == "lo" {
        IpAddr::from([127, 0, 0, 1])
    } else {
        host(octet.parse().unwrap())
    }
}

fn message(name: &str, kind: u16, response: bool, answer: &str) -> Message {
    let code = match answer {
        "NXDOMAIN" => rcode::NXDOMAIN,
        "SERVFAIL" => rcode::SERVFAIL,
        "REFUSED" => rcode::REFUSED,
        _ => rcode::NOERROR,
    };
    Message {
        id: kind,
        response,
        rcode: code,
        truncated: answer == "cut",
        recursion_desired: true,
        question: Some(Question {
            name: name.into(),
            kind,
        }),
        addresses: answer
            .parse()
            .ok()
            .map(|last| Address {
                ip: host(last),
                ttl_s: 60,
            })
            .into_iter()
            .collect(),
        ..Message::default()
    }
}

#[track_caller]
fn check(transcript: &str, expected: &[&str]) {
    let (findings, _) = play(transcript, 60);
    let told: Vec<String> = findings
        .iter()
        .map(|finding| {
            let frames: Vec<String> = finding
                .evidence
                .iter()
                .map(|seen| seen.at.frame.to_string())
                .collect();
            format!(
                "{} {} {}",
                finding.class.code,
                finding.severity.name(),
                frames.join(",")
            )
        })
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn a_dead_resolver_is_a_timeout_with_its_retries() {
    check(
        "0 10>53 fp.chinatax.example A
         5000 10>53 fp.chinatax.example A
         10000 10>54 fp.chinatax.example A",
        &["network.dns-timeout error 1,2,3"],
    );
    let (findings, _) = play(
        "0 10>53 fp.chinatax.example A
         5000 10>54 fp.chinatax.example A",
        5,
    );
    let finding = &findings[0];
    assert_eq!(
        (finding.number("retries"), finding.number("waited_ms")),
        (Some(1), Some(5_000))
    );
    assert!(finding.fails && finding.silence.unwrap().proven);
    assert_eq!(
        (dns_timeout::CLASS.summary)(finding, Lang::En),
        "no answer from 192.0.2.53, 192.0.2.54 to 192.0.2.10's lookup of fp.chinatax.example, 1 retries"
    );
}

#[test]
fn one_query_alone_proves_no_silence() {
    let (findings, _) = play("0 10>53 fp.chinatax.example A", 60);
    let silence = findings[0].silence.unwrap();
    assert_eq!(
        (silence.asker, silence.asked, silence.proven),
        (host(10), host(53), false)
    );
}

#[test]
fn before_its_patience_a_query_is_undetermined() {
    let (findings, undetermined) = play("0 10>53 fp.chinatax.example A", 4);
    assert_eq!((findings.len(), undetermined), (0, 1));
}

#[test]
fn both_families_of_one_name_are_one_finding() {
    check(
        "0 10>53 fp.chinatax.example A
         0 10>53 fp.chinatax.example AAAA
         9 10<53 fp.chinatax.example A NXDOMAIN
         9 10<53 fp.chinatax.example AAAA NXDOMAIN",
        &["network.dns-nxdomain error 1,2,3,4"],
    );
}

#[test]
fn another_name_is_info_unless_it_resolves_elsewhere() {
    check(
        "0 10>53 typo.example A
         9 10<53 typo.example A NXDOMAIN",
        &["network.dns-nxdomain info 1,2"],
    );
    check(
        "0 10>53 shop.example A
         9 10<53 shop.example A NXDOMAIN
         40000 11>53 shop.example A
         40009 11<53 shop.example A 7",
        &["network.dns-nxdomain error 1,2"],
    );
}

#[test]
fn a_search_list_is_silent_where_another_form_resolves() {
    check(
        "0 10>53 fp.chinatax.example.corp.lan A
         9 10<53 fp.chinatax.example.corp.lan A NXDOMAIN
         10 10>53 fp.chinatax.example A
         19 10<53 fp.chinatax.example A 7",
        &[],
    );
    check(
        "0 10>53 erp.dev A
         9 10<53 erp.dev A NXDOMAIN
         10 10>53 erp.dev.corp.example A
         19 10<53 erp.dev.corp.example A 7",
        &[],
    );
    check(
        "0 10>53 fp.chinatax.example A
         9 10<53 fp.chinatax.example A NXDOMAIN
         10 10>53 fp.chinatax.example.corp.lan A
         19 10<53 fp.chinatax.example.corp.lan A NXDOMAIN",
        &["network.dns-nxdomain error 1,2"],
    );
}

#[test]
fn a_missing_family_is_silent_where_the_other_resolves() {
    for answer in ["empty", "NXDOMAIN", "SERVFAIL", "REFUSED"] {
        check(
            &format!(
                "0 10>53 fp.chinatax.example A
                 1 10>53 fp.chinatax.example AAAA
                 9 10<53 fp.chinatax.example A 7
                 20 10<53 fp.chinatax.example AAAA {answer}"
            ),
            &[],
        );
    }
    check(
        "0 10>53 fp.chinatax.example A
         1 10>53 fp.chinatax.example AAAA
         9 10<53 fp.chinatax.example A 7
         5000 10>53 fp.chinatax.example AAAA",
        &[],
    );
}

#[test]
fn an_error_stands_only_if_no_resolver_helps() {
    check(
        "0 10>53 fp.chinatax.example A
         9 10<53 fp.chinatax.example A SERVFAIL
         10 10>54 fp.chinatax.example A
         19 10<54 fp.chinatax.example A SERVFAIL",
        &["network.dns-servfail error 1,2,3,4"],
    );
    check(
        "0 10>53 fp.chinatax.example A
         9 10<53 fp.chinatax.example A REFUSED",
        &["network.dns-refused error 1,2"],
    );
    check(
        "0 10>53 fp.chinatax.example A
         9 10<53 fp.chinatax.example A SERVFAIL
         10 10>54 fp.chinatax.example A
         19 10<54 fp.chinatax.example A 7",
        &["network.dns-slow warning 1,2,3,4"],
    );
}

#[test]
fn a_late_answer_is_slow_for_an_endpoint() {
    check(
        "0 10>53 fp.chinatax.example A
         1000 10<53 fp.chinatax.example A 7",
        &["network.dns-slow warning 1,2"],
    );
    check(
        "0 10>53 fp.chinatax.example A
         999 10<53 fp.chinatax.example A 7",
        &[],
    );
    check(
        "0 10>53 ads.example A
         1500 10<53 ads.example A 7
         3000 10>53 shop.example A
         4500 10<53 shop.example A 99",
        &["network.dns-slow info 1,2", "network.dns-slow warning 3,4"],
    );
    let (findings, _) = play(
        "0 10>53 fp.chinatax.example A
         1000 10>54 fp.chinatax.example A
         1040 10<54 fp.chinatax.example A 7",
        60,
    );
    assert!(!findings[0].fails);
    assert_eq!(
        (dns_slow::CLASS.summary)(&findings[0], Lang::En),
        "192.0.2.10 got the address of fp.chinatax.example after 1.0 s from 192.0.2.54 only, of 192.0.2.53, 192.0.2.54"
    );
}

#[test]
fn a_name_without_address_is_told_when_its_a_is_empty() {
    check(
        "0 10>53 fp.chinatax.example A
         1 10>53 fp.chinatax.example AAAA
         9 10<53 fp.chinatax.example A empty
         10 10<53 fp.chinatax.example AAAA empty",
        &["network.dns-no-address warning 1,3"],
    );
    check(
        "0 10>53 fp.chinatax.example AAAA
         9 10<53 fp.chinatax.example AAAA empty",
        &[],
    );
    check(
        "0 10>53 fp.chinatax.example A
         1 10>53 fp.chinatax.example AAAA
         9 10<53 fp.chinatax.example A empty
         10 10<53 fp.chinatax.example AAAA 7",
        &[],
    );
}

#[test]
fn names_that_mean_no_server_are_never_told() {
    for name in [
        "wpad",
        "printer",
        "wpad.corp.example",
        "isatap.corp.example",
        "2.0.0.127.zen.spamhaus.org",
        "192.168.1.1",
        "use-application-dns.net",
        "_ldap.corp.example",
        "1.2.0.192.in-addr.arpa",
    ] {
        check(
            &format!(
                "0 10>53 {name} A\n9 10<53 {name} A NXDOMAIN\n20000 11>53 {name} A\n20009 11<53 {name} A 7"
            ),
            &[],
        );
    }
}

#[test]
fn a_stub_on_the_client_does_not_double_the_finding() {
    check(
        "0 lo>53 fp.chinatax.example A
         1 10>54 fp.chinatax.example A
         9 10<54 fp.chinatax.example A SERVFAIL
         10 lo<53 fp.chinatax.example A SERVFAIL",
        &["network.dns-servfail error 2,3"],
    );
}

#[test]
fn a_truncated_answer_whose_tcp_connect_fails_is_a_timeout() {
    let transcript = "0 10>53 fp.chinatax.example A
                      9 10<53 fp.chinatax.example A cut";
    assert!(play(transcript, 60).0.is_empty());
    let mark = Mark {
        time: Timestamp::from_ns(20 * MILLISECOND),
        offset: 0,
        file: 0,
        frame: 3,
    };
    let mut failed = Finding::new(&dns_slow::CLASS, Subject::Flow, mark.time).seen(mark, "syn");
    failed.client = Some((host(10), 50_000));
    failed.server = Some((host(53), 53));
    let (findings, _) = judge_with(transcript, 60, &[failed]);
    assert_eq!(findings[0].class.code, "network.dns-timeout");
    assert!(findings[0].details.contains(&("tcp53", Value::Bool(true))));
    assert_eq!(findings[0].evidence.last().unwrap().at.frame, 3);
    assert!(findings[0].silence.is_none());
}
