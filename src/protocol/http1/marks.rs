//! Marks by which intermediaries are known: what firewalls write into headers and error pages, and what servers
//! answer when plain HTTP meets their TLS port.

use super::words::holds;

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
const PAGES: [(&str, &str); 20] = [
    ("errors.aliyun.com", "Alibaba Cloud"),
    ("may cause threats to the server", "Alibaba Cloud"),
    ("may cause potential threats to the server", "Alibaba Cloud"),
    ("已被网站管理员设置拦截", "WAF"),
    ("请求疑似攻击", "WAF"),
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

/// The firewall that the name of a field gives away, whatever the case of its letters.
pub(super) fn of_name(name: &[u8]) -> Option<&'static str> {
    // Few names begin like one of them.
    if !matches!(name.first(), Some(b'c' | b'x' | b'w' | b'C' | b'X' | b'W')) {
        return None;
    }
    HEADER_NAMES
        .iter()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
        .map(|(_, product)| *product)
}

/// The firewall that the value of the Server field gives away.
pub(super) fn of_server(value: &str) -> Option<&'static str> {
    // All of the words have one of these; nginx, Apache and most others have none.
    if !value.bytes().any(|byte| matches!(byte | 0x20, b'f' | b'u')) {
        return None;
    }
    let mut marks = SERVERS.iter();
    let found = marks.find(|(word, _)| holds(value, word));
    found.map(|(_, product)| *product)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_is_known_by_its_word() {
        for (word, product) in SERVERS {
            let value = format!("X {}1.0", word.to_ascii_uppercase());
            assert_eq!(of_server(&value), Some(product), "{word}");
        }
        assert_eq!(of_server("Microsoft-IIS/10.0"), None);
        assert_eq!(of_server("nginx/1.22.1"), None);
    }

    #[test]
    fn every_name_is_known_whatever_its_case() {
        for (name, product) in HEADER_NAMES {
            assert_eq!(of_name(name.to_ascii_uppercase().as_bytes()), Some(product));
        }
        assert_eq!(of_name(b"x-cache"), None);
    }
}
