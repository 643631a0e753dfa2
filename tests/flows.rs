//! `wirefault flows` against rows worked out by hand from the packets: Zeek's state, history, bytes and packets.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::Value;
use support::run::{json, text, wirefault};

/// First row of a capture: `conn_state history orig_bytes/resp_bytes orig_pkts/resp_pkts attempt_outcome`.
fn check(path: &str, wanted: &str) {
    let ran = wirefault(&["flows", "--format", "jsonl", path]);
    assert_eq!(ran.stderr, "", "{path}");
    let row = json(ran.stdout.lines().next().expect("a row"));
    let number = |key: &str| row[key].as_u64().unwrap_or(0);
    let found = format!(
        "{} {} {}/{} {}/{} {}",
        text(&row, "conn_state"),
        text(&row, "history"),
        number("orig_bytes"),
        number("resp_bytes"),
        number("orig_pkts"),
        number("resp_pkts"),
        text(&row, "attempt_outcome"),
    );
    assert_eq!(found, wanted, "{path}");
}

#[test]
fn an_ordinary_exchange_is_sf() {
    check(
        "captures/healthy/net-plain-exchanges.pcap",
        "SF ShADadFf 68/84 6/4 ok",
    );
}

#[test]
fn a_client_that_closes_its_side_first_still_gets_its_answer() {
    check(
        "captures/transport/closed-early/not-half-close.pcap",
        "SF ShADaFdf 68/84 6/5 ok",
    );
}

#[test]
fn two_clients_that_open_towards_each_other_are_one_flow() {
    check(
        "captures/healthy/net-simultaneous-open.pcap",
        "SF SsHhAaDdFf 13/19 7/6 ok",
    );
}

#[test]
fn a_refused_connection_is_rej() {
    check(
        "captures/transport/syn-refused/closed-port.pcap",
        "REJ Sr 0/0 1/1 failed",
    );
}

#[test]
fn a_flow_of_one_direction_is_sh_and_undetermined() {
    check(
        "captures/transport/syn-unanswered/not-one-sided.pcap",
        "SH SADF 68/0 6/0 undetermined",
    );
}

#[test]
fn a_reset_of_the_server_is_rstr() {
    check(
        "captures/transport/reset-by-server/mid-body.pcap",
        "RSTR ShADadr 68/2900 6/6 failed",
    );
}

#[test]
fn a_reset_of_the_client_is_rsto() {
    check(
        "captures/transport/reset-by-client/while-server-sends.pcap",
        "RSTO ShADadR 66/6000 9/7 failed",
    );
    check(
        "captures/healthy/net-rst-after-fin-race.pcap",
        "RSTO ShADadfR 68/84 5/4 ok",
    );
}

#[test]
fn a_path_that_dies_leaves_retransmissions() {
    check(
        "captures/transport/data-unacked/path-dies.pcap",
        "S1 ShADadT 182/84 11/3 failed",
    );
}

#[test]
fn a_syn_ack_that_never_arrives_is_one_flow_with_its_retries() {
    let path = "captures/transport/handshake-incomplete/client-firewall-drops-synack.pcap";
    check(path, "S1 Sh 0/0 6/6 failed");
    assert_eq!(first(path)["syn_retries"], 5);
}

#[test]
fn a_flow_older_than_the_capture_has_no_s_in_its_history() {
    check(
        "captures/capture/starts-mid-flow/download-under-way.pcap",
        "SF DdAFf 136/168 5/3 ok",
    );
}

#[test]
fn unanswered_syns_are_s0_and_one_flow() {
    let row = first("captures/transport/connect-slow/not-long-round-trip.pcap");
    assert_eq!(row["conn_state"], "SF");
    let unanswered = "captures/transport/syn-unanswered/not-capture-ends.pcap";
    let ran = wirefault(&["flows", "--format", "jsonl", unanswered]);
    let rows: Vec<Value> = ran.stdout.lines().map(json).collect();
    let silent: Vec<&Value> = rows
        .iter()
        .filter(|row| row["conn_state"] == "S0")
        .collect();
    assert_eq!(silent.len(), 1, "{}", ran.stdout);
    assert_eq!(silent[0]["history"], "S");
    assert_eq!(silent[0]["attempt_outcome"], "undetermined");
}

#[test]
fn text_is_a_log_that_zeek_cut_reads() {
    let ran = wirefault(&["flows", "captures/transport/syn-refused/closed-port.pcap"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "#separator \\x09");
    let fields = lines
        .iter()
        .find_map(|line| line.strip_prefix("#fields\t"))
        .expect("fields");
    let types = lines
        .iter()
        .find_map(|line| line.strip_prefix("#types\t"))
        .expect("types");
    let row = lines
        .iter()
        .find(|line| !line.starts_with('#'))
        .expect("a row");
    let columns = fields.split('\t').count();
    assert_eq!(types.split('\t').count(), columns);
    assert_eq!(row.split('\t').count(), columns);
    assert!(fields.starts_with(
        "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\t"
    ));
}

#[test]
fn csv_has_the_same_columns_as_text() {
    let path = "captures/transport/syn-refused/closed-port.pcap";
    let text = wirefault(&["flows", path]).stdout;
    let fields = text
        .lines()
        .find_map(|line| line.strip_prefix("#fields\t"))
        .expect("fields");
    let csv = wirefault(&["flows", "--format", "csv", path]).stdout;
    let header = csv
        .trim_start_matches('\u{feff}')
        .lines()
        .next()
        .expect("a header");
    assert_eq!(header.trim_end(), fields.replace('\t', ","));
}

/// The first row as JSON.
fn first(path: &str) -> Value {
    let ran = wirefault(&["flows", "--format", "jsonl", path]);
    json(ran.stdout.lines().next().expect("a row"))
}
