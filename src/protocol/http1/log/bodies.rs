//! Bodies, holes and ends: the part of the observer that counts.

use crate::mark::{Direction, Mark};

use super::super::body::{Decoder, Outcome};
use super::super::content::{Content, Gathering};
use super::super::exchange::Request;
use super::super::head::{self, Look};
use super::super::marks;
use super::super::secrets::{self, Exposed};
use super::{Log, State};

/// First bytes of an error's body that are looked at.
const PAGE_MAX: usize = 2 * 1024;

impl Log {
    pub(super) fn body<'b>(
        &mut self,
        from: Direction,
        rest: &'b [u8],
        body: (Decoder, u32),
        at: Mark,
    ) -> &'b [u8] {
        let (mut decoder, number) = body;
        let asks = self.asks(from);
        if self.begins_instead(asks, number, rest) {
            if !asks {
                self.end_current(true, at);
            }
            self.side_mut(from).state = State::Between;
            return rest;
        }
        let (used, outcome) = if asks {
            self.request_body(from, rest, (&mut decoder, number), at)
        } else {
            self.response_body(from, rest, &mut decoder, at)
        };
        self.after_body(from, outcome, (decoder, number), at);
        rest.get(used..).unwrap_or(&[])
    }

    fn request_body(
        &mut self,
        from: Direction,
        rest: &[u8],
        (decoder, number): (&mut Decoder, u32),
        at: Mark,
    ) -> (usize, Outcome) {
        let mut gathering = self.side_mut(from).gathering.take();
        let form = self
            .request_of(number)
            .and_then(|request| secrets::form(request));
        let mut exposed = None;
        let mut seen = 0_u64;
        let (used, outcome) = decoder.take(rest, &mut |data| {
            seen = seen.saturating_add(data.len() as u64);
            if exposed.is_none() {
                exposed = form.and_then(|form| secrets::of_body(form, data));
            }
            if let Some(gathering) = &mut gathering {
                gathering.add(data);
            }
        });
        let content = self.gathered(from, gathering, outcome);
        if let Some(request) = self.request_of(number) {
            request.content = content;
            request.body.seen_bytes = request.body.seen_bytes.saturating_add(seen);
            request.last = at;
            request.complete = outcome == Outcome::Ended;
            let found = exposed.map(|found| {
                Box::new(Exposed {
                    at: Some(at),
                    ..found
                })
            });
            request.exposed = request.exposed.take().or(found);
        }
        (used, outcome)
    }

    fn response_body(
        &mut self,
        from: Direction,
        rest: &[u8],
        decoder: &mut Decoder,
        at: Mark,
    ) -> (usize, Outcome) {
        let mut gathering = self.side_mut(from).gathering.take();
        let status = self.current.as_ref().and_then(|exchange| exchange.status());
        let adverse = status.is_some_and(|status| status >= 400);
        let page = &mut self.page;
        let looked_at = page.len();
        let mut seen = 0_u64;
        let (used, outcome) = decoder.take(rest, &mut |data| {
            seen = seen.saturating_add(data.len() as u64);
            if adverse {
                let free = PAGE_MAX.saturating_sub(page.len()).min(data.len());
                page.extend_from_slice(data.get(..free).unwrap_or(&[]));
            }
            if let Some(gathering) = &mut gathering {
                gathering.add(data);
            }
        });
        let content = self.gathered(from, gathering, outcome);
        if let Some(response) = self
            .current
            .as_mut()
            .and_then(|current| current.response.as_mut())
        {
            response.content = content;
            response.body.seen_bytes = response.body.seen_bytes.saturating_add(seen);
            response.last = at;
            response.broken |= outcome == Outcome::Broken;
            if self.page.len() > looked_at {
                response.firewall = response.firewall.or_else(|| marks::of_page(&self.page));
                response.plain_to_tls |= marks::plain_to_tls(&self.page);
            }
        }
        (used, outcome)
    }

    /// What a body said, once it ended; until then it stays with its side.
    fn gathered(
        &mut self,
        from: Direction,
        gathering: Option<Box<Gathering>>,
        outcome: Outcome,
    ) -> Option<Box<Content>> {
        match outcome {
            Outcome::Ended => gathering.map(|gathering| Box::new(gathering.finish())),
            Outcome::Inside => {
                self.side_mut(from).gathering = gathering;
                None
            }
            Outcome::Broken => None,
        }
    }

    fn after_body(&mut self, from: Direction, outcome: Outcome, body: (Decoder, u32), at: Mark) {
        let (decoder, number) = body;
        match outcome {
            Outcome::Inside => self.side_mut(from).state = State::Body { decoder, number },
            Outcome::Ended => {
                self.side_mut(from).state = State::Between;
                if !self.asks(from) {
                    self.end_current(true, at);
                }
            }
            Outcome::Broken => {
                if !self.asks(from) {
                    self.end_current(false, at);
                }
                self.lose(from);
            }
        }
    }

    /// The FIN ends a body that has no other end.
    fn gathered_until_close(&mut self, from: Direction) {
        let gathering = self.side_mut(from).gathering.take();
        let content = self.gathered(from, gathering, Outcome::Ended);
        if let Some(response) = self
            .current
            .as_mut()
            .and_then(|current| current.response.as_mut())
        {
            response.content = content;
        }
    }

    /// Does another message begin where this body had to? The response to a HEAD that was not captured has a length that
    /// speaks of a body that never comes; and a client that was answered before it sent its body may ask anew instead
    /// (RFC 9110 10.1.1).
    fn begins_instead(&mut self, asks: bool, number: u32, rest: &[u8]) -> bool {
        if asks {
            return self.request_of(number).is_none() && head::look(rest) == Look::Request;
        }
        self.current.as_ref().is_some_and(|current| {
            current.request.is_none()
                && current
                    .response
                    .as_ref()
                    .is_some_and(|response| response.body.seen_bytes == 0)
                && rest.starts_with(b"HTTP/1.")
        })
    }

    fn request_of(&mut self, number: u32) -> Option<&mut Request> {
        let exchange = match &mut self.current {
            Some(current) if current.number == number => Some(current),
            _ => self
                .open
                .iter_mut()
                .rev()
                .find(|exchange| exchange.number == number),
        };
        exchange.and_then(|exchange| exchange.request.as_mut())
    }

    pub(super) fn gap(&mut self, from: Direction, missing: u64, at: Mark) {
        let State::Body {
            mut decoder,
            number,
        } = self.side(from).state
        else {
            if !matches!(self.side(from).state, State::Opaque) {
                self.lose(from);
            }
            return;
        };
        let (skipped, outcome) = decoder.skip(missing);
        self.side_mut(from).gathering = None;
        if self.asks(from) {
            if let Some(request) = self.request_of(number) {
                request.body.missed_bytes = request.body.missed_bytes.saturating_add(skipped);
                request.complete = outcome == Outcome::Ended;
                request.last = at;
            }
        } else if let Some(current) = self.current.as_mut() {
            // Where the hole leaves the framing behind, nobody knows how the body ended.
            current.sure &= outcome != Outcome::Broken;
            if let Some(response) = current.response.as_mut() {
                response.body.missed_bytes = response.body.missed_bytes.saturating_add(skipped);
                response.last = at;
            }
        }
        self.after_body(from, outcome, (decoder, number), at);
        if skipped < missing {
            self.lose(from);
        }
    }

    pub(super) fn fin(&mut self, from: Direction, at: Mark) {
        if !self.asks(from) {
            self.release_held();
            if let State::Body { decoder, .. } = self.side(from).state {
                if matches!(decoder, Decoder::UntilClose) {
                    self.gathered_until_close(from);
                }
                self.end_current(matches!(decoder, Decoder::UntilClose), at);
                self.side_mut(from).state = State::Between;
            }
        }
    }
}
