#![doc = include_str!("syn_flood.en.md")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::guide;
use crate::mark::Mark;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// `transport.syn-flood`
pub static CLASS: Class = Class {
    code: "transport.syn-flood",
    severity: Severity::Critical,
    guide: guide!("syn_flood"),
    summary,
};

/// Half-open attempts a second.
const RATE_MIN: usize = 200;
/// Over so long.
const WINDOW: Nanos = 5 * SECOND;
/// So many within one window.
pub const WITHIN: usize = RATE_MIN * 5;
/// Completed ones in a hundred attempts stay below this.
const COMPLETED_MAX: usize = 10;
/// Forged SYNs are sent once. Where fewer than one in so many is repeated, those are its victims'.
const REPEATED_PART: usize = 10;
/// A server that was flooded answers again when its half-open connections have run out: Linux repeats a SYN-ACK for 63 s.
const DRAINS: Nanos = 65 * SECOND;
/// Victims named.
const SAMPLE_MAX: usize = 16;
/// Frames cited.
const EXAMPLES_MAX: usize = 16;
/// Hosts do not lie at so many different distances.
const TTL_SPREAD: usize = 24;

/// The SYN of a connection that never stood, with what forged ones have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfOpen {
    /// Its frame.
    pub at: Mark,
    /// Its TTL.
    pub ttl: u8,
    /// Window and options, hashed into one figure.
    pub form: u32,
}

impl HalfOpen {
    /// What stays of a flow that got no further than its SYN and was not refused.
    pub fn of(at: &Episode<'_>) -> Option<Self> {
        let client = at.client_half();
        let syn = at.connection.syns.first()?;
        // A server that refuses keeps nothing open: whoever is refused so often asks a closed port.
        let refused = at.server_half().reset.is_some();
        if at.connection.established.is_some() || client.counts.data_segments > 0 || refused {
            return None;
        }
        let form = client.window_bytes.unwrap_or(0) << 12
            ^ u32::from(client.mss.unwrap_or(0)) << 2
            ^ u32::from(client.window_scale.is_some()) << 1
            ^ u32::from(client.sack_permitted);
        Some(Self {
            at: syn,
            ttl: at.client_ttl_min,
            form,
        })
    }
}

/// One attempt at an endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    /// By whom, as its source address says.
    pub client: IpAddr,
    /// When it began.
    pub time: Timestamp,
    /// It never stood.
    pub half_open: Option<HalfOpen>,
    /// SYNs sent.
    pub syns: u32,
    /// The same address came to a connection, here or elsewhere.
    pub stands: bool,
}

/// A flood, and what tells its SYNs from those of its victims.
#[derive(Clone, Debug)]
pub struct Flood {
    /// What is told of it.
    pub finding: Finding,
    /// Its SYNs are not repeated, so whoever repeats one is a victim.
    once: bool,
}

impl Flood {
    /// Is this attempt one of the flood's own? Who comes to connections elsewhere, or repeats what the flood does not,
    /// is a victim.
    pub fn owns(&self, tried: &Tried) -> bool {
        let repeats = self.once && tried.syns > 1;
        let meanwhile = (self.finding.first..=self.finding.last).contains(&tried.time);
        meanwhile && tried.half_open.is_some() && !tried.stands && !repeats
    }
}

/// Attempts at one endpoint, by time: from 200 half-open ones a second over five seconds, of which fewer than one in ten
/// come to stand.
pub fn judge(server: (IpAddr, u16), tries: &[Tried]) -> Option<Flood> {
    let open: Vec<(&Tried, HalfOpen)> = tries
        .iter()
        .filter_map(|tried| Some((tried, tried.half_open?)))
        .collect();
    let (from, to) = busy(&open)?;
    let inside = |time: Timestamp| (from..=to).contains(&time);
    let all = tries.iter().filter(|tried| inside(tried.time)).count();
    let open: Vec<_> = open
        .into_iter()
        .filter(|(tried, _)| inside(tried.time))
        .collect();
    let completed = all.saturating_sub(open.len());
    if completed * 100 >= all * COMPLETED_MAX {
        return None;
    }
    let sources: BTreeSet<IpAddr> = open.iter().map(|(tried, _)| tried.client).collect();
    let ttls: BTreeSet<u8> = open.iter().map(|(_, syn)| syn.ttl).collect();
    let forms: BTreeSet<u32> = open.iter().map(|(_, syn)| syn.form).collect();
    let mut finding = Finding::new(&CLASS, Subject::Host, from);
    finding.protocol = 6;
    finding.server = Some(server);
    for (_, syn) in open.iter().take(EXAMPLES_MAX) {
        finding = finding.seen(syn.at, "syn");
    }
    finding.last = to;
    let span = usize::try_from((to.since(from) / MILLISECOND).max(1)).unwrap_or(1);
    let mut signs = Vec::new();
    if sources.len() > RATE_MIN && forms.len() == 1 {
        // Systems differ in window and options, forged SYNs do not.
        signs.push("uniform-options".to_owned());
    }
    if ttls.len() >= TTL_SPREAD {
        signs.push("ttl-spread".to_owned());
    } else if sources.len() > RATE_MIN && ttls.len() == 1 {
        signs.push("one-distance".to_owned());
    }
    let number = |count: usize| Value::Number(i64::try_from(count).unwrap_or(i64::MAX));
    let repeated = open.iter().filter(|(tried, _)| tried.syns > 1).count();
    let finding = finding
        .detail("attempts", number(all))
        .detail("rate", number(open.len() * 1_000 / span))
        .detail("completed", number(completed))
        .detail("sources", number(sources.len()))
        .detail("spoofing_signs", Value::List(signs));
    Some(Flood {
        finding,
        once: repeated * REPEATED_PART < open.len(),
    })
}

/// The time covered by windows that are full; `open` is sorted by time.
fn busy(open: &[(&Tried, HalfOpen)]) -> Option<(Timestamp, Timestamp)> {
    let mut span: Option<(Timestamp, Timestamp)> = None;
    for window in open.windows(WITHIN) {
        let (Some((first, _)), Some((last, _))) = (window.first(), window.last()) else {
            continue;
        };
        // A burst within a moment is no flood: the window must be filled over most of its length.
        if last.time.since(first.time) <= WINDOW {
            span = Some(span.map_or((first.time, last.time), |(from, to)| {
                (from.min(first.time), to.max(last.time))
            }));
        }
    }
    span.filter(|(from, to)| to.since(*from) >= WINDOW - SECOND)
}

/// The flood stands for what its own connections, and those of whoever came in between, would tell; `owns` says which
/// finding is about a connection of the flood's own. Whom it hits is in `victims`, and only they make it fail attempts.
pub fn stand_for(
    mut flood: Finding,
    findings: Vec<Finding>,
    owns: &dyn Fn(&Finding) -> bool,
) -> Vec<Finding> {
    const FOLLOWS: [&str; 5] = [
        "transport.syn-unanswered",
        "transport.syn-refused",
        "transport.handshake-incomplete",
        "transport.connect-slow",
        "network.host-silent",
    ];
    let (from, to, server) = (flood.first, flood.last.plus(DRAINS), flood.server);
    let (taken, mut kept): (Vec<Finding>, Vec<Finding>) = findings.into_iter().partition(|one| {
        let host = one.server.is_some_and(|(ip, port)| {
            Some((ip, port)) == server || (port == 0 && server.is_some_and(|(own, _)| own == ip))
        });
        let meanwhile = one.first <= to && one.last >= from;
        host && meanwhile && FOLLOWS.contains(&one.class.code)
    });
    let (mut victims, mut failures) = (BTreeSet::new(), 0);
    for one in taken {
        flood.consequences.push(one.class.code);
        if flood.name.is_none() {
            flood.name.clone_from(&one.name);
        }
        if owns(&one) {
            continue;
        }
        flood.fails |= one.fails;
        failures += i64::try_from(one.count).unwrap_or(i64::MAX);
        victims.extend(one.client.map(|(client, _)| client));
        flood.last = flood.last.max(one.last);
    }
    if !victims.is_empty() {
        let sample = victims.iter().take(SAMPLE_MAX).map(ToString::to_string);
        let count = i64::try_from(victims.len()).unwrap_or(i64::MAX);
        flood.details.extend([
            ("failures", Value::Number(failures)),
            ("victims", Value::Number(count)),
            ("client_sample", Value::List(sample.collect())),
        ]);
    }
    flood.consequences.sort_unstable();
    flood.consequences.dedup();
    kept.push(flood);
    kept
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let server = finding.server_text();
    let number = |key| finding.number(key).unwrap_or(0);
    let (rate, sources, all, completed) = (
        number("rate"),
        number("sources"),
        number("attempts"),
        number("completed"),
    );
    let victims = number("victims");
    match (lang, victims) {
        (Lang::En, 0) => format!(
            "{server} got {rate} SYNs a second from {sources} addresses, and {completed} of {all} handshakes were completed"
        ),
        (Lang::Zh, 0) => format!(
            "{server} 每秒收到 {rate} 个 SYN，来自 {sources} 个地址，{all} 次握手仅完成 {completed} 次"
        ),
        (Lang::En, _) => format!(
            "{server} got {rate} SYNs a second from {sources} addresses, and {completed} of {all} handshakes were completed; clients that failed or waited by it: {victims}"
        ),
        (Lang::Zh, _) => format!(
            "{server} 每秒收到 {rate} 个 SYN，来自 {sources} 个地址，{all} 次握手仅完成 {completed} 次；受影响的客户端 {victims} 个"
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// Attempts every `every` ms over so many seconds, of which each `stand`-th comes to stand.
    fn check(every: i64, seconds: i64, stand: i64) -> bool {
        let tries: Vec<Tried> = (0..seconds * 1_000 / every)
            .map(|number| {
                let time = Timestamp::from_ns(number * every * MILLISECOND);
                let at = Mark {
                    time,
                    ..Mark::default()
                };
                let half_open = (stand == 0 || number % stand != 0).then_some(HalfOpen {
                    at,
                    ttl: 64,
                    form: 1,
                });
                Tried {
                    client: IpAddr::from([192, 0, 2, 1]),
                    time,
                    half_open,
                    syns: 1,
                    stands: false,
                }
            })
            .collect();
        judge((IpAddr::from([203, 0, 113, 20]), 443), &tries).is_some()
    }

    #[test]
    fn two_hundred_and_fifty_a_second_for_six_seconds_are_a_flood() {
        assert!(check(4, 6, 0));
    }

    #[test]
    fn one_in_five_that_stands_makes_it_a_busy_server() {
        assert!(check(2, 6, 20));
        assert!(!check(2, 6, 5));
    }

    #[test]
    fn a_short_burst_and_a_lower_rate_are_none() {
        assert!(!check(1, 2, 0));
        assert!(!check(10, 20, 0));
    }

    #[test]
    fn whoever_connects_elsewhere_or_repeats_its_syn_is_a_victim() {
        let tried = |number: i64| Tried {
            client: IpAddr::from([192, 0, 2, 1]),
            time: Timestamp::from_ns(number * 4 * MILLISECOND),
            half_open: Some(HalfOpen {
                at: Mark::default(),
                ttl: 64,
                form: 1,
            }),
            syns: 1,
            stands: false,
        };
        let mut tries: Vec<Tried> = (0..1_500).map(tried).collect();
        let flood = judge((IpAddr::from([203, 0, 113, 20]), 443), &tries).unwrap();
        let one = tries[700];
        assert!(flood.owns(&one));
        assert!(!flood.owns(&Tried {
            stands: true,
            ..one
        }));
        assert!(!flood.owns(&Tried { syns: 3, ..one }));
        // A flood that repeats its SYNs itself is told by that no more.
        tries.iter_mut().for_each(|tried| tried.syns = 2);
        let flood = judge((IpAddr::from([203, 0, 113, 20]), 443), &tries).unwrap();
        assert!(flood.owns(&tries[700]));
    }
}
