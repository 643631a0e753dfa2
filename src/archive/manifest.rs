//! What is written down about a run and about each set that is done.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ingest::{Head, LinkType, Part};
use crate::report::{catalogue, id};
use crate::time::Timestamp;

/// What decides about a set's outputs beside its files. Threads and memory do not.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Options {
    /// Version of the program.
    pub version: String,
    /// Codes and guides.
    pub catalogue: String,
    /// Identity of the endpoint rules.
    pub endpoints: String,
    /// Identity of the trust store.
    pub trust_store: String,
    /// Identity of the key log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_log: Option<String>,
    /// Which packets were read.
    pub filter: Option<String>,
    /// Findings from this time on, in nanoseconds since 1970.
    pub since_ns: Option<i64>,
    /// Findings up to this time.
    pub until_ns: Option<i64>,
    /// Identifiers of taxpayers and people are masked.
    pub redact: bool,
    /// Language of texts in tables.
    pub lang: String,
    /// Tables are written.
    pub tables: bool,
    /// The table of flows is.
    pub flows: bool,
}

impl Options {
    /// Those of this program, nothing asked for.
    pub fn here() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            catalogue: catalogue(),
            ..Self::default()
        }
    }
}

/// What was asked for, and what could not be read.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Run {
    /// `wirefault.batch/1`.
    pub schema: String,
    /// The folders.
    pub paths: Vec<String>,
    /// How sets are judged.
    pub options: Options,
    /// Files that give no set.
    pub unread: Vec<Unread>,
}

impl Run {
    /// Version of the layout.
    pub const SCHEMA: &str = "wirefault.batch/1";
}

/// A file that could not be read, or a set that could not be judged.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Unread {
    /// Why, in a sentence that names it.
    pub reason: String,
}

/// A set that is done.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Manifest {
    /// `wirefault.set/2`.
    pub schema: String,
    /// `s-` and 16 hex digits.
    pub set: String,
    /// Where it was captured.
    pub point: String,
    /// Day of its first frame; absent where it has none.
    pub day: Option<String>,
    /// Its files as they were.
    pub files: Vec<File>,
    /// Everything was read to a proper end.
    pub complete: bool,
    /// A limit closed flows early: with more memory it would be judged again.
    pub limited: bool,
    /// Bytes that its engine was to keep to, where memory was bounded.
    pub memory: Option<u64>,
    /// The worst severity outside `capture.*`: 0 to 3.
    pub worst: Option<u8>,
    /// Its outputs, below OUT.
    pub outputs: Vec<String>,
}

impl Manifest {
    /// Version of a manifest.
    pub const SCHEMA: &str = "wirefault.set/2";

    /// How much was remembered; more is better.
    pub fn room(&self) -> u64 {
        room(self.memory)
    }
}

/// What a bound of memory gives room to; none gives most.
pub fn room(memory: Option<u64>) -> u64 {
    memory.unwrap_or(u64::MAX)
}

/// A file as it was.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct File {
    /// As the user gave it.
    pub path: String,
    /// Stored bytes.
    pub size: u64,
    /// When it was last written, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Of its first 64 KiB as stored.
    pub sha256: String,
    /// Numbers of the link types announced before its first frame.
    pub links: Vec<u16>,
    /// Its first frame's time.
    pub first_ns: Option<i64>,
}

impl File {
    /// The file that a look through the archive found.
    pub fn of(part: &Part) -> Self {
        Self {
            path: part.path.clone(),
            size: part.size,
            modified_ns: part.modified_ns,
            sha256: id::hex(&part.head.sha256, 32),
            links: part.head.links.iter().map(|link| link.0).collect(),
            first_ns: part.head.first.map(Timestamp::ns),
        }
    }

    /// It is as it was: size and time of writing are.
    pub fn stands(&self) -> bool {
        crate::ingest::stamp(self.path.as_ref())
            .is_ok_and(|stamp| stamp == (self.size, self.modified_ns))
    }

    /// What a look at its first bytes would tell again.
    pub fn head(&self) -> Option<Head> {
        let digit = |at: usize| self.sha256.get(at..at + 2);
        let mut sha256 = [0; 32];
        for (place, byte) in sha256.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digit(2 * place)?, 16).ok()?;
        }
        Some(Head {
            sha256,
            links: self.links.iter().copied().map(LinkType).collect(),
            first: self.first_ns.map(Timestamp::from_ns),
        })
    }
}

/// `s-` and 16 hex digits of SHA-256 over options and files.
pub fn set_id(options: &Options, files: &[File]) -> String {
    let content = serde_json::to_vec(&(options, files)).unwrap_or_default();
    format!("s-{}", id::hex(&Sha256::digest(content), 8))
}
