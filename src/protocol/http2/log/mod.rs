//! The observer: cuts both directions into frames, and hands on what they carry.

mod cut;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::endpoint::Rules;
use crate::mark::{Both, Direction, Mark};
use crate::protocol::http1::{Exchange, Foreign, Payloads, Request};
use crate::protocol::{Chunk, Next, Observer};

use super::BLOCK_MAX;
use super::fields::Fields;
use super::frame::{Head, Kind};
use super::hpack::Decoder;
use super::stream::Stream;

/// Streams followed at once; of more the oldest is let go as unanswered and not sure.
pub(super) const OPEN_MAX: usize = 256;
/// Exchanges kept between two drains; the oldest give way and are counted.
const FINISHED_MAX: usize = 1_024;
/// Streams remembered that are over: what still comes of them means nothing.
const OVER_MAX: usize = 256;
/// Bytes kept of what a GOAWAY says beside its code.
const WORDS_MAX: usize = 64;

/// Reader of one HTTP/2 connection.
#[derive(Debug, Default)]
pub struct Log {
    pub(super) sides: Both<Side>,
    /// The preface was seen and nothing was lost since.
    pub(super) synced: bool,
    /// Which end is the client was told by the messages, against what the conductor assumed.
    swapped: bool,
    pub(super) streams: BTreeMap<u32, Box<Stream>>,
    /// Refused before they were worked on: told, unless the client asks anew.
    pub(super) refused: VecDeque<Box<Exchange>>,
    over: VecDeque<u32>,
    /// The highest stream that the client opened.
    pub(super) highest: u32,
    finished: VecDeque<Box<Exchange>>,
    pub(super) number: u32,
    pub(super) host: Option<SmolStr>,
    pub(super) payloads: Option<Box<Payloads>>,
    /// Exchanges that no longer fitted between two drains.
    pub omitted: u64,
    /// Answers whose status is not known, and header blocks that could not be read.
    pub unread: u64,
    away: Both<Option<Away>>,
    /// The server answered in HTTP/1.
    pub plain: bool,
    /// How many streams the server takes at once, where it says so.
    pub streams_max: Option<u32>,
}

/// An end takes no more streams (RFC 9113 6.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    /// The frame.
    pub at: Mark,
    /// Error code; 0 where it closes in peace.
    pub code: u32,
    /// The last stream that it may have worked on.
    pub last: u32,
    /// What it says beside, if that is text: up to 64 bytes.
    pub words: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Side {
    state: State,
    /// The part of a head or of a frame that was delivered so far.
    kept: Vec<u8>,
    /// The frame's first byte.
    pub(super) first: Mark,
    decoder: Decoder,
    /// A header block that is not complete yet.
    block: Option<Block>,
    messages: u32,
    foreign: Option<Foreign>,
}

/// A header block.
#[derive(Debug)]
pub(super) struct Block {
    stream: u32,
    ends_stream: bool,
    /// It promises a response that nobody asked for: read for the table's sake.
    promise: bool,
    first: Mark,
    bytes: Vec<u8>,
    /// It is longer than what is read.
    beyond: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// At the client's first byte.
    #[default]
    Begin,
    /// At the beginning of a frame.
    Between,
    /// Inside a frame that is read as a whole.
    Payload(Head),
    /// Inside DATA: bytes that are left, and whether its padding length is still to come.
    Data {
        head: Head,
        left: usize,
        padding: Option<usize>,
    },
    /// Inside a frame that means nothing here.
    Skip(usize),
    /// After a hole or foreign bytes: a frame may begin with any segment.
    Lost,
    /// The server answers in HTTP/1.
    Plain,
    /// Nothing more is read.
    Closed,
}

impl Log {
    /// A connection that was upgraded: this request is stream 1.
    pub(in crate::protocol) fn upgraded(
        request: Option<Request>,
        payloads: Option<Box<Payloads>>,
    ) -> Self {
        let mut log = Self {
            payloads,
            ..Self::default()
        };
        if let Some(request) = request {
            log.host.clone_from(&request.host);
            log.insert(1, Some(request), true);
        }
        log
    }

    /// Reads bodies as the endpoint rules say.
    pub fn read_by(&mut self, rules: &Arc<Rules>, server: (IpAddr, u16)) {
        self.payloads = Some(Box::new(Payloads::new(rules, server)));
    }

    /// The exchange that ended first of those since the last call.
    pub fn next_ended(&mut self) -> Option<Box<Exchange>> {
        self.finished.pop_front()
    }

    /// The exchanges that have not ended, by stream.
    pub fn open(&self) -> impl Iterator<Item = &Exchange> {
        let open = self.streams.values().map(|stream| &stream.exchange);
        open.chain(self.refused.iter().map(|exchange| &**exchange))
    }

    /// No more will come: what was refused was not asked anew. Call it before the last `next_ended`.
    pub fn finish(&mut self) {
        while let Some(refused) = self.refused.pop_front() {
            self.push_finished(refused);
        }
    }

    /// The frame in which a header block began that is not complete yet, in one direction.
    pub fn partial(&self, from: Direction) -> Option<Mark> {
        self.sides[from].block.as_ref().map(|block| block.first)
    }

    /// Bytes of one direction that are no HTTP/2 where a frame had to begin: the first such.
    pub fn foreign(&self, from: Direction) -> Option<Foreign> {
        self.sides[from].foreign
    }

    /// Header blocks that a direction sent so far, and frames before the first of them.
    pub fn messages(&self, from: Direction) -> u32 {
        self.sides[from].messages
    }

    /// That an end takes no more streams; the last word of it, where they differ an error.
    pub fn away(&self, from: Direction) -> Option<&Away> {
        self.away[from].as_ref()
    }

    /// Does this direction carry requests?
    pub(super) fn asks(&self, from: Direction) -> bool {
        (from == Direction::ToServer) != self.swapped
    }

    pub(super) fn push_finished(&mut self, exchange: Box<Exchange>) {
        if self.finished.len() >= FINISHED_MAX {
            self.finished.pop_front();
            self.omitted = self.omitted.saturating_add(1);
        }
        self.finished.push_back(exchange);
    }

    /// Is this stream over, so that what comes of it means nothing?
    pub(super) fn is_over(&self, stream: u32) -> bool {
        self.over.contains(&stream) || self.synced && stream <= self.highest
    }

    pub(super) fn note_over(&mut self, stream: u32) {
        if self.over.len() >= OVER_MAX {
            self.over.pop_front();
        }
        self.over.push_back(stream);
    }

    fn frame(&mut self, from: Direction, head: Head, payload: &[u8], at: Mark) {
        let side = &mut self.sides[from];
        let inside = side.block.as_ref().map(|block| block.stream);
        // RFC 9113 6.10: nothing may come between the frames of a header block.
        if inside.is_some() != (head.kind == Kind::Continuation)
            || inside.is_some_and(|stream| stream != head.stream)
        {
            self.spoilt(from, inside.unwrap_or(head.stream));
            self.sides[from].block = None;
            if head.kind == Kind::Continuation {
                return;
            }
        }
        let word = |place: usize| {
            let bytes = payload.get(place..place + 4)?;
            Some(u32::from_be_bytes(bytes.try_into().ok()?))
        };
        match head.kind {
            Kind::Data if head.ends_stream() => self.on_end(from, head.stream, at),
            Kind::Headers | Kind::Promise => {
                let Some(bytes) = head.block(payload) else {
                    return self.spoilt(from, head.stream);
                };
                let side = &mut self.sides[from];
                side.block = Some(Block {
                    stream: head.stream,
                    ends_stream: head.ends_stream(),
                    promise: head.kind == Kind::Promise,
                    first: side.first,
                    bytes: bytes.to_vec(),
                    beyond: false,
                });
            }
            Kind::Continuation => {
                if let Some(block) = &mut self.sides[from].block {
                    block.beyond |= block.bytes.len() + payload.len() > BLOCK_MAX;
                    if !block.beyond {
                        block.bytes.extend_from_slice(payload);
                    }
                }
            }
            Kind::Reset => self.on_reset(from, head.stream, word(0).unwrap_or(0), at),
            Kind::Settings if !head.ack() => self.on_settings(from, payload),
            Kind::GoAway => {
                let words = payload.get(8..).unwrap_or(&[]);
                self.on_away(
                    from,
                    Away {
                        at,
                        code: word(4).unwrap_or(0),
                        last: word(0).unwrap_or(0) & 0x7fff_ffff,
                        words: printable(words),
                    },
                );
            }
            _ => {}
        }
        let blocks = matches!(
            head.kind,
            Kind::Headers | Kind::Promise | Kind::Continuation
        );
        if blocks && head.ends_block() {
            self.block(from, at);
        }
    }

    /// A header block is complete.
    fn block(&mut self, from: Direction, at: Mark) {
        let asks = self.asks(from);
        let side = &mut self.sides[from];
        let Some(block) = side.block.take() else {
            return;
        };
        if block.beyond {
            return self.spoilt(from, block.stream);
        }
        let Ok(fields) = Fields::read(&mut side.decoder, &block.bytes, asks) else {
            return self.spoilt(from, block.stream);
        };
        // The first message of all may correct who is the client.
        let turned = if asks {
            fields.status.is_some()
        } else {
            !fields.request.method.is_empty()
        };
        if turned && !self.synced && self.sides.iter().all(|side| side.messages == 0) {
            self.swapped = !self.swapped;
        }
        let asks = self.asks(from);
        let side = &mut self.sides[from];
        side.messages = side.messages.saturating_add(1);
        if block.promise || block.stream.is_multiple_of(2) {
            return;
        }
        let place = (block.stream, block.ends_stream, block.first);
        if asks {
            self.on_request(fields, place, at);
        } else {
            self.on_response(fields, place, at);
        }
    }

    /// A header block cannot be read: neither can what refers to it.
    fn spoilt(&mut self, from: Direction, stream: u32) {
        self.sides[from].decoder.lose();
        self.unread = self.unread.saturating_add(1);
        if let Some(known) = self.streams.get_mut(&stream) {
            known.exchange.sure = false;
        }
    }

    fn on_settings(&mut self, from: Direction, payload: &[u8]) {
        let [there, back] = [Direction::ToServer, Direction::ToClient];
        let server = if self.asks(there) { back } else { there };
        for setting in payload.chunks_exact(6).filter(|_| from == server) {
            // RFC 9113 6.5.2: SETTINGS_MAX_CONCURRENT_STREAMS.
            if let [0, 3, a, b, c, d] = *setting {
                self.streams_max = Some(u32::from_be_bytes([a, b, c, d]));
            }
        }
    }

    fn on_away(&mut self, from: Direction, away: Away) {
        let server = !self.asks(from);
        let peace = away.code == 0;
        if server && peace {
            // RFC 9113 6.8: what is above was not worked on, and is asked again elsewhere.
            let above = self.streams.split_off(&away.last.saturating_add(1));
            for (stream, _) in above {
                self.note_over(stream);
            }
        }
        let known = &mut self.away[from];
        if known.as_ref().is_none_or(|known| known.code == 0) {
            *known = Some(away);
        }
    }
}

/// What a GOAWAY says in words.
fn printable(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.get(..WORDS_MAX).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).ok()?.trim();
    (!text.is_empty() && text.chars().all(|c| !c.is_control())).then(|| text.to_owned())
}

impl Observer for Log {
    fn on_chunk(&mut self, from: Direction, chunk: Chunk<'_>, at: Mark) -> Next {
        match chunk {
            Chunk::Data(bytes) => self.data(from, bytes, at),
            Chunk::Gap(missing) => self.gap(from, missing, at),
            Chunk::Fin => {
                if !self.asks(from) {
                    self.on_close();
                }
                return Next::Done;
            }
        }
        if matches!(self.sides[from].state, State::Closed) {
            Next::Done
        } else {
            Next::More
        }
    }
}
