//! A frame into its packet: addresses, ports, flags, payload. Pure, and it cannot fail: what could not be read
//! is said in `Packet::stopped`.
//!
//! One file per kind of layer, from the wire inwards: `link` and `wifi` (what a capture's link type says), `mpls`,
//! `ip` (headers and extension headers), `transport`, `icmp`, `arp`, `tunnel` (what carries another packet), and
//! `fragment`, which puts pieces together on the engine's behalf.
//!
//! etherparse reads the IPv4, IPv6 and IPv6 fragment headers, whose checks it has tested best. The rest is read
//! here, each for a reason: its TCP slice and options iterator give up at a header that the snaplen cut and at the
//! first option they do not know (Fast Open, MPTCP), its cooked header refuses ARP hardware types it does not know,
//! Ethernet and VLAN are two reads each, and cooked v2, 802.11, PPP, MPLS and the tunnels are not in it. Its
//! all-in-one slicers cost four times as much per packet.
//!
//! Promises: no panic on any bytes; bounded work, with at most `DEPTH_MAX` packets within packets; padding, trailers
//! and check sequences never count as payload, because every IP header says where its packet ends.

mod arp;
mod bytes;
mod checksum;
pub mod fragment;
mod icmp;
mod ip;
mod link;
mod mpls;
mod plain;
mod transport;
mod tunnel;
mod wifi;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::ingest::{Frame, LinkType};

/// Packets within packets that are followed; a deeper one is left alone, as `Stop` says.
const DEPTH_MAX: u8 = 8;

/// Decodes one frame by its link type. Copies no payload.
pub fn decode<'a>(frame: &Frame<'a>) -> Packet<'a> {
    if frame.link.0 == 1
        && let Some(packet) = plain::tcp_over_ethernet(frame.bytes)
    {
        return packet;
    }
    let fcs = usize::from(frame.fcs_len);
    let missing = (frame.wire_len as usize).saturating_sub(frame.bytes.len());
    let around = Around {
        link: LinkFacts::default(),
        missing: missing.saturating_sub(fcs),
        trailer: fcs.saturating_sub(missing),
        depth: 0,
    };
    match frame.link.0 {
        1 => link::ethernet(frame.bytes, around),
        113 => link::cooked(frame.bytes, around),
        276 => link::cooked_v2(frame.bytes, around),
        0 | 108 => link::loopback(frame.bytes, around),
        12 | 14 | 101 => link::raw(frame.bytes, around),
        228 => ip::v4(frame.bytes, around),
        229 => ip::v6(frame.bytes, around),
        9 | 50 => link::ppp(frame.bytes, around),
        51 => link::pppoe(frame.bytes, around),
        104 => link::cisco_hdlc(frame.bytes, around),
        105 => wifi::frame(frame.bytes, around),
        127 => wifi::radiotap(frame.bytes, around),
        119 | 163 => wifi::prism(frame.bytes, around),
        192 => wifi::per_packet(frame.bytes, around),
        number => broken(&around, "link", StopReason::Unknown(number.into())),
    }
}

/// Is a frame of this link type read at all?
pub const fn reads(link: LinkType) -> bool {
    matches!(
        link.0,
        0 | 1
            | 9
            | 12
            | 14
            | 50
            | 51
            | 101
            | 104
            | 105
            | 108
            | 113
            | 119
            | 127
            | 163
            | 192
            | 228
            | 229
            | 276
    )
}

/// What is known of the surroundings while the layers are walked.
#[derive(Clone, Copy, Debug, Default)]
struct Around {
    link: LinkFacts,
    /// Bytes that the snaplen cut off the end.
    missing: usize,
    /// Check sequence at the end of the bytes. It is left there and matters only to an IP packet without a length:
    /// where a file claims a check sequence that the frames lack, nothing is lost.
    trailer: usize,
    depth: u8,
}

impl Around {
    /// One packet further inwards, `missing` of its bytes not captured.
    fn inside(self, missing: usize) -> Result<Self, Stop> {
        let depth = self.depth.saturating_add(1);
        if depth > DEPTH_MAX {
            return Err(Stop {
                layer: "tunnel",
                reason: StopReason::Unknown(depth.into()),
            });
        }
        Ok(Self {
            link: self.link,
            missing,
            trailer: 0,
            depth,
        })
    }

    /// Inside a tunnel with this identity; 0 leaves that of the tunnel around it.
    fn tunnel(mut self, identity: u32) -> Self {
        if identity != 0 {
            self.link.tunnel = identity;
        }
        self
    }
}

/// A packet of which no more than the link is known.
fn broken<'a>(around: &Around, layer: &'static str, reason: StopReason) -> Packet<'a> {
    Packet {
        link: around.link,
        ip: None,
        body: Body::Other,
        stopped: Some(Stop { layer, reason }),
    }
}

/// One decoded frame: the innermost IP packet that could be reached, or what lies on the link itself.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Link addresses and tags around the packet: of the outermost link layer that has addresses, but of the mirrored
    /// frame where ERSPAN carries one, for then the outer ones are only the mirror's.
    pub link: LinkFacts,
    /// The innermost IP header.
    pub ip: Option<IpFacts>,
    /// What the packet carries.
    pub body: Body<'a>,
    /// Where decoding had to stop, and why.
    pub stopped: Option<Stop>,
}

/// What the link layer said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkFacts {
    /// Source MAC address (Ethernet, cooked v1/v2, 802.11).
    pub source: Option<[u8; 6]>,
    /// Destination MAC address; absent for cooked captures.
    pub destination: Option<[u8; 6]>,
    /// Outermost VLAN id (0x8100, 0x88a8, 0x9100).
    pub vlan: Option<u16>,
    /// The next VLAN id inside it (802.1ad).
    pub inner_vlan: Option<u16>,
    /// Identity of the innermost tunnel that has one for both directions (VXLAN and Geneve VNI, NVGRE subnet, GRE
    /// key); 0 for none. Part of the flow key. VLAN, MPLS, PPPoE, PPTP, GTP and ERSPAN give none: their numbers are
    /// local to a link or a direction, or name a mirror.
    pub tunnel: u32,
}

impl LinkFacts {
    /// VLAN ids, the outermost and the next inside; `None` without any.
    pub fn tag(&self) -> Option<Tag> {
        self.vlan.map(|outer| (outer, self.inner_vlan))
    }
}

/// VLAN ids of a frame: the outermost, and the next inside.
pub type Tag = (u16, Option<u16>);

/// What the innermost IP header said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpFacts {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// IPv4 identification; for IPv6 only where a fragment header gives one.
    pub id: Option<u32>,
    /// IPv4 "don't fragment"; always true for IPv6.
    pub dont_fragment: bool,
    /// Bytes of the IP packet on the wire, headers included (from the IP length; the frame's size where that is 0
    /// as with segmentation offload).
    pub total_len: u32,
    /// IP protocol number of the body (6 TCP, 17 UDP …).
    pub protocol: u8,
    /// IPv4 header checksum.
    pub head_sum: Sum,
    /// TCP or UDP checksum.
    pub body_sum: Sum,
}

/// What an IP packet or frame carries.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// A TCP segment.
    Tcp(TcpSegment<'a>),
    /// A UDP datagram.
    Udp(UdpDatagram<'a>),
    /// An ICMP or ICMPv6 message.
    Icmp(IcmpMessage<'a>),
    /// An ARP request or reply for IPv4 over Ethernet.
    Arp(ArpPacket),
    /// One fragment of an IP packet, the first one included.
    Fragment(Fragment<'a>),
    /// An encrypted packet of IPsec; `Packet::stopped` says so too.
    Esp(Esp),
    /// PPP's own words; the IP header is that of the tunnel around it, if any.
    Ppp(Ppp<'a>),
    /// PPPoE before there is a session.
    PppoeDiscovery(PppoeDiscovery<'a>),
    /// Nothing that the engine reads (see `IpFacts::protocol`, or `Stop`).
    Other,
}

/// A TCP segment (RFC 9293 3.1).
#[derive(Clone, Copy, Debug)]
pub struct TcpSegment<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number of the first byte (of the SYN, if set).
    pub seq: u32,
    /// Acknowledgment number; meaningful only with ACK.
    pub ack: u32,
    /// Control bits as on the wire: see `flag`.
    pub flags: u8,
    /// Window field, unscaled.
    pub window: u16,
    /// Checksum field as on the wire.
    pub checksum: u16,
    /// Options that the engine uses.
    pub options: TcpOptions,
    /// Captured payload.
    pub payload: &'a [u8],
    /// Payload bytes on the wire; larger than `payload` where the snaplen cut it.
    pub payload_len: u32,
}

/// Bits of `TcpSegment::flags`.
pub mod flag {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// Acknowledgment field is significant.
    pub const ACK: u8 = 0x10;
}

/// TCP options (RFC 9293 3.2, RFC 7323, RFC 2018).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// Maximum segment size.
    pub mss: Option<u16>,
    /// Window scale shift.
    pub window_scale: Option<u8>,
    /// SACK permitted.
    pub sack_permitted: bool,
    /// TSval and TSecr.
    pub timestamps: Option<(u32, u32)>,
    /// SACK blocks, left and right edge; unused entries are (0, 0).
    pub sack: [(u32, u32); 3],
    /// How many entries of `sack` are used.
    pub sack_len: u8,
    /// TCP Fast Open option (kind 34) present.
    pub fast_open: bool,
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug)]
pub struct UdpDatagram<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Captured payload.
    pub payload: &'a [u8],
    /// Payload bytes on the wire.
    pub payload_len: u32,
}

/// An ICMP or ICMPv6 message.
#[derive(Clone, Copy, Debug)]
pub struct IcmpMessage<'a> {
    /// ICMPv6 (RFC 4443, RFC 4861) rather than ICMP (RFC 792).
    pub v6: bool,
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Bytes 4 to 8 of the message: identifier and sequence of an echo, next-hop MTU of "fragmentation needed".
    pub rest: u32,
    /// For errors: the quoted packet's addresses and ports.
    pub quoted: Option<Quoted>,
    /// For neighbour solicitation and advertisement (types 135, 136).
    pub neighbour: Option<Neighbour>,
    /// Message bytes after the first eight.
    pub payload: &'a [u8],
}

/// The packet that an ICMP error quotes, as its sender sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Source address of the quoted packet.
    pub source: IpAddr,
    /// Destination address of the quoted packet.
    pub destination: IpAddr,
    /// Its IP protocol.
    pub protocol: u8,
    /// Its source port (TCP, UDP), else 0.
    pub source_port: u16,
    /// Its destination port (TCP, UDP), else 0.
    pub destination_port: u16,
    /// Its TCP sequence number, where eight bytes were quoted.
    pub seq: Option<u32>,
    /// Its time to live as quoted.
    pub ttl: u8,
}

/// Neighbour discovery (RFC 4861 4.3, 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Target address.
    pub target: IpAddr,
    /// Link-layer address of the option (source for a solicitation, target for an advertisement).
    pub mac: Option<[u8; 6]>,
    /// Solicited bit of an advertisement.
    pub solicited: bool,
    /// Override bit of an advertisement.
    pub overrides: bool,
}

/// ARP for IPv4 over Ethernet (RFC 826).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArpPacket {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Sender hardware address.
    pub sender_mac: [u8; 6],
    /// Sender protocol address.
    pub sender_ip: std::net::Ipv4Addr,
    /// Target hardware address.
    pub target_mac: [u8; 6],
    /// Target protocol address.
    pub target_ip: std::net::Ipv4Addr,
}

/// A fragment of an IP packet (RFC 791 3.2, RFC 8200 4.5).
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// Identification shared by the fragments.
    pub id: u32,
    /// Byte offset of this fragment's payload in the original payload.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
    /// Captured bytes of this fragment's payload.
    pub payload: &'a [u8],
    /// Bytes on the wire.
    pub payload_len: u32,
}

/// The head of an ESP packet (RFC 4303 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Esp {
    /// Security parameters index.
    pub spi: u32,
    /// Sequence number, its low 32 bits.
    pub seq: u32,
}

/// A packet of PPP that is no network packet: link control, authentication, network control (RFC 1661 2).
#[derive(Clone, Copy, Debug)]
pub struct Ppp<'a> {
    /// PPP protocol number: 0xc021 LCP, 0xc023 PAP, 0xc223 CHAP …
    pub protocol: u16,
    /// PPPoE session that carries it.
    pub session: Option<u16>,
    /// Captured bytes after the protocol number.
    pub payload: &'a [u8],
}

/// A PPPoE discovery packet (RFC 2516 5).
#[derive(Clone, Copy, Debug)]
pub struct PppoeDiscovery<'a> {
    /// PADI 0x09, PADO 0x07, PADR 0x19, PADS 0x65, PADT 0xa7.
    pub code: u8,
    /// Session id.
    pub session: u16,
    /// Tags.
    pub tags: &'a [u8],
}

/// Are the checksums those of the bytes? Computed only where the whole packet was captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sum {
    /// Nothing to check, or not all bytes are there.
    #[default]
    Unknown,
    /// Right.
    Right,
    /// Left to the card: nothing, or the sum of the pseudo-header alone.
    Offload,
    /// Neither.
    Wrong,
}

/// Why decoding stopped before the transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The layer that could not be read: `link`, `vlan`, `ip`, `tcp` …
    pub layer: &'static str,
    /// The reason, a few fixed words.
    pub reason: StopReason,
}

/// Reasons for a `Stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StopReason {
    /// The snaplen cut the header away.
    Cut,
    /// The header contradicts itself.
    Malformed,
    /// Nothing here reads this number (link type, ethertype, IP protocol, tunnel type).
    Unknown(u32),
    /// Encrypted (ESP, protected 802.11).
    Encrypted,
}
