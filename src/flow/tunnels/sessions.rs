//! Which session of its peer's a WireGuard end sends to: a new number shows that its handshake succeeded.

use hashbrown::HashMap;

use super::End;

/// Directions followed; of further ones every packet counts as one of a new session.
const SESSIONS_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Sessions {
    last: HashMap<(End, End), u32>,
    pub(super) omitted: u64,
}

impl Sessions {
    /// The session that `from` sent to last; 0 for none.
    pub(super) fn before(&self, from: End, to: End) -> u32 {
        self.last.get(&(from, to)).copied().unwrap_or(0)
    }

    /// `from` sends to this session: is it another one than before?
    pub(super) fn uses(&mut self, from: End, to: End, session: u32) -> bool {
        if self.last.len() >= SESSIONS_MAX && !self.last.contains_key(&(from, to)) {
            self.omitted += 1;
            return true;
        }
        self.last.insert((from, to), session) != Some(session)
    }
}
