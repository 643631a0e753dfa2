//! The [[payload]] tables of a rule file: what bodies look like.

use crate::endpoint::reader::required;
use crate::endpoint::table::{Source, Table};
use crate::endpoint::{Field, Marker, Payload};

/// All keys of a payload.
const PAYLOAD_KEYS: [&str; 22] = [
    "id",
    "everywhere",
    "paths",
    "has",
    "code",
    "success",
    "failure",
    "message",
    "version",
    "versions",
    "version_refused",
    "session_lost",
    "serial",
    "state",
    "waiting",
    "digest",
    "digest_of",
    "data",
    "base64",
    "inner",
    "zipped",
    "encrypted",
];

/// The payloads of a file.
pub(super) fn payloads(source: &mut Source<'_>, top: Table<'_>) -> Vec<Payload> {
    let mut payloads: Vec<Payload> = Vec::new();
    for table in source.tables(top, "payload", "[[payload]]") {
        source.only(table, &PAYLOAD_KEYS);
        let id = required(source, table, "id");
        let payload = payload(source, table);
        together(source, table, &payload);
        let Some((id, at)) = id else { continue };
        if payloads.iter().any(|known| known.id == id) {
            source.wrong(
                at,
                format!("`id` is \"{id}\" a second time; write each id once"),
            );
        }
        payloads.push(Payload { id, ..payload });
    }
    payloads
}

fn payload(source: &mut Source<'_>, table: Table<'_>) -> Payload {
    let mut fields = |key| source.parsed(table, key, Field::parse);
    let [has, code, message, version] = ["has", "code", "message", "version"].map(&mut fields);
    let [serial, state, digest, digest_of] =
        ["serial", "state", "digest", "digest_of"].map(&mut fields);
    let [data, inner] = ["data", "inner"].map(&mut fields);
    let mut markers = |key| source.parsed(table, key, Marker::parse);
    let [version_refused, session_lost] = ["version_refused", "session_lost"].map(&mut markers);
    let [zipped, encrypted] = ["zipped", "encrypted"].map(&mut markers);
    let mut texts = |key| source.parsed(table, key, |text| Ok(text.to_owned()));
    let [success, failure, versions, waiting] =
        ["success", "failure", "versions", "waiting"].map(&mut texts);
    let from_root = |path: &str| match path.starts_with(['/', '*']) {
        true => Ok(path.to_owned()),
        false => Err(format!(
            "`paths` has \"{path}\"; write it from its first slash on"
        )),
    };
    Payload {
        id: String::new(),
        paths: source.parsed(table, "paths", from_root),
        everywhere: source.flag(table, "everywhere", false),
        base64: source.flag(table, "base64", false),
        has,
        code,
        success,
        failure,
        message,
        version,
        versions,
        version_refused,
        session_lost,
        serial,
        state,
        waiting,
        digest,
        digest_of,
        data,
        inner,
        zipped,
        encrypted,
    }
}

/// Keys of a payload that say nothing without another.
fn together(source: &mut Source<'_>, table: Table<'_>, payload: &Payload) {
    let needs: [(&str, &str, bool); 8] = [
        ("success", "code", payload.code.is_empty()),
        ("failure", "code", payload.code.is_empty()),
        ("versions", "version", payload.version.is_empty()),
        ("waiting", "state", payload.state.is_empty()),
        ("state", "serial", payload.serial.is_empty()),
        ("digest", "digest_of", payload.digest_of.is_empty()),
        ("zipped", "inner", payload.inner.is_empty()),
        ("encrypted", "inner", payload.inner.is_empty()),
    ];
    for (key, other, lacking) in needs {
        if let Some((name, _)) = table.of.get_key_value(key).filter(|_| lacking) {
            source.wrong(
                name.span().start,
                format!("`{key}` says nothing without `{other}`; write both"),
            );
        }
    }
    if payload.everywhere && payload.has.is_empty() {
        source.wrong(
            table.at,
            "[[payload]] is looked for everywhere and has no `has`; write the fields that tell it from others".to_owned(),
        );
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::endpoint::{Rules, Seen};

    fn wrong(text: &str, line: usize, words: &str) {
        let errors = Rules::of_file(text).unwrap_err();
        let found = errors.first().unwrap();
        assert!(
            errors.len() == 1 && found.line == line && found.message.contains(words),
            "{errors:?}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_payload_is_told_by_line() {
        let id = "[[payload]]\nid = \"a\"\n";
        wrong("[[payload]]\ncode = [\"a\"]\n", 1, "has no `id`");
        wrong(&format!("{id}codes = [\"a\"]\n"), 3, "write `code`");
        wrong(&format!("{id}code = [\"a//b\"]\n"), 3, "no path of a field");
        wrong(&format!("{id}code = \"a\"\n"), 3, "write a list");
        wrong(&format!("{id}success = [\"0\"]\n"), 3, "without `code`");
        wrong(
            &format!("{id}code = [\"a\"]\nsession_lost = [\"a\"]\n"),
            4,
            "has no value",
        );
        wrong(&format!("{id}paths = [\"api\"]\n"), 3, "first slash");
        wrong(&format!("{id}everywhere = true\n"), 1, "has no `has`");
        wrong(&format!("{id}base64 = 1\n"), 3, "true or false");
        wrong(
            &format!("{id}code = [\"a\"]\n{id}code = [\"b\"]\n"),
            5,
            "a second time",
        );
        wrong(
            "[[endpoint]]\nid = \"e\"\nmatch.ports = [80]\npayloads = [\"b\"]\n",
            4,
            "no [[payload]]",
        );
    }

    #[test]
    fn a_payload_of_a_file_stands_in_the_place_of_a_built_in_one() {
        let rules =
            Rules::of_file("others = true\n[[payload]]\nid = \"esign\"\ncode = [\"c\"]\n").unwrap();
        let seen = Seen {
            name: Some("openapi.esign.cn"),
            ..Seen::default()
        };
        let (payloads, own) = rules.payloads_of(&seen);
        assert_eq!(own, 1);
        assert_eq!(payloads.first().unwrap().code.first().unwrap().text(), "c");
        let (elsewhere, own) = rules.payloads_of(&Seen::default());
        assert!(own == 0 && elsewhere.iter().all(|payload| payload.everywhere));
    }

    #[test]
    fn without_the_built_in_rules_nothing_is_looked_for_everywhere() {
        let rules = Rules::of_file("built_in = false\n[[endpoint]]\nid = \"e\"\nmatch.ports = [80]\npayloads = [\"code\"]\n").unwrap();
        assert!(rules.payloads_of(&Seen::default()).0.is_empty());
        let seen = Seen {
            server: Some(("192.0.2.1".parse().unwrap(), 80)),
            ..Seen::default()
        };
        assert_eq!(rules.payloads_of(&seen).1, 1);
    }
}
