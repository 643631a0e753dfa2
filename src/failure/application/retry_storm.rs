#![doc = include_str!("retry_storm.en.md")]

use std::net::IpAddr;

use hashbrown::{HashMap, HashSet};

use crate::failure::{Class, Finding, Lang, Severity, Subject, Value};
use crate::flow::key::FlowKey;
use crate::guide;
use crate::mark::Mark;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// `application.retry-storm`
pub static CLASS: Class = Class {
    code: "application.retry-storm",
    severity: Severity::Warning,
    guide: guide!("retry_storm"),
    summary,
};

/// So many failed attempts within a minute are a storm.
const ATTEMPTS: usize = 5;
const MINUTE: Nanos = 60 * SECOND;
/// Frames cited.
const CITED: usize = 8;

/// A failed attempt. What one attempt tries from several ports or at several addresses is one finding by now.
#[derive(Clone, Copy, Debug)]
struct Try<'f> {
    client: (IpAddr, u16),
    server: (IpAddr, u16),
    name: Option<&'f str>,
    /// Absent where it failed before a request.
    path: Option<&'f str>,
    code: &'static str,
    first: Mark,
    last: Timestamp,
    flow: (FlowKey, Timestamp),
    twin: Option<(u32, u32)>,
    protocol: u8,
}

/// A client and the server that it tries.
type Pair = (IpAddr, (IpAddr, u16));

impl Try<'_> {
    const fn pair(&self) -> Pair {
        (self.client.0, self.server)
    }
}

/// A connection on which at least as many exchanges went well as failed: whoever uses it does not storm.
#[derive(Clone, Copy, Debug)]
pub struct Well {
    /// Client address and port.
    pub client: (IpAddr, u16),
    /// Server address and port.
    pub server: (IpAddr, u16),
    /// Its first frame's time.
    pub first: Timestamp,
}

/// The failed attempts among the findings of conversations, those of one client at one server behind each other.
fn tries(findings: &[Finding]) -> Vec<Try<'_>> {
    let mut tries: Vec<Try<'_>> = findings
        .iter()
        .filter(|finding| finding.fails && finding.subject == Subject::Flow)
        .filter_map(|finding| {
            Some(Try {
                client: finding.client?,
                server: finding.server?,
                name: finding.name.as_deref(),
                path: finding.text("path"),
                code: finding.class.code,
                first: finding.evidence.first()?.at,
                last: finding.last,
                flow: finding.flow?,
                twin: finding.twin,
                protocol: finding.protocol,
            })
        })
        .collect();
    tries.sort_by_key(|one| (one.pair(), one.first, one.client, one.code));
    tries
}

/// Storms among the findings of a run, each of which is one failed attempt.
pub fn judge(findings: &[Finding], well: &dyn Fn() -> Vec<Well>) -> Vec<Finding> {
    let mut tries = tries(findings);
    if tries.len() < ATTEMPTS {
        return Vec::new();
    }
    let well = well();
    let fine: HashSet<_> = well
        .iter()
        .map(|one| (one.client, one.server, one.first))
        .collect();
    tries.retain(|one| !fine.contains(&(one.client, one.server, one.flow.1)));
    let pairs = || {
        let pairs = tries.chunk_by(|a, b| a.pair() == b.pair());
        pairs.filter(|tries| tries.len() >= ATTEMPTS)
    };
    let mut successes: HashMap<Pair, Vec<Timestamp>> = pairs()
        .filter_map(|tries| Some((tries.first()?.pair(), Vec::new())))
        .collect();
    for one in well {
        if let Some(successes) = successes.get_mut(&(one.client.0, one.server)) {
            successes.push(one.first);
        }
    }
    pairs()
        .filter_map(|tries| {
            let successes = successes.get(&tries.first()?.pair());
            let successes = successes.map_or(&[][..], Vec::as_slice);
            of_one_target(tries)
                .into_iter()
                .flat_map(|tries| runs(tries, successes))
                .filter_map(|run| storm(&run))
                .max_by_key(|finding| finding.number("attempts"))
        })
        .collect()
}

/// What failed before a request was tried again whatever was to be asked; requests for different things are no repeats.
fn of_one_target<'f>(tries: &[Try<'f>]) -> Vec<Vec<Try<'f>>> {
    let mut paths: Vec<Option<&str>> = tries.iter().map(|one| one.path).collect();
    paths.sort();
    paths.dedup();
    if paths.len() > 1 {
        paths.retain(Option::is_some);
    }
    if paths.len() <= 1 {
        return vec![tries.to_vec()];
    }
    paths
        .into_iter()
        .map(|path| {
            let same = |one: &&Try<'_>| one.path.is_none() || one.path == path;
            tries.iter().filter(same).copied().collect()
        })
        .collect()
}

/// Attempts one after the other, without a success or a minute's pause between them. What overlaps is one attempt: the
/// connections of a browser, the addresses of a race.
fn runs<'f>(tries: Vec<Try<'f>>, successes: &[Timestamp]) -> Vec<Vec<Try<'f>>> {
    let mut runs: Vec<Vec<Try<'f>>> = Vec::new();
    for one in tries {
        let last = runs.last_mut().filter(|run| !run.is_empty());
        let Some((run, before)) = last.and_then(|run| {
            let before = run.last().map(|before| before.last)?;
            Some((run, before))
        }) else {
            runs.push(vec![one]);
            continue;
        };
        if one.first.time < before {
            continue;
        }
        let between = before..one.first.time;
        let broken = one.first.time.since(before) > MINUTE
            || successes.iter().any(|at| between.contains(at));
        if broken {
            runs.push(vec![one]);
        } else {
            run.push(one);
        }
    }
    runs
}

fn storm(run: &[Try<'_>]) -> Option<Finding> {
    let (from, length) = densest(run)?;
    let window = run.get(from..from.saturating_add(length))?;
    if grows(&pauses(window)) || grows(&pauses(run)) || grows(&intervals(run)) {
        return None;
    }
    let (first, last) = (run.first()?, run.last()?);
    let mut pause = pauses(run);
    pause.sort_unstable();
    let mut finding = Finding::new(&CLASS, Subject::Flow, first.first.time);
    let cited = run.iter().take(CITED.saturating_sub(1)).chain(
        run.get(CITED.saturating_sub(1)..)
            .and_then(<[Try<'_>]>::last),
    );
    for (number, one) in cited.enumerate() {
        finding = finding.seen(one.first, if number == 0 { "attempt" } else { "retry" });
    }
    finding.last = last.last;
    finding.client = Some(first.client);
    finding.server = Some(first.server);
    finding.name = first.name.map(str::to_owned);
    finding.flow = Some(first.flow);
    finding.twin = first.twin;
    finding.protocol = first.protocol;
    let mut codes: Vec<&'static str> = run.iter().map(|one| one.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let median = pause.get(pause.len() / 2).copied().unwrap_or(0);
    let of = |count: usize| Value::Number(i64::try_from(count).unwrap_or(i64::MAX));
    Some(
        finding
            .detail("attempts", of(run.len()))
            .detail("per_minute", of(length))
            .detail("pause_ms", Value::Number(median / MILLISECOND))
            .detail(
                "failed_by",
                Value::List(codes.into_iter().map(str::to_owned).collect()),
            ),
    )
}

/// The minute with the most attempts: where it begins and how many they are.
fn densest(run: &[Try<'_>]) -> Option<(usize, usize)> {
    let mut from = 0_usize;
    let mut best = (0_usize, 0_usize);
    for (to, one) in run.iter().enumerate() {
        while run
            .get(from)
            .is_some_and(|first| one.first.time.since(first.first.time) > MINUTE)
        {
            from += 1;
        }
        if to + 1 - from > best.1 {
            best = (from, to + 1 - from);
        }
    }
    (best.1 >= ATTEMPTS).then_some(best)
}

/// From the end of one attempt to the begin of the next.
fn pauses(run: &[Try<'_>]) -> Vec<Nanos> {
    run.windows(2)
        .filter_map(|pair| match pair {
            [a, b] => Some(b.first.time.since(a.last)),
            _ => None,
        })
        .collect()
}

/// From one begin to the next.
fn intervals(run: &[Try<'_>]) -> Vec<Nanos> {
    run.windows(2)
        .filter_map(|pair| match pair {
            [a, b] => Some(b.first.time.since(a.first.time)),
            _ => None,
        })
        .collect()
}

/// Do they become longer: the later half than the earlier, or most of them than the one before?
fn grows(pauses: &[Nanos]) -> bool {
    const FELT: Nanos = 100 * MILLISECOND;
    let longer = |a: Nanos, b: Nanos| b.saturating_mul(10) >= a.saturating_mul(13) && b - a >= FELT;
    let half = pauses.len() / 2;
    let median = |part: Option<&[Nanos]>| {
        let mut part = part.unwrap_or(&[]).to_vec();
        part.sort_unstable();
        part.get(part.len() / 2).copied().unwrap_or(0)
    };
    let (early, late) = (
        median(pauses.get(..half)),
        median(pauses.get(pauses.len().saturating_sub(half)..)),
    );
    let steps = pauses
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if longer(*a, *b)))
        .count();
    longer(early.saturating_mul(115) / 100, late)
        || steps.saturating_mul(10) >= pauses.len().saturating_sub(1).saturating_mul(6).max(1)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let attempts = finding.number("attempts").unwrap_or(0);
    let rate = finding.number("per_minute").unwrap_or(0);
    let pause = finding.number("pause_ms").unwrap_or(0) as f64 / 1e3;
    match lang {
        Lang::En => format!(
            "{client} tried {server} {attempts} times in vain, up to {rate} a minute, with an even pause of {pause:.1} s"
        ),
        Lang::Zh => format!(
            "{client} 对 {server} 连续失败 {attempts} 次，每分钟最多 {rate} 次，间隔约 {pause:.1} 秒且不递增"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Mark;

    /// Attempts that begin after these pauses and take 10 ms each.
    fn check(pauses_ms: &[i64], storms: usize) {
        let mut now = 0_i64;
        let mut tries = Vec::new();
        let client = (IpAddr::from([192, 0, 2, 1]), 40_000);
        let server = (IpAddr::from([192, 0, 2, 2]), 80);
        let mut attempt = |now: i64| {
            let first = Timestamp::from_ns(now * MILLISECOND);
            tries.push(Try {
                client,
                server,
                name: None,
                path: None,
                code: "transport.syn-refused",
                first: Mark {
                    time: first,
                    ..Mark::default()
                },
                last: first.plus(10 * MILLISECOND),
                flow: (
                    FlowKey {
                        a: client.0,
                        b: server.0,
                        a_port: client.1,
                        b_port: server.1,
                        protocol: 6,
                        tunnel: 0,
                    },
                    first,
                ),
                twin: None,
                protocol: 6,
            });
        };
        attempt(now);
        for pause in pauses_ms {
            now += 10 + pause;
            attempt(now);
        }
        let found: Vec<Finding> = runs(tries, &[])
            .iter()
            .filter_map(|run| storm(run))
            .collect();
        assert_eq!(found.len(), storms, "{pauses_ms:?}");
    }

    #[test]
    fn even_pauses_are_a_storm() {
        check(&[2_000, 2_000, 2_000, 2_000], 1);
        check(&[5_000, 4_200, 5_600, 5_100, 4_900, 5_000], 1);
        check(&[15, 12, 14, 13, 16, 12], 1);
    }

    #[test]
    fn growing_pauses_are_none() {
        check(&[1_000, 2_000, 4_000, 8_000, 16_000], 0);
        check(&[1_000, 2_000, 3_000, 4_000, 5_000], 0);
        check(&[1_000, 2_000, 4_000, 8_000, 1_000, 2_000, 4_000, 8_000], 0);
    }

    #[test]
    fn four_attempts_or_fewer_a_minute_are_none() {
        check(&[1_000, 1_000, 1_000], 0);
        check(&[15_000; 9], 0);
    }
}
