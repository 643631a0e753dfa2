//! Headings, labels and sentences of the report in both languages, shared by text, Markdown and HTML.

use crate::failure::{Lang, Text};
use crate::report::balance::decrypted;
use crate::report::clock::{Clock, duration};
use crate::report::schema::{Attempts, Summary};
use crate::report::story::Block;
use crate::report::{Settings, Told};

pub(super) const fn text(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

pub(super) const AT_A_GLANCE: Text = text("At a glance", "概览");
pub(super) const FINDINGS: Text = text("What failed", "证据：逐项发现");
pub(super) const FINDINGS_ONLY: Text = text("Findings", "证据：逐项发现");
pub(super) const ENDPOINTS: Text = text("Endpoints", "影响范围（按端点）");
pub(super) const ALSO_SEEN: Text = text("Also seen", "其他提示");
pub(super) const UNJUDGED: Text = text("Could not be judged", "无法判断");
pub(super) const CAPTURES: Text = text("The captures", "抓包文件");

pub(super) const ENDPOINT: Text = text("endpoint", "端点");
pub(super) const WHEN: Text = text("when", "时间");
pub(super) const CLIENTS: Text = text("clients", "客户端");
pub(super) const SEEN: Text = text("seen", "现象");
pub(super) const EXAMPLE: Text = text("example", "示例");
pub(super) const CERTAINTY: Text = text("certainty", "置信度");
pub(super) const FRAMES: Text = text("frames", "证据帧");
pub(super) const FILTER: Text = text("filter", "显示过滤");
pub(super) const ID: Text = text("id", "编号");
pub(super) const REMEDY: Text = text("do first", "处置建议");
pub(super) const CONSEQUENCES: Text = text("then", "后果");
pub(super) const ALSO: Text = text("also fits", "同时符合");
pub(super) const INCOMPLETE: Text = text("incomplete", "未能完整读取");

/// Heads of the overview in Markdown.
pub(super) const GLANCE: [Text; 5] = [
    text("severity", "等级"),
    text("count", "次数"),
    text("what", "故障"),
    ENDPOINT,
    text("code", "代码"),
];

pub(super) const MASKED: Text = text(
    "Tax identifiers, invoice numbers and phone numbers are masked; --redact off shows them.",
    "税号、发票号码、手机号已脱敏；--redact off 可显示原文。",
);

/// `CRITICAL`, `严重`.
pub(super) fn severity(word: &str, lang: Lang) -> &'static str {
    match (word, lang) {
        ("critical", Lang::En) => "CRITICAL",
        ("critical", Lang::Zh) => "严重",
        ("error", Lang::En) => "ERROR",
        ("error", Lang::Zh) => "重要",
        ("warning", Lang::En) => "WARNING",
        ("warning", Lang::Zh) => "一般",
        (_, Lang::En) => "INFO",
        (_, Lang::Zh) => "提示",
    }
}

/// The heading of the findings.
pub(super) const fn findings(told: &Told) -> Text {
    if told.report.summary.attempts.failed > 0 {
        FINDINGS
    } else {
        FINDINGS_ONLY
    }
}

/// The label of the summary: of several findings, it speaks of the first.
pub(super) const fn seen(block: &Block<'_>) -> Text {
    if block.members.len() > 1 {
        EXAMPLE
    } else {
        SEEN
    }
}

/// Something in the report was masked.
pub(super) fn masks(told: &Told, settings: &Settings) -> bool {
    let masked = |text: &str| text.contains("***");
    settings.redact
        && (told
            .report
            .findings
            .iter()
            .any(|finding| masked(&finding.summary))
            || told
                .report
                .endpoints
                .iter()
                .any(|endpoint| masked(&endpoint.id))
            || told.report.captures.iter().any(|capture| {
                masked(&capture.path) || capture.notes.iter().any(|note| masked(note))
            }))
}

/// The one sentence that comes first.
pub(super) fn headline(told: &Told, lang: Lang) -> String {
    let summary = &told.report.summary;
    let Attempts {
        ok,
        failed,
        answered_no,
        undetermined,
    } = summary.attempts;
    let decided = ok + failed + answered_no;
    let all = decided + undetermined;
    let share = summary
        .availability
        .map_or_else(String::new, |share| percent(share, lang));
    let (all_text, failed_text) = (number(all), number(failed));
    if all == 1 {
        return of_one(told, (failed, decided), lang);
    }
    match (lang, all, failed, decided) {
        (Lang::En, 0, ..) => "No attempt to reach a server was seen".to_owned(),
        (Lang::Zh, 0, ..) => "未见任何访问尝试".to_owned(),
        (Lang::En, _, 0, 0) => {
            format!(
                "Nothing was seen to fail, but none of {all_text} attempts could be decided{}",
                basis(told, lang)
            )
        }
        (Lang::Zh, _, 0, 0) => format!(
            "未见失败，但 {all_text} 次访问尝试均无法判定{}",
            basis(told, lang)
        ),
        (Lang::En, _, 0, _) if undetermined == 0 => {
            format!(
                "Nothing failed: all {all_text} attempts reached their service{}",
                basis(told, lang)
            )
        }
        (Lang::Zh, _, 0, _) if undetermined == 0 => {
            format!(
                "未发现失败：{all_text} 次访问尝试全部到达服务端{}",
                basis(told, lang)
            )
        }
        (Lang::En, _, 0, _) => {
            format!(
                "Nothing failed: {} of {all_text} attempts reached their service, the others were left open{}",
                number(decided),
                basis(told, lang)
            )
        }
        (Lang::Zh, _, 0, _) => {
            format!(
                "未发现失败：{all_text} 次访问尝试中 {} 次到达服务端，其余无法判定{}",
                number(decided),
                basis(told, lang)
            )
        }
        (Lang::En, ..) => {
            format!("{failed_text} of {all_text} attempts failed, availability {share}")
        }
        (Lang::Zh, ..) => format!("{all_text} 次访问尝试中 {failed_text} 次失败，可用性 {share}"),
    }
}

/// The same where there was one attempt; how many failed, and were decided.
fn of_one(told: &Told, counts: (u64, u64), lang: Lang) -> String {
    let basis = basis(told, lang);
    match (lang, counts) {
        (Lang::En, (0, 0)) => {
            format!("Nothing was seen to fail, but the one attempt could not be decided{basis}")
        }
        (Lang::En, (0, _)) => {
            format!("Nothing failed: the one attempt reached its service{basis}")
        }
        (Lang::En, _) => "The one attempt failed, availability 0 %".to_owned(),
        (Lang::Zh, (0, 0)) => format!("未见失败，但唯一一次访问尝试无法判定{basis}"),
        (Lang::Zh, (0, _)) => format!("未发现失败：唯一一次访问尝试到达服务端{basis}"),
        (Lang::Zh, _) => "唯一一次访问尝试失败，可用性 0%".to_owned(),
    }
}

/// `1,234 packets` and `1 TCP flow`.
fn read(summary: &Summary, lang: Lang) -> (String, String) {
    let told = |count: u64, one: &str, many: &str, zh: &str| match (count, lang) {
        (1, Lang::En) => format!("1 {one}"),
        (count, Lang::En) => format!("{} {many}", number(count)),
        (count, Lang::Zh) => format!("{} {zh}", number(count)),
    };
    (
        told(summary.packets, "packet", "packets", "个报文"),
        told(summary.flows, "TCP flow", "TCP flows", "条 TCP 流"),
    )
}

/// What "nothing failed" is based on.
fn basis(told: &Told, lang: Lang) -> String {
    let summary = &told.report.summary;
    let (packets, flows) = read(summary, lang);
    let blind = told
        .report
        .findings
        .iter()
        .any(|finding| finding.code == "capture.encrypted-blind");
    match (lang, blind) {
        (Lang::En, false) => format!(" (judged by {packets} in {flows})"),
        (Lang::En, true) => {
            format!(" (judged by {packets} in {flows}; what is encrypted, by its handshakes only)")
        }
        (Lang::Zh, false) => format!("（依据 {packets}、{flows}）"),
        (Lang::Zh, true) => {
            format!("（依据 {packets}、{flows}；加密流量仅凭握手判断）")
        }
    }
}

/// Below the headline: the other outcomes, the span, the files.
pub(super) fn facts(told: &Told, clock: &Clock, lang: Lang) -> Vec<String> {
    let report = &told.report;
    let Attempts {
        ok,
        failed: _,
        answered_no,
        undetermined,
    } = report.summary.attempts;
    let mut facts = Vec::new();
    let outcomes: Vec<String> = [
        (ok, text("ok", "次成功")),
        (answered_no, text("refused by the service", "次被服务拒绝")),
        (undetermined, text("undetermined", "次无法判定")),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{} {}", number(*count), word.of(lang)))
    .collect();
    if !outcomes.is_empty() {
        facts.push(outcomes.join(comma(lang)));
    }
    if let Some((first, last)) = told.span {
        let (span, took) = (
            clock.span((first, last), lang),
            duration(last.since(first), lang),
        );
        let zone = clock.zone_name(first, lang);
        facts.push(match lang {
            Lang::En => format!("{span} ({took}), times in {zone}"),
            Lang::Zh => format!("{span}（{took}），时区 {zone}"),
        });
    }
    facts.extend(decrypted(report.summary.decrypted, lang));
    let (packets, flows) = read(&report.summary, lang);
    let files = match (report.captures.as_slice(), lang) {
        ([one], _) => one.path.clone(),
        (all, Lang::En) => format!("{} files", number(all.len() as u64)),
        (all, Lang::Zh) => format!("{} 个文件", number(all.len() as u64)),
    };
    facts.push(match lang {
        Lang::En => format!("{files}: {packets}, {flows}"),
        Lang::Zh => format!("{files}：{packets}，{flows}"),
    });
    facts
}

/// `etax.example.cn:443 (203.0.113.21, 北京市)`.
pub(super) fn place(block: &Block<'_>, lang: Lang) -> Option<String> {
    let endpoint = block.first.endpoint.as_deref()?;
    let mut beside: Vec<String> = block
        .servers
        .iter()
        .filter(|ip| !endpoint.contains(**ip))
        .take(4)
        .map(|ip| (*ip).to_owned())
        .collect();
    beside.extend(block.proxies.iter().take(4).map(|proxy| match lang {
        Lang::En => format!("via proxy {proxy}"),
        Lang::Zh => format!("经代理 {proxy}"),
    }));
    if block.servers.len().max(block.proxies.len()) > 4 {
        beside.push("…".to_owned());
    }
    beside.extend(block.region.map(str::to_owned));
    Some(match (beside.is_empty(), lang) {
        (true, _) => endpoint.to_owned(),
        (false, Lang::En) => format!("{endpoint} ({})", beside.join(", ")),
        (false, Lang::Zh) => format!("{endpoint}（{}）", beside.join("，")),
    })
}

/// `×214, first 10:02:11, last 10:09:40; 36 attempts failed by it`.
pub(super) fn times(block: &Block<'_>, clock: &Clock, lang: Lang) -> String {
    let (first, last) = (clock.brief(block.times.0), clock.brief(block.times.1));
    let mut told = match (block.count, first == last, lang) {
        (1, true, _) => first,
        (1, false, Lang::En) => format!("{first} – {last}"),
        (1, false, Lang::Zh) => format!("{first} 至 {last}"),
        (count, _, Lang::En) => format!("×{}, first {first}, last {last}", number(count)),
        (count, _, Lang::Zh) => format!("{} 次，首次 {first}，末次 {last}", number(count)),
    };
    if block.count == 1 {
        return told;
    }
    told.push_str(&match (block.fails, lang) {
        (0, Lang::En) => "; no attempt failed by it".to_owned(),
        (0, Lang::Zh) => "；未导致访问失败".to_owned(),
        (fails, _) if fails == block.count => String::new(),
        (fails, Lang::En) => format!("; {} of them made an attempt fail", number(fails)),
        (fails, Lang::Zh) => format!("；其中 {} 次导致访问失败", number(fails)),
    });
    told
}

/// `7: 192.0.2.15 ×9, 192.0.2.16 ×4, … and 12 more`.
pub(super) fn clients(block: &Block<'_>, lang: Lang) -> Option<String> {
    const LISTED_MAX: usize = 8;
    let (only, only_count) = block.clients.first()?;
    if block.clients_total == 1 && (*only_count == block.count || *only_count == 0) {
        return Some((*only).to_owned());
    }
    let listed: Vec<String> = block
        .clients
        .iter()
        .take(LISTED_MAX)
        .map(|(client, count)| {
            if *count > 1 {
                format!("{client} ×{}", number(*count))
            } else {
                (*client).to_owned()
            }
        })
        .collect();
    let more = block.clients_total.saturating_sub(listed.len() as u64);
    let (total, list) = (number(block.clients_total), listed.join(enumeration(lang)));
    Some(match (more, lang) {
        (0, Lang::En) => format!("{total}: {list}"),
        (0, Lang::Zh) => format!("{total} 个：{list}"),
        (more, Lang::En) => format!("{total}: {list} and {} more", number(more)),
        (more, Lang::Zh) => format!("{total} 个：{list}，另有 {} 个", number(more)),
    })
}

/// `highly suspected (0.75): reverse path not in the capture`; `None` where all is sure.
pub(super) fn certainty(block: &Block<'_>, lang: Lang) -> Option<String> {
    if block.certainty.iter().all(|(sure, ..)| *sure >= 0.9) {
        return None;
    }
    let several = block.certainty.len() > 1;
    let told: Vec<String> = block
        .certainty
        .iter()
        .map(|(sure, reason, count)| {
            let word = certainty_word(*sure).of(lang);
            let how = match (*sure >= 0.9, lang) {
                (true, _) => word.to_owned(),
                (false, Lang::En) => format!("{word} ({sure:.2})"),
                (false, Lang::Zh) => format!("{word}（{sure:.2}）"),
            };
            let how = if several {
                format!("{how} ×{}", number(*count))
            } else {
                how
            };
            match (reason.filter(|_| *sure < 0.9), lang) {
                (None, _) => how,
                (Some(reason), Lang::En) => format!("{how}: {reason}"),
                (Some(reason), Lang::Zh) => format!("{how}：{reason}"),
            }
        })
        .collect();
    Some(told.join(match lang {
        Lang::En => "; ",
        Lang::Zh => "；",
    }))
}

/// The word of a confidence.
pub(super) const fn certainty_word(sure: f64) -> Text {
    if sure >= 0.9 {
        text("confirmed", "确认")
    } else if sure >= 0.6 {
        text("highly suspected", "高度疑似")
    } else {
        text("inferred", "间接推断")
    }
}

/// `3, 4, 7 in demo.pcapng, and 203 more`.
pub(super) fn frames(block: &Block<'_>, lang: Lang) -> Option<String> {
    let (file, frames) = block.frames.first()?;
    let list: Vec<String> = frames.iter().map(ToString::to_string).collect();
    let list = list.join(enumeration(lang));
    let files = block.frames.len() as u64 - 1;
    let others: usize = block
        .frames
        .iter()
        .skip(1)
        .map(|(_, frames)| frames.len())
        .sum();
    let more = block.frames_more + others as u64;
    Some(match (lang, more, files) {
        (Lang::En, 0, _) => format!("{list} in {file}"),
        (Lang::Zh, 0, _) => format!("{file} 第 {list} 帧"),
        (Lang::En, more, 0) => format!("{list} in {file}, and {} more", number(more)),
        (Lang::Zh, more, 0) => format!("{file} 第 {list} 帧，另有 {} 帧", number(more)),
        (Lang::En, more, _) => format!(
            "{list} in {file}, and {} more, in other files too",
            number(more)
        ),
        (Lang::Zh, more, _) => format!(
            "{file} 第 {list} 帧，另有 {} 帧（含其他文件）",
            number(more)
        ),
    })
}

/// `and 12 more`.
pub(super) fn more(count: usize, lang: Lang) -> String {
    match lang {
        Lang::En => format!("and {} more", number(count as u64)),
        Lang::Zh => format!("另有 {} 项", number(count as u64)),
    }
}

/// What is not told of the blocks: `and 480 more, of 98,000 findings; --format json lists all`.
pub(super) fn rest(blocks: &[Block<'_>], lang: Lang) -> Option<String> {
    let findings: u64 = blocks.iter().map(|block| block.count).sum();
    let (kinds, findings) = (number(blocks.len() as u64), number(findings));
    (!blocks.is_empty()).then(|| match lang {
        Lang::En => format!("and {kinds} more, of {findings} findings; --format json lists all"),
        Lang::Zh => format!("另有 {kinds} 项，共 {findings} 条，--format json 列出全部"),
    })
}

/// What stands between names of one kind.
pub(super) const fn enumeration(lang: Lang) -> &'static str {
    match lang {
        Lang::En => ", ",
        Lang::Zh => "、",
    }
}

/// What stands between parts of a sentence.
pub(super) const fn comma(lang: Lang) -> &'static str {
    match lang {
        Lang::En => ", ",
        Lang::Zh => "，",
    }
}

/// `1,022`.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `65.38 %`; never rounded up to a hundred.
pub(super) fn percent(share: f64, lang: Lang) -> String {
    let hundredths = (share * 10_000.0 + 1e-6).floor();
    let exact = hundredths / 100.0;
    let figure = if hundredths % 100.0 == 0.0 {
        format!("{exact:.0}")
    } else {
        format!("{exact:.2}")
    };
    match lang {
        Lang::En => format!("{figure} %"),
        Lang::Zh => format!("{figure}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn availability_is_never_rounded_up() {
        assert_eq!(percent(0.999_999, Lang::En), "99.99 %");
        assert_eq!(percent(1.0, Lang::Zh), "100%");
        assert_eq!(percent(0.653_846, Lang::En), "65.38 %");
        assert_eq!(percent(0.0, Lang::En), "0 %");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(number(999), "999");
        assert_eq!(number(1_022), "1,022");
        assert_eq!(number(12_345_678), "12,345,678");
    }
}
