//! What went on around the findings of a set, kept beside its partial: one line of JSON for each connection, resolved
//! name and pair of hosts, packed. It is read only where incidents run over several sets, and never held whole.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::archive::merge::outcomes;
use crate::archive::store::{StoreError, wrong};
use crate::archive::stored::{Attempts, attempts, named, time};
use crate::incident::{Answered, Seen, Surroundings, Tried};
use crate::limits;
use crate::time::Timestamp;

/// Version of what is stored.
const SCHEMA: &str = "wirefault.surroundings/1";

/// The first line.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Head {
    schema: String,
    /// Names resolved before are not all known.
    answered_from_ns: Option<i64>,
    /// The smallest hashes of its connections. Two points that saw the same one lie in the same network.
    pub(super) met: Vec<u64>,
}

/// A connection, keys short since there are many.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Connection {
    #[serde(rename = "c")]
    pub(super) client: (IpAddr, u16),
    #[serde(rename = "s")]
    pub(super) server: (IpAddr, u16),
    #[serde(rename = "y", default, skip_serializing_if = "Option::is_none")]
    syn: Option<(u32, u32)>,
    #[serde(rename = "t")]
    span_ns: (i64, i64),
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    established_ns: Option<i64>,
    #[serde(rename = "a")]
    attempts: Attempts,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(rename = "l")]
    latency_ms: [Option<u32>; 3],
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    rtt_us: Option<u32>,
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    hops: Option<u8>,
}

/// A further line.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Line {
    /// A connection.
    #[serde(rename = "t")]
    Tried(Connection),
    /// Client, resolver, name, time.
    #[serde(rename = "a")]
    Answered(IpAddr, IpAddr, String, i64),
    /// Receiver, sender, seconds from first to last.
    #[serde(rename = "h")]
    Heard(IpAddr, IpAddr, Vec<(i64, i64)>),
}

/// Writes them, sorted: the same set gives the same bytes.
pub(super) fn write(of: &Surroundings, redact: bool, to: impl Write) -> io::Result<()> {
    let mut to = io::BufWriter::new(to);
    let mut tried: Vec<&Tried> = of.tried.iter().collect();
    tried.sort_by(|a, b| order(a).cmp(&order(b)));
    let head = Head {
        schema: SCHEMA.to_owned(),
        answered_from_ns: of.answered_from.map(|from| from.ns()),
        met: met(&tried),
    };
    put(&head, &mut to)?;
    for one in tried {
        put(&Line::Tried(Connection::of(one, redact)), &mut to)?;
    }
    let mut answered: Vec<&Answered> = of.answered.iter().collect();
    answered.sort_by(|a, b| {
        (a.time, a.client, a.resolver, &a.name).cmp(&(b.time, b.client, b.resolver, &b.name))
    });
    for one in answered {
        let name = named(&one.name, redact);
        let line = Line::Answered(one.client, one.resolver, name, one.time.ns());
        put(&line, &mut to)?;
    }
    for (receiver, sender, seconds) in of.heard.pairs() {
        put(&Line::Heard(receiver, sender, seconds.to_vec()), &mut to)?;
    }
    to.flush()
}

fn put(value: &impl Serialize, to: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}

type Order<'a> = (i64, IpAddr, u16, (IpAddr, u16), Option<&'a str>);

fn order(one: &Tried) -> Order<'_> {
    let seen = &one.seen;
    (
        seen.time.ns(),
        seen.client,
        one.port,
        seen.server,
        seen.name.as_deref(),
    )
}

/// The smallest hashes of connections by ends and SYN: of two lists with connections in common, these meet.
fn met(tried: &[&Tried]) -> Vec<u64> {
    let hash = |one: &&Tried| {
        let (isn, value) = one.syn?;
        let ends = (one.seen.client, one.port, one.seen.server, isn, value);
        let digest = Sha256::digest(format!("{ends:?}").as_bytes());
        digest.first_chunk().map(|first| u64::from_be_bytes(*first))
    };
    let mut all: Vec<u64> = tried.iter().filter_map(hash).collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(limits::CONNECTIONS_MET);
    all
}

impl Connection {
    fn of(one: &Tried, redact: bool) -> Self {
        let seen = &one.seen;
        Self {
            client: (seen.client, one.port),
            server: seen.server,
            syn: one.syn,
            span_ns: (seen.time.ns(), seen.last.ns()),
            established_ns: seen.established.map(|at| at.ns()),
            attempts: attempts(&seen.outcomes),
            name: seen.name.as_ref().map(|name| named(name, redact)),
            latency_ms: seen.latency_ms,
            rtt_us: seen.server_rtt_us,
            hops: seen.server_hops,
        }
    }

    /// The connection that it was; `shared` gives each name once.
    pub(super) fn tried(&self, shared: &mut dyn FnMut(&str) -> Arc<str>) -> Tried {
        Tried {
            port: self.client.1,
            syn: self.syn,
            seen: Seen {
                client: self.client.0,
                server: self.server,
                time: time(self.span_ns.0),
                last: time(self.span_ns.1),
                established: self.established_ns.map(time),
                outcomes: outcomes(self.attempts),
                name: self.name.as_deref().map(shared),
                latency_ms: self.latency_ms,
                server_rtt_us: self.rtt_us,
                server_hops: self.hops,
            },
        }
    }
}

impl Head {
    /// Names resolved before are not all known.
    pub(super) fn answered_from(&self) -> Option<Timestamp> {
        self.answered_from_ns.map(time)
    }
}

/// The lines of a set.
pub(super) struct Around {
    path: String,
    lines: BufReader<zstd::stream::read::Decoder<'static, BufReader<File>>>,
    line: String,
}

impl Around {
    /// Opens them. Fails where they cannot be read or are of another version.
    pub(super) fn open(path: &Path) -> Result<(Head, Self), StoreError> {
        let file = File::open(path).map_err(|error| wrong(path, error))?;
        let stream = zstd::stream::read::Decoder::new(file).map_err(|error| wrong(path, error))?;
        let mut around = Self {
            path: path.to_string_lossy().into_owned(),
            lines: BufReader::new(stream),
            line: String::new(),
        };
        let head: Option<Head> = around.read()?;
        match head {
            Some(head) if head.schema == SCHEMA => Ok((head, around)),
            Some(other) => Err(wrong(
                path,
                format!("expected {SCHEMA}, found {}", other.schema),
            )),
            None => Err(wrong(path, "is empty")),
        }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Result<Option<Line>, StoreError> {
        self.read()
    }

    fn read<'a, T: Deserialize<'a>>(&'a mut self) -> Result<Option<T>, StoreError> {
        self.line.clear();
        let fails = |error: &dyn std::fmt::Display, path: &str| wrong(path.as_ref(), error);
        let read = self.lines.read_line(&mut self.line);
        match read {
            Ok(0) => Ok(None),
            Ok(_) => serde_json::from_str(&self.line)
                .map(Some)
                .map_err(|error| fails(&error, &self.path)),
            Err(error) => Err(fails(&error, &self.path)),
        }
    }
}
