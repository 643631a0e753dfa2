//! Words of fields and targets, compared without regard to case as RFC 9110 5.6.2 has it, and without a copy.

use smol_str::SmolStr;

/// Does `text` hold `word`, whatever the case of its letters? `word` is in lower case and not empty.
pub(crate) fn holds(text: &str, word: &str) -> bool {
    bytes_hold(text.as_bytes(), word)
}

/// The same of bytes that need not be text.
pub(super) fn bytes_hold(text: &[u8], word: &str) -> bool {
    let Some((&first, rest)) = word.as_bytes().split_first() else {
        return false;
    };
    let upper = first.to_ascii_uppercase();
    let starts = text.len().saturating_sub(rest.len());
    text.iter().take(starts).enumerate().any(|(at, &byte)| {
        (byte == first || byte == upper)
            && text
                .get(at.saturating_add(1)..)
                .and_then(|text| text.get(..rest.len()))
                .is_some_and(|part| part.eq_ignore_ascii_case(rest))
    })
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
    if let Some(common) = common(bytes) {
        return SmolStr::new_static(common);
    }
    std::str::from_utf8(bytes).map_or_else(
        |_| SmolStr::from(String::from_utf8_lossy(bytes)),
        SmolStr::new,
    )
}

/// What most heads hold: these texts need neither check nor copy.
fn common(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        b"/" => "/",
        b"OK" => "OK",
        b"GET" => "GET",
        b"*/*" => "*/*",
        b"POST" => "POST",
        b"gzip" => "gzip",
        b"nginx" => "nginx",
        b"text/html" => "text/html",
        b"text/plain" => "text/plain",
        b"application/json" => "application/json",
        b"text/html; charset=utf-8" => "text/html; charset=utf-8",
        b"application/octet-stream" => "application/octet-stream",
        b"application/json; charset=utf-8" => "application/json; charset=utf-8",
        b"application/json;charset=UTF-8" => "application/json;charset=UTF-8",
        b"application/x-www-form-urlencoded" => "application/x-www-form-urlencoded",
        _ => return None,
    })
}

/// At most `max` bytes as text with its ASCII letters in lower case.
pub(in crate::protocol) fn lower(bytes: &[u8], max: usize) -> SmolStr {
    let bytes = bytes.get(..max).unwrap_or(bytes);
    if bytes.iter().any(u8::is_ascii_uppercase) {
        text(&bytes.to_ascii_lowercase(), max)
    } else {
        text(bytes, max)
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
        assert!(holds("hhtml", "html"));
        assert!(ends_with("/Logo.PNG", ".png") && !ends_with("png", ".png"));
    }

    #[test]
    fn texts_are_cut_and_mended() {
        assert_eq!(text(b"abc\xff", 4), "abc\u{fffd}");
        assert_eq!(text(b"text/html; charset=gbk", 9), "text/html");
        assert_eq!(lower("Ä Host:8443".as_bytes(), 6), "Ä hos");
    }
}
