//! `wirefault explain`: the guide of a code.

use crate::cli::{Failure, output};
use crate::failure::{Lang, classes};

/// Prints a guide, or the list of codes with their titles.
pub(crate) fn run(code: Option<&str>, list: bool, lang: Lang) -> Result<u8, Failure> {
    if list {
        let mut text = String::new();
        for class in classes::ALL {
            text.push_str(&format!("{:<34} {:<9} {}\n", class.code, class.severity.name(), class.title(lang)));
        }
        return output::write(None, text.as_bytes()).map(|()| 0);
    }
    let wanted = code.unwrap_or("");
    match classes::ALL.iter().find(|class| class.code == wanted) {
        Some(class) => output::write(None, class.guide.of(lang).as_bytes()).map(|()| 0),
        None => Err(Failure::usage(unknown(wanted))),
    }
}

fn unknown(wanted: &str) -> String {
    let tail = wanted.rsplit('.').next().unwrap_or(wanted);
    let near: Vec<&str> = classes::ALL
        .iter()
        .map(|class| class.code)
        .filter(|code| !tail.is_empty() && code.contains(tail))
        .take(3)
        .collect();
    if near.is_empty() {
        format!("explain: no code `{wanted}`; `wirefault explain --list` lists all")
    } else {
        format!("explain: no code `{wanted}`; did you mean {}?", near.join(", "))
    }
}
