//! What the classes are shown of one conversation.

use std::net::IpAddr;

use crate::decode::Quoted;
use crate::failure::{Class, Finding, Silence, Subject};
use crate::flow::key::FlowKey;
use crate::mark::Direction::{ToClient, ToServer};
use crate::mark::{Direction, Mark};
use crate::protocol::http1;
use crate::protocol::tls::Session;
use crate::protocol::tls::chain::Verdict;
use crate::tcp::connection::Connection;
use crate::tcp::half::Half;
use crate::time::{Nanos, Timestamp};

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
    /// How many of them came.
    pub count: u32,
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
    /// Its HTTP/1, if it spoke that in clear.
    pub http: Option<&'a http1::Log>,
    /// What the chain that the server presented is worth to a client of the trust store.
    pub chain: Option<&'a Verdict>,
    /// First bytes of each direction, by `Direction::index`.
    pub first_bytes: [&'a [u8]; 2],
    /// The ICMP error about it.
    pub unreachable: Option<&'a Unreachable>,
    /// Lowest TTL of the client's packets: traceroutes stay below 32.
    pub client_ttl_min: u8,
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
        finding.flow = Some((self.key, first));
        finding.twin = self.client_half().isn.map(|isn| (isn, self.connection.syn_ts_value.unwrap_or(0)));
        finding
    }

    /// The name the client asked for in this conversation: SNI, else the Host header.
    pub fn name(&self) -> Option<&'a str> {
        self.tls.and_then(Session::sni).or_else(|| self.http.and_then(http1::Log::host_name))
    }

    /// What the client sent.
    pub fn client_half(&self) -> &'a Half {
        self.connection.half(ToServer)
    }

    /// What the server sent.
    pub fn server_half(&self) -> &'a Half {
        self.connection.half(ToClient)
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
        Silence { asker, asked, from: from.time, to: to.time, proven }
    }
}
