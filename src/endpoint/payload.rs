//! What is to be read in bodies: which field is the return code, which values are success, where a message lies
//! wrapped in another.
//!
//! A field is named by its path: `a/b` from the root of JSON or XML on, `//b` at any depth, `@name` an attribute,
//! `data[returnCode]` the element `data` whose attribute `name` is that, `*` any one name. Items of a list share the
//! list's path. A text `ERROR@97@words` has the fields `ERROR/1` and `ERROR/2`.

use std::sync::Arc;

use crate::endpoint::{Rule, Rules, Seen};

/// One shape of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// Its name among the payloads.
    pub id: String,
    /// It is looked for in every body, whatever the server.
    pub everywhere: bool,
    /// Paths of requests; none means all.
    pub paths: Vec<String>,
    /// Fields without which a body is none of these.
    pub has: Vec<Field>,
    /// The return code: the first of these that a body has.
    pub code: Vec<Field>,
    /// Values of it that mean success.
    pub success: Vec<String>,
    /// Values of it that mean failure; all others are success then.
    pub failure: Vec<String>,
    /// What the server says beside the code.
    pub message: Vec<Field>,
    /// The version of the interface or of XML, in request and response.
    pub version: Vec<Field>,
    /// Versions that are expected there.
    pub versions: Vec<String>,
    /// Values that mean: this version is not served.
    pub version_refused: Vec<Marker>,
    /// Values that mean: log in again.
    pub session_lost: Vec<Marker>,
    /// What a query asks about.
    pub serial: Vec<Field>,
    /// How far it is.
    pub state: Vec<Field>,
    /// Values of it that mean: not yet.
    pub waiting: Vec<String>,
    /// MD5, SHA-1 or SHA-256 of `digest_of`.
    pub digest: Vec<Field>,
    /// What `digest` is of.
    pub digest_of: Vec<Field>,
    /// What a response of success must hold.
    pub data: Vec<Field>,
    /// The whole body is base64.
    pub base64: bool,
    /// Holds another message: as text, or as base64 of it.
    pub inner: Vec<Field>,
    /// Where the inner message is gzip or zlib inside its base64.
    pub zipped: Vec<Marker>,
    /// Where the inner message is a cipher: it is counted and left alone.
    pub encrypted: Vec<Marker>,
}

/// A field and a value of it, in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The field.
    pub field: Field,
    /// The value.
    pub value: String,
}

/// The path of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    text: String,
    /// It may begin at any depth.
    anywhere: bool,
}

impl Rules {
    /// Finds the payloads of each rule.
    pub(super) fn bring_payloads(&mut self) {
        let everywhere = || {
            self.payloads
                .iter()
                .filter(|payload| payload.everywhere)
                .cloned()
        };
        let named = |rule: &Rule| {
            let named = rule
                .payloads
                .iter()
                .filter_map(|id| self.payloads.iter().find(|payload| payload.id == *id));
            let mut reads: Vec<Arc<Payload>> = named.cloned().collect();
            // What an endpoint names is tried whatever the path of the others.
            let others: Vec<_> = everywhere()
                .filter(|payload| !rule.payloads.contains(&payload.id))
                .collect();
            reads.extend(others);
            reads.into()
        };
        let mut reads: Vec<Arc<[Arc<Payload>]>> = self.rules.iter().map(named).collect();
        reads.push(everywhere().collect());
        self.reads = reads;
        self.reads_by_place = self.rules.iter().any(|rule| {
            let matching = &rule.matching;
            let nameless = !matching.addresses.is_empty() || matching.is_ports_alone();
            nameless && !rule.payloads.is_empty()
        });
    }

    /// What is to be read in the bodies of a server: the payloads of its rule first, and how many of them are its own.
    pub fn payloads_of(&self, seen: &Seen<'_>) -> (Arc<[Arc<Payload>]>, usize) {
        // Most servers have no name here, and most payloads belong to names.
        let possible = seen.name.is_some() || seen.certificate.is_some() || self.reads_by_place;
        let place = possible
            .then(|| {
                let mut rules = self.rules.iter();
                rules.position(|rule| self.fits(&rule.matching, seen))
            })
            .flatten();
        let own = place
            .and_then(|place| self.rules.get(place))
            .map_or(0, |rule| rule.payloads.len());
        let reads = self.reads.get(place.unwrap_or(self.rules.len()));
        (reads.cloned().unwrap_or_default(), own)
    }
}

impl Payload {
    /// Does it speak of bodies at this path?
    pub fn speaks_of(&self, path: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|pattern| fits(pattern, path))
    }

    /// Is this return code a success?
    pub fn is_success(&self, code: &str) -> bool {
        let among = |values: &[String]| values.iter().any(|value| fits(value, code));
        match (self.success.is_empty(), self.failure.is_empty()) {
            (_, false) => !among(&self.failure),
            _ => among(&self.success),
        }
    }
}

impl Marker {
    /// Reads `field = value`; the error says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (field, value) = text
            .split_once(" = ")
            .filter(|(_, value)| !value.trim().is_empty())
            .ok_or_else(|| {
                format!("\"{text}\" has no value; write a field and a value: \"key1 = 09\"")
            })?;
        Ok(Self {
            field: Field::parse(field.trim())?,
            value: value.trim().to_owned(),
        })
    }

    /// Is this the value?
    pub fn fits(&self, value: &str) -> bool {
        fits(&self.value, value)
    }
}

impl Field {
    /// Reads a path; the error says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (anywhere, rest) = match text.strip_prefix("//") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let wrong = |why: &str| Err(format!("\"{text}\" {why}"));
        if rest.is_empty() || rest.split('/').any(str::is_empty) {
            return wrong(
                "is no path of a field; write names with one slash between, \"a/b\", or \"//b\" for any depth",
            );
        }
        if rest.contains(char::is_whitespace) {
            return wrong("has a space; write the names of fields, \"a/b\"");
        }
        if rest.matches('[').count() != rest.matches("]").count() {
            return wrong(
                "has a bracket alone; write \"data[returnCode]\" for <data name=\"returnCode\" …>",
            );
        }
        Ok(Self {
            text: rest.to_owned(),
            anywhere,
        })
    }

    /// As it was written.
    pub fn text(&self) -> String {
        format!("{}{}", if self.anywhere { "//" } else { "" }, self.text)
    }

    /// The last name in it that stands in a body as it is written here.
    pub fn mark(&self) -> Option<&str> {
        let name = |part| {
            let part: &str = part;
            let part = part.trim_start_matches('@');
            match part.split_once('[') {
                Some((_, name)) => name.trim_end_matches(']'),
                None => part,
            }
        };
        let mut names = self.text.rsplit('/').map(name);
        names.find(|name| {
            *name != "*" && *name != "value" && !name.starts_with(|c: char| c.is_ascii_digit())
        })
    }

    /// Is it the field at this path?
    pub fn is(&self, path: &str) -> bool {
        self.meets(path, true)
    }

    /// Is it that field, or does it hold it?
    pub fn holds(&self, path: &str) -> bool {
        self.meets(path, false)
    }

    fn meets(&self, path: &str, to_its_end: bool) -> bool {
        let mut rest = Some(path);
        while let Some(from) = rest {
            if self.begins(from, to_its_end) {
                return true;
            }
            rest = self
                .anywhere
                .then(|| from.split_once('/').map(|(_, rest)| rest))
                .flatten();
        }
        false
    }

    fn begins(&self, path: &str, to_its_end: bool) -> bool {
        let mut found = path.split('/');
        let same = self.text.split('/').all(|name| {
            found.next().is_some_and(|found| {
                name == "*"
                    || name == found
                    || found.split_once('[').is_some_and(|(bare, _)| bare == name)
            })
        });
        same && (!to_its_end || found.next().is_none())
    }
}

/// Does a pattern fit in which `*` stands for any characters? Case matters.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn is(field: &str, path: &str) -> bool {
        Field::parse(field).unwrap().is(path)
    }

    #[test]
    fn a_path_begins_at_the_root_or_anywhere() {
        assert!(is("a/b", "a/b"));
        assert!(!is("a/b", "x/a/b") && !is("a/b", "a/b/c") && !is("b", "a/b"));
        assert!(is("//b", "a/b") && is("//b", "b") && is("//a/b", "x/a/b"));
        assert!(!is("//b", "a/ab") && !is("//a", "a/b"));
        assert!(is("a/*/@c", "a/b/@c"));
    }

    #[test]
    fn an_element_is_told_by_its_name_attribute() {
        assert!(is(
            "//data[returnCode]/@value",
            "business/body/data[returnCode]/@value"
        ));
        assert!(is("//data/@value", "body/data[returnCode]/@value"));
        assert!(!is("//data[x]/@value", "body/data[returnCode]/@value"));
    }

    #[test]
    fn a_container_is_there_with_what_it_holds() {
        assert!(Field::parse("a/b").unwrap().holds("a/b/c/d"));
        assert!(!Field::parse("a/b").unwrap().holds("a/bc"));
    }

    #[test]
    fn codes_are_success_or_failure_by_list() {
        let of = |success: &[&str], failure: &[&str]| Payload {
            success: success.iter().map(ToString::to_string).collect(),
            failure: failure.iter().map(ToString::to_string).collect(),
            ..Payload::default()
        };
        assert!(of(&["0000", "00"], &[]).is_success("00"));
        assert!(!of(&["0000"], &[]).is_success("9999"));
        assert!(!of(&[], &[]).is_success("X1"));
        assert!(of(&[], &["-*"]).is_success("3") && !of(&[], &["-*"]).is_success("-3"));
    }

    #[test]
    fn a_marker_needs_a_value() {
        assert!(Marker::parse("key1").is_err() && Marker::parse("key1 = ").is_err());
        assert!(
            Marker::parse("a/b = *nonlogin*")
                .unwrap()
                .fits("https://x/nonlogin?")
        );
    }
}
