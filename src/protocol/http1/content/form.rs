//! Is a body what it is declared to be: its characters, and well-formed JSON (RFC 8259) or XML 1.0?
//!
//! Lenient where receivers are: a byte order mark, the guards that some servers put before JSON, JSONP where a function
//! was asked for.

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde::de::IgnoredAny;

use super::{Declared, Fault};

/// Where a body stops to be well-formed, and what was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormFault {
    /// Position in the body, its coding taken off.
    pub at: u64,
    /// What the parser said.
    pub why: String,
}

/// Does it begin like an HTML page?
pub(super) fn is_page(bytes: &[u8]) -> bool {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = start.trim_ascii_start();
    let start = start
        .get(..start.len().min(64))
        .unwrap_or(&[])
        .to_ascii_lowercase();
    ["<!doctype html", "<html", "<head", "<body", "<script"]
        .iter()
        .any(|mark| start.starts_with(mark.as_bytes()))
}

/// The text of the bytes, coding taken off, and the first thing wrong with it. No text where its characters are not
/// known here.
pub(super) fn read(
    declared: Declared,
    content_type: &str,
    bytes: &[u8],
    wrapped: bool,
) -> (Option<String>, Option<Fault>) {
    if bytes.trim_ascii().is_empty() {
        return (None, None);
    }
    let Some((encoding, by)) = charset(declared, content_type, bytes) else {
        return (None, None);
    };
    let mismatch = |fits: &'static Encoding| Fault::Charset {
        declared: encoding.name(),
        by,
        fits: fits.name(),
    };
    let Some(text) = decode(encoding, bytes) else {
        let fits = [UTF_8, GB18030]
            .into_iter()
            .find(|other| *other != encoding && decode(other, bytes).is_some());
        return (None, fits.map(mismatch));
    };
    if encoding == GB18030 && reads_as_utf8(bytes) {
        return (None, Some(mismatch(UTF_8)));
    }
    let fault = match declared {
        Declared::Json => json(&text, wrapped).map(Fault::Json),
        Declared::Xml => xml(&text).map(Fault::Xml),
        Declared::Html => None,
    };
    (Some(text), fault)
}

/// The text of a body that nobody declares to be JSON or XML.
pub(super) fn undeclared(content_type: &str, bytes: &[u8]) -> Option<String> {
    let xml = bytes.trim_ascii_start().starts_with(b"<");
    let declared = if xml { Declared::Xml } else { Declared::Json };
    let said =
        charset(declared, content_type, bytes).and_then(|(encoding, _)| decode(encoding, bytes));
    said.or_else(|| decode(UTF_8, bytes))
        .or_else(|| decode(GB18030, bytes))
}

/// Half of all UTF-8 text decodes as GB18030 too, to other characters. The other way round it takes chance: so many
/// ideographs of three bytes each, and nothing else beyond ASCII and Chinese punctuation, are no GBK.
fn reads_as_utf8(bytes: &[u8]) -> bool {
    const IDEOGRAPHS_MIN: usize = 4;
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let mut ideographs = 0_usize;
    for c in text.chars().filter(|c| !c.is_ascii()) {
        match c {
            '\u{4e00}'..='\u{9fff}' => ideographs += 1,
            '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}' | '\u{2010}'..='\u{2026}' => {}
            _ => return false,
        }
    }
    ideographs >= IDEOGRAPHS_MIN
}

/// The character set of a body, and where it is said: the field, the XML declaration, the format's rule. `None` for
/// sets that are not known here.
fn charset(
    declared: Declared,
    content_type: &str,
    bytes: &[u8],
) -> Option<(&'static Encoding, &'static str)> {
    let lower = content_type.to_ascii_lowercase();
    let label = |text: &str, mark: &str| {
        let rest = text.split_once(mark)?.1.trim_start();
        let rest = rest
            .trim_start_matches(['"', '\'', '='])
            .trim_start_matches([' ', '"', '\'']);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_:.".contains(c));
        Some(
            rest.get(..end.unwrap_or(rest.len()))
                .unwrap_or(rest)
                .to_owned(),
        )
    };
    // A byte order mark outranks all (RFC 7303 3.3).
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return Some((encoding, "byte-order-mark"));
    }
    if let Some(label) = label(&lower, "charset=") {
        return known(&label).map(|encoding| (encoding, "content-type"));
    }
    if declared == Declared::Xml {
        let start = String::from_utf8_lossy(bytes.get(..bytes.len().min(200)).unwrap_or(&[]));
        let declaration = start.trim_start().split("?>").next().unwrap_or("");
        if declaration.starts_with("<?xml")
            && let Some(label) = label(&declaration.to_ascii_lowercase(), "encoding")
        {
            return known(&label).map(|encoding| (encoding, "xml-declaration"));
        }
    }
    if bytes.starts_with(&[0, b'<']) || bytes.get(1) == Some(&0) {
        return None;
    }
    Some((UTF_8, "default"))
}

/// GBK is read as its superset GB18030, whose decoder the standard shares.
fn known(label: &str) -> Option<&'static Encoding> {
    let encoding = Encoding::for_label(label.as_bytes())?;
    let read = [UTF_8, GB18030, encoding_rs::GBK, UTF_16LE, UTF_16BE].contains(&encoding);
    read.then_some(if encoding == encoding_rs::GBK {
        GB18030
    } else {
        encoding
    })
}

/// The text, or `None` where bytes do not belong into the set.
fn decode(encoding: &'static Encoding, bytes: &[u8]) -> Option<String> {
    let bytes = Encoding::for_bom(bytes)
        .filter(|(marked, _)| *marked == encoding)
        .and_then(|(_, length)| bytes.get(length..))
        .unwrap_or(bytes);
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
    Some(text.into_owned())
}

fn json(text: &str, wrapped: bool) -> Option<FormFault> {
    const GUARDS: [&str; 3] = [")]}',", ")]}'", "while(1);"];
    let start = text.trim_start();
    let bare = GUARDS
        .iter()
        .find_map(|guard| start.strip_prefix(guard))
        .unwrap_or(start);
    let called = bare.find('(').is_some_and(|at| {
        let name = bare.get(..at).unwrap_or("");
        let end = bare.trim_end();
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_$./*".contains(c))
            && (end.ends_with(')') || end.ends_with(");"))
    });
    // Many services give a bare word ("success") the type of JSON, and their clients expect it.
    let meant = bare.contains(['{', '[', '"']);
    if called || wrapped || !meant {
        return None;
    }
    let error = serde_json::from_str::<IgnoredAny>(bare).err()?;
    let why = error.to_string();
    let before: usize = bare
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let at = (text.len() - bare.len())
        .saturating_add(before)
        .saturating_add(error.column().saturating_sub(1));
    Some(FormFault {
        at: at as u64,
        why: why.split(" at line").next().unwrap_or("").to_owned(),
    })
}

fn xml(text: &str) -> Option<FormFault> {
    let broken = |at: u64, why: &str| {
        Some(FormFault {
            at,
            why: why.to_owned(),
        })
    };
    let control = |c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r');
    if let Some(at) = text.find(control) {
        return broken(at as u64, "a control character is not allowed");
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let (mut depth, mut roots, mut entities) = (0_usize, 0_usize, false);
    loop {
        let at = reader.buffer_position();
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => return broken(reader.error_position(), &error.to_string()),
        };
        match event {
            Event::Start(element) | Event::Empty(element) if depth == 0 && roots > 0 => {
                drop(element);
                return broken(at, "a second root element");
            }
            Event::Start(element) => {
                if let Some(Err(error)) = element.attributes().find(Result::is_err) {
                    return broken(at, &error.to_string());
                }
                roots += usize::from(depth == 0);
                depth += 1;
            }
            Event::Empty(element) => {
                if let Some(Err(error)) = element.attributes().find(Result::is_err) {
                    return broken(at, &error.to_string());
                }
                roots += usize::from(depth == 0);
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(words) if depth == 0 && !words.trim().is_empty() => {
                return broken(at, "text outside the root element");
            }
            Event::CData(_) | Event::GeneralRef(_) if depth == 0 => {
                return broken(at, "text outside the root element");
            }
            Event::GeneralRef(name) if !entities && !is_known(&name) => {
                return broken(at, "an entity that is not declared");
            }
            // XML 1.0 2.8: the declaration stands at the very start.
            Event::Decl(_) if at > 0 => {
                return broken(at, "the XML declaration is not at the start");
            }
            Event::DocType(_) => entities = true,
            Event::Eof if depth > 0 => return broken(at, "an element is not closed"),
            Event::Eof if roots == 0 => return broken(at, "no root element"),
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// The five entities of XML itself, and references by number.
fn is_known(name: &str) -> bool {
    name.starts_with('#') || matches!(name, "lt" | "gt" | "amp" | "apos" | "quot")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(declared: Declared, kind: &str, bytes: &[u8], expect: Option<&str>) {
        let found = read(declared, kind, bytes, false)
            .1
            .map(|fault| match fault {
                Fault::Json(form) | Fault::Xml(form) => form.why,
                Fault::Charset { declared, fits, .. } => format!("{declared} {fits}"),
                Fault::Coding(coding) => coding.why,
            });
        match (found, expect) {
            (Some(found), Some(expect)) => assert!(found.contains(expect), "{found}"),
            (found, expect) => assert_eq!(found.as_deref(), expect),
        }
    }

    #[test]
    fn json_is_read_as_receivers_do() {
        let json =
            |text: &str, expect| check(Declared::Json, "application/json", text.as_bytes(), expect);
        json("{\"a\":[1,2.5e3,\"\\ud83d\"]} \n", None);
        json("\u{feff}{\"a\":1}", None);
        json(")]}',\n[1]", None);
        json("jQuery17_1({\"key1\":\"01\"})", None);
        json("", None);
        json("success", None);
        json("{\"a\":1", Some("EOF"));
        json("{\"a\":1}{\"b\":2}", Some("trailing"));
        json("{'a':1}", Some("key must be"));
        json("{\"a\":1,}", Some("key must be"));
        json("[1,]", Some("expected value"));
    }

    #[test]
    fn deep_nesting_is_well_formed() {
        let deep = "[".repeat(4_000) + &"]".repeat(4_000);
        check(Declared::Json, "application/json", deep.as_bytes(), None);
    }

    #[test]
    fn xml_has_one_root_and_closes_it() {
        let xml = |text: &str, expect| check(Declared::Xml, "text/xml", text.as_bytes(), expect);
        xml(
            "<?xml version=\"1.0\"?>\n<a b=\"1\"><!-- c --><d/>&amp;&#20;<![CDATA[<]]></a>\n",
            None,
        );
        xml("<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>", None);
        xml("<a><b></a>", Some("b"));
        xml("<a>", Some("not closed"));
        xml("<a/><b/>", Some("second root"));
        xml("text", Some("outside"));
        xml("\n<?xml version=\"1.0\"?><a/>", Some("not at the start"));
        xml("<a b=\"1\" b=\"2\"/>", Some("uplicate"));
        xml("<a>&nbsp;</a>", Some("not declared"));
        xml("<a>1 & 2</a>", Some(""));
        xml("<a>\u{1}</a>", Some("control"));
    }

    #[test]
    fn a_character_set_that_does_not_decode_is_told_where_another_does() {
        let gbk = b"{\"a\":\"\xbf\xaa\xc6\xb1\"}";
        check(
            Declared::Json,
            "application/json;charset=UTF-8",
            gbk,
            Some("UTF-8 gb18030"),
        );
        check(
            Declared::Json,
            "application/json",
            gbk,
            Some("UTF-8 gb18030"),
        );
        check(Declared::Json, "application/json; charset=GBK", gbk, None);
        check(
            Declared::Json,
            "application/json; charset=iso-8859-1",
            gbk,
            None,
        );
        let utf8 = "<?xml version=\"1.0\" encoding=\"GBK\"?><a>开票成功了</a>";
        let odd = "<?xml version=\"1.0\" encoding=\"GBK\"?><a>票</a>";
        check(
            Declared::Xml,
            "text/xml",
            odd.as_bytes(),
            Some("gb18030 UTF-8"),
        );
        check(
            Declared::Xml,
            "text/xml; charset=utf-8",
            utf8.as_bytes(),
            None,
        );
        check(
            Declared::Xml,
            "text/xml",
            utf8.as_bytes(),
            Some("gb18030 UTF-8"),
        );
        let declared = b"<?xml version=\"1.0\" encoding=\"GBK\"?><a>\xbf\xaa</a>";
        check(Declared::Xml, "text/xml", declared, None);
    }
}
