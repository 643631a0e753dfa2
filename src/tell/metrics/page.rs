//! The page: Prometheus' text format 0.0.4, a family after the other.

use std::fmt::Write as _;

use crate::tell::Vitals;
use crate::tell::metrics::Metrics;
use crate::tell::metrics::ledger::{Ledger, TOLD_MS, Times};
use crate::tell::vitals::Receiver;
use crate::time::{SECOND, Timestamp};

/// Outcomes by their place in a sum.
const OUTCOMES: [&str; 3] = ["ok", "failed", "answered_no"];

/// What the last look told.
pub(super) fn write(metrics: &Metrics) -> String {
    let mut out = String::new();
    build(&mut out, metrics);
    capture(&mut out, metrics);
    endpoints(&mut out, metrics);
    latencies(&mut out, metrics);
    incidents(&mut out, metrics);
    out
}

/// A family's head.
fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// One series.
fn series(out: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
    out.push_str(name);
    if !labels.is_empty() {
        out.push('{');
        for (place, (label, text)) in labels.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let _ = write!(out, "{comma}{label}=\"{}\"", escaped(text));
        }
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => safe.push_str("\\\\"),
            '"' => safe.push_str("\\\""),
            '\n' => safe.push_str("\\n"),
            letter => safe.push(letter),
        }
    }
    safe
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

fn unix(time: Timestamp) -> String {
    format!("{}", time.ns().div_euclid(SECOND))
}

fn build(out: &mut String, metrics: &Metrics) {
    let name = "wirefault_build_info";
    head(
        out,
        name,
        "gauge",
        "What judges: version, catalogue of codes, endpoint rules.",
    );
    let [version, catalogue, endpoints] = &metrics.told.build;
    let labels = [
        ("version", version.as_str()),
        ("catalogue", catalogue),
        ("endpoints", endpoints),
    ];
    series(out, name, &labels, 1);
}

fn capture(out: &mut String, metrics: &Metrics) {
    let told = &metrics.told;
    for (name, help, value) in [
        ("wirefault_packets_total", "Packets read.", told.packets),
        (
            "wirefault_captured_bytes_total",
            "Bytes of these packets, as captured.",
            told.bytes,
        ),
        ("wirefault_flows_total", "TCP flows seen.", told.flows),
    ] {
        head(out, name, "counter", help);
        series(out, name, &[], value);
    }
    let name = "wirefault_capture_clock_timestamp_seconds";
    head(
        out,
        name,
        "gauge",
        "Time of the capture at the last look, to which all figures stand.",
    );
    series(out, name, &[], unix(told.clock));
    let name = "wirefault_dropped_packets_total";
    head(
        out,
        name,
        "counter",
        "Packets lost before they were read: by the system or our queue for want of room, or by the interface.",
    );
    for (interface, [system, own]) in &told.lost {
        for (by, count) in [("system", system), ("interface", own)] {
            series(out, name, &[("interface", interface), ("by", by)], count);
        }
    }
    let name = "wirefault_unjudged_total";
    head(
        out,
        name,
        "counter",
        "What could not be decoded or decided, by reason.",
    );
    for (reason, count) in &told.unjudged {
        series(out, name, &[("reason", reason)], count);
    }
}

fn endpoints(out: &mut String, metrics: &Metrics) {
    let ledger = &metrics.ledger;
    let name_of = |place: usize| ledger.places.names().get(place).map_or("", String::as_str);
    let name = "wirefault_attempts_total";
    head(
        out,
        name,
        "counter",
        "Attempts to reach an endpoint, by outcome; answered_no reached a service that refused.",
    );
    for (place, sum) in &ledger.told.endpoints {
        for (outcome, count) in OUTCOMES.iter().zip(sum.outcomes) {
            let labels = [("endpoint", name_of(*place)), ("outcome", outcome)];
            series(out, name, &labels, count);
        }
    }
    let name = "wirefault_attempts_undetermined";
    head(
        out,
        name,
        "gauge",
        "Attempts of the last minutes of which the outcome is not known, or not yet.",
    );
    for (place, now) in &ledger.now {
        series(
            out,
            name,
            &[("endpoint", name_of(*place))],
            now.undetermined,
        );
    }
    let name = "wirefault_availability_ratio";
    head(
        out,
        name,
        "gauge",
        "Share of the decided attempts of the last ten to fifteen minutes that reached the service.",
    );
    for (place, now) in &ledger.now {
        let (reached, decided) = now.reached;
        if decided > 0 {
            let share = reached as f64 / decided as f64;
            series(
                out,
                name,
                &[("endpoint", name_of(*place))],
                format!("{share:.6}"),
            );
        }
    }
    findings(out, ledger);
    let name = "wirefault_endpoints_folded";
    head(
        out,
        name,
        "gauge",
        "Endpoints of the last minutes that are counted as endpoint=\"other\".",
    );
    series(out, name, &[], ledger.places.folded);
}

fn findings(out: &mut String, ledger: &Ledger) {
    let name_of = |place: usize| ledger.places.names().get(place).map_or("", String::as_str);
    let name = "wirefault_findings_total";
    head(
        out,
        name,
        "counter",
        "Findings by code, once they stand for five seconds; endpoint is empty where it is none's.",
    );
    for ((place, code), count) in &ledger.told.findings {
        let endpoint = place.map_or("", name_of);
        series(out, name, &[("endpoint", endpoint), ("code", code)], count);
    }
    let name = "wirefault_certificate_not_after_timestamp_seconds";
    head(
        out,
        name,
        "gauge",
        "When the first of an endpoint's leaf certificates expires, as last shown in clear (TLS 1.3 encrypts them).",
    );
    for (place, until) in &ledger.not_after {
        series(out, name, &[("endpoint", name_of(*place))], unix(*until));
    }
}

fn latencies(out: &mut String, metrics: &Metrics) {
    let ledger = &metrics.ledger;
    let name_of = |place: usize| ledger.places.names().get(place).map_or("", String::as_str);
    for (kind, (name, help)) in [
        ("wirefault_connect_seconds", "From SYN to SYN-ACK."),
        (
            "wirefault_tls_handshake_seconds",
            "From the ClientHello to the end of the handshake.",
        ),
        (
            "wirefault_first_byte_seconds",
            "From the end of a request to the first byte of its answer.",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        head(out, name, "histogram", help);
        for (place, sum) in &ledger.told.endpoints {
            if let Some(times) = sum.times.get(kind) {
                histogram(out, name, ("endpoint", name_of(*place)), times);
            }
        }
    }
    let name = "wirefault_lookup_seconds";
    head(
        out,
        name,
        "histogram",
        "From the first query for a name to the answer with its address.",
    );
    for (resolver, times) in &ledger.told.resolvers {
        histogram(out, name, ("resolver", resolver), times);
    }
}

fn histogram(out: &mut String, name: &str, label: (&str, &str), times: &Times) {
    let total: u64 = times.counts.iter().sum();
    if total == 0 {
        return;
    }
    let bucket = format!("{name}_bucket");
    let mut sum = 0;
    for (count, bound) in times.counts.iter().zip(TOLD_MS) {
        sum += count;
        let le = (f64::from(bound) / 1e3).to_string();
        series(out, &bucket, &[label, ("le", &le)], sum);
    }
    series(out, &bucket, &[label, ("le", "+Inf")], total);
    series(
        out,
        &format!("{name}_sum"),
        &[label],
        seconds(times.total_ms),
    );
    series(out, &format!("{name}_count"), &[label], total);
}

fn incidents(out: &mut String, metrics: &Metrics) {
    let name = "wirefault_incidents_open";
    head(out, name, "gauge", "Incidents that go on, by severity.");
    for severity in ["critical", "error", "warning", "info"] {
        let open = metrics.open.values().filter(|one| **one == severity);
        series(out, name, &[("severity", severity)], open.count());
    }
    let name = "wirefault_incidents_opened_total";
    head(out, name, "counter", "Incidents that opened.");
    series(out, name, &[], metrics.opened);
}

/// What is known at once: the state of the run and its receivers.
pub(super) fn vitals(out: &mut String, vitals: &Vitals) {
    let name = "wirefault_healthy";
    head(out, name, "gauge", "1 where /healthz says ok.");
    series(out, name, &[], u8::from(vitals.complaints().is_empty()));
    let name = "wirefault_silence_seconds";
    head(out, name, "gauge", "Since the last packet.");
    series(
        out,
        name,
        &[],
        format!("{:.3}", vitals.silence().as_secs_f64()),
    );
    if let Some(bytes) = resident() {
        let name = "process_resident_memory_bytes";
        head(out, name, "gauge", "Resident memory size in bytes.");
        series(out, name, &[], bytes);
    }
    let receivers = vitals.receivers();
    type Figure = fn(&Receiver) -> &std::sync::atomic::AtomicU64;
    let figures: [(&str, &str, &str, Figure); 4] = [
        (
            "wirefault_receiver_sent_total",
            "counter",
            "Messages that a receiver took.",
            |one| &one.sent,
        ),
        (
            "wirefault_receiver_failures_total",
            "counter",
            "Tries to reach a receiver that came to nothing.",
            |one| &one.failures,
        ),
        (
            "wirefault_receiver_dropped_total",
            "counter",
            "Messages lost: for want of room, or because the receiver will never take them.",
            |one| &one.dropped,
        ),
        (
            "wirefault_receiver_queued",
            "gauge",
            "Messages that wait for a receiver.",
            |one| &one.queued,
        ),
    ];
    for (name, kind, help, figure) in figures {
        if receivers.is_empty() {
            break;
        }
        head(out, name, kind, help);
        for (receiver, counts) in &receivers {
            let value = figure(counts).load(std::sync::atomic::Ordering::Relaxed);
            series(out, name, &[("receiver", receiver)], value);
        }
    }
}

/// Resident memory, where `/proc` tells it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1_024)
}
