//! How failures spread over regions, clients and minutes, in a line each: is it one office, one moment, or everybody?

use crate::failure::{Lang, Text};
use crate::report::Told;
use crate::report::clock::Clock;
use crate::report::schema::Attempts;
use crate::report::words::{more, number, percent, text};

/// Regions, clients and minutes told of.
const LISTED_MAX: usize = 12;

pub(super) const HEADING: Text = text(
    "Who and when: failed of all",
    "失败分布（失败次数/尝试次数）",
);
const REGIONS: Text = text("regions", "地区");
const CLIENTS: Text = text("clients", "客户端");
const MINUTES: Text = text("minutes", "时间");

/// Lines with their labels; none where nothing failed.
pub(super) fn lines(told: &Told, clock: &Clock, lang: Lang) -> Vec<(Text, String)> {
    let summary = &told.report.summary;
    if summary.attempts.failed == 0 {
        return Vec::new();
    }
    let shares = &summary.shares;
    // One of a kind spreads over nothing.
    let spread = [
        summary.regions.len() > 1,
        shares.clients.len() > 1,
        shares.minutes.len() > 1,
    ];
    let failing = |attempts: &Attempts| attempts.failed > 0;
    let regions = summary.regions.iter();
    let regions: Vec<String> = regions
        .filter(|region| failing(&region.attempts))
        .map(|region| {
            let share = region.availability.unwrap_or_default();
            let share = percent(share, lang);
            let counts = counts(&region.attempts);
            match lang {
                Lang::En => format!("{} {counts} (availability {share})", region.region),
                Lang::Zh => format!("{} {counts}（可用性 {share}）", region.region),
            }
        })
        .collect();
    let clients = shares.clients.iter();
    let clients: Vec<String> = clients
        .filter(|client| failing(&client.attempts))
        .map(|client| format!("{}({})", client.ip, counts(&client.attempts)))
        .collect();
    let minutes = shares.minutes.iter();
    let minutes: Vec<String> = minutes
        .filter(|minute| failing(&minute.attempts))
        .map(|minute| {
            let start = clock.minute(&minute.start);
            format!("{start}({})", counts(&minute.attempts))
        })
        .collect();
    [(REGIONS, regions), (CLIENTS, clients), (MINUTES, minutes)]
        .into_iter()
        .zip(spread)
        .filter(|((_, items), spread)| *spread && !items.is_empty())
        .map(|((label, items), _)| (label, joined(&items, lang)))
        .collect()
}

/// `3/12`: failed, of those that are decided. No space before it, so that no line breaks there.
fn counts(attempts: &Attempts) -> String {
    let decided = attempts.ok + attempts.failed + attempts.answered_no;
    format!("{}/{}", number(attempts.failed), number(decided))
}

fn joined(items: &[String], lang: Lang) -> String {
    let listed = items.get(..LISTED_MAX).unwrap_or(items);
    let separator = match lang {
        Lang::En => ", ",
        Lang::Zh => "，",
    };
    let mut line = listed.join(separator);
    if items.len() > listed.len() {
        line.push_str(separator);
        line.push_str(&more(items.len() - listed.len(), lang));
    }
    line
}
