//! What the link shows beside who answers whom: storms, hosts that flap, VLAN tags, who captured.

use std::net::IpAddr;

use super::{Burst, Flapping, Ignored, Mac, Neighbours, Tagged};

impl Neighbours {
    /// Times in which ARP broadcasts came thick and fast.
    pub fn bursts(&self) -> Vec<Burst> {
        self.storms.bursts()
    }

    /// Hosts that appear at two places in turn.
    pub fn flapping(&self) -> Vec<Flapping> {
        let mut all = self.vlans.flapping();
        all.retain(|host| !self.carries_many(host.mac));
        all
    }

    /// Does a MAC carry more addresses than a host has: three of one family, those of the link aside?
    fn carries_many(&self, mac: Mac) -> bool {
        let carried = self.carried.get(&mac).map_or(&[][..], Vec::as_slice);
        let of_family = |v4: bool| {
            let own = carried.iter().filter(|ip| ip.is_ipv4() == v4);
            own.filter(|ip| !link_local(**ip)).count()
        };
        of_family(true) > 2 || of_family(false) > 2
    }

    /// ARP whose answers carry another VLAN tag than the requests, and are ignored.
    pub fn ignored(&self) -> Vec<Ignored> {
        self.vlans.ignored()
    }

    /// VLAN tags of what `from` sent to `to`, with their first frames.
    pub fn tags(&self, from: IpAddr, to: IpAddr) -> &[Tagged] {
        self.vlans.tags(from, to)
    }

    /// Was the capture taken at this host, as far as unicast frames tell: it is in every one of them?
    pub fn is_observer(&self, mac: Mac) -> bool {
        self.vantage.all_are_of(mac)
    }

    /// Does a MAC send or get packets of an address that is not the link's own?
    pub fn has_address(&self, mac: Mac) -> bool {
        let carried = self.carried.get(&mac).map_or(&[][..], Vec::as_slice);
        carried.iter().any(|ip| !link_local(*ip))
    }
}

/// An address that is good for the link alone.
fn link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.segments()[0] & 0xffc0 == 0xfe80,
    }
}
