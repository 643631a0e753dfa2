//! One flow with all that is remembered of it, and one packet's step through it: roles, TCP, observer.

use std::net::IpAddr;
use std::sync::Arc;

use crate::decode::{TcpSegment, flag};
use crate::endpoint::Rules;
use crate::engine::opened::{Opened, hand_on, reader};
use crate::engine::routed::Routed;
use crate::engine::setting::Setting;
use crate::failure::episode::{Episode, Errors, Meant, Web};
use crate::flow::circling::Circling;
use crate::flow::key::{End, FlowKey};
use crate::mark::Both;
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::Mark;
use crate::protocol::tls::KeyLog;
use crate::protocol::tls::chain::Verdict;
use crate::protocol::{Chunk, Next, Observer, Probe, dns, http, http1, http2, socks, tls};
use crate::tcp::connection::Connection;
use crate::time::Timestamp;

/// First bytes kept of each direction, for telling plain text on a TLS port and the like.
const FIRST_BYTES: usize = 64;

/// Bytes waited for where they may be a DNS message and its length (RFC 1035 4.2.1: no longer question is asked).
const DNS_BYTES: usize = 514;

/// Who reads a conversation's bytes.
#[derive(Debug, Default)]
pub enum Application {
    /// Nothing decided yet.
    #[default]
    Unknown,
    /// TLS or TLCP.
    Tls(Box<tls::Session>),
    /// HTTP in clear.
    Http(Box<Web>),
    /// TLS inside an HTTP CONNECT tunnel.
    Tunnel(Box<Web>, Box<tls::Session>),
    /// SOCKS 5, up to the proxy's answer.
    Socks(Box<socks::Session>),
    /// What is inside a connection that a SOCKS proxy made.
    Behind(Box<socks::Session>, Box<Application>),
    /// DNS over TCP.
    Dns(Box<dns::Tcp>),
    /// Nothing that is read here.
    Opaque,
}

/// One TCP conversation.
#[derive(Debug)]
pub struct Conversation {
    /// Its identity.
    pub key: FlowKey,
    /// Which end is the client.
    pub client_end: End,
    /// The roles are guessed.
    pub assumed: bool,
    /// Number in its shard, never used again.
    pub id: u64,
    /// TCP.
    pub connection: Connection,
    /// What is inside.
    pub application: Application,
    /// What a key log opened of its TLS.
    pub opened: Option<Box<Opened>>,
    /// First bytes by direction.
    pub first_bytes: Both<Vec<u8>>,
    /// ICMP errors about it.
    pub errors: Option<Box<Errors>>,
    /// Where an earlier connection with the same addresses and ports was closed.
    pub reused: Option<Mark>,
    /// A packet of this end goes round in a loop.
    pub circling: Option<Box<(End, Circling)>>,
    /// Lowest TTL of the client's packets.
    pub client_ttl_min: u8,
    /// Where the client's first packet was seen, hashed.
    pub origin: u32,
    /// The second in which each end was last noted to have received something, by `End`.
    pub heard: [i64; 2],
    /// Already queued for closing.
    pub closing: bool,
    /// What endpoint rules read in bodies.
    pub rules: Arc<Rules>,
}

impl Conversation {
    /// A conversation that begins with this segment, sent by `from`.
    pub fn new(
        key: FlowKey,
        from: End,
        segment: &TcpSegment<'_>,
        id: u64,
        rules: Arc<Rules>,
    ) -> Self {
        let syn = segment.flags & (flag::SYN | flag::ACK);
        let (client_end, assumed) = match syn {
            flag::SYN => (from, false),
            s if s == flag::SYN | flag::ACK => (from.other(), false),
            _ => (guess(&key), true),
        };
        Self {
            key,
            client_end,
            assumed,
            id,
            connection: Connection::default(),
            application: Application::Unknown,
            opened: None,
            first_bytes: Both::default(),
            errors: None,
            reused: None,
            circling: None,
            client_ttl_min: u8::MAX,
            origin: 0,
            heard: [i64::MIN; 2],
            closing: false,
            rules,
        }
    }

    /// Client address and port.
    pub const fn client(&self) -> (IpAddr, u16) {
        self.key.end(self.client_end)
    }

    /// Server address and port.
    pub const fn server(&self) -> (IpAddr, u16) {
        self.key.end(self.client_end.other())
    }

    /// What a proxy was asked for, whether a tunnel came of it or not.
    pub fn behind(&self) -> Option<Meant<'_>> {
        match &self.application {
            Application::Tunnel(web, _) => Meant::of(web.host.as_deref()?, 443),
            Application::Http(web) => {
                let exchanges = web.adverse.iter().chain(web.log.open());
                let mut requests = exchanges.filter_map(|exchange| exchange.request.as_ref());
                match requests.find(|request| request.to_proxy) {
                    Some(request) if request.method == "CONNECT" => Meant::of(&request.target, 443),
                    Some(request) => Meant::of(request.host.as_deref()?, 80),
                    None => Meant::of(web.host.as_deref().filter(|_| web.to_proxy)?, 80),
                }
            }
            Application::Socks(session) | Application::Behind(session, _) => {
                Meant::of(session.target.as_deref()?, 1080)
            }
            _ => None,
        }
    }

    /// A packet of `from` came by once more in a loop.
    pub fn goes_round(&mut self, from: End, circling: Circling) {
        match &mut self.circling {
            Some(known) => known.1.go_on(circling),
            None => self.circling = Some(Box::new((from, circling))),
        }
    }

    /// The direction of what `from` sends.
    pub fn direction(&self, from: End) -> Direction {
        if from == self.client_end {
            ToServer
        } else {
            ToClient
        }
    }

    /// Takes one segment, seen for the first time, with the secrets that are known so far.
    pub fn on_segment(&mut self, routed: &Routed<'_>, keys: Option<&Arc<KeyLog>>) {
        let (from, segment, ip) = (routed.from, routed.segment, routed.ip);
        if self.assumed
            && !segment.payload.is_empty()
            && matches!(self.application, Application::Unknown)
        {
            self.settle_roles(from, segment.payload);
        }
        let direction = self.direction(from);
        if direction == ToServer {
            self.client_ttl_min = self.client_ttl_min.min(ip.ttl);
            if self.origin == 0 {
                self.origin = routed.place;
            }
        }
        let server = self.server();
        let Self {
            connection,
            application,
            opened,
            first_bytes,
            rules,
            ..
        } = self;
        let setting = Setting {
            server,
            rules,
            keys,
        };
        connection.on_segment(direction, segment, ip, routed.at, &mut |from, chunk, at| {
            let next = on_chunk(application, first_bytes, &setting, from, chunk, at);
            hand_on(application, opened, &setting);
            next
        });
    }

    /// The flow ends: what still waits is delivered.
    pub fn finish(&mut self, keys: Option<&Arc<KeyLog>>) {
        let server = self.server();
        let last = self.connection.span.map_or(Mark::default(), |span| span.1);
        let Self {
            connection,
            application,
            opened,
            first_bytes,
            rules,
            ..
        } = self;
        let setting = Setting {
            server,
            rules,
            keys,
        };
        connection.finish(&mut |from, chunk, at| {
            let next = on_chunk(application, first_bytes, &setting, from, chunk, at);
            hand_on(application, opened, &setting);
            next
        });
        application.finish();
        if let Some(opened) = opened {
            opened.finish(last, &mut reader(&setting.inside()));
        }
    }

    /// Messages of DNS over TCP, or over TLS, since the last call.
    pub fn take_dns(&mut self) -> Vec<(Direction, dns::Message, Mark)> {
        let opened = self.opened.as_mut().map(|opened| &mut opened.application);
        match (&mut self.application, opened) {
            (Application::Dns(messages), _) | (_, Some(Application::Dns(messages))) => {
                messages.take()
            }
            _ => Vec::new(),
        }
    }

    /// It was judged: lets go of all that it holds, but for its own memory.
    pub fn let_go(&mut self) {
        self.connection = Connection::default();
        self.application = Application::Unknown;
        self.opened = None;
        self.first_bytes = Both::default();
        (self.errors, self.circling) = (None, None);
    }

    /// What the failure classes are shown.
    pub fn episode<'a>(&'a self, chain: Option<&'a Verdict>, until: Timestamp) -> Episode<'a> {
        let (tls, web) = match self.application.inside() {
            Application::Tls(session) => (Some(&**session), None),
            Application::Http(web) => (None, Some(&**web)),
            Application::Tunnel(web, session) => (Some(&**session), Some(&**web)),
            _ => (None, None),
        };
        let socks = match &self.application {
            Application::Socks(session) | Application::Behind(session, _) => Some(&**session),
            _ => None,
        };
        Episode {
            key: self.key,
            client: self.client(),
            server: self.server(),
            assumed: self.assumed,
            connection: &self.connection,
            tls,
            web,
            inside: self.opened.as_deref().and_then(Opened::web),
            socks,
            behind: self.behind(),
            chain,
            first_bytes: Both([&self.first_bytes[ToServer], &self.first_bytes[ToClient]]),
            errors: self.errors.as_deref(),
            reused: self.reused,
            circling: self
                .circling
                .as_deref()
                .map(|(from, circling)| (self.direction(*from), circling)),
            client_ttl_min: self.client_ttl_min,
            origin: self.origin,
            until,
        }
    }

    /// No handshake was seen: the first bytes tell who asks.
    pub(super) fn settle_roles(&mut self, from: End, payload: &[u8]) {
        let asks = is_request(payload);
        let answers = payload.starts_with(b"HTTP/1.") || is_server_hello(payload);
        let client = match (asks, answers, http2::joined(payload)) {
            (true, ..) | (_, _, Some(http2::Speaker::Client)) => from,
            (_, true, _) | (_, _, Some(http2::Speaker::Server)) => from.other(),
            _ => return,
        };
        if client != self.client_end {
            self.client_end = client;
            self.connection.flip();
            self.first_bytes.swap();
        }
    }
}

/// Without a handshake the lower port is taken for the server's.
const fn guess(key: &FlowKey) -> End {
    if key.a_port < key.b_port {
        End::B
    } else {
        End::A
    }
}

fn is_request(payload: &[u8]) -> bool {
    let client_hello = payload.first() == Some(&22) && payload.get(5) == Some(&1);
    let http = [http1::probe(payload), http2::probe(payload)].contains(&Probe::Yes);
    client_hello || (!payload.starts_with(b"HTTP/") && http)
}

fn is_server_hello(payload: &[u8]) -> bool {
    payload.first() == Some(&22) && payload.get(5) == Some(&2)
}

/// Hands a chunk to whoever reads the conversation.
pub(super) fn on_chunk(
    application: &mut Application,
    first_bytes: &mut Both<Vec<u8>>,
    setting: &Setting<'_>,
    from: Direction,
    chunk: Chunk<'_>,
    at: Mark,
) -> Next {
    if let Chunk::Data(bytes) = chunk {
        let kept = &mut first_bytes[from];
        if kept.len() < FIRST_BYTES {
            let lacking = FIRST_BYTES - kept.len();
            kept.extend_from_slice(bytes.get(..lacking).unwrap_or(bytes));
        }
    }
    match application {
        Application::Unknown => recognise(application, first_bytes, setting, from, chunk, at),
        Application::Tls(session) => session.on_chunk(from, chunk, at),
        Application::Http(_) => on_http(application, setting, from, chunk, at),
        Application::Tunnel(_, session) => session.on_chunk(from, chunk, at),
        Application::Socks(_) => on_socks(application, first_bytes, from, chunk, at),
        Application::Behind(_, inside) => on_chunk(inside, first_bytes, setting, from, chunk, at),
        Application::Dns(messages) => messages.on_chunk(from, chunk, at),
        Application::Opaque => Next::Done,
    }
}

impl Application {
    /// What is spoken with the endpoint: behind a SOCKS proxy, what comes after its answer.
    pub const fn inside(&self) -> &Self {
        match self {
            Self::Behind(_, inside) => inside,
            direct => direct,
        }
    }

    /// The same, to be changed.
    pub const fn inside_mut(&mut self) -> &mut Self {
        match self {
            Self::Behind(_, inside) => inside,
            direct => direct,
        }
    }
}

/// SOCKS, and once the proxy has made the connection whatever is spoken in it.
fn on_socks(
    application: &mut Application,
    first_bytes: &mut Both<Vec<u8>>,
    from: Direction,
    chunk: Chunk<'_>,
    at: Mark,
) -> Next {
    let Application::Socks(session) = application else {
        return Next::Done;
    };
    let next = session.on_chunk(from, chunk, at);
    if !session.connected {
        return next;
    }
    *first_bytes = Both::default();
    let session = std::mem::take(session);
    *application = Application::Behind(session, Box::new(Application::Unknown));
    Next::More
}

/// HTTP, and what is inside a tunnel once a proxy agreed to one.
fn on_http(
    application: &mut Application,
    setting: &Setting<'_>,
    from: Direction,
    chunk: Chunk<'_>,
    at: Mark,
) -> Next {
    let Application::Http(web) = application else {
        return Next::Done;
    };
    let next = web.log.on_chunk(from, chunk, at);
    web.collect();
    if open_tunnel(application, setting, at) {
        return Next::More;
    }
    next
}

/// A proxy agreed to a tunnel: what follows is read as TLS.
pub(super) fn open_tunnel(application: &mut Application, setting: &Setting<'_>, at: Mark) -> bool {
    let Application::Http(web) = application else {
        return false;
    };
    let Some(tunnel) = web.log.take_tunnel() else {
        return false;
    };
    let mut web = std::mem::take(web);
    web.host = Some(tunnel.authority);
    let mut session = setting.session();
    for direction in [ToServer, ToClient] {
        let early = &tunnel.early[direction];
        if !early.is_empty() {
            session.on_chunk(direction, Chunk::Data(early), at);
        }
    }
    *application = Application::Tunnel(web, session);
    true
}

fn recognise(
    application: &mut Application,
    first_bytes: &Both<Vec<u8>>,
    setting: &Setting<'_>,
    from: Direction,
    chunk: Chunk<'_>,
    at: Mark,
) -> Next {
    let Chunk::Data(bytes) = chunk else {
        return Next::More;
    };
    let port = setting.server.1;
    let second = match (from, http2::probe(bytes)) {
        (ToServer, probed) => probed,
        (ToClient, _) => Probe::No,
    };
    let probes = [tls::probe(bytes), http1::probe(bytes), second];
    let dns = dns::tcp::probe(bytes, (port, port));
    let greeted = from == ToServer && !first_bytes[ToClient].is_empty();
    if probes[0] == Probe::Yes {
        let mut session = setting.session();
        if greeted {
            session.greeted(&first_bytes[ToClient], at);
        }
        *application = Application::Tls(session);
    } else if probes[1] == Probe::Yes || second == Probe::Yes || http2::joined(bytes).is_some() {
        let mut web = Box::<Web>::default();
        if probes[1] != Probe::Yes {
            web.log = http::Log::two();
        }
        web.log.read_by(setting.rules, setting.server);
        *application = Application::Http(web);
    } else if from == ToServer && !greeted && socks::is_greeting(bytes) {
        *application = Application::Socks(Box::default());
    } else if port == dns::PORT || dns == Probe::Yes {
        *application = Application::Dns(Box::default());
    } else if probes.contains(&Probe::NeedMore) && bytes.len() < FIRST_BYTES
        || dns == Probe::NeedMore && bytes.len() < DNS_BYTES
    {
        return Next::Wait {
            used: 0,
            want: bytes.len() + 1,
        };
    } else if http2::frames(bytes) {
        // Joined in the middle: a header block will tell.
        return Next::More;
    } else if from == ToClient && first_bytes[ToServer].is_empty() {
        // The server greets first. The client may still answer with a ClientHello that is lost on it.
        return Next::More;
    } else {
        *application = Application::Opaque;
    }
    match application {
        Application::Tls(session) => session.on_chunk(from, chunk, at),
        Application::Http(_) => on_http(application, setting, from, chunk, at),
        Application::Socks(session) => session.on_chunk(from, chunk, at),
        Application::Dns(messages) => messages.on_chunk(from, chunk, at),
        _ => Next::Done,
    }
}
