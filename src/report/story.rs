//! What a reader needs of the findings: folded, weighed and put in order. Text, Markdown and HTML tell it alike.

use std::collections::{BTreeMap, BTreeSet};

use crate::endpoint::{Rule, Seen};
use crate::report::Told;
use crate::report::schema::Finding;
use crate::time::Timestamp;

/// Frames listed of one block.
const FRAMES_MAX: usize = 8;

/// Blocks told at length, and in one line.
pub(super) const LISTED_MAX: usize = 20;

/// The blocks that are told, and those that are only counted.
pub(super) fn listed<'b, 'a>(blocks: &'b [Block<'a>]) -> (&'b [Block<'a>], &'b [Block<'a>]) {
    blocks.split_at(blocks.len().min(LISTED_MAX))
}

/// Findings of one code, severity and endpoint.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// The first of them.
    pub(super) first: &'a Finding,
    /// All of them.
    pub(super) members: Vec<&'a Finding>,
    /// Addresses of the servers.
    pub(super) servers: Vec<&'a str>,
    /// The proxies that were asked for the endpoint.
    pub(super) proxies: &'a [String],
    /// Region that the server's name says.
    pub(super) region: Option<&'a str>,
    /// A rule speaks of it: the built-in ones, or a file's.
    pub(super) invoicing: bool,
    /// How many failures, those folded into findings included.
    pub(super) count: u64,
    /// How many of them made an attempt fail.
    pub(super) fails: u64,
    /// First time of the first, last time of the last.
    pub(super) times: (Timestamp, Timestamp),
    /// Addresses and how often each was hit; most often first.
    pub(super) clients: Vec<(&'a str, u64)>,
    /// Number of clients.
    pub(super) clients_total: u64,
    /// Confidence, its reason and how many have it; surest first.
    pub(super) certainty: Vec<(f64, Option<&'a str>, u64)>,
    /// Frames by file.
    pub(super) frames: Vec<(&'a str, Vec<u32>)>,
    /// Frames that are not listed.
    pub(super) frames_more: u64,
    /// Codes that also fit.
    pub(super) also: Vec<&'a str>,
    /// Codes of what followed.
    pub(super) consequences: Vec<&'a str>,
}

/// The blocks to be told at length, most severe first, invoicing names first within a severity, then by number; and
/// those of one line: `info`, and what is said of the capture.
pub(super) fn blocks(told: &Told) -> (Vec<Block<'_>>, Vec<Block<'_>>) {
    let mut groups: BTreeMap<(&str, &str, &str), Vec<usize>> = BTreeMap::new();
    for (index, finding) in told.report.findings.iter().enumerate() {
        // What has no endpoint (a link, a host) is one block only if it says the same.
        let place = finding.endpoint.as_deref().unwrap_or(&finding.summary);
        groups
            .entry((finding.code, finding.severity, place))
            .or_default()
            .push(index);
    }
    let mut all: Vec<Block<'_>> = groups
        .values()
        .filter_map(|members| block(told, members))
        .collect();
    all.sort_by(|a, b| {
        let key = |block: &Block<'_>| {
            (
                rank(block.first.severity),
                !block.invoicing,
                std::cmp::Reverse(block.count),
                block.times.0,
            )
        };
        key(a)
            .cmp(&key(b))
            .then_with(|| a.first.code.cmp(b.first.code))
    });
    all.into_iter()
        .partition(|block| block.first.severity != "info" && block.first.layer != "capture")
}

fn rank(severity: &str) -> u8 {
    match severity {
        "critical" => 0,
        "error" => 1,
        "warning" => 2,
        _ => 3,
    }
}

fn block<'a>(told: &'a Told, members: &[usize]) -> Option<Block<'a>> {
    let findings: Vec<&Finding> = members
        .iter()
        .filter_map(|index| told.report.findings.get(*index))
        .collect();
    let times = members.iter().filter_map(|index| told.times.get(*index));
    let first = *findings.first()?;
    let name = first
        .server
        .as_ref()
        .and_then(|server| server.name.as_deref());
    let rule = rule(told, first);
    let (clients, clients_total) = clients(&findings);
    let (frames, frames_more) = frames(&findings);
    let sum = |counted: &dyn Fn(&Finding) -> bool| {
        findings
            .iter()
            .filter(|finding| counted(finding))
            .map(|finding| finding.count)
            .sum()
    };
    let proxies = proxies(told, first);
    // The server of a lookup is a resolver, and that of a tunnel a proxy.
    let own = |finding: &&&Finding| finding.subject != "name" && proxies.is_empty();
    Some(Block {
        first,
        servers: distinct(
            findings
                .iter()
                .filter(own)
                .filter_map(|finding| finding.server.as_ref()?.ip.as_deref()),
        ),
        proxies,
        region: told.rules.region(rule, name),
        invoicing: rule.is_some(),
        count: sum(&|_| true),
        fails: sum(&|finding| finding.fails),
        times: (
            times.clone().map(|time| time.0).min()?,
            times.map(|time| time.1).max()?,
        ),
        clients,
        clients_total,
        certainty: certainty(&findings),
        frames,
        frames_more,
        also: distinct(
            findings
                .iter()
                .flat_map(|finding| finding.also.iter().copied()),
        ),
        consequences: distinct(
            findings
                .iter()
                .flat_map(|finding| finding.consequences.iter().copied()),
        ),
        members: findings,
    })
}

/// The proxies through which the endpoint of a finding was reached for.
fn proxies<'a>(told: &'a Told, finding: &Finding) -> &'a [String] {
    let id = finding.endpoint.as_ref();
    let mut endpoints = told.report.endpoints.iter();
    endpoints
        .find(|endpoint| Some(&endpoint.id) == id)
        .map_or(&[], |endpoint| &endpoint.proxies)
}

/// The endpoint rule that a finding's server has, as far as its name, address and port tell.
fn rule<'a>(told: &'a Told, finding: &Finding) -> Option<&'a Rule> {
    let server = finding.server.as_ref()?;
    let name = server.name.as_deref();
    let address = server.ip.as_deref().and_then(|ip| ip.parse().ok());
    let seen = Seen {
        name,
        sni: true,
        host: true,
        server: address.zip(server.port),
        ..Seen::default()
    };
    let own = |rule: &&Rule| Some(&rule.id) == finding.endpoint.as_ref() && rule.takes_id;
    let mut rules = told.rules.all().iter();
    let found = rules.find(own).or_else(|| told.rules.find(&seen));
    found.or_else(|| told.rules.of_name(name?))
}

/// In the order of their first mention.
fn distinct<'a>(items: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut kept: Vec<&str> = Vec::new();
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

fn clients<'a>(findings: &[&'a Finding]) -> (Vec<(&'a str, u64)>, u64) {
    // A finding that is said once per endpoint brings its own list.
    if let [finding] = findings
        && let (Some(total), Some(sample)) = (
            finding.details.get("clients"),
            finding
                .details
                .get("client_sample")
                .and_then(|list| list.as_array()),
        )
    {
        let sample = sample
            .iter()
            .filter_map(|client| client.as_str())
            .map(|client| (client, 0))
            .collect();
        return (sample, total.as_u64().unwrap_or(0));
    }
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for finding in findings {
        if let Some(ip) = finding
            .client
            .as_ref()
            .and_then(|client| client.ip.as_deref())
        {
            *counts.entry(ip).or_default() += finding.count;
        }
    }
    let total = counts.len() as u64;
    let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(client, count)| {
        (
            std::cmp::Reverse(*count),
            client.parse::<std::net::IpAddr>().ok(),
        )
    });
    (counts, total)
}

fn certainty<'a>(findings: &[&'a Finding]) -> Vec<(f64, Option<&'a str>, u64)> {
    type Kind<'a> = (std::cmp::Reverse<u64>, Option<&'a str>);
    let mut kinds: BTreeMap<Kind<'_>, (f64, u64)> = BTreeMap::new();
    for finding in findings {
        // All that is sure is told alike.
        let sure = finding.confidence.min(0.9);
        let percent = (sure * 100.0).round() as u64;
        let kind = kinds
            .entry((std::cmp::Reverse(percent), finding.confidence_reason))
            .or_default();
        *kind = (sure, kind.1 + finding.count);
    }
    kinds
        .into_iter()
        .map(|((_, reason), (sure, count))| (sure, reason, count))
        .collect()
}

fn frames<'a>(findings: &[&'a Finding]) -> (Vec<(&'a str, Vec<u32>)>, u64) {
    let mut listed: Vec<(&str, Vec<u32>)> = Vec::new();
    let mut known: BTreeSet<(&str, u32)> = BTreeSet::new();
    for seen in findings.iter().flat_map(|finding| &finding.evidence) {
        if !known.insert((&seen.file, seen.frame)) || known.len() > FRAMES_MAX {
            continue;
        }
        match listed.iter_mut().find(|(file, _)| **file == *seen.file) {
            Some((_, frames)) => frames.push(seen.frame),
            None => listed.push((&seen.file, vec![seen.frame])),
        }
    }
    for (_, frames) in &mut listed {
        frames.sort_unstable();
    }
    (listed, known.len().saturating_sub(FRAMES_MAX) as u64)
}

impl Block<'_> {
    /// A display filter for the listed frames of the first file.
    pub(super) fn filter(&self) -> Option<String> {
        let (_, frames) = self.frames.first()?;
        Some(match frames.as_slice() {
            [frame] => format!("frame.number == {frame}"),
            frames => {
                let list: Vec<String> = frames.iter().map(ToString::to_string).collect();
                format!("frame.number in {{{}}}", list.join(", "))
            }
        })
    }
}
