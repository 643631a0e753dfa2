//! A rule file into rules. Every key is known or an error, and every error has its line.

use std::collections::BTreeMap;

use crate::endpoint::table::{RuleError, Source, Table};
use crate::endpoint::{
    Matching, Network, PathRule, Pattern, Payload, Region, Rule, Thresholds, shapes,
};

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) rules: Vec<Rule>,
    pub(super) regions: Vec<Region>,
    pub(super) payloads: Vec<Payload>,
    /// Payloads that its rules name, each with its line.
    pub(super) named: Vec<(String, usize)>,
    /// The built-in rules apply too.
    pub(super) built_in: bool,
    /// Servers without a rule are endpoints too.
    pub(super) others: bool,
}

/// Versions as the report writes them.
const VERSIONS: [&str; 7] = [
    "SSL 2", "SSL 3", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3", "TLCP 1.1",
];
/// Handshakes below this are never looked at for their length.
const CONNECT_MS_MIN: u32 = 200;
/// Waits below this are never looked at.
const FIRST_BYTE_MS_MIN: u32 = 3_000;
/// Lookups below this are never looked at.
const DNS_MS_MIN: u32 = 1_000;
/// Nobody waits longer.
const MS_MAX: u32 = 600_000;

/// Reads a file; all errors, by line.
pub(super) fn read(text: &str) -> Result<File, Vec<RuleError>> {
    let mut source = Source::new(text);
    let mut file = File::default();
    if let Some(document) = source.parse() {
        let top = Table {
            of: document.get_ref(),
            what: "the file",
            at: 0,
        };
        file = top_level(&mut source, top);
    }
    if source.errors.is_empty() {
        return Ok(file);
    }
    source.errors.sort();
    Err(source.errors)
}

fn top_level(source: &mut Source<'_>, top: Table<'_>) -> File {
    source.only(
        top,
        &["endpoint", "region", "payload", "built_in", "others"],
    );
    let regions = regions(source, top);
    let payloads = shapes::payloads(source, top);
    let mut named = Vec::new();
    let tables = source.tables(top, "endpoint", "[[endpoint]]");
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let mut rules = Vec::new();
    for table in tables {
        let Some((rule, at)) = rule(source, table) else {
            continue;
        };
        let line = source.line(at);
        for (id, at) in source.texts(table, "payloads") {
            named.push((id, source.line(at)));
        }
        if let Some(before) = lines.insert(rule.id.clone(), line) {
            let id = &rule.id;
            source.wrong(
                at,
                format!("`id` is \"{id}\" as on line {before}; write each id once"),
            );
        }
        rules.push(rule);
    }
    if top.of.is_empty() {
        source.wrong(0, "the file says nothing; write [[endpoint]] with id and match, see `wirefault endpoints --print`".to_owned());
    }
    File {
        rules,
        regions,
        payloads,
        named,
        built_in: source.flag(top, "built_in", true),
        others: source.flag(top, "others", false),
    }
}

fn regions(source: &mut Source<'_>, top: Table<'_>) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    for table in source.tables(top, "region", "[[region]]") {
        source.only(table, &["slug", "name", "adcode"]);
        let name = required(source, table, "name");
        let adcode = source.text(table, "adcode").map(|(adcode, _)| adcode);
        let Some((slug, at)) = required(source, table, "slug") else {
            continue;
        };
        let label = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        if !slug.chars().all(label) {
            source.wrong(
                at,
                format!("`slug` is \"{slug}\"; write one label of a host name"),
            );
        } else if regions.iter().any(|known| known.slug == slug) {
            source.wrong(
                at,
                format!("`slug` is \"{slug}\" a second time; write each slug once"),
            );
        }
        let name = name.map(|(name, _)| name).unwrap_or_default();
        let slug = slug.to_ascii_lowercase();
        regions.push(Region { slug, name, adcode });
    }
    regions
}

/// A rule, and where its id stands.
fn rule(source: &mut Source<'_>, table: Table<'_>) -> Option<(Rule, usize)> {
    source.only(
        table,
        &[
            "id",
            "name",
            "match",
            "region",
            "protocol",
            "versions",
            "gm",
            "path",
            "payloads",
            "thresholds",
            "ca_bundle",
        ],
    );
    let id = required(source, table, "id");
    if let Some((id, at)) = &id {
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
        if !id.chars().all(letter) {
            source.wrong(
                *at,
                format!("`id` is \"{id}\"; write letters, digits, `-`, `_`, `.` or `:`"),
            );
        }
    }
    let mut versions = Vec::new();
    for (version, at) in source.texts(table, "versions") {
        if source.known(&version, at, "versions", &VERSIONS) {
            versions.push(version);
        }
    }
    let rule = Rule {
        id: String::new(),
        name: source.text(table, "name").map(|(name, _)| name),
        matching: matching(source, table),
        region: source.text(table, "region").map(|(region, _)| region),
        protocol: source.word(table, "protocol", &["tls", "tlcp", "http"]),
        versions,
        gm_required: source.word(table, "gm", &["required"]).is_some(),
        paths: paths(source, table),
        payloads: payload_ids(table),
        thresholds: thresholds(source, table),
        ca_bundle: source
            .text(table, "ca_bundle")
            .map(|(path, at)| (path, source.line(at))),
        own: false,
        takes_id: false,
    };
    id.map(|(id, at)| (Rule { id, ..rule }, at))
}

pub(super) fn required(
    source: &mut Source<'_>,
    table: Table<'_>,
    key: &str,
) -> Option<(String, usize)> {
    if !table.of.contains_key(key) {
        source.wrong(
            table.at,
            format!("{} has no `{key}`; write `{key} = \"…\"`", table.what),
        );
    }
    source.text(table, key)
}

fn matching(source: &mut Source<'_>, rule: Table<'_>) -> Matching {
    let Some(table) = source.table(rule, "match", "match") else {
        if !rule.of.contains_key("match") {
            source.wrong(
                rule.at,
                "[[endpoint]] has no `match`; write `match.names = [\"…\"]`, or addresses, ports, sni, host, connect or certificate".to_owned(),
            );
        }
        return Matching::default();
    };
    source.only(
        table,
        &[
            "names",
            "addresses",
            "ports",
            "sni",
            "host",
            "connect",
            "certificate",
        ],
    );
    let matching = Matching {
        names: source.parsed(table, "names", Pattern::parse),
        addresses: source.parsed(table, "addresses", Network::parse),
        ports: source.ports(table, "ports"),
        sni: source.parsed(table, "sni", Pattern::parse),
        host: source.parsed(table, "host", Pattern::parse),
        connect: source.parsed(table, "connect", Pattern::parse),
        certificate: source.parsed(table, "certificate", Pattern::parse),
    };
    if table.of.is_empty() {
        source.wrong(
            table.at,
            "`match` is empty; write at least one of names, addresses, ports, sni, host, connect, certificate".to_owned(),
        );
    }
    matching
}

fn paths(source: &mut Source<'_>, rule: Table<'_>) -> Vec<PathRule> {
    let mut paths = Vec::new();
    for table in source.tables(rule, "path", "[[endpoint.path]]") {
        source.only(table, &["path", "versions"]);
        let versions = source.texts(table, "versions");
        let Some((path, at)) = required(source, table, "path") else {
            continue;
        };
        if !path.starts_with('/') {
            source.wrong(
                at,
                format!("`path` is \"{path}\"; write it from its first slash on"),
            );
        }
        let versions = versions.into_iter().map(|(version, _)| version).collect();
        paths.push(PathRule { path, versions });
    }
    paths
}

fn thresholds(source: &mut Source<'_>, rule: Table<'_>) -> Thresholds {
    let Some(table) = source.table(rule, "thresholds", "thresholds") else {
        return Thresholds::default();
    };
    source.only(table, &["connect_ms", "first_byte_ms", "dns_ms"]);
    Thresholds {
        connect_ms: source.number(table, "connect_ms", CONNECT_MS_MIN, MS_MAX),
        first_byte_ms: source.number(table, "first_byte_ms", FIRST_BYTE_MS_MIN, MS_MAX),
        dns_ms: source.number(table, "dns_ms", DNS_MS_MIN, MS_MAX),
    }
}

/// The payloads that a rule names; what is no list of texts is told where they are looked for.
fn payload_ids(table: Table<'_>) -> Vec<String> {
    let values = table
        .of
        .get("payloads")
        .and_then(|value| value.get_ref().as_array());
    let texts = values.into_iter().flat_map(|values| values.iter());
    texts
        .filter_map(|value| value.get_ref().as_str())
        .map(|id| id.trim().to_owned())
        .collect()
}
