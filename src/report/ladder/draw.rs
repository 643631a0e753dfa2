//! The two uprights and the arrows between them.

use crate::engine::trace::{Kind, Segments};
use crate::report::layout::{Painter, Style, columns, left, right};

/// Columns between the uprights at 80 columns, and at most.
const NARROW: usize = 23;
const WIDE: usize = 37;

/// The ladder's width.
pub(super) struct Shaft {
    inner: usize,
}

impl Shaft {
    /// A quarter of what is left beside the words, on wide terminals.
    pub(super) fn new(width: usize) -> Self {
        let more = width.saturating_sub(80) / 3;
        Self {
            inner: (NARROW + more).min(WIDE),
        }
    }

    /// Columns, the uprights included.
    pub(super) const fn width(&self) -> usize {
        self.inner + 2
    }

    /// The names of both ends above their uprights.
    pub(super) fn heads(&self, client: &str, server: &str) -> String {
        let room = (self.inner + 2).saturating_sub(columns(client));
        format!("{client}{}", right(server, room))
    }

    /// `─ SYN ────────▶`, or `◀──────── SYN ACK ─`.
    pub(super) fn arrow(&self, label: &str, to_server: bool) -> String {
        let spaced = format!(" {label} ");
        let (before, label) = match columns(label) {
            0 => ("─", ""),
            wide if wide + 4 <= self.inner => ("─", spaced.as_str()),
            // Where there is no room for more, the label is all of the shaft.
            _ => ("", label),
        };
        let free = self
            .inner
            .saturating_sub(columns(before) + columns(label) + 1);
        let line = "─".repeat(free);
        if to_server {
            format!("{before}{label}{line}▶")
        } else {
            format!("◀{line}{label}{before}")
        }
    }

    /// The arrow between its uprights.
    pub(super) fn paint(&self, arrow: &str, painter: Painter, style: Style) -> String {
        format!("│{}│", painter.paint(arrow, style))
    }

    /// Words in the middle, the uprights beside them.
    pub(super) fn between(&self, words: &str) -> String {
        let free = self.inner.saturating_sub(columns(words));
        if columns(words) > self.inner {
            return format!("│ {words}");
        }
        let before = free / 2;
        format!(
            "│{}│",
            left(&format!("{}{words}", " ".repeat(before)), self.inner)
        )
    }

    /// Just the uprights.
    pub(super) fn empty(&self) -> String {
        format!("│{}│", " ".repeat(self.inner))
    }
}

/// How an arrow looks that is no evidence.
pub(super) fn style(run: &Segments) -> Style {
    match run.kind {
        Kind::Plain if run.window == 0 || run.flags & 0x04 != 0 => Style::Error,
        Kind::Plain if run.lacking > 0 => Style::Warning,
        Kind::Plain if run.is_bare() => Style::Dim,
        Kind::Plain => Style::Plain,
        Kind::Icmp => Style::Error,
        _ => Style::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_fill_the_shaft_whatever_their_label() {
        let shaft = Shaft::new(80);
        for label in ["", "SYN", "×1,041  60,133,000 B", "重传 517 B"] {
            for to_server in [true, false] {
                assert_eq!(columns(&shaft.arrow(label, to_server)), NARROW, "{label}");
            }
            assert_eq!(columns(&shaft.between(label)), shaft.width(), "{label}");
        }
        assert_eq!(shaft.arrow("SYN", true), "─ SYN ────────────────▶");
        assert_eq!(shaft.arrow("RST", false), "◀──────────────── RST ─");
        assert_eq!(columns(&shaft.heads("client", "服务器")), shaft.width());
    }
}
