//! The text report as Markdown (CommonMark with GitHub's tables), for tickets and hand-over mails. Whatever came from
//! the wire is escaped: it can neither end a cell nor become markup.

use crate::failure::{Lang, Text};
use crate::report::clock::Clock;
use crate::report::layout::safe;
use crate::report::row::masked_if;
use crate::report::story::{self, Block};
use crate::report::{Settings, Told, balance, incident, spread, unjudged, words};

/// The report.
pub fn write(told: &Told, settings: &Settings) -> String {
    let clock = Clock::new(told, settings);
    let lang = settings.lang;
    let (blocks, brief) = story::blocks(told);
    let mut page = format!("# {}\n\n", plain(&words::headline(told, lang)));
    for fact in words::facts(told, &clock, lang) {
        page.push_str(&format!("- {}\n", plain(&fact)));
    }
    page.push_str(&incidents(told, &clock, lang));
    if blocks.len() > 1 {
        page.push_str(&glance(story::listed(&blocks).0, lang));
    }
    if !blocks.is_empty() {
        page.push_str(&heading(words::findings(told), lang));
        let (listed, rest) = story::listed(&blocks);
        for item in listed {
            page.push_str(&block(item, &clock, lang));
        }
        if let Some(rest) = words::rest(rest, lang) {
            page.push_str(&format!("\n{}\n", plain(&rest)));
        }
    }
    page.push_str(&endpoints(told, lang));
    let lines = spread::lines(told, &clock, lang).into_iter();
    page.push_str(&section(
        spread::HEADING,
        lang,
        lines.map(|(label, line)| format!("{}: {}", plain(label.of(lang)), plain(&line))),
    ));
    page.push_str(&section(
        words::ALSO_SEEN,
        lang,
        story::listed(&brief)
            .0
            .iter()
            .map(|block| brief_item(block, lang))
            .chain(words::rest(story::listed(&brief).1, lang).map(|rest| plain(&rest))),
    ));
    let unjudged = unjudged::sentences(&told.report.unjudged, lang);
    page.push_str(&section(
        words::UNJUDGED,
        lang,
        unjudged
            .iter()
            .map(|(count, sentence)| format!("{} × {}", words::number(*count), plain(sentence))),
    ));
    page.push_str(&captures(told, lang));
    if words::masks(told, settings) {
        page.push_str(&format!("\n{}\n", plain(words::MASKED.of(lang))));
    }
    page.replace("\n\n\n", "\n\n")
}

fn heading(text: Text, lang: Lang) -> String {
    format!("\n## {}\n\n", plain(text.of(lang)))
}

/// A heading and its list; nothing where the list is empty.
fn section(title: Text, lang: Lang, items: impl Iterator<Item = String>) -> String {
    let list: String = items.map(|item| format!("- {item}\n")).collect();
    if list.is_empty() {
        list
    } else {
        heading(title, lang) + &list
    }
}

fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>, numbers_from: usize) -> String {
    let rule = (0..heads.len()).map(|place| if place < numbers_from { "---" } else { "---:" });
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<String> = heads.iter().map(|head| plain(head)).collect();
    let mut text = line(&heads);
    text.push_str(&line(&rule.map(str::to_owned).collect::<Vec<_>>()));
    rows.for_each(|row| text.push_str(&line(&row)));
    text
}

fn glance(blocks: &[Block<'_>], lang: Lang) -> String {
    let heads = words::GLANCE.map(|head| head.of(lang));
    let rows = blocks.iter().map(|block| {
        vec![
            words::severity(block.first.severity, lang).to_owned(),
            words::number(block.count),
            plain(block.first.title),
            code(block.first.endpoint.as_deref().unwrap_or("")),
            code(block.first.code),
        ]
    });
    heading(words::AT_A_GLANCE, lang) + &table(&heads, rows, heads.len())
}

fn block(block: &Block<'_>, clock: &Clock, lang: Lang) -> String {
    let finding = block.first;
    let mut text = format!(
        "### {} · {} · {}\n\n",
        words::severity(finding.severity, lang),
        plain(finding.title),
        code(finding.code)
    );
    let codes = |codes: &[&str]| {
        let list: Vec<String> = codes.iter().map(|item| code(item)).collect();
        list.join(words::enumeration(lang))
    };
    let words_of = |text: Option<String>| text.map_or_else(String::new, |text| plain(&text));
    let items = [
        (words::ENDPOINT, words_of(words::place(block, lang))),
        (words::WHEN, plain(&words::times(block, clock, lang))),
        (words::CLIENTS, words_of(words::clients(block, lang))),
        (words::seen(block), plain(&finding.summary)),
        (words::CERTAINTY, words_of(words::certainty(block, lang))),
        (words::CONSEQUENCES, codes(&block.consequences)),
        (words::ALSO, codes(&block.also)),
        (words::FRAMES, words_of(words::frames(block, lang))),
        (words::FILTER, code(&block.filter().unwrap_or_default())),
        (words::ID, code(&finding.id)),
        // The guides are Markdown, and ours.
        (words::REMEDY, finding.remedy.to_owned()),
    ];
    let colon = match lang {
        Lang::En => ": ",
        Lang::Zh => "：",
    };
    for (label, value) in items.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("- **{}**{colon}{value}\n", label.of(lang)));
    }
    text.push('\n');
    text
}

/// The incidents, worst first, and the state of each layer below them.
fn incidents(told: &Told, clock: &Clock, lang: Lang) -> String {
    if told.incidents.is_empty() {
        return String::new();
    }
    let mut text = heading(incident::words::HEADING, lang);
    let places = incident::by_weight(&told.incidents);
    for one in places
        .iter()
        .take(incident::INCIDENTS_MAX)
        .filter_map(|place| told.incidents.get(*place))
    {
        let severity = words::severity(one.severity.name(), lang);
        let title = plain(&incident::words::title(one, lang));
        let cause: String = incident::words::causes(one)
            .into_iter()
            .map(|cause| format!(" · {}", code(cause)))
            .collect();
        text.push_str(&format!("### {severity} · {title}{cause}\n\n"));
        for (label, lines) in incident::words::items(one, clock, lang) {
            let redact = told.options.redact;
            let lines: Vec<String> = lines.iter().map(|line| masked_if(redact, line)).collect();
            let label = label.of(lang);
            let colon = incident::colon(lang);
            match lines.as_slice() {
                [line] => text.push_str(&format!("- **{label}**{colon}{}\n", plain(line))),
                lines => {
                    text.push_str(&format!("- **{label}**{}\n", colon.trim_end()));
                    lines
                        .iter()
                        .for_each(|line| text.push_str(&format!("  - {}\n", plain(line))));
                }
            }
        }
        text.push('\n');
    }
    if places.len() > incident::INCIDENTS_MAX {
        text.push_str(&format!(
            "{}\n",
            plain(&incident::words::further(
                places.len() - incident::INCIDENTS_MAX,
                lang
            ))
        ));
    }
    let rows = incident::layers::rows(told, lang).into_iter().map(|row| {
        let state = if row.ill {
            format!("**{}**", plain(row.state))
        } else {
            plain(row.state)
        };
        let codes: Vec<String> = row
            .codes
            .split(words::enumeration(lang))
            .map(code)
            .collect();
        vec![plain(row.name), state, codes.join(words::enumeration(lang))]
    });
    let heads = incident::layers::HEADS.map(|head| head.of(lang));
    text + &heading(incident::layers::HEADING, lang) + &table(&heads, rows, heads.len())
}

fn endpoints(told: &Told, lang: Lang) -> String {
    let (listed, omitted) = balance::listed(told);
    if listed.is_empty() {
        return String::new();
    }
    let heads = balance::COLUMNS.map(|head| head.of(lang));
    let rows = listed.iter().map(|endpoint| {
        let [name, figures @ ..] = balance::cells(endpoint, lang);
        std::iter::once(code(&name))
            .chain(figures.iter().map(|figure| plain(figure)))
            .collect()
    });
    let mut text = heading(words::ENDPOINTS, lang) + &table(&heads, rows, 1);
    if omitted > 0 {
        text.push_str(&format!("\n{}\n", plain(&balance::further(omitted, lang))));
    }
    text + &format!("\n{}\n", plain(balance::LEGEND.of(lang)))
}

fn brief_item(block: &Block<'_>, lang: Lang) -> String {
    let finding = block.first;
    let count = if block.count > 1 {
        format!(" ×{}", words::number(block.count))
    } else {
        String::new()
    };
    let word = words::severity(finding.severity, lang);
    format!(
        "{word} {}{count} {}",
        code(finding.code),
        plain(&finding.summary)
    )
}

fn captures(told: &Told, lang: Lang) -> String {
    let odd = told
        .report
        .captures
        .iter()
        .filter(|capture| !capture.complete || !capture.notes.is_empty());
    section(
        words::CAPTURES,
        lang,
        odd.map(|capture| {
            let mut item = code(&capture.path);
            if !capture.complete {
                item.push_str(&format!(
                    "{}{}",
                    words::comma(lang),
                    words::INCOMPLETE.of(lang)
                ));
            }
            capture
                .notes
                .iter()
                .for_each(|note| item.push_str(&format!("\n  - {}", plain(note))));
            item
        }),
    )
}

/// A text without markup (CommonMark 2.4; `<`, `&` and `@` also against HTML and mentions).
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in safe(text).chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => out.extend(['\\', letter]),
            letter => out.push(letter),
        }
    }
    out
}

/// A code span; a backtick in it would end it, a pipe would end its cell.
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("`{}`", safe(text).replace('`', "'").replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_the_wire_is_no_markup() {
        assert_eq!(
            plain("a|b <script> [x](y) *z* \u{1b}[2J"),
            "a\\|b &lt;script&gt; \\[x\\](y) \\*z\\* \\\\u{1b}\\[2J"
        );
        assert_eq!(code("a`b|c\r\n"), "`a'b\\|c\\r\\n`");
    }
}
