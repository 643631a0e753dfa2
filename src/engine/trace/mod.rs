//! One flow read again, segment by segment: what a ladder is drawn from.
//!
//! TCP and the protocols are followed by the same code as for the diagnosis. Like segments in a row are folded while
//! they come, and of a long flow the middle is forgotten but for the frames that matter: what is kept has a bound.

mod flows;
mod rows;
mod said;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

pub use flows::Flows;
pub use rows::{Kind, Line, Segments, Syn};

use crate::decode::{Body, TcpSegment, decode, flag};
use crate::endpoint::Rules;
use crate::engine::conversation::{Application, Conversation};
use crate::engine::lane::Item;
use crate::engine::opened;
use crate::engine::routed::{Routed, signature};
use crate::engine::setting::Setting;
use crate::engine::trace::rows::Rows;
use crate::engine::trace::said::Said;
use crate::flow::key::{End, FlowKey};
use crate::ingest::Frame;
use crate::mark::{Direction, Mark};
use crate::protocol::tls::KeyLog;
use crate::tcp::counts::Counts;
use crate::tcp::sighting::Recent;
use crate::time::Timestamp;

/// One flow, drawn.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Client address and port.
    pub client: (IpAddr, u16),
    /// Server address and port.
    pub server: (IpAddr, u16),
    /// Which end the client is.
    pub client_end: End,
    /// No SYN was seen: the roles are guessed.
    pub assumed: bool,
    /// The name that the client asked for.
    pub name: Option<String>,
    /// Both FINs, or a RST.
    pub closed: bool,
    /// What passed, in order.
    pub lines: Vec<Line>,
}

/// A frame by itself: who sent it to whom, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// Where.
    pub at: Mark,
    /// Source and destination of an IP packet; port 0 where it has none.
    pub ends: Option<[(IpAddr, u16); 2]>,
    /// What it is.
    pub what: String,
}

/// Looks at one frame by itself.
pub fn glimpse(frame: &Frame<'_>) -> Glimpse {
    let packet = decode(frame);
    let (from, to) = match &packet.body {
        Body::Tcp(segment) => (segment.source_port, segment.destination_port),
        Body::Udp(datagram) => (datagram.source_port, datagram.destination_port),
        _ => (0, 0),
    };
    let ends = packet
        .ip
        .map(|ip| [(ip.source, from), (ip.destination, to)]);
    Glimpse {
        at: frame.at,
        ends,
        what: said::packet(&packet),
    }
}

/// What is known of an end's numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    /// Its first sequence number, which is shown as 0 (as 1 without its SYN).
    base: Option<u32>,
    /// The sequence number that is to come next.
    next: Option<u32>,
    /// Its last acknowledgment and window.
    last: Option<(u32, u16)>,
    shift: u8,
}

/// Follows one flow.
#[derive(Debug)]
pub struct Tracer {
    flow: Flows,
    conversation: Option<Conversation>,
    recent: Recent,
    said: Said,
    numbers: [Numbers; 2],
    rows: Rows,
    keys: Option<Arc<KeyLog>>,
}

impl Tracer {
    /// Follows what `flow` chooses. Frames of `evidence`, by file and number, are never folded; `whole` keeps the middle.
    pub fn new(flow: Flows, evidence: BTreeSet<(u32, u32)>, whole: bool) -> Self {
        Self {
            flow,
            conversation: None,
            recent: Recent::default(),
            said: Said::default(),
            numbers: [Numbers::default(); 2],
            rows: Rows::new(evidence, whole),
            keys: None,
        }
    }

    /// Opens its TLS, where the key log has the secrets.
    pub fn open_by(&mut self, keys: Option<Arc<KeyLog>>) {
        self.keys = keys;
    }

    /// Takes a frame of the capture. True if it belongs to the flow.
    pub fn on_frame(&mut self, frame: &Frame<'_>) -> bool {
        let mut own = false;
        let Self {
            flow,
            conversation,
            recent,
            said,
            numbers,
            rows,
            keys,
        } = self;
        let mut step = Step {
            conversation,
            recent,
            said,
            numbers,
            rows,
            keys: keys.as_ref(),
        };
        flow.visit(frame, &mut |_, item| {
            own = true;
            step.take(item);
        });
        own
    }

    /// The capture ends.
    pub fn finish(self) -> Option<Trace> {
        let conversation = self.conversation?;
        let name = conversation.episode(None, Timestamp::default());
        Some(Trace {
            client: conversation.client(),
            server: conversation.server(),
            client_end: conversation.client_end,
            assumed: conversation.assumed,
            closed: conversation.connection.closed.is_some(),
            name: name.name().map(str::to_owned),
            lines: self.rows.finish(),
        })
    }
}

/// All of a tracer but what chooses the frames.
struct Step<'a> {
    conversation: &'a mut Option<Conversation>,
    recent: &'a mut Recent,
    said: &'a mut Said,
    numbers: &'a mut [Numbers; 2],
    rows: &'a mut Rows,
    keys: Option<&'a Arc<KeyLog>>,
}

impl Step<'_> {
    fn take(&mut self, item: &Item<'_>) {
        let (Some((key, from)), Some(ip)) = (item.key, item.packet.ip) else {
            return;
        };
        match &item.packet.body {
            Body::Tcp(segment) => self.segment(key, from, segment, item),
            Body::Icmp(message) => {
                // It goes to whom it quotes.
                let mut line = Segments::of(item.at, from.other(), Kind::Icmp);
                line.said
                    .push(format!("{}  from {}", said::icmp(message), ip.source));
                self.rows.push(line);
            }
            _ => {}
        }
    }

    fn segment(&mut self, key: FlowKey, from: End, segment: &TcpSegment<'_>, item: &Item<'_>) {
        let Some(ip) = &item.packet.ip else { return };
        let conversation = self
            .conversation
            .get_or_insert_with(|| Conversation::new(key, from, segment, 0, Rules::shared()));
        let routed = Routed {
            key,
            hash: item.hash,
            from,
            segment,
            ip,
            place: item.place,
            at: item.at,
            clock: item.clock,
        };
        if self.recent.is_sighting(signature(&routed)) {
            self.rows.sighting(item.at, from);
            return;
        }
        if conversation.assumed
            && !segment.payload.is_empty()
            && matches!(conversation.application, Application::Unknown)
        {
            conversation.settle_roles(from, segment.payload);
        }
        let (direction, server) = (conversation.direction(from), conversation.server());
        let before = conversation.connection.half(direction).counts;
        let Conversation {
            connection,
            application,
            opened,
            first_bytes,
            rules,
            ..
        } = conversation;
        let setting = Setting {
            server,
            rules,
            keys: self.keys,
        };
        let inside = setting.inside();
        let said = &mut *self.said;
        connection.on_segment(direction, segment, ip, item.at, &mut |from, chunk, at| {
            let next = said.on_chunk(application, first_bytes, &setting, from, chunk, at);
            opened::hand_on_to(application, opened, &mut |inner, first, from, chunk, at| {
                said.on_chunk(inner, first, &inside, from, chunk, at)
            });
            next
        });
        let after = conversation.connection.half(direction).counts;
        let mut line = described(self.numbers, from, segment, item.at);
        if line.kind == Kind::Plain {
            line.kind = repeat(before, after);
        }
        line.encrypted = encrypted(&conversation.application, direction, segment);
        for (at, words) in self.said.words.drain(..) {
            if at == item.at {
                line.said.push(words);
            } else {
                self.rows.add(at, words);
            }
        }
        self.rows.push(line);
    }
}

/// What the counters say of the segment between them.
fn repeat(before: Counts, after: Counts) -> Kind {
    match () {
        () if after.fast > before.fast => Kind::FastRetransmission,
        () if after.retransmitted > before.retransmitted => Kind::Retransmission,
        () if after.spurious > before.spurious => Kind::Spurious,
        () if after.out_of_order > before.out_of_order => Kind::OutOfOrder,
        () if after.ambiguous > before.ambiguous => Kind::Repeated,
        () if after.keep_alives > before.keep_alives => Kind::KeepAlive,
        () if after.window_probes > before.window_probes => Kind::WindowProbe,
        () => Kind::Plain,
    }
}

/// Application data, or what a handshake of TLS 1.3 hides.
fn encrypted(application: &Application, from: Direction, segment: &TcpSegment<'_>) -> bool {
    match application.inside() {
        Application::Tls(session) | Application::Tunnel(_, session) => {
            segment.payload_len > 0 && session.data[from].records > 0
        }
        _ => false,
    }
}

/// A segment with relative numbers, and what they tell.
fn described(
    numbers: &mut [Numbers; 2],
    from: End,
    segment: &TcpSegment<'_>,
    at: Mark,
) -> Segments {
    let [a, b] = numbers;
    let (own, other) = match from {
        End::A => (a, b),
        End::B => (b, a),
    };
    let (syn, reset) = (
        segment.flags & flag::SYN != 0,
        segment.flags & flag::RST != 0,
    );
    let known = own.base.is_some();
    let mut line = Segments::of(at, from, Kind::Plain);
    if syn {
        own.shift = segment.options.window_scale.unwrap_or(0);
        line.syn = Some(Syn {
            mss: segment.options.mss,
            window_scale: segment.options.window_scale,
        });
        line.kind = if own.base == Some(segment.seq) {
            Kind::Retransmission
        } else {
            Kind::Plain
        };
        own.base = Some(segment.seq);
    } else if !known && !reset {
        own.base = Some(segment.seq.wrapping_sub(1));
    }
    line.seq = own.base.map(|base| segment.seq.wrapping_sub(base));
    let acks = segment.flags & flag::ACK != 0;
    line.ack = other
        .base
        .filter(|_| acks)
        .map(|base| segment.ack.wrapping_sub(base));
    line.flags = segment.flags;
    line.bytes = segment.payload_len.into();
    let shift = if syn { 0 } else { own.shift.min(14) };
    line.window = u32::from(segment.window) << shift;
    let lead = own
        .next
        .map_or(0, |next| segment.seq.wrapping_sub(next).cast_signed());
    let lead = if syn || reset { 0 } else { lead };
    line.lacking = u32::try_from(lead).unwrap_or(0);
    follow(own, other, segment, &mut line, lead);
    line
}

/// Tells repetitions that the connection does not count, and moves an end's numbers on. `lead` is how far the segment
/// lies ahead of what was to come next.
fn follow(
    own: &mut Numbers,
    other: &Numbers,
    segment: &TcpSegment<'_>,
    line: &mut Segments,
    lead: i32,
) {
    let has = |bit: u8| segment.flags & bit != 0;
    let end = segment
        .seq
        .wrapping_add(segment.payload_len)
        .wrapping_add(u32::from(has(flag::SYN)) + u32::from(has(flag::FIN)));
    if has(flag::FIN) && segment.payload_len == 0 && lead < 0 {
        line.kind = Kind::Retransmission;
    }
    let now = (segment.ack, segment.window);
    let awaited = |next: u32| next.wrapping_sub(segment.ack).cast_signed() > 0;
    let outstanding = other.next.is_some_and(awaited);
    if line.is_bare() && own.last == Some(now) && outstanding && lead == 0 {
        line.kind = Kind::DuplicateAck;
    }
    if has(flag::RST) {
        return;
    }
    if has(flag::ACK) {
        own.last = Some(now);
    }
    let news = |next: u32| end.wrapping_sub(next).cast_signed() > 0;
    if own.next.is_none_or(news) {
        own.next = Some(end);
    }
}
