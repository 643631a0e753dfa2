//! What a rule of `--endpoints` says is judged by: every kind of match, the protocol, GM, the versions of a path.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;

use support::run::{json, list, text, wirefault};
use tempfile::TempDir;

/// What is told of a TLCP server's chain by these anchors, and how often its root could not be judged.
fn national(capture: &str, anchors: &[&str]) -> (Vec<String>, u64) {
    let path = format!("captures/security/{capture}.pcap");
    let ran = wirefault(&[&["analyze", &path, "--format", "json"], anchors].concat());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let report = json(&ran.stdout);
    let codes = list(&report, "findings")
        .iter()
        .map(|finding| text(finding, "code").to_owned());
    let unjudged = report["unjudged"]["no-sm2-anchors"].as_u64();
    (
        codes.filter(|code| code.contains(".cert-")).collect(),
        unjudged.unwrap_or(0),
    )
}

#[test]
fn without_sm2_anchors_the_root_of_an_sm2_chain_is_not_judged() {
    let given = ["--ca-bundle", support::ROOTS];
    for served in [
        "cert-bad-signature/not-tlcp-served",
        "tlcp-mismatch/not-tlcp-served",
    ] {
        assert_eq!(national(served, &given), (vec![], 0));
        assert_eq!(national(served, &[]), (vec![], 1));
    }
    // Refused for its root: by whom it was signed is not known, so the client's word is all there is.
    let unknown = "cert-chain-incomplete/tlcp-unknown-root-ipv6";
    assert_eq!(
        national(unknown, &given).0,
        ["security.cert-chain-incomplete"]
    );
    assert_eq!(
        national(unknown, &[]),
        (vec!["security.cert-rejected".to_owned()], 1)
    );
    // What does not need an anchor is judged all the same.
    assert_eq!(
        national("cert-expired/tlcp-pair", &[]),
        (vec!["security.cert-expired".to_owned()], 0)
    );
}

/// The endpoints of a capture that belong to a rule of these matches, and what is told of them: code and severity.
fn matched(capture: &str, matches: &str) -> (Vec<String>, Vec<String>) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("rules.toml");
    let rule = format!("built_in = false\n[[endpoint]]\nid = \"the-rule\"\n{matches}\n");
    fs::write(&path, rule).expect("a rule file");
    let ran = wirefault(&[
        "analyze",
        &format!("captures/{capture}"),
        "--endpoints",
        &path.to_string_lossy(),
        "--ca-bundle",
        support::ROOTS,
        "--format",
        "json",
    ]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let report = json(&ran.stdout);
    let ids = list(&report, "endpoints").iter();
    let findings = list(&report, "findings").iter();
    (
        ids.map(|endpoint| text(endpoint, "id").to_owned())
            .collect(),
        findings
            .filter(|finding| text(finding, "layer") != "capture")
            .map(|finding| format!("{} {}", text(finding, "code"), text(finding, "severity")))
            .collect(),
    )
}

#[test]
fn every_kind_of_match_finds_its_servers_and_no_others() {
    let tls = "security/tls-version-mismatch/old-client-curl-tls10.pcap";
    let tls6 = "security/tls-version-mismatch/server-tls11-gnutls-ipv6.pcap";
    let http = "application/http-503/nginx-retry-after.pcap";
    let proxied = "application/http-proxy-failed/connect-403.pcap";
    let unnamed = "security/cert-name-mismatch/not-hello-without-name.pcap";
    let refused = "transport/syn-refused/service-stopped.pcap";
    for (capture, fits, other) in [
        (
            tls,
            "match.names = [\"dppt.*.chinatax.gov.cn\"]",
            "match.names = [\"dppt.chinatax.gov.cn\"]",
        ),
        (
            tls,
            "match.sni = [\"*.chinatax.gov.cn\"]",
            "match.host = [\"*.chinatax.gov.cn\"]",
        ),
        (
            tls,
            "match.addresses = [\"203.0.113.0/24\"]",
            "match.addresses = [\"203.0.112.0/24\"]",
        ),
        (
            tls6,
            "match.addresses = [\"2001:db8:2::/48\"]",
            "match.addresses = [\"2001:db8:3::/48\"]",
        ),
        (tls, "match.ports = [443]", "match.ports = [8443]"),
        (
            tls,
            "match.names = [\"*.chinatax.gov.cn\"]\nmatch.ports = [443]",
            "match.names = [\"*.chinatax.gov.cn\"]\nmatch.ports = [80]",
        ),
        (
            http,
            "match.host = [\"*.einvoice.example\", \"*.chinatax.gov.cn\"]",
            "match.sni = [\"*.einvoice.example\", \"*.chinatax.gov.cn\"]",
        ),
        (
            proxied,
            "match.connect = [\"*.chinatax.gov.cn\"]",
            "match.sni = [\"*.chinatax.gov.cn\"]",
        ),
        (
            unnamed,
            "match.certificate = [\"*.hosting.example\"]",
            "match.certificate = [\"*.other.example\"]",
        ),
        // Nothing but the other connections to it name the server that refuses.
        (
            refused,
            "match.names = [\"dppt.*.chinatax.gov.cn\"]",
            "match.names = [\"etax.*.chinatax.gov.cn\"]",
        ),
    ] {
        assert_eq!(matched(capture, fits).0.len(), 1, "{capture}: {fits}");
        assert_eq!(
            matched(capture, other),
            (vec![], vec![]),
            "{capture}: {other}"
        );
    }
    assert_eq!(
        matched(refused, "match.names = [\"dppt.*.chinatax.gov.cn\"]").1,
        ["transport.syn-refused error"]
    );
}

#[test]
fn the_protocol_of_a_rule_says_what_a_hello_without_an_answer_met() {
    let cut = "security/tls-cut-on-hello/rst-name-filter-curl.pcap";
    let silent = "security/tls-no-reply/nginx-stopped-curl.pcap";
    let names = "match.names = [\"*.chinatax.gov.cn\", \"*.example\"]";
    for (capture, protocol, expect) in [
        (cut, "tls", "security.tls-cut-on-hello error"),
        (cut, "tlcp", "security.tlcp-mismatch error"),
        (cut, "http", "security.tls-not-tls error"),
        (silent, "tls", "security.tls-no-reply error"),
        (silent, "tlcp", "security.tlcp-mismatch error"),
        (silent, "http", "security.tls-not-tls error"),
    ] {
        let rule = format!("{names}\nprotocol = \"{protocol}\"");
        assert_eq!(matched(capture, &rule).1, [expect], "{capture}: {protocol}");
    }
}

#[test]
fn an_endpoint_that_must_use_gm_and_does_not_is_told_once() {
    let names = "match.names = [\"*.chinatax.gov.cn\"]";
    let required = format!("{names}\ngm = \"required\"");
    let tls = "healthy/tls-13-four-stacks.pcap";
    assert_eq!(matched(tls, names).1, Vec::<String>::new());
    assert_eq!(matched(tls, &required).1, ["security.gm-not-used info"]);
    let tlcp = "security/gm-not-used/not-tlcp.pcap";
    let (ids, told) = matched(tlcp, &required);
    assert_eq!((ids.len(), told), (1, vec![]));
}

#[test]
fn the_versions_of_a_path_say_what_a_refusal_means() {
    let capture = "application/api-version-mismatch/not-another-call-succeeds.pcap";
    let rule = |path: &str| {
        format!("match.ports = [8080]\n[[endpoint.path]]\npath = \"{path}\"\nversions = [\"v9\"]")
    };
    let (_, told) = matched(capture, &rule("/*"));
    assert!(
        told.contains(&"application.api-version-mismatch error".to_owned()),
        "{told:?}"
    );
    let (_, told) = matched(capture, &rule("/elsewhere/*"));
    assert!(
        told.iter()
            .all(|code| !code.contains("api-version-mismatch")),
        "{told:?}"
    );
}
