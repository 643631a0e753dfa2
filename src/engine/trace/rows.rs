//! The lines of a ladder as they come: like segments in a row become one, and the middle of a long flow is forgotten.

use std::collections::{BTreeSet, VecDeque};

use crate::decode::flag;
use crate::flow::key::End;
use crate::limits::{LADDER_HEAD, LADDER_TAIL};
use crate::mark::Mark;
use crate::time::SECOND;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// One segment, or several that are alike.
    Segments(Box<Segments>),
    /// So many segments that are not kept.
    Omitted(u64),
}

/// What a segment is to what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// New.
    Plain,
    /// Sent again.
    Retransmission,
    /// Sent again because duplicate acknowledgments asked for it.
    FastRetransmission,
    /// Sent again though it had arrived.
    Spurious,
    /// Sent before what was seen earlier.
    OutOfOrder,
    /// Seen again, by the sender's or the network's doing.
    Repeated,
    /// Asks whether the other end is still there.
    KeepAlive,
    /// Asks whether the window opened.
    WindowProbe,
    /// Acknowledges the same again while data is under way.
    DuplicateAck,
    /// An ICMP error that quotes the flow.
    Icmp,
}

/// What a SYN offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syn {
    /// Maximum segment size.
    pub mss: Option<u16>,
    /// Window scale.
    pub window_scale: Option<u8>,
}

/// One segment, or several alike in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// The first one.
    pub at: Mark,
    /// The last one.
    pub last: Mark,
    /// Who sent them.
    pub from: End,
    /// What they are.
    pub kind: Kind,
    /// How many.
    pub count: u64,
    /// Bare acknowledgments of the other end between them.
    pub acks: u64,
    /// Packets among them that were seen once more.
    pub copies: u64,
    /// Control bits of the first.
    pub flags: u8,
    /// Sequence number of the first, from the end's first one on.
    pub seq: Option<u32>,
    /// Acknowledgment number of the last, likewise.
    pub ack: Option<u32>,
    /// Payload bytes in all.
    pub bytes: u64,
    /// Window of the last, scaled as far as the SYN tells.
    pub window: u32,
    /// Bytes before the first that were not captured so far.
    pub lacking: u32,
    /// Of a SYN.
    pub syn: Option<Syn>,
    /// The payload is encrypted.
    pub encrypted: bool,
    /// What the protocol says in it. Quotes the wire: mask before showing.
    pub said: Vec<String>,
}

impl Segments {
    /// One of which nothing is known yet.
    pub(super) const fn of(at: Mark, from: End, kind: Kind) -> Self {
        Self {
            at,
            last: at,
            from,
            kind,
            count: 1,
            acks: 0,
            copies: 0,
            flags: 0,
            seq: None,
            ack: None,
            bytes: 0,
            window: u32::MAX,
            lacking: 0,
            syn: None,
            encrypted: false,
            said: Vec::new(),
        }
    }

    /// No more than an acknowledgment.
    pub const fn is_bare(&self) -> bool {
        self.bytes == 0 && self.flags & !flag::PSH == flag::ACK
    }

    /// Nothing in it is worth a line of its own.
    fn is_dull(&self) -> bool {
        let dull = flag::ACK | flag::PSH;
        let closed = self.window == 0;
        self.said.is_empty()
            && self.flags & !dull == 0
            && !closed
            && self.lacking == 0
            && self.kind != Kind::Icmp
    }
}

/// Lines in order, the first and the last of them and what matters between.
#[derive(Debug)]
pub(super) struct Rows {
    evidence: BTreeSet<(u32, u32)>,
    whole: bool,
    head: Vec<Line>,
    tail: VecDeque<Box<Segments>>,
    omitted: u64,
    /// Lines behind a frame of evidence that are still kept.
    after: u8,
}

/// Lines kept before and behind a frame of evidence.
const AROUND: u8 = 2;

impl Rows {
    pub(super) fn new(evidence: BTreeSet<(u32, u32)>, whole: bool) -> Self {
        Self {
            evidence,
            whole,
            head: Vec::new(),
            tail: VecDeque::new(),
            omitted: 0,
            after: 0,
        }
    }

    /// A packet that was already seen passes again.
    pub(super) fn sighting(&mut self, at: Mark, from: End) {
        if self.is_evidence(at) {
            self.push(Segments {
                copies: 1,
                count: 0,
                ..Segments::of(at, from, Kind::Repeated)
            });
        } else if let Some(last) = self.tail.back_mut() {
            last.copies += 1;
        }
    }

    /// Words that became known late, by their frame.
    pub(super) fn add(&mut self, at: Mark, words: String) {
        if let Some(row) = self.tail.iter_mut().rev().find(|row| row.at == at) {
            row.said.push(words);
        }
    }

    pub(super) fn push(&mut self, line: Segments) {
        let mut line = Box::new(line);
        if !self.fold(&mut line) {
            self.tail.push_back(line);
        }
        while self.tail.len() > LADDER_TAIL && !self.whole {
            self.age();
        }
    }

    fn is_evidence(&self, at: Mark) -> bool {
        self.evidence.contains(&(at.file, at.frame))
    }

    /// Joins a line with the last ones where nothing is lost by it.
    fn fold(&mut self, line: &mut Segments) -> bool {
        if !line.is_dull() || self.is_evidence(line.at) {
            return false;
        }
        // Data, acknowledgments of it, and more data: one run.
        let len = self.tail.len();
        let between = self.tail.back().filter(|row| {
            row.is_bare()
                && row.from != line.from
                && row.kind == Kind::Plain
                && self.joins(row, line)
        });
        let acks = between.map_or(0, |row| row.count);
        let back = if acks > 0 && line.bytes > 0 { 2 } else { 1 };
        let Some(place) = len.checked_sub(back) else {
            return false;
        };
        let Some(run) = self.tail.get(place) else {
            return false;
        };
        let alike = run.from == line.from
            && run.kind == line.kind
            && (run.bytes > 0) == (line.bytes > 0)
            && (run.encrypted == line.encrypted)
            && (back == 1 || line.kind == Kind::Plain);
        if !alike || !self.joins(run, line) {
            return false;
        }
        self.tail.truncate(place + 1);
        let Some(run) = self.tail.back_mut() else {
            return false;
        };
        run.last = line.last;
        run.count += line.count;
        run.bytes += line.bytes;
        run.ack = line.ack;
        run.window = line.window;
        if back == 2 {
            run.acks += acks;
        }
        true
    }

    /// A row that may be part of a run with a line: dull, no evidence, no second of idleness between.
    fn joins(&self, row: &Segments, line: &Segments) -> bool {
        let soon = line.at.time.since(row.last.time) < SECOND;
        row.is_dull() && !self.is_evidence(row.at) && soon
    }

    /// The oldest of the last lines becomes one of the first, or is forgotten.
    fn age(&mut self) {
        let next = self.tail.iter().take(usize::from(AROUND) + 1);
        let near = next.filter(|row| self.is_evidence(row.at)).count() > 0;
        let Some(row) = self.tail.pop_front() else {
            return;
        };
        let evidence = self.is_evidence(row.at);
        let early = self.head.len() < LADDER_HEAD;
        if early || near || self.after > 0 {
            self.after = if evidence {
                AROUND
            } else {
                self.after.saturating_sub(1)
            };
            self.close_gap();
            self.head.push(Line::Segments(row));
        } else {
            self.omitted += row.count + row.acks;
        }
    }

    fn close_gap(&mut self) {
        if self.omitted > 0 {
            self.head
                .push(Line::Omitted(std::mem::take(&mut self.omitted)));
        }
    }

    pub(super) fn finish(mut self) -> Vec<Line> {
        self.close_gap();
        self.head.extend(self.tail.into_iter().map(Line::Segments));
        self.head
    }
}
