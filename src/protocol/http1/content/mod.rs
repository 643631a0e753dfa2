//! What a body says of itself, learned while it passes: the bytes are looked at, judged at the body's end, and dropped.
//!
//! A request that is meant to change something is hashed, so that the same one sent again is known; its first bytes are
//! read for a version and for a field that identifies what it is about. A body of declared JSON or XML is kept up to
//! `limits::BODY_BYTES` and checked as its receiver would: its coding, its characters, its form. Of an HTML page that
//! answers a program the first bytes are looked at. What endpoint rules speak of is read (`reading`). All other bodies
//! pass untouched.

mod coding;
mod fields;
mod form;
mod reading;

use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use super::exchange::{Request, Response};
use super::words::holds;
use crate::limits;

pub use coding::CodingFault;
pub use fields::version_in;
pub use form::FormFault;
pub(in crate::protocol) use reading::Reads;
pub use reading::{Reading, Version};

/// What is remembered of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// First bytes of the SHA-256 over it; of requests alone.
    pub digest: [u8; 16],
    /// How many bytes it has.
    pub bytes: u64,
    /// The interface version that a field names, within the first bytes.
    pub version: Option<String>,
    /// A field identifies what it is about: a serial, invoice or order number.
    pub identified: bool,
    /// The first bytes are no fields that are understood here: a coding or a cipher.
    pub opaque: bool,
    /// It was larger than what is kept, so that its form was not judged.
    pub too_large: bool,
    /// It begins like an HTML page.
    pub page: bool,
    /// The first thing that is wrong with it.
    pub fault: Option<Fault>,
    /// What the endpoint rules read in it.
    pub reading: Option<Box<Reading>>,
}

/// What is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The declared coding does not decode.
    Coding(CodingFault),
    /// The declared character set does not decode it, another does.
    Charset {
        /// What was declared, or is so by the format's rule.
        declared: &'static str,
        /// Where it stood: `content-type`, `xml-declaration`, or `default`.
        by: &'static str,
        /// What decodes it.
        fits: &'static str,
    },
    /// It is not well-formed JSON.
    Json(FormFault),
    /// It is not well-formed XML.
    Xml(FormFault),
}

/// The format that a body is declared to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    /// `application/json` and kin.
    Json,
    /// `text/xml`, `application/xml`, SOAP.
    Xml,
    /// `text/html`.
    Html,
}

impl Declared {
    /// What a Content-Type field declares; `None` for all that is not read here.
    pub fn of(content_type: Option<&str>) -> Option<Self> {
        let mut parts = content_type?.as_bytes().split(|&byte| byte == b';');
        let kind = parts.next()?.trim_ascii();
        let is = |name: &[u8]| kind.eq_ignore_ascii_case(name);
        let end = kind.last_chunk::<5>();
        Some(match () {
            () if is(b"text/html") => Self::Html,
            () if is(b"application/json") || is(b"text/json") => Self::Json,
            () if is(b"text/xml") || is(b"application/xml") => Self::Xml,
            () if is(b"application/soap+xml") => Self::Xml,
            () if end.is_some_and(|end| end.eq_ignore_ascii_case(b"+json")) => Self::Json,
            () => return None,
        })
    }
}

/// A body that is passing.
#[derive(Clone, Debug)]
pub(in crate::protocol) struct Gathering {
    digest: Option<Sha256>,
    kept: Vec<u8>,
    keep: usize,
    bytes: u64,
    declared: Option<Declared>,
    content_type: Option<SmolStr>,
    coding: Option<SmolStr>,
    /// Scripts are asked for by a query that names a function (JSONP).
    wrapped: bool,
    reads: Option<Reads>,
}

impl Gathering {
    /// Of a request, where what it says is of interest. `reads` tells what the endpoint rules read in it; it is asked
    /// whether the body is declared to be a message.
    pub(in crate::protocol) fn of_request(
        request: &Request,
        reads: impl FnOnce(bool) -> Option<Reads>,
    ) -> Option<Box<Self>> {
        if !matches!(request.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE") {
            return None;
        }
        let declared = Declared::of(request.content_type.as_deref())
            .filter(|declared| *declared != Declared::Html);
        let reads = reads(true);
        Some(Box::new(Self {
            digest: Some(Sha256::new()),
            kept: Vec::new(),
            keep: keep(declared, reads.as_ref()),
            bytes: 0,
            declared,
            content_type: request.content_type.clone(),
            coding: request.content_encoding.clone(),
            wrapped: false,
            reads,
        }))
    }

    /// Of a successful response in a format that is read, or of a page that answers a program; `reads` as for requests.
    pub(in crate::protocol) fn of_response(
        request: Option<&Request>,
        response: &Response,
        reads: impl FnOnce(bool) -> Option<Reads>,
    ) -> Option<Box<Self>> {
        if !matches!(response.status, 200..=203) || response.streams {
            return None;
        }
        let kind = response.content_type.as_deref();
        let declared = match Declared::of(kind) {
            Some(Declared::Html) if !request.is_some_and(Request::wants_data) => None,
            declared => declared,
        };
        let message = matches!(declared, Some(Declared::Json | Declared::Xml));
        let reads =
            reads(message).filter(|reads| message || reads.undeclared() && may_be_text(kind));
        (declared.is_some() || reads.is_some()).then(|| {
            Box::new(Self {
                digest: None,
                kept: Vec::new(),
                keep: keep(declared, reads.as_ref()),
                bytes: 0,
                declared,
                content_type: response.content_type.clone(),
                coding: response.content_encoding.clone(),
                wrapped: request.is_some_and(|request| {
                    holds(&request.target, "callback=") || holds(&request.target, "jsonp")
                }),
                reads,
            })
        })
    }

    /// The next bytes.
    pub(in crate::protocol) fn add(&mut self, data: &[u8]) {
        if let Some(digest) = &mut self.digest {
            digest.update(data);
        }
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        let free = self.keep.saturating_sub(self.kept.len());
        self.kept
            .extend_from_slice(data.get(..free.min(data.len())).unwrap_or(&[]));
    }

    /// The body ended.
    pub(in crate::protocol) fn finish(mut self) -> Content {
        let sample = self
            .kept
            .get(..limits::SAMPLE_BYTES.min(self.kept.len()))
            .unwrap_or(&[]);
        let mut content = Content {
            bytes: self.bytes,
            too_large: self.bytes > self.kept.len() as u64
                && matches!(self.declared, Some(Declared::Json | Declared::Xml)),
            ..Content::default()
        };
        if let Some(digest) = self.digest.take() {
            let digest: [u8; 32] = digest.finalize().into();
            let text = String::from_utf8_lossy(sample);
            content.digest = digest.first_chunk().copied().unwrap_or_default();
            content.version = fields::version_in(&text);
            content.identified = fields::identifies(&text);
            content.opaque = !fields::has_fields(&text);
        }
        let whole = self.bytes == self.kept.len() as u64;
        let reads = self.reads.as_ref().filter(|_| whole);
        if content.too_large || self.declared.is_none() && reads.is_none() {
            return content;
        }
        match coding::decoded(&self.kept, self.coding.as_deref(), !whole) {
            coding::Decoded::Bytes(bytes) => {
                let text = self.judge(&bytes, &mut content);
                content.reading = reads
                    .zip(text.filter(|_| !content.page && content.fault.is_none()))
                    .and_then(|(reads, text)| reads.read(&text))
                    .map(Box::new);
            }
            coding::Decoded::Fault(fault) if self.declared.is_some() => {
                content.fault = Some(Fault::Coding(fault));
            }
            coding::Decoded::Fault(_) | coding::Decoded::Unread => {}
        }
        content
    }

    /// What is wrong with the bytes without their coding, and their text.
    fn judge(&self, bytes: &[u8], content: &mut Content) -> Option<String> {
        let kind = self.content_type.as_deref().unwrap_or("");
        let page = form::is_page(bytes);
        content.page = page && self.declared.is_some();
        match self.declared {
            _ if page => None,
            Some(declared @ (Declared::Json | Declared::Xml)) => {
                let (text, fault) = form::read(declared, kind, bytes, self.wrapped);
                content.fault = fault;
                text
            }
            _ => self
                .reads
                .as_ref()
                .and_then(|_| form::undeclared(kind, bytes)),
        }
    }
}

/// How much of a body is kept.
fn keep(declared: Option<Declared>, reads: Option<&Reads>) -> usize {
    match declared {
        Some(Declared::Json | Declared::Xml) => limits::BODY_BYTES,
        _ if reads.is_some_and(Reads::undeclared) => limits::BODY_BYTES,
        _ => limits::SAMPLE_BYTES,
    }
}

/// May a body of this type be a message? Pictures, documents and archives are none.
fn may_be_text(content_type: Option<&str>) -> bool {
    const OTHERS: [&str; 7] = ["image/", "audio/", "video/", "font/", "pdf", "zip", "css"];
    let kind = content_type.unwrap_or("");
    !OTHERS.iter().any(|other| holds(kind, other))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::Write;

    use super::*;

    fn response(kind: &str, coding: Option<&str>, body: &[u8]) -> Content {
        let response = Response {
            status: 200,
            content_type: Some(kind.into()),
            content_encoding: coding.map(SmolStr::new),
            ..Response::default()
        };
        let mut gathering = Gathering::of_response(None, &response, |_| None).unwrap();
        for part in body.chunks(1_000) {
            gathering.add(part);
        }
        gathering.finish()
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_body_beyond_the_limit_is_not_judged() {
        let within = vec![b'['; limits::BODY_BYTES];
        assert!(response("application/json", None, &within).fault.is_some());
        let beyond = vec![b'['; limits::BODY_BYTES + 1];
        let content = response("application/json", None, &beyond);
        assert!(content.too_large && content.fault.is_none());
        assert_eq!(content.bytes, beyond.len() as u64);
    }

    #[test]
    fn what_a_coding_holds_beyond_the_limit_is_not_judged() {
        let within = gzip(&vec![b'['; limits::DECODED_BYTES]);
        assert!(
            response("application/json", Some("gzip"), &within)
                .fault
                .is_some()
        );
        let beyond = gzip(&vec![b'['; limits::DECODED_BYTES + 1]);
        assert!(
            response("application/json", Some("gzip"), &beyond)
                .fault
                .is_none()
        );
    }

    #[test]
    fn fields_beyond_the_sample_are_not_read() {
        let content = |filler: usize| {
            let request = Request {
                method: "POST".into(),
                ..Request::default()
            };
            let mut gathering = Gathering::of_request(&request, |_| None).unwrap();
            gathering.add(" ".repeat(filler).as_bytes());
            gathering.add(b"serial=17");
            gathering.finish()
        };
        assert!(content(0).identified);
        assert!(!content(limits::SAMPLE_BYTES).identified);
    }

    #[test]
    fn other_bodies_pass_untouched() {
        let response = Response {
            status: 200,
            content_type: Some("application/pdf".into()),
            ..Response::default()
        };
        assert!(Gathering::of_response(None, &response, |_| None).is_none());
    }
}
