//! Elements of the page. Every text goes through `plain` on its way in, so that no name of the wire becomes markup; the
//! page is well-formed XML as well.

use crate::failure::{Lang, Text};
use crate::report::layout::safe;
use crate::report::words;

/// A text as content or as the value of an attribute (HTML 13.1.2.3, XML 1.0 2.2 and 2.4).
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in safe(text).chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.extend(letter.escape_default()),
            letter => out.push(letter),
        }
    }
    out
}

/// What is typed or searched for: a code, a name, an id.
pub(super) fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("<code>{}</code>", plain(text))
}

/// The same, selected whole by one click.
pub(super) fn copied(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("<code class=\"copy\">{}</code>", plain(text))
}

/// Codes, one after the other.
pub(super) fn codes(codes: &[&str], lang: Lang) -> String {
    let list: Vec<String> = codes.iter().map(|item| code(item)).collect();
    list.join(words::enumeration(lang))
}

/// A sentence of a guide: its code spans and its bold words are markup, nothing else is.
pub(super) fn guide(text: &str) -> String {
    let mut out = String::new();
    for (place, part) in text.split('`').enumerate() {
        if place % 2 == 1 {
            out.push_str(&code(part));
            continue;
        }
        for (place, part) in part.split("**").enumerate() {
            out.push_str(&if place % 2 == 1 {
                format!("<strong>{}</strong>", plain(part))
            } else {
                plain(part)
            });
        }
    }
    out
}

/// `CRITICAL` in its colour.
pub(super) fn badge(severity: &str, lang: Lang) -> String {
    format!(
        "<span class=\"badge {}\">{}</span>",
        plain(severity),
        words::severity(severity, lang)
    )
}

/// A heading of the page.
pub(super) fn heading(text: Text, lang: Lang) -> String {
    format!("<h2>{}</h2>\n", plain(text.of(lang)))
}

/// A heading and its list of ready items; nothing where the list is empty.
pub(super) fn section(title: Text, lang: Lang, items: impl Iterator<Item = String>) -> String {
    let list: String = items.map(|item| format!("<li>{item}</li>\n")).collect();
    if list.is_empty() {
        list
    } else {
        format!(
            "{}<ul class=\"plain\">\n{list}</ul>\n",
            heading(title, lang)
        )
    }
}

/// A label and its ready value in a `dl`; what is to be done first stands out. Nothing where the value is empty.
pub(super) fn item(label: &str, value: &str, first: bool) -> String {
    if value.is_empty() {
        return String::new();
    }
    let class = if first { " class=\"first\"" } else { "" };
    format!("<dt{class}>{}</dt><dd{class}>{value}</dd>\n", plain(label))
}

/// Heads of a table; those from `numbers_from` on stand right.
pub(super) fn heads(heads: &[&str], numbers_from: usize) -> String {
    let cells: String = heads
        .iter()
        .enumerate()
        .map(|(place, head)| {
            let class = if place < numbers_from {
                ""
            } else {
                " class=\"n\""
            };
            format!("<th{class}>{}</th>", plain(head))
        })
        .collect();
    format!("<thead><tr>{cells}</tr></thead>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_the_wire_is_no_markup() {
        assert_eq!(
            plain("<b a=\"x\" b='y'>&\u{1b}\u{202e}\u{ffff}"),
            "&lt;b a=&quot;x&quot; b=&#39;y&#39;&gt;&amp;\\u{1b}\\u{202e}\\u{ffff}"
        );
        assert_eq!(copied("a<b"), "<code class=\"copy\">a&lt;b</code>");
    }

    #[test]
    fn a_guide_s_code_and_bold_are_shown_and_no_more() {
        assert_eq!(
            guide("**Look** at `a<b` & go."),
            "<strong>Look</strong> at <code>a&lt;b</code> &amp; go."
        );
    }
}
