//! The report as one HTML page that needs nothing else: no network, no script, its style within. It says what the text
//! report says in the same order, and holds all details and evidence for whom opens them. Times are in the reader's
//! zone; nothing depends on when or where it was written. It is well-formed XML too.

mod finding;
mod incident;
mod markup;
mod words;

use crate::failure::Lang;
use crate::report::clock::Clock;
use crate::report::schema::{Capture, Endpoint};
use crate::report::story::{self, Block};
use crate::report::words as common;
use crate::report::{Settings, Told, balance, spread, unjudged};
use markup::{badge, code, heading, heads, plain, section};

/// Captures that are all listed; of more, those with something to tell, and the others folded.
const CAPTURES_LISTED: usize = 8;

/// The report.
pub fn write(told: &Told, settings: &Settings) -> String {
    let clock = Clock::new(told, settings);
    let lang = settings.lang;
    let (blocks, brief) = story::blocks(told);
    let mut page = head(told, &blocks, &clock, lang);
    page.push_str(&incident::incidents(
        told,
        story::listed(&blocks).0,
        &clock,
        settings,
    ));
    if blocks.len() > 1 {
        page.push_str(&glance(story::listed(&blocks).0, lang));
    }
    if !blocks.is_empty() {
        page.push_str(&heading(common::findings(told), lang));
    }
    let (listed, rest) = story::listed(&blocks);
    for block in listed {
        page.push_str(&finding::block(block, &clock, lang));
    }
    if let Some(rest) = common::rest(rest, lang) {
        page.push_str(&format!("<p>{}</p>\n", plain(&rest)));
    }
    page.push_str(&endpoints(told, lang));
    let lines = spread::lines(told, &clock, lang).into_iter();
    let lines = lines.map(|(label, line)| plain(&format!("{}: {line}", label.of(lang))));
    page.push_str(&section(spread::HEADING, lang, lines));
    let (listed, rest) = story::listed(&brief);
    let brief = listed
        .iter()
        .map(|block| finding::brief(block, &clock, lang))
        .chain(common::rest(rest, lang).map(|rest| plain(&rest)));
    page.push_str(&section(common::ALSO_SEEN, lang, brief));
    let unjudged = unjudged::sentences(&told.report.unjudged, lang);
    let unjudged = unjudged
        .iter()
        .map(|(count, sentence)| format!("{} × {}", common::number(*count), plain(sentence)));
    page.push_str(&section(common::UNJUDGED, lang, unjudged));
    page.push_str(&captures(told, lang));
    page.push_str("<footer>\n");
    // Details are told too: masks are looked for in all that was written.
    if settings.redact && page.contains("***") {
        page.push_str(&format!("<p>{}</p>\n", plain(common::MASKED.of(lang))));
    }
    page.push_str(&tool(told));
    page.push_str("</footer>\n</body>\n</html>\n");
    page
}

/// The page's head, its headline and the facts below it.
fn head(told: &Told, blocks: &[Block<'_>], clock: &Clock, lang: Lang) -> String {
    let headline = plain(&common::headline(told, lang));
    let class = match blocks.first() {
        _ if told.report.summary.attempts.failed > 0 => "critical",
        Some(block) => block.first.severity,
        None => "good",
    };
    let language = match lang {
        Lang::En => "en",
        Lang::Zh => "zh-CN",
    };
    let facts: String = common::facts(told, clock, lang)
        .iter()
        .map(|fact| format!("<li>{}</li>\n", plain(fact)))
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <title>{headline} · wirefault</title>\n<style>\n{}</style>\n</head>\n<body>\n\
         <h1 class=\"{}\">{headline}</h1>\n<ul class=\"facts\">\n{facts}</ul>\n",
        include_str!("style.css"),
        plain(class),
    )
}

fn glance(blocks: &[Block<'_>], lang: Lang) -> String {
    let rows: String = blocks
        .iter()
        .map(|block| {
            format!(
                "<tr><td class=\"keep\">{}</td><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>\n",
                badge(block.first.severity, lang),
                common::number(block.count),
                incident::link(block),
                code(block.first.endpoint.as_deref().unwrap_or("")),
            )
        })
        .collect();
    let [severity, count, what, place, _] = common::GLANCE.map(|head| plain(head.of(lang)));
    format!(
        "{}<table>\n<thead><tr><th>{severity}</th><th class=\"n\">{count}</th><th>{what}</th><th>{place}</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table>\n",
        heading(common::AT_A_GLANCE, lang)
    )
}

fn endpoints(told: &Told, lang: Lang) -> String {
    let (listed, omitted) = balance::listed(told);
    if listed.is_empty() {
        return String::new();
    }
    let rows: String = listed.iter().map(|one| endpoint(one, lang)).collect();
    let names = balance::COLUMNS.map(|head| head.of(lang));
    let further = if omitted > 0 {
        format!("<p>{}</p>\n", plain(&balance::further(omitted, lang)))
    } else {
        String::new()
    };
    format!(
        "{}<table class=\"endpoints\">\n{}<tbody>\n{rows}</tbody></table>\n{further}<p class=\"dim small\">{}</p>\n",
        heading(common::ENDPOINTS, lang),
        heads(&names, 1),
        plain(balance::LEGEND.of(lang))
    )
}

/// A row: the share of attempts that reached the endpoint is a bar too, the times carry their heads to narrow screens.
fn endpoint(of: &Endpoint, lang: Lang) -> String {
    let [name, figures @ ..] = balance::cells(of, lang);
    let heads = balance::COLUMNS.map(|head| head.of(lang));
    let mut row = format!("<tr><td>{}</td>", code(&name));
    for (place, (figure, head)) in figures.iter().zip(heads.iter().skip(1)).enumerate() {
        let class = match place {
            1 if of.attempts.failed > 0 => "n ill",
            5.. => "n time",
            _ => "n",
        };
        let figure = match of.availability.filter(|_| place == 4) {
            Some(share) => format!(
                "<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:{:.2}%\"></i></span><span class=\"share\">{}</span>",
                (share * 10_000.0 + 1e-6).floor() / 100.0,
                plain(figure)
            ),
            None => plain(figure),
        };
        row.push_str(&format!(
            "<td class=\"{class}\" data-head=\"{}\">{figure}</td>",
            plain(head)
        ));
    }
    row + "</tr>\n"
}

fn captures(told: &Told, lang: Lang) -> String {
    let all = &told.report.captures;
    let few = all.len() <= CAPTURES_LISTED;
    let (listed, folded): (Vec<&Capture>, Vec<&Capture>) = all
        .iter()
        .partition(|capture| few || !capture.complete || !capture.notes.is_empty());
    let list = |captures: &[&Capture]| {
        let items: String = captures
            .iter()
            .map(|one| format!("<li>{}</li>\n", capture(one, lang)))
            .collect();
        if items.is_empty() {
            items
        } else {
            format!("<ul class=\"plain\">\n{items}</ul>\n")
        }
    };
    let mut page = heading(common::CAPTURES, lang) + &list(&listed);
    if !folded.is_empty() {
        page.push_str(&format!(
            "<details>\n<summary>{}</summary>\n{}</details>\n",
            plain(&common::more(folded.len(), lang)),
            list(&folded)
        ));
    }
    page
}

fn capture(of: &Capture, lang: Lang) -> String {
    let mut item = format!(
        "{} <span class=\"dim\">{}</span>",
        code(&of.path),
        plain(&words::capture(&of.format, of.packets, lang))
    );
    if !of.complete {
        item.push_str(&format!(
            "{}<strong>{}</strong>",
            common::comma(lang),
            plain(common::INCOMPLETE.of(lang))
        ));
    }
    let notes: String = of
        .notes
        .iter()
        .map(|note| format!("<li>{}</li>", plain(note)))
        .collect();
    if !notes.is_empty() {
        item.push_str(&format!("<ul>{notes}</ul>"));
    }
    item
}

/// What judged, so that two pages can be compared.
fn tool(told: &Told) -> String {
    let tool = &told.report.tool;
    format!(
        "<p>{} {} · catalogue {} · endpoints {} · trust store {}{}</p>\n",
        plain(tool.name),
        plain(tool.version),
        plain(&tool.catalogue),
        plain(&tool.endpoints),
        plain(&tool.trust_store),
        tool.key_log
            .as_deref()
            .map_or_else(String::new, |log| format!(" · key log {}", plain(log)))
    )
}
