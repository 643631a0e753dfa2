//! Incidents on the page, each with the way to the findings that show it, and the five layers below them.

use std::collections::BTreeSet;

use crate::failure::Lang;
use crate::incident::Incident;
use crate::report::clock::Clock;
use crate::report::html::markup::{badge, code, codes, heading, heads, item, plain};
use crate::report::html::words as own;
use crate::report::incident::{INCIDENTS_MAX, by_weight, layers, words as incident};
use crate::report::row::masked;
use crate::report::schema::Incident as Row;
use crate::report::story::Block;
use crate::report::{Settings, Told, words};

/// Blocks of findings that one incident leads to.
const LINKS_MAX: usize = 8;

/// The incidents, worst first, and the state of each layer below them.
pub(super) fn incidents(
    told: &Told,
    blocks: &[Block<'_>],
    clock: &Clock,
    settings: &Settings,
) -> String {
    if told.incidents.is_empty() {
        return String::new();
    }
    let lang = settings.lang;
    let mut page = heading(incident::HEADING, lang);
    let places = by_weight(&told.incidents);
    for place in places.iter().take(INCIDENTS_MAX) {
        if let Some(one) = told.incidents.get(*place) {
            let row = told.report.incidents.get(*place);
            page.push_str(&article(one, row, blocks, clock, settings));
        }
    }
    if places.len() > INCIDENTS_MAX {
        let further = incident::further(places.len() - INCIDENTS_MAX, lang);
        page.push_str(&format!("<p class=\"dim\">{}</p>\n", plain(&further)));
    }
    page + &table(told, lang)
}

fn article(
    one: &Incident,
    row: Option<&Row>,
    blocks: &[Block<'_>],
    clock: &Clock,
    settings: &Settings,
) -> String {
    let (lang, severity) = (settings.lang, one.severity.name());
    let mut items = String::new();
    for (label, lines) in incident::items(one, clock, lang) {
        let lines: Vec<String> = lines
            .iter()
            .map(|line| plain(&masked(line, settings)))
            .collect();
        let value = match lines.as_slice() {
            [line] => line.clone(),
            lines => {
                let list: String = lines
                    .iter()
                    .map(|line| format!("<li>{line}</li>"))
                    .collect();
                format!("<ul>{list}</ul>")
            }
        };
        let first = label.en == words::REMEDY.en;
        items.push_str(&item(label.of(lang), &value, first));
    }
    let links = row.map_or_else(String::new, |row| links(row, blocks, lang));
    items.push_str(&item(own::SEE.of(lang), &links, false));
    format!(
        "<article class=\"{severity}\"{}>\n<h3>{}{} <span class=\"dim\">{}</span></h3>\n<dl>\n{items}</dl>\n</article>\n",
        row.map_or_else(String::new, |row| format!(" id=\"{}\"", plain(&row.id))),
        badge(severity, lang),
        plain(&incident::title(one, lang)),
        codes(&incident::causes(one), lang),
    )
}

/// The way to the blocks that hold the incident's findings.
fn links(row: &Row, blocks: &[Block<'_>], lang: Lang) -> String {
    let ids: BTreeSet<&str> = row.findings.iter().map(String::as_str).collect();
    let holding: Vec<&Block<'_>> = blocks
        .iter()
        .filter(|block| {
            let mut members = block.members.iter();
            members.any(|finding| ids.contains(finding.id.as_str()))
        })
        .collect();
    let mut links: Vec<String> = holding
        .iter()
        .take(LINKS_MAX)
        .map(|block| {
            let title = block.first.title;
            let alike = holding.iter().filter(|other| other.first.title == title);
            let place = block.first.endpoint.as_deref().unwrap_or("");
            match alike.count() {
                1 => link(block),
                _ => format!("{} {}", link(block), code(place)),
            }
        })
        .collect();
    if holding.len() > LINKS_MAX {
        links.push(plain(&words::more(holding.len() - LINKS_MAX, lang)));
    }
    links.join(words::enumeration(lang))
}

/// The way to a block.
pub(super) fn link(block: &Block<'_>) -> String {
    format!(
        "<a href=\"#{}\">{}</a>",
        plain(&block.first.id),
        plain(block.first.title)
    )
}

fn table(told: &Told, lang: Lang) -> String {
    let rows: String = layers::rows(told, lang)
        .into_iter()
        .map(|row| {
            let class = if row.ill { "keep ill" } else { "keep" };
            let codes: Vec<String> = row
                .codes
                .split(words::enumeration(lang))
                .map(code)
                .collect();
            format!(
                "<tr><td class=\"keep\">{}</td><td class=\"{class}\">{}</td><td>{}</td></tr>\n",
                plain(row.name),
                plain(row.state),
                codes.join(words::enumeration(lang))
            )
        })
        .collect();
    let names = layers::HEADS.map(|head| head.of(lang));
    format!(
        "{}<table>\n{}<tbody>\n{rows}</tbody></table>\n",
        heading(layers::HEADING, lang),
        heads(&names, names.len())
    )
}
