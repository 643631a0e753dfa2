//! What a body says, where an endpoint rule tells which field says it: return code, message, version, digest, state.
//!
//! The first payload whose fields a body has is its payload. What it wraps is taken out (base64, gzip, characters) and
//! read in the same way, up to `limits::INNER_MAX` deep. Ciphers are counted and left alone. A body in which no payload
//! can be, because a name of it does not occur in the text, is not parsed.

mod fields;
mod wrap;

use std::sync::Arc;

use memchr::memmem;
use smol_str::SmolStr;

use crate::endpoint::{Field, Payload};
use crate::limits;

use fields::Leaf;

/// Longest value that is kept, in characters.
const VALUE_MAX: usize = 200;

/// What may be read in a body.
#[derive(Clone, Debug)]
pub(in crate::protocol) struct Reads {
    /// Payloads in the order in which they are tried.
    pub(in crate::protocol::http1) payloads: Arc<[Arc<Payload>]>,
    /// How many of them the endpoint's rule names.
    pub(in crate::protocol::http1) own: usize,
    /// The path of the request.
    pub(in crate::protocol::http1) path: SmolStr,
    /// It is a response.
    pub(in crate::protocol::http1) answers: bool,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The payload that it is.
    pub payload: SmolStr,
    /// The return code, and the field that holds it.
    pub code: Option<(String, String)>,
    /// The code means success.
    pub success: bool,
    /// What is said beside the code.
    pub message: Option<String>,
    /// Versions by field; of a request for every payload that its answer may be.
    pub versions: Vec<Version>,
    /// The value that says that a version is not served.
    pub version_refused: Option<String>,
    /// The value that says that the session is lost.
    pub session_lost: Option<String>,
    /// What it is about.
    pub serial: Option<String>,
    /// How far that is, and whether it is still on its way.
    pub state: Option<(String, bool)>,
    /// A digest that is not of its data: field, and what it says.
    pub digest: Option<(String, String)>,
    /// A wrapped message that does not decode: field, how, and why.
    pub undecodable: Option<(String, &'static str, String)>,
    /// A field that a success must have and that is not there.
    pub lacking: Option<String>,
    /// Ciphers that were left alone.
    pub closed: u32,
}

/// A version in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The payload that names the field.
    pub payload: SmolStr,
    /// The field.
    pub field: String,
    /// Its value.
    pub value: String,
    /// What was expected in its place.
    pub expected: Vec<String>,
}

impl Reads {
    /// May bodies be read that nobody declares to be JSON or XML?
    pub(in crate::protocol::http1) fn undeclared(&self) -> bool {
        self.payloads
            .iter()
            .take(self.own)
            .any(|payload| payload.speaks_of(&self.path))
    }

    /// Reads a body.
    pub(in crate::protocol::http1) fn read(&self, text: &str) -> Option<Reading> {
        let outer = (self.undeclared() && self.base64())
            .then(|| opened(text))
            .flatten();
        let reading = self.read_at(outer.as_deref().unwrap_or(text), 0)?;
        (reading != Reading::default()).then_some(reading)
    }

    fn base64(&self) -> bool {
        self.candidates().any(|payload| payload.base64)
    }

    fn candidates(&self) -> impl Iterator<Item = &Arc<Payload>> {
        self.payloads
            .iter()
            .filter(|payload| payload.speaks_of(&self.path))
    }

    fn read_at(&self, text: &str, depth: usize) -> Option<Reading> {
        let possible = |payload: &&Arc<Payload>| may_hold(payload, text);
        let possible: Vec<&Arc<Payload>> = self.candidates().filter(possible).collect();
        let named = !self.answers && self.candidates().any(|payload| versioned(payload, text));
        if possible.is_empty() && !named {
            return None;
        }
        let leaves = fields::of(text)?;
        let is = |payload: &&&Arc<Payload>| is_one(payload, &leaves);
        let mut reading = match possible.iter().find(is) {
            Some(payload) => self.of(payload, &leaves, depth),
            None => Reading::default(),
        };
        if !self.answers {
            let others = self
                .candidates()
                .filter(|payload| payload.id != reading.payload);
            for payload in others {
                versions(payload, &leaves, &mut reading.versions);
            }
            let serials = self.candidates().flat_map(|payload| &payload.serial);
            let serial = first(serials, &leaves).map(|leaf| cut(&leaf.value));
            reading.serial = serial.or(reading.serial.take());
        }
        Some(reading)
    }

    fn of(&self, payload: &Payload, leaves: &[Leaf], depth: usize) -> Reading {
        let mut reading = Reading {
            payload: SmolStr::new(&payload.id),
            message: first(&payload.message, leaves).map(|leaf| said(&leaf.value)),
            serial: first(&payload.serial, leaves).map(|leaf| cut(&leaf.value)),
            ..Reading::default()
        };
        let marked = |markers: &[crate::endpoint::Marker]| {
            leaves.iter().find_map(|leaf| {
                let fits = |marker: &&crate::endpoint::Marker| {
                    let value = !leaf.value.is_empty() && marker.field.is(&leaf.path);
                    value && (marker.fits(&leaf.value) || marker.fits(&said(&leaf.value)))
                };
                markers.iter().find(fits).map(|_| said(&leaf.value))
            })
        };
        versions(payload, leaves, &mut reading.versions);
        code(payload, leaves, &mut reading);
        // Words of refusal beside a code of success speak of something else.
        if reading.code.is_none() || !reading.success {
            reading.version_refused = marked(&payload.version_refused);
            // A link to the login may carry a ticket in its query.
            let bare = |value: String| value.split('?').next().unwrap_or("").to_owned();
            reading.session_lost = marked(&payload.session_lost).map(bare);
        }
        reading.state = first(&payload.state, leaves).map(|leaf| {
            let waits = payload.waiting.contains(&leaf.value);
            (cut(&leaf.value), waits)
        });
        let present = |field: &Field| {
            leaves
                .iter()
                .any(|leaf| field.holds(&leaf.path) && !leaf.value.is_empty())
        };
        if reading.success && !payload.data.is_empty() && !payload.data.iter().any(present) {
            reading.lacking = payload.data.first().map(Field::text);
        }
        let zipped = marked(&payload.zipped).is_some();
        reading.digest = digest(payload, leaves, zipped);
        if marked(&payload.encrypted).is_some() {
            reading.closed = 1;
        } else if let Some(leaf) = first(&payload.inner, leaves) {
            self.inner(leaf, zipped, depth, &mut reading);
            // Only flags beside it say that a field has to be such a message.
            if payload.zipped.is_empty() && payload.encrypted.is_empty() {
                reading.undecodable = None;
            }
        }
        reading
    }

    /// What is wrapped in a field.
    fn inner(&self, leaf: &Leaf, zipped: bool, depth: usize, outer: &mut Reading) {
        if leaf.value.is_empty() || depth >= limits::INNER_MAX {
            return;
        }
        let undecodable = |how, why: &str| Some((leaf.path.clone(), how, why.to_owned()));
        let text = if leaf.value.starts_with(['{', '[', '<']) {
            leaf.value.clone()
        } else {
            let Some(bytes) = wrap::from_base64(&leaf.value) else {
                outer.undecodable = undecodable(
                    "base64",
                    "a character or a length that base64 does not have",
                );
                return;
            };
            let bytes = match zipped {
                true => match wrap::unzipped(&bytes) {
                    Ok(bytes) => bytes,
                    Err(why) => {
                        outer.undecodable = undecodable("gzip", &why);
                        return;
                    }
                },
                // Some senders compress and say nothing of it.
                false if bytes.starts_with(&[0x1f, 0x8b]) => {
                    wrap::unzipped(&bytes).unwrap_or(bytes)
                }
                false => bytes,
            };
            let Some(text) = wrap::text(&bytes) else {
                return;
            };
            text
        };
        let Some(inner) = self.read_at(&text, depth + 1) else {
            return;
        };
        outer.closed += inner.closed;
        if inner.code.is_some() && (outer.code.is_none() || outer.success) {
            (outer.code, outer.success) = (inner.code, inner.success);
            outer.message = inner.message.or(outer.message.take());
        }
        outer.versions.extend(inner.versions);
        outer.version_refused = outer.version_refused.take().or(inner.version_refused);
        outer.session_lost = outer.session_lost.take().or(inner.session_lost);
        outer.serial = inner.serial.or(outer.serial.take());
        outer.state = inner.state.or(outer.state.take());
        outer.digest = outer.digest.take().or(inner.digest);
        outer.undecodable = outer.undecodable.take().or(inner.undecodable);
        outer.lacking = outer.lacking.take().or(inner.lacking);
    }
}

/// Do the names of a payload's fields occur at all? Cheaper than to parse.
fn may_hold(payload: &Payload, text: &str) -> bool {
    let occurs = |field: &Field| {
        field
            .mark()
            .is_none_or(|mark| memmem::find(text.as_bytes(), mark.as_bytes()).is_some())
    };
    payload.has.iter().all(occurs)
}

fn versioned(payload: &Payload, text: &str) -> bool {
    let fields = payload.version.iter().chain(&payload.serial);
    let mut marks = fields
        .filter_map(Field::mark)
        .filter(|mark| *mark != "?xml");
    marks.any(|mark| memmem::find(text.as_bytes(), mark.as_bytes()).is_some())
}

/// Is a body this payload?
fn is_one(payload: &Payload, leaves: &[Leaf]) -> bool {
    let there = |field: &Field| leaves.iter().any(|leaf| field.holds(&leaf.path));
    match payload.has.is_empty() {
        false => payload.has.iter().all(there),
        true => [
            &payload.code,
            &payload.state,
            &payload.version,
            &payload.digest,
        ]
        .iter()
        .any(|fields| fields.iter().any(there)),
    }
}

fn first<'l, 'f>(
    fields: impl IntoIterator<Item = &'f Field>,
    leaves: &'l [Leaf],
) -> Option<&'l Leaf> {
    let mut fields = fields.into_iter();
    fields.find_map(|field| {
        leaves
            .iter()
            .find(|leaf| field.is(&leaf.path) && !leaf.value.is_empty())
    })
}

fn versions(payload: &Payload, leaves: &[Leaf], into: &mut Vec<Version>) {
    for field in &payload.version {
        let Some(leaf) = first([field], leaves) else {
            continue;
        };
        let expected = !payload.versions.is_empty() && !payload.versions.contains(&leaf.value);
        if into.len() < limits::VERSIONS_MAX {
            into.push(Version {
                payload: SmolStr::new(&payload.id),
                field: field.text(),
                value: cut(&leaf.value),
                expected: if expected {
                    payload.versions.clone()
                } else {
                    Vec::new()
                },
            });
        }
    }
}

/// The return code: of several the first that is no success.
fn code(payload: &Payload, leaves: &[Leaf], reading: &mut Reading) {
    let Some(field) = payload
        .code
        .iter()
        .find(|field| first([*field], leaves).is_some())
    else {
        // Where every code is a failure, none is a success.
        reading.success =
            !payload.code.is_empty() && payload.success.is_empty() && payload.failure.is_empty();
        return;
    };
    let codes = || {
        leaves
            .iter()
            .filter(|leaf| field.is(&leaf.path) && !leaf.value.is_empty())
    };
    let bad = codes().find(|leaf| !payload.is_success(&leaf.value));
    reading.success = bad.is_none();
    reading.code = bad
        .or_else(|| codes().next())
        .map(|leaf| (leaf.path.clone(), cut(&leaf.value)));
}

/// A digest that is of nothing that its sender may have meant: the field as it stands, its bytes, those unzipped.
fn digest(payload: &Payload, leaves: &[Leaf], zipped: bool) -> Option<(String, String)> {
    let digest = first(&payload.digest, leaves)?;
    let data = first(&payload.digest_of, leaves)?;
    let mut meant = vec![data.value.as_bytes().to_vec()];
    let gbk = encoding_rs::GB18030.encode(&data.value).0.into_owned();
    meant.push(gbk);
    if let Some(bytes) = wrap::from_base64(&data.value) {
        meant.extend(
            wrap::unzipped(&bytes)
                .ok()
                .filter(|_| zipped || bytes.starts_with(&[0x1f, 0x8b])),
        );
        meant.push(bytes);
    }
    let mut known = false;
    for bytes in &meant {
        match wrap::is_digest_of(&digest.value, bytes) {
            Some(true) => return None,
            Some(false) => known = true,
            None => {}
        }
    }
    known.then(|| (digest.path.clone(), cut(&digest.value)))
}

/// A text that may be base64 of another, opened.
fn opened(text: &str) -> Option<String> {
    let bytes = wrap::from_base64(text.trim()).filter(|bytes| !bytes.is_empty())?;
    let inside = wrap::text(&bytes)?;
    inside
        .trim_start()
        .starts_with(['<', '{', '['])
        .then_some(inside)
}

/// What a message says, out of its base64 where it has one.
fn said(value: &str) -> String {
    // Plain words can be base64 by chance: what comes out must be Chinese, and nothing that no text has.
    let inside = (value.len() >= 8 && value.len().is_multiple_of(4))
        .then(|| wrap::words(&wrap::from_base64(value)?))
        .flatten()
        .filter(|text| {
            !text.contains(char::is_control)
                && text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
        });
    cut(inside.as_deref().unwrap_or(value))
}

fn cut(value: &str) -> String {
    value
        .chars()
        .filter(|c| !c.is_control())
        .take(VALUE_MAX)
        .collect()
}

#[cfg(test)]
mod tests;
