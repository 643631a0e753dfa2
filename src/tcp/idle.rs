//! The last time that a connection rested: what a gateway's timeout is told by.

use crate::mark::{Direction, Mark};
use crate::tcp::connection::Connection;
use crate::time::{Nanos, SECOND};

/// Shorter rests are nothing that a gateway forgets a connection in.
pub const IDLE_MIN: Nanos = 30 * SECOND;

/// A rest of a connection, at least `IDLE_MIN` long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle {
    /// The last frame before it.
    pub since: Mark,
    /// The data or keep-alive that ended it.
    pub until: Mark,
    /// Who sent that.
    pub by: Direction,
}

impl Connection {
    /// `from` sends data or a keep-alive though all it had sent was acknowledged. A further keep-alive or a repetition
    /// after a long pause, with nothing of the peer in between, begins no other rest.
    pub(super) fn note_idle(&mut self, from: Direction, at: Mark) {
        let peer = from.reverse();
        let Some(since) = self
            .before
            .filter(|before| at.time.since(before.time) >= IDLE_MIN)
        else {
            return;
        };
        let closing = self.halves.iter().any(|half| half.fin.is_some());
        let unheard = self
            .idle
            .as_ref()
            .is_some_and(|idle| self.halves[peer].last.is_none_or(|last| last <= idle.until));
        if closing || self.closed.is_some() || unheard || !self.halves[peer].all_acked() {
            return;
        }
        self.idle = Some(Box::new(Idle {
            since,
            until: at,
            by: from,
        }));
    }
}
