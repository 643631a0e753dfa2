//! Figures from looks made by hand: what grows, what is folded, what is written.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::engine::diagnosis::{Aside, Diagnosis, EndpointBalance, Histogram};
use crate::failure::flow::Outcomes;
use crate::failure::{Finding, Lang, Subject, classes};
use crate::limits::SERIES_MAX;
use crate::report::{Lost, Reading};
use crate::time::SECOND;

use super::*;

fn settings() -> Settings {
    Settings {
        lang: Lang::En,
        zone: jiff::tz::TimeZone::UTC,
        findings_max: 1_000,
        since: None,
        until: None,
        redact: true,
        color: false,
        width: 100,
        threads: 1,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ns(1_700_000_000 * SECOND).plus(seconds * SECOND)
}

fn endpoint(id: &str, ok: u32, failed: u32) -> EndpointBalance {
    let mut times = Histogram::default();
    (0..ok).for_each(|_| times.add(7));
    EndpointBalance {
        id: id.to_owned(),
        attempts: Outcomes {
            ok,
            failed,
            ..Outcomes::default()
        },
        latency: [times.clone(), times.clone(), times],
        ..EndpointBalance::default()
    }
}

fn told(diagnosis: Diagnosis) -> Told<Findings> {
    Told::of(diagnosis, Reading::default(), &settings())
}

fn of(endpoints: Vec<EndpointBalance>) -> Told<Findings> {
    told(Diagnosis {
        endpoints,
        ..Diagnosis::default()
    })
}

fn metrics() -> (Metrics, Page) {
    let metrics = Metrics::new(settings(), &Arc::new(Vitals::new(None)));
    let page = metrics.page();
    (metrics, page)
}

/// Value by series.
fn values(page: &Page) -> BTreeMap<String, f64> {
    let text = page.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn attempts(endpoint: &str, outcome: &str) -> String {
    format!("wirefault_attempts_total{{endpoint=\"{endpoint}\",outcome=\"{outcome}\"}}")
}

#[test]
fn what_is_forgotten_stays_counted_and_nothing_is_counted_twice() {
    let (mut metrics, page) = metrics();
    metrics
        .look(&of(vec![endpoint("a:1", 5, 2)]), at(0))
        .unwrap();
    let before = of(vec![endpoint("a:1", 8, 2)]);
    metrics.look(&before, at(10)).unwrap();
    metrics.forgotten((&before, &of(vec![endpoint("a:1", 3, 0)])), at(10));
    metrics
        .look(&of(vec![endpoint("a:1", 4, 1)]), at(20))
        .unwrap();
    let values = values(&page);
    assert_eq!(values[&attempts("a:1", "ok")], 9.0);
    assert_eq!(values[&attempts("a:1", "failed")], 3.0);
    let count = "wirefault_connect_seconds_count{endpoint=\"a:1\"}";
    assert_eq!(values[count], 9.0);
    assert_eq!(
        values["wirefault_connect_seconds_sum{endpoint=\"a:1\"}"],
        0.063
    );
    assert_eq!(
        values["wirefault_availability_ratio{endpoint=\"a:1\"}"],
        0.8
    );
}

#[test]
fn a_failure_that_is_taken_back_holds_the_counter_still_until_the_truth_catches_up() {
    let (mut metrics, page) = metrics();
    let mut seen = Vec::new();
    for failed in [3, 2, 3, 5] {
        metrics
            .look(&of(vec![endpoint("a:1", 0, failed)]), at(0))
            .unwrap();
        seen.push(values(&page)[&attempts("a:1", "failed")]);
    }
    assert_eq!(seen, [3.0, 3.0, 3.0, 5.0]);
}

#[test]
fn an_endpoint_without_a_place_is_counted_with_the_others_and_rules_keep_half_of_the_places() {
    let (mut metrics, page) = metrics();
    let scan = (0..500).map(|number| endpoint(&format!("10.0.0.1:{number}"), 0, 1));
    metrics.look(&of(scan.collect()), at(0)).unwrap();
    let first = values(&page);
    assert_eq!(first[&attempts("other", "failed")], 485.0);
    assert_eq!(first["wirefault_endpoints_folded"], 485.0);
    let ruled = EndpointBalance {
        invoicing: true,
        ..endpoint("tax:443", 1, 0)
    };
    metrics
        .look(&of(vec![ruled, endpoint("10.0.0.1:499", 9, 0)]), at(10))
        .unwrap();
    let second = values(&page);
    assert_eq!(second[&attempts("tax:443", "ok")], 1.0);
    assert_eq!(second[&attempts("other", "ok")], 9.0);
    for (series, value) in first
        .iter()
        .filter(|(series, _)| series.contains("_total{"))
    {
        assert!(second[series] >= *value, "{series} went down");
    }
}

/// The worst that traffic can bring: more of everything than there are places.
fn crowd() -> Told<Findings> {
    let addresses = || (0..5_000_u32).map(|number| IpAddr::from(number.to_be_bytes()));
    let endpoints = addresses().map(|address| EndpointBalance {
        invoicing: true,
        ..endpoint(&crate::failure::host_port(address, 443), 1, 1)
    });
    let mut times = Histogram::default();
    times.add(3);
    let endpoints: Vec<EndpointBalance> = endpoints.collect();
    let certificates = endpoints.iter().map(|one| (one.id.clone(), at(0)));
    let aside = Aside {
        certificates: certificates.collect(),
        resolvers: addresses()
            .map(|address| (address, times.clone()))
            .collect(),
    };
    let findings = classes::ALL.iter().flat_map(|class| {
        addresses().take(40).map(|address| {
            let mut finding = Finding::new(class, Subject::Flow, at(0));
            finding.client = Some((address, 1));
            finding.server = Some((address, 443));
            finding
        })
    });
    let unjudged = (0..500).map(|number| (format!("reason-{number}"), 1));
    let lost = (0..500).map(|number| Lost {
        interface: format!("eth{number}"),
        by_system: 1,
        by_interface: 1,
    });
    let reading = Reading {
        lost: lost.collect(),
        ..Reading::default()
    };
    let diagnosis = Diagnosis {
        aside,
        findings: findings.collect(),
        unjudged: unjudged.collect(),
        endpoints,
        ..Diagnosis::default()
    };
    Told::of(diagnosis, reading, &settings())
}

#[test]
fn whatever_the_traffic_the_series_stay_below_the_bound_and_the_sums_are_right() {
    let (mut metrics, page) = metrics();
    let vitals = Arc::clone(&metrics.vitals);
    for receiver in ["webhook", "zabbix", "syslog", "journal"] {
        vitals.receiver(receiver);
    }
    let crowd = crowd();
    for look in 0..3 {
        metrics.look(&crowd, at(1_000 + look)).unwrap();
    }
    let values = values(&page);
    assert!(values.len() < SERIES_MAX, "{} series", values.len());
    // The places are taken: the bound is met from below, not by leaving out.
    assert!(
        values.len() > SERIES_MAX * 9 / 10,
        "{} series",
        values.len()
    );
    let sum = |family: &str| -> f64 {
        let own = values
            .iter()
            .filter(|(series, _)| series.starts_with(family));
        own.map(|(_, value)| value).sum()
    };
    assert_eq!(sum("wirefault_attempts_total{"), 10_000.0);
    assert_eq!(sum("wirefault_lookup_seconds_count{"), 5_000.0);
    assert_eq!(sum("wirefault_dropped_packets_total{"), 1_000.0);
    assert_eq!(sum("wirefault_unjudged_total{"), 500.0);
    let told: u64 = crowd
        .report
        .summary
        .findings_by_code
        .iter()
        .filter(|(code, _)| !code.starts_with("capture."))
        .map(|(_, count)| count)
        .sum();
    assert_eq!(sum("wirefault_findings_total{"), told as f64);
}

#[test]
fn a_finding_is_counted_when_it_stands_for_a_while() {
    let (mut metrics, page) = metrics();
    let class = classes::ALL
        .iter()
        .find(|class| class.code == "transport.syn-refused")
        .unwrap();
    let look = || {
        let mut finding = Finding::new(class, Subject::Flow, at(0));
        finding.server = Some((IpAddr::from([192, 0, 2, 1]), 443));
        told(Diagnosis {
            findings: vec![finding],
            endpoints: vec![endpoint("192.0.2.1:443", 0, 1)],
            ..Diagnosis::default()
        })
    };
    let series =
        "wirefault_findings_total{endpoint=\"192.0.2.1:443\",code=\"transport.syn-refused\"}";
    metrics.look(&look(), at(4)).unwrap();
    assert!(!values(&page).contains_key(series));
    metrics.look(&look(), at(5)).unwrap();
    metrics.look(&look(), at(80)).unwrap();
    assert_eq!(values(&page)[series], 1.0);
}

#[test]
fn a_name_from_the_wire_cannot_break_the_page() {
    let (mut metrics, page) = metrics();
    let hostile = "a\"} 1\nwirefault_healthy 0\\:443";
    metrics
        .look(&of(vec![endpoint(hostile, 1, 0)]), at(0))
        .unwrap();
    let text = page.text();
    assert!(
        text.contains(r#"endpoint="a\"} 1\nwirefault_healthy 0\\:443",outcome="ok"} 1"#),
        "{text}"
    );
    assert_eq!(values(&page)["wirefault_healthy"], 1.0);
}

#[test]
fn buckets_add_up_to_the_right() {
    let (mut metrics, page) = metrics();
    let mut times = Histogram::default();
    [1, 5, 6, 700, 90_000]
        .into_iter()
        .for_each(|ms| times.add(ms));
    let one = EndpointBalance {
        latency: [times, Histogram::default(), Histogram::default()],
        ..endpoint("a:1", 0, 1)
    };
    metrics.look(&of(vec![one]), at(0)).unwrap();
    let values = values(&page);
    let bucket = |le: &str| {
        values[&format!("wirefault_connect_seconds_bucket{{endpoint=\"a:1\",le=\"{le}\"}}")]
    };
    let told = ["0.005", "0.02", "0.5", "1", "30", "+Inf"].map(bucket);
    assert_eq!(told, [2.0, 3.0, 3.0, 4.0, 4.0, 5.0]);
    assert_eq!(
        values["wirefault_connect_seconds_sum{endpoint=\"a:1\"}"],
        90.712
    );
}
