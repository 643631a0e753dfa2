//! Endpoint rules from the outside: `endpoints --print` and `--check`, and `--endpoints FILE` on analyze and flows.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;

use serde_json::Value;
use support::run::{Ran, json, list, text, wirefault};
use tempfile::TempDir;

/// Three endpoints fail: two built-in names, and `api.einvoice.example`; a fourth server refuses some pages.
const DEMO: &str = "captures/demo.pcapng";

/// A rule file in a folder of its own, gone with the value.
struct File {
    folder: TempDir,
    path: String,
}

fn file(text: &str) -> File {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("rules.toml");
    fs::write(&path, text).expect("a rule file");
    let path = path.to_string_lossy().into_owned();
    File { folder, path }
}

/// A rule of one id, with what it matches and expects.
fn rule(id: &str, rest: &str) -> File {
    file(&format!("[[endpoint]]\nid = \"{id}\"\n{rest}\n"))
}

/// The JSON report of a capture under these rules.
fn report(capture: &str, rules: &File) -> Value {
    let ran = run("analyze", capture, rules, "json");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    json(&ran.stdout)
}

fn run(command: &str, capture: &str, rules: &File, format: &str) -> Ran {
    wirefault(&[
        command,
        capture,
        "--endpoints",
        &rules.path,
        "--ca-bundle",
        support::ROOTS,
        "--format",
        format,
    ])
}

/// Code and severity of every finding outside `capture.*`.
fn told(report: &Value) -> Vec<String> {
    let findings = list(report, "findings").iter();
    findings
        .filter(|finding| text(finding, "layer") != "capture")
        .map(|finding| format!("{} {}", text(finding, "code"), text(finding, "severity")))
        .collect()
}

fn ids(report: &Value) -> Vec<&str> {
    let endpoints = list(report, "endpoints").iter();
    endpoints.map(|endpoint| text(endpoint, "id")).collect()
}

/// Exit status 2, nothing on standard output, and these sentences.
fn check_refused(ran: &Ran, sentences: &[String]) {
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    let lines: Vec<String> = ran.stderr.lines().map(str::to_owned).collect();
    let expect: Vec<String> = sentences
        .iter()
        .map(|sentence| format!("wirefault: {sentence}"))
        .collect();
    assert_eq!(lines, expect);
}

#[test]
fn what_endpoints_prints_passes_its_check_and_changes_no_id() {
    let printed = wirefault(&["endpoints", "--print"]);
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
    let again = file(&printed.stdout);
    let checked = wirefault(&["endpoints", "--check", &again.path]);
    assert_eq!(checked.status, 0, "{}", checked.stderr);
    let said = "17 endpoints, 17 in the place of built-in ones; 21 payloads\n";
    assert_eq!(checked.stdout, format!("{}: {said}", again.path));
    let plain = wirefault(&[
        "analyze",
        DEMO,
        "--ca-bundle",
        support::ROOTS,
        "--format",
        "json",
    ]);
    let plain = json(&plain.stdout);
    let kept = report(DEMO, &again);
    let invoicing = |id: &&&str| id.contains("chinatax");
    let before: Vec<String> = ids(&plain)
        .iter()
        .filter(invoicing)
        .map(ToString::to_string)
        .collect();
    assert_eq!(ids(&kept), before);
}

#[test]
fn a_check_says_in_one_line_what_a_file_brings() {
    let rules = rule("api", "match.names = [\"api.example\"]\ngm = \"required\"");
    let checked = wirefault(&["endpoints", "--check", &rules.path]);
    let said = "1 endpoint; 17 built-in ones beside";
    assert_eq!(checked.stdout, format!("{}: {said}\n", rules.path));
    let alone =
        file("built_in = false\nothers = true\n[[endpoint]]\nid = \"a\"\nmatch.ports = [1]\n");
    let checked = wirefault(&["endpoints", "--check", &alone.path]);
    assert_eq!(
        checked.stdout,
        format!("{}: 1 endpoint; all other servers too\n", alone.path)
    );
}

#[test]
fn errors_in_a_rule_file_are_told_by_line_and_stop_everything() {
    let rules = rule("a", "prot = \"tls\"\nmatch.addresses = [\"10.0.0.1/8\"]");
    let path = &rules.path;
    let sentences = [
        format!(
            "{path}:3: [[endpoint]] has no key `prot`; write one of id, name, match, region, protocol, versions, gm, path, payloads, thresholds, ca_bundle"
        ),
        format!(
            "{path}:4: `10.0.0.1/8` has bits beyond its prefix; write `10.0.0.0/8`, or `10.0.0.1` for one address"
        ),
    ];
    check_refused(&wirefault(&["endpoints", "--check", path]), &sentences);
    check_refused(&run("analyze", DEMO, &rules, "json"), &sentences);
    check_refused(&run("flows", DEMO, &rules, "csv"), &sentences);
}

#[test]
fn a_rule_file_that_cannot_be_read_is_named() {
    let missing = wirefault(&["endpoints", "--check", "no-such.toml"]);
    let reason = "--endpoints no-such.toml: cannot be read: No such file or directory (os error 2)";
    check_refused(&missing, &[reason.to_owned()]);
    let rules = file("");
    fs::write(&rules.path, b"# \xb1\xb1\xbe\xa9\n").expect("a rule file");
    let gbk = wirefault(&["endpoints", "--check", &rules.path]);
    check_refused(
        &gbk,
        &[format!(
            "{}:1: no UTF-8; save the file as UTF-8",
            rules.path
        )],
    );
}

#[test]
fn with_rules_only_their_servers_are_told_and_the_rest_is_counted() {
    let rules = rule(
        "invoice-api",
        "name = \"开票接口\"\nmatch.names = [\"api.einvoice.example\"]\nregion = \"北京市\"",
    );
    let told = report(DEMO, &rules);
    let mut found = ids(&told);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "dppt.beijing.chinatax.gov.cn:443",
            "dppt.beijing.chinatax.gov.cn:8443",
            "etax.beijing.chinatax.gov.cn:443",
            "invoice-api",
            "tpass.beijing.chinatax.gov.cn:8443",
        ]
    );
    assert_eq!(told["unjudged"]["not-an-endpoint"], 47);
    let attempts = |of: &Value| {
        of["attempts"]["ok"].as_u64().unwrap() + of["attempts"]["failed"].as_u64().unwrap()
    };
    let sum: u64 = list(&told, "endpoints").iter().map(attempts).sum();
    assert_eq!(attempts(&told["summary"]), sum);
    let own = list(&told, "endpoints")
        .iter()
        .find(|endpoint| text(endpoint, "id") == "invoice-api");
    let own = own.expect("the endpoint");
    assert_eq!(
        (text(own, "name"), text(own, "region")),
        ("开票接口", "北京市")
    );
    assert_eq!(own["findings_by_code"]["application.http-503"], 14);
    let findings = list(&told, "findings").iter();
    let mut named = findings.filter(|finding| text(finding, "code") == "application.http-503");
    assert!(named.all(|finding| text(finding, "endpoint") == "invoice-api"));
}

#[test]
fn rules_alone_or_beside_all_servers() {
    let only = "built_in = false\n[[endpoint]]\nid = \"x\"\nmatch.addresses = [\"203.0.113.22\"]\n";
    let told = report(DEMO, &file(only));
    assert_eq!(ids(&told), ["x"]);
    let beside = report(DEMO, &file(&format!("others = true\n{only}")));
    assert_eq!(ids(&beside).len(), 6);
    assert_eq!(beside["unjudged"].get("not-an-endpoint"), None);
    assert_eq!(ids(&beside)[0], "x");
}

#[test]
fn the_report_says_which_rules_judged() {
    let identity = |rules: &File| text(&report(DEMO, rules)["tool"], "endpoints").to_owned();
    let (a, b) = (
        rule("a", "match.ports = [443]"),
        rule("a", "match.ports = [8443]"),
    );
    assert_ne!(identity(&a), identity(&b));
    assert_eq!(identity(&a), identity(&rule("a", "match.ports = [443]")));
}

#[test]
fn flows_are_those_of_endpoints() {
    let rules =
        file("built_in = false\n[[endpoint]]\nid = \"x\"\nmatch.names = [\"api.*.example\"]\n");
    let all = wirefault(&["flows", DEMO, "--format", "csv"])
        .stdout
        .lines()
        .count();
    let own = run("flows", DEMO, &rules, "csv").stdout.lines().count();
    assert_eq!((all, own), (215, 41));
}

#[test]
fn a_version_that_a_rule_expects_is_worth_a_remark() {
    let capture = "captures/security/tls-obsolete/tls10-nginx-curl.pcap";
    let expecting = |version: &str| {
        let versions = format!("versions = [\"{version}\"]");
        told(&report(
            capture,
            &rule(
                "dppt",
                &format!("match.names = [\"dppt.{{region}}.chinatax.gov.cn\"]\n{versions}"),
            ),
        ))
    };
    assert_eq!(expecting("TLS 1.0"), ["security.tls-obsolete info"]);
    assert_eq!(expecting("TLS 1.1"), ["security.tls-obsolete warning"]);
}

/// What is told of a capture where the rule of its one server has this threshold.
fn under(capture: &str, threshold: &str) -> Vec<String> {
    let rest =
        format!("match.names = [\"*.chinatax.gov.cn\", \"*.example\"]\nthresholds.{threshold}");
    told(&report(capture, &rule("a", &rest)))
}

#[test]
fn thresholds_of_a_rule_stand_in_for_the_catalogues() {
    let latency = "captures/transport/latency-high/at-the-server.pcap";
    assert_eq!(
        under(latency, "connect_ms = 600"),
        ["transport.latency-high warning"]
    );
    assert!(under(latency, "connect_ms = 800").is_empty());
    let beside_its_median = "captures/transport/latency-high/ten-times-own-median.pcap";
    assert_eq!(
        under(beside_its_median, "connect_ms = 200"),
        ["transport.latency-high warning"]
    );
    assert!(under(beside_its_median, "connect_ms = 500").is_empty());
    let slow = "captures/application/slow-response/far-plain-4s.pcap";
    assert_eq!(
        under(slow, "first_byte_ms = 4000"),
        ["application.slow-response warning"]
    );
    assert!(under(slow, "first_byte_ms = 5000").is_empty());
    let dns = "captures/network/dns-slow/answer-after-1600-ms.pcap";
    assert_eq!(under(dns, "dns_ms = 1500"), ["network.dns-slow warning"]);
    assert!(under(dns, "dns_ms = 2000").is_empty());
    let fallback = "captures/network/dns-slow/only-the-fallback-resolver.pcap";
    assert_eq!(
        under(fallback, "dns_ms = 5000"),
        ["network.dns-slow warning"]
    );
}

#[test]
fn a_rule_brings_trust_anchors_of_its_own() {
    let capture = "captures/healthy/tls-12-keepalive.pcap";
    let rules = rule(
        "a",
        "match.names = [\"*.chinatax.gov.cn\"]\nca_bundle = \"own.pem\"",
    );
    let analyze = |rules: &File| {
        wirefault(&[
            "analyze",
            capture,
            "--format",
            "json",
            "--endpoints",
            &rules.path,
        ])
    };
    let ran = analyze(&rules);
    let reason = format!(
        "{}:4: `ca_bundle` is \"own.pem\", which cannot be read: No such file or directory (os error 2); write a path relative to this file",
        rules.path
    );
    check_refused(&ran, &[reason]);
    fs::copy(support::ROOTS, rules.folder.path().join("own.pem")).expect("a copy");
    let own = json(&analyze(&rules).stdout);
    assert!(told(&own).is_empty(), "{:?}", told(&own));
    let other = json(&analyze(&rule("a", "match.names = [\"*.chinatax.gov.cn\"]")).stdout);
    assert_eq!(told(&other), ["security.cert-chain-incomplete info"]);
    assert_ne!(
        text(&own["tool"], "endpoints"),
        text(&other["tool"], "endpoints")
    );
}

#[test]
fn a_server_that_nobody_named_is_named_by_its_certificate() {
    let capture = "captures/security/cert-name-mismatch/not-hello-without-name.pcap";
    let named = report(capture, &rule("x", "match.names = [\"*.hosting.example\"]"));
    assert_eq!(ids(&named), ["www.hosting.example:443"]);
    let certificate = report(
        capture,
        &rule("x", "match.certificate = [\"hosting.example\"]"),
    );
    assert_eq!(ids(&certificate), ["hosting.example:443"]);
    let neither = report(capture, &rule("x", "match.sni = [\"*.hosting.example\"]"));
    assert_eq!(ids(&neither), Vec::<&str>::new());
}

#[test]
fn the_target_of_a_connect_is_the_endpoint() {
    let connect = |capture: &str, ports: &str| {
        let only = format!(
            "built_in = false\n[[endpoint]]\nid = \"x\"\nmatch.connect = [\"dppt.*.chinatax.gov.cn\"]\n{ports}"
        );
        let capture = format!("captures/application/http-proxy-failed/{capture}.pcap");
        list(&report(&capture, &file(&only)), "endpoints").len()
    };
    for capture in ["not-connect-tls12", "connect-403"] {
        assert_eq!(connect(capture, ""), 1, "{capture}");
        assert_eq!(connect(capture, "match.ports = [3128]"), 1, "{capture}");
        assert_eq!(connect(capture, "match.ports = [9999]"), 0, "{capture}");
    }
}

#[test]
fn lookups_and_hosts_are_told_where_they_concern_an_endpoint() {
    let other =
        || file("built_in = false\n[[endpoint]]\nid = \"x\"\nmatch.names = [\"x.example\"]\n");
    let own = || rule("x", "match.names = [\"x.example\"]");
    let unanswered = "captures/network/dns-timeout/c-ares.pcap";
    assert_eq!(
        told(&report(unanswered, &own())),
        ["network.dns-timeout error"]
    );
    let silent = report(unanswered, &other());
    assert!(told(&silent).is_empty());
    assert_eq!(silent["summary"]["attempts"]["failed"], 0);
    let neighbour = "captures/network/arp-unanswered/neighbour-solicitations-ipv6.pcap";
    assert_eq!(
        told(&report(neighbour, &own())),
        ["network.arp-unanswered error"]
    );
    assert!(told(&report(neighbour, &other())).is_empty());
    let gateway = "captures/network/arp-unanswered/gateway-gone.pcap";
    assert_eq!(
        told(&report(gateway, &other())),
        ["network.arp-unanswered error"]
    );
}
