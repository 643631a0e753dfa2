//! What the classes are shown of one conversation.

use std::collections::VecDeque;
use std::net::IpAddr;

use smol_str::SmolStr;

use crate::decode::Quoted;
use crate::failure::outcomes::{Minutes, Outcomes};
use crate::failure::{Behind, Class, Finding, Silence, Subject, application, data};
use crate::flow::circling::Circling;
use crate::flow::key::FlowKey;
use crate::limits;
use crate::mark::Both;
use crate::mark::Direction::{ToClient, ToServer};
use crate::mark::{Direction, Mark};
use crate::protocol::http;
use crate::protocol::http1::{self, Exchange};
use crate::protocol::socks;
use crate::protocol::tls::Session;
use crate::protocol::tls::chain::Verdict;
use crate::tcp::connection::Connection;
use crate::tcp::half::Half;
use crate::time::{Nanos, SECOND, Timestamp};

/// An ICMP or ICMPv6 error that quotes the conversation.
#[derive(Clone, Copy, Debug)]
pub struct Unreachable {
    /// Where it was seen.
    pub at: Mark,
    /// ICMPv6.
    pub v6: bool,
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Who sent it.
    pub router: IpAddr,
    /// What it quotes.
    pub quoted: Quoted,
    /// Bytes 4 to 8 of the message: the next-hop MTU of "fragmentation needed" and "packet too big".
    pub rest: u32,
    /// How many of them came.
    pub count: u32,
}

/// Routers remembered of those whose "time exceeded" quotes one conversation.
const ROUTERS_MAX: usize = 4;

/// The ICMP errors that quote one conversation: of each kind that matters the first.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    /// "Destination unreachable", fragmentation needed aside.
    pub unreachable: Option<Unreachable>,
    /// "Time exceeded in transit", the first of each router, up to four of them.
    pub expired: Vec<Unreachable>,
    /// "Fragmentation needed" or "packet too big".
    pub too_big: Option<Unreachable>,
}

impl Errors {
    /// Takes one more error.
    pub fn add(&mut self, error: &Unreachable) {
        let count = |known: &mut Unreachable| known.count = known.count.saturating_add(1);
        match (error.v6, error.kind, error.code) {
            // RFC 1191 4, RFC 8201 3.
            (false, 3, 4) | (true, 2, _) => match &mut self.too_big {
                Some(known) => count(known),
                None => self.too_big = Some(*error),
            },
            // RFC 792, RFC 4443 3.3: code 1 speaks of fragments that did not come together.
            (false, 11, 0) | (true, 3, 0) => {
                let same = |known: &&mut Unreachable| known.router == error.router;
                let routers = self.expired.len();
                match self.expired.iter_mut().find(same) {
                    Some(known) => count(known),
                    None if routers < ROUTERS_MAX => self.expired.push(*error),
                    None => {}
                }
            }
            (false, 3, _) | (true, 1, _) => match &mut self.unreachable {
                Some(known) => count(known),
                None => self.unreachable = Some(*error),
            },
            _ => {}
        }
    }
}

/// HTTP of one conversation: what ended well is counted, the rest kept.
#[derive(Debug, Default)]
pub struct Web {
    /// The reader, with what has not ended.
    pub log: http::Log,
    /// Exchanges that may have something to tell.
    pub adverse: Vec<Exchange>,
    /// Exchanges that were answered below 400, in full and in time.
    pub healthy: u32,
    /// Exchanges that may have something to tell and did not fit.
    pub beyond: Outcomes,
    /// Both by the minute of their requests.
    pub minutes: Minutes,
    /// Host of the first request, or of the tunnel.
    pub host: Option<SmolStr>,
    /// That request was meant for a proxy.
    pub to_proxy: bool,
    /// From the first request's last byte to its response's first.
    pub first_byte: Option<Nanos>,
    /// Targets of authenticated requests that succeeded, and when.
    pub authenticated: Vec<(String, Timestamp)>,
    /// Exchanges to be compared with others.
    pub traces: VecDeque<application::Trace>,
    /// How many no longer are, for want of room.
    pub untraced: u64,
    /// Bodies that were too large to be judged.
    pub unread: u64,
    /// Messages inside bodies that are ciphers.
    pub closed: u64,
    /// A success with credentials is among them.
    logged_in: bool,
    /// The first request that gave a credential away.
    pub exposed: Option<Box<Exposure>>,
    /// How many did.
    pub exposures: u32,
}

/// A request that gave a credential away: where, and what for. Its value and the query string are not kept.
#[derive(Clone, Debug)]
pub struct Exposure {
    /// The frame that holds it, or completed the head that does.
    pub at: Mark,
    /// Method.
    pub method: String,
    /// Target without its query.
    pub path: String,
    /// Host, where known.
    pub host: Option<SmolStr>,
    /// The credential's kind and field.
    pub what: http1::Exposed,
}

impl Exposure {
    /// What an exchange's request gave away.
    pub fn of(exchange: &Exchange) -> Option<Self> {
        let request = exchange.request.as_ref()?;
        let what = request.exposed.as_deref()?.clone();
        Some(Self {
            at: what.at.unwrap_or(request.head),
            method: request.method.to_string(),
            path: application::exchange::path(&request.target).into_owned(),
            host: request.host.clone(),
            what,
        })
    }
}

/// Exchanges with something to tell that are kept of one connection; of further ones only the outcome is counted, and
/// how many they are in `Web::log`.
const ADVERSE_MAX: usize = 256;

impl Web {
    /// Takes the exchanges that ended.
    pub fn collect(&mut self) {
        while let Some(exchange) = self.log.next_ended() {
            self.note(&exchange);
            let answer = application::exchange::answer_of(&exchange);
            let well = answer.is_some_and(|status| status < 400)
                && exchange
                    .response
                    .as_ref()
                    .is_some_and(|response| response.complete && !response.broken);
            let slow =
                application::exchange::waited(&exchange).is_some_and(|waited| waited > 3 * SECOND);
            if well && !slow && !data::is_odd(&exchange) {
                self.healthy = self.healthy.saturating_add(1);
                let one = Outcomes {
                    ok: 1,
                    ..Outcomes::default()
                };
                self.minutes.add(exchange.began(), one);
            } else if self.adverse.len() < ADVERSE_MAX {
                self.adverse.push(*exchange);
            } else {
                self.log.omit();
                if let Some(outcome) = application::exchange::outcome_alone(&exchange) {
                    self.beyond.add(outcome);
                    self.minutes.add(exchange.began(), outcome);
                }
            }
        }
    }

    /// The name of the host that the client asked for, if it is a name.
    pub fn host_name(&self) -> Option<&str> {
        let name = application::exchange::host_name(self.host.as_deref()?);
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>()
            .is_err()
            .then_some(name)
            .filter(|name| !name.is_empty())
    }

    fn note(&mut self, exchange: &Exchange) {
        let Some(request) = &exchange.request else {
            return;
        };
        if let Some(trace) = application::Trace::of(exchange, self.logged_in) {
            self.logged_in |= trace.well() && (trace.cookie || trace.authorized);
            if self.traces.len() >= limits::TRACES_PER_FLOW {
                self.traces.pop_front();
                self.untraced += 1;
            }
            self.traces.push_back(trace);
        }
        let answered = exchange
            .response
            .as_ref()
            .and_then(|response| response.content.as_ref());
        let contents = [request.content.as_ref(), answered].into_iter().flatten();
        let closed = contents
            .clone()
            .filter_map(|content| content.reading.as_deref());
        self.closed += closed.map(|reading| u64::from(reading.closed)).sum::<u64>();
        let unread = contents.filter(|content| content.too_large);
        self.unread = self.unread.saturating_add(unread.count() as u64);
        if self.host.is_none() {
            self.host = request.host.clone();
            self.to_proxy = request.to_proxy;
        }
        if self.first_byte.is_none() {
            self.first_byte = application::exchange::waited(exchange);
        }
        if request.exposed.is_some() {
            self.exposures = self.exposures.saturating_add(1);
            self.exposed = self
                .exposed
                .take()
                .or_else(|| Exposure::of(exchange).map(Box::new));
        }
        let credentials = request.authorization.is_some() || request.proxy_authorization.is_some();
        let answered = exchange
            .response
            .as_ref()
            .filter(|_| application::exchange::answer_of(exchange) < Some(400));
        if let (true, Some(response)) = (credentials, answered)
            && self.authenticated.len() < ADVERSE_MAX
        {
            let target = application::exchange::path(&request.target).into_owned();
            self.authenticated.push((target, response.head.time));
        }
    }
}

/// What a proxy was asked for: `host:port`.
#[derive(Clone, Copy, Debug)]
pub struct Meant<'a> {
    /// Name or address.
    pub host: &'a str,
    /// Port.
    pub port: u16,
}

impl<'a> Meant<'a> {
    /// Of an authority; `port` where it has none.
    pub fn of(authority: &'a str, port: u16) -> Option<Self> {
        let authority = authority.split('/').next()?;
        let host = application::exchange::host_name(authority);
        let own = authority.get(host.len()..)?.strip_prefix(':');
        (!host.is_empty()).then_some(Self {
            host,
            port: own.and_then(|own| own.parse().ok()).unwrap_or(port),
        })
    }

    /// Its address, if it is no name.
    pub fn address(&self) -> Option<IpAddr> {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare.parse().ok()
    }

    /// Its name, if it is no address.
    pub fn name(&self) -> Option<&'a str> {
        self.address().is_none().then_some(self.host)
    }

    /// The address, where it is no name, and the port.
    pub fn place(&self) -> Behind {
        (self.address(), self.port)
    }
}

/// One conversation at the moment it is judged: it ended, or the capture did.
#[derive(Clone, Copy, Debug)]
pub struct Episode<'a> {
    /// Identity of the conversation.
    pub key: FlowKey,
    /// Who sent the first SYN, or is taken for it.
    pub client: (IpAddr, u16),
    /// The other end.
    pub server: (IpAddr, u16),
    /// The roles were guessed: no SYN and no SYN-ACK was seen.
    pub assumed: bool,
    /// Its TCP.
    pub connection: &'a Connection,
    /// Its TLS, if it spoke that (inside a CONNECT tunnel too).
    pub tls: Option<&'a Session>,
    /// Its HTTP, if it spoke that in clear.
    pub web: Option<&'a Web>,
    /// The HTTP inside its TLS, where a key log opened that.
    pub inside: Option<&'a Web>,
    /// Its SOCKS, if it spoke that.
    pub socks: Option<&'a socks::Session>,
    /// The server is a proxy, and this is what it was asked for.
    pub behind: Option<Meant<'a>>,
    /// What the chain that the server presented is worth to a client of the trust store.
    pub chain: Option<&'a Verdict>,
    /// First bytes of each direction.
    pub first_bytes: Both<&'a [u8]>,
    /// The ICMP errors about it.
    pub errors: Option<&'a Errors>,
    /// An earlier connection with the same addresses and ports was closed here, less than a minute before.
    pub reused: Option<Mark>,
    /// One of its packets goes round in a loop: who sent it.
    pub circling: Option<(Direction, &'a Circling)>,
    /// Lowest TTL of the client's packets: traceroutes stay below 32.
    pub client_ttl_min: u8,
    /// Interface, VLAN and MAC of the client's packets, hashed.
    pub origin: u32,
    /// How far the capture's clock has come.
    pub until: Timestamp,
}

impl<'a> Episode<'a> {
    /// A finding about this conversation, without evidence.
    pub fn finding(&self, class: &'static Class) -> Finding {
        let first = self.connection.span.map_or(self.until, |span| span.0.time);
        let mut finding = Finding::new(class, Subject::Flow, first);
        // The first evidence sets the time that a reader sees; until then the flow's start stands in.
        finding.first = self.until.max(first);
        finding.last = first;
        finding.protocol = self.key.protocol;
        finding.client = Some(self.client);
        finding.server = Some(self.server);
        finding.name = self.name().map(str::to_owned);
        finding.behind = self.behind.map(|meant| meant.place());
        finding.origin = self.origin;
        finding.flow = Some((self.key, first));
        finding.twin = self
            .client_half()
            .isn
            .map(|isn| (isn, self.connection.syn_ts_value.unwrap_or(0)));
        finding
    }

    /// The HTTP that was spoken with the endpoint, in clear or opened by a key log; not what a proxy was asked in before
    /// the TLS of a tunnel.
    pub fn http(&self) -> Option<&'a Web> {
        self.inside.or(self.web.filter(|_| self.tls.is_none()))
    }

    /// The name the client asked for in this conversation: SNI, else the Host header, else what the proxy was asked for.
    pub fn name(&self) -> Option<&'a str> {
        self.tls
            .and_then(Session::sni)
            .or_else(|| self.inside.and_then(Web::host_name))
            .or_else(|| self.web.and_then(Web::host_name))
            .or_else(|| self.behind.and_then(|meant| meant.name()))
    }

    /// What the client sent.
    pub fn client_half(&self) -> &'a Half {
        self.connection.half(ToServer)
    }

    /// What the server sent.
    pub fn server_half(&self) -> &'a Half {
        self.connection.half(ToClient)
    }

    /// The "destination unreachable" about it.
    pub fn unreachable(&self) -> Option<&'a Unreachable> {
        self.errors?.unreachable.as_ref()
    }

    /// What one side sent.
    pub fn half(&self, from: Direction) -> &'a Half {
        self.connection.half(from)
    }

    /// Has so much of the capture's time passed since `at`?
    pub fn waited(&self, at: Mark, patience: Nanos) -> bool {
        self.until.since(at.time) >= patience
    }

    /// Were packets of both ends captured?
    pub fn both_sides(&self) -> bool {
        self.client_half().counts.packets > 0 && self.server_half().counts.packets > 0
    }

    /// The silence of `asked` after the other end's question.
    pub fn silence_of(&self, asked: Direction, from: Mark, to: Mark, proven: bool) -> Silence {
        let (asker, asked) = match asked {
            ToClient => (self.client.0, self.server.0),
            ToServer => (self.server.0, self.client.0),
        };
        Silence {
            asker,
            asked,
            from: from.time,
            to: to.time,
            proven,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Direction::ToServer;
    use crate::protocol::{Chunk, Observer};

    #[test]
    fn what_is_not_kept_of_a_connections_failures_stays_counted() {
        let mut web = Web {
            log: http::Log::One(http1::Log::new(true)),
            ..Web::default()
        };
        let asked = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
        let answered = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
        for _ in 0..ADVERSE_MAX + 44 {
            web.log
                .on_chunk(ToServer, Chunk::Data(asked), Mark::default());
            let back = ToServer.reverse();
            web.log
                .on_chunk(back, Chunk::Data(answered), Mark::default());
            web.collect();
        }
        assert_eq!(web.adverse.len(), ADVERSE_MAX);
        assert_eq!((web.beyond.failed, web.log.omitted()), (44, 44));
        assert_eq!(web.minutes.total().failed, 44);
    }

    #[test]
    fn the_oldest_exchange_is_no_longer_compared_when_there_are_too_many() {
        let mut web = Web {
            log: http::Log::One(http1::Log::new(true)),
            ..Web::default()
        };
        let asked = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
        let answered = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        for _ in 0..limits::TRACES_PER_FLOW + 3 {
            web.log
                .on_chunk(ToServer, Chunk::Data(asked), Mark::default());
            let back = ToServer.reverse();
            web.log
                .on_chunk(back, Chunk::Data(answered), Mark::default());
            web.collect();
        }
        assert_eq!(web.traces.len(), limits::TRACES_PER_FLOW);
        assert_eq!(web.untraced, 3);
        assert_eq!(web.traces.front().map(|trace| trace.number), Some(3));
    }
}
