//! Requests and responses find each other (RFC 9112 section 9.3), and tunnels begin (RFC 9110 9.3.6).

use smol_str::SmolStr;

use crate::mark::{Both, Direction, Mark, Seen};
use crate::time::{MILLISECOND, Nanos};

use super::super::body::{Decoder, Framing};
use super::super::content::Gathering;
use super::super::exchange::{Exchange, Request, Response};
use super::{Log, State, Tunnel, Upgraded};

/// Requests kept that wait for their response; more are let go as unanswered and not sure.
const OPEN_MAX: usize = 64;
/// Captures reorder the two directions of a connection by up to this much.
const REORDER: Nanos = 50 * MILLISECOND;

impl Log {
    pub(super) fn request(&mut self, from: Direction, mut request: Request) {
        if request.host.is_some() {
            self.host.clone_from(&request.host);
        }
        let decoder = Decoder::new(request.body.framing);
        request.complete = decoder.is_none();
        let connect = request.method == "CONNECT";
        let number = self.number;
        if decoder.is_some() {
            let payloads = self.payloads.as_mut();
            let gathering = Gathering::of_request(&request, |declared| {
                payloads.and_then(|known| known.reads(Some(&request), false, declared))
            });
            self.side_mut(from).gathering = gathering;
        }
        self.side_mut(from).state = match decoder {
            Some(decoder) => State::Body { decoder, number },
            None if connect => State::Early,
            None => State::Between,
        };
        if self.came_late(&request) {
            if let Some(early) = self.held.as_mut().or(self.current.as_mut()) {
                early.request = Some(request);
            }
            self.release_held();
            return;
        }
        self.release_held();
        let passing = self
            .current
            .as_ref()
            .is_some_and(|current| current.request.is_some());
        let server_lost = matches!(self.side(from.reverse()).state, State::Lost);
        let mut exchange = Box::<Exchange>::default();
        exchange.number = number;
        exchange.pipelined = passing || !self.open.is_empty();
        exchange.sure = !server_lost;
        exchange.request = Some(request);
        self.open.push_back(exchange);
        self.number = self.number.wrapping_add(1);
        if self.open.len() > OPEN_MAX
            && let Some(mut oldest) = self.open.pop_front()
        {
            oldest.sure = false;
            self.push_finished(oldest);
        }
    }

    /// Did the capture show this request's response first?
    fn came_late(&self, request: &Request) -> bool {
        let early = self.held.as_ref().or(self.current.as_ref());
        let fits =
            |response: &Response| request.first.time.since(response.first.time).abs() <= REORDER;
        self.synced
            && early.is_some_and(|early| {
                early.request.is_none() && early.response.as_ref().is_some_and(fits)
            })
    }

    pub(super) fn response(&mut self, from: Direction, mut response: Response, at: Mark) {
        if response.status < 200 && response.status != 101 {
            if let Some(asked) = self.open.front_mut() {
                asked.interim = Some(Seen {
                    value: response.status,
                    at,
                });
            }
            return;
        }
        self.release_held();
        let mut exchange = self.open.pop_front().unwrap_or_else(|| {
            self.number = self.number.wrapping_add(1);
            Box::new(Exchange {
                number: self.number.wrapping_sub(1),
                sure: self.synced,
                ..Exchange::default()
            })
        });
        let method = exchange
            .request
            .as_ref()
            .map_or("", |request| request.method.as_str());
        let (connect, status) = (method == "CONNECT", response.status);
        // RFC 9112 6.3: these have no body, whatever their fields say.
        if method == "HEAD" || matches!(status, 101 | 204 | 304) || connect && status < 300 {
            response.body.framing = Framing::None;
        }
        if status == 101 && goes_on_in_http2(&exchange, &response) {
            self.upgrade(exchange);
            return;
        }
        let decoder = Decoder::new(response.body.framing);
        let number = exchange.number;
        if decoder.is_some() {
            let asked = exchange.request.as_ref();
            let payloads = self.payloads.as_mut();
            let gathering = Gathering::of_response(asked, &response, |declared| {
                payloads.and_then(|known| known.reads(asked, true, declared))
            });
            self.side_mut(from).gathering = gathering;
        }
        exchange.response = Some(response);
        self.page.clear();
        match decoder {
            Some(decoder) => {
                self.side_mut(from).state = State::Body { decoder, number };
                self.current = Some(exchange);
            }
            None => {
                let authority = exchange
                    .request
                    .as_ref()
                    .filter(|_| connect)
                    .map(|request| SmolStr::from(request.target.to_ascii_lowercase()));
                self.end_response(exchange, true, at);
                match (status, authority) {
                    (101, _) => self
                        .sides
                        .iter_mut()
                        .for_each(|side| side.state = State::Opaque),
                    (200..300, Some(authority)) if connect => self.open_tunnel(authority, at),
                    _ => {}
                }
            }
        }
        if connect && status >= 300 {
            self.refuse_tunnel(at);
        }
    }

    fn upgrade(&mut self, exchange: Box<Exchange>) {
        for side in &mut self.sides {
            side.state = State::Opaque;
        }
        self.upgraded = Some(Box::new(Upgraded {
            request: exchange.request,
            early: Both::default(),
        }));
    }

    fn open_tunnel(&mut self, authority: SmolStr, at: Mark) {
        let mut early = [Vec::new(), Vec::new()];
        for (side, early) in self.sides.iter_mut().zip(&mut early) {
            if matches!(side.state, State::Early) {
                *early = std::mem::take(&mut side.head);
            }
            side.state = State::Opaque;
        }
        self.tunnel = Some(Box::new(Tunnel {
            authority,
            at,
            early: Both(early),
        }));
    }

    /// The CONNECT was refused: what the client sent after it is HTTP again.
    fn refuse_tunnel(&mut self, at: Mark) {
        let client = self.client();
        let side = self.side_mut(client);
        if matches!(side.state, State::Early) {
            side.state = State::Between;
            let early = std::mem::take(&mut side.head);
            self.data(client, &early, at);
        }
    }
}

/// The client asked for HTTP/2 in clear, and the server takes it up.
fn goes_on_in_http2(exchange: &Exchange, response: &Response) -> bool {
    let asked = exchange.request.as_ref();
    let asked = asked.is_none_or(|request| request.upgrade.as_deref() == Some("h2c"));
    asked && response.upgrade.as_deref() == Some("h2c")
}
