//! What is read in bodies, by payloads as a rule file has them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::endpoint::{Rules, Seen};

fn reads(rules: &str, path: &str, answers: bool) -> Reads {
    let rules = Rules::of_file(&format!("[[endpoint]]\nid=\"a\"\nmatch.names=[\"a.example\"]\npayloads=[\"p\"]\n[[payload]]\nid=\"p\"\n{rules}")).unwrap();
    let (payloads, own) = rules.payloads_of(&Seen {
        name: Some("a.example"),
        ..Seen::default()
    });
    Reads {
        payloads,
        own,
        path: path.into(),
        answers,
    }
}

fn read(rules: &str, text: &str) -> Option<Reading> {
    reads(rules, "/x", true).read(text)
}

const CODE: &str = "code=[\"code\"]\nsuccess=[\"0\",\"0000\"]\nmessage=[\"msg\"]\n";

#[test]
fn a_code_that_is_no_success_is_read_with_its_message() {
    let reading = read(CODE, "{\"code\":9999,\"msg\":\"余额不足\"}").unwrap();
    assert_eq!(reading.code, Some(("code".to_owned(), "9999".to_owned())));
    assert!(!reading.success);
    assert_eq!(reading.message.as_deref(), Some("余额不足"));
    assert!(read(CODE, "{\"code\":0}").unwrap().success);
    assert!(read(CODE, "{\"data\":{\"code\":7}}").is_none_or(|reading| reading.code.is_none()));
}

#[test]
fn a_path_that_a_payload_does_not_speak_of_is_not_read() {
    let rules = format!("paths=[\"/api/*\"]\n{CODE}");
    assert!(reads(&rules, "/other", true).read("{\"code\":1}").is_none());
    assert!(
        reads(&rules, "/api/issue", true)
            .read("{\"code\":1}")
            .is_some()
    );
}

#[test]
fn what_is_wrapped_is_read_too() {
    let rules = "has=[\"data\"]\ninner=[\"data\"]\nzipped=[\"zip = 1\"]\nencrypted=[\"enc = 2\"]\n[[payload]]\nid=\"i\"\neverywhere=true\nhas=[\"r/rc\"]\ncode=[\"r/rc\"]\nsuccess=[\"00\"]\n";
    let inner = "PHI+PHJjPjk5PC9yYz48L3I+"; // <r><rc>99</rc></r>
    let reading = read(rules, &format!("{{\"data\":\"{inner}\"}}")).unwrap();
    assert_eq!(reading.code, Some(("r/rc".to_owned(), "99".to_owned())));
    let closed = read(rules, "{\"data\":\"f7Gx\",\"enc\":\"2\"}").unwrap();
    assert_eq!((closed.closed, closed.undecodable), (1, None));
    let broken = read(rules, &format!("{{\"data\":\"{inner}\",\"zip\":1}}")).unwrap();
    assert_eq!(
        broken.undecodable.map(|(field, how, _)| (field, how)),
        Some(("data".to_owned(), "gzip"))
    );
    let broken = read(rules, "{\"data\":\"%%%%\"}").unwrap();
    assert_eq!(broken.undecodable.map(|(_, how, _)| how), Some("base64"));
}

#[test]
fn messages_wrapped_too_deep_are_not_read() {
    let rules = "has=[\"d\"]\ninner=[\"d\"]\n[[payload]]\nid=\"i\"\neverywhere=true\nhas=[\"c\"]\ncode=[\"c\"]\n";
    let wrapped = |depth: usize| {
        (0..depth).fold("{\"c\":\"7\"}".to_owned(), |inside, _| {
            serde_json::json!({ "d": inside }).to_string()
        })
    };
    assert!(
        read(rules, &wrapped(limits::INNER_MAX))
            .unwrap()
            .code
            .is_some()
    );
    assert!(
        read(rules, &wrapped(limits::INNER_MAX + 1))
            .unwrap()
            .code
            .is_none()
    );
}

#[test]
fn a_digest_is_held_against_the_field_and_against_its_bytes() {
    let rules = "digest=[\"crc\"]\ndigest_of=[\"d\"]\n";
    let of = |digest: &str| {
        read(rules, &format!("{{\"crc\":\"{digest}\",\"d\":\"YWJj\"}}"))
            .unwrap()
            .digest
    };
    assert_eq!(of("900150983cd24fb0d6963f7d28e17f72"), None);
    assert!(of("900150983cd24fb0d6963f7d28e17f73").is_some());
    assert_eq!(of("17"), None);
}

#[test]
fn versions_beyond_the_limit_are_not_compared() {
    let many: Vec<String> = (0..20).map(|n| format!("\"v{n}\"")).collect();
    let body: Vec<String> = (0..20).map(|n| format!("\"v{n}\":1")).collect();
    let reading = read(
        &format!("version=[{}]\n", many.join(",")),
        &format!("{{{}}}", body.join(",")),
    )
    .unwrap();
    assert_eq!(reading.versions.len(), limits::VERSIONS_MAX);
}

#[test]
fn a_message_in_base64_is_told_as_its_words() {
    assert_eq!(said("5Yqg5a+G5aSx6LSl"), "加密失败");
    assert_eq!(said("complete"), "complete");
}

/// What ships, against bodies as the services send them.
#[test]
fn built_in_payloads_read_what_the_services_send() {
    let rules = Rules::built_in();
    let check = |host: &str, path: &str, text: &str, expect: Option<&str>| {
        let (payloads, own) = rules.payloads_of(&Seen {
            name: Some(host),
            host: true,
            ..Seen::default()
        });
        let reading = Reads {
            payloads,
            own,
            path: path.into(),
            answers: true,
        }
        .read(text)
        .unwrap_or_default();
        let code = reading
            .code
            .filter(|_| !reading.success)
            .map(|(_, code)| code);
        let found = reading.session_lost.map(|value| format!("lost {value}"));
        let found = found.or(code).or(reading.version_refused);
        assert_eq!(found.as_deref(), expect, "{text}");
    };
    let dppt = "dppt.guangdong.chinatax.gov.cn";
    check(
        dppt,
        "/kpfw/v1/x",
        r#"{"Response":{"RequestId":"a","Error":{"Code":"GT4-3","Message":"未查询到"}}}"#,
        Some("GT4-3"),
    );
    check(
        dppt,
        "/kpfw/v1/x",
        r#"{"Response":{"RequestId":"a","Error":null,"Data":{}}}"#,
        None,
    );
    check(
        "10.0.0.9",
        "/x",
        r#"<interface version="DZFP1.0"><globalInfo/><returnStateInfo><returnCode>9999</returnCode></returnStateInfo></interface>"#,
        Some("9999"),
    );
    check(
        "10.0.0.9",
        "/x",
        r#"{"globalInfo":{},"returnStateInfo":{"returnCode":"0000"},"data":{}}"#,
        None,
    );
    check(
        "10.0.0.9",
        "/x",
        r#"<business id="A" version="1.0"><body><group><data name="returnCode" value="A7"/></group></body></business>"#,
        Some("A7"),
    );
    check(
        "10.0.0.9",
        "/x",
        r#"<output><group><returncode>91000000</returncode><returnmsg>a</returnmsg></group></output>"#,
        Some("91000000"),
    );
    check(
        "10.0.0.9",
        "/x",
        "<FPXT><OUTPUT><CODE>0001</CODE><MESS>a</MESS></OUTPUT></FPXT>",
        Some("0001"),
    );
    check("10.0.0.9", "/x", r#"{"code":"9999","msg":"a"}"#, None);
    check(
        "skfp.beijing.chinatax.gov.cn",
        "/AuthLogin.auth",
        "ERROR@97@证书已作废",
        Some("97"),
    );
    check(
        "skfp.beijing.chinatax.gov.cn",
        "/AuthLogin.auth",
        "SUCCESS@1a@2b",
        None,
    );
    check(
        "fpdk.beijing.chinatax.gov.cn",
        "/NSbsqWW/x.do",
        r#"jQuery1_2({"key1":"09","key2":"a"})"#,
        Some("lost 09"),
    );
    check(
        "fpdk.beijing.chinatax.gov.cn",
        "/NSbsqWW/x.do",
        r#"jQuery1_2({"key1":"01"})"#,
        None,
    );
    check(
        "openapi.baiwang.com",
        "/router/rest",
        r#"{"success":false,"errorResponse":{"code":"100002","message":"a"}}"#,
        Some("lost 100002"),
    );
    check(
        "openapi.baiwang.com",
        "/router/rest",
        r#"{"success":true,"response":{}}"#,
        None,
    );
    check(
        "sdk.nuonuo.com",
        "/open/v1/services",
        r#"{"code":"E9500","describe":"a"}"#,
        Some("E9500"),
    );
    check(
        "openapi.esign.cn",
        "/v3/sign",
        r#"{"code":0,"message":"成功"}"#,
        None,
    );
    check(
        "openapi.esign.cn",
        "/v3/sign",
        r#"{"code":1435011,"message":"a"}"#,
        Some("1435011"),
    );
    check(
        "lqpt.chinatax.gov.cn",
        "/access/v2/invoke/a/b",
        r#"{"httpStatusCode":"200","body":"{\"Response\":{\"Error\":{\"Code\":\"E1\",\"Message\":\"m\"}}}"}"#,
        Some("E1"),
    );
    check(
        "lqpt.chinatax.gov.cn",
        "/access/v2/invoke/a/b",
        r#"{"returncode":"00","returnmsg":"成功"}"#,
        None,
    );
}

#[test]
fn a_field_that_no_flag_calls_a_message_need_not_be_one() {
    let rules = "has=[\"d\"]\ninner=[\"d\"]\n";
    let reading = read(rules, "{\"d\":\"words, and no base64\"}").unwrap();
    assert_eq!(reading.undecodable, None);
}

#[test]
fn words_of_refusal_beside_a_success_are_no_refusal() {
    let rules = "code=[\"code\"]\nsuccess=[\"0\"]\nsession_lost=[\"msg = *login*\"]\n";
    let lost = |text: &str| read(rules, text).unwrap().session_lost;
    assert_eq!(lost(r#"{"code":0,"msg":"login well"}"#), None);
    assert_eq!(
        lost(r#"{"code":1,"msg":"login?ticket=1"}"#).as_deref(),
        Some("login")
    );
}
