//! One finding as the mirror has it: made while writing, since a report may have a hundred thousand.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::ser::{Error as _, Serialize, SerializeSeq, Serializer};
use serde_json::value::to_raw_value;
use serde_json::{Value as Json, json};

use crate::digits;
use crate::failure::{Finding, Subject, Value, classes, fallback};
use crate::report::order::Kept;
use crate::report::schema::{Capture, End, Evidence, Finding as Row};
use crate::report::{Settings, id, redact};
use crate::workers::Workers;

/// Findings that wait as texts until those before them are written, where several threads make them.
const PORTION: usize = 4_096;

/// The findings of a report, each mirrored when it is asked for.
#[derive(Debug)]
pub struct Findings {
    rows: Vec<Kept>,
    shared: Shared,
    settings: Settings,
}

impl Findings {
    pub(super) fn new(rows: Vec<Kept>, files: &[Capture], settings: &Settings) -> Self {
        Self {
            rows,
            shared: Shared::new(files, settings),
            settings: settings.clone(),
        }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// There is none.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each with what mirrors it, by first time and id.
    pub(super) fn each(&self) -> impl Iterator<Item = (&Kept, impl Fn() -> Row + '_)> + '_ {
        self.rows.iter().map(|kept| {
            let mirror = || self.row(kept);
            (kept, mirror)
        })
    }

    /// Their ids and themselves, in the report's order.
    pub fn entries(&self) -> impl Iterator<Item = (id::Id, &Finding)> {
        self.rows.iter().map(|kept| (kept.id, &kept.finding))
    }

    /// Leaves those at these places alone, in order.
    pub(super) fn keep(&mut self, places: &[usize]) {
        let mut place = 0;
        self.rows.retain(|_| {
            place += 1;
            places.contains(&(place - 1))
        });
    }

    /// Their mirrors, by first time and id.
    pub fn iter(&self) -> impl Iterator<Item = Row> + '_ {
        self.rows.iter().map(|kept| self.row(kept))
    }

    fn row(&self, kept: &Kept) -> Row {
        row(kept.id.text(), &kept.finding, &self.shared, &self.settings)
    }
}

impl Serialize for Findings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.len()))?;
        let workers = Workers::new(self.settings.threads, self.len());
        if workers.is_alone() {
            for row in self.iter() {
                rows.serialize_element(&row)?;
            }
        } else {
            for portion in self.rows.chunks(PORTION) {
                for row in workers.map(portion, |kept| to_raw_value(&self.row(kept))) {
                    rows.serialize_element(&row.map_err(S::Error::custom)?)?;
                }
            }
        }
        rows.end()
    }
}

/// What every finding of a run shares: titles and remedies, read off the guides once, and the files' paths.
#[derive(Debug)]
struct Shared {
    texts: BTreeMap<&'static str, (&'static str, &'static str)>,
    paths: Vec<Arc<str>>,
}

impl Shared {
    fn new(files: &[Capture], settings: &Settings) -> Self {
        let lang = settings.lang;
        Self {
            texts: classes::ALL
                .iter()
                .map(|class| (class.code, (class.title(lang), class.remedy(lang))))
                .collect(),
            paths: files
                .iter()
                .map(|file| Arc::from(shown(&file.path, settings)))
                .collect(),
        }
    }
}

fn row(id: String, finding: &Finding, shared: &Shared, settings: &Settings) -> Row {
    let (class, lang) = (finding.class, settings.lang);
    let path = |file: u32| shared.paths.get(file as usize).cloned().unwrap_or_default();
    let texts = shared.texts.get(class.code).copied();
    let (title, remedy) = texts.unwrap_or_else(|| (class.title(lang), class.remedy(lang)));
    let mut evidence: Vec<_> = finding.evidence.clone();
    evidence.sort_by_key(|seen| (seen.at.time, seen.at.file, seen.at.frame));
    Row {
        id,
        code: class.code,
        layer: class.layer(),
        severity: finding.severity.name(),
        confidence: f64::from(finding.confidence) / 100.0,
        confidence_reason: finding
            .reason
            .filter(|_| finding.confidence < 90)
            .map(|reason| reason.of(lang)),
        count: finding.count,
        fails: finding.fails,
        subject: match finding.subject {
            Subject::Flow => "flow",
            Subject::Host => "host",
            Subject::Name => "name",
            Subject::Link => "link",
            Subject::Capture => "capture",
        },
        title,
        summary: masked(
            &((class.summary)(finding, lang) + &fallback::summary(finding, lang)),
            settings,
        ),
        remedy,
        endpoint: finding.endpoint_id().map(|id| shown(&id, settings)),
        client: finding.client.map(|client| end(Some(client), None)),
        server: (finding.server.is_some() || finding.name.is_some()).then(|| {
            let name = finding.name.as_ref().map(|name| shown(name, settings));
            end(finding.server, name)
        }),
        flow: finding
            .flow
            .as_ref()
            .map(|(key, first)| id::flow(key, *first)),
        community_id: finding.flow.as_ref().map(|(key, _)| id::community(key)),
        first_time: finding.first.text(),
        last_time: finding.last.text(),
        filter: filter(finding),
        evidence: evidence
            .iter()
            .map(|seen| Evidence {
                file: path(seen.at.file),
                frame: seen.at.frame,
                offset: seen.at.offset,
                time: seen.at.time.text(),
                role: seen.role,
            })
            .collect(),
        details: finding
            .details
            .iter()
            .filter(|(_, value)| !matches!(value, Value::Text(text) if text.is_empty()))
            .map(|(key, value)| (*key, detail(key, value, settings)))
            .collect(),
        also: finding.also.clone(),
        consequences: finding.consequences.clone(),
        supersedes: None,
    }
}

fn end(end: Option<(IpAddr, u16)>, name: Option<String>) -> End {
    End {
        ip: end.map(|(ip, _)| digits::ip(ip)),
        port: end.map(|(_, port)| port).filter(|port| *port != 0),
        name: name.filter(|name| !name.is_empty()),
    }
}

/// A display filter that shows just the evidence. Frame numbers count per file: of several files, the first one's.
fn filter(finding: &Finding) -> String {
    let file = finding.evidence.first().map(|seen| seen.at.file);
    let mut frames: Vec<u32> = finding
        .evidence
        .iter()
        .filter(|seen| Some(seen.at.file) == file)
        .map(|seen| seen.at.frame)
        .collect();
    frames.sort_unstable();
    frames.dedup();
    let mut text = String::with_capacity(frames.len() * 32);
    for frame in frames {
        if !text.is_empty() {
            text.push_str(" || ");
        }
        text.push_str("frame.number == ");
        digits::push_number(&mut text, frame.into());
    }
    text
}

fn detail(key: &str, value: &Value, settings: &Settings) -> Json {
    let text = |text: &String| masked_detail(key, text, settings.redact);
    match value {
        Value::Number(number) => json!(number),
        Value::Thousandths(share) => json!(*share as f64 / 1_000.0),
        Value::Bool(flag) => json!(flag),
        Value::Text(words) => json!(text(words)),
        Value::List(items) => json!(items.iter().map(text).collect::<Vec<_>>()),
        Value::Time(time) => json!(time.to_string()),
    }
}

/// A detail's text, as it may be shown. Masking twice is masking once.
pub fn masked_detail(key: &str, text: &str, redact: bool) -> String {
    // Serial numbers and hashes of certificates are public and may look like anything.
    let public = [
        "serial",
        "sha256",
        "fingerprint",
        "chain",
        "not_after",
        "not_before",
    ]
    .contains(&key);
    if public {
        text.to_owned()
    } else {
        masked_if(redact, text)
    }
}

/// A text that quotes the wire, as it may be shown.
pub(super) fn masked(text: &str, settings: &Settings) -> String {
    masked_if(settings.redact, text)
}

/// The name of a host, a file or an endpoint, as it may be shown.
pub fn shown(name: &str, settings: &Settings) -> String {
    if settings.redact {
        redact::name(name)
    } else {
        name.to_owned()
    }
}

/// The same as `masked` where only the switch is at hand; credentials are masked always.
pub(super) fn masked_if(redact: bool, text: &str) -> String {
    if redact {
        redact::redact(text)
    } else {
        redact::credentials(text)
    }
}
