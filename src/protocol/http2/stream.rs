//! Streams: a request and its response each (RFC 9113 5.1 and 8.1), told as HTTP/1's exchanges are.

use std::collections::btree_map::Entry;

use crate::mark::{Direction, Mark, Seen};
use crate::protocol::http1::{
    Exchange, Exposed, Framing, Gathering, Grpc, Request, Reset, Response, marks, secrets,
};

use super::fields::Fields;
use super::log::{Log, OPEN_MAX};

/// Bodies that are looked at at once, of one connection: up to 256 KiB each.
const GATHERED_MAX: usize = 8;
/// First bytes of an error's body that are looked at.
const PAGE_MAX: usize = 2 * 1024;
/// Requests remembered that were refused before they were worked on.
const REFUSED_MAX: usize = 32;
/// RST_STREAM: the server does not want the rest of the request, or refused it unseen (RFC 9113 7).
const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;

/// One stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) exchange: Exchange,
    asking: Option<Box<Gathering>>,
    answering: Option<Box<Gathering>>,
    page: Vec<u8>,
}

/// Stream, whether it ends here, and the first frame of the header block.
type Place = (u32, bool, Mark);

impl Log {
    /// Follows a new stream.
    pub(super) fn insert(&mut self, id: u32, request: Option<Request>, sure: bool) {
        if self.streams.len() >= OPEN_MAX
            && let Some((oldest, mut stream)) = self.streams.pop_first()
        {
            stream.exchange.sure = false;
            self.note_over(oldest);
            self.push_finished(Box::new(stream.exchange));
        }
        let exchange = Exchange {
            number: self.number,
            stream: Some(id),
            request,
            sure,
            ..Exchange::default()
        };
        self.number = self.number.wrapping_add(1);
        let stream = Stream {
            exchange,
            ..Stream::default()
        };
        self.streams.insert(id, Box::new(stream));
    }

    pub(super) fn on_request(&mut self, fields: Fields, (id, ends, first): Place, at: Mark) {
        let sure = self.synced;
        let known = self.streams.get_mut(&id);
        if let Some(stream) = known {
            match &mut stream.exchange.request {
                // Trailers.
                Some(_) if ends => self.end_of_request(id, at),
                Some(_) => {}
                // The capture showed the response first.
                empty => *empty = Some(asked(fields, ends, first, at)),
            }
            return;
        }
        if self.is_over(id) || fields.request.method == "CONNECT" {
            self.highest = self.highest.max(id);
            return;
        }
        self.highest = self.highest.max(id);
        let request = asked(fields, ends, first, at);
        if request.host.is_some() {
            self.host.clone_from(&request.host);
        }
        self.refused.retain(|refused| {
            let other = refused.request.as_ref();
            !other.is_some_and(|other| {
                (&other.method, &other.target) == (&request.method, &request.target)
            })
        });
        let gathering = if ends {
            None
        } else {
            self.gathers(Some(&request), None)
        };
        self.insert(id, Some(request), sure);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.asking = gathering;
        }
    }

    pub(super) fn on_response(&mut self, fields: Fields, (id, ends, first): Place, at: Mark) {
        let unknown = !self.streams.contains_key(&id);
        if unknown && self.is_over(id) {
            return;
        }
        let answered = self
            .streams
            .get_mut(&id)
            .and_then(|stream| stream.exchange.response.as_mut());
        if let Some(response) = answered {
            // Trailers (RFC 9113 8.1).
            trailers(response, fields.grpc, at);
            if ends {
                self.end_of_response(id, at);
            }
            return;
        }
        let Some(status) = fields.status else {
            // What is said by reference to what was not heard.
            self.unread = self.unread.saturating_add(1);
            self.streams.remove(&id);
            self.note_over(id);
            return;
        };
        if unknown {
            self.insert(id, None, self.synced);
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if status < 200 {
            stream.exchange.interim = Some(Seen { value: status, at });
            return;
        }
        let mut response = Response {
            first,
            head: at,
            last: at,
            ..fields.response
        };
        trailers(&mut response, fields.grpc, at);
        let asked = stream.exchange.request.as_ref();
        let head = asked.is_some_and(|request| request.method == "HEAD");
        if ends || head || matches!(status, 204 | 304) {
            response.body.framing = Framing::None;
        }
        if !ends {
            let asked = asked.cloned();
            let gathering = self.gathers(asked.as_ref(), Some(&response));
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.answering = gathering;
            }
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.exchange.response = Some(response);
        }
        if ends {
            self.end_of_response(id, at);
        }
    }

    /// Looks at a body, where what it says is of interest and few others are looked at.
    fn gathers(
        &mut self,
        request: Option<&Request>,
        response: Option<&Response>,
    ) -> Option<Box<Gathering>> {
        let busy = self.streams.values();
        let busy = busy.filter(|stream| stream.asking.is_some() || stream.answering.is_some());
        if busy.count() >= GATHERED_MAX {
            return None;
        }
        let payloads = self.payloads.as_deref_mut();
        match response {
            None => Gathering::of_request(request?, |declared| {
                payloads.and_then(|known| known.reads(request, false, declared))
            }),
            Some(response) => Gathering::of_response(request, response, |declared| {
                payloads.and_then(|known| known.reads(request, true, declared))
            }),
        }
    }

    /// Bytes of a body.
    pub(super) fn on_body(&mut self, from: Direction, id: u32, bytes: &[u8], at: Mark) {
        let asks = self.asks(from);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if asks {
            stream.ask(bytes, at);
        } else {
            stream.answer(bytes, at);
        }
    }

    /// Bytes of a body that were not captured.
    pub(super) fn on_missed(&mut self, from: Direction, id: u32, missed: u64) {
        let asks = self.asks(from);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let exchange = &mut stream.exchange;
        let body = if asks {
            stream.asking = None;
            exchange.request.as_mut().map(|request| &mut request.body)
        } else {
            stream.answering = None;
            exchange
                .response
                .as_mut()
                .map(|response| &mut response.body)
        };
        if let Some(body) = body {
            body.missed_bytes = body.missed_bytes.saturating_add(missed);
        }
    }

    /// The sender has said all of this stream.
    pub(super) fn on_end(&mut self, from: Direction, id: u32, at: Mark) {
        if self.asks(from) {
            self.end_of_request(id, at);
        } else {
            self.end_of_response(id, at);
        }
    }

    fn end_of_request(&mut self, id: u32, at: Mark) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let content = stream.asking.take();
        if let Some(request) = &mut stream.exchange.request {
            request.content = content.map(|gathering| Box::new(gathering.finish()));
            request.complete = true;
            request.last = at;
        }
    }

    fn end_of_response(&mut self, id: u32, at: Mark) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let content = stream.answering.take();
        let Some(response) = &mut stream.exchange.response else {
            // The stream ends without a final response: malformed (RFC 9113 8.1), and nothing to tell it by.
            return;
        };
        response.content = content.map(|gathering| Box::new(gathering.finish()));
        response.complete = true;
        response.last = at;
        // RFC 9113 8.1.1: a length that does not hold makes the message malformed.
        let passed = response.body.seen_bytes + response.body.missed_bytes;
        if let Framing::Length(length) = response.body.framing {
            response.broken = length != passed;
        }
        self.end(id);
    }

    fn end(&mut self, id: u32) {
        if let Some(stream) = self.streams.remove(&id) {
            self.note_over(id);
            self.push_finished(Box::new(stream.exchange));
        }
    }

    /// One end gives the stream up.
    pub(super) fn on_reset(&mut self, from: Direction, id: u32, code: u32, at: Mark) {
        let by_client = self.asks(from);
        let Entry::Occupied(entry) = self.streams.entry(id) else {
            return;
        };
        let mut exchange = Box::new(entry.remove().exchange);
        self.note_over(id);
        exchange.reset = Some(Reset {
            by_client,
            code,
            at,
        });
        match &mut exchange.response {
            // The client wants no more of it; so does a server that has said all and wants no more of the request.
            Some(response) if by_client || code == NO_ERROR => {
                response.complete = by_client || response.body.framing == Framing::None;
                self.push_finished(exchange);
            }
            None if code == REFUSED_STREAM && !by_client => {
                // RFC 9113 8.7: it may be asked again at once, and mostly is.
                if self.refused.len() >= REFUSED_MAX
                    && let Some(oldest) = self.refused.pop_front()
                {
                    self.push_finished(oldest);
                }
                self.refused.push_back(exchange);
            }
            _ => self.push_finished(exchange),
        }
    }

    /// The server closes: responses that have not ended never will.
    pub(super) fn on_close(&mut self) {
        let passing: Vec<u32> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.exchange.response.is_some())
            .map(|(id, _)| *id)
            .collect();
        passing.into_iter().for_each(|id| self.end(id));
    }

    /// The answer of a server that speaks HTTP/1: to all that was asked, and nothing more comes.
    pub(super) fn on_plain_answer(&mut self, answer: Response) {
        self.plain = true;
        if self.streams.is_empty() {
            // The preface alone was answered.
            self.insert(1, None, self.synced);
        }
        let mut streams = std::mem::take(&mut self.streams).into_values();
        if let Some(mut stream) = streams.next() {
            stream.exchange.response = Some(Response {
                complete: true,
                ..answer
            });
            self.push_finished(Box::new(stream.exchange));
        }
    }
}

impl Stream {
    fn ask(&mut self, bytes: &[u8], at: Mark) {
        let Some(request) = &mut self.exchange.request else {
            return;
        };
        if request.exposed.is_none() {
            let form = secrets::form(request);
            let found = form.and_then(|form| secrets::of_body(form, bytes));
            request.exposed = found.map(|found| {
                Box::new(Exposed {
                    at: Some(at),
                    ..found
                })
            });
        }
        request.body.seen_bytes = request.body.seen_bytes.saturating_add(bytes.len() as u64);
        request.last = at;
        if let Some(gathering) = &mut self.asking {
            gathering.add(bytes);
        }
    }

    fn answer(&mut self, bytes: &[u8], at: Mark) {
        let Some(response) = &mut self.exchange.response else {
            return;
        };
        response.body.seen_bytes = response.body.seen_bytes.saturating_add(bytes.len() as u64);
        response.last = at;
        if response.status >= 400 && self.page.len() < PAGE_MAX {
            let free = (PAGE_MAX - self.page.len()).min(bytes.len());
            self.page
                .extend_from_slice(bytes.get(..free).unwrap_or(&[]));
            response.firewall = response.firewall.or_else(|| marks::of_page(&self.page));
        }
        if let Some(gathering) = &mut self.answering {
            gathering.add(bytes);
        }
    }
}

fn asked(fields: Fields, ends: bool, first: Mark, at: Mark) -> Request {
    let mut request = Request {
        first,
        head: at,
        last: at,
        complete: ends,
        ..fields.request
    };
    if ends {
        request.body.framing = Framing::None;
    }
    request
}

fn trailers(response: &mut Response, grpc: Option<Box<Grpc>>, at: Mark) {
    if let Some(grpc) = grpc {
        response.grpc = Some(Box::new(Grpc { at, ..*grpc }));
    }
}
