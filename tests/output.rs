//! What the program writes and where: formats, files, colours, languages, guides and schemas.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

mod support;

use std::fs;
use std::process::Stdio;

use support::run::{Ran, json, list, program, text, wirefault};

/// Two packets: a SYN and the RST that refuses it.
const REFUSED: &str = "captures/transport/syn-refused/java.pcap";

/// Exit status and a part of the sentence on standard error, with nothing on standard output.
fn check_refused(arguments: &[&str], status: i32, says: &str) {
    let ran = wirefault(arguments);
    assert_eq!(ran.status, status, "{arguments:?}: {}", ran.stderr);
    assert!(
        ran.stderr.contains(says),
        "{arguments:?}: no `{says}` in: {}",
        ran.stderr
    );
    assert_eq!(ran.stdout, "", "{arguments:?}");
}

/// Codes of a JSON report.
fn codes(ran: &Ran) -> Vec<String> {
    list(&json(&ran.stdout), "findings")
        .iter()
        .map(|finding| text(finding, "code").to_owned())
        .collect()
}

#[test]
fn output_goes_to_a_file_whole_or_not_at_all() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let path = folder.path().join("report.json");
    let name = path.to_string_lossy().into_owned();
    let ran = wirefault(&["analyze", "--format", "json", "-o", &name, REFUSED]);
    assert_eq!(
        (ran.status, ran.stdout.as_str(), ran.stderr.as_str()),
        (0, "", "")
    );
    let written = fs::read_to_string(&path).expect("the report");
    assert_eq!(
        written,
        wirefault(&["analyze", "--format", "json", REFUSED]).stdout
    );
    // A run that fails leaves the old report and nothing beside it.
    assert_eq!(
        wirefault(&["analyze", "--format", "json", "-o", &name, "no/such.pcap"]).status,
        3
    );
    assert_eq!(fs::read_to_string(&path).expect("the report"), written);
    let files: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let nowhere = folder.path().join("no/such/report.json");
    check_refused(
        &["analyze", "-o", &nowhere.to_string_lossy(), REFUSED],
        2,
        "cannot be written",
    );
    assert!(!nowhere.exists());
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let coloured = |arguments: &[&str]| {
        wirefault(&[&["analyze", REFUSED], arguments].concat())
            .stdout
            .contains('\x1b')
    };
    assert!(!coloured(&[]));
    assert!(!coloured(&["--color", "never"]));
    assert!(coloured(&["--color", "always"]));
    let json = wirefault(&["analyze", "--color", "always", "--format", "json", REFUSED]);
    assert!(!json.stdout.contains('\x1b'));
}

#[test]
fn no_color_is_obeyed_on_a_terminal() {
    let on_terminal = |no_color: &str| {
        let line = format!("{} analyze {REFUSED}", env!("CARGO_BIN_EXE_wirefault"));
        let mut command = std::process::Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .stdin(Stdio::null());
        command
            .env("NO_COLOR", no_color)
            .env("LC_ALL", "C")
            .env("TERM", "xterm");
        command
            .output()
            .ok()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (Some(plain), Some(coloured)) = (on_terminal("1"), on_terminal("")) else {
        eprintln!("SKIPPED: no `script` here to make a terminal");
        return;
    };
    // The progress bar may have been there and gone; colours are "\x1b[…m".
    let colours = |text: &str| {
        text.split('\x1b')
            .skip(1)
            .any(|rest| rest.contains('m') && !rest.starts_with("[K"))
    };
    assert!(!colours(&plain), "{plain:?}");
    assert!(colours(&coloured), "{coloured:?}");
}

#[test]
fn every_format_is_what_it_says() {
    let out = |format: &str| wirefault(&["analyze", "--format", format, REFUSED]).stdout;
    assert_eq!(json(&out("json"))["schema"], "wirefault.report/1");
    let events = out("jsonl");
    let events: Vec<_> = events.lines().map(json).collect();
    assert_eq!(events[0]["type"], "header");
    assert_eq!(events[0]["schema"], "wirefault.events/1");
    assert_eq!(events.last().expect("a line")["type"], "summary");
    assert!(
        events
            .iter()
            .enumerate()
            .all(|(place, event)| event["seq"] == place + 1)
    );
    assert!(
        out("csv")
            .trim_start_matches('\u{feff}')
            .starts_with("id,code,")
    );
    assert_eq!(out("csv").lines().count(), 2);
    for format in ["text", "markdown", "html"] {
        assert!(out(format).contains("transport.syn-refused"), "{format}");
    }
}

#[test]
fn the_page_is_the_same_from_the_same_bytes_and_tells_all_of_the_text_s_findings() {
    let demo = |arguments: &[&str]| {
        let common = [
            "analyze",
            "captures/demo.pcapng",
            "--ca-bundle",
            "captures/lab/roots.pem",
            "--tz",
            "Asia/Shanghai",
            "--format",
        ];
        let ran = wirefault(&[&common, arguments].concat());
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        ran.stdout
    };
    let report = json(&demo(&["json"]));
    for lang in ["en", "zh"] {
        let page = demo(&["html", "--lang", lang]);
        assert_eq!(
            page,
            demo(&["html", "--lang", lang, "--threads", "1"]),
            "{lang}"
        );
        assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"") && page.ends_with("</html>\n"));
        assert!(page.contains("2026-11-25 00:45:58") && page.contains("<h3>"));
        for finding in list(&report, "findings") {
            assert!(page.contains(text(finding, "code")), "{lang}: {finding}");
        }
        for incident in list(&report, "incidents") {
            let anchor = format!("id=\"{}\"", text(incident, "id"));
            assert!(page.contains(&anchor), "{lang}: {anchor}");
        }
    }
    let failing = wirefault(&["analyze", "--format", "html", "--fail-on", "error", REFUSED]);
    assert_eq!(failing.status, 1, "{}", failing.stderr);
    assert!(failing.stdout.ends_with("</html>\n"));
}

#[test]
fn every_top_level_key_is_present_even_for_nothing() {
    let report = json(
        &wirefault(&[
            "analyze",
            "--format",
            "json",
            "captures/hostile/header-only.pcap",
        ])
        .stdout,
    );
    for key in ["captures", "endpoints", "findings", "incidents"] {
        assert!(report[key].is_array(), "{key}");
    }
    for key in ["tool", "summary", "unjudged"] {
        assert!(report[key].is_object(), "{key}");
    }
}

#[test]
fn findings_outside_the_window_are_not_told() {
    let count = |arguments: &[&str]| {
        let ran = wirefault(&[&["analyze", "--format", "json", REFUSED], arguments].concat());
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        codes(&ran).len()
    };
    assert_eq!(count(&["--since", "2020-01-01T00:00:00Z"]), 1);
    assert_eq!(count(&["--since", "2099-01-01T00:00:00Z"]), 0);
    assert_eq!(count(&["--until", "2020-01-01T00:00:00+08:00"]), 0);
}

#[test]
fn chinese_is_told_where_asked_or_where_the_locale_is_chinese() {
    let out = |arguments: &[&str], locale: &str| {
        let mut command = program(&[&["analyze", "--format", "json", REFUSED], arguments].concat());
        let output = command
            .env("LC_ALL", locale)
            .output()
            .expect("the program starts");
        text(
            &json(&String::from_utf8_lossy(&output.stdout))["findings"][0],
            "title",
        )
        .to_owned()
    };
    let chinese = |title: &str| {
        title
            .chars()
            .any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
    };
    assert!(chinese(&out(&["--lang", "zh"], "C")));
    assert!(chinese(&out(&[], "zh_CN.UTF-8")));
    assert!(!chinese(&out(&["--lang", "en"], "zh_CN.UTF-8")));
    assert!(!chinese(&out(&[], "de_DE.UTF-8")));
}

#[test]
fn explain_prints_the_guide_of_a_code_and_names_near_ones() {
    let guide = wirefault(&["explain", "transport.syn-refused"]);
    assert_eq!((guide.status, guide.stderr.as_str()), (0, ""));
    assert_eq!(
        guide.stdout,
        fs::read_to_string("src/failure/transport/syn_refused.en.md").expect("the guide")
    );
    let guide = wirefault(&["explain", "transport.syn-refused", "--lang", "zh"]);
    assert_eq!(
        guide.stdout,
        fs::read_to_string("src/failure/transport/syn_refused.zh.md").expect("the guide")
    );
    check_refused(
        &["explain", "syn-refused"],
        2,
        "did you mean transport.syn-refused?",
    );
    check_refused(
        &["explain", "nothing.at-all"],
        2,
        "`wirefault explain --list` lists all",
    );
    let listed = wirefault(&["explain", "--list"]);
    assert_eq!(listed.status, 0);
    let codes: Vec<&str> = listed
        .stdout
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let all: Vec<&str> = wirefault::failure::classes::ALL
        .iter()
        .map(|class| class.code)
        .collect();
    assert_eq!(codes, all);
}

#[test]
fn schema_prints_both_schemas() {
    for (arguments, title) in [
        (["schema"].as_slice(), "report"),
        (&["schema", "events"], "events"),
    ] {
        let ran = wirefault(arguments);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        let schema = json(&ran.stdout);
        assert!(schema["$schema"].is_string(), "{title}");
    }
    assert_eq!(wirefault(&["schema", "nothing"]).status, 2);
}

#[test]
fn run_figures_are_printed_on_standard_error_only() {
    let ran = wirefault(&["analyze", "--stats", REFUSED]);
    assert_eq!(ran.status, 0);
    assert!(ran.stderr.contains("2 packets"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("2 packets, 1 flows"));
}

/// What surrounds the example in README.md.
const EXAMPLE: (&str, &str) = (
    "do not edit by hand -->\n```text\n",
    "```\n<!-- end of example -->",
);

#[test]
fn the_example_in_the_readme_is_what_the_program_prints() {
    let ran = wirefault(&[
        "analyze",
        "captures/demo.pcapng",
        "--ca-bundle",
        "captures/lab/roots.pem",
    ]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let readme = fs::read_to_string("README.md").expect("README.md");
    let (before, rest) = readme.split_once(EXAMPLE.0).expect("the example begins");
    let (example, after) = rest.split_once(EXAMPLE.1).expect("the example ends");
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        let blessed = [before, EXAMPLE.0, &ran.stdout, EXAMPLE.1, after].concat();
        fs::write("README.md", blessed).expect("README.md");
        return;
    }
    assert_eq!(
        example, ran.stdout,
        "README.md shows another report; `BLESS=1 cargo test --test output readme` writes it anew"
    );
}

#[test]
fn the_schemas_describe_what_is_written() {
    let schema = json(&wirefault(&["schema"]).stdout);
    let report = json(&wirefault(&["analyze", "--format", "json", "captures/demo.pcapng"]).stdout);
    let properties = schema["properties"].as_object().expect("properties");
    let members = report.as_object().expect("an object");
    for key in members.keys() {
        assert!(
            properties.contains_key(key),
            "the schema does not know `{key}`"
        );
    }
    for key in schema["required"].as_array().expect("a list") {
        assert!(
            members.contains_key(key.as_str().expect("a name")),
            "{key} is required and absent"
        );
    }
}

#[test]
fn no_report_holds_a_null_or_an_empty_string() {
    fn check(value: &serde_json::Value, path: &str) {
        match value {
            serde_json::Value::Null => panic!("{path} is null"),
            serde_json::Value::String(text) => assert!(!text.is_empty(), "{path} is empty"),
            serde_json::Value::Array(items) => items.iter().for_each(|item| check(item, path)),
            serde_json::Value::Object(members) => {
                members
                    .iter()
                    .for_each(|(key, member)| check(member, &format!("{path}.{key}")));
            }
            _ => {}
        }
    }
    for path in [
        "captures/demo.pcapng",
        "captures/network",
        "captures/capture",
        "captures/hostile/header-only.pcap",
    ] {
        let ran = wirefault(&["analyze", "--format", "json", path]);
        check(&json(&ran.stdout), path);
    }
}

/// A pipe or a device is written to as it is; a link leads to the file behind it.
#[cfg(unix)]
#[test]
#[allow(clippy::disallowed_methods)] // A pipe has a reader beside its writer.
fn what_is_no_file_is_written_to_and_never_replaced() {
    use std::os::unix::fs::{FileTypeExt as _, symlink};
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-file");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let (real, link) = (folder.join("real.txt"), folder.join("link.txt"));
    fs::write(&real, "before").expect("a file");
    symlink(&real, &link).expect("a link");
    let to = |path: &std::path::Path| {
        let path = path.to_string_lossy().into_owned();
        wirefault(&["analyze", REFUSED, "--quiet", "-o", &path])
    };
    let ran = to(&link);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(fs::symlink_metadata(&link).expect("it stays").is_symlink());
    assert_ne!(fs::read_to_string(&real).expect("text"), "before");
    let pipe = folder.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    let reader = pipe.clone();
    let read = std::thread::spawn(move || fs::read(reader).expect("what was written"));
    let ran = to(&pipe);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(read.join().expect("read"), fs::read(&real).expect("bytes"));
    let kind = fs::metadata(&pipe).expect("it stays").file_type();
    assert!(kind.is_fifo());
}
