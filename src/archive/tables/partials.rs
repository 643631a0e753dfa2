//! The table of what went on around a set's findings: what incidents over several sets are argued by.

use std::net::IpAddr;

use crate::archive::stored::named;
use crate::archive::tables::table::Cell;
use crate::archive::tables::{Source, int, text};
use crate::incident::Tried;
use crate::time::{SECOND, Timestamp};

/// Connections, answered names and pairs of hosts, each by time.
pub(super) fn rows(source: &Source<'_>) -> Vec<Vec<Cell>> {
    let around = source.surroundings;
    let mut tried: Vec<&Tried> = around.tried.iter().collect();
    tried.sort_by_key(|one| (one.seen.time, one.seen.client, one.port, one.seen.server));
    let mut rows: Vec<Vec<Cell>> = tried.iter().map(|one| connection(source, one)).collect();
    let mut answered: Vec<_> = around.answered.iter().collect();
    answered.sort_by(|a, b| {
        (a.time, a.client, a.resolver, &a.name).cmp(&(b.time, b.client, b.resolver, &b.name))
    });
    rows.extend(answered.into_iter().map(|one| {
        let name = Some(named(&one.name, source.redact));
        let ends = [(one.client, None), (one.resolver, None)];
        let mut row = begun(source, "answered", ends, name, (one.time, one.time));
        row.extend(none());
        row
    }));
    for (receiver, sender, seconds) in around.heard.pairs() {
        let time = |second: i64| Timestamp::from_ns(second.saturating_mul(SECOND));
        for (first, last) in seconds {
            let ends = [(receiver, None), (sender, None)];
            let mut row = begun(source, "heard", ends, None, (time(*first), time(*last)));
            row.extend(none());
            rows.push(row);
        }
    }
    rows
}

fn connection(source: &Source<'_>, one: &Tried) -> Vec<Cell> {
    let seen = &one.seen;
    let (ip, port) = seen.server;
    let ends = [(seen.client, Some(one.port)), (ip, Some(port))];
    let name = seen.name.as_ref().map(|name| named(name, source.redact));
    let mut row = begun(source, "connection", ends, name, (seen.time, seen.last));
    let all = &seen.outcomes;
    row.push(Cell::Time(seen.established));
    row.extend([all.ok, all.failed, all.answered_no, all.undetermined].map(|sum| int(sum.into())));
    row.extend(seen.latency_ms.map(|ms| Cell::Int(ms.map(i64::from))));
    row.push(Cell::Int(seen.server_rtt_us.map(i64::from)));
    row.push(Cell::Int(seen.server_hops.map(i64::from)));
    row
}

/// The columns that all have.
fn begun(
    source: &Source<'_>,
    what: &str,
    [client, server]: [(IpAddr, Option<u16>); 2],
    name: Option<String>,
    (first, last): (Timestamp, Timestamp),
) -> Vec<Cell> {
    let port = |port: Option<u16>| Cell::Int(port.map(i64::from));
    vec![
        text(source.set),
        text(what),
        text(client.0.to_string()),
        port(client.1),
        text(server.0.to_string()),
        port(server.1),
        Cell::Text(name),
        Cell::Time(Some(first)),
        Cell::Time(Some(last)),
    ]
}

/// The columns of connections alone.
fn none() -> impl Iterator<Item = Cell> {
    let established = std::iter::once(Cell::Time(None));
    established.chain(std::iter::repeat_n(Cell::Int(None), 9))
}
