//! Captures that go on while they are read: a stream that comes in pieces, and (feature `live`) interfaces.
//!
//! The only room with threads of its own and the only one that asks the machine for the time. One thread a source waits
//! for bytes; a bounded queue hands them over, and a reader that finds it empty says `WouldBlock`, so that time passes
//! where nothing arrives. Below ingest nothing knows the difference: interfaces are written as pcapng into that queue.

#[cfg(feature = "live")]
pub mod interface;
#[cfg(feature = "live")]
mod pcapng;

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// Pieces that wait in the queue of a stream; then the writer waits too.
const QUEUE: usize = 64;
/// Bytes read off a stream at once.
const PIECE: usize = 64 << 10;
/// A reader waits so long for the next piece before it says that there is none.
const PATIENCE: Duration = Duration::from_millis(100);

/// The machine's time: for interfaces, on which time passes while nothing arrives.
#[expect(
    clippy::disallowed_methods,
    reason = "an interface's packets are stamped by the same clock"
)]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let ns = since.map_or(0, |since| since.as_nanos());
    Timestamp::from_ns(i64::try_from(ns).unwrap_or(i64::MAX))
}

/// Reads `stream` in a thread of its own. The reader that is given ends with it, and says `WouldBlock` where nothing came
/// for 100 ms; for the header it waits.
#[expect(
    clippy::disallowed_methods,
    reason = "a stream that says nothing must not stop the clock: one thread waits for it"
)]
pub fn in_pieces(mut stream: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    let (to, from) = sync_channel(QUEUE);
    std::thread::spawn(move || {
        loop {
            let mut piece = vec![0; PIECE];
            let sent = match stream.read(&mut piece) {
                Ok(0) => return,
                Ok(count) => {
                    piece.truncate(count);
                    to.send(Ok(piece))
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let _ = to.send(Err(error));
                    return;
                }
            };
            if sent.is_err() {
                return;
            }
        }
    });
    Box::new(Pieces::new(from))
}

/// The other end of the queue.
#[derive(Debug)]
pub(crate) struct Pieces {
    from: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
    /// Bytes that are still waited for, however long it takes: a header that comes in two pieces is one.
    awaited: usize,
}

/// Bytes of a pcap header, and of the shortest section header of pcapng: without them nothing can be read.
const HEADER: usize = 24;
const SECTION: usize = 28;

impl Pieces {
    pub(crate) const fn new(from: Receiver<io::Result<Vec<u8>>>) -> Self {
        Self {
            from,
            piece: Vec::new(),
            at: 0,
            awaited: HEADER,
        }
    }

    fn next(&self) -> Option<io::Result<Vec<u8>>> {
        if self.awaited > 0 {
            return self.from.recv().ok();
        }
        match self.from.recv_timeout(PATIENCE) {
            Ok(piece) => Some(piece),
            Err(RecvTimeoutError::Timeout) => Some(Err(io::ErrorKind::WouldBlock.into())),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.piece.len() {
            let Some(piece) = self.next() else {
                return Ok(0);
            };
            self.piece = piece?;
            self.at = 0;
            if self.awaited == HEADER && self.piece.first() == Some(&0x0a) {
                self.awaited = SECTION;
            }
            self.awaited = self.awaited.saturating_sub(self.piece.len());
        }
        let ready = self.piece.get(self.at..).unwrap_or(&[]);
        let count = ready.len().min(room.len());
        if let (Some(to), Some(from)) = (room.get_mut(..count), ready.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_stream_says_would_block_and_its_end_is_an_end() {
        let (to, from) = sync_channel(1);
        let mut pieces = Pieces::new(from);
        to.send(Ok(vec![1; HEADER])).unwrap();
        let mut room = [0; HEADER - 1];
        assert_eq!(pieces.read(&mut room).unwrap(), HEADER - 1);
        assert_eq!(pieces.read(&mut room).unwrap(), 1);
        let silent = pieces.read(&mut room).unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::WouldBlock);
        to.send(Ok(vec![4])).unwrap();
        drop(to);
        assert_eq!(pieces.read(&mut room).unwrap(), 1);
        assert_eq!(pieces.read(&mut room).unwrap(), 0);
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a header that comes late needs a sender"
    )]
    fn a_header_in_pieces_is_waited_for() {
        for (first, header) in [(0xd4, HEADER), (0x0a, SECTION)] {
            let (to, from) = sync_channel(1);
            let mut pieces = Pieces::new(from);
            let sender = std::thread::spawn(move || {
                to.send(Ok(vec![first; 5])).unwrap();
                std::thread::park_timeout(3 * PATIENCE);
                to.send(Ok(vec![first; header - 5])).unwrap();
                to
            });
            let mut room = [0; SECTION];
            assert_eq!(pieces.read(&mut room).unwrap(), 5);
            assert_eq!(pieces.read(&mut room).unwrap(), header - 5);
            let silent = pieces.read(&mut room).unwrap_err();
            assert_eq!(silent.kind(), io::ErrorKind::WouldBlock);
            drop(sender.join().unwrap());
        }
    }

    #[test]
    fn a_stream_arrives_whole() {
        let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        let mut read = Vec::new();
        let mut reader = in_pieces(Box::new(io::Cursor::new(bytes.clone())));
        let mut room = [0; 4096];
        loop {
            match reader.read(&mut room) {
                Ok(0) => break,
                Ok(count) => read.extend_from_slice(&room[..count]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert_eq!(read, bytes);
    }
}
