//! Which servers matter here, and what is expected of them: the built-in invoicing hosts with their regions, and the
//! rules of `--endpoints FILE`.
//!
//! The first rule that fits a server is its rule: those of the file from the top, then the built-in ones; a rule with
//! a built-in id stands in that one's place. Without a match a server is still an endpoint as long as no file says
//! which are. Names change often: the built-in list is a file too, `built_in.toml`, which `endpoints --print` writes.

mod network;
mod pattern;
mod payload;
mod reader;
mod shapes;
mod table;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

pub use network::Network;
pub use pattern::Pattern;
pub use payload::{Field, Marker, Payload};
pub use table::RuleError;

/// The built-in rules as they ship.
pub const BUILT_IN: &str = include_str!("built_in.toml");

/// One rule: which servers it speaks of, and what is expected of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its name among the rules.
    pub id: String,
    /// What people call the endpoint.
    pub name: Option<String>,
    /// Which servers.
    pub matching: Matching,
    /// Region, where it is the same for all of them.
    pub region: Option<String>,
    /// What is spoken: `tls`, `tlcp` or `http`.
    pub protocol: Option<String>,
    /// Versions of TLS or TLCP that are expected, as the report writes them: `TLS 1.0`.
    pub versions: Vec<String>,
    /// Chinese algorithms are required.
    pub gm_required: bool,
    /// Paths of the interface and their versions.
    pub paths: Vec<PathRule>,
    /// Shapes of the bodies that its servers take and give, in the order in which they are tried.
    pub payloads: Vec<String>,
    /// From which times on an endpoint is slow.
    pub thresholds: Thresholds,
    /// PEM file of the endpoint's own trust anchors, as written, and its line.
    pub ca_bundle: Option<(String, usize)>,
    /// A file brought it.
    pub own: bool,
    /// It speaks of one host and its author named it: its id is the endpoint's id.
    pub takes_id: bool,
}

impl Rule {
    /// The versions that are expected on a path: those of the first pattern that fits.
    pub fn versions_of(&self, path: &str) -> &[String] {
        let rule = self.paths.iter().find(|rule| rule.fits(path));
        rule.map_or(&[], |rule| &rule.versions)
    }
}

impl PathRule {
    /// Does it speak of this path? `*` stands for any characters; case matters.
    fn fits(&self, path: &str) -> bool {
        payload::fits(&self.path, path)
    }
}

/// Which servers a rule speaks of: any of these, at one of the ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// Host names, wherever they are seen.
    pub names: Vec<Pattern>,
    /// Addresses.
    pub addresses: Vec<Network>,
    /// Ports; none means all.
    pub ports: Vec<u16>,
    /// Names in a ClientHello.
    pub sni: Vec<Pattern>,
    /// Names in a Host header.
    pub host: Vec<Pattern>,
    /// Names that a proxy was asked for.
    pub connect: Vec<Pattern>,
    /// Names in the server's certificate.
    pub certificate: Vec<Pattern>,
}

/// A path of an interface, and the versions that are expected there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathRule {
    /// `/access/*`
    pub path: String,
    /// `v2`
    pub versions: Vec<String>,
}

/// Times in milliseconds above which an endpoint is slow, in place of the catalogue's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// TCP handshake.
    pub connect_ms: Option<u32>,
    /// First byte of a response.
    pub first_byte_ms: Option<u32>,
    /// Name lookup.
    pub dns_ms: Option<u32>,
}

/// A region and the label that names it in host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// `beijing`
    pub slug: String,
    /// `北京市`
    pub name: String,
    /// First digits of its administrative code.
    pub adcode: Option<String>,
}

/// What was seen of a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    /// Its name, by whatever means it was learned.
    pub name: Option<&'a str>,
    /// The name stood in a ClientHello.
    pub sni: bool,
    /// The name stood in a Host header.
    pub host: bool,
    /// The name, and this port, stood in a CONNECT.
    pub connect: Option<u16>,
    /// The name that its certificate was matched by.
    pub certificate: Option<&'a str>,
    /// Address and port.
    pub server: Option<(IpAddr, u16)>,
}

/// All rules of a run.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    regions: Vec<Region>,
    /// All shapes of bodies that are known.
    payloads: Vec<Arc<Payload>>,
    /// Those of each rule, in the order of `rules`, and after them those that are looked for everywhere.
    reads: Vec<Arc<[Arc<Payload>]>>,
    /// A rule that names payloads fits servers by their address or port.
    reads_by_place: bool,
    /// How many of `rules` a file brought.
    pub own: usize,
    /// How many of those stand in the place of a built-in one.
    pub replaced: usize,
    /// How many payloads a file brought.
    pub own_payloads: usize,
    /// Servers that no rule fits are endpoints too.
    pub others: bool,
    /// Hash of everything that decides.
    hash: [u8; 32],
}

impl Default for Rules {
    fn default() -> Self {
        Self::built_in()
    }
}

impl Rules {
    /// The built-in rules, read once.
    pub fn shared() -> std::sync::Arc<Self> {
        static READ: std::sync::LazyLock<std::sync::Arc<Rules>> =
            std::sync::LazyLock::new(std::sync::Arc::default);
        std::sync::Arc::clone(&READ)
    }

    /// The built-in rules; every server is an endpoint.
    pub fn built_in() -> Self {
        // The unit tests hold that the built-in file is sound.
        let read = reader::read(BUILT_IN);
        debug_assert!(read.is_ok(), "the built-in rules have errors: {read:?}");
        let read = read.unwrap_or_default();
        let mut all = Self {
            rules: read.rules,
            regions: read.regions,
            payloads: read.payloads.into_iter().map(Arc::new).collect(),
            reads: Vec::new(),
            reads_by_place: false,
            own: 0,
            replaced: 0,
            own_payloads: 0,
            others: true,
            hash: Sha256::digest(BUILT_IN).into(),
        };
        all.bring_payloads();
        all
    }

    /// The rules of a file before the built-in ones. All errors, by line.
    pub fn of_file(text: &str) -> Result<Self, Vec<RuleError>> {
        let file = reader::read(text)?;
        let mut all = Self::built_in();
        if !file.built_in {
            all.rules.clear();
            // What is built in can still be named, and is looked for nowhere else.
            all.payloads
                .iter_mut()
                .for_each(|payload| Arc::make_mut(payload).everywhere = false);
        }
        all.own_payloads = file.payloads.len();
        for payload in file.payloads {
            all.payloads.retain(|known| known.id != payload.id);
            all.payloads.push(Arc::new(payload));
        }
        let unknown = |(id, line): &(String, usize)| {
            (!all.payloads.iter().any(|payload| payload.id == *id)).then(|| RuleError {
                line: *line,
                message: format!("`payloads` names \"{id}\", which is no [[payload]]; write the id of one, see `wirefault endpoints --print`"),
            })
        };
        let errors: Vec<RuleError> = file.named.iter().filter_map(unknown).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        all.own = file.rules.len();
        all.others = file.others;
        all.note(text.as_bytes());
        for region in file.regions {
            all.regions.retain(|known| known.slug != region.slug);
            all.regions.push(region);
        }
        let mut first = Vec::new();
        for mut rule in file.rules {
            // What was only printed and given back names nothing anew: ids of endpoints stay.
            let place = all.rules.iter_mut().find(|known| known.id == rule.id);
            rule.takes_id = rule.is_one_host() && place.as_deref() != Some(&rule);
            rule.own = true;
            match place {
                Some(known) => {
                    *known = rule;
                    all.replaced += 1;
                }
                None => first.push(rule),
            }
        }
        first.append(&mut all.rules);
        all.rules = first;
        all.bring_payloads();
        Ok(all)
    }

    /// Something else that decides: the content of a file that a rule names.
    pub fn note(&mut self, content: &[u8]) {
        let mut hash = Sha256::new();
        hash.update(self.hash);
        hash.update(content);
        self.hash = hash.finalize().into();
    }

    /// Which rules these are: a hash over their text, and over the files that they name.
    pub fn identity(&self) -> String {
        let digits: String = self
            .hash
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("1/{digits}")
    }

    /// All rules in the order in which they are asked.
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }

    /// Does any rule look at certificates alone?
    pub fn reads_certificates(&self) -> bool {
        let reads = |rule: &Rule| !rule.matching.certificate.is_empty();
        self.rules.iter().any(reads)
    }

    /// Does any rule require Chinese algorithms?
    pub fn requires_gm(&self) -> bool {
        self.rules.iter().any(|rule| rule.gm_required)
    }

    /// The rules that a file brought: those that were printed and given back unchanged too.
    pub fn own_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.own)
    }

    /// All regions.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The first rule that fits a server.
    pub fn find(&self, seen: &Seen<'_>) -> Option<&Rule> {
        self.rules
            .iter()
            .find(|rule| self.fits(&rule.matching, seen))
    }

    /// The first rule that a name alone fits, by any of its patterns: the name of a lookup.
    pub fn of_name(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| {
            let matching = &rule.matching;
            [
                &matching.names,
                &matching.sni,
                &matching.host,
                &matching.connect,
            ]
            .into_iter()
            .any(|patterns| self.any(patterns, name).is_some())
        })
    }

    /// Is there a rule whose addresses hold this one?
    pub fn holds(&self, address: IpAddr) -> bool {
        let holds = |rule: &Rule| {
            rule.matching
                .addresses
                .iter()
                .any(|range| range.holds(address))
        };
        self.rules.iter().any(holds)
    }

    /// Of a certificate's names the first that a rule knows. A wildcard of the certificate fits as it is written.
    pub fn certified<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        let mut names = names;
        names.find(|name| {
            self.rules.iter().any(|rule| {
                let matching = &rule.matching;
                self.any(&matching.certificate, name).is_some()
                    || self.any(&matching.names, name).is_some()
            })
        })
    }

    /// The region of a server: its rule's own, else what a pattern of any rule reads from the name.
    pub fn region<'r>(&'r self, rule: Option<&'r Rule>, name: Option<&str>) -> Option<&'r str> {
        if let Some(region) = rule.and_then(|rule| rule.region.as_deref()) {
            return Some(region);
        }
        let name = name?;
        self.rules.iter().find_map(|rule| {
            let slug = self.any(&rule.matching.names, name)?;
            match self
                .regions
                .iter()
                .find(|region| region.slug.eq_ignore_ascii_case(slug))
            {
                Some(region) => Some(region.name.as_str()),
                None => rule.region.as_deref(),
            }
        })
    }

    fn fits(&self, matching: &Matching, seen: &Seen<'_>) -> bool {
        let ports = [seen.server.map(|(_, port)| port), seen.connect];
        let port = |port: &u16| matching.ports.contains(port);
        if !matching.ports.is_empty() && !ports.iter().flatten().any(port) {
            return false;
        }
        if matching.is_ports_alone() {
            return true;
        }
        let named = |patterns: &[Pattern], asked: bool| {
            asked
                && seen
                    .name
                    .is_some_and(|name| self.any(patterns, name).is_some())
        };
        let by_name = seen.name.is_some()
            && (named(&matching.names, true)
                || named(&matching.sni, seen.sni)
                || named(&matching.host, seen.host)
                || named(&matching.connect, seen.connect.is_some()));
        by_name
            || seen.certificate.is_some_and(|name| {
                self.any(&matching.certificate, name).is_some()
                    || (seen.name.is_none() && self.any(&matching.names, name).is_some())
            })
            || seen.server.is_some_and(|(address, _)| {
                matching.addresses.iter().any(|range| range.holds(address))
            })
    }

    /// The region's label where one of the patterns fits, empty where that one has none.
    fn any<'n>(&self, patterns: &[Pattern], name: &'n str) -> Option<&'n str> {
        let is_region = |label: &str| {
            self.regions
                .iter()
                .any(|region| region.slug.eq_ignore_ascii_case(label))
        };
        patterns
            .iter()
            .find_map(|pattern| pattern.fit(name, &is_region))
    }
}

impl Rule {
    /// Does it speak of one host alone, so that its id can stand for the endpoint?
    pub fn is_one_host(&self) -> bool {
        let matching = &self.matching;
        let patterns = [
            &matching.names,
            &matching.sni,
            &matching.host,
            &matching.connect,
        ];
        let mut names: Vec<&str> = patterns
            .iter()
            .flat_map(|list| list.iter())
            .map(Pattern::text)
            .collect();
        names.sort_unstable();
        names.dedup();
        let exact = patterns
            .iter()
            .all(|list| list.iter().all(Pattern::is_one_host));
        let one_name = names.len() == 1 && exact;
        let one_address = names.is_empty()
            && matching.addresses.len() == 1
            && matching.addresses.iter().all(Network::is_one_host);
        matching.certificate.is_empty()
            && (one_address || (one_name && matching.addresses.iter().all(Network::is_one_host)))
    }
}

impl Matching {
    fn is_ports_alone(&self) -> bool {
        self.addresses.is_empty()
            && [
                &self.names,
                &self.sni,
                &self.host,
                &self.connect,
                &self.certificate,
            ]
            .iter()
            .all(|patterns| patterns.is_empty())
    }
}
