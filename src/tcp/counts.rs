//! How often an end sent what.

use crate::tcp::half::Repeat;

/// How often each kind occurred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Segments, sightings aside.
    pub packets: u64,
    /// IP bytes.
    pub ip_bytes: u64,
    /// Segments with payload.
    pub data_segments: u64,
    /// Payload bytes on the wire, repeated ones included.
    pub payload_bytes: u64,
    /// Retransmitted segments (`Retransmission` and `Fast`).
    pub retransmitted: u32,
    /// Those of them whose first copy never passed the capture point.
    pub upstream: u32,
    /// Fast retransmissions.
    pub fast: u32,
    /// Spurious retransmissions.
    pub spurious: u32,
    /// Out-of-order segments.
    pub out_of_order: u32,
    /// Undecided ones.
    pub ambiguous: u32,
    /// Keep-alives.
    pub keep_alives: u32,
    /// Window probes.
    pub window_probes: u32,
    /// Further sightings of packets.
    pub sightings: u32,
    /// Those of them with another TTL: the packet passed a router.
    pub routed: u32,
    /// And those of them that are SYNs.
    pub routed_syns: u32,
}

impl Counts {
    /// One more segment of this kind.
    pub(super) fn add(&mut self, kind: Repeat) {
        match kind {
            Repeat::New => {}
            Repeat::OutOfOrder => self.out_of_order += 1,
            Repeat::Retransmission { upstream } => {
                self.retransmitted += 1;
                self.upstream += u32::from(upstream);
            }
            Repeat::Fast => {
                self.retransmitted += 1;
                self.fast += 1;
            }
            Repeat::Spurious => self.spurious += 1,
            Repeat::KeepAlive => self.keep_alives += 1,
            Repeat::WindowProbe => self.window_probes += 1,
            Repeat::Ambiguous => self.ambiguous += 1,
        }
    }
}
