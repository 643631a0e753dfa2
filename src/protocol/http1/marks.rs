//! Marks by which intermediaries are known: what firewalls write into headers and error pages, and what servers
//! answer when plain HTTP meets their TLS port.

use super::words::{holds, text};

/// Header names that only a firewall's front sends, in lower case.
const HEADER_NAMES: [(&str, &str); 8] = [
    ("cf-mitigated", "Cloudflare"),
    ("x-amzn-waf-action", "AWS WAF"),
    ("x-iinfo", "Imperva"),
    ("x-sucuri-block", "Sucuri"),
    ("wzws-ray", "360"),
    ("x-safe-firewall", "360"),
    ("x-waf-uuid", "WAF"),
    ("x-waf-event-info", "WAF"),
];

/// Words of the Server field, in lower case.
const SERVERS: [(&str, &str); 8] = [
    ("safedog", "SafeDog"),
    ("yunsuo", "Yunsuo"),
    ("yundun", "Yundun"),
    ("jiasule", "Knownsec"),
    ("cloudwaf", "CloudWAF"),
    ("waf/", "WAF"),
    ("safeline", "SafeLine"),
    ("fortiweb", "FortiWeb"),
];

/// Words of error pages; ASCII is compared without regard to case.
const PAGES: [(&str, &str); 17] = [
    ("errors.aliyun.com", "Alibaba Cloud"),
    ("may cause threats to the server", "Alibaba Cloud"),
    ("attention required! | cloudflare", "Cloudflare"),
    ("cf-error-details", "Cloudflare"),
    ("incapsula incident id", "Imperva"),
    (
        "the requested url was rejected. please consult with your administrator",
        "F5",
    ),
    ("mod_security", "ModSecurity"),
    ("not acceptable!", "ModSecurity"),
    ("fortiguard", "FortiWeb"),
    ("web application firewall", "WAF"),
    ("waf.tencent-cloud.com", "Tencent Cloud"),
    ("创宇盾", "Knownsec"),
    ("安全狗", "SafeDog"),
    ("网站防火墙", "WAF"),
    ("云盾", "Alibaba Cloud"),
    ("长亭", "SafeLine"),
    ("chaitin", "SafeLine"),
];

/// What servers say to plain HTTP on a TLS port: nginx, Apache, Go, Tomcat.
const PLAIN_TO_TLS: [&str; 4] = [
    "plain http request was sent to https port",
    "speaking plain http to an ssl-enabled server port",
    "client sent an http request to an https server",
    "combination of host and port requires tls",
];

/// The firewall that a header field gives away; `name` in lower case.
pub(in crate::protocol) fn of_field(name: &[u8], value: &[u8]) -> Option<&'static str> {
    if name == b"server" {
        let value = text(value, 128);
        let mut marks = SERVERS.iter();
        return marks
            .find(|(word, _)| holds(&value, word))
            .map(|(_, product)| *product);
    }
    // Few names begin like one of them.
    if !matches!(name.first(), Some(b'c' | b'x' | b'w')) {
        return None;
    }
    HEADER_NAMES
        .iter()
        .find(|(known, _)| known.as_bytes() == name)
        .map(|(_, product)| *product)
}

/// The firewall that an error page gives away.
pub(in crate::protocol) fn of_page(page: &[u8]) -> Option<&'static str> {
    find(&PAGES, &String::from_utf8_lossy(page).to_ascii_lowercase())
}

/// Does the page say that plain HTTP was sent to a TLS port?
pub(in crate::protocol) fn plain_to_tls(page: &[u8]) -> bool {
    let page = String::from_utf8_lossy(page).to_ascii_lowercase();
    PLAIN_TO_TLS.iter().any(|words| page.contains(words))
}

fn find(marks: &[(&str, &'static str)], text: &str) -> Option<&'static str> {
    marks
        .iter()
        .find(|(words, _)| text.contains(words))
        .map(|(_, product)| *product)
}
