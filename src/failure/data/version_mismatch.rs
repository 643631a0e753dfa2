#![doc = include_str!("version_mismatch.en.md")]

use crate::failure::application::exchange::subject;
use crate::failure::data;
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::protocol::http1::{Exchange, Reading, Version};

/// `data.version-mismatch`
pub static CLASS: Class = Class {
    code: "data.version-mismatch",
    severity: Severity::Error,
    guide: guide!("version_mismatch"),
    summary,
};

/// The service says that it does not serve the version; or a version field of request and response differ, or hold
/// other than a rule expects.
pub(super) fn detect(
    at: &Episode<'_>,
    exchange: &Exchange,
    asked: Option<&Reading>,
    reading: &Reading,
) -> Option<Finding> {
    let sent = asked.map_or(&[][..], |asked| asked.versions.as_slice());
    let finding = || data::read(at, &CLASS, exchange, "server", reading);
    if let Some(message) = &reading.version_refused {
        let finding = finding().detail("message", Value::Text(message.clone()));
        return Some(match sent.first() {
            Some(version) => finding.detail("requested", Value::Text(version.value.clone())),
            None => finding,
        });
    }
    if let Some((asked, got)) = differing(asked, reading) {
        let told = finding()
            .detail("field", Value::Text(got.field.clone()))
            .detail("requested", Value::Text(asked.value.clone()))
            .detail("answered", Value::Text(got.value.clone()));
        // The service took it: the client may well understand what it is given.
        return Some(if reading.code.is_some() && reading.success {
            told.at_most(
                75,
                Text {
                    en: "the return code says success",
                    zh: "返回码表示成功",
                },
            )
        } else {
            told
        });
    }
    let odd = reading
        .versions
        .iter()
        .find(|version| !version.expected.is_empty())?;
    Some(
        finding()
            .detail("field", Value::Text(odd.field.clone()))
            .detail("answered", Value::Text(odd.value.clone()))
            .detail("expected", Value::Text(odd.expected.join(", "))),
    )
}

/// A field whose version the answer has otherwise than the request.
fn differing<'r>(
    asked: Option<&'r Reading>,
    reading: &'r Reading,
) -> Option<(&'r Version, &'r Version)> {
    let same = |a: &Version, b: &Version| a.payload == b.payload && a.field == b.field;
    reading.versions.iter().find_map(|got| {
        let asked = asked?.versions.iter().find(|asked| same(asked, got))?;
        (asked.value != got.value).then_some((asked, got))
    })
}

/// Is there a version to be told?
pub(super) fn is_odd(asked: Option<&Reading>, reading: &Reading) -> bool {
    differing(asked, reading).is_some()
        || reading
            .versions
            .iter()
            .any(|version| !version.expected.is_empty())
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let of = |key| finding.text(key).unwrap_or("");
    let (field, asked, got) = (of("field"), of("requested"), of("answered"));
    if let Some(message) = finding.text("message") {
        return match lang {
            Lang::En => {
                format!("{what} does not serve the interface version of {client}: {message}")
            }
            Lang::Zh => format!("{what} 不接受 {client} 的接口版本：{message}"),
        };
    }
    match (lang, finding.text("expected")) {
        (Lang::En, Some(expected)) => format!(
            "{what} answered {client} with version {got} in {field}; {expected} is expected"
        ),
        (Lang::Zh, Some(expected)) => {
            format!("{what} 对 {client} 应答的 {field} 版本为 {got}，期望 {expected}")
        }
        (Lang::En, None) => {
            format!("{client} asked {what} in version {asked} and was answered in {got} ({field})")
        }
        (Lang::Zh, None) => {
            format!("{client} 以版本 {asked} 请求 {what}，应答版本为 {got}（{field}）")
        }
    }
}
