//! The records of one direction, opened one after the other, by the key and number that each of them has.
//!
//! A record that does not open may be one of the next phase, or come after lost ones: then the numbers and the phases
//! that may have been reached are tried, so many and no more. Who opens nothing is given up.

use super::keys::Secret;
use super::opener::{Opened, Opener, Record};

/// Records in a row that do not open before the direction is given up.
const FAILURES_MAX: u32 = 32;
/// Numbers ahead that are tried where bytes were lost.
const AHEAD_MAX: u64 = 1_024;
/// Openings that may fail. Every record that opens gives some back.
const TRIALS_MAX: u32 = 4_096;
const TRIALS_BACK: u32 = 16;
/// The least bytes of a record: header, a tag, a byte of type.
const RECORD_MIN: u64 = 22;

/// What a direction's records are protected by (RFC 8446 2). TLS 1.2 has the last alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Nothing was opened yet.
    #[default]
    Clear,
    /// 0-RTT.
    Early,
    /// The handshake of TLS 1.3.
    Handshake,
    /// Application data.
    Traffic,
}

/// Keys that a phase may have; several where the suite is not known yet.
pub(super) type Source<'s> = &'s dyn Fn(Phase) -> Vec<(Opener, Option<Secret>)>;

/// The key after a KeyUpdate, and its secret.
pub(super) type Next<'s> = &'s dyn Fn(&Secret) -> Option<(Opener, Secret)>;

/// One direction.
#[derive(Debug)]
pub(super) struct Lane {
    phase: Phase,
    opener: Option<Opener>,
    /// The traffic secret of TLS 1.3, for the next one.
    secret: Option<Secret>,
    /// Number of the next record under this key.
    number: u64,
    /// How many records may have passed unseen since.
    ahead: u64,
    trials: u32,
    failures: u32,
    /// Records that opened.
    pub(super) opened: u64,
    /// Records that did not, though there was a key.
    pub(super) failed: u64,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            phase: Phase::Clear,
            opener: None,
            secret: None,
            number: 0,
            ahead: 0,
            trials: TRIALS_MAX,
            failures: 0,
            opened: 0,
            failed: 0,
        }
    }
}

impl Lane {
    /// What its last record that opened was protected by.
    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Is there a key that records are opened by?
    pub(super) const fn has_key(&self) -> bool {
        self.opener.is_some()
    }

    /// Did too many records not open?
    pub(super) const fn given_up(&self) -> bool {
        self.failures >= FAILURES_MAX || self.trials == 0
    }

    /// ChangeCipherSpec of TLS 1.2: another key from here on, and numbers from zero.
    pub(super) fn change(&mut self) {
        (self.phase, self.opener, self.secret) = (Phase::Clear, None, None);
        (self.number, self.ahead) = (0, 0);
    }

    /// RFC 8446 7.2: KeyUpdate. `next` makes the following secret and its key.
    pub(super) fn update(&mut self, next: impl Fn(&Secret) -> Option<(Opener, Secret)>) {
        if let Some((opener, secret)) = self.secret.as_ref().and_then(next) {
            (self.opener, self.secret) = (Some(opener), Some(secret));
            (self.number, self.ahead) = (0, 0);
        }
    }

    /// A whole record was lost, or passed while there was no key for it.
    pub(super) const fn passed(&mut self) {
        if self.ahead < AHEAD_MAX {
            self.ahead += 1;
        }
    }

    /// So many bytes were lost, and nobody knows how many records in them.
    pub(super) fn lost(&mut self, bytes: u64) {
        let records = bytes / RECORD_MIN + 2;
        self.ahead = self.ahead.saturating_add(records).min(AHEAD_MAX);
    }

    /// Opens a record; `next` is the key after a KeyUpdate that was lost.
    pub(super) fn open(
        &mut self,
        record: Record<'_>,
        source: Source<'_>,
        next: Next<'_>,
    ) -> Option<Opened> {
        let opened = self
            .under_this(record)
            .or_else(|| self.in_a_later_phase(record, source, next));
        if opened.is_some() {
            (self.ahead, self.failures) = (0, 0);
            self.opened += 1;
            self.trials = (self.trials + TRIALS_BACK).min(TRIALS_MAX);
        } else {
            self.failures += 1;
            self.failed += 1;
            self.passed();
        }
        opened
    }

    fn under_this(&mut self, record: Record<'_>) -> Option<Opened> {
        let opener = self.opener.take()?;
        let found = self.try_all(&opener, self.number, record);
        self.opener = Some(opener);
        let (number, opened) = found?;
        self.number = number + 1;
        Some(opened)
    }

    fn in_a_later_phase(
        &mut self,
        record: Record<'_>,
        source: Source<'_>,
        next: Next<'_>,
    ) -> Option<Opened> {
        for phase in [Phase::Early, Phase::Handshake, Phase::Traffic] {
            if phase <= self.phase {
                continue;
            }
            for (opener, secret) in source(phase) {
                if let Some((number, opened)) = self.try_all(&opener, 0, record) {
                    (self.phase, self.opener, self.secret) = (phase, Some(opener), secret);
                    self.number = number + 1;
                    return Some(opened);
                }
            }
        }
        self.after_an_update(record, next)
    }

    fn after_an_update(&mut self, record: Record<'_>, next: Next<'_>) -> Option<Opened> {
        if self.ahead == 0 || self.phase != Phase::Traffic {
            return None;
        }
        let (opener, secret) = self.secret.as_ref().and_then(next)?;
        let (number, opened) = self.try_all(&opener, 0, record)?;
        (self.opener, self.secret) = (Some(opener), Some(secret));
        self.number = number + 1;
        Some(opened)
    }

    /// Tries the numbers that the record may have, from `first` on.
    fn try_all(
        &mut self,
        opener: &Opener,
        first: u64,
        record: Record<'_>,
    ) -> Option<(u64, Opened)> {
        for number in first..=first.saturating_add(self.ahead) {
            if self.trials == 0 {
                return None;
            }
            if let Some(opened) = opener.open(number, record) {
                return Some((number, opened));
            }
            self.trials -= 1;
        }
        None
    }
}
