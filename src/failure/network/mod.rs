//! 网络层: link, ARP, ICMP, routing and name resolution.

pub mod firewall_rejected;
pub mod icmp_unreachable;
pub mod packet_loss;
