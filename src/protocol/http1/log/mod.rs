//! The observer: follows both directions and pairs what they say.
//!
//! Bodies are counted segment by segment (`Next::More`) rather than skipped, so that the frame of the last byte and
//! the number of missing bytes are known; their bytes are not read. Heads that lie in one segment are not copied.

mod bodies;
mod pairing;
mod payloads;
mod queue;

use smol_str::SmolStr;

use crate::mark::{Both, Direction, Mark};
use crate::protocol::{Chunk, Next, Observer};

use super::body::Decoder;
use super::content::Gathering;
use super::exchange::{Exchange, Request};
use super::head::{self, Look};
pub(in crate::protocol) use payloads::Payloads;
use queue::Queue;

/// Longest head that is followed.
const HEAD_MAX: usize = 64 * 1024;
/// Exchanges kept between two drains; the oldest give way and are counted.
const FINISHED_MAX: usize = 1_024;
/// Bytes kept of what a client sends into a tunnel before the proxy agreed.
const EARLY_MAX: usize = 64 * 1024;

/// Reader of one HTTP/1 connection.
#[derive(Debug, Default)]
pub struct Log {
    /// The connection's first bytes were seen and nothing was lost since.
    synced: bool,
    /// Which end is the client was told by the messages, against what the conductor assumed.
    swapped: bool,
    sides: [Side; 2],
    /// Requests without a final response, in order.
    open: Queue<Box<Exchange>>,
    /// The exchange whose response is passing.
    current: Option<Box<Exchange>>,
    /// A response that came before its request, in case the capture only reordered them.
    held: Option<Box<Exchange>>,
    finished: Queue<Box<Exchange>>,
    number: u32,
    page: Vec<u8>,
    tunnel: Option<Box<Tunnel>>,
    upgraded: Option<Box<Upgraded>>,
    host: Option<SmolStr>,
    payloads: Option<Payloads>,
    /// Exchanges that no longer fitted between two drains.
    pub omitted: u64,
    /// The frame that ended the last response.
    ended_at: Mark,
}

/// A proxy agreed to a CONNECT: from here on the connection carries something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// What the CONNECT asked for, `host:port` in lower case.
    pub authority: SmolStr,
    /// The frame that completed the agreement.
    pub at: Mark,
    /// Bytes of the tunnel that were delivered already, by direction; mostly none.
    pub early: Both<Vec<u8>>,
}

/// Both ends agreed to go on in HTTP/2 (RFC 7540 3.2; RFC 9113 3.1 no longer speaks of it, servers still do).
#[derive(Clone, Debug)]
pub struct Upgraded {
    /// The request that asked for it: it is answered in HTTP/2, as stream 1.
    pub request: Option<Request>,
    /// What both directions said in HTTP/2 already.
    pub early: Both<Vec<u8>>,
}

/// Bytes that are not HTTP where a message had to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Their frame.
    pub at: Mark,
    /// They begin like a TLS record.
    pub tls: bool,
    /// Messages that this direction had sent before.
    pub messages_before: u32,
}

#[derive(Debug, Default)]
struct Side {
    state: State,
    /// The part of a head that was delivered so far.
    head: Vec<u8>,
    /// The head's beginning was recognised.
    recognised: bool,
    first: Mark,
    messages: u32,
    foreign: Option<Foreign>,
    /// The body that is passing, where what it says is of interest.
    gathering: Option<Box<Gathering>>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// At the beginning of a message.
    #[default]
    Between,
    /// Inside a head.
    Head,
    /// Inside the body of exchange `number`.
    Body { decoder: Decoder, number: u32 },
    /// After a hole or foreign bytes: a message may begin with any segment.
    Lost,
    /// After a CONNECT that is not answered yet: `head` keeps what comes.
    Early,
    /// No longer HTTP.
    Opaque,
}

impl Log {
    /// A reader; `from_start` says whether the connection's first bytes will be delivered.
    pub fn new(from_start: bool) -> Self {
        Self {
            synced: from_start,
            ..Self::default()
        }
    }

    /// The exchanges that ended since the last call, in the order of their ends.
    pub fn drain(&mut self) -> impl Iterator<Item = Box<Exchange>> + '_ {
        std::iter::from_fn(|| self.finished.pop_front())
    }

    /// The one of them that ended first.
    pub fn next_ended(&mut self) -> Option<Box<Exchange>> {
        self.finished.pop_front()
    }

    /// Is there anything to drain?
    pub fn has_ended(&self) -> bool {
        !self.finished.is_empty()
    }

    /// The exchanges that have not ended: requests without a response, and at most one whose response is passing.
    pub fn open(&self) -> impl Iterator<Item = &Exchange> {
        self.current
            .iter()
            .chain(self.open.iter())
            .map(|exchange| &**exchange)
    }

    /// No more will come: lets go a response that waited for its request. Call it before the last `drain`.
    pub fn finish(&mut self) {
        self.release_held();
    }

    /// The frame in which a head began that is not complete yet, in one direction.
    pub fn partial(&self, from: Direction) -> Option<Mark> {
        let side = self.side(from);
        (matches!(side.state, State::Head) && !side.head.is_empty()).then_some(side.first)
    }

    /// Bytes of one direction that are no HTTP where a message had to begin: the first such.
    pub fn foreign(&self, from: Direction) -> Option<Foreign> {
        self.side(from).foreign
    }

    /// Messages that a direction began so far.
    pub fn messages(&self, from: Direction) -> u32 {
        self.side(from).messages
    }

    /// The host that the last request named, without its port; absent where it is an address.
    pub fn host_name(&self) -> Option<&str> {
        host_name(self.host.as_deref()?)
    }

    /// The messages showed that the assumed client is the server.
    pub const fn swapped(&self) -> bool {
        self.swapped
    }

    /// The tunnel that the last chunk opened. Ask after each chunk: what comes later in either direction belongs to
    /// the tunnel and is to be given to another observer, `early` first.
    pub fn take_tunnel(&mut self) -> Option<Box<Tunnel>> {
        self.tunnel.take()
    }

    /// What came of an upgrade to HTTP/2 in the last chunk. Ask after each chunk, as with tunnels; what endpoint rules
    /// read in bodies goes with it.
    pub(in crate::protocol) fn take_upgraded(
        &mut self,
    ) -> Option<(Box<Upgraded>, Option<Box<Payloads>>)> {
        let upgraded = self.upgraded.take()?;
        Some((upgraded, self.payloads.take().map(Box::new)))
    }

    fn side(&self, from: Direction) -> &Side {
        let [there, back] = &self.sides;
        if from == Direction::ToServer {
            there
        } else {
            back
        }
    }

    fn side_mut(&mut self, from: Direction) -> &mut Side {
        let [there, back] = &mut self.sides;
        if from == Direction::ToServer {
            there
        } else {
            back
        }
    }

    /// Does this direction carry requests?
    fn asks(&self, from: Direction) -> bool {
        (from == Direction::ToServer) != self.swapped
    }

    fn client(&self) -> Direction {
        if self.swapped {
            Direction::ToClient
        } else {
            Direction::ToServer
        }
    }

    fn data(&mut self, from: Direction, bytes: &[u8], at: Mark) {
        let mut rest = bytes;
        let mut segment_begins = true;
        while !rest.is_empty() {
            let state = self.side(from).state;
            rest = match state {
                State::Opaque => return self.keep_inner(from, rest),
                State::Early => return self.keep_early(from, rest),
                State::Lost if segment_begins && self.fits(from, head::look(rest)) => {
                    self.side_mut(from).state = State::Between;
                    rest
                }
                State::Lost => return,
                State::Between => self.between(from, rest, at),
                State::Head => self.head(from, rest, at),
                State::Body { decoder, number } => self.body(from, rest, (decoder, number), at),
            };
            segment_begins = false;
        }
    }

    fn keep_inner(&mut self, from: Direction, rest: &[u8]) {
        let tunnel = self.tunnel.as_mut().map(|tunnel| &mut tunnel.early);
        let upgraded = self.upgraded.as_mut().map(|upgraded| &mut upgraded.early);
        if let Some(Both([there, back])) = tunnel.or(upgraded) {
            if from == Direction::ToServer {
                there
            } else {
                back
            }
            .extend_from_slice(rest);
        }
    }

    fn keep_early(&mut self, from: Direction, rest: &[u8]) {
        let side = self.side_mut(from);
        side.head.extend_from_slice(rest);
        if side.head.len() > EARLY_MAX {
            side.head = Vec::new();
            side.state = State::Opaque;
        }
    }

    /// Does what begins here belong into this direction? The first message of all may correct who is the client.
    fn fits(&mut self, from: Direction, look: Look) -> bool {
        let asks = match look {
            Look::Request => true,
            Look::Response => false,
            Look::Short | Look::Not => return false,
        };
        if asks != self.asks(from)
            && !self.synced
            && self.sides.iter().all(|side| side.messages == 0)
        {
            self.swapped = !self.swapped;
        }
        asks == self.asks(from)
    }

    /// RFC 9112 2.2: empty lines before a message are passed over.
    fn between<'b>(&mut self, from: Direction, rest: &'b [u8], at: Mark) -> &'b [u8] {
        let blank = rest
            .iter()
            .take_while(|&&byte| byte == b'\r' || byte == b'\n')
            .count();
        let rest = rest.get(blank..).unwrap_or(&[]);
        if !rest.is_empty() {
            let side = self.side_mut(from);
            side.state = State::Head;
            side.first = at;
            side.recognised = false;
            side.head.clear();
        }
        rest
    }

    fn head<'b>(&mut self, from: Direction, rest: &'b [u8], at: Mark) -> &'b [u8] {
        let mut buffer = std::mem::take(&mut self.side_mut(from).head);
        let before = buffer.len();
        // A head that lies in one segment is read from there.
        let bytes = if before == 0 {
            rest
        } else {
            buffer.extend_from_slice(rest);
            &buffer
        };
        if !self.side(from).recognised {
            let look = head::look(bytes);
            let recognised = self.fits(from, look);
            if !recognised && look != Look::Short {
                self.not_http(from, bytes, at);
                return &[];
            }
            self.side_mut(from).recognised = recognised;
        }
        // A head that came in pieces is read once it is whole, one that lies in a segment without looking for its end.
        let whole = before == 0 || head::end(bytes, before).is_some();
        let after = if whole {
            self.begin(from, bytes, at)
        } else {
            None
        };
        let end = match after {
            Some(after) => Some(bytes.len().saturating_sub(after)),
            None => head::end(bytes, before),
        };
        match end {
            Some(end) if end <= HEAD_MAX => {
                if after.is_none() {
                    self.count(from);
                    self.not_http(from, bytes.get(..end).unwrap_or(bytes), at);
                }
                rest.get(end.saturating_sub(before)..).unwrap_or(&[])
            }
            None if bytes.len() <= HEAD_MAX => {
                self.side_mut(from).head = if before == 0 { rest.to_vec() } else { buffer };
                &[]
            }
            _ => {
                self.lose(from);
                &[]
            }
        }
    }

    /// Takes the message whose head these bytes begin with: how many bytes follow the head, if it is one.
    fn begin(&mut self, from: Direction, bytes: &[u8], at: Mark) -> Option<usize> {
        let first = self.side(from).first;
        let fits = |after: &[u8]| bytes.len().saturating_sub(after.len()) <= HEAD_MAX;
        if self.asks(from) {
            let (request, after) = head::request(bytes, first, at)?;
            if fits(after) {
                self.count(from);
                self.request(from, request);
            }
            Some(after.len())
        } else {
            let (response, after) = head::response(bytes, first, at)?;
            if fits(after) {
                self.count(from);
                self.response(from, response, at);
            }
            Some(after.len())
        }
    }

    /// A head is whole.
    fn count(&mut self, from: Direction) {
        let side = self.side_mut(from);
        side.state = State::Between;
        side.messages = side.messages.saturating_add(1);
    }

    fn not_http(&mut self, from: Direction, bytes: &[u8], at: Mark) {
        let side = self.side(from);
        let expected = self.asks(from) || side.messages == 0 || !self.open.is_empty();
        let surplus = !expected && side.first == self.ended_at;
        if side.foreign.is_none() && (expected || surplus) {
            let tls = matches!(bytes, [0x14..=0x17, 3, 0..=4, ..]);
            let messages_before = side.messages;
            self.side_mut(from).foreign = Some(Foreign {
                at,
                tls,
                messages_before,
            });
        }
        self.lose(from);
    }

    fn lose(&mut self, from: Direction) {
        let side = self.side_mut(from);
        side.state = State::Lost;
        side.head = Vec::new();
        self.synced = false;
        for exchange in self.current.iter_mut().chain(self.open.iter_mut()) {
            exchange.sure = false;
        }
    }

    fn end_current(&mut self, complete: bool, at: Mark) {
        if let Some(exchange) = self.current.take() {
            self.end_response(exchange, complete, at);
        }
    }

    fn end_response(&mut self, mut exchange: Box<Exchange>, complete: bool, at: Mark) {
        self.ended_at = at;
        let mut spare = false;
        if let Some(response) = exchange.response.as_mut() {
            response.complete = complete;
            response.last = at;
            spare = response.status == 408;
        }
        if exchange.request.is_none() && self.synced && !spare {
            self.held = Some(exchange);
        } else {
            self.push_finished(exchange);
        }
    }

    fn release_held(&mut self) {
        if let Some(held) = self.held.take() {
            self.push_finished(held);
        }
    }

    fn push_finished(&mut self, exchange: Box<Exchange>) {
        if self.finished.len() >= FINISHED_MAX {
            self.finished.pop_front();
            self.omitted = self.omitted.saturating_add(1);
        }
        self.finished.push_back(exchange);
    }
}

/// The name in `host[:port]`; an address is none.
pub(in crate::protocol) fn host_name(host: &str) -> Option<&str> {
    let digits = host.bytes().rev().take_while(u8::is_ascii_digit).count();
    let before = host.len().saturating_sub(digits);
    let name = host
        .get(..before)
        .and_then(|before| before.strip_suffix(':'))
        .unwrap_or(host);
    // RFC 1123 2.1: no name has the form of an address, since its last label has letters.
    let mut dots = 0_usize;
    let dotted = name.bytes().all(|byte| {
        dots = dots.saturating_add(usize::from(byte == b'.'));
        byte.is_ascii_digit() || byte == b'.'
    }) && dots == 3;
    let address = dotted || name.starts_with('[') || name.contains(':');
    (!address && !name.is_empty()).then(|| name.trim_end_matches('.'))
}

impl Observer for Log {
    fn on_chunk(&mut self, from: Direction, chunk: Chunk<'_>, at: Mark) -> Next {
        if matches!(self.side(from).state, State::Opaque) {
            return Next::Done;
        }
        match chunk {
            Chunk::Data(bytes) => self.data(from, bytes, at),
            Chunk::Gap(missing) => self.gap(from, missing, at),
            Chunk::Fin => {
                self.fin(from, at);
                return Next::Done;
            }
        }
        // The chunk that opens a tunnel is answered with More, so that the tunnel's own reader gets what follows.
        let opaque = matches!(self.side(from).state, State::Opaque)
            && self.tunnel.is_none()
            && self.upgraded.is_none();
        if opaque { Next::Done } else { Next::More }
    }
}
