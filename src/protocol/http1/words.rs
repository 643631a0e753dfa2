//! Words of fields and targets, compared without regard to case as RFC 9110 5.6.2 has it, and without a copy.

use smol_str::SmolStr;

/// Does `text` hold `word`, whatever the case of its letters? `word` is in lower case and not empty.
pub(crate) fn holds(text: &str, word: &str) -> bool {
    text.as_bytes()
        .windows(word.len().max(1))
        .any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// Does `text` end with `word`, whatever the case of its letters?
pub(crate) fn ends_with(text: &str, word: &str) -> bool {
    let tail = text.len().checked_sub(word.len());
    tail.and_then(|at| text.as_bytes().get(at..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(word.as_bytes()))
}

/// At most `max` bytes as text; what is no UTF-8 is replaced.
pub(in crate::protocol) fn text(bytes: &[u8], max: usize) -> SmolStr {
    let bytes = bytes.get(..max).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_or_else(
        |_| SmolStr::from(String::from_utf8_lossy(bytes)),
        SmolStr::new,
    )
}

/// At most `max` bytes as text with its ASCII letters in lower case.
pub(in crate::protocol) fn lower(bytes: &[u8], max: usize) -> SmolStr {
    let text = text(bytes, max);
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        SmolStr::from(text.to_ascii_lowercase())
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whatever_their_case() {
        assert!(holds("Text/HTML; q=0.9", "html"));
        assert!(holds("html", "html"));
        assert!(!holds("htm", "html"));
        assert!(!holds("", "html"));
        assert!(ends_with("/Logo.PNG", ".png") && !ends_with("png", ".png"));
    }

    #[test]
    fn texts_are_cut_and_mended() {
        assert_eq!(text(b"abc\xff", 4), "abc\u{fffd}");
        assert_eq!(lower("Ä Host:8443".as_bytes(), 6), "Ä hos");
    }
}
