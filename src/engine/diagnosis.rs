//! What a run found out: the one value that every report is written from.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::endpoint::Rules;
use crate::engine::row::Row;
use crate::failure::Finding;
use crate::failure::flow::Outcomes;
use crate::incident::Incident;
pub use crate::incident::Surroundings;
use crate::limits;
use crate::time::Timestamp;

/// Upper bounds in milliseconds of the latency histograms; fixed, so that they add up across runs and machines.
pub const BOUNDS_MS: [u32; 15] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000,
];

/// Times of one kind at one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// One count for each bound, and one for what lies above the last.
    pub counts: [u64; BOUNDS_MS.len() + 1],
    /// All of them added up, in milliseconds; unknown, and 0, where it was read from an archive.
    pub total_ms: u64,
}

impl Histogram {
    /// Adds a time in milliseconds.
    pub fn add(&mut self, ms: u32) {
        let slot = BOUNDS_MS.partition_point(|bound| *bound < ms);
        if let Some(count) = self.counts.get_mut(slot) {
            *count += 1;
        }
        self.total_ms = self.total_ms.saturating_add(u64::from(ms));
    }

    /// How many times were added.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The bound below which so many percent of the times lie.
    pub fn percentile(&self, percent: u64) -> Option<u32> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let rank = (total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (count, bound) in self.counts.iter().zip(BOUNDS_MS) {
            seen += count;
            if seen >= rank {
                return Some(bound);
            }
        }
        BOUNDS_MS.last().copied()
    }
}

/// Attempts by client and by time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Clients: those with the most failures first, then by address.
    pub clients: Vec<(IpAddr, Outcomes)>,
    /// How many further clients there were.
    pub clients_omitted: u64,
    /// Spans of time in which attempts began, in order: minutes since 1970 at their start.
    pub minutes: Vec<(i64, Outcomes)>,
    /// Minutes in each span.
    pub width: i64,
}

impl Shares {
    /// What is told of these; `omitted` clients are not among them, and minutes come in spans of `width` at least.
    pub fn of(
        mut clients: Vec<(IpAddr, Outcomes)>,
        omitted: u64,
        minutes: BTreeMap<i64, Outcomes>,
        width: i64,
    ) -> Self {
        clients.sort_unstable_by_key(|(client, sum)| (Reverse(sum.failed), *client));
        let further = clients.len().saturating_sub(limits::CLIENTS_LISTED);
        clients.truncate(limits::CLIENTS_LISTED);
        let (minutes, width) = spans(minutes, width);
        Self {
            clients,
            clients_omitted: omitted + further as u64,
            minutes,
            width,
        }
    }
}

/// Spans of `width` minutes, or of twice, four times, ... as many, so that no more than the limit are left.
pub fn spans(minutes: BTreeMap<i64, Outcomes>, width: i64) -> (Vec<(i64, Outcomes)>, i64) {
    let mut width = width.max(1);
    let mut spans = put_together(minutes, width);
    while spans.len() > limits::SPANS_LISTED {
        width *= 2;
        spans = put_together(spans, width);
    }
    (spans, width)
}

fn put_together(
    spans: impl IntoIterator<Item = (i64, Outcomes)>,
    width: i64,
) -> Vec<(i64, Outcomes)> {
    let mut wider: Vec<(i64, Outcomes)> = Vec::new();
    for (minute, sum) in spans {
        let start = minute.div_euclid(width).saturating_mul(width);
        match wider.last_mut().filter(|(last, _)| *last == start) {
            Some((_, known)) => known.add(sum),
            None => wider.push((start, sum)),
        }
    }
    wider
}

/// One region's balance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegionBalance {
    /// Its name.
    pub region: String,
    /// Ids of its endpoints, sorted.
    pub endpoints: Vec<String>,
    /// Attempts.
    pub attempts: Outcomes,
}

/// The sums of each region that an endpoint lies in.
pub fn regions(endpoints: &[EndpointBalance]) -> Vec<RegionBalance> {
    let mut regions: BTreeMap<&str, RegionBalance> = BTreeMap::new();
    for endpoint in endpoints {
        let Some(region) = &endpoint.region else {
            continue;
        };
        let sum = regions.entry(region).or_insert_with(|| RegionBalance {
            region: region.clone(),
            ..RegionBalance::default()
        });
        sum.attempts.add(endpoint.attempts);
        sum.endpoints.push(endpoint.id.clone());
    }
    let mut all: Vec<RegionBalance> = regions.into_values().collect();
    all.iter_mut().for_each(|region| region.endpoints.sort());
    all
}

/// One endpoint's balance.
#[derive(Clone, Debug, Default)]
pub struct EndpointBalance {
    /// `name:port`, or `address:port` where no name is known, or what a rule calls it.
    pub id: String,
    /// The name.
    pub name: Option<String>,
    /// The host name that was asked for, where the name is another.
    pub host: Option<String>,
    /// Region of a tax host.
    pub region: Option<String>,
    /// A rule speaks of it.
    pub invoicing: bool,
    /// Addresses, sorted.
    pub addresses: Vec<IpAddr>,
    /// Ports, sorted.
    pub ports: Vec<u16>,
    /// The proxies through which it was reached for, sorted; their addresses and ports are not its own.
    pub proxies: Vec<(IpAddr, u16)>,
    /// Attempts.
    pub attempts: Outcomes,
    /// The same by client and by time.
    pub shares: Shares,
    /// Handshake, TLS, first byte.
    pub latency: [Histogram; 3],
    /// Findings of any severity by code.
    pub findings_by_code: BTreeMap<&'static str, u64>,
}

/// What was tried at one endpoint in one minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minute {
    /// Id of the endpoint, as in its balance.
    pub endpoint: String,
    /// When the minute begins.
    pub start: Timestamp,
    /// Attempts that began in it.
    pub attempts: Outcomes,
    /// Handshake, TLS, first byte of the connections that began in it.
    pub latency: [Histogram; 3],
}

/// What a run knows beside its report, for those who watch it.
#[derive(Clone, Debug, Default)]
pub struct Aside {
    /// When the first of the leaves that an endpoint showed expires, by the endpoint's id. TLS 1.3 shows none.
    pub certificates: BTreeMap<String, Timestamp>,
    /// How long lookups that gave an address took, from the first query to the answer, by resolver.
    pub resolvers: BTreeMap<IpAddr, Histogram>,
}

/// Everything that a report says.
#[derive(Debug, Default)]
pub struct Diagnosis {
    /// Frames read.
    pub packets: u64,
    /// TCP flows.
    pub flows: u64,
    /// Attempts.
    pub attempts: Outcomes,
    /// Those of them that are about to be forgotten, where a run goes on.
    pub forgotten: Outcomes,
    /// The same by client and by time.
    pub shares: Shares,
    /// The same by region, by name.
    pub regions: Vec<RegionBalance>,
    /// Endpoints: built-in names first, then by failures.
    pub endpoints: Vec<EndpointBalance>,
    /// Attempts by endpoint and minute, by these two; where asked for.
    pub minutes: Vec<Minute>,
    /// Findings by first time and id.
    pub findings: Vec<Finding>,
    /// Findings of one cause, by start; they name findings by their place above.
    pub incidents: Vec<Incident>,
    /// Counts of what could not be decoded or decided, by reason.
    pub unjudged: BTreeMap<String, u64>,
    /// Rows of `flows`.
    pub rows: Vec<Row>,
    /// TLS connections whose content was read by their keys.
    pub decrypted: u64,
    /// Identity of the trust store.
    pub trust_store: String,
    /// Identity of the key log that was given.
    pub key_log: Option<String>,
    /// The endpoint rules.
    pub rules: Arc<Rules>,
    /// What no report says.
    pub aside: Aside,
    /// What went on around the findings; where asked for.
    pub surroundings: Option<Surroundings>,
}

/// Share of decided attempts that reached the service, in millionths; `None` where nothing was decided.
pub fn availability(attempts: &Outcomes) -> Option<f64> {
    let reached = u64::from(attempts.ok) + u64::from(attempts.answered_no);
    let decided = reached + u64::from(attempts.failed);
    (decided > 0).then(|| (reached as f64 / decided as f64 * 1e6).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_read_off_the_bounds() {
        let mut histogram = Histogram::default();
        for ms in [1, 3, 3, 3, 40, 70_000] {
            histogram.add(ms);
        }
        assert_eq!(histogram.percentile(50), Some(5));
        assert_eq!(histogram.percentile(83), Some(50));
        assert_eq!(histogram.percentile(99), Some(60_000));
        assert_eq!(Histogram::default().percentile(50), None);
    }

    #[test]
    fn availability_counts_refusals_as_reached() {
        let attempts = Outcomes {
            ok: 2,
            failed: 1,
            answered_no: 1,
            undetermined: 9,
        };
        assert_eq!(availability(&attempts), Some(0.75));
        assert_eq!(
            availability(&Outcomes {
                undetermined: 3,
                ..Outcomes::default()
            }),
            None
        );
    }
}
