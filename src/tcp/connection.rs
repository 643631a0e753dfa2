//! One TCP connection as the capture shows it: the handshake from either end's view, both half-connections, how it
//! ended, and its bytes in order for an observer.
//!
//! Every segment is taken once: a further sighting of a packet (rule 6 of the catalogue) is counted and changes
//! nothing else. Work per segment is constant but for what reordering needs.

use crate::decode::{IpFacts, TcpSegment, flag};
use crate::mark::Both;
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::{Mark, Seen};
use crate::protocol::{Chunk, Next};
use crate::tcp::half::{Half, Repeat, Reset, hops};
use crate::tcp::history::History;
use crate::tcp::idle::Idle;
use crate::tcp::repeats::Repeats;
use crate::tcp::resent;
use crate::tcp::stream::Stream;
use crate::tcp::turn::Turns;
use crate::time::Nanos;

/// Who takes a connection's bytes: direction, chunk, frame.
pub type Sink<'s> = &'s mut dyn FnMut(Direction, Chunk<'_>, Mark) -> Next;

/// Everything remembered of one TCP connection.
#[derive(Debug, Default)]
pub struct Connection {
    /// What each end sent.
    pub halves: Both<Half>,
    /// Its bytes in order.
    pub streams: Both<Stream>,
    /// Zeek's letters and states.
    pub history: History,
    /// The client's SYNs.
    pub syns: Repeats,
    /// The server's SYN-ACKs.
    pub synacks: Repeats,
    /// Of those, how many came after the client had acknowledged one.
    pub synacks_after_ack: Option<Box<Repeats>>,
    /// A SYN-ACK that did not acknowledge the client's SYN, or came without one.
    pub unexpected_synack: Option<Box<Mark>>,
    /// The server answered the SYN with a bare ACK (TIME-WAIT, RFC 5961 challenge).
    pub challenge_ack: Option<Box<Mark>>,
    /// The client's first segment after the SYN-ACK, or after its SYN where none was captured.
    pub established: Option<Mark>,
    /// That segment begins further on: the ACK of the handshake itself is not in the capture.
    pub handshake_unseen: bool,
    /// TSval of the first SYN.
    pub syn_ts_value: Option<u32>,
    /// SYN sent by both ends without ACK (RFC 9293 3.5, simultaneous open).
    pub simultaneous_open: bool,
    /// The SYN carried data (RFC 7413).
    pub fast_open: bool,
    /// Nothing more is expected: both FINs, or a RST. The frame that did it.
    pub closed: Option<Mark>,
    /// First and last frame.
    pub span: Option<(Mark, Mark)>,
    /// The last time that it rested, everything acknowledged, until data or a keep-alive came.
    pub idle: Option<Box<Idle>>,
    /// A snaplen cut payload that might have been read.
    pub cut: Option<Mark>,
    /// What each end says first after the other, against what else is said in its name.
    pub turns: Turns,
    /// The frame before this one.
    pub(super) before: Option<Mark>,
    /// Gaps already told to `history`, by direction.
    gaps_told: Both<u64>,
}

impl Connection {
    /// What `from` sent.
    pub fn half(&self, from: Direction) -> &Half {
        &self.halves[from]
    }

    /// The roles turned out to be the other way round.
    pub fn flip(&mut self) {
        self.halves.swap();
        self.streams.swap();
        self.gaps_told.swap();
        self.turns.flip();
        self.history.flip();
    }

    /// Is this SYN the start of another connection on the same addresses and ports?
    pub fn is_another(&self, from: Direction, segment: &TcpSegment<'_>) -> bool {
        if segment.flags & (flag::SYN | flag::ACK | flag::RST) != flag::SYN {
            return false;
        }
        let half = &self.halves[from];
        match half.isn {
            Some(isn) => isn != segment.seq,
            // A SYN within data: a new connection, unless the other end's SYN is still open (simultaneous open).
            None => {
                half.first.is_some()
                    || (self.halves[from.reverse()].isn.is_some() && self.established.is_some())
                    || self.closed.is_some()
            }
        }
    }

    /// Round trip between the capture point and the server, from the handshake; not over retries.
    pub fn server_rtt(&self) -> Option<Nanos> {
        let (syn, synack) = (self.syns.first()?, self.synacks.first()?);
        (self.syns.count == 1).then(|| synack.time.since(syn.time))
    }

    /// Round trip between the capture point and the client, from the handshake; not over retries, nor holes.
    pub fn client_rtt(&self) -> Option<Nanos> {
        let (synack, ack) = (self.synacks.first()?, self.established?);
        (self.synacks.count == 1 && !self.handshake_unseen).then(|| ack.time.since(synack.time))
    }

    /// From the SYN to the ACK that completes the handshake; absent over retries.
    pub fn connect_rtt(&self) -> Option<Nanos> {
        Some(self.server_rtt()?.saturating_add(self.client_rtt()?))
    }

    /// Does the capture show only one direction of this connection though the other must exist?
    pub fn one_sided(&self) -> Option<Direction> {
        let silent = |from: Direction| self.half(from).counts.packets == 0;
        let went_on = |from: Direction| {
            let half = self.half(from);
            half.acked_any || half.counts.data_segments > 0 || half.fin.is_some()
        };
        if silent(ToClient)
            && went_on(ToServer)
            && (self.established.is_some() || self.syns.count == 0)
        {
            Some(ToClient)
        } else if silent(ToServer) && went_on(ToClient) {
            Some(ToServer)
        } else {
            None
        }
    }

    /// A packet of `from` that was already seen passed again: with another TTL where a router passed it on in between.
    pub fn on_sighting(&mut self, from: Direction, flags: u8, ttl: u8) {
        let half = &mut self.halves[from];
        let routed = hops(ttl) != half.last_hops;
        half.counts.sightings += 1;
        half.counts.routed += u32::from(routed);
        half.counts.routed_syns += u32::from(routed && flags & flag::SYN != 0);
    }

    /// Takes one segment that `from` sent, seen for the first time.
    pub fn on_segment(
        &mut self,
        from: Direction,
        segment: &TcpSegment<'_>,
        ip: &IpFacts,
        at: Mark,
        sink: Sink<'_>,
    ) {
        self.before = self.span.map(|span| span.1);
        self.span = Some((self.span.map_or(at, |span| span.0), at));
        self.history
            .on_segment(from, segment.flags, segment.seq, segment.payload_len);
        self.turns
            .note(from, &self.halves[from], segment, ip.ttl, at);
        self.note_packet(from, segment, ip, at);
        if segment.flags & flag::RST != 0 {
            self.on_reset(from, segment, ip, at);
            return;
        }
        self.note_life_after_reset(from, segment, at);
        // A SYN with a FIN asks for no connection: scanners send it to see what comes back.
        let opens = segment.flags & (flag::SYN | flag::FIN) == flag::SYN;
        if opens {
            self.on_syn(from, segment, at);
        }
        if segment.flags & flag::ACK != 0 {
            self.on_ack(from, segment, at, sink);
        }
        self.note_window(from, segment, at);
        if segment.payload_len > 0 || segment.flags & (flag::SYN | flag::FIN | flag::RST) == 0 {
            self.on_data(from, segment, ip, at, sink);
        }
        if segment.flags & flag::FIN != 0 {
            self.on_fin(from, segment, at, sink);
        }
    }

    /// The end of the flow: delivers what waits.
    pub fn finish(&mut self, sink: Sink<'_>) {
        let Some((_, last)) = self.span else { return };
        for from in [ToServer, ToClient] {
            let acked = self.halves[from].acked;
            self.streams[from].finish(acked, last, &mut |chunk, at| sink(from, chunk, at));
        }
    }

    fn note_packet(&mut self, from: Direction, segment: &TcpSegment<'_>, ip: &IpFacts, at: Mark) {
        let half = &mut self.halves[from];
        half.counts.packets += 1;
        half.counts.ip_bytes += u64::from(ip.total_len);
        half.first.get_or_insert(at);
        half.last = Some(at);
        half.acked_any |= segment.flags & flag::ACK != 0;
        if segment.flags & flag::RST == 0 {
            let distance = hops(ip.ttl);
            let (low, high) = half.hops.unwrap_or((distance, distance));
            if half.hops.is_some() && distance != half.last_hops {
                let changed = half.hops_changed.get_or_insert_with(|| Box::new((at, 0)));
                changed.1 = changed.1.saturating_add(1);
            }
            half.last_hops = distance;
            half.hops = Some((low.min(distance), high.max(distance)));
            half.last_id = ip.id.or(half.last_id);
            half.timestamps |= segment.options.timestamps.is_some();
        }
        if segment.payload_len as usize > segment.payload.len() {
            self.cut.get_or_insert(at);
        }
    }

    fn on_reset(&mut self, from: Direction, segment: &TcpSegment<'_>, ip: &IpFacts, at: Mark) {
        let acks = segment.flags & flag::ACK != 0;
        // RFC 9293 3.10.7.3, SYN-SENT: the RST for an ACK of an older connection ends that one, and the SYN is repeated.
        let older = self.challenge_ack.is_some() && self.established.is_none();
        if from == ToServer && older && self.synacks.count == 0 {
            return;
        }
        let half = &mut self.halves[from];
        // A RST that answers a SYN carries sequence number 0 and says nothing of its sender's numbers.
        let position = if half.first_position_known() {
            half.position(segment.seq)
        } else {
            0
        };
        let reset = Reset {
            at,
            position,
            ack: acks.then_some(segment.ack),
            ttl: ip.ttl,
            id: ip.id,
            window: segment.window,
        };
        match half.reset {
            None => half.reset = Some(reset),
            Some(first) if half.second_reset.is_none() && first.position != position => {
                half.second_reset = Some(Box::new(reset));
            }
            Some(_) => {}
        }
        self.closed.get_or_insert(at);
    }

    fn note_life_after_reset(&mut self, from: Direction, segment: &TcpSegment<'_>, at: Mark) {
        let half = &mut self.halves[from];
        let Some(reset) = half.reset else { return };
        if half.alive_after_reset.is_some() || segment.flags & flag::SYN != 0 || reset.position == 0
        {
            return;
        }
        let start = half.position(segment.seq);
        let new_data = segment.payload_len > 0 && start >= reset.position;
        let new_ack = segment.flags & flag::ACK != 0
            && reset
                .ack
                .is_some_and(|ack| segment.ack.wrapping_sub(ack).cast_signed() > 0);
        if new_data || new_ack {
            half.alive_after_reset = Some(Box::new(at));
        }
    }

    fn on_syn(&mut self, from: Direction, segment: &TcpSegment<'_>, at: Mark) {
        let half = &mut self.halves[from];
        let position = half.position(segment.seq);
        half.isn.get_or_insert(segment.seq);
        half.next = half.next.max(position + 1);
        half.data_end = half.data_end.max(position + 1);
        half.mss = segment.options.mss.or(half.mss);
        half.window_scale = segment.options.window_scale;
        half.sack_permitted |= segment.options.sack_permitted;
        self.streams[from].start_at(position + 1);
        if segment.flags & flag::ACK == 0 {
            if from == ToServer {
                self.syns.add(at);
                self.syn_ts_value = self
                    .syn_ts_value
                    .or(segment.options.timestamps.map(|(value, _)| value));
                self.fast_open |= segment.payload_len > 0;
            } else {
                self.simultaneous_open = true;
            }
            return;
        }
        if from == ToServer {
            return;
        }
        let expected = self.halves[ToServer].isn.map(|isn| isn.wrapping_add(1));
        let acknowledges = expected.is_none_or(|next| segment.ack.wrapping_sub(next) < (1 << 16));
        if !acknowledges {
            self.unexpected_synack.get_or_insert_with(|| Box::new(at));
            return;
        }
        self.synacks.add(at);
        if self.established.is_some() {
            self.synacks_after_ack.get_or_insert_default().add(at);
        }
    }

    fn on_ack(&mut self, from: Direction, segment: &TcpSegment<'_>, at: Mark, sink: Sink<'_>) {
        let plain = segment.flags & flag::SYN == 0;
        if from == ToServer
            && plain
            && self.established.is_none()
            && (self.synacks.count > 0 || self.syns.count > 0)
        {
            self.established = Some(at);
            self.handshake_unseen = !self.fast_open && self.halves[from].skips_to(segment.seq);
        }
        if from == ToClient
            && plain
            && self.established.is_none()
            && self.synacks.count == 0
            && self.syns.count > 0
        {
            self.challenge_ack.get_or_insert_with(|| Box::new(at));
        }
        let sender = from.reverse();
        let peer = &mut self.halves[sender];
        let Some(position) = peer.position_of_ack(segment.ack) else {
            return;
        };
        if let Some((left, right)) = resent::duplicate(segment)
            && let (Some(start), Some(end)) =
                (peer.position_of_ack(left), peer.position_of_ack(right))
        {
            peer.take_back(start, end);
        }
        let news = peer.acknowledge(position, at);
        let duplicate = !news
            && plain
            && segment.payload_len == 0
            && segment.flags & flag::FIN == 0
            && position == peer.acked
            && peer.next > peer.acked;
        if duplicate {
            peer.duplicate_ack(at.time);
            if !peer.sack_permitted || !self.halves[from].sack_permitted {
                self.halves[sender].sizes.on_duplicate(at);
            }
        }
        if segment.options.sack_len > 0 {
            self.halves[sender].note_selected(&segment.options, at);
        }
        let peer = &self.halves[sender];
        let acked = peer.acked;
        let stream = &mut self.streams[sender];
        stream.on_ack(acked, at, &mut |chunk, seen| sink(sender, chunk, seen));
        self.tell_gaps(sender);
        self.note_close(at);
    }

    fn note_window(&mut self, from: Direction, segment: &TcpSegment<'_>, at: Mark) {
        let scale = match (
            self.halves[ToServer].window_scale,
            self.halves[ToClient].window_scale,
        ) {
            (Some(_), Some(_)) if segment.flags & flag::SYN == 0 => {
                self.half(from).window_scale.unwrap_or(0).min(14)
            }
            _ => 0,
        };
        let over = segment.flags & (flag::SYN | flag::FIN) != 0
            || self.halves.iter().any(|half| half.fin.is_some());
        let mss = u32::from(self.half(from.reverse()).mss.unwrap_or(536));
        let half = &mut self.halves[from];
        let window = u32::from(segment.window) << scale;
        half.window_bytes = Some(window);
        if window == 0 && !over {
            let closed = half.zero_window.get_or_insert_default();
            if closed.since.is_none() {
                closed.since = Some(at);
                self.history.on_zero_window(from);
            }
        } else if let Some(closed) = &mut half.zero_window
            && let Some(since) = closed.since
            && (window >= mss.min(536) || over)
        {
            closed.since = None;
            let longer = closed
                .longest
                .is_none_or(|(a, b)| at.time.since(since.time) > b.time.since(a.time));
            if longer {
                closed.longest = Some((since, at));
            }
        }
    }

    fn on_data(
        &mut self,
        from: Direction,
        segment: &TcpSegment<'_>,
        ip: &IpFacts,
        at: Mark,
        sink: Sink<'_>,
    ) {
        let (me, peer) = (from, from.reverse());
        let rtt = self.connect_rtt();
        let peer_window = self.halves[peer].window_bytes;
        let half = &mut self.halves[me];
        let syn = u64::from(segment.flags & flag::SYN != 0);
        let start = half.position(segment.seq) + syn;
        let end = start.saturating_add(u64::from(segment.payload_len));
        if segment.payload_len == 0
            && !(half.next > 0 && start + 1 == half.next && half.data_end > 0)
        {
            half.next = half.next.max(end);
            // What is acknowledged after the own FIN stands behind it: the FIN is no payload.
            if half.fin.is_none_or(|fin| end <= fin.value) {
                half.data_end = half.data_end.max(end);
            }
            return;
        }
        if segment.payload_len > 0 {
            half.counts.data_segments += 1;
            half.counts.payload_bytes += u64::from(segment.payload_len);
            half.first_data.get_or_insert(at);
            half.last_data = Some(at);
        } else if half.acked < start || half.fin.is_some() {
            return;
        }
        let behind = half.unacked.first.is_some();
        let rested = half.all_acked();
        let repeats = half.unacked.repeats;
        let kind = half.range(start, end, at, ip.id, peer_window, rtt);
        if kind == Repeat::New && segment.payload_len > 0 {
            half.sizes.on_new(end, ip.total_len, behind);
            half.trips.on_new(end, at);
        } else if half.unacked.repeats > repeats {
            half.sizes.on_repeat(ip.total_len, ip.dont_fragment, at);
        }
        half.count(kind, start, end, at);
        if rested && matches!(kind, Repeat::New | Repeat::KeepAlive) {
            self.note_idle(from, at);
        }
        let half = &mut self.halves[me];
        if matches!(
            kind,
            Repeat::Retransmission { .. } | Repeat::Fast | Repeat::Spurious
        ) {
            self.history.on_retransmission(from);
        }
        if matches!(kind, Repeat::KeepAlive) || segment.payload_len == 0 {
            return;
        }
        let acked = half.acked;
        let cut = u64::from(segment.payload_len).saturating_sub(segment.payload.len() as u64);
        self.streams[me].push(
            start,
            segment.payload,
            cut,
            acked,
            at,
            &mut |chunk, seen| sink(from, chunk, seen),
        );
        self.tell_gaps(from);
    }

    fn on_fin(&mut self, from: Direction, segment: &TcpSegment<'_>, at: Mark, sink: Sink<'_>) {
        let acks = (segment.flags & flag::ACK != 0)
            .then(|| self.halves[from.reverse()].position_of_ack(segment.ack))
            .flatten();
        let half = &mut self.halves[from];
        let syn = u64::from(segment.flags & flag::SYN != 0);
        let position = half.position(segment.seq) + syn + u64::from(segment.payload_len);
        if half.fin.is_none() {
            half.fin = Some(Seen {
                value: position,
                at,
            });
            half.fin_acks = acks;
        }
        half.next = half.next.max(position + 1);
        self.streams[from].fin(position, at, &mut |chunk, seen| sink(from, chunk, seen));
        self.note_close(at);
    }

    fn note_close(&mut self, at: Mark) {
        if self.closed.is_none()
            && self
                .halves
                .iter()
                .all(|half| half.fin.is_some_and(|fin| half.acked > fin.value))
        {
            self.closed = Some(at);
        }
    }

    fn tell_gaps(&mut self, from: Direction) {
        let missed = self.streams[from].missed_bytes;
        if missed > self.gaps_told[from] {
            self.gaps_told[from] = missed;
            self.history.on_gap(from);
        }
    }
}
