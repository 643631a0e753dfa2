//! Address ranges: `198.51.100.0/24`, `2001:db8::/32`, or one address.

use std::net::IpAddr;

/// A range of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads a range; the error says what is wrong and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| {
            format!("`{text}` is no address range; write `198.51.100.0/24`, `2001:db8::/32` or one address")
        })?;
        let most = width(base);
        let bits = match bits {
            None => most,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(|| {
                    format!("`{text}` has no prefix length from 0 to {most} after the slash; write `{address}/{most}` for one address")
                })?,
        };
        let network = Self {
            base: masked(base, bits),
            bits,
        };
        if network.base != base {
            let begins = network.base;
            return Err(format!(
                "`{text}` has bits beyond its prefix; write `{begins}/{bits}`, or `{base}` for one address"
            ));
        }
        Ok(network)
    }

    /// Is the address in the range? An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        width(address) == width(self.base) && masked(address, self.bits) == self.base
    }

    /// Is it one address alone?
    pub fn is_one_host(&self) -> bool {
        self.bits == width(self.base)
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4((u32::from(address) & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6((u128::from(address) & mask).into())
        }
    }
}
