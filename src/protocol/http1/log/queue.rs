//! A queue that mostly holds one: the first lies in place, and only what stands behind it takes memory of its own.

use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct Queue<T> {
    first: Option<T>,
    /// Empty where there is no first.
    rest: VecDeque<T>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            first: None,
            rest: VecDeque::new(),
        }
    }
}

impl<T> Queue<T> {
    pub(super) fn push_back(&mut self, item: T) {
        match &self.first {
            None => self.first = Some(item),
            Some(_) => self.rest.push_back(item),
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let next = self.rest.pop_front();
        std::mem::replace(&mut self.first, next)
    }

    pub(super) const fn front_mut(&mut self) -> Option<&mut T> {
        self.first.as_mut()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()).saturating_add(self.rest.len())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.rest)
    }

    pub(super) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.first.iter_mut().chain(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_first_leaves_first() {
        let mut queue = Queue::default();
        assert!(queue.is_empty() && queue.pop_front().is_none());
        (1..4).for_each(|item| queue.push_back(item));
        assert_eq!((queue.len(), queue.iter().sum::<i32>()), (3, 6));
        assert_eq!(queue.iter_mut().next_back(), Some(&mut 3));
        assert_eq!(queue.pop_front(), Some(1));
        assert_eq!(queue.front_mut(), Some(&mut 2));
        queue.push_back(4);
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop_front()).collect();
        assert_eq!(rest, [2, 3, 4]);
        assert_eq!(queue.len(), 0);
    }
}
