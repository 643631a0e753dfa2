//! Numbers and addresses as text, digit by digit: a report holds hundreds of thousands of them, and the formatting
//! machinery costs ten times as much.

use std::fmt::Write as _;
use std::net::IpAddr;

/// Appends a number in decimal.
pub fn push_number(text: &mut String, number: u64) {
    let mut digits = [0_u8; 20];
    let mut rest = number;
    let mut len = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        len += 1;
        if rest == 0 {
            break;
        }
    }
    let used = digits.get(digits.len() - len..).unwrap_or(&[]);
    text.push_str(std::str::from_utf8(used).unwrap_or_default());
}

/// Appends an address: `192.0.2.1`, `2001:db8::1` (RFC 5952).
pub fn push_ip(text: &mut String, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            push_number(text, a.into());
            for octet in [b, c, d] {
                text.push('.');
                push_number(text, octet.into());
            }
        }
        // Writing to a string does not fail.
        IpAddr::V6(ip) => drop(write!(text, "{ip}")),
    }
}

/// Appends `192.0.2.1:443`, `[2001:db8::1]:443`.
pub fn push_host_port(text: &mut String, ip: IpAddr, port: u16) {
    match ip {
        IpAddr::V4(_) => push_ip(text, ip),
        IpAddr::V6(ip) => drop(write!(text, "[{ip}]")),
    }
    text.push(':');
    push_number(text, port.into());
}

/// An address as text.
pub fn ip(ip: IpAddr) -> String {
    let mut text = String::with_capacity(15);
    push_ip(&mut text, ip);
    text
}

/// `192.0.2.1:443`, `[2001:db8::1]:443`.
pub fn host_port(ip: IpAddr, port: u16) -> String {
    let mut text = String::with_capacity(21);
    push_host_port(&mut text, ip, port);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_writes_what_the_formatting_machinery_writes() {
        for number in [0, 7, 10, 99, 100, 65_535, u64::MAX] {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, number.to_string());
        }
        for address in [
            "0.0.0.0",
            "192.0.2.1",
            "255.255.255.255",
            "2001:db8::1",
            "::",
        ] {
            let parsed: Option<IpAddr> = address.parse().ok();
            assert_eq!(parsed.map(ip).as_deref(), Some(address));
        }
        assert_eq!(host_port([192, 0, 2, 1].into(), 443), "192.0.2.1:443");
        let six = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
        assert_eq!(host_port(six, 8443), "[::1]:8443");
    }
}
