//! What a report promises, on reports made by hand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod check;
mod html;
mod incident;
mod made;
mod pattern;

use serde_json::{Value as Json, json};

use crate::engine::diagnosis::BOUNDS_MS;
use crate::failure::Lang;
use crate::report::schema::{EVENTS_SCHEMA, REPORT_SCHEMA};
use crate::report::stream::{Stream, Words};
use crate::report::{csv, markdown, table, text};
use check::Check;
use made::{diagnosis, finding, flow, healthy, settings, told};

fn schema(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

fn report() -> Json {
    schema(&made::as_json(&made::lazily(
        diagnosis(),
        &settings(Lang::En),
    )))
}

fn check_report(report: &Json) -> Vec<String> {
    Check::new(&schema(REPORT_SCHEMA), true).violations(report)
}

#[test]
fn rows_that_several_threads_make_are_those_that_one_makes() {
    let by = |threads| {
        let mut told = diagnosis();
        told.findings = (0..5_000)
            .map(|second| finding(second % 40, "/\"\u{7}重"))
            .collect();
        let mut settings = settings(Lang::Zh);
        settings.threads = threads;
        settings.findings_max = usize::MAX;
        made::as_json(&made::lazily(told, &settings))
    };
    let one = by(1);
    assert_eq!(one.matches("{\"id\":\"f-").count(), 5_000);
    assert!(one == by(3), "several threads write something else");
}

#[test]
fn a_report_keeps_its_schema_and_the_schema_names_all_of_it() {
    for lang in [Lang::En, Lang::Zh] {
        let report = schema(&made::as_json(&made::lazily(diagnosis(), &settings(lang))));
        assert_eq!(check_report(&report), Vec::<String>::new());
    }
    let report = schema(&made::as_json(&made::lazily(
        healthy(),
        &settings(Lang::En),
    )));
    assert_eq!(check_report(&report), Vec::<String>::new());
}

#[test]
fn a_report_that_breaks_its_schema_is_found_out() {
    let breaks: [(&str, Json); 12] = [
        ("/schema", json!("wirefault.report/2")),
        ("/findings/0/id", json!("f-123")),
        ("/findings/0/severity", json!("bad")),
        ("/findings/0/subject", json!("")),
        ("/findings/0/confidence", json!(95)),
        ("/findings/0/first_time", json!("2026-11-24T10:02:11Z")),
        ("/findings/0/evidence/0/frame", json!(0)),
        ("/findings/0/confidence_reason", Json::Null),
        ("/findings/0/details/retries", Json::Null),
        (
            "/endpoints/0/latency_ms/connect/histogram/bounds/0",
            json!(2),
        ),
        (
            "/endpoints/0/latency_ms/connect/histogram/counts",
            json!([1]),
        ),
        ("/summary/findings_by_severity", json!({"grave": 1})),
    ];
    for (at, value) in breaks {
        let mut report = report();
        *report.pointer_mut(at).unwrap() = value;
        assert!(!check_report(&report).is_empty(), "{at}");
    }
    for (at, key) in [
        ("", "unjudged"),
        ("/findings/0", "details"),
        ("/captures/0", "notes"),
        ("/summary", "flows"),
    ] {
        let mut report = report();
        report
            .pointer_mut(at)
            .and_then(Json::as_object_mut)
            .unwrap()
            .remove(key);
        assert!(!check_report(&report).is_empty(), "{at}/{key}");
    }
    let mut report = report();
    report["findings"][0]["novel"] = json!(1);
    assert_eq!(
        check_report(&report),
        ["$.findings[0]: novel is not in the schema"]
    );
}

#[test]
fn the_schema_requires_all_that_is_always_there() {
    let schema = schema(REPORT_SCHEMA);
    let required = |at: &str| {
        schema
            .pointer(at)
            .and_then(Json::as_array)
            .map_or(0, Vec::len)
    };
    assert_eq!(required("/required"), 8);
    assert_eq!(required("/$defs/finding/required"), 17);
    assert_eq!(required("/$defs/capture/required"), 10);
    let bounds = schema
        .pointer("/$defs/latency/properties/histogram/properties/bounds/const")
        .unwrap();
    assert_eq!(*bounds, json!(BOUNDS_MS));
}

#[test]
fn every_event_keeps_its_schema_and_their_replay_is_the_report() {
    let told = made::lazily(diagnosis(), &settings(Lang::En));
    let lines: Vec<Json> = made::as_events(&told).lines().map(schema).collect();
    let events = schema(EVENTS_SCHEMA);
    for (place, line) in lines.iter().enumerate() {
        assert_eq!(
            Check::new(&events, false).violations(line),
            Vec::<String>::new()
        );
        assert_eq!(line["seq"], json!(place + 1));
    }
    assert_eq!(
        lines.first().unwrap()["options"]["findings_max"],
        json!(1_000)
    );
    assert_eq!(lines.last().unwrap()["type"], json!("summary"));
    let replayed: Vec<Json> = lines
        .into_iter()
        .filter(|line| line["type"] == "finding")
        .map(|mut line| {
            line.as_object_mut()
                .unwrap()
                .retain(|key, _| key != "type" && key != "seq");
            line
        })
        .collect();
    assert_eq!(json!(replayed), report()["findings"]);
}

#[test]
fn an_event_without_its_number_or_of_no_kind_is_found_out() {
    let events = schema(EVENTS_SCHEMA);
    let check = Check::new(&events, false);
    assert!(
        !check
            .violations(&json!({"type": "summary", "summary": {}, "unjudged": {}}))
            .is_empty()
    );
    assert!(
        !check
            .violations(&json!({"type": "remark", "seq": 1}))
            .is_empty()
    );
}

#[test]
fn findings_alike_in_all_that_ids_are_made_of_have_ids_of_their_own() {
    let mut all = diagnosis();
    all.findings = vec![finding(7, "/b"), finding(7, "/a"), finding(7, "/c")];
    let told = told(all, &settings(Lang::En));
    let ids: Vec<&str> = told
        .report
        .findings
        .iter()
        .map(|finding| finding.id.as_str())
        .collect();
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 3);
    assert_eq!(ids, distinct, "sorted by first time and id");

    let mut turned = diagnosis();
    turned.findings = vec![finding(7, "/c"), finding(7, "/a"), finding(7, "/b")];
    let turned = made::told(turned, &settings(Lang::En));
    assert_eq!(
        json!(told.report.findings),
        json!(turned.report.findings),
        "whatever order they were found in"
    );
}

#[test]
fn findings_are_sorted_by_first_time() {
    let mut all = diagnosis();
    all.findings = vec![finding(9, "/a"), finding(3, "/b"), finding(5, "/c")];
    let told = told(all, &settings(Lang::En));
    let times: Vec<&str> = told
        .report
        .findings
        .iter()
        .map(|finding| finding.first_time.as_str())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn the_excess_folds_by_client_and_counts_on() {
    let mut all = diagnosis();
    all.findings = (0..10).map(|second| finding(second, "/a")).collect();
    let mut settings = settings(Lang::En);
    settings.findings_max = 3;
    let told = told(all, &settings);
    let counts: Vec<u64> = told
        .report
        .findings
        .iter()
        .map(|finding| finding.count)
        .collect();
    assert_eq!(counts, [1, 1, 1, 7]);
    assert_eq!(
        told.report.summary.findings_by_code["transport.made-up"],
        10
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for (lang, width) in [
        (Lang::En, 40),
        (Lang::Zh, 40),
        (Lang::En, 80),
        (Lang::Zh, 80),
        (Lang::Zh, 120),
    ] {
        let mut settings = settings(lang);
        settings.width = width;
        let text = text::write(&told(diagnosis(), &settings), &settings);
        for line in text.lines() {
            assert!(
                crate::report::layout::columns(line) <= width,
                "{width}: {line}"
            );
        }
    }
}

#[test]
fn a_name_from_the_wire_steers_neither_terminal_nor_markup() {
    let mut all = diagnosis();
    all.findings = vec![finding(1, "/\u{1b}[2J\u{9b}31m|<script>")];
    all.endpoints[0].id = "\u{1b}]0;x\u{7}|evil:443".to_owned();
    let settings = settings(Lang::Zh);
    let lazy = made::lazily(all, &settings);
    let mut live = Vec::new();
    let mut stream = Stream::new(Words::new(&mut live, settings.clone()));
    stream
        .finish(&lazy, crate::time::Timestamp::default())
        .unwrap();
    drop(stream);
    let live = String::from_utf8(live).unwrap();
    assert!(live.contains("\\u{1b}[2J"));
    let told = lazy.whole();
    let text = text::write(&told, &settings);
    assert!(text.contains("\\u{1b}[2J"));
    let markdown = markdown::write(&told, &settings);
    assert!(markdown.contains("\\|&lt;script&gt;") && !markdown.contains("<script>"));
    for written in [live, text, markdown] {
        assert!(
            !written
                .chars()
                .any(|letter| letter.is_control() && letter != '\n'),
            "{written}"
        );
    }
}

#[test]
fn colours_are_used_only_where_wanted() {
    let mut settings = settings(Lang::En);
    assert!(!text::write(&told(diagnosis(), &settings), &settings).contains('\u{1b}'));
    settings.color = true;
    assert!(
        text::write(&told(diagnosis(), &settings), &settings).contains("\u{1b}[31mERROR\u{1b}[0m")
    );
}

#[test]
fn nothing_failed_is_said_plainly() {
    let first_line = |lang| {
        let settings = settings(lang);
        text::write(&told(healthy(), &settings), &settings)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        first_line(Lang::En),
        "Nothing failed: all 5 attempts reached their service (judged by 50 packets in 5 TCP flows)"
    );
    assert_eq!(
        first_line(Lang::Zh),
        "未发现失败：5 次访问尝试全部到达服务端（依据 50 个报文、5 条 TCP 流）"
    );
}

#[test]
fn the_text_tells_how_often_who_how_sure_and_where_to_look() {
    let mut all = diagnosis();
    all.findings.truncate(1);
    all.findings
        .extend((0..3).map(|second| finding(second, "/a")));
    let settings = settings(Lang::Zh);
    let text = text::write(&told(all, &settings), &settings);
    for part in [
        "10 次访问尝试中 3 次失败，可用性 66.66%",
        "时区 UTC",
        "重要  连接被编造  transport.made-up",
        "3 次，首次 16:02:11，末次 16:02:13",
        "高度疑似（0.75）：抓包中没有回程报文",
        "demo.pcapng 第 1、2、3 帧",
        "frame.number in {1, 2, 3}",
        "重启编造器。",
        "抓包没有回程报文",
        "未能完整读取",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn numbers_of_taxpayers_are_masked_unless_wanted() {
    let mut all = diagnosis();
    all.findings = vec![finding(1, "/91110108551385082Q_0/upload?token=abc")];
    let summary = |redact| {
        let mut settings = settings(Lang::En);
        settings.redact = redact;
        let told = told(made::copy(&all), &settings);
        (
            told.report.findings[0].summary.clone(),
            told.report.findings[0].details["path"].clone(),
        )
    };
    let shown = "/91110108********2Q_0/upload?token=***";
    assert_eq!(summary(true), (format!("made up at {shown}"), json!(shown)));
    let shown = "/91110108551385082Q_0/upload?token=***";
    assert_eq!(
        summary(false),
        (format!("made up at {shown}"), json!(shown))
    );
}

#[test]
fn csv_has_one_row_a_finding_and_as_many_cells_as_columns() {
    let written = csv::findings(&made::lazily(diagnosis(), &settings(Lang::En)));
    let rows: Vec<&str> = written.split_terminator("\r\n").collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[0].starts_with("id,code,layer,severity,"));
    assert!(
        rows[1]
            .contains(",tax.beijing.chinatax.gov.cn:443,北京市,192.0.2.9,40001,203.0.113.1,443,"),
        "{}",
        rows[1]
    );
}

#[test]
fn flows_have_zeek_s_columns_first_and_absent_is_absent() {
    let rows = [flow()];
    let text = table::text(&rows);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[5].starts_with(
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\t\
         conn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\t\
         tunnel_parents\tip_proto\tattempt_outcome\t"
    ));
    let cells: Vec<&str> = lines[7].split('\t').collect();
    assert_eq!(cells.len(), lines[5].split('\t').count() - 1);
    assert_eq!(cells[0], "1795536131.000000000");
    assert_eq!(
        (cells[7], cells[8], cells[12], cells[20]),
        ("-", "1.500000000", "T", "-")
    );

    let csv = table::csv(&rows);
    assert_eq!(
        csv.lines().next().unwrap(),
        lines[5].trim_start_matches("#fields\t").replace('\t', ",")
    );

    let json: Json = schema(&table::json(&rows));
    assert_eq!(json["schema"], "wirefault.flows/1");
    let flow = &json["flows"][0];
    assert_eq!(flow["ts"], "2026-11-24T16:02:11.000000000Z");
    assert_eq!(
        (&flow["uid"], &flow["duration"], &flow["codes"]),
        (&flow["flow"], &json!(1.5), &json!(["transport.made-up"]))
    );
    assert!(flow.get("service").is_none() && flow.get("tunnel_parents").is_none());
    assert_eq!(schema(&table::jsonl(&rows)), *flow);
    assert_eq!(
        schema(&table::json(&[])),
        json!({"schema": "wirefault.flows/1", "flows": []})
    );
}

#[test]
fn a_hundred_thousand_findings_stay_readable() {
    let mut many = diagnosis();
    many.findings = (0..100_000)
        .map(|number| {
            let mut one = finding(number, "/x");
            one.name = Some(format!("host{}.example", number % 3_000));
            one
        })
        .collect();
    let settings = settings(Lang::En);
    let told = made::lazily(many, &settings).whole();
    let (text, page) = (
        text::write(&told, &settings),
        markdown::write(&told, &settings),
    );
    for told in [&text, &page, &crate::report::html::write(&told, &settings)] {
        assert!(
            told.contains("and 2,980 more, of 99,320 findings"),
            "{}",
            &told[..4_000]
        );
        // The page opens twenty findings of each of its blocks.
        assert!(told.len() < 500_000, "{} bytes", told.len());
    }
    assert!(text.len().max(page.len()) < 50_000);
    assert!(text.lines().count() < 400, "{} lines", text.lines().count());
}
