//! Names that never mean a server: what browsers and systems ask to learn about the network, search forms of theirs,
//! reverse names, blocklists.

/// Names that are asked for without anybody meaning a server by them.
pub(super) fn is_never_told(name: &str) -> bool {
    /// Browsers and systems ask these to learn something about the network, not to reach it.
    const PROBES: [&str; 9] = [
        "use-application-dns.net",
        "mask.icloud.com",
        "mask-h2.icloud.com",
        "detectportal.firefox.com",
        "dns.msftncsi.com",
        "www.msftconnecttest.com",
        "ipv4only.arpa",
        "resolver.arpa",
        "connectivitycheck.gstatic.com",
    ];
    let labels: Vec<&str> = name.split('.').collect();
    let head = labels.first().copied().unwrap_or("");
    let octets = labels
        .iter()
        .take_while(|label| label.parse::<u8>().is_ok())
        .count();
    let nibbles = labels
        .iter()
        .take_while(|label| label.len() == 1 && label.as_bytes().iter().all(u8::is_ascii_hexdigit));
    labels.len() < 2
        || matches!(head, "wpad" | "isatap" | "localhost")
        || head.starts_with('_')
        || labels.iter().any(|label| label.is_empty() || *label == "_tcp" || *label == "_udp")
        || labels.last() == Some(&"arpa")
        // Blocklists are asked with the address reversed before their zone; four numbers alone are an address.
        || octets >= 4
        || nibbles.count() >= 32
        || PROBES.contains(&name)
}
