//! Diagnoses made by hand.

use std::sync::Arc;

use crate::engine::diagnosis::{
    Aside, Diagnosis, EndpointBalance, Histogram, RegionBalance, Shares,
};
use crate::engine::row::Row;
use crate::failure::flow::Outcomes;
use crate::failure::{Class, Finding, Lang, Severity, Subject, Text, Value};
use crate::flow::key::FlowKey;
use crate::ingest::{Damage, FileReport, LinkType, Note};
use crate::mark::Mark;
use crate::report::{Findings, Settings, Told, json};
use crate::time::{SECOND, Timestamp};

static CLASS: Class = Class {
    code: "transport.made-up",
    severity: Severity::Error,
    guide: Text {
        en: "# Connection made up\n\n## Remedy\n1. Restart the maker.\n",
        zh: "# 连接被编造\n\n## 处置建议\n1. 重启编造器。\n",
    },
    summary: |finding, lang| {
        let path = finding.text("path").unwrap_or("");
        match lang {
            Lang::En => format!("made up at {path}"),
            Lang::Zh => format!("在 {path} 被编造"),
        }
    },
};

static CAPTURE: Class = Class {
    code: "capture.made-up",
    severity: Severity::Info,
    guide: Text {
        en: "# One side\n\n## Remedy\n1. Move.\n",
        zh: "# 单向\n\n## 处置建议\n1. 移动。\n",
    },
    summary: |_, lang| match lang {
        Lang::En => "the capture lacks the way back".to_owned(),
        Lang::Zh => "抓包没有回程报文".to_owned(),
    },
};

pub(super) fn settings(lang: Lang) -> Settings {
    Settings {
        lang,
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

pub(super) fn told(diagnosis: Diagnosis, settings: &Settings) -> Told {
    lazily(diagnosis, settings).whole()
}

/// As JSON, lines and CSV take it.
pub(super) fn lazily(diagnosis: Diagnosis, settings: &Settings) -> Told<Findings> {
    Told::lazily(diagnosis, &[file()], &[], settings)
}

pub(super) fn as_json(told: &Told<Findings>) -> String {
    let mut text = Vec::new();
    json::report(told, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

pub(super) fn as_events(told: &Told<Findings>) -> String {
    let mut text = Vec::new();
    json::events(told, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// 2026-11-24T16:02:11Z and so many seconds.
fn time(second: i64) -> Timestamp {
    Timestamp::from_ns((1_795_536_131 + second) * SECOND)
}

fn file() -> FileReport {
    FileReport {
        path: "demo.pcapng".to_owned(),
        link_types: vec![LinkType(1)],
        first_time: Some(time(0)),
        last_time: Some(time(60)),
        notes: vec![Note::Damaged {
            offset: 1_000,
            skipped: 7,
            frame_before: 20,
            frame_after: None,
            reason: Damage::Truncated {
                expected: 16,
                found: 7,
            },
        }],
        ..FileReport::default()
    }
}

/// A finding with everything that one can have.
pub(super) fn finding(second: i64, path: &str) -> Finding {
    let (client, server) = (
        ([192, 0, 2, 9].into(), 40_001),
        ([203, 0, 113, 1].into(), 443),
    );
    let (key, _) = FlowKey::of(client, server, 6, 0);
    let frame = u32::try_from(second).unwrap_or(0) + 1;
    let mut finding = Finding::new(&CLASS, Subject::Flow, time(second))
        .seen(
            Mark {
                time: time(second),
                offset: 64,
                file: 0,
                frame,
            },
            "syn",
        )
        .detail("path", Value::Text(path.to_owned()))
        .detail("retries", Value::Number(3))
        .detail("share", Value::Thousandths(125))
        .detail("names", Value::List(vec!["a".to_owned()]))
        .detail("client_acked", Value::Bool(true))
        .detail("not_after", Value::Time(time(0)))
        .detail("empty", Value::Text(String::new()))
        .at_most(
            75,
            Text {
                en: "reverse path not in the capture",
                zh: "抓包中没有回程报文",
            },
        )
        .failing();
    finding.protocol = 6;
    finding.client = Some(client);
    finding.server = Some(server);
    finding.name = Some("tax.beijing.chinatax.gov.cn".to_owned());
    finding.flow = Some((key, time(second)));
    finding.also = vec!["transport.syn-refused"];
    finding.consequences = vec!["security.tls-alert"];
    finding
}

/// One failure, one remark about the capture, one endpoint.
pub(super) fn diagnosis() -> Diagnosis {
    let attempts = Outcomes {
        ok: 5,
        failed: 3,
        answered_no: 1,
        undetermined: 1,
    };
    let mut connect = Histogram::default();
    connect.add(3);
    Diagnosis {
        packets: 1_234,
        flows: 10,
        attempts,
        minutes: Vec::new(),
        forgotten: crate::failure::flow::Outcomes::default(),
        shares: Shares::default(),
        regions: vec![RegionBalance {
            region: "北京市".to_owned(),
            endpoints: vec!["tax.beijing.chinatax.gov.cn:443".to_owned()],
            attempts,
        }],
        endpoints: vec![EndpointBalance {
            id: "tax.beijing.chinatax.gov.cn:443".to_owned(),
            name: Some("tax.beijing.chinatax.gov.cn".to_owned()),
            region: Some("北京市".to_owned()),
            host: Some("tax.beijing.chinatax.gov.cn".to_owned()),
            invoicing: true,
            addresses: vec![[203, 0, 113, 1].into()],
            ports: vec![443],
            proxies: Vec::new(),
            attempts,
            shares: Shares {
                clients: vec![([10, 0, 0, 1].into(), attempts)],
                clients_omitted: 2,
                minutes: vec![(29_000_000, attempts)],
                width: 2,
            },
            latency: [connect.clone(), connect.clone(), connect],
            findings_by_code: [("transport.made-up", 1)].into(),
        }],
        findings: vec![
            Finding::new(&CAPTURE, Subject::Capture, time(1)),
            finding(
                0,
                "/a/very/long/path/that/does/not/fit/into/a/narrow/terminal/at/all",
            ),
        ],
        incidents: Vec::new(),
        unjudged: [
            ("one-sided".to_owned(), 2),
            ("unknown:eth:35020".to_owned(), 7),
        ]
        .into(),
        rows: Vec::new(),
        decrypted: 0,
        trust_store: "made:1".to_owned(),
        key_log: None,
        rules: Arc::default(),
        aside: Aside::default(),
        surroundings: None,
    }
}

/// The same with the remark about the capture.
pub(super) fn with_remark(mut of: Diagnosis) -> Diagnosis {
    of.findings
        .push(Finding::new(&CAPTURE, Subject::Capture, time(1)));
    of
}

/// Five attempts that went well.
pub(super) fn healthy() -> Diagnosis {
    Diagnosis {
        packets: 50,
        flows: 5,
        attempts: Outcomes {
            ok: 5,
            ..Outcomes::default()
        },
        trust_store: "made:1".to_owned(),
        rules: Arc::default(),
        aside: Aside::default(),
        surroundings: None,
        ..Diagnosis::default()
    }
}

/// The same findings again.
pub(super) fn copy(of: &Diagnosis) -> Diagnosis {
    Diagnosis {
        findings: of.findings.clone(),
        ..diagnosis()
    }
}

pub(super) fn flow() -> Row {
    let (orig, resp) = (
        ([192, 168, 2, 9].into(), 40_001),
        ([203, 0, 113, 1].into(), 443),
    );
    Row {
        key: FlowKey::of(orig, resp, 6, 0).0,
        ts: time(0),
        began: None,
        orig,
        resp,
        proto: "tcp",
        service: None,
        duration_ns: SECOND * 3 / 2,
        orig_bytes: 100,
        resp_bytes: 0,
        conn_state: "S0",
        missed_bytes: 0,
        history: "S".to_owned(),
        orig_pkts: 4,
        orig_ip_bytes: 240,
        resp_pkts: 0,
        resp_ip_bytes: 0,
        attempt_outcome: "failed",
        tls_outcome: None,
        server_rtt_ns: None,
        client_rtt_ns: Some(1_234_567),
        syn_retries: 3,
        orig_retransmitted: 0,
        resp_retransmitted: 0,
        name: Some("a,b\t\u{1b}".to_owned()),
        codes: vec!["transport.made-up"],
    }
}
