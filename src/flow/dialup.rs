//! The office's dial-up line: PPPoE discovery (RFC 2516), and link control and login inside its sessions.
//!
//! Known by the MAC of the host that dials. Bounded; what does not fit is counted.

use hashbrown::HashMap;

use crate::decode::{Ppp, PppoeDiscovery};
use crate::flow::neighbours::Mac;
use crate::mark::Mark;
use crate::protocol::ppp::{self, Said};
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// Hosts that dial, and sessions; further ones are not followed.
const DIALS_MAX: usize = 1_024;
/// Failures kept.
const FAILURES_MAX: usize = 512;
/// Frames kept: the first ones, and the last.
const MARKS_MAX: usize = 8;
/// The same question again within this is a further sighting.
const SIGHTING: Nanos = 400 * MILLISECOND;
/// A refusal is mended by what succeeds within this.
const SECOND_TRY: Nanos = 30 * SECOND;
/// A pause after which a host begins anew.
const PAUSE: Nanos = 120 * SECOND;

/// What a question of the line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// PADI: is there an access concentrator?
    Discovery,
    /// PADR: a session, please.
    Session,
    /// LCP Configure-Request.
    Link,
    /// LCP Echo-Request.
    Echo,
}

/// A question without an answer.
#[derive(Clone, Debug)]
pub struct Dialed {
    /// What was asked.
    pub step: Step,
    /// Who asked.
    pub mac: Mac,
    /// The other end, where known.
    pub peer: Option<Mac>,
    /// Session.
    pub session: u16,
    /// How often it was sent, sightings aside.
    pub sent: u32,
    /// The first frames, and the last.
    pub marks: Vec<Mark>,
}

/// The line said no.
#[derive(Clone, Debug)]
pub struct Refused {
    /// `authentication`, or the error of a PADO or PADS.
    pub what: &'static str,
    /// Who dialed.
    pub mac: Mac,
    /// Who refused.
    pub peer: Mac,
    /// Session.
    pub session: u16,
    /// The frame that says so.
    pub at: Mark,
    /// Its words.
    pub words: Option<String>,
    /// The same host was accepted afterwards.
    pub mended: bool,
}

/// All lines of a capture.
#[derive(Debug, Default)]
pub struct Dialups {
    open: HashMap<(Step, Mac, u16), Dialed>,
    ended: Vec<Dialed>,
    refused: Vec<Refused>,
    /// Who was heard in a session last, and when.
    heard: HashMap<(Mac, u16), Timestamp>,
    omitted: u64,
}

impl Dialups {
    /// A discovery packet.
    pub fn on_discovery(&mut self, macs: (Mac, Mac), packet: &PppoeDiscovery<'_>, at: Mark) {
        let (from, to) = macs;
        match packet.code {
            0x09 => self.asked(Step::Discovery, from, None, 0, at),
            0x19 => {
                // It goes on as if it had been answered, in a capture of one direction too.
                self.open.remove(&(Step::Discovery, from, 0));
                self.asked(Step::Session, from, Some(to), 0, at);
            }
            0x07 | 0x65 => {
                let step = if packet.code == 0x07 {
                    Step::Discovery
                } else {
                    Step::Session
                };
                // RFC 2516 5.4: a PADS without a session refuses; a session means that earlier refusals are mended.
                match ppp::discovery_error(packet.tags) {
                    Some(what) => self.refuse(what, (from, to), 0, None, at),
                    None if packet.session != 0 => self.mend(to, false, at),
                    None => {}
                }
                self.open.remove(&(step, to, 0));
            }
            _ => {}
        }
    }

    /// What PPP says of itself in a session.
    pub fn on_ppp(&mut self, macs: (Mac, Mac), packet: &Ppp<'_>, at: Mark) {
        let ((from, to), Some(session)) = (macs, packet.session) else {
            return;
        };
        for step in [Step::Link, Step::Echo] {
            self.open.remove(&(step, to, session));
        }
        self.open.remove(&(Step::Session, from, 0));
        if packet.protocol != ppp::LCP {
            self.open.remove(&(Step::Link, from, session));
        }
        self.hear((from, session), at.time);
        match ppp::parse(packet.protocol, packet.payload) {
            Some(Said::Configure) => self.asked(Step::Link, from, Some(to), session, at),
            // Every echo has a number of its own, so that repeating proves nothing where the other end is never heard.
            Some(Said::Echo) if self.heard.contains_key(&(to, session)) => {
                self.asked(Step::Echo, from, Some(to), session, at);
            }
            Some(Said::Refused(words)) => {
                self.refuse("authentication", (from, to), session, words, at);
            }
            Some(Said::Accepted) => self.mend(to, true, at),
            _ => {}
        }
    }

    fn hear(&mut self, who: (Mac, u16), time: Timestamp) {
        if self.heard.len() < DIALS_MAX || self.heard.contains_key(&who) {
            self.heard.insert(who, time);
        } else {
            self.omitted += 1;
        }
    }

    /// A session is there, or a login accepted at a second try.
    fn mend(&mut self, client: Mac, login: bool, at: Mark) {
        for refused in self.refused.iter_mut().filter(|old| old.mac == client) {
            let of_login = refused.what == "authentication";
            let soon = at.time.since(refused.at.time) <= SECOND_TRY;
            refused.mended |= (login || !of_login) && soon;
        }
    }

    fn refuse(
        &mut self,
        what: &'static str,
        (peer, mac): (Mac, Mac),
        session: u16,
        words: Option<String>,
        at: Mark,
    ) {
        if self.refused.len() >= FAILURES_MAX {
            self.omitted += 1;
            return;
        }
        self.refused.push(Refused {
            what,
            mac,
            peer,
            session,
            at,
            words,
            mended: false,
        });
    }

    fn asked(&mut self, step: Step, mac: Mac, peer: Option<Mac>, session: u16, at: Mark) {
        let key = (step, mac, session);
        let fresh = Dialed {
            step,
            mac,
            peer,
            session,
            sent: 1,
            marks: vec![at],
        };
        let Some(known) = self.open.get_mut(&key) else {
            if self.open.len() < DIALS_MAX {
                self.open.insert(key, fresh);
            } else {
                self.omitted += 1;
            }
            return;
        };
        let since = known
            .marks
            .last()
            .map_or(0, |last| at.time.since(last.time));
        if since > PAUSE {
            let old = std::mem::replace(known, fresh);
            if old.sent >= 3 && self.ended.len() < FAILURES_MAX {
                self.ended.push(old);
            }
        } else if since >= SIGHTING {
            known.sent += 1;
            if known.marks.len() >= MARKS_MAX {
                known.marks.pop();
            }
            known.marks.push(at);
        }
    }

    /// Questions that stayed open, by first frame.
    pub fn unanswered(&self) -> Vec<&Dialed> {
        let mut all: Vec<&Dialed> = self.ended.iter().chain(self.open.values()).collect();
        all.sort_by_key(|dialed| (dialed.marks.first().copied(), dialed.step, dialed.mac));
        all
    }

    /// Refusals, as they came.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// Forgets what ended before `time`.
    pub fn forget_before(&mut self, time: Timestamp) {
        let recent = |dialed: &Dialed| dialed.marks.last().is_some_and(|last| last.time >= time);
        self.open.retain(|_, dialed| recent(dialed));
        self.ended.retain(recent);
        self.refused.retain(|refused| refused.at.time >= time);
        self.heard.retain(|_, last| *last >= time);
    }

    /// What did not fit the limits.
    pub const fn omitted(&self) -> u64 {
        self.omitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Mac = [2, 0, 0, 0, 0, 9];
    const LINE: Mac = [2, 0, 0, 0, 0, 1];

    fn at(second: i64) -> Mark {
        Mark {
            time: Timestamp::from_ns(second * SECOND),
            frame: 1,
            ..Mark::default()
        }
    }

    fn discovery(dialups: &mut Dialups, macs: (Mac, Mac), code: u8, session: u16, second: i64) {
        let tags = &[];
        let packet = PppoeDiscovery {
            code,
            session,
            tags,
        };
        dialups.on_discovery(macs, &packet, at(second));
    }

    #[test]
    fn a_concentrator_that_offers_itself_ends_the_asking() {
        let mut dialups = Dialups::default();
        for second in [1, 6, 16] {
            discovery(&mut dialups, (HOST, [0xff; 6]), 0x09, 0, second);
        }
        let sent = |dialups: &Dialups| dialups.unanswered().iter().map(|one| one.sent).sum::<u32>();
        assert_eq!(sent(&dialups), 3);
        discovery(&mut dialups, (LINE, HOST), 0x07, 0, 17);
        assert_eq!(sent(&dialups), 0);
    }

    #[test]
    fn link_requests_are_answered_by_any_word_of_the_line() {
        let mut dialups = Dialups::default();
        let ask = Ppp {
            protocol: ppp::LCP,
            session: Some(3),
            payload: &[1, 1, 0, 4],
        };
        for second in [1, 4, 7] {
            dialups.on_ppp((HOST, LINE), &ask, at(second));
        }
        assert_eq!(dialups.unanswered().len(), 1);
        dialups.on_ppp((LINE, HOST), &ask, at(8));
        let open: Vec<Mac> = dialups.unanswered().iter().map(|one| one.mac).collect();
        assert_eq!(open, [LINE]);
    }

    #[test]
    fn who_goes_on_was_answered_and_echoes_want_somebody_heard() {
        let mut dialups = Dialups::default();
        let ppp = |protocol, payload| Ppp {
            protocol,
            session: Some(3),
            payload,
        };
        let (ask, echo) = (ppp(ppp::LCP, &[1, 1, 0, 4]), ppp(ppp::LCP, &[9, 1, 0, 4]));
        let open = |dialups: &Dialups| dialups.unanswered().len();
        discovery(&mut dialups, (HOST, [0xff; 6]), 0x09, 0, 1);
        discovery(&mut dialups, (HOST, LINE), 0x19, 0, 2);
        assert_eq!(open(&dialups), 1);
        dialups.on_ppp((HOST, LINE), &ask, at(3));
        assert_eq!(open(&dialups), 1);
        dialups.on_ppp((HOST, LINE), &ppp(ppp::PAP, &[1, 1, 0, 4]), at(4));
        dialups.on_ppp((HOST, LINE), &echo, at(5));
        assert_eq!(open(&dialups), 0);
        dialups.on_ppp((LINE, HOST), &ppp(ppp::PAP, &[2, 1, 0, 4]), at(6));
        dialups.on_ppp((HOST, LINE), &echo, at(7));
        assert_eq!(open(&dialups), 1);
    }

    #[test]
    fn a_refused_login_says_why() {
        let mut dialups = Dialups::default();
        let nak = Ppp {
            protocol: ppp::PAP,
            session: Some(3),
            payload: &[3, 1, 0, 7, 2, b'n', b'o'],
        };
        dialups.on_ppp((LINE, HOST), &nak, at(1));
        let said = dialups.refused().first().and_then(|one| one.words.clone());
        assert_eq!(said.as_deref(), Some("no"));
        let ack = Ppp {
            payload: &[2, 2, 0, 5, 0],
            ..nak
        };
        dialups.on_ppp((LINE, HOST), &ack, at(2));
        assert!(dialups.refused().iter().all(|one| one.mended));
    }

    #[test]
    fn hosts_beyond_the_limit_are_counted() {
        let mut dialups = Dialups::default();
        for number in 0..=u32::try_from(DIALS_MAX).unwrap_or(0) {
            let [_, _, c, d] = number.to_be_bytes();
            dialups.asked(Step::Discovery, [2, 0, 0, 0, c, d], None, 0, at(1));
        }
        assert_eq!(dialups.omitted(), 1);
    }
}
