//! Packets of the generated captures: Ethernet, IPv4 or IPv6, TCP or UDP, and what may stand around them.
//!
//! Checksums are zero, as a sender with offload leaves them: nothing in the engine looks at them.

use std::net::Ipv4Addr;

/// An address with its port.
pub(crate) type Side = (Ipv4Addr, u16);

/// TCP flags (RFC 9293 3.1).
pub(crate) mod flag {
    pub(crate) const FIN: u8 = 0x01;
    pub(crate) const SYN: u8 = 0x02;
    pub(crate) const RST: u8 = 0x04;
    pub(crate) const PSH: u8 = 0x08;
    pub(crate) const ACK: u8 = 0x10;
}

/// Maximum segment size 1460, SACK permitted, window scale 7.
const SYN_OPTIONS: [u8; 12] = [2, 4, 0x05, 0xb4, 4, 2, 1, 1, 1, 3, 3, 7];

/// A TCP header with its payload.
pub(crate) fn tcp(ports: (u16, u16), flags: u8, seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
    let options: &[u8] = if flags & flag::SYN == 0 {
        &[]
    } else {
        &SYN_OPTIONS
    };
    let mut bytes = Vec::with_capacity(20 + options.len() + payload.len());
    bytes.extend(ports.0.to_be_bytes());
    bytes.extend(ports.1.to_be_bytes());
    bytes.extend(seq.to_be_bytes());
    bytes.extend(ack.to_be_bytes());
    bytes.push(((20 + options.len()) as u8 / 4) << 4);
    bytes.push(flags);
    let window: u16 = if flags & flag::RST == 0 { 64_240 } else { 0 };
    bytes.extend(window.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(options);
    bytes.extend(payload);
    bytes
}

/// A UDP header with its payload.
pub(crate) fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + payload.len());
    bytes.extend(ports.0.to_be_bytes());
    bytes.extend(ports.1.to_be_bytes());
    bytes.extend((8 + payload.len() as u16).to_be_bytes());
    bytes.extend([0; 2]);
    bytes.extend(payload);
    bytes
}

/// An IPv4 header (RFC 791) before `body`.
pub(crate) fn ipv4(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    id: u16,
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20 + body.len());
    bytes.extend([0x45, 0]);
    bytes.extend((20 + body.len() as u16).to_be_bytes());
    bytes.extend(id.to_be_bytes());
    bytes.extend([0x40, 0, 64, protocol, 0, 0]);
    bytes.extend(source.octets());
    bytes.extend(destination.octets());
    bytes.extend(body);
    bytes
}

/// An IPv6 header (RFC 8200) before `body`, between two documentation addresses.
pub(crate) fn ipv6(protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((body.len() as u16).to_be_bytes());
    bytes.extend([protocol, 64]);
    for last in [1, 2] {
        bytes.extend([
            0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last,
        ]);
    }
    bytes.extend(body);
    bytes
}

/// Ethernet before `body`; `tags` are VLANs, outermost first.
pub(crate) fn ethernet(ethertype: u16, tags: &[u16], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    for tag in tags {
        bytes.extend(0x8100_u16.to_be_bytes());
        bytes.extend(tag.to_be_bytes());
    }
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// VXLAN (RFC 7348) around an Ethernet frame.
pub(crate) fn vxlan(identity: u32, frame: &[u8]) -> Vec<u8> {
    let mut body = vec![0x08, 0, 0, 0];
    body.extend((identity << 8).to_be_bytes());
    body.extend(frame);
    let carried = udp((50_000, 4_789), &body);
    let outer = ipv4(
        Ipv4Addr::new(172, 16, 0, 1),
        Ipv4Addr::new(172, 16, 0, 2),
        17,
        1,
        &carried,
    );
    ethernet(0x0800, &[], &outer)
}

/// GRE (RFC 2784) around an IPv4 packet.
pub(crate) fn gre(packet: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0x08, 0];
    body.extend(packet);
    let outer = ipv4(
        Ipv4Addr::new(172, 16, 0, 1),
        Ipv4Addr::new(172, 16, 0, 2),
        47,
        1,
        &body,
    );
    ethernet(0x0800, &[], &outer)
}

/// A DNS message (RFC 1035) that asks for the A record of `name`, or answers with `address`.
pub(crate) fn dns(id: u16, name: &str, address: Option<Ipv4Addr>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend(id.to_be_bytes());
    let flags: u16 = if address.is_some() { 0x8180 } else { 0x0100 };
    bytes.extend(flags.to_be_bytes());
    bytes.extend([0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    if let Some(address) = address {
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        bytes.extend(address.octets());
    }
    bytes
}
