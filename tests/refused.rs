//! What `show` and `extract` refuse, each in one sentence that says what to do.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use std::path::PathBuf;

use support::run::wirefault_fed;

const DEMO: &str = "captures/demo.pcapng";

/// A path that is never written.
fn target() -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("never.pcapng");
    path.to_string_lossy().into_owned()
}

/// These arguments must end with status 2 and this one sentence.
fn refused(arguments: &[&str], sentence: &str) {
    let arguments = [arguments, &["--ca-bundle", support::ROOTS]].concat();
    let ran = wirefault_fed(&arguments, &[]);
    assert_eq!(ran.stderr, format!("wirefault: {sentence}\n"));
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?}");
}

#[test]
fn ids_that_name_nothing_are_refused_in_one_sentence() {
    let out = target();
    for (option, id, sentence) in [
        (
            "--finding",
            "f-0123456789abcdef",
            "no such finding in captures/demo.pcapng; `wirefault analyze PATH --format csv` with the same paths and options lists them",
        ),
        (
            "--flow",
            "w-0123456789abcdef",
            "no such flow in captures/demo.pcapng; `wirefault flows PATH --format csv` with the same paths and options lists them",
        ),
        (
            "--finding",
            "w-0123456789abcdef",
            "this is the id of a flow; give it to --flow",
        ),
        (
            "--finding",
            "syn-refused",
            "not the id of a finding, which looks like f-0123456789abcdef; `wirefault analyze PATH --format csv` lists them",
        ),
    ] {
        let sentence = format!("extract: {option} {id}: {sentence}");
        refused(&["extract", DEMO, option, id, "-o", &out], &sentence);
    }
    assert!(!fs::exists(&out).unwrap(), "nothing is written");
}

#[test]
fn what_cannot_be_done_is_said_in_one_sentence() {
    let out = target();
    let some = "f-59de360f0e4d2eba";
    refused(
        &["extract", DEMO, "--finding", some],
        "extract: no file to write to; name it with -o out.pcapng",
    );
    refused(
        &["extract", DEMO, "-o", &out],
        "extract: nothing is asked for; give --finding ID or --flow ID, `wirefault analyze PATH --format csv` lists them",
    );
    refused(
        &["extract", "-", "--finding", some, "-o", &out],
        "extract: - can be read only once, and extract reads its input twice; save it as a file first and give that",
    );
    refused(
        &["extract", DEMO, "--finding", some, "-o", DEMO],
        "captures/demo.pcapng: this is one of the captures that are read; choose another --output",
    );
    refused(
        &[
            "extract",
            DEMO,
            "--finding",
            some,
            "-o",
            &out,
            "--format",
            "json",
        ],
        "extract: --format is not offered; `wirefault analyze --format json` has the same findings as data",
    );
    assert!(!fs::exists(&out).unwrap(), "nothing is written");
}

#[test]
fn what_cannot_be_shown_is_said_in_one_sentence() {
    refused(
        &["show", DEMO, "--finding", "f-0123456789abcdef"],
        "show: --finding f-0123456789abcdef: no such finding in captures/demo.pcapng; `wirefault analyze PATH --format csv` with the same paths and options lists them",
    );
    refused(
        &["show", DEMO],
        "show: one id is needed; give --finding ID or --flow ID, `wirefault analyze PATH --format csv` lists them",
    );
    refused(
        &["show", "-", "--flow", "w-0123456789abcdef"],
        "show: - can be read only once, and show reads its input twice; save it as a file first and give that",
    );
}
