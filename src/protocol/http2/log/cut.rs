//! Bytes into frames, and the way back in after a hole.

use crate::mark::{Direction, Mark};
use crate::protocol::http1::{Foreign, head};

use super::super::frame::{self, Head, Kind};
use super::super::{BLOCK_MAX, PREFACE};
use super::{Log, State};

/// The type of SETTINGS.
const SETTINGS: u8 = 4;
/// Longest answer of a server that speaks HTTP/1 instead.
const PLAIN_MAX: usize = 8 * 1024;

impl Log {
    pub(super) fn data(&mut self, from: Direction, bytes: &[u8], at: Mark) {
        let mut rest = bytes;
        let mut segment_begins = true;
        while !rest.is_empty() {
            rest = match self.sides[from].state {
                State::Closed => return,
                State::Lost if segment_begins && frame::chain(rest) => {
                    self.sides[from].state = State::Between;
                    rest
                }
                State::Lost => return,
                State::Begin => self.begin(from, rest, at),
                State::Between => self.head(from, rest, at),
                State::Payload(head) => self.payload(from, rest, head, at),
                State::Data {
                    head,
                    left,
                    padding,
                } => self.body(from, rest, (head, left, padding), at),
                State::Skip(left) => {
                    let (_, later) = rest.split_at(left.min(rest.len()));
                    self.step_over(from, left, rest.len() - later.len());
                    later
                }
                State::Plain => return self.plain(from, rest, at),
            };
            segment_begins = false;
        }
    }

    fn step_over(&mut self, from: Direction, left: usize, used: usize) {
        self.sides[from].state = match left - used {
            0 => State::Between,
            left => State::Skip(left),
        };
    }

    /// The client's preface; the server begins with SETTINGS (RFC 9113 3.4). Where neither is there, the connection was
    /// joined, and what the tables held before is unknown.
    fn begin<'b>(&mut self, from: Direction, rest: &'b [u8], at: Mark) -> &'b [u8] {
        let side = &mut self.sides[from];
        let known = side.kept.len();
        if known == 0 {
            side.first = at;
        }
        if from == Direction::ToServer {
            let lacking = PREFACE.get(known..).unwrap_or(&[]);
            let same = lacking
                .iter()
                .zip(rest)
                .take_while(|(own, byte)| own == byte);
            let used = same.count();
            if used == lacking.len() {
                side.kept.clear();
                side.state = State::Between;
                let mut sides = self.sides.iter();
                self.synced = sides.all(|side| !matches!(side.state, State::Lost));
                return rest.get(used..).unwrap_or(&[]);
            }
            if used == rest.len() {
                side.kept.extend_from_slice(rest);
                return &[];
            }
        } else if self.synced || rest.get(3) == Some(&SETTINGS) || rest.starts_with(b"HTTP/1.") {
            side.state = State::Between;
            return rest;
        }
        if known > 0 || !frame::chain(rest) {
            self.not_http(from, at);
            return &[];
        }
        for side in &mut self.sides.0 {
            side.decoder.lose();
        }
        self.sides[from].state = State::Between;
        rest
    }

    fn head<'b>(&mut self, from: Direction, rest: &'b [u8], at: Mark) -> &'b [u8] {
        let asks = self.asks(from);
        let side = &mut self.sides[from];
        if side.kept.is_empty() {
            side.first = at;
        }
        let used = (frame::HEAD - side.kept.len()).min(rest.len());
        let (own, later) = rest.split_at(used);
        side.kept.extend_from_slice(own);
        if side.kept.len() < frame::HEAD {
            return later;
        }
        if !asks && side.messages == 0 && side.kept.starts_with(b"HTTP/1.") {
            side.state = State::Plain;
            return later;
        }
        let head = Head::parse(&side.kept);
        side.kept.clear();
        let Some(head) = head else {
            self.not_http(from, at);
            return &[];
        };
        let state = match head.kind {
            Kind::Data if head.len > 0 => State::Data {
                head,
                left: head.len,
                padding: head.padded().then_some(0),
            },
            Kind::Priority | Kind::Ping | Kind::Window | Kind::Other if head.len > 0 => {
                State::Skip(head.len)
            }
            _ if head.len > BLOCK_MAX => {
                self.too_long(from, head);
                State::Skip(head.len)
            }
            _ if head.len > 0 => State::Payload(head),
            _ => {
                side.state = State::Between;
                self.frame(from, head, &[], at);
                return later;
            }
        };
        self.sides[from].state = state;
        later
    }

    /// A header block that is not read makes the table unknown.
    fn too_long(&mut self, from: Direction, head: Head) {
        if matches!(
            head.kind,
            Kind::Headers | Kind::Promise | Kind::Continuation
        ) {
            self.spoilt(from, head.stream);
            self.sides[from].block = None;
        }
    }

    fn payload<'b>(&mut self, from: Direction, rest: &'b [u8], head: Head, at: Mark) -> &'b [u8] {
        let mut kept = std::mem::take(&mut self.sides[from].kept);
        let used = head.len.saturating_sub(kept.len()).min(rest.len());
        let (own, later) = rest.split_at(used);
        if kept.is_empty() && own.len() == head.len {
            self.sides[from].state = State::Between;
            self.frame(from, head, own, at);
            return later;
        }
        kept.extend_from_slice(own);
        if kept.len() < head.len {
            self.sides[from].kept = kept;
        } else {
            self.sides[from].state = State::Between;
            self.frame(from, head, &kept, at);
        }
        later
    }

    /// DATA: its padding is no part of the body (RFC 9113 6.1).
    fn body<'b>(
        &mut self,
        from: Direction,
        rest: &'b [u8],
        (head, left, padding): (Head, usize, Option<usize>),
        at: Mark,
    ) -> &'b [u8] {
        let (mut left, mut padding, mut rest) = (left, padding, rest);
        if left == head.len
            && let (Some(0), Some((&first, later))) = (padding, rest.split_first())
        {
            (left, padding, rest) = (left - 1, Some(usize::from(first)), later);
        }
        let used = left.min(rest.len());
        let (own, later) = rest.split_at(used);
        let body = left.saturating_sub(padding.unwrap_or(0)).min(used);
        if let Some(body) = own.get(..body).filter(|body| !body.is_empty()) {
            self.on_body(from, head.stream, body, at);
        }
        left -= used;
        if left > 0 {
            self.sides[from].state = State::Data {
                head,
                left,
                padding,
            };
            return later;
        }
        self.sides[from].state = State::Between;
        if head.ends_stream() {
            self.on_end(from, head.stream, at);
        }
        later
    }

    /// The server speaks HTTP/1: its answer stands for the first request.
    fn plain(&mut self, from: Direction, rest: &[u8], at: Mark) {
        let side = &mut self.sides[from];
        side.kept.extend_from_slice(rest);
        let end = head::end(&side.kept, 0);
        if end.is_none() && side.kept.len() <= PLAIN_MAX {
            return;
        }
        let kept = std::mem::take(&mut side.kept);
        side.state = State::Closed;
        let first = side.first;
        let answer = end.and_then(|_| head::response(&kept, first, at));
        match answer {
            Some((answer, _)) => self.on_plain_answer(answer),
            None => self.not_http(from, at),
        }
    }

    fn not_http(&mut self, from: Direction, at: Mark) {
        let side = &mut self.sides[from];
        if self.synced && side.foreign.is_none() {
            side.foreign = Some(Foreign {
                at,
                tls: false,
                messages_before: side.messages,
            });
        }
        self.lose(from);
    }

    fn lose(&mut self, from: Direction) {
        let side = &mut self.sides[from];
        side.state = State::Lost;
        side.kept = Vec::new();
        side.block = None;
        side.decoder.lose();
        self.synced = false;
        for stream in self.streams.values_mut() {
            stream.exchange.sure = false;
        }
    }

    pub(super) fn gap(&mut self, from: Direction, missing: u64, at: Mark) {
        let left = match self.sides[from].state {
            State::Data { left, .. } | State::Skip(left) => left,
            State::Closed | State::Plain => return,
            _ => 0,
        };
        let within = usize::try_from(missing).is_ok_and(|missing| missing <= left);
        let missed = usize::try_from(missing).unwrap_or(left).min(left);
        match self.sides[from].state {
            State::Data { head, padding, .. } => {
                self.on_missed(from, head.stream, missed as u64);
                if within && missed == left {
                    self.sides[from].state = State::Between;
                    if head.ends_stream() {
                        self.on_end(from, head.stream, at);
                    }
                } else if within {
                    self.sides[from].state = State::Data {
                        head,
                        left: left - missed,
                        padding,
                    };
                }
            }
            State::Skip(left) if within => self.step_over(from, left, missed),
            _ => {}
        }
        if !within {
            self.lose(from);
        }
    }
}
