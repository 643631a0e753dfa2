//! Who else hears what a live run tells: Prometheus scrapes it, a webhook that fails at times misses nothing.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for other programs by the machine's time"
)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use support::beside::{Beside, Live, fetched, free_port, until};
use support::run::{json, text};

const DEMO: &str = "captures/demo.pcapng";

/// The events of `-o`, as a webhook names them.
fn events(path: &Path) -> BTreeSet<String> {
    let lines = std::fs::read_to_string(path).expect("the run's lines");
    let events = lines.lines().map(json);
    events
        .filter_map(|line| match (text(&line, "type"), text(&line, "id")) {
            ("incident", id) => Some(format!("{id}.{}", line["revision"])),
            ("withdrawn", id) if id.starts_with("i-") => Some(format!("{id}.withdrawn")),
            _ => None,
        })
        .collect()
}

/// A receiver of such tempers, one after the other.
fn receiver(port: u16, log: &Path, tempers: &[&str], set: &[(&str, &str)]) -> Beside {
    let (port, log) = (port.to_string(), log.display().to_string());
    let mut arguments = vec!["tests/telling/receiver.py", &port, &log];
    arguments.extend(tempers);
    Beside::start_with("python3", &arguments, set)
}

/// A run with a webhook, whose lines go to `own`.
fn hooked(folder: &Path, port: u16, own: &str) -> Live {
    let secret = folder.join("secret");
    std::fs::write(&secret, "Authorization: Bearer s3cret\n").expect("a file");
    let url = format!("http://127.0.0.1:{port}/hook");
    let queue = folder.join("queue").display().to_string();
    let header = format!("@{}", secret.display());
    let own = folder.join(own).display().to_string();
    let hook = ["--webhook", &url, "--webhook-queue", &queue];
    let rest = ["--webhook-header", &header, "--format", "jsonl", "-o", &own];
    Live::start(&[&hook[..], &rest[..]].concat(), folder)
}

/// What a receiver logged.
fn received(log: &Path) -> Vec<Value> {
    let lines = std::fs::read_to_string(log).unwrap_or_default();
    // The last line may be half written.
    let whole = lines.rfind('\n').map_or("", |end| &lines[..end]);
    whole.lines().map(json).collect()
}

#[test]
fn prometheus_scrapes_a_run_and_answers_queries_about_it() {
    if !support::beside::installed("prometheus") || !support::beside::installed("promtool") {
        eprintln!(
            "SKIPPED: prometheus is not installed: nothing scrapes /metrics (apt-get install prometheus)"
        );
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut live = Live::start(&["--listen", "0", "--format", "jsonl"], folder.path());
    live.feed(DEMO);
    let address = live.says("serves http://", "/metrics");
    until("all incidents are open", || {
        fetched(&address, "/metrics").contains("wirefault_incidents_opened_total 3\n")
    });
    let page = fetched(&address, "/metrics");
    let lint = support::beside::fed("promtool", &["check", "metrics"], &page);
    assert_eq!(lint, (true, String::new()), "promtool has nothing to say");

    let port = free_port();
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: wirefault\n  static_configs:\n  - targets: ['{address}']\n"
    );
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, config).expect("a file");
    let web = format!("127.0.0.1:{port}");
    let _prometheus = Beside::start(
        "prometheus",
        &[
            &format!("--config.file={}", file.display()),
            &format!(
                "--storage.tsdb.path={}",
                folder.path().join("tsdb").display()
            ),
            &format!("--web.listen-address={web}"),
        ],
    );
    let query = |query: &str| -> Option<f64> {
        let answer = fetched(&web, &format!("/api/v1/query?query={query}"));
        let answer: Value = serde_json::from_str(&answer).ok()?;
        answer["data"]["result"][0]["value"][1]
            .as_str()?
            .parse()
            .ok()
    };
    until("Prometheus has scraped the run", || {
        query("up") == Some(1.0)
    });
    assert_eq!(
        query("sum(wirefault_attempts_total%7Boutcome=%22failed%22%7D)"),
        Some(78.0)
    );
    assert_eq!(
        query(
            "wirefault_attempts_total%7Bendpoint=%22api.einvoice.example:80%22,outcome=%22failed%22%7D"
        ),
        Some(14.0)
    );
    let slow = "histogram_quantile(0.95,wirefault_first_byte_seconds_bucket%7Bendpoint=%22api.einvoice.example:80%22%7D)";
    assert!(
        query(slow).is_some_and(|seconds| (1.0..=5.0).contains(&seconds)),
        "{:?}",
        query(slow)
    );
    assert_eq!(query("wirefault_healthy"), Some(1.0));
    live.end();
}

#[test]
fn a_webhook_that_fails_in_every_way_misses_nothing_over_restarts_and_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, port) = (folder.path().join("log"), free_port());
    let run = |own| hooked(folder.path(), port, own);
    // Nobody listens, and the run is killed when it has told all: SIGKILL.
    let mut first = run("first");
    first.feed(DEMO);
    first.says("webhook http://127.0.0.1", "wait on disk");
    until("three incidents are open", || {
        events(&folder.path().join("first")).len() >= 3
    });
    first.kill();
    // The next run delivers to a receiver of every temper, and is killed while it does.
    let tempers = [
        "500", "reset", "200", "close", "cut", "200", "garbage", "429", "hang",
    ];
    let tempers = receiver(port, &log, &tempers, &[]);
    let mut second = run("second");
    until("the receiver hangs", || {
        received(&log)
            .last()
            .is_some_and(|last| text(last, "temper") == "hang")
    });
    second.kill();
    drop(tempers);
    let before = events(&folder.path().join("first"));
    let kind = receiver(port, &log, &["200"], &[]);
    let mut third = run("third");
    third.feed("captures/transport/syn-refused/java.pcap");
    let taken = || -> BTreeSet<String> {
        let all = received(&log).into_iter();
        all.filter(|one| text(one, "temper") == "200")
            .map(|one| text(&one["body"], "id").to_owned())
            .collect()
    };
    until("everything has arrived", || before.is_subset(&taken()));
    third.end();
    let mut expected = before;
    expected.extend(events(&folder.path().join("third")));
    assert!(
        expected.len() > 3,
        "the last run tells an incident too: {expected:?}"
    );
    until("what the end told has arrived", || taken() == expected);
    drop(kind);
    for one in received(&log) {
        assert_eq!(text(&one, "auth"), "Bearer s3cret");
        let body = &one["body"];
        assert_eq!(text(body, "schema"), "wirefault.webhook/1");
        assert!(text(body, "text").starts_with("incident "), "{body}");
        let incident = &body["incident"];
        assert!(text(body, "id").starts_with(text(incident, "id")), "{body}");
    }
}

/// The messages that a trapper took: header, data before the time of sending, and the values.
fn messages(path: &Path) -> Vec<(Vec<u8>, String, Vec<Value>)> {
    let lines = std::fs::read_to_string(path).unwrap_or_default();
    let whole = lines.rfind('\n').map_or("", |end| &lines[..end]);
    let bytes = |line: &str| -> Vec<u8> {
        let digits = line.as_bytes().chunks(2);
        let digits = digits.map(|two| std::str::from_utf8(two).expect("hex"));
        digits
            .map(|two| u8::from_str_radix(two, 16).expect("hex"))
            .collect()
    };
    whole
        .lines()
        .map(|line| {
            let all = bytes(line);
            let (header, data) = all.split_at(13);
            let data = std::str::from_utf8(data).expect("text");
            let values = json(data)["data"].as_array().cloned().expect("values");
            let end = data.rfind("],\"clock\":").expect("a time of sending");
            (header.to_vec(), data[..end].to_owned(), values)
        })
        .collect()
}

#[test]
fn zabbix_is_sent_what_zabbix_sender_sends_for_the_same_values() {
    if !support::beside::installed("zabbix_sender") {
        eprintln!("SKIPPED: no zabbix_sender to compare with (apt-get install zabbix-sender)");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (log, port) = (folder.path().join("log"), free_port());
    let server = format!("127.0.0.1:{port}");
    let options = [
        "--zabbix",
        &server,
        "--zabbix-host",
        "gw \"1\"",
        "-o",
        "/dev/null",
    ];
    // The server comes late: what was true before waits.
    let mut live = Live::start(&options, folder.path());
    live.feed(DEMO);
    live.says("zabbix 127.0.0.1", "figures wait");
    let (port_text, log_text) = (port.to_string(), log.display().to_string());
    let trapper = Beside::start(
        "python3",
        &["tests/telling/trapper.py", &port_text, &log_text],
    );
    until("figures arrive", || !messages(&log).is_empty());
    live.end();
    let own = messages(&log);
    let (header, data, values) = own.last().expect("the end's figures");
    let line = |value: &Value| {
        let quoted = |key: &str| text(value, key).replace('\\', "\\\\").replace('"', "\\\"");
        let (host, key) = (quoted("host"), quoted("key"));
        format!(
            "\"{host}\" \"{key}\" {} \"{}\"\n",
            value["clock"],
            quoted("value")
        )
    };
    let input: String = values.iter().map(line).collect();
    let sender = ["-z", "127.0.0.1", "-p", &port_text, "-T", "-i", "-"];
    let (well, said) = support::beside::fed("zabbix_sender", &sender, &input);
    assert!(well, "{said}");
    let theirs = messages(&log);
    let theirs = theirs.last().expect("theirs");
    assert_eq!(data, &theirs.1);
    // The length alone may differ: by the digits of the time of sending.
    assert_eq!(header[..5], theirs.0[..5]);
    assert_eq!(header[9..], theirs.0[9..]);
    let found = values
        .iter()
        .find(|one| text(one, "key") == "wirefault.endpoints");
    let found = json(text(found.expect("discovery"), "value"));
    let names: BTreeSet<&str> = found
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| text(one, "{#ENDPOINT}"))
        .collect();
    assert!(names.contains("api.einvoice.example:80"), "{names:?}");
    let failed = "wirefault.failed[api.einvoice.example:80]";
    let failed = values.iter().find(|one| text(one, "key") == failed);
    assert_eq!(text(failed.expect("a figure"), "value"), "14");
    drop(trapper);
}

/// A certificate for `localhost` in `FILE.crt`, with its key in `FILE`.
#[cfg(feature = "https")]
fn certify(file: &Path, name: &str) {
    let (key, certificate) = (
        file.display().to_string(),
        format!("{}.crt", file.display()),
    );
    let subject = format!("/CN={name}");
    let made = std::process::Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", &subject, "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=CA:FALSE"])
        .args(["-keyout", &key, "-out", &certificate])
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{made:?}");
    let both = [certificate, key].map(|part| std::fs::read(part).expect("a file"));
    std::fs::write(file, both.concat()).expect("a file");
}

#[cfg(feature = "https")]
#[test]
fn a_webhook_over_https_is_given_to_whom_the_bundle_vouches_for_and_to_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (queue, log) = (folder.path().join("queue"), folder.path().join("log"));
    let (pem, other) = (
        folder.path().join("own.pem"),
        folder.path().join("other.pem"),
    );
    certify(&pem, "own");
    certify(&other, "other");
    let port = free_port();
    let (url, queue) = (
        format!("https://localhost:{port}/"),
        queue.display().to_string(),
    );
    let run = |trusted: &Path| {
        let trusted = trusted.with_extension("pem.crt").display().to_string();
        let mut live = Live::start(
            &[
                "--webhook",
                &url,
                "--webhook-queue",
                &queue,
                "--webhook-ca",
                &trusted,
                "-o",
                "/dev/null",
            ],
            folder.path(),
        );
        live.feed("captures/transport/syn-refused/java.pcap");
        live
    };
    let set = [("CERT", &*pem.display().to_string())];
    let receiver = receiver(port, &log, &["200"], &set);
    let mut stranger = run(&other);
    stranger.stop();
    stranger.says("UnknownIssuer", "wait on disk");
    stranger.end();
    assert_eq!(received(&log), Vec::<Value>::new());
    let mut known = run(&pem);
    known.end();
    until("what waited has arrived", || !received(&log).is_empty());
    drop(receiver);
}
