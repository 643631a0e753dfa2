//! What a key log opens: the records of one session, in order, proven by their tags and MACs.
//!
//! TLS 1.2 with AES-GCM, ChaCha20-Poly1305 and AES-CBC in both orders of MAC, renegotiation too; TLS 1.3 with its
//! handshake, early data and key updates. A session that was resumed has secrets of its own and needs nothing of the
//! one before. Where bytes were lost, the numbers that the next record may have are tried (`lane`); what opens nothing
//! is given up and stays what it is without keys. Secrets are held by the key log and, of open sessions, by this;
//! they are never printed.
//!
//! `Session` reads the handshake and the alerts that come out; application data waits in `Plain` for whoever reads the
//! conversation.

mod derive;
mod keys;
mod lane;
mod opener;
mod suite;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use keys::{KeyLog, Lines};

use self::derive::expand_label;
use self::keys::{Label, Secret};
use self::lane::{Lane, Phase};
use self::opener::{Opened, Opener, Record};
use self::suite::Suite;
use super::hello::{ClientHello, ServerHello};
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::{Both, Mark};

/// Told of a gap whose length is not known: longer than any body, so that none is taken to go on behind it.
const UNKNOWN_BYTES: u64 = 1 << 32;

/// What was said inside, in the order of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {
    /// Application data of one record.
    Data(Direction, Vec<u8>, Mark),
    /// A record that did not open, or bytes that were never captured: about so many.
    Gap(Direction, u64, Mark),
    /// close_notify: nothing more comes of this side.
    Fin(Direction, Mark),
}

/// Application data of one side, opened or not, in a session whose handshake is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The record that came first.
    pub(super) first: Option<Mark>,
    /// The one that came last.
    pub(super) last: Option<Mark>,
}

impl Said {
    fn note(&mut self, at: Mark) {
        self.first.get_or_insert(at);
        self.last = Some(at);
    }
}

/// What became of a session's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// There is no key log, or it has none of the session's.
    NoKeys,
    /// There are secrets, and the suite or version is not one that is opened here.
    Unread,
    /// There are secrets, and they open nothing.
    Wrong,
    /// Records opened, and then too many in a row did not.
    Lost,
    /// Application data of both sides was opened, as far as there was any.
    Opened,
}

/// The inside of one session.
#[derive(Debug)]
pub(super) struct Inside {
    keys: Arc<KeyLog>,
    client: Option<[u8; 32]>,
    server: Option<[u8; 32]>,
    version: u16,
    suite: Option<Suite>,
    mac_of_ciphertext: bool,
    lanes: Both<Lane>,
    /// The key log as it was when it was asked last, and what it said.
    asked: Both<Option<(u64, bool)>>,
    /// The client sent early data.
    early: bool,
    unveiled: bool,
    spoilt: bool,
    plain: Vec<Plain>,
    /// Something that was said inside is not known.
    pub(super) holes: bool,
    /// Application data was opened.
    spoken: bool,
    /// A record stayed closed.
    shut: bool,
    pub(super) said: Both<Said>,
}

impl Inside {
    pub(super) fn new(keys: Arc<KeyLog>) -> Self {
        Self {
            keys,
            client: None,
            server: None,
            version: 0,
            suite: None,
            mac_of_ciphertext: false,
            lanes: Both::default(),
            asked: Both::default(),
            early: false,
            unveiled: false,
            spoilt: false,
            plain: Vec::new(),
            holes: false,
            spoken: false,
            shut: false,
            said: Both::default(),
        }
    }

    /// A ClientHello, in clear or of a renegotiation.
    pub(super) fn client_hello(&mut self, hello: &ClientHello) {
        self.client = Some(hello.random);
        self.asked = Both::default();
    }

    /// A ServerHello; a HelloRetryRequest is none.
    pub(super) fn server_hello(&mut self, hello: &ServerHello) {
        self.server = Some(hello.random);
        self.version = hello.version;
        self.suite = Suite::of(hello.version, hello.suite).filter(|_| !hello.compressed);
        self.mac_of_ciphertext = hello.encrypt_then_mac;
        self.asked = Both::default();
    }

    /// Everything of the handshake is opened: what TLS 1.3 hides need not be told by sizes.
    pub(super) const fn unveiled(&self) -> bool {
        self.unveiled
    }

    /// ChangeCipherSpec of TLS 1.2 and before.
    pub(super) fn change(&mut self, from: Direction) {
        self.lanes[from].change();
        self.asked[from] = None;
    }

    /// KeyUpdate of TLS 1.3.
    pub(super) fn update(&mut self, from: Direction) {
        if let (0x0304, Some(suite)) = (self.version, self.suite) {
            self.lanes[from].update(|secret| updated(&suite, secret));
        }
    }

    /// Is a whole record of this side worth waiting for?
    pub(super) fn opens(&mut self, from: Direction) -> bool {
        let lane = &self.lanes[from];
        if lane.given_up() {
            return false;
        }
        if lane.has_key() {
            return true;
        }
        let generation = self.keys.generation();
        match self.asked[from] {
            Some((then, said)) if then == generation => said,
            _ => {
                let said = self.has_secrets(from);
                self.asked[from] = Some((generation, said));
                said
            }
        }
    }

    /// Does the key log hold what opens this side? A client that refuses the certificate has the server's handshake
    /// secret alone.
    fn has_secrets(&self, from: Direction) -> bool {
        let has = |label: Label| self.secret(label).is_some();
        match (self.version, self.suite, from) {
            (0, _, _) => from == ToServer && has(Label::ClientEarly),
            (_, None, _) => false,
            (0x0304, _, ToServer) => {
                has(Label::ClientHandshake) || has(Label::ClientEarly) || self.has_traffic()
            }
            (0x0304, _, ToClient) => has(Label::ServerHandshake) || self.has_traffic(),
            _ => has(Label::Master),
        }
    }

    /// Those of application data, of both sides or none: half a conversation would look unanswered.
    fn has_traffic(&self) -> bool {
        self.secret(Label::ClientTraffic).is_some() && self.secret(Label::ServerTraffic).is_some()
    }

    fn secret(&self, label: Label) -> Option<Secret> {
        self.keys.secret(self.client.as_ref()?, label)
    }

    /// Opens a record; `finished` says whether this side's Finished has been seen.
    pub(super) fn open(
        &mut self,
        from: Direction,
        header: [u8; 5],
        fragment: &[u8],
        finished: bool,
    ) -> Option<Opened> {
        self.early |= self.version == 0;
        let mut lane = std::mem::take(&mut self.lanes[from]);
        let suite = self.suite;
        let next = |secret: &Secret| suite.and_then(|suite| updated(&suite, secret));
        let record = Record { header, fragment };
        let opened = lane.open(record, &|phase| self.keys_of(from, phase), &next);
        let (phase, given_up) = (lane.phase(), lane.given_up());
        self.lanes[from] = lane;
        if self.version == 0x0304 && !finished {
            match &opened {
                Some(_) if from == ToClient && phase == Phase::Handshake => {
                    self.unveiled = !self.spoilt;
                }
                Some(_) => {}
                // Early data that the server turned down does not open.
                None if from == ToServer && self.early && !given_up => {}
                None => self.spoil(),
            }
        }
        opened
    }

    /// The handshake is not known whole: its sizes tell what they can.
    fn spoil(&mut self) {
        (self.unveiled, self.spoilt) = (false, true);
    }

    /// A record of this side passed without being opened, for want of a key.
    pub(super) fn passed(&mut self, from: Direction, length: usize, finished: bool, at: Mark) {
        self.early |= self.version == 0;
        self.lanes[from].passed();
        if !finished && !self.early {
            self.spoil();
        }
        self.closed(from, length, finished, at);
    }

    /// A record did not open. After the handshake it is taken for application data.
    pub(super) fn closed(&mut self, from: Direction, length: usize, finished: bool, at: Mark) {
        self.shut = true;
        if finished {
            self.said[from].note(at);
        }
        self.gap(from, Some(length), at);
    }

    /// Bytes were lost: one whole record whose fragment has this length, or who knows how many.
    pub(super) fn lost(
        &mut self,
        from: Direction,
        bytes: u64,
        one: Option<usize>,
        finished: bool,
        at: Mark,
    ) {
        match one {
            Some(_) => self.lanes[from].passed(),
            None => self.lanes[from].lost(bytes),
        }
        if !finished {
            self.spoil();
        }
        self.gap(from, one, at);
    }

    /// Tells whoever reads what is inside, if anything was, that a record of this length was not opened, or several.
    fn gap(&mut self, from: Direction, one: Option<usize>, at: Mark) {
        self.holes = true;
        if self.spoken {
            let overhead = self.suite.and_then(|suite| suite.overhead(self.version));
            let exact = one.zip(overhead);
            let bytes = exact.map(|(length, overhead)| length.saturating_sub(overhead) as u64);
            let bytes = bytes.unwrap_or(UNKNOWN_BYTES);
            self.plain.push(Plain::Gap(from, bytes, at));
        }
    }

    /// Application data came out.
    pub(super) fn data(&mut self, from: Direction, bytes: Vec<u8>, at: Mark) {
        self.said[from].note(at);
        self.spoken = true;
        if !bytes.is_empty() {
            self.plain.push(Plain::Data(from, bytes, at));
        }
    }

    /// Nothing more comes of this side.
    pub(super) fn fin(&mut self, from: Direction, at: Mark) {
        self.plain.push(Plain::Fin(from, at));
    }

    /// Hands over what came out since the last call.
    pub(super) fn take_plain(&mut self) -> Vec<Plain> {
        std::mem::take(&mut self.plain)
    }

    /// What became of the secrets.
    pub(super) fn opening(&self) -> Opening {
        let opened = self.lanes.iter().map(|lane| lane.opened).sum::<u64>();
        let failed = self.lanes.iter().map(|lane| lane.failed).sum::<u64>();
        let lost = |lane: &Lane| lane.given_up() || (lane.failed > 0 && lane.opened == 0);
        // Secrets of a suite that is not read here are not asked for record by record.
        let unread = self.version != 0 && self.suite.is_none();
        let mut labels = [Label::Master, Label::ServerHandshake].into_iter();
        match () {
            () if opened == 0 && failed > 0 => Opening::Wrong,
            () if opened == 0 && unread && labels.any(|label| self.secret(label).is_some()) => {
                Opening::Unread
            }
            () if opened == 0 || (self.shut && !self.spoken) => Opening::NoKeys,
            () if self.lanes.iter().any(lost) => Opening::Lost,
            () => Opening::Opened,
        }
    }

    /// The keys that a side may use in a phase, with the secret that a KeyUpdate goes on from.
    fn keys_of(&self, from: Direction, phase: Phase) -> Vec<(Opener, Option<Secret>)> {
        let one = |key: Option<(Opener, Option<Secret>)>| key.into_iter().collect();
        match (phase, self.version, self.suite) {
            (Phase::Early, 0 | 0x0304, _) if from == ToServer => self.early_keys(),
            (Phase::Handshake | Phase::Traffic, 0x0304, Some(suite)) => {
                let label = match (phase, from) {
                    (Phase::Handshake, ToServer) => Label::ClientHandshake,
                    (Phase::Handshake, ToClient) => Label::ServerHandshake,
                    (_, ToServer) => Label::ClientTraffic,
                    (_, ToClient) => Label::ServerTraffic,
                };
                if phase == Phase::Traffic && !self.has_traffic() {
                    return Vec::new();
                }
                let secret = self.secret(label);
                one(secret.and_then(|secret| {
                    let opener = Opener::of_13(&suite, &secret)?;
                    Some((opener, (phase == Phase::Traffic).then_some(secret)))
                }))
            }
            (Phase::Traffic, 0x0303, Some(suite)) => one(self.key_of_12(&suite, from)),
            _ => Vec::new(),
        }
    }

    fn key_of_12(&self, suite: &Suite, from: Direction) -> Option<(Opener, Option<Secret>)> {
        let randoms = (self.client.as_ref()?, self.server.as_ref()?);
        let master = self.secret(Label::Master)?;
        let opener = Opener::of_12(suite, &master, randoms, from, self.mac_of_ciphertext)?;
        Some((opener, None))
    }

    /// RFC 8446 4.2.10: early data uses the suite of the session before, of which the length of the secret tells the
    /// hash.
    fn early_keys(&self) -> Vec<(Opener, Option<Secret>)> {
        let Some(secret) = self.secret(Label::ClientEarly) else {
            return Vec::new();
        };
        let suites: &[u16] = match secret.bytes().len() {
            48 => &suite::SHA384_13,
            _ => &suite::SHA256_13,
        };
        suites
            .iter()
            .filter_map(|id| Suite::of(0x0304, *id))
            .filter_map(|suite| Some((Opener::of_13(&suite, &secret)?, None)))
            .collect()
    }
}

/// RFC 8446 7.2: the secret after a KeyUpdate, and its key.
fn updated(suite: &Suite, secret: &Secret) -> Option<(Opener, Secret)> {
    let mut next = [0; 48];
    let next = next.get_mut(..secret.bytes().len())?;
    expand_label(suite.hash, secret.bytes(), "traffic upd", next);
    let next = Secret::new(next)?;
    Some((Opener::of_13(suite, &next)?, next))
}
