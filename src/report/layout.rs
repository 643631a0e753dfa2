//! Lines of a terminal: what is safe to print, how wide it is, where it may be broken, how it is coloured.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a text takes; Chinese takes two each.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// Names come from the wire: control characters and what changes the direction of reading are written as escapes, so
/// that no name can steer a terminal or look like another one.
pub(super) fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        let hidden = matches!(letter,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}');
        if letter.is_control() || hidden {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

/// The text, with spaces up to `width` columns behind it.
pub(super) fn left(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// The text, with spaces up to `width` columns before it.
pub(super) fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(columns(text))))
}

/// Lines of at most `width` columns: broken at spaces, and between Chinese characters; a word that is wider than a
/// line is broken where it must be. No line begins with a mark that closes.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut wide = 0;
    for piece in pieces(text) {
        let piece_wide = columns(piece.trim_end());
        if wide > 0 && wide + piece_wide > width {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            wide = 0;
        }
        if piece_wide <= width {
            line.push_str(piece);
            wide += columns(piece);
            continue;
        }
        for letter in piece.chars() {
            let letter_wide = letter.width().unwrap_or(0);
            if wide + letter_wide > width {
                lines.push(std::mem::take(&mut line));
                wide = 0;
            }
            line.push(letter);
            wide += letter_wide;
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// Wide characters in a row that are one word, such as 北京市 or 内蒙古自治区 between Latin letters.
const WORD_MAX: usize = 6;

/// Pieces between which a line may be broken; each keeps the spaces behind it.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    let mut word_end = 0;
    for (at, letter) in text.char_indices() {
        if is_wide(letter) && !before.is_some_and(is_wide) {
            let rest = text.get(at..).unwrap_or("");
            let end = rest.find(|letter| !is_wide(letter)).unwrap_or(rest.len());
            let short = rest
                .get(..end)
                .is_some_and(|word| word.chars().count() <= WORD_MAX);
            word_end = if short { at + end } else { 0 };
        }
        let in_word = at < word_end && before.is_some_and(is_wide);
        if !in_word && before.is_some_and(|before| may_break(before, letter)) {
            pieces.extend(text.get(start..at));
            start = at;
        }
        before = Some(letter);
    }
    pieces.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    pieces
}

fn may_break(before: char, after: char) -> bool {
    const OPENING: &str = "（《“‘「【([{";
    const CLOSING: &str = "，。；：、！？）》”’」】…,.;:!?)]}%";
    if after == ' ' {
        return false;
    }
    if before == ' ' {
        return true;
    }
    (is_wide(before) || is_wide(after)) && !CLOSING.contains(after) && !OPENING.contains(before)
}

fn is_wide(letter: char) -> bool {
    letter.width() == Some(2)
}

/// How a stretch of text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As it is.
    Plain,
    /// Bold.
    Bold,
    /// Dim.
    Dim,
    /// Green.
    Good,
    /// Red and bold.
    Critical,
    /// Red.
    Error,
    /// Yellow.
    Warning,
}

impl Style {
    /// The style of a severity's word in JSON.
    pub(super) fn of(severity: &str) -> Self {
        match severity {
            "critical" => Self::Critical,
            "error" => Self::Error,
            "warning" => Self::Warning,
            _ => Self::Dim,
        }
    }
}

/// Paints, or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Painter {
    /// Colours are wanted.
    pub(super) color: bool,
}

impl Painter {
    /// The text between its ANSI sequences (ECMA-48 8.3.117).
    pub(super) fn paint(self, text: &str, style: Style) -> String {
        let code = match style {
            _ if !self.color => return text.to_owned(),
            Style::Plain => return text.to_owned(),
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Good => "32",
            Style::Critical => "1;31",
            Style::Error => "31",
            Style::Warning => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_is_broken_at_spaces() {
        assert_eq!(
            wrap("never answered the SYN of 192.0.2.21", 16),
            ["never answered", "the SYN of", "192.0.2.21"]
        );
    }

    #[test]
    fn chinese_is_broken_between_characters_and_not_before_a_mark() {
        assert_eq!(
            wrap("服务器从未应答，客户端放弃", 14),
            ["服务器从未应", "答，客户端放弃"]
        );
        assert_eq!(
            wrap("服务器从未应答。", 14),
            ["服务器从未应", "答。"],
            "a mark stays behind its word"
        );
    }

    #[test]
    fn a_short_chinese_word_stays_whole() {
        assert_eq!(
            wrap("203.0.113.20, 北京市)", 18),
            ["203.0.113.20,", "北京市)"]
        );
    }

    #[test]
    fn a_word_wider_than_a_line_is_broken() {
        assert_eq!(wrap("aaaaaaaaaaaa b", 8), ["aaaaaaaa", "aaaa b"]);
        assert_eq!(wrap("", 8), [""]);
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(
            safe("a\u{1b}[2Jb\u{9b}31m\u{202e}c\n"),
            "a\\u{1b}[2Jb\\u{9b}31m\\u{202e}c\\n"
        );
        assert_eq!(safe("税务局 é"), "税务局 é");
    }

    #[test]
    fn chinese_takes_two_columns() {
        assert_eq!(left("北京", 6), "北京  ");
        assert_eq!(right("北京", 6), "  北京");
    }
}
