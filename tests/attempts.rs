//! Attempts as the catalogue defines them, and how they spread over endpoints, regions, clients and minutes.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::Value;
use support::run::{json, list, text, wirefault};

const OUTCOMES: [&str; 4] = ["ok", "failed", "answered_no", "undetermined"];

fn report(capture: &str) -> Value {
    let ran = wirefault(&[
        "analyze",
        capture,
        "--ca-bundle",
        support::ROOTS,
        "--format",
        "json",
    ]);
    json(&ran.stdout)
}

/// `attempts` of a summary, an endpoint, a client, a minute.
fn attempts(of: &Value) -> [u64; 4] {
    OUTCOMES.map(|outcome| of["attempts"][outcome].as_u64().expect("a count"))
}

fn sum<'v>(all: impl IntoIterator<Item = &'v Value>) -> [u64; 4] {
    all.into_iter().fold([0; 4], |mut sum, one| {
        for (sum, count) in sum.iter_mut().zip(attempts(one)) {
            *sum += count;
        }
        sum
    })
}

#[test]
fn every_attempt_has_one_endpoint_one_client_and_one_minute() {
    for capture in support::captures() {
        let path = capture.path;
        let report = report(&path);
        let summary = &report["summary"];
        let all = attempts(summary);
        assert_eq!(sum(list(&report, "endpoints")), all, "{path}");
        assert_eq!(sum(list(summary, "minutes")), all, "{path}");
        for of in list(&report, "endpoints").iter().chain([summary]) {
            assert_eq!(sum(list(of, "minutes")), attempts(of), "{path}");
            if of["clients_omitted"].is_null() {
                assert_eq!(sum(list(of, "clients")), attempts(of), "{path}");
            }
        }
        for region in list(summary, "regions") {
            let of_region = |endpoint: &&Value| endpoint["region"] == region["region"];
            let endpoints: Vec<&Value> = list(&report, "endpoints")
                .iter()
                .filter(of_region)
                .collect();
            assert_eq!(sum(endpoints), attempts(region), "{path}");
        }
    }
}

/// The outcomes of all attempts, and the endpoints with theirs.
fn check(capture: &str, expect: [u64; 4], endpoints: &[(&str, [u64; 4])]) {
    let report = report(&format!("captures/{capture}"));
    assert_eq!(attempts(&report["summary"]), expect, "{capture}");
    let mut told: Vec<(&str, [u64; 4])> = list(&report, "endpoints")
        .iter()
        .map(|endpoint| (text(endpoint, "id"), attempts(endpoint)))
        .collect();
    told.sort_unstable();
    assert_eq!(told, endpoints, "{capture}");
}

#[test]
fn a_dead_address_or_family_beside_a_good_one_is_part_of_the_attempt() {
    let well = ("api.example.com:8080", [1, 0, 0, 0]);
    let slow = "transport/connect-slow/first-address-dead.pcap";
    // The warning speaks of the dead address: it is named, and nobody failed there.
    let dead = ("203.0.113.99:8080", [0; 4]);
    check(slow, [1, 0, 0, 0], &[dead, well]);
    let loser = "transport/syn-refused/not-loser.pcap";
    check(loser, [1, 0, 0, 0], &[well]);
}

#[test]
fn a_syn_repeated_from_a_new_port_is_the_same_attempt() {
    check(
        "transport/syn-unanswered/new-port-each-try.pcap",
        [1, 1, 0, 0],
        &[
            ("203.0.113.20:9443", [0, 1, 0, 0]),
            ("dppt.beijing.chinatax.gov.cn:8080", [1, 0, 0, 0]),
        ],
    );
}

#[test]
fn an_application_that_tries_again_after_a_refusal_makes_further_attempts() {
    check(
        "transport/syn-refused/retried-by-application.pcap",
        [0, 3, 0, 0],
        &[("203.0.113.20:8080", [0, 3, 0, 0])],
    );
}

#[test]
fn a_name_that_does_not_resolve_is_a_failed_attempt_at_its_endpoint() {
    for capture in [
        "network/dns-timeout/two-resolvers-silent.pcap",
        "network/dns-nxdomain/dnsmasq.pcap",
        "network/dns-servfail/servfail.pcap",
        "network/dns-refused/refused.pcap",
        "network/dns-no-address/both-empty.pcap",
    ] {
        let endpoints = [("dppt.beijing.chinatax.gov.cn:8080", [1, 1, 0, 0])];
        check(capture, [1, 1, 0, 0], &endpoints);
    }
}

#[test]
fn what_a_proxy_was_asked_for_is_the_endpoint() {
    let name = "dppt.beijing.chinatax.gov.cn:443";
    for (capture, expect) in [
        ("connect-403.pcap", [0, 1, 0, 0]),
        ("connect-closed.pcap", [0, 1, 0, 0]),
        ("not-connect-tls13.pcap", [1, 0, 0, 0]),
        ("socks5-rule.pcap", [0, 1, 0, 0]),
        ("not-socks5-served.pcap", [1, 0, 0, 0]),
    ] {
        let capture = format!("application/http-proxy-failed/{capture}");
        check(&capture, expect, &[(name, expect)]);
        let report = report(&format!("captures/{capture}"));
        let proxies = list(&report["endpoints"][0], "proxies");
        assert_eq!(proxies.len(), 1, "{capture}");
    }
}

#[test]
fn a_hello_that_a_lesser_one_follows_is_part_of_the_attempt() {
    let name = "dppt.beijing.chinatax.gov.cn:443";
    for (capture, expect) in [
        ("tls-version-mismatch/falls-back-at-last", [1, 0, 0, 0]),
        ("tls-version-mismatch/not-falls-back-at-once", [1, 0, 0, 0]),
        ("tls-version-mismatch/falls-back-in-vain-ipv6", [0, 1, 0, 0]),
        (
            "tls-version-mismatch/another-program-gets-through",
            [1, 1, 0, 0],
        ),
        (
            "tls-no-common-cipher/not-other-suites-at-once",
            [1, 0, 0, 0],
        ),
    ] {
        let capture = format!("security/{capture}.pcap");
        check(&capture, expect, &[(name, expect)]);
    }
}

#[test]
fn what_a_socks_proxy_connects_is_judged_for_its_target() {
    let name = "dppt.beijing.chinatax.gov.cn";
    for (capture, port, expect) in [
        (
            "application/http-proxy-failed/dante-rule",
            443,
            [0, 1, 0, 0],
        ),
        (
            "application/http-proxy-failed/microsocks-nothing-listens",
            8443,
            [0, 1, 0, 0],
        ),
        (
            "application/http-proxy-failed/not-dante-address",
            443,
            [1, 0, 0, 0],
        ),
        (
            "application/http-proxy-failed/not-microsocks-login-served",
            443,
            [1, 0, 0, 0],
        ),
        ("security/cert-expired/inside-socks", 443, [0, 1, 0, 0]),
        (
            "security/cert-name-mismatch/inside-socks-login",
            443,
            [0, 1, 0, 0],
        ),
    ] {
        let endpoint = format!("{name}:{port}");
        check(
            &format!("{capture}.pcap"),
            expect,
            &[(endpoint.as_str(), expect)],
        );
    }
}

#[test]
fn every_request_of_a_kept_connection_is_an_attempt() {
    check(
        "healthy/net-long-keepalive.pcap",
        [40, 0, 0, 0],
        &[("dppt.beijing.chinatax.gov.cn:8080", [40, 0, 0, 0])],
    );
}
