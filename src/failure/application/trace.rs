//! What stays of an exchange that another one may be compared with: redirects, requests that change something, versions
//! of an interface, logins.
//!
//! An exchange that no class compares leaves nothing. The target is kept with its query, which may hold credentials: it
//! is compared and never printed.

use std::net::IpAddr;

use smol_str::SmolStr;

use crate::failure::application::exchange;
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Subject, Value};
use crate::flow::key::FlowKey;
use crate::mark::Mark;
use crate::protocol::http1::{Content, Exchange, ends_with, holds, version_in};
use crate::time::Timestamp;

/// One exchange.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its place on its connection.
    pub number: u32,
    /// Method.
    pub method: SmolStr,
    /// The target in origin form, with its query.
    pub target: SmolStr,
    /// Host with its port, where known.
    pub host: Option<SmolStr>,
    /// The frame of the request's first byte.
    pub begun: Mark,
    /// The frame that completed the request's head.
    pub asked: Mark,
    /// The frame that completed the response's head.
    pub answered: Mark,
    /// Status.
    pub status: u16,
    /// Location.
    pub location: Option<SmolStr>,
    /// An Authorization field was sent.
    pub authorized: bool,
    /// A Cookie field was sent.
    pub cookie: bool,
    /// A program asked: by its method, its content type, what it accepts or what its path says.
    pub api: bool,
    /// Somebody opened a page, or would take one.
    pub page: bool,
    /// What the request's body said.
    pub content: Option<Box<Content>>,
    /// It asked how far something is.
    pub poll: Option<Box<Poll>>,
}

/// A query by serial number, and its answer.
#[derive(Clone, Debug)]
pub struct Poll {
    /// The payload of the endpoint rules that reads it.
    pub payload: SmolStr,
    /// What was asked for.
    pub serial: String,
    /// How far it is.
    pub state: String,
    /// It is not done yet.
    pub waits: bool,
}

impl Poll {
    fn of(exchange: &Exchange) -> Option<Box<Self>> {
        let answer = exchange.response.as_ref()?.content.as_deref()?;
        let reading = answer.reading.as_deref()?;
        let (state, waits) = reading.state.clone()?;
        let asked = || {
            let content = exchange.request.as_ref()?.content.as_deref()?;
            content.reading.as_deref()?.serial.clone()
        };
        Some(Box::new(Self {
            payload: reading.payload.clone(),
            serial: reading.serial.clone().or_else(asked)?,
            state,
            waits,
        }))
    }
}

/// An exchange and the connection that it was on.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The exchange.
    pub trace: Trace,
    /// Who asked.
    pub client: (IpAddr, u16),
    /// Whom.
    pub server: (IpAddr, u16),
    /// The connection, and its first frame's time.
    pub flow: (FlowKey, Timestamp),
    /// Initial sequence number and TSval of its SYN.
    pub twin: Option<(u32, u32)>,
    /// Where the client's packets were seen, hashed.
    pub origin: u32,
}

impl Trace {
    /// What stays of an exchange; `logged_in` says that a success with credentials of this connection is known already.
    pub fn of(exchange: &Exchange, logged_in: bool) -> Option<Self> {
        let (request, response) = (exchange.request.as_ref()?, exchange.response.as_ref()?);
        if request.method == "CONNECT" || request.target_cut {
            return None;
        }
        let target = origin_form(&request.target);
        let status = response.status;
        let well = (200..300).contains(&status);
        let redirects = (301..=308).contains(&status) && response.location.is_some();
        let changes = request.content.is_some();
        let names_version = || {
            path_version(target).is_some()
                || target.contains('=') && target.contains("version=")
                || request
                    .content
                    .as_ref()
                    .is_some_and(|content| content.version.is_some())
        };
        let refused = matches!(status, 400 | 404 | 410 | 426);
        let session = well && !logged_in && (request.cookie || request.authorization.is_some());
        let poll = Poll::of(exchange);
        let compared = poll.is_some()
            || redirects
            || changes
            || (well || refused) && names_version()
            || session;
        if !compared || exchange::is_furniture(&request.target) {
            return None;
        }
        Some(Self {
            number: exchange.number,
            method: request.method.clone(),
            target: SmolStr::new(target),
            host: request.host.clone(),
            begun: request.first,
            asked: request.head,
            answered: response.head,
            status,
            location: response.location.clone(),
            authorized: request.authorization.is_some(),
            cookie: request.cookie,
            api: is_api(request),
            page: request.navigates
                || request
                    .accept
                    .as_ref()
                    .is_some_and(|accept| holds(accept, "html")),
            content: request.content.clone(),
            poll,
        })
    }

    /// Did it end well?
    pub const fn well(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The version of the interface that was asked for, and the rest of what was asked: two exchanges with one rest
    /// differ in their version alone.
    pub fn version(&self) -> Option<(String, String)> {
        let path = self.target.split(['?', '#']).next().unwrap_or("");
        if let Some((at, version)) = path_version(path) {
            let rest = path.get(at.saturating_add(version.len())..).unwrap_or("");
            return Some((version.to_owned(), format!("{}{{}}{rest}", path.get(..at)?)));
        }
        let query = self.target.get(path.len()..).unwrap_or("");
        if let Some(version) = version_in(query) {
            return Some((version, format!("{path}?{}", asked_for(query))));
        }
        let version = self.content.as_ref()?.version.clone()?;
        Some((version, format!("{path} body")))
    }
}

impl Placed {
    /// An exchange of this connection.
    pub fn new(trace: &Trace, at: &Episode<'_>) -> Self {
        let span = at.connection.span;
        let twin = at.client_half().isn.map(|isn| {
            (
                isn.wrapping_add(trace.number),
                at.connection.syn_ts_value.unwrap_or(0),
            )
        });
        Self {
            trace: trace.clone(),
            client: at.client,
            server: at.server,
            flow: (at.key, span.map_or(at.until, |span| span.0.time)),
            twin,
            origin: at.origin,
        }
    }

    /// A finding about it, with its two frames.
    pub(crate) fn finding(&self, class: &'static Class) -> Finding {
        let trace = &self.trace;
        let mut finding = Finding::new(class, Subject::Flow, trace.asked.time)
            .seen(trace.asked, "request")
            .seen(trace.answered, "response")
            .detail("method", Value::Text(trace.method.to_string()))
            .detail(
                "path",
                Value::Text(exchange::path(&trace.target).into_owned()),
            );
        if let Some(host) = &trace.host {
            finding = finding.detail("host", Value::Text(host.to_string()));
            finding.name = Some(exchange::host_name(host).to_owned())
                .filter(|name| name.parse::<IpAddr>().is_err() && !name.starts_with('['));
        }
        finding.protocol = self.flow.0.protocol;
        finding.client = Some(self.client);
        finding.server = Some(self.server);
        finding.flow = Some(self.flow);
        finding.twin = self.twin;
        finding.origin = self.origin;
        finding.detail("status", Value::Number(trace.status.into()))
    }

    /// `host[:port]` of the endpoint, the address where no name was sent.
    pub(crate) fn endpoint(&self) -> String {
        let port = self.server.1;
        match &self.trace.host {
            Some(host) if port == 80 || host.ends_with(&format!(":{port}")) => host.to_string(),
            Some(host) => format!("{host}:{port}"),
            None => crate::failure::host_port(self.server.0, port),
        }
    }
}

/// What a query asks for, but for its values: the names of its fields, and the method that gateways name there.
fn asked_for(query: &str) -> String {
    let pairs = query.trim_start_matches('?').split('&');
    let mut names: Vec<&str> = pairs
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if !name.eq_ignore_ascii_case("method") => name,
            _ => pair,
        })
        .collect();
    names.sort_unstable();
    names.join("&")
}

/// The target without scheme and authority (RFC 9112 3.2.2).
fn origin_form(target: &str) -> &str {
    // A scheme of up to five letters: what follows later is part of a path.
    let rest = (0..6).find_map(|at| target.get(at..)?.strip_prefix("://"));
    match rest {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    }
}

/// The first segment of a path that is a version (`v2`, `V1.0`), and where it stands.
fn path_version(target: &str) -> Option<(usize, &str)> {
    if !target.contains(['v', 'V']) {
        return None;
    }
    let path = target.split(['?', '#']).next()?;
    let mut at = 0_usize;
    for segment in path.split('/') {
        let number = segment.strip_prefix(['v', 'V']).unwrap_or("");
        let version = number.starts_with(|c: char| c.is_ascii_digit())
            && number.len() <= 8
            && number
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'_');
        if version {
            return Some((at, segment));
        }
        at = at.saturating_add(segment.len()).saturating_add(1);
    }
    None
}

/// Was it asked by a program rather than by somebody who opens a page?
pub(crate) fn is_api(request: &crate::protocol::http1::Request) -> bool {
    const KINDS: [&str; 3] = ["json", "xml", "protobuf"];
    const SEGMENTS: [&str; 8] = [
        "api", "apis", "rest", "openapi", "services", "rpc", "ajax", "gateway",
    ];
    let data = |value: &Option<SmolStr>| {
        let value = value.as_deref().unwrap_or("");
        KINDS.iter().any(|kind| holds(value, kind)) && !holds(value, "html")
    };
    if request.navigates {
        return false;
    }
    let path = || request.target.split(['?', '#']).next().unwrap_or("");
    let is_one = |segment: &str| {
        SEGMENTS
            .iter()
            .any(|known| segment.eq_ignore_ascii_case(known))
            || ends_with(segment, "-api")
    };
    request.scripted
        || data(&request.accept)
        || data(&request.content_type)
        || path().split('/').any(is_one)
        || path_version(path()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, version: Option<(&str, &str)>) {
        let found = Trace {
            number: 0,
            method: "GET".into(),
            target: target.into(),
            host: None,
            begun: Mark::default(),
            asked: Mark::default(),
            answered: Mark::default(),
            status: 200,
            location: None,
            authorized: false,
            cookie: false,
            api: true,
            page: false,
            content: None,
            poll: None,
        }
        .version();
        let found = found
            .as_ref()
            .map(|(version, rest)| (version.as_str(), rest.as_str()));
        assert_eq!(found, version, "{target}");
    }

    #[test]
    fn a_version_stands_in_the_path_or_the_query() {
        check("/kpfw/v1/issue?a=1", Some(("v1", "/kpfw/{}/issue")));
        check("/sys-api/v1.0/auth", Some(("v1.0", "/sys-api/{}/auth")));
        check(
            "/router/rest?method=a.b&version=6.0",
            Some(("6.0", "/router/rest?method=a.b&version")),
        );
        check("/video/1", None);
        check("/v/1", None);
        check("/vat2/issue", None);
    }

    #[test]
    fn an_absolute_target_is_compared_by_its_path() {
        assert_eq!(
            origin_form("http://a.example:8080/x?y=http://z/"),
            "/x?y=http://z/"
        );
        assert_eq!(origin_form("/go?to=http://z/"), "/go?to=http://z/");
        assert_eq!(origin_form("http://a.example"), "/");
    }
}
