//! `wirefault explain`: the guide of a code, or what a client's own error code means.

use crate::cli::{Failure, output};
use crate::failure::client_codes::{self, ClientCode};
use crate::failure::{Class, Lang, classes};

/// Entries told of one question; a long message may name many.
const TOLD_MAX: usize = 5;

/// Prints a guide, what a client's code means, or the list of codes with their titles.
pub(crate) fn run(code: Option<&str>, list: bool, lang: Lang) -> Result<u8, Failure> {
    if list {
        let mut text = String::new();
        for class in classes::ALL {
            text.push_str(&format!(
                "{:<34} {:<9} {}\n",
                class.code,
                class.severity.name(),
                class.title(lang)
            ));
        }
        return output::write(None, text.as_bytes()).map(|()| 0);
    }
    let wanted = code.unwrap_or("").trim();
    if let Some(class) = class(wanted) {
        return output::write(None, class.guide.of(lang).as_bytes()).map(|()| 0);
    }
    let found = client_codes::find(wanted);
    if found.is_empty() {
        return Err(Failure::usage(unknown(wanted)));
    }
    let told: Vec<String> = found
        .iter()
        .take(TOLD_MAX)
        .map(|row| tell(row, lang))
        .collect();
    output::write(None, told.join("\n").as_bytes()).map(|()| 0)
}

fn class(code: &str) -> Option<&'static Class> {
    classes::ALL
        .iter()
        .copied()
        .find(|class| class.code.eq_ignore_ascii_case(code))
}

/// A client's code: whose it is, what it means on the wire, and the codes to look for that this version can say.
fn tell(row: &ClientCode, lang: Lang) -> String {
    let names = row
        .names
        .first()
        .map(|name| format!(" ({name})"))
        .unwrap_or_default();
    let mut text = format!(
        "{}: {}{names}\n\n{}\n\n",
        row.client,
        row.code,
        row.means.of(lang)
    );
    let known: Vec<&Class> = row.look_for.iter().filter_map(|code| class(code)).collect();
    let Some(first) = known.first() else {
        text.push_str(match (row.look_for.is_empty(), lang) {
            (true, Lang::En) => "No packet tells: look on the client itself.\n",
            (true, Lang::Zh) => "抓包中看不出来，请在客户端本机排查。\n",
            (false, Lang::En) => "This version has no code that tells it.\n",
            (false, Lang::Zh) => "本版本尚无对应的代码。\n",
        });
        return text;
    };
    text.push_str(match lang {
        Lang::En => "Look for\n",
        Lang::Zh => "请查找\n",
    });
    for class in &known {
        text.push_str(&format!("  {:<34} {}\n", class.code, class.title(lang)));
    }
    text.push_str(&match lang {
        Lang::En => format!(
            "\n`wirefault explain {}` tells how it looks and what to do; likewise the others.\n",
            first.code
        ),
        Lang::Zh => format!(
            "\n`wirefault explain {}` 给出判断依据和处置办法，其余代码同理。\n",
            first.code
        ),
    });
    text
}

fn unknown(wanted: &str) -> String {
    let meant = wanted.to_ascii_lowercase().replace('_', "-");
    let tail = |code: &str| {
        code.rsplit('.')
            .next()
            .map(str::to_owned)
            .unwrap_or_default()
    };
    let asked = tail(&meant);
    let codes = || classes::ALL.iter().map(|class| class.code);
    let mut near: Vec<&str> = codes()
        .filter(|code| !asked.is_empty() && code.contains(&asked))
        .take(3)
        .collect();
    if near.is_empty() && asked.len() > 4 {
        near = codes()
            .filter(|code| edits(&asked, &tail(code)) <= 2)
            .take(3)
            .collect();
    }
    if near.is_empty() {
        format!("explain: no code `{wanted}`; `wirefault explain --list` lists all")
    } else {
        format!(
            "explain: no code `{wanted}`; did you mean {}?",
            near.join(", ")
        )
    }
}

/// How many letters to add, drop or change (Levenshtein), one row of the table at a time.
fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.bytes().enumerate() {
        let mut last = line + 1;
        let mut next = vec![last];
        for ((above, diagonal), wanted) in row.iter().skip(1).zip(&row).zip(other.bytes()) {
            last = (diagonal + usize::from(letter != wanted))
                .min(above + 1)
                .min(last + 1);
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{tell, unknown};
    use crate::failure::Lang;
    use crate::failure::client_codes::find;

    #[test]
    fn a_clients_code_names_codes_with_their_titles() {
        let told: Vec<String> = find("12029")
            .iter()
            .map(|row| tell(row, Lang::En))
            .collect();
        assert_eq!(told.len(), 1);
        for part in [
            "WinHTTP/WinINet: 12029",
            "\n  transport.syn-refused",
            "`wirefault explain transport.syn-refused`",
        ] {
            assert!(
                told.iter().all(|text| text.contains(part)),
                "{part}: {told:?}"
            );
        }
    }

    #[test]
    fn a_code_of_the_machine_itself_names_none() {
        let told: Vec<String> = find("WSAEACCES")
            .iter()
            .map(|row| tell(row, Lang::Zh))
            .collect();
        assert!(
            told.iter()
                .any(|text| text.ends_with("抓包中看不出来，请在客户端本机排查。\n")),
            "{told:?}"
        );
    }

    #[test]
    fn a_near_miss_is_offered() {
        let offered = "explain: no code `syn_refused`; did you mean transport.syn-refused?";
        assert_eq!(unknown("syn_refused"), offered);
        let offered =
            "explain: no code `security.cert-expird`; did you mean security.cert-expired?";
        assert_eq!(unknown("security.cert-expird"), offered);
        assert_eq!(
            unknown("12"),
            "explain: no code `12`; `wirefault explain --list` lists all"
        );
    }
}
