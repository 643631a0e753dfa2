//! JSON, XML or a plain text as one flat list of fields, so that one kind of path names a field in all of them.

use std::collections::BTreeSet;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde_json::Value;

use crate::limits;

/// Elements within elements; JSON's parser has its own limit of 128.
const DEPTH_MAX: usize = 128;

/// A field that holds a value: its path, and the value as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) path: String,
    pub(super) value: String,
}

/// The fields of a text; `None` for what is not understood, or has too many.
pub(super) fn of(text: &str) -> Option<Vec<Leaf>> {
    let text = text.trim_start_matches('\u{feff}').trim();
    match text.as_bytes().first()? {
        b'{' | b'[' => json(text),
        b'<' => xml(text),
        _ => called(text).map_or_else(|| plain(text), json),
    }
}

/// What a script hands to the function that it was asked to call (JSONP).
fn called(text: &str) -> Option<&str> {
    let (name, rest) = text.split_once('(')?;
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_$.".contains(c));
    let inside = rest
        .trim_end_matches([';', ' ', '\n', '\r'])
        .strip_suffix(')')?
        .trim();
    (is_name && inside.starts_with(['{', '['])).then_some(inside)
}

/// `ERROR@97@text`: the pieces by number, below the word that they begin with.
fn plain(text: &str) -> Option<Vec<Leaf>> {
    let (word, rest) = text.split_once('@')?;
    let is_word =
        (1..=16).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let pieces = (1..).zip(rest.splitn(7, '@'));
    is_word.then(|| {
        pieces
            .map(|(number, piece)| leaf(format!("{word}/{number}"), piece))
            .collect()
    })
}

fn leaf(path: String, value: &str) -> Leaf {
    let value = value.trim().to_owned();
    Leaf { path, value }
}

fn json(text: &str) -> Option<Vec<Leaf>> {
    let mut leaves = Vec::new();
    flatten(
        &serde_json::from_str(text).ok()?,
        String::new(),
        &mut leaves,
    )?;
    Some(leaves)
}

fn flatten(value: &Value, path: String, leaves: &mut Vec<Leaf>) -> Option<()> {
    if leaves.len() >= limits::FIELDS_MAX {
        return None;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let inside = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}/{name}")
                };
                flatten(member, inside, leaves)?;
            }
        }
        Value::Array(items) => {
            for item in items {
                flatten(item, path.clone(), leaves)?;
            }
        }
        // Not there and null are one to a receiver.
        Value::Null => {}
        Value::String(text) => leaves.push(leaf(path, text)),
        other => leaves.push(leaf(path, &other.to_string())),
    }
    Some(())
}

fn xml(text: &str) -> Option<Vec<Leaf>> {
    let mut reader = Reader::from_str(text);
    let mut leaves: Vec<Leaf> = Vec::new();
    let mut path = String::new();
    let mut lengths: Vec<usize> = Vec::new();
    let mut words = String::new();
    // Elements that hold others have no text of their own.
    let mut held = BTreeSet::new();
    loop {
        if leaves.len() >= limits::FIELDS_MAX {
            return None;
        }
        match reader.read_event().ok()? {
            Event::Decl(declaration) => {
                let version = declaration.version().ok()?.into_owned();
                leaves.push(leaf("?xml/@version".to_owned(), &version));
            }
            Event::Start(element) => {
                held.insert(lengths.len());
                lengths.push(path.len());
                if lengths.len() > DEPTH_MAX {
                    return None;
                }
                step(&mut path, &element, &mut leaves)?;
                words.clear();
            }
            Event::Empty(element) => {
                held.insert(lengths.len());
                let before = path.len();
                step(&mut path, &element, &mut leaves)?;
                leaves.push(leaf(path.clone(), ""));
                path.truncate(before);
            }
            Event::End(_) => {
                let before = lengths.pop()?;
                if !held.remove(&(lengths.len() + 1)) {
                    leaves.push(leaf(path.clone(), &words));
                }
                words.clear();
                path.truncate(before);
            }
            Event::Text(piece) => words.push_str(&piece),
            Event::CData(piece) => words.push_str(&piece),
            Event::GeneralRef(name) => words.push_str(&referred(&name)),
            Event::Eof => return Some(leaves),
            _ => {}
        }
    }
}

/// Goes into an element: its name without a prefix, told by its attribute `name` where it has a value beside.
fn step(path: &mut String, element: &BytesStart<'_>, leaves: &mut Vec<Leaf>) -> Option<()> {
    let mut attributes = Vec::new();
    for attribute in element.attributes() {
        let attribute = attribute.ok()?;
        let name = attribute.key.as_ref().to_owned();
        attributes.push((
            name,
            attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .ok()?
                .into_owned(),
        ));
    }
    if !path.is_empty() {
        path.push('/');
    }
    path.push_str(element.local_name().as_ref());
    let of = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted);
    if let (Some((_, name)), Some(_)) = (of("name"), of("value")) {
        let plain: String = name.chars().filter(|c| !"/[]".contains(*c)).collect();
        path.push_str(&format!("[{plain}]"));
    }
    for (name, value) in &attributes {
        leaves.push(leaf(format!("{path}/@{name}"), value));
    }
    Some(())
}

/// What a reference stands for; one that only the document knows stands for nothing.
fn referred(name: &str) -> String {
    let number = |digits: &str| match digits.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => digits.parse().ok(),
    };
    let c = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => name
            .strip_prefix('#')
            .and_then(number)
            .and_then(char::from_u32),
    };
    c.map(String::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, &str)]) {
        let found = of(text).unwrap_or_default();
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|leaf| (leaf.path.as_str(), leaf.value.as_str()))
            .collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn json_xml_jsonp_and_text_are_fields() {
        check(
            r#"{"a":{"b":1,"c":null},"d":[{"e":"x"},{"e":true}]}"#,
            &[("a/b", "1"), ("d/e", "x"), ("d/e", "true")],
        );
        check("jQuery17_1({\"key1\":\"09\"});", &[("key1", "09")]);
        check(
            "ERROR@97@证书作废",
            &[("ERROR/1", "97"), ("ERROR/2", "证书作废")],
        );
        check(
            "<?xml version=\"1.0\"?><s:a v=\"2\"><b> x&amp;<![CDATA[<]]> </b><c/></s:a>",
            &[
                ("?xml/@version", "1.0"),
                ("a/@v", "2"),
                ("a/b", "x&<"),
                ("a/c", ""),
            ],
        );
    }

    #[test]
    fn an_element_with_name_and_value_is_told_by_its_name() {
        check(
            "<g><data name=\"returnCode\" value=\"00\"/></g>",
            &[
                ("g/data[returnCode]/@name", "returnCode"),
                ("g/data[returnCode]/@value", "00"),
                ("g/data[returnCode]", ""),
            ],
        );
    }

    #[test]
    fn too_many_fields_are_not_read() {
        let items = |count: usize| format!("[{}1]", "1,".repeat(count));
        assert!(of(&items(limits::FIELDS_MAX - 1)).is_some());
        assert!(of(&items(limits::FIELDS_MAX + 1)).is_none());
        let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(of(&nested(DEPTH_MAX)).is_some() && of(&nested(DEPTH_MAX + 1)).is_none());
    }
}
