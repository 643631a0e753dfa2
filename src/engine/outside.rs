//! What is remembered beside flows and neighbours: tunnels, leases, dial-up lines, QUIC, checksums.

use std::collections::BTreeMap;

use crate::decode::{Body, IcmpMessage, IpFacts};
use crate::engine::lane::Item;
use crate::failure::network::{dhcp_no_offer, frame_corrupt, pppoe_failed};
use crate::failure::{Finding, security};
use crate::flow::checksums::Checksums;
use crate::flow::dialup::Dialups;
use crate::flow::heard::Heard;
use crate::flow::leases::Leases;
use crate::flow::neighbours::Neighbours;
use crate::flow::quic::Tries;
use crate::flow::tunnels::Tunnels;
use crate::protocol::pptp;
use crate::time::Timestamp;

/// The memory of what belongs to no flow.
#[derive(Debug, Default)]
pub(super) struct Outside {
    tunnels: Tunnels,
    leases: Leases,
    dialups: Dialups,
    checksums: Checksums,
    /// Connections by QUIC.
    pub(super) quic: Tries,
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
                let from = (ip.source, segment.source_port);
                let to = (ip.destination, segment.destination_port);
                if from.1 == pptp::PORT || to.1 == pptp::PORT {
                    self.tunnels.on_pptp(from, to, segment.payload, at);
                } else if !segment.payload.is_empty() {
                    self.tunnels
                        .on_stream(from, to, segment.payload, segment.seq, at);
                }
            }
            (Body::Udp(datagram), Some(ip)) => {
                self.checksums.on_packet(ip, None, at);
                let from = (ip.source, datagram.source_port);
                let to = (ip.destination, datagram.destination_port);
                if is_dhcp(from.1) && is_dhcp(to.1) {
                    let ends = (ip.source, ip.destination);
                    self.leases
                        .on_datagram(ends, datagram.payload, &packet.link, at);
                } else {
                    let len = datagram.payload_len as usize;
                    self.quic.on_datagram(from, to, datagram.payload, len, at);
                    self.tunnels
                        .on_datagram(from, to, datagram.payload, len, at);
                }
            }
            (Body::Icmp(message), Some(_)) => self.on_icmp(message, item),
            (Body::Esp(esp), Some(ip)) => self.on_esp(ip, *esp, item),
            (Body::Ppp(said), Some(ip)) => {
                let (from, to) = (ip.source, ip.destination);
                self.tunnels
                    .on_gre_ppp(from, to, said.protocol, said.payload, at);
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

    fn on_esp(&mut self, ip: &IpFacts, esp: crate::decode::Esp, item: &Item<'_>) {
        self.tunnels.on_esp(ip.source, ip.destination, esp, item.at);
    }

    fn on_icmp(&mut self, message: &IcmpMessage<'_>, item: &Item<'_>) {
        if let Some(quoted) = message.quoted.filter(|quoted| quoted.protocol == 17) {
            self.tunnels.on_unreachable(&quoted, item.at);
            let from = (quoted.source, quoted.source_port);
            let to = (quoted.destination, quoted.destination_port);
            self.quic.on_unreachable(from, to, item.at);
        }
    }

    /// What it shows at the end of the capture.
    pub(super) fn judge(
        &self,
        neighbours: &Neighbours,
        heard: &Heard,
        end: Timestamp,
        unjudged: &mut BTreeMap<String, u64>,
    ) -> Vec<Finding> {
        let mut findings = security::vpn::judge(&self.tunnels, heard, end, unjudged);
        findings.extend(dhcp_no_offer::judge(&self.leases, neighbours, heard));
        findings.extend(pppoe_failed::judge(&self.dialups, neighbours));
        findings.extend(frame_corrupt::judge(&self.checksums));
        findings
    }

    /// Forgets what ended before `time`.
    pub(super) fn forget_before(&mut self, time: Timestamp) {
        self.tunnels.forget_before(time);
        self.leases.forget_before(time);
        self.dialups.forget_before(time);
        self.checksums.forget_before(time);
        self.quic.forget_before(time);
    }

    /// What did not fit the limits, and what cannot be read, by reason.
    pub(super) fn omitted(&self) -> [(&'static str, u64); 6] {
        [
            ("tunnels-omitted", self.tunnels.omitted()),
            ("leases-omitted", self.leases.omitted()),
            ("dialups-omitted", self.dialups.omitted()),
            ("checksums-omitted", self.checksums.omitted()),
            ("quic-omitted", self.quic.omitted()),
            ("quic-closed", self.quic.answered()),
        ]
    }
}
