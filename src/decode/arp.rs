//! ARP for IPv4 over Ethernet (RFC 826). Other hardware and protocols are not read.

use std::net::Ipv4Addr;

use super::bytes::{array, u16_at};
use super::{Around, ArpPacket, Body, Packet, StopReason, broken};

/// An ARP packet.
pub(super) fn arp<'a>(bytes: &'a [u8], around: &Around) -> Packet<'a> {
    let Some(found) = read(bytes) else {
        return broken(around, "arp", StopReason::Cut);
    };
    match found {
        Ok(packet) => Packet {
            link: around.link,
            ip: None,
            body: Body::Arp(packet),
            stopped: None,
        },
        Err(hardware) => broken(around, "arp", StopReason::Unknown(hardware)),
    }
}

/// `None` where the bytes end too early; the hardware type where it is not Ethernet's.
fn read(bytes: &[u8]) -> Option<Result<ArpPacket, u32>> {
    let (hardware, protocol, sizes) = (u16_at(bytes, 0)?, u16_at(bytes, 2)?, u16_at(bytes, 4)?);
    // Hardware type 6 is IEEE 802 with the same addresses; some 802.11 bridges send it.
    if !matches!(hardware, 1 | 6) || protocol != 0x0800 || sizes != 0x0604 {
        return Some(Err(hardware.into()));
    }
    Some(Ok(ArpPacket {
        operation: u16_at(bytes, 6)?,
        sender_mac: array(bytes, 8)?,
        sender_ip: Ipv4Addr::from(array::<4>(bytes, 14)?),
        target_mac: array(bytes, 18)?,
        target_ip: Ipv4Addr::from(array::<4>(bytes, 24)?),
    }))
}
