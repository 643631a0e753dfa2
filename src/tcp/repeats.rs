//! Marks of something that repeats, such as a SYN: the first ones, the last, and how many there were.

use crate::mark::Mark;

/// First marks of something that repeats, and how often it did.
#[derive(Clone, Debug, Default)]
pub struct Repeats {
    /// Occurrences.
    pub count: u32,
    /// The last one.
    pub last: Option<Mark>,
    marks: Vec<Mark>,
}

/// Marks kept of something that repeats.
const MARKS_MAX: usize = 8;

impl Repeats {
    /// One more.
    pub fn add(&mut self, at: Mark) {
        if self.marks.len() < MARKS_MAX {
            if self.marks.is_empty() {
                self.marks.reserve_exact(1);
            }
            self.marks.push(at);
        }
        self.count = self.count.saturating_add(1);
        self.last = Some(at);
    }

    /// The first one.
    pub fn first(&self) -> Option<Mark> {
        self.marks.first().copied()
    }

    /// Those that were kept, in order.
    pub fn kept(&self) -> impl Iterator<Item = Mark> + '_ {
        self.marks.iter().copied()
    }
}
