//! When to look at which flow again.
//!
//! The clock never goes back, so what falls due a fixed time from now falls due in the order in which it was put here:
//! two queues hold nearly all, and a heap the flows that were looked at and live on.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::time::Timestamp;

/// When, the slot of the flow, and its number.
pub(super) type Entry = (Timestamp, u32, u64);

/// The flows of a shard by when they are to be looked at.
#[derive(Debug, Default)]
pub(super) struct Due {
    closing: VecDeque<Entry>,
    opened: VecDeque<Entry>,
    again: BinaryHeap<Reverse<Entry>>,
    /// Nothing falls due before this: all that most packets ask for.
    first: Timestamp,
}

impl Due {
    /// A flow that has closed. Times must not fall from call to call.
    pub(super) fn closing(&mut self, entry: Entry) {
        self.first = self.first.min(entry.0);
        self.closing.push_back(entry);
    }

    /// A flow that has begun. Times must not fall from call to call.
    pub(super) fn opened(&mut self, entry: Entry) {
        self.first = self.first.min(entry.0);
        self.opened.push_back(entry);
    }

    /// A flow that was looked at and lives on; any time.
    pub(super) fn again(&mut self, entry: Entry) {
        self.first = self.first.min(entry.0);
        self.again.push(Reverse(entry));
    }

    /// Takes out the flow that is to be looked at first, if that is by `clock`.
    #[inline]
    pub(super) fn pop_by(&mut self, clock: Timestamp) -> Option<Entry> {
        if clock < self.first {
            return None;
        }
        self.pop(clock)
    }

    fn pop(&mut self, clock: Timestamp) -> Option<Entry> {
        let fronts = [
            self.closing.front().copied(),
            self.opened.front().copied(),
            self.again.peek().map(|entry| entry.0),
        ];
        let first = fronts.iter().flatten().min().copied();
        self.first = first.map_or(Timestamp::from_ns(i64::MAX), |first| first.0);
        let first = first.filter(|first| first.0 <= clock)?;
        match fronts {
            [Some(front), _, _] if front == first => self.closing.pop_front(),
            [_, Some(front), _] if front == first => self.opened.pop_front(),
            _ => self.again.pop().map(|entry| entry.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64, slot: u32) -> Entry {
        (Timestamp::from_ns(second), slot, 0)
    }

    #[test]
    fn the_earliest_of_all_comes_first_and_none_too_early() {
        let mut due = Due::default();
        due.opened(at(5, 1));
        due.opened(at(9, 2));
        due.closing(at(4, 3));
        due.closing(at(7, 4));
        due.again(at(8, 5));
        due.again(at(1, 6));
        let mut slots = Vec::new();
        while let Some((_, slot, _)) = due.pop_by(Timestamp::from_ns(8)) {
            slots.push(slot);
        }
        assert_eq!(slots, [6, 3, 1, 4, 5]);
        assert_eq!(due.pop_by(Timestamp::from_ns(9)), Some(at(9, 2)));
        assert_eq!(due.pop_by(Timestamp::from_ns(i64::MAX)), None);
    }
}
