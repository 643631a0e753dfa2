//! A stream seen through one block at a time.
//!
//! Frames point into blocks, so a block is handed over whole when it is walked through; only the part of a record
//! that its end cut off is copied to the beginning of the next. Memory grows with bytes that are really there,
//! never with a length that a header claims.

use std::io::{self, Read};

/// Bytes of a stream, in order, from a moving position on.
pub(super) struct Window {
    stream: Box<dyn Read + Send>,
    block: Vec<u8>,
    at: usize,
    base: u64,
    block_bytes: usize,
    ended: bool,
    idle: bool,
    error: Option<io::Error>,
}

impl Window {
    pub(super) fn new(stream: Box<dyn Read + Send>, block_bytes: usize) -> Self {
        Self {
            stream,
            block: Vec::new(),
            at: 0,
            base: 0,
            block_bytes: block_bytes.max(512),
            ended: false,
            idle: false,
            error: None,
        }
    }

    /// The bytes in hand that were not walked through.
    pub(super) fn rest(&self) -> &[u8] {
        self.block.get(self.at..).unwrap_or(&[])
    }

    /// Offset in the stream of the first byte of `rest`.
    pub(super) fn offset(&self) -> u64 {
        self.base.saturating_add(self.at as u64)
    }

    /// Place in the block of the first byte of `rest`.
    pub(super) fn start(&self) -> usize {
        self.at
    }

    /// Walks over `count` bytes of `rest`, or over all of it.
    pub(super) fn advance(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.block.len());
    }

    /// Nothing more will come than what `rest` holds.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// The stream had nothing more for now when the block was handed over (`WouldBlock`).
    pub(super) fn idle(&self) -> bool {
        self.idle
    }

    /// Why the stream ended before its end; told once.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Goes on in `fresh` (its content is lost) until `rest` holds `need` bytes and the block is full, or the
    /// stream ends or has nothing for now. Gives the old block.
    pub(super) fn refill(&mut self, need: usize, mut fresh: Vec<u8>) -> Vec<u8> {
        let tail = self.block.get(self.at..).unwrap_or(&[]);
        let mut filled = tail.len();
        let mut size = self.block_bytes.max(filled);
        // Only bytes that this vector never held are zeroed: a recycled one costs nothing here.
        fresh.resize(size, 0);
        if let Some(room) = fresh.get_mut(..filled) {
            room.copy_from_slice(tail);
        }
        self.idle = false;
        while !self.ended && !self.idle {
            if filled == size {
                if filled >= need && filled >= self.block_bytes {
                    break;
                }
                size = size.saturating_mul(2).min(need.max(self.block_bytes));
                fresh.resize(size, 0);
            }
            let room = fresh.get_mut(filled..).unwrap_or(&mut []);
            match self.stream.read(room) {
                Ok(0) => self.ended = true,
                Ok(count) => filled = filled.saturating_add(count).min(size),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.idle = true,
                Err(error) => {
                    self.error = Some(error);
                    self.ended = true;
                }
            }
        }
        fresh.truncate(filled);
        self.base = self.offset();
        self.at = 0;
        std::mem::replace(&mut self.block, fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte a call, as a slow pipe may.
    struct Drip(Vec<u8>);

    impl Read for Drip {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() || room.is_empty() {
                return Ok(0);
            }
            room[0] = self.0.remove(0);
            Ok(1)
        }
    }

    #[test]
    fn the_cut_tail_begins_the_next_block() {
        let mut window = Window::new(Box::new(Drip((0..=255).cycle().take(1000).collect())), 512);
        window.refill(1, Vec::new());
        assert_eq!(window.rest().len(), 512);
        window.advance(510);
        assert_eq!(window.offset(), 510);
        let old = window.refill(600, vec![7; 3]);
        assert_eq!(old.len(), 512);
        assert_eq!(window.offset(), 510);
        assert_eq!(window.rest().len(), 490);
        assert_eq!(window.rest().first(), Some(&254));
        assert!(window.ended());
    }

    /// Says once that it has nothing for now.
    struct Pausing(Vec<u8>, bool);

    impl Read for Pausing {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                room[0] = self.0.remove(0);
                Ok(1)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
    }

    #[test]
    fn a_pause_hands_over_what_there_is_and_ends_nothing() {
        let mut window = Window::new(Box::new(Pausing(vec![1, 2, 3], false)), 512);
        window.refill(0, Vec::new());
        assert_eq!(
            (window.rest(), window.idle(), window.ended()),
            (&[1][..], true, false)
        );
        window.refill(24, Vec::new());
        assert_eq!(window.rest(), [1, 2]);
    }

    #[test]
    fn an_absurd_need_takes_no_more_memory_than_the_bytes_there_are() {
        let mut window = Window::new(Box::new(Drip(vec![1; 700])), 512);
        window.refill(usize::MAX, Vec::new());
        assert_eq!(window.rest().len(), 700);
        assert!(window.block.capacity() <= 2048);
    }
}
