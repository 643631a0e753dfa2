#![doc = include_str!("http_redirect_loop.en.md")]

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::failure::application::exchange::{self, subject};
use crate::failure::application::trace::Placed;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::flow::key::FlowKey;
use crate::guide;
use crate::time::{Nanos, SECOND, Timestamp};

/// `application.http-redirect-loop`
pub static CLASS: Class = Class {
    code: "application.http-redirect-loop",
    severity: Severity::Error,
    guide: guide!("http_redirect_loop"),
    summary,
};

/// The same location so often in one chain is a loop.
const TIMES: u32 = 5;
/// A redirect is followed at once; a connection may have to be made for it.
const FOLLOWED: Nanos = 5 * SECOND;
/// Where the other half of the way is encrypted, the same answer has to come so often,
const UNSEEN_TIMES: u32 = 10;
/// on one connection, each time within this of the one before: who polls an address that moved to HTTPS looks like it
/// otherwise.
const UNSEEN_PAUSE: Nanos = SECOND;
/// Redirects cited.
const CITED: usize = 6;

/// Redirects that follow from each other.
#[derive(Debug, Default)]
struct Chain {
    /// Places of its exchanges.
    places: Vec<usize>,
    /// How often each location came, its query aside.
    locations: HashMap<String, u32>,
}

/// Loops among the exchanges, which are in the order of their requests.
pub fn judge(traces: &[Placed]) -> Vec<Finding> {
    let mut chains: Vec<Chain> = Vec::new();
    // What a client was sent to: the chain, when, and whether it can be seen there.
    let mut sent_to: HashMap<(IpAddr, String), (usize, Timestamp)> = HashMap::new();
    let mut unseen: HashMap<(FlowKey, String, String), (usize, Timestamp)> = HashMap::new();
    for (place, placed) in traces.iter().enumerate() {
        let (client, trace) = (placed.client.0, &placed.trace);
        let asked = url(placed);
        let Some(location) = trace
            .location
            .as_deref()
            .filter(|_| (301..=308).contains(&trace.status))
            .map(|location| resolve(&asked, location))
        else {
            sent_to.remove(&(client, asked));
            continue;
        };
        let before = sent_to
            .remove(&(client, asked.clone()))
            .filter(|(_, at)| follows(*at, trace.begun.time, FOLLOWED));
        let hidden = location.starts_with("https:");
        let key = (placed.flow.0, asked, location.clone());
        let again = unseen
            .get(&key)
            .copied()
            .filter(|(_, at)| hidden && follows(*at, trace.begun.time, UNSEEN_PAUSE));
        let number = before.or(again).map_or_else(
            || {
                chains.push(Chain::default());
                chains.len() - 1
            },
            |(number, _)| number,
        );
        if let Some(chain) = chains.get_mut(number) {
            chain.places.push(place);
            let bare = location.split('?').next().unwrap_or("").to_owned();
            *chain.locations.entry(bare).or_default() += 1;
        }
        let at = trace.answered.time;
        if hidden {
            unseen.insert(key, (number, at));
        } else {
            sent_to.insert((client, location), (number, at));
        }
    }
    chains
        .iter()
        .filter_map(|chain| told(chain, traces))
        .collect()
}

fn follows(answered: Timestamp, asked: Timestamp, within: Nanos) -> bool {
    (0..=within).contains(&asked.since(answered))
}

fn told(chain: &Chain, traces: &[Placed]) -> Option<Finding> {
    let mut locations: Vec<(&String, u32)> = chain
        .locations
        .iter()
        .map(|(location, times)| (location, *times))
        .collect();
    locations.sort();
    let (location, times) = locations
        .iter()
        .copied()
        .max_by_key(|(location, times)| (*times, std::cmp::Reverse(*location)))?;
    let hidden = location.starts_with("https:");
    if times < if hidden { UNSEEN_TIMES } else { TIMES } {
        return None;
    }
    let members = || chain.places.iter().filter_map(|place| traces.get(*place));
    let first = members().next()?;
    let mut finding = first.finding(&CLASS);
    for next in members().skip(1).take(CITED) {
        finding = finding
            .seen(next.trace.asked, "request")
            .seen(next.trace.answered, "redirect");
    }
    finding.last = members()
        .map(|member| member.trace.answered.time)
        .max()
        .unwrap_or(finding.last);
    if hidden {
        finding = finding.at_most(70, HIDDEN);
    }
    let way = locations
        .iter()
        .take(CITED)
        .map(|(location, _)| (*location).clone())
        .collect();
    Some(
        finding
            .detail("location", Value::Text(location.clone()))
            .detail("times", Value::Number(times.into()))
            .detail("locations", Value::List(way)),
    )
}

const HIDDEN: Text = Text {
    en: "where it is sent to is encrypted: the way back from there is not seen",
    zh: "跳转目标为加密站点，未见其返回的跳转",
};

/// What was asked, in full.
fn url(placed: &Placed) -> String {
    let host = placed.endpoint();
    let host = host.strip_suffix(":80").unwrap_or(&host);
    format!("http://{host}{}", placed.trace.target)
}

/// RFC 3986 5.2, as far as servers use it; the fragment stays with the client.
fn resolve(asked: &str, location: &str) -> String {
    let location = location.split('#').next().unwrap_or("");
    let authority_end = asked
        .find("://")
        .and_then(|at| at.checked_add(3))
        .and_then(|at| Some(at.saturating_add(asked.get(at..)?.find('/')?)))
        .unwrap_or(asked.len());
    let (origin, path) = asked.split_at_checked(authority_end).unwrap_or((asked, ""));
    let whole = if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("http:{location}")
    } else if location.starts_with('/') {
        format!("{origin}{location}")
    } else {
        let bare = path.split('?').next().unwrap_or("");
        if location.is_empty() || location.starts_with('?') {
            format!("{origin}{bare}{location}")
        } else {
            let folder = bare
                .rfind('/')
                .and_then(|at| bare.get(..=at))
                .unwrap_or("/");
            format!("{origin}{folder}{location}")
        }
    };
    canonical(&whole)
}

/// Scheme and host in lower case, no default port, and a path.
fn canonical(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(at).unwrap_or((rest, ""));
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    let default = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(default).unwrap_or(&host);
    let (path, query) = path
        .split_at_checked(path.find('?').unwrap_or(path.len()))
        .unwrap_or((path, ""));
    format!("{scheme}://{host}{}{query}", without_dots(path))
}

/// RFC 3986 5.2.4, as browsers do it.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let last = path.rsplit('/').next().unwrap_or("");
    for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let folder = matches!(last, "." | "..") && !kept.is_empty();
    format!("/{}{}", kept.join("/"), if folder { "/" } else { "" })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let times = finding.number("times").unwrap_or(0);
    let location = exchange::path(finding.text("location").unwrap_or("")).into_owned();
    match lang {
        Lang::En => format!("{what} sent {client} round in circles: {times} times to {location}"),
        Lang::Zh => format!("{what} 让 {client} 循环跳转：{times} 次跳转到 {location}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_resolved_against_what_was_asked() {
        let check = |asked, location, whole: &str| assert_eq!(resolve(asked, location), whole);
        check("http://a.example/x/y?z", "/login", "http://a.example/login");
        check("http://a.example/x/y?z", "w", "http://a.example/x/w");
        check("http://a.example/x/y?z", "?q=1", "http://a.example/x/y?q=1");
        check(
            "http://a.example:81/x",
            "//B.example/q#f",
            "http://b.example/q",
        );
        check("http://a.example/api/", "../api", "http://a.example/api");
        check("http://a.example/x/y/z", "./..?a", "http://a.example/x/?a");
        check(
            "http://a.example/",
            "https://A.example:443",
            "https://a.example/",
        );
    }
}
