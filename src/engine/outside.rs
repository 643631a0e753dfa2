//! What is remembered beside flows and neighbours: leases, dial-up lines, checksums.

use crate::decode::Body;
use crate::engine::lane::Item;
use crate::failure::Finding;
use crate::failure::network::{dhcp_no_offer, frame_corrupt, pppoe_failed};
use crate::flow::checksums::Checksums;
use crate::flow::dialup::Dialups;
use crate::flow::heard::Heard;
use crate::flow::leases::Leases;
use crate::flow::neighbours::Neighbours;
use crate::time::Timestamp;

/// The memory of what belongs to no flow.
#[derive(Debug, Default)]
pub(super) struct Outside {
    leases: Leases,
    dialups: Dialups,
    checksums: Checksums,
    /// When the capture begins.
    pub(super) begin: Option<Timestamp>,
}

/// Ports of DHCP, DHCPv6.
const fn is_dhcp(port: u16) -> bool {
    matches!(port, 67 | 68 | 546 | 547)
}

impl Outside {
    /// One frame, in the capture's order.
    pub(super) fn on_item(&mut self, item: &Item<'_>) {
        let (packet, at) = (&item.packet, item.at);
        self.begin.get_or_insert(at.time);
        match (&packet.body, &packet.ip) {
            (Body::Tcp(segment), Some(ip)) => {
                self.checksums.on_packet(ip, Some(segment), at);
            }
            (Body::Udp(datagram), Some(ip)) => {
                self.checksums.on_packet(ip, None, at);
                if is_dhcp(datagram.source_port) && is_dhcp(datagram.destination_port) {
                    let ends = (ip.source, ip.destination);
                    self.leases
                        .on_datagram(ends, datagram.payload, &packet.link, at);
                }
            }
            (Body::Ppp(said), None) => {
                if let Some(macs) = packet.link.source.zip(packet.link.destination) {
                    self.dialups.on_ppp(macs, said, at);
                }
            }
            (Body::PppoeDiscovery(found), None) => {
                // Cooked captures have no destination: what everybody asks needs none.
                let to = packet.link.destination.unwrap_or_default();
                if let Some(from) = packet.link.source {
                    self.dialups.on_discovery((from, to), found, at);
                }
            }
            _ => {}
        }
    }

    /// What it shows at the end of the capture.
    pub(super) fn judge(&self, neighbours: &Neighbours, heard: &Heard) -> Vec<Finding> {
        let mut findings = dhcp_no_offer::judge(&self.leases, neighbours, heard);
        findings.extend(pppoe_failed::judge(&self.dialups, neighbours));
        findings.extend(frame_corrupt::judge(&self.checksums));
        findings
    }

    /// Forgets what ended before `time`.
    pub(super) fn forget_before(&mut self, time: Timestamp) {
        self.leases.forget_before(time);
        self.dialups.forget_before(time);
        self.checksums.forget_before(time);
    }

    /// What did not fit the limits, by reason.
    pub(super) fn omitted(&self) -> [(&'static str, u64); 3] {
        [
            ("leases-omitted", self.leases.omitted()),
            ("dialups-omitted", self.dialups.omitted()),
            ("checksums-omitted", self.checksums.omitted()),
        ]
    }
}
