//! Is a certificate for this name (RFC 6125 6.4, RFC 9525)?

use std::net::IpAddr;

use super::certificate::Certificate;

/// How a certificate answers to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// A subject alternative name matches.
    Name,
    /// There is none at all, but the common name matches.
    CommonName,
    /// Nothing matches.
    Nothing,
}

/// Compares `name`, a host name or an address.
pub(super) fn matches(certificate: &Certificate, name: &str) -> Match {
    let wanted = name.trim_end_matches('.').to_ascii_lowercase();
    let literal = wanted
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
        .ok();
    let found = match literal {
        Some(address) => certificate.addresses.contains(&address),
        None => certificate
            .dns_names
            .iter()
            .any(|pattern| covers(pattern, &wanted)),
    };
    let common = || {
        certificate
            .common_name
            .as_deref()
            .is_some_and(|cn| covers(&cn.to_ascii_lowercase(), &wanted))
    };
    match () {
        () if found => Match::Name,
        () if !certificate.has_names && common() => Match::CommonName,
        () => Match::Nothing,
    }
}

/// A wildcard stands for one whole leftmost label.
fn covers(pattern: &str, name: &str) -> bool {
    let pattern = pattern.trim_end_matches('.');
    match pattern.strip_prefix("*.") {
        Some(rest) => name
            .split_once('.')
            .is_some_and(|(label, parent)| !label.is_empty() && parent == rest),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_wildcard_is_one_label() {
        assert!(covers("*.chinatax.gov.cn", "etax.chinatax.gov.cn"));
        assert!(!covers("*.chinatax.gov.cn", "dppt.beijing.chinatax.gov.cn"));
        assert!(!covers("*.chinatax.gov.cn", "chinatax.gov.cn"));
        assert!(covers("example.com", "example.com"));
    }
}
