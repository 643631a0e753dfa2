//! The regular expressions of our schemas: `^`, `$`, literals, `\.`, `[a-z0-9]`, `(a|b)`, and `?`, `*`, `+`, `{n}`
//! behind an atom. Backtracking by continuation; patterns are ours and short.

/// Does the whole text match? Our patterns are anchored at both ends.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let body = pattern
        .strip_prefix('^')
        .and_then(|pattern| pattern.strip_suffix('$'));
    let pattern: Vec<char> = body.unwrap_or("(").chars().collect();
    let text: Vec<char> = text.chars().collect();
    branches(&pattern).any(|branch| sequence(branch, &text, &|rest| rest.is_empty()))
}

/// A rest of the text: does what follows in the pattern match it?
type Then<'a> = &'a dyn Fn(&[char]) -> bool;

fn sequence(pattern: &[char], text: &[char], then: Then<'_>) -> bool {
    if pattern.is_empty() {
        return then(text);
    }
    let (atom, rest) = pattern.split_at(atom_len(pattern));
    let (least, most, rest) = match rest {
        ['?', rest @ ..] => (0, 1, rest),
        ['*', rest @ ..] => (0, usize::MAX, rest),
        ['+', rest @ ..] => (1, usize::MAX, rest),
        ['{', counted @ ..] => {
            let digits = counted
                .iter()
                .take_while(|digit| digit.is_ascii_digit())
                .count();
            let times = counted
                .iter()
                .take(digits)
                .collect::<String>()
                .parse()
                .unwrap_or(0);
            (times, times, counted.get(digits + 1..).unwrap_or(&[]))
        }
        rest => (1, 1, rest),
    };
    repeat(atom, (least, most), text, &|after| {
        sequence(rest, after, then)
    })
}

fn repeat(atom: &[char], (least, most): (usize, usize), text: &[char], then: Then<'_>) -> bool {
    let again = |after: &[char]| {
        after.len() < text.len() && repeat(atom, (least.saturating_sub(1), most - 1), after, then)
    };
    (most > 0 && one(atom, text, &again)) || (least == 0 && then(text))
}

fn one(atom: &[char], text: &[char], then: Then<'_>) -> bool {
    match (atom, text) {
        (['(', inner @ .., ')'], _) => branches(inner).any(|branch| sequence(branch, text, then)),
        (['[', set @ .., ']'], [letter, rest @ ..]) => in_set(set, *letter) && then(rest),
        (['\\', literal] | [literal], [letter, rest @ ..]) => literal == letter && then(rest),
        _ => false,
    }
}

fn in_set(set: &[char], letter: char) -> bool {
    match set {
        [from, '-', to, rest @ ..] => (*from..=*to).contains(&letter) || in_set(rest, letter),
        [one, rest @ ..] => *one == letter || in_set(rest, letter),
        [] => false,
    }
}

fn atom_len(pattern: &[char]) -> usize {
    match pattern {
        ['\\', ..] => 2,
        ['[', ..] => pattern
            .iter()
            .position(|letter| *letter == ']')
            .map_or(pattern.len(), |end| end + 1),
        ['(', ..] => {
            let mut depth = 0;
            let closes = |letter: &char| {
                depth += match letter {
                    '(' => 1,
                    ')' => -1,
                    _ => 0,
                };
                depth == 0
            };
            pattern
                .iter()
                .position(closes)
                .map_or(pattern.len(), |end| end + 1)
        }
        _ => 1,
    }
}

fn branches(pattern: &[char]) -> impl Iterator<Item = &[char]> {
    let mut depth = 0;
    pattern.split(move |letter| {
        depth += match letter {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        *letter == '|' && depth == 0
    })
}

#[test]
fn patterns_match_what_they_say() {
    let check = |pattern: &str, text: &str, expect: bool| {
        assert_eq!(matches(pattern, text), expect, "{pattern} {text}")
    };
    check("^f-[0-9a-f]{4}$", "f-12ab", true);
    check("^f-[0-9a-f]{4}$", "f-12abc", false);
    check("^f-[0-9a-f]{4}$", "f-12aG", false);
    check("^pcap(ng|-ns)?(\\+(gzip|xz))?$", "pcapng+xz", true);
    check("^pcap(ng|-ns)?(\\+(gzip|xz))?$", "pcap", true);
    check("^pcap(ng|-ns)?(\\+(gzip|xz))?$", "pcap+zip", false);
    check("^(a|b)\\.[a-z0-9-]+$", "b.x-1", true);
    check("^(a|b)\\.[a-z0-9-]+$", "bx1", false);
    check("^c-[1-9][0-9]*$", "c-0", false);
    check("unanchored", "unanchored", false);
}
