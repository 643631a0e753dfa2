//! 网络层: link, ARP, ICMP, routing and name resolution.

pub mod arp_conflict;
pub mod arp_storm;
pub mod arp_unanswered;
pub mod congestion;
pub mod dhcp_no_offer;
pub mod dns;
pub mod dns_aaaa_stall;
pub mod dns_no_address;
pub mod dns_nxdomain;
pub mod dns_refused;
pub mod dns_servfail;
pub mod dns_slow;
pub mod dns_spoofed;
pub mod dns_timeout;
pub mod egress_lost;
pub mod firewall_rejected;
pub mod frame_corrupt;
pub mod host_silent;
pub mod icmp_unreachable;
pub mod mac_flapping;
pub mod neighbours;
pub mod outage;
pub mod packet_loss;
pub mod path_changed;
pub mod pmtu_blackhole;
pub mod pppoe_failed;
pub mod routing_loop;
pub mod ttl_exceeded;
pub mod vip_moved;
pub mod vlan_mismatch;

pub use neighbours::judge_neighbours;
