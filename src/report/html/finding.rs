//! Findings on the page: the folded block as the other texts tell it, and all of its findings for whom opens them.

use serde_json::Value as Json;

use crate::failure::Lang;
use crate::report::clock::Clock;
use crate::report::html::markup::{badge, code, codes, copied, guide, heads, item, plain};
use crate::report::html::words as own;
use crate::report::schema::{End, Finding};
use crate::report::story::Block;
use crate::report::words;

/// Findings of one block that are told with all their details.
const OPENED_MAX: usize = 20;

/// One block.
pub(super) fn block(block: &Block<'_>, clock: &Clock, lang: Lang) -> String {
    let finding = block.first;
    let words_of = |text: Option<String>| text.map_or_else(String::new, |text| plain(&text));
    let items = [
        (words::ENDPOINT, words_of(words::place(block, lang))),
        (words::WHEN, plain(&words::times(block, clock, lang))),
        (words::CLIENTS, words_of(words::clients(block, lang))),
        (words::seen(block), plain(&finding.summary)),
        (words::CERTAINTY, words_of(words::certainty(block, lang))),
        (words::CONSEQUENCES, codes(&block.consequences, lang)),
        (words::ALSO, codes(&block.also, lang)),
        (words::FRAMES, words_of(words::frames(block, lang))),
        (words::FILTER, copied(&block.filter().unwrap_or_default())),
        (words::ID, copied(&finding.id)),
    ];
    let items: String = items
        .iter()
        .map(|(label, value)| item(label.of(lang), value, false))
        .collect();
    format!(
        "<article class=\"{}\" id=\"{}\">\n<h3>{}{} {}</h3>\n<dl>\n{items}{}</dl>\n{}</article>\n",
        plain(finding.severity),
        plain(&finding.id),
        badge(finding.severity, lang),
        plain(finding.title),
        format_args!("<span class=\"dim\">{}</span>", code(finding.code)),
        item(words::REMEDY.of(lang), &guide(finding.remedy), true),
        details(&block.members, clock, lang),
    )
}

/// What is told in one line: `info`, and what is said of the capture.
pub(super) fn brief(block: &Block<'_>, clock: &Clock, lang: Lang) -> String {
    let finding = block.first;
    let count = if block.count > 1 {
        format!(" ×{}", words::number(block.count))
    } else {
        String::new()
    };
    format!(
        "{}{}{count} {}{}",
        badge(finding.severity, lang),
        code(finding.code),
        plain(&finding.summary),
        details(&block.members, clock, lang)
    )
}

fn details(findings: &[&Finding], clock: &Clock, lang: Lang) -> String {
    let told: String = findings
        .iter()
        .take(OPENED_MAX)
        .map(|finding| one(finding, clock, lang))
        .collect();
    let more = match findings.len().saturating_sub(OPENED_MAX) {
        0 => String::new(),
        more => format!(
            "<p class=\"dim\">{}</p>\n",
            plain(&own::further(more, lang))
        ),
    };
    format!(
        "<details>\n<summary>{}</summary>\n{told}{more}</details>\n",
        plain(&own::details(findings.len(), lang))
    )
}

/// One finding with everything that the report has of it.
fn one(finding: &Finding, clock: &Clock, lang: Lang) -> String {
    let optional = |text: &Option<String>| text.as_deref().map_or_else(String::new, copied);
    let place = |end: &Option<End>| {
        end.as_ref()
            .map_or_else(String::new, |end| plain(&name(end)))
    };
    let (first, last) = (
        time(&finding.first_time, clock),
        time(&finding.last_time, clock),
    );
    let when = if first == last {
        first
    } else {
        format!("{first} – {last}")
    };
    let items: String = [
        (words::WHEN, when),
        (own::CLIENT, place(&finding.client)),
        (own::SERVER, place(&finding.server)),
        (words::SEEN, plain(&finding.summary)),
        (own::FLOW, optional(&finding.flow)),
        (words::FILTER, copied(&finding.filter)),
    ]
    .iter()
    .map(|(label, value)| item(label.of(lang), value, false))
    .collect();
    let measured: String = finding
        .details
        .iter()
        .map(|(key, value)| {
            format!(
                "<dt>{}</dt><dd>{}</dd>\n",
                code(key),
                detail(value, clock, lang)
            )
        })
        .collect();
    format!(
        "<h4>{}</h4>\n<dl>\n{items}{measured}</dl>\n{}",
        copied(&finding.id),
        evidence(finding, clock, lang)
    )
}

fn evidence(finding: &Finding, clock: &Clock, lang: Lang) -> String {
    if finding.evidence.is_empty() {
        return String::new();
    }
    let rows: String = finding
        .evidence
        .iter()
        .map(|seen| {
            format!(
                "<tr><td class=\"keep\">{}</td><td>{}</td><td class=\"keep\">{}</td><td>{}</td></tr>\n",
                seen.frame,
                time(&seen.time, clock),
                code(seen.role),
                code(&seen.file)
            )
        })
        .collect();
    let names = own::EVIDENCE.map(|head| head.of(lang));
    format!(
        "<table>\n{}<tbody>\n{rows}</tbody></table>\n",
        heads(&names, names.len())
    )
}

/// `192.0.2.9:40001`, `tax.example.cn, 203.0.113.1:443`.
fn name(end: &End) -> String {
    let address = match (end.ip.as_deref(), end.port) {
        (Some(ip), Some(port)) if ip.contains(':') => format!("[{ip}]:{port}"),
        (Some(ip), Some(port)) => format!("{ip}:{port}"),
        (Some(ip), None) => ip.to_owned(),
        (None, _) => String::new(),
    };
    let parts = [end.name.as_deref(), Some(address.as_str())];
    let parts: Vec<&str> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(", ")
}

/// A time of the mirror in the reader's zone; its original stands behind it for machines.
fn time(text: &str, clock: &Clock) -> String {
    clock.exact(text).map_or_else(
        || plain(text),
        |told| format!("<time datetime=\"{}\">{}</time>", plain(text), plain(&told)),
    )
}

fn detail(value: &Json, clock: &Clock, lang: Lang) -> String {
    match value {
        Json::String(text) => time(text, clock),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| detail(item, clock, lang)).collect();
            items.join(words::enumeration(lang))
        }
        other => plain(&other.to_string()),
    }
}
