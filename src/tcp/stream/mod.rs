//! One direction's bytes in order, for an observer.
//!
//! In-order data is delivered from the packet itself; only out-of-order bytes and what an observer waits for are
//! copied. The first-seen byte wins an overlap. A hole is given up as a `Gap` when the receiver acknowledged past it
//! and it stayed open for 50 ms (captures reorder), when too much waits behind it, or at the end.

use crate::mark::Mark;
use crate::protocol::{Chunk, Next};
use crate::time::{MILLISECOND, Nanos, Timestamp};

/// Out-of-order bytes kept for one direction; beyond it the hole before them is given up.
pub const OUT_OF_ORDER_MAX: usize = 64 * 1024;
/// Bytes kept while an observer waits for more; beyond it the observer is told `Gap` and starts over.
pub const WAITING_MAX: usize = 160 * 1024;
/// A hole the receiver acknowledged is still filled by packets that the capture merely reordered within this time.
const REORDER: Nanos = 50 * MILLISECOND;

/// Bytes that arrived before the ones they follow.
#[derive(Debug)]
struct Piece {
    start: u64,
    bytes: Vec<u8>,
    cut: u64,
    at: Mark,
}

impl Piece {
    fn end(&self) -> u64 {
        self.start
            .saturating_add(self.bytes.len() as u64)
            .saturating_add(self.cut)
    }
}

/// The bytes of one direction. Positions count from the direction's own origin (see `half`).
#[derive(Debug, Default)]
pub struct Stream {
    next: u64,
    started: bool,
    done: bool,
    skip: u64,
    want: usize,
    waiting: Vec<u8>,
    pieces: Vec<Piece>,
    fin: Option<(u64, Mark)>,
    fin_told: bool,
    hole_since: Option<Timestamp>,
    /// The last hole that nobody waits to read behind, as far as it is not acknowledged.
    unacked_hole: Option<(u64, u64)>,
    /// Bytes that were never captured though the receiver acknowledged them.
    pub missed_bytes: u64,
    /// Overlaps whose bytes differ from the ones seen first.
    pub conflicts: u32,
    /// The flow ended while the observer still waited for, or skipped, announced bytes.
    pub unfinished: bool,
}

/// Who takes the chunks of a stream.
pub type Sink<'s> = &'s mut dyn FnMut(Chunk<'_>, Mark) -> Next;

impl Stream {
    /// Sets where the first byte will be; before the first segment only.
    pub fn start_at(&mut self, position: u64) {
        if !self.started {
            self.next = position;
            self.started = true;
        }
    }

    /// Position of the next byte to deliver.
    pub const fn position(&self) -> u64 {
        self.next
    }

    /// Takes a segment's payload: `bytes` from `start` on, then `cut` bytes that the snaplen took. `acked` is the
    /// position up to which the receiver acknowledged.
    pub fn push(
        &mut self,
        start: u64,
        bytes: &[u8],
        cut: u64,
        acked: u64,
        at: Mark,
        sink: Sink<'_>,
    ) {
        self.start_at(start);
        if self.done && self.pieces.is_empty() {
            let end = start.saturating_add(bytes.len() as u64).saturating_add(cut);
            self.count_only(start, end, acked);
            return;
        }
        let end = start.saturating_add(bytes.len() as u64).saturating_add(cut);
        if start > self.next {
            self.keep(start, bytes, cut, at);
            self.give_up_old_hole(acked, at, sink);
        } else if self.pieces.first().is_some_and(|known| end > known.start) {
            // It reaches into what came earlier: that stays, and this fills the hole before it.
            self.keep(start, bytes, cut, at);
            self.join(sink);
        } else {
            self.take(start, bytes, cut, at, sink);
            self.join(sink);
        }
    }

    /// The sender's FIN at `position`.
    pub fn fin(&mut self, position: u64, at: Mark, sink: Sink<'_>) {
        if self.fin.is_none() {
            self.start_at(position);
            self.fin = Some((position, at));
        }
        self.join(sink);
    }

    /// Time passed and the receiver acknowledged up to `acked`: gives up a hole that is overdue.
    pub fn on_ack(&mut self, acked: u64, at: Mark, sink: Sink<'_>) {
        if !self.pieces.is_empty() {
            self.give_up_old_hole(acked, at, sink);
        }
    }

    /// The end of the flow: whatever waits is delivered, holes as gaps. What the receiver acknowledged of them, up to
    /// `acked`, was on the wire and is missing from the capture.
    pub fn finish(&mut self, acked: u64, at: Mark, sink: Sink<'_>) {
        self.settle(acked);
        while let Some(first) = self.pieces.first().map(|piece| piece.start) {
            self.count_missed(first, acked);
            self.gap_to(first, at, sink);
            self.join(sink);
        }
        // What lies between the last byte seen and a FIN that was acknowledged was on the wire too.
        if let Some((position, _)) = self.fin.filter(|(position, _)| *position <= acked) {
            self.count_missed(position, acked);
            self.gap_to(position, at, sink);
            self.join(sink);
        }
        self.unfinished |= !self.done && (self.skip > 0 || !self.waiting.is_empty());
        if !self.done && !self.waiting.is_empty() {
            let rest = std::mem::take(&mut self.waiting);
            let next = sink(Chunk::Data(&rest), at);
            if matches!(next, Next::Done | Next::Broken(_)) {
                self.done = true;
            }
        }
    }

    /// Does the FIN stand behind bytes that were not seen? They were sent then, whatever became of them.
    pub fn fin_beyond_hole(&self) -> bool {
        self.fin.is_some_and(|(position, _)| position > self.next)
    }

    /// Nothing more is wanted: drops what is kept.
    pub fn stop(&mut self) {
        self.done = true;
        self.pieces = Vec::new();
        self.waiting = Vec::new();
    }

    /// Has the observer said that it needs nothing more?
    pub const fn is_done(&self) -> bool {
        self.done
    }

    fn count_only(&mut self, start: u64, end: u64, acked: u64) {
        self.settle(acked);
        if start > self.next {
            let told = start.min(acked).max(self.next);
            self.count_missed(start, acked);
            self.unacked_hole = (told < start).then_some((told, start));
        } else if let Some((from, to)) = self.unacked_hole
            && start <= from
        {
            self.unacked_hole = (end < to).then_some((from.max(end), to));
        }
        self.next = self.next.max(end);
    }

    /// Nobody reads any more, and a hole was left: what the receiver has acknowledged of it meanwhile is missing.
    fn settle(&mut self, acked: u64) {
        let Some((from, to)) = self.unacked_hole.filter(|(from, _)| acked > *from) else {
            return;
        };
        let missed = to.min(acked) - from;
        if missed <= 1 << 30 {
            self.missed_bytes = self.missed_bytes.saturating_add(missed);
        }
        self.unacked_hole = (acked < to).then_some((acked, to));
    }

    /// The hole before `start`, as far as the receiver acknowledged it. No window is larger than 1 GiB (RFC 7323 2.3):
    /// what lies further apart are numbers that make no sense, not bytes that were lost.
    fn count_missed(&mut self, start: u64, acked: u64) {
        let missed = start.min(acked).saturating_sub(self.next);
        if missed <= 1 << 30 {
            self.missed_bytes = self.missed_bytes.saturating_add(missed);
        }
    }

    /// Keeps what is new of a segment: the parts that no earlier piece holds, since the first-seen byte wins.
    fn keep(&mut self, start: u64, bytes: &[u8], cut: u64, at: Mark) {
        self.hole_since.get_or_insert(at.time);
        let end = start.saturating_add(bytes.len() as u64).saturating_add(cut);
        let mut from = start.max(self.next);
        while from < end {
            let index = self.pieces.partition_point(|piece| piece.end() <= from);
            let to = match self.pieces.get(index) {
                Some(known) if known.start <= from => {
                    let conflict = differs(known, start, bytes);
                    from = known.end();
                    self.conflicts = self.conflicts.saturating_add(u32::from(conflict));
                    continue;
                }
                Some(next) => end.min(next.start),
                None => end,
            };
            let place = |position: u64| {
                let place = usize::try_from(position - start).unwrap_or(usize::MAX);
                place.min(bytes.len())
            };
            let kept = bytes.get(place(from)..place(to)).unwrap_or(&[]).to_vec();
            let cut = (to - from).saturating_sub(kept.len() as u64);
            self.pieces.insert(
                index,
                Piece {
                    start: from,
                    bytes: kept,
                    cut,
                    at,
                },
            );
            from = to;
        }
    }

    fn take(&mut self, start: u64, bytes: &[u8], cut: u64, at: Mark, sink: Sink<'_>) {
        let seen = usize::try_from(self.next - start).unwrap_or(usize::MAX);
        if let Some(new) = bytes.get(seen..).filter(|new| !new.is_empty()) {
            self.next = self.next.saturating_add(new.len() as u64);
            self.deliver(new, at, sink);
        }
        let end = start.saturating_add(bytes.len() as u64).saturating_add(cut);
        if cut > 0 && end > self.next {
            let missing = end - self.next;
            self.next = end;
            self.tell_gap(missing, at, sink);
        }
    }

    fn join(&mut self, sink: Sink<'_>) {
        while self
            .pieces
            .first()
            .is_some_and(|piece| piece.start <= self.next)
        {
            let piece = self.pieces.remove(0);
            self.take(piece.start, &piece.bytes, piece.cut, piece.at, sink);
        }
        if self.pieces.is_empty() {
            self.hole_since = None;
        }
        if let Some((position, at)) = self.fin
            && position <= self.next
            && !self.fin_told
        {
            self.fin_told = true;
            self.unfinished |= !self.done && (self.skip > 0 || !self.waiting.is_empty());
            self.flush(at, sink);
            if !self.done {
                sink(Chunk::Fin, at);
            }
        }
    }

    fn give_up_old_hole(&mut self, acked: u64, at: Mark, sink: Sink<'_>) {
        let Some(first) = self.pieces.first().map(|piece| piece.start) else {
            return;
        };
        let overdue = acked >= first
            && self
                .hole_since
                .is_some_and(|since| at.time.since(since) >= REORDER);
        let held: usize = self.pieces.iter().map(|piece| piece.bytes.len()).sum();
        if overdue || held > OUT_OF_ORDER_MAX || self.pieces.len() > 256 || self.done {
            self.count_missed(first, acked);
            self.gap_to(first, at, sink);
            self.hole_since = Some(at.time);
            self.join(sink);
        }
    }

    fn gap_to(&mut self, position: u64, at: Mark, sink: Sink<'_>) {
        if position > self.next {
            let missing = position - self.next;
            self.next = position;
            self.tell_gap(missing, at, sink);
        }
    }

    fn tell_gap(&mut self, missing: u64, at: Mark, sink: Sink<'_>) {
        let skipped = missing.min(self.skip);
        self.skip -= skipped;
        if self.done || skipped == missing {
            return;
        }
        let kept = self.waiting.len() as u64;
        self.waiting.clear();
        self.want = 0;
        let next = sink(Chunk::Gap(missing - skipped + kept), at);
        self.obey(next, &[]);
    }

    fn flush(&mut self, at: Mark, sink: Sink<'_>) {
        if !self.done && !self.waiting.is_empty() {
            let rest = std::mem::take(&mut self.waiting);
            self.want = 0;
            let next = sink(Chunk::Data(&rest), at);
            if matches!(next, Next::Done | Next::Broken(_)) {
                self.done = true;
            }
        }
    }

    fn deliver(&mut self, bytes: &[u8], at: Mark, sink: Sink<'_>) {
        let mut rest = bytes;
        while !self.done && !rest.is_empty() {
            if self.skip > 0 {
                let skipped = usize::try_from(self.skip)
                    .unwrap_or(usize::MAX)
                    .min(rest.len());
                self.skip -= skipped as u64;
                rest = rest.get(skipped..).unwrap_or(&[]);
                continue;
            }
            if self.waiting.is_empty() {
                let next = sink(Chunk::Data(rest), at);
                rest = self.obey(next, rest);
            } else {
                let lacking = self
                    .want
                    .saturating_sub(self.waiting.len())
                    .max(1)
                    .min(rest.len());
                let (now, later) = rest.split_at(lacking);
                self.waiting.extend_from_slice(now);
                rest = later;
                if self.waiting.len() >= self.want {
                    let whole = std::mem::take(&mut self.waiting);
                    self.want = 0;
                    let next = sink(Chunk::Data(&whole), at);
                    // What is unused of `whole` was copied back by `obey`, so nothing is lost here.
                    self.obey(next, &whole);
                }
            }
        }
    }

    /// Does what the observer asked for. Everything it has not used is kept in `waiting`.
    fn obey<'b>(&mut self, next: Next, bytes: &'b [u8]) -> &'b [u8] {
        match next {
            Next::More => {}
            Next::Wait { used, want } => {
                let rest = bytes.get(used..).unwrap_or(&[]);
                if want > WAITING_MAX || rest.len() > WAITING_MAX {
                    self.stop();
                } else {
                    self.waiting = rest.to_vec();
                    self.want = want.max(rest.len() + 1);
                }
            }
            Next::Skip(bytes) => self.skip = bytes,
            Next::Done | Next::Broken(_) => self.stop(),
        }
        &[]
    }
}

/// Do the bytes that `piece` holds differ from those of an overlapping segment?
fn differs(piece: &Piece, start: u64, bytes: &[u8]) -> bool {
    let low = piece.start.max(start);
    let high = (piece.start + piece.bytes.len() as u64).min(start + bytes.len() as u64);
    let part = |base: u64, of: &[u8]| -> Option<Vec<u8>> {
        let from = usize::try_from(low.checked_sub(base)?).ok()?;
        let to = usize::try_from(high.checked_sub(base)?).ok()?;
        of.get(from..to).map(<[u8]>::to_vec)
    };
    low < high && part(piece.start, &piece.bytes) != part(start, bytes)
}

#[cfg(test)]
mod tests;
