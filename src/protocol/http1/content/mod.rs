//! What a body says of itself, learned while it passes: the bytes are looked at, judged at the body's end, and dropped.
//!
//! A request that is meant to change something is hashed, so that the same one sent again is known; its first bytes are
//! read for a version and for a field that identifies what it is about.

mod fields;

use sha2::{Digest, Sha256};

use super::exchange::Request;
use crate::limits;

pub use fields::version_in;

/// What is remembered of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// First bytes of the SHA-256 over it.
    pub digest: [u8; 16],
    /// How many they were.
    pub bytes: u64,
    /// The interface version that a field names, within the first bytes.
    pub version: Option<String>,
    /// A field identifies what it is about: a serial, invoice or order number.
    pub identified: bool,
    /// The first bytes are no fields that are understood here: a coding or a cipher.
    pub opaque: bool,
}

/// A body that is passing.
#[derive(Clone, Debug)]
pub(super) struct Gathering {
    digest: Sha256,
    kept: Vec<u8>,
    bytes: u64,
}

impl Gathering {
    /// Of a request, where what it says is of interest.
    pub(super) fn of_request(request: &Request) -> Option<Box<Self>> {
        let changes = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE");
        changes.then(|| {
            Box::new(Self {
                digest: Sha256::new(),
                kept: Vec::new(),
                bytes: 0,
            })
        })
    }

    /// The next bytes.
    pub(super) fn add(&mut self, data: &[u8]) {
        self.digest.update(data);
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        let free = limits::SAMPLE_BYTES.saturating_sub(self.kept.len());
        self.kept
            .extend_from_slice(data.get(..free.min(data.len())).unwrap_or(&[]));
    }

    /// The body ended.
    pub(super) fn finish(self) -> Content {
        let text = String::from_utf8_lossy(&self.kept);
        let digest: [u8; 32] = self.digest.finalize().into();
        Content {
            digest: digest.first_chunk().copied().unwrap_or_default(),
            bytes: self.bytes,
            version: fields::version_in(&text),
            identified: fields::identifies(&text),
            opaque: !fields::has_fields(&text),
        }
    }
}
