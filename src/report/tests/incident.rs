//! Incidents in the report.

use serde_json::{Value as Json, json};

use super::check::Check;
use super::made::{as_events, as_json, diagnosis, finding, healthy, lazily, settings, told};
use super::{check_report, schema};
use crate::engine::diagnosis::Diagnosis;
use crate::failure::{Lang, classes};
use crate::flow::heard::Heard;
use crate::incident::{Context, find};
use crate::report::schema::EVENTS_SCHEMA;
use crate::report::{layout, markdown, text};

/// Three SYNs that nobody answered, and what follows from them.
pub(super) fn unanswered() -> Diagnosis {
    let class = classes::ALL
        .iter()
        .find(|class| class.code == "transport.syn-unanswered");
    let findings = (0..3)
        .map(|second| {
            let mut finding = finding(second, "/a");
            finding.class = class.unwrap();
            finding
        })
        .collect();
    with_incidents(Diagnosis {
        findings,
        ..diagnosis()
    })
}

fn with_incidents(mut of: Diagnosis) -> Diagnosis {
    let heard = Heard::default();
    of.incidents = find(&of.findings, &Context::new(Vec::new(), Vec::new(), &heard)).0;
    of
}

#[test]
fn an_incident_keeps_the_schema_and_names_its_findings() {
    for lang in [Lang::En, Lang::Zh] {
        let report: Json = schema(&as_json(&lazily(unanswered(), &settings(lang))));
        assert_eq!(check_report(&report), Vec::<String>::new());
        let incident = &report["incidents"][0];
        assert_eq!(incident["state"], "closed");
        assert_eq!(incident["revision"], 1);
        assert_eq!(
            incident["scope"],
            "endpoint tax.beijing.chinatax.gov.cn:443"
        );
        let ids: Vec<&Json> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| &finding["id"])
            .collect();
        assert_eq!(incident["findings"], json!(ids));
    }
}

#[test]
fn the_events_replay_to_the_incidents_of_the_report() {
    let told = lazily(unanswered(), &settings(Lang::En));
    let check = schema(EVENTS_SCHEMA);
    let mut replayed = Vec::new();
    for mut line in as_events(&told).lines().map(schema) {
        assert_eq!(
            Check::new(&check, false).violations(&line),
            Vec::<String>::new()
        );
        if line["type"] == "incident" {
            line.as_object_mut()
                .unwrap()
                .retain(|key, _| key != "type" && key != "seq");
            replayed.push(line);
        }
    }
    assert_eq!(replayed.len(), 1);
    assert_eq!(
        json!(replayed),
        schema(&as_json(&told))["incidents"],
        "the highest revision counts"
    );
}

#[test]
fn an_incident_without_a_finding_in_the_window_is_not_told() {
    let mut settings = settings(Lang::En);
    settings.since = Some(crate::time::Timestamp::from_ns(i64::MAX));
    assert!(told(unanswered(), &settings).report.incidents.is_empty());
}

#[test]
fn two_causes_that_nothing_separates_are_both_named_with_what_to_capture() {
    let settings = settings(Lang::Zh);
    let told = told(unanswered(), &settings);
    for written in [
        text::write(&told, &settings).replace("\n                ", ""),
        markdown::write(&told, &settings),
    ] {
        for part in [
            "诊断结论",
            "故障等级",
            "影响范围",
            "根因与置信度",
            "间接推断",
            "证据",
            "服务器主机宕机或断网；或：防火墙或安全组拦截了该端口",
            "现有抓包尚无法区分",
            "处置建议",
            "责任方",
            "分层诊断",
            "传输层",
        ] {
            assert!(written.contains(part), "{part} is not in\n{written}");
        }
    }
}

#[test]
fn incidents_come_before_findings_and_keep_to_the_width() {
    for (lang, first, then) in [
        (Lang::En, "Why: the incidents", "What failed"),
        (Lang::Zh, "诊断结论", "证据：逐项发现"),
    ] {
        for width in [40, 80, 120] {
            let mut settings = settings(lang);
            settings.width = width;
            let text = text::write(&told(unanswered(), &settings), &settings);
            assert!(text.find(first).unwrap() < text.find(then).unwrap());
            for line in text.lines() {
                assert!(layout::columns(line) <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn a_report_of_what_is_healthy_has_no_incident_section() {
    let settings = settings(Lang::En);
    assert!(!text::write(&told(healthy(), &settings), &settings).contains("incidents"));
}

#[test]
fn a_failure_that_no_cause_knows_is_an_incident_all_the_same() {
    let settings = settings(Lang::En);
    let text = text::write(&told(with_incidents(diagnosis()), &settings), &settings);
    assert!(text.contains("No known cause fits"), "{text}");
}
