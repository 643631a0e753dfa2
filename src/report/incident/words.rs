//! What is said of an incident, the same in text, Markdown and HTML.

use crate::engine::diagnosis::availability;
use crate::failure::{Lang, Text};
use crate::incident::{Hypothesis, Incident, Reason, Scope, prefix};
use crate::report::clock::{Clock, duration};
use crate::report::incident::{colon, of_tax};
use crate::report::words::{
    CLIENTS, REMEDY, WHEN, certainty_word, enumeration, number, percent, severity, text,
};

pub(in crate::report) const HEADING: Text = text("Why: the incidents", "诊断结论");
const LEVEL: Text = text("impact", "故障等级");
const ROOT: Text = text("certainty", "根因与置信度");
const SCOPE: Text = text("scope", "影响范围");
const ENDPOINTS: Text = text("endpoints", "端点");
const FAVOUR: Text = text("because", "证据");
const AGAINST: Text = text("against", "反证");
const RIVAL: Text = text("or else", "其他可能");
const DISPROOF: Text = text("disproof", "如何证伪");
const OWNER: Text = text("up to", "责任方");

/// Items of evidence told of one hypothesis, and endpoints and clients of one incident.
const REASONS_MAX: usize = 5;
const LISTED_MAX: usize = 8;

/// The title of the first hypothesis; of two that nothing separates, both.
pub(in crate::report) fn title(incident: &Incident, lang: Lang) -> String {
    let Some(first) = incident.hypotheses.first() else {
        return match lang {
            Lang::En => "No known cause fits".to_owned(),
            Lang::Zh => "未匹配到已知原因".to_owned(),
        };
    };
    match (incident.rival(), lang) {
        (None, _) => first.title(lang).to_owned(),
        (Some(second), Lang::En) => {
            format!("{}, or: {}", first.title(lang), lower(second.title(lang)))
        }
        (Some(second), Lang::Zh) => format!("{}；或：{}", first.title(lang), second.title(lang)),
    }
}

/// The sentence of an item of evidence, with its figure and words.
pub(in crate::report) fn reason(reason: &Reason, lang: Lang) -> String {
    // What is named in a row (addresses, codes) is joined before the language is known.
    let what = match lang {
        Lang::En => reason.what.clone(),
        Lang::Zh => reason.what.replace(", ", "、"),
    };
    reason.item.sentence(lang, reason.number, &what)
}

/// Labels and their texts, one line each, in the order in which they are read.
pub(in crate::report) fn items(
    incident: &Incident,
    clock: &Clock,
    lang: Lang,
) -> Vec<(Text, Vec<String>)> {
    let first = incident.hypotheses.first();
    let mut items = vec![
        (LEVEL, vec![level(incident, lang)]),
        (SCOPE, vec![scope(incident, lang)]),
        (ENDPOINTS, endpoints(incident, lang)),
        (WHEN, vec![when(incident, clock, lang)]),
        (CLIENTS, clients(incident, lang)),
        (
            ROOT,
            first
                .map(|first| certainty(first, lang))
                .into_iter()
                .collect(),
        ),
    ];
    if let Some(first) = first {
        items.push((FAVOUR, reasons(&first.favour, lang)));
        items.push((AGAINST, reasons(&first.against, lang)));
        let rivals = incident
            .hypotheses
            .iter()
            .skip(1)
            .take(2)
            .filter(|other| other.score >= 0.3);
        items.push((RIVAL, rivals.map(|other| certainty(other, lang)).collect()));
        let mut disproof = vec![first.cause.disproof.of(lang).to_owned()];
        disproof.extend(incident.rival().map(|other| both(first, other, lang)));
        items.push((DISPROOF, disproof));
        items.push((REMEDY, vec![first.cause.remedy.of(lang).to_owned()]));
        items.push((OWNER, vec![owners(incident, first, lang)]));
    }
    items.retain(|(_, lines)| !lines.is_empty());
    items
}

/// Columns that the labels take, two before and two behind them included.
pub(in crate::report) const fn indent(lang: Lang) -> usize {
    match lang {
        Lang::En => 13,
        Lang::Zh => 16,
    }
}

/// Names of the first cause, and of the one that nothing separates from it.
pub(in crate::report) fn causes(incident: &Incident) -> Vec<&'static str> {
    let first = incident.cause().map(|cause| cause.name);
    let second = incident.rival().map(|rival| rival.cause.name);
    first.into_iter().chain(second).collect()
}

/// Who can mend it; of two causes that nothing separates, both.
fn owners(incident: &Incident, first: &Hypothesis, lang: Lang) -> String {
    let of_tax = of_tax(incident);
    let word = |hypothesis: &Hypothesis| hypothesis.cause.owner.words(of_tax).of(lang);
    let mut owners = vec![word(first)];
    owners.extend(incident.rival().map(word));
    owners.dedup();
    owners.join(enumeration(lang))
}

/// `and 12 more incidents`.
pub(in crate::report) fn further(count: usize, lang: Lang) -> String {
    match lang {
        Lang::En => format!(
            "and {} more incidents; --format json lists all",
            number(count as u64)
        ),
        Lang::Zh => format!(
            "另有 {} 起事件，--format json 列出全部",
            number(count as u64)
        ),
    }
}

/// `critical; 42 of 42 attempts failed, availability 0 %`.
fn level(incident: &Incident, lang: Lang) -> String {
    let attempts = &incident.attempts;
    let decided =
        u64::from(attempts.ok) + u64::from(attempts.answered_no) + u64::from(attempts.failed);
    let word = severity(incident.severity.name(), lang).to_lowercase();
    let share = availability(attempts).map_or_else(String::new, |share| percent(share, lang));
    let failed = number(attempts.failed.into());
    match (decided, attempts.failed, lang) {
        (0, ..) => word,
        (_, 0, Lang::En) => format!("{word}; no attempt was seen to fail"),
        (_, 0, Lang::Zh) => format!("{word}；未见访问失败"),
        (all, _, Lang::En) => {
            format!(
                "{word}; {failed} of {} attempts failed, availability {share}",
                number(all)
            )
        }
        (all, _, Lang::Zh) => format!(
            "{word}；{} 次访问尝试中 {failed} 次失败，可用性 {share}",
            number(all)
        ),
    }
}

/// `one endpoint (北京市)`.
fn scope(incident: &Incident, lang: Lang) -> String {
    let words = match (&incident.scope, lang) {
        (Scope::Client(ip), Lang::En) => format!("one client, {ip}"),
        (Scope::Client(ip), Lang::Zh) => format!("单个客户端 {ip}"),
        (Scope::Site(ip), Lang::En) => format!("one site, {}", prefix(*ip)),
        (Scope::Site(ip), Lang::Zh) => format!("单个网点 {}", prefix(*ip)),
        (Scope::Endpoint(_), Lang::En) => "one endpoint".to_owned(),
        (Scope::Endpoint(_), Lang::Zh) => "单个端点".to_owned(),
        (Scope::Region(_), Lang::En) => "one region".to_owned(),
        (Scope::Region(_), Lang::Zh) => "单个地区".to_owned(),
        (Scope::Everything, Lang::En) => {
            "everything that was tried, or nothing narrower".to_owned()
        }
        (Scope::Everything, Lang::Zh) => "全部（无更小的共同范围）".to_owned(),
    };
    match (incident.regions.is_empty(), lang) {
        (true, _) => words,
        (false, Lang::En) => format!("{words} ({})", incident.regions.join(", ")),
        (false, Lang::Zh) => format!("{words}（{}）", incident.regions.join("、")),
    }
}

fn endpoints(incident: &Incident, lang: Lang) -> Vec<String> {
    listed(
        incident.endpoints.iter().map(String::as_str),
        incident.endpoints.len(),
        lang,
    )
    .into_iter()
    .collect()
}

fn when(incident: &Incident, clock: &Clock, lang: Lang) -> String {
    let (first, last) = (clock.brief(incident.start), clock.brief(incident.end));
    let took = duration(incident.end.since(incident.start), lang);
    match (first == last, lang) {
        (true, _) => first,
        (false, Lang::En) => format!("{first} – {last} ({took})"),
        (false, Lang::Zh) => format!("{first} 至 {last}（{took}）"),
    }
}

fn clients(incident: &Incident, lang: Lang) -> Vec<String> {
    let sample: Vec<String> = incident
        .client_sample
        .iter()
        .map(ToString::to_string)
        .collect();
    let total = usize::try_from(incident.clients).unwrap_or(usize::MAX);
    let Some(list) = listed(sample.iter().map(String::as_str), total, lang) else {
        return Vec::new();
    };
    vec![match (total, lang) {
        (1, _) => list,
        (_, Lang::En) => format!("{}: {list}", number(incident.clients)),
        (_, Lang::Zh) => format!("{} 个：{list}", number(incident.clients)),
    }]
}

/// The first few of them, and how many more there are.
fn listed<'a>(items: impl Iterator<Item = &'a str>, total: usize, lang: Lang) -> Option<String> {
    let shown: Vec<&str> = items.take(LISTED_MAX).collect();
    let more = total.saturating_sub(shown.len());
    let list = shown.join(enumeration(lang));
    match (shown.is_empty(), more, lang) {
        (true, ..) => None,
        (_, 0, _) => Some(list),
        (_, more, Lang::En) => Some(format!("{list} and {} more", number(more as u64))),
        (_, more, Lang::Zh) => Some(format!("{list}，另有 {} 个", number(more as u64))),
    }
}

/// `A firewall blocks this port: confirmed (0.93)`.
fn certainty(hypothesis: &Hypothesis, lang: Lang) -> String {
    let word = certainty_word(hypothesis.score).of(lang);
    let (title, score) = (hypothesis.title(lang), hypothesis.score);
    match lang {
        Lang::En => format!("{title}: {word} ({score:.2})"),
        Lang::Zh => format!("{title}{}{word}（{score:.2}）", colon(lang)),
    }
}

fn reasons(reasons: &[Reason], lang: Lang) -> Vec<String> {
    reasons
        .iter()
        .take(REASONS_MAX)
        .map(|item| match lang {
            Lang::En => format!("{} ({:.2})", reason(item, lang), item.weight),
            Lang::Zh => format!("{}（{:.2}）", reason(item, lang), item.weight),
        })
        .collect()
}

/// What separates two hypotheses that nothing separates yet.
fn both(first: &Hypothesis, second: &Hypothesis, lang: Lang) -> String {
    let (one, other) = (first.title(lang), second.title(lang));
    let next = second.cause.disproof.of(lang);
    match lang {
        Lang::En => format!(
            "Nothing in the capture separates “{}” from “{}” yet. The second would be disproved by: {next}",
            lower(one),
            lower(other)
        ),
        Lang::Zh => format!("现有抓包尚无法区分“{one}”与“{other}”。后者的证伪方法：{next}"),
    }
}

/// Within a sentence: the first letter small, unless it is an abbreviation.
fn lower(title: &str) -> String {
    let mut letters = title.chars();
    let (Some(first), Some(second)) = (letters.next(), letters.clone().next()) else {
        return title.to_owned();
    };
    if second.is_uppercase() || second.is_ascii_digit() {
        return title.to_owned();
    }
    first.to_lowercase().chain(letters).collect()
}
