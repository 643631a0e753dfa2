//! Clients' own error codes: what a program displays, what happened on the wire then, and where to look.
//!
//! `wirefault explain` answers them besides the codes of the catalogue. The table, `client_codes.tsv`, is part of the
//! program; an entry says no more than the number does, so most name several codes, the likeliest first. Windows'
//! result codes (0x8007xxxx, also as negative numbers) are taken back to the number inside them.
//! Left out: what a code means to the program apart from the network.

use std::cmp::Reverse;

use crate::failure::Text;

static TABLE: &str = include_str!("client_codes.tsv");

/// Shortest name that is looked for inside a longer message; shorter ones have to be the whole of it.
const WITHIN_MIN: usize = 5;
/// The same for a name in Chinese, in characters.
const WITHIN_MIN_ZH: usize = 4;

/// Shortest end of a symbol that stands for it.
const SHORTENED_MIN: usize = 10;
/// What Aisino's client adds the status of a response to.
const STATUS_BASE: i64 = -960_021_000;

/// Words around a number that say nothing: `curl exit code 7`.
const FILLERS: [&str; 4] = ["code", "error", "exit", "status"];

/// One code of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCode {
    /// Who displays it: `curl`, `Java`, `WinHTTP/WinINet` …
    pub client: &'static str,
    /// The code: a number, a name, or the message itself.
    pub code: &'static str,
    /// Other names of the same: a symbol, a message.
    pub names: Vec<&'static str>,
    /// Codes of the catalogue that fit, the likeliest first; none where no packet tells.
    pub look_for: Vec<&'static str>,
    /// What happened on the wire.
    pub means: Text,
}

impl ClientCode {
    /// Everything by which it may be asked for, in the plain form.
    fn phrases(&self) -> impl Iterator<Item = String> + '_ {
        let numbered = self
            .client
            .split(['/', ' '])
            .map(|client| plain(&format!("{client} {}", self.code)));
        std::iter::once(self.code)
            .chain(self.names.iter().copied())
            .map(plain)
            .chain(numbered)
    }
}

/// The whole table, in its order.
pub fn all() -> impl Iterator<Item = ClientCode> {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(parse)
}

/// The entries that `wanted` names: a code alone (`12029`, `ECONNREFUSED`), with its client (`curl 7`), as a Windows
/// result (`0x80072EFD`), or a message that contains one; the nearest first. Several clients may share a number.
pub fn find(wanted: &str) -> Vec<ClientCode> {
    if let Some(found) = with_status(wanted) {
        return found;
    }
    let forms = [plain(wanted), translated(wanted)];
    let whole = |form: &String| {
        all()
            .filter(|row| row.phrases().any(|phrase| phrase == *form))
            .collect::<Vec<_>>()
    };
    let found = forms
        .iter()
        .filter(|form| !form.is_empty())
        .map(whole)
        .find(|found| !found.is_empty());
    found
        .or_else(|| {
            let within = forms.iter().map(|form| within(form));
            let shortened = forms.iter().map(|form| shortened(form));
            within.chain(shortened).find(|found| !found.is_empty())
        })
        .unwrap_or_default()
}

/// The entries of which this is the end of a symbol: `SEC_CERT_CN_INVALID` of `ERROR_INTERNET_SEC_CERT_CN_INVALID`.
fn shortened(form: &str) -> Vec<ClientCode> {
    if form.len() < SHORTENED_MIN || !form.contains('_') || form.contains(' ') {
        return Vec::new();
    }
    let end = format!("_{form}");
    all()
        .filter(|row| row.phrases().any(|phrase| phrase.ends_with(&end)))
        .collect()
}

/// Aisino adds or takes away the status of the response: -960021503 is a 503.
fn with_status(wanted: &str) -> Option<Vec<ClientCode>> {
    let number: i64 = wanted.trim().parse().ok()?;
    let status = (number - STATUS_BASE).abs();
    if !(100..=599).contains(&status) {
        return None;
    }
    let of = |client: &str, code: String| {
        all().find(|row| row.client.contains(client) && row.code == code)
    };
    let found = [
        of("Aisino", STATUS_BASE.to_string()),
        of("HTTP", status.to_string()),
    ];
    Some(found.into_iter().flatten().collect())
}

/// The entries whose name stands inside a message, the longest name first.
fn within(message: &str) -> Vec<ClientCode> {
    let mut found: Vec<(usize, ClientCode)> = all()
        .filter_map(|row| {
            let longest = row
                .phrases()
                .filter(|phrase| stands_in(phrase, message))
                .map(|phrase| phrase.len())
                .max();
            longest.map(|length| (length, row))
        })
        .collect();
    found.sort_by_key(|(length, _)| Reverse(*length));
    found.into_iter().map(|(_, row)| row).collect()
}

/// Latin names stand between spaces; Chinese knows none.
fn stands_in(phrase: &str, message: &str) -> bool {
    if phrase.is_ascii() {
        phrase.len() >= WITHIN_MIN && format!(" {message} ").contains(&format!(" {phrase} "))
    } else {
        phrase.chars().count() >= WITHIN_MIN_ZH && message.contains(phrase)
    }
}

fn parse(line: &'static str) -> Option<ClientCode> {
    let mut columns = line.split('\t');
    let mut next = || {
        columns
            .next()
            .map(str::trim)
            .filter(|column| !column.is_empty())
    };
    let (client, code) = (next()?, next()?);
    let names = next()?.split('|').filter(|name| *name != "-").collect();
    let look_for = next()?.split(' ').filter(|code| *code != "-").collect();
    Some(ClientCode {
        client,
        code,
        names,
        look_for,
        means: Text {
            en: next()?,
            zh: next()?,
        },
    })
}

/// Lower case, words of letters, digits and `_` with one space between them, Latin apart from Chinese, no fillers.
fn plain(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    let mut before: Option<char> = None;
    for letter in text.chars() {
        let kept = letter.is_alphanumeric() || letter == '_';
        if !kept || before.is_some_and(|before| before.is_ascii() != letter.is_ascii()) {
            spaced.push(' ');
        }
        if kept {
            spaced.extend(letter.to_lowercase());
        }
        before = kept.then_some(letter);
    }
    let words: Vec<&str> = spaced
        .split_whitespace()
        .filter(|word| !FILLERS.contains(word))
        .collect();
    words.join(" ")
}

/// The plain form with Windows' results taken back to what they wrap.
fn translated(wanted: &str) -> String {
    if let Ok(number) = wanted.trim().parse::<i32>()
        && number < 0
    {
        return windows(number.cast_unsigned());
    }
    let words: Vec<String> = plain(wanted)
        .split(' ')
        .map(|word| result(word).map_or_else(|| word.to_owned(), windows))
        .collect();
    words.join(" ")
}

/// `0x80072efd`, also without `0x`.
fn result(word: &str) -> Option<u32> {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    (digits.len() == 8 && digits.starts_with('8'))
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

/// Facility 7 wraps a Win32 number, among them those of WinHTTP and Windows Sockets.
fn windows(result: u32) -> String {
    if result >> 16 == 0x8007 {
        (result & 0xffff).to_string()
    } else {
        format!("0x{result:08x}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{TABLE, all, find};

    /// Codes as the catalogue has them.
    const CATALOGUE: &[&str] = &[
        "application.api-version-mismatch",
        "application.duplicate-request",
        "application.http-503",
        "application.http-bad-gateway",
        "application.http-client-error",
        "application.http-forbidden",
        "application.http-malformed",
        "application.http-not-found",
        "application.http-proxy-failed",
        "application.http-redirect-loop",
        "application.http-server-error",
        "application.http-throttled",
        "application.http-unauthorized",
        "application.no-response",
        "application.redirect-to-login",
        "application.response-truncated",
        "application.retry-storm",
        "application.slow-response",
        "capture.duplicated",
        "capture.encrypted-blind",
        "capture.file-damaged",
        "capture.one-sided",
        "capture.packets-cut",
        "capture.packets-dropped",
        "capture.starts-mid-flow",
        "capture.time-disorder",
        "data.business-error",
        "data.charset-mismatch",
        "data.content-type-mismatch",
        "data.digest-mismatch",
        "data.json-malformed",
        "data.payload-undecodable",
        "data.response-empty",
        "data.session-expired",
        "data.status-stuck",
        "data.version-mismatch",
        "data.xml-malformed",
        "network.arp-conflict",
        "network.arp-storm",
        "network.arp-unanswered",
        "network.congestion",
        "network.dhcp-no-offer",
        "network.dns-aaaa-stall",
        "network.dns-no-address",
        "network.dns-nxdomain",
        "network.dns-refused",
        "network.dns-servfail",
        "network.dns-slow",
        "network.dns-spoofed",
        "network.dns-timeout",
        "network.egress-lost",
        "network.firewall-rejected",
        "network.frame-corrupt",
        "network.host-silent",
        "network.icmp-unreachable",
        "network.mac-flapping",
        "network.packet-loss",
        "network.path-changed",
        "network.pmtu-blackhole",
        "network.pppoe-failed",
        "network.routing-loop",
        "network.ttl-exceeded",
        "network.vip-moved",
        "network.vlan-mismatch",
        "security.cert-bad-signature",
        "security.cert-chain-incomplete",
        "security.cert-changed",
        "security.cert-expired",
        "security.cert-expiring",
        "security.cert-intercepted",
        "security.cert-name-mismatch",
        "security.cert-not-yet-valid",
        "security.cert-rejected",
        "security.cert-rejected-inferred",
        "security.cert-revoked",
        "security.cert-self-signed",
        "security.cert-untrusted-root",
        "security.cert-weak",
        "security.cipher-weak",
        "security.cleartext-credentials",
        "security.client-cert-missing",
        "security.client-cert-rejected",
        "security.gm-not-used",
        "security.revocation-unreachable",
        "security.tlcp-cert-pair",
        "security.tlcp-mismatch",
        "security.tls-alert",
        "security.tls-cut-on-hello",
        "security.tls-handshake-stalled",
        "security.tls-name-unrecognized",
        "security.tls-no-common-cipher",
        "security.tls-no-reply",
        "security.tls-not-tls",
        "security.tls-obsolete",
        "security.tls-version-mismatch",
        "security.vpn-auth-failed",
        "security.vpn-no-answer",
        "security.vpn-no-proposal",
        "security.vpn-tunnel-lost",
        "transport.closed-early",
        "transport.connect-slow",
        "transport.data-injected",
        "transport.data-unacked",
        "transport.handshake-incomplete",
        "transport.idle-dropped",
        "transport.latency-high",
        "transport.port-reuse-stalled",
        "transport.reset-by-client",
        "transport.reset-by-server",
        "transport.reset-injected",
        "transport.syn-flood",
        "transport.syn-refused",
        "transport.syn-unanswered",
        "transport.zero-window",
    ];

    fn check(wanted: &str, expected: &[(&str, &str)]) {
        let found: Vec<_> = find(wanted)
            .iter()
            .map(|row| (row.client, row.code))
            .collect();
        assert_eq!(found, expected, "{wanted}");
    }

    #[test]
    fn a_status_inside_a_number_and_the_end_of_a_symbol_are_understood() {
        let codes = |wanted: &str| -> Vec<&str> {
            find(wanted).into_iter().map(|found| found.code).collect()
        };
        assert_eq!(codes("-960021503"), ["-960021000", "503"]);
        assert_eq!(codes("-960020596"), ["-960021000", "404"]);
        assert_eq!(codes("-960021999"), Vec::<&str>::new());
        assert_eq!(codes("SEC_CERT_CN_INVALID"), ["12038"]);
    }

    #[test]
    fn every_line_is_an_entry_in_both_languages() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(all().count(), lines.clone().count());
        for line in lines {
            assert_eq!(line.split('\t').count(), 6, "{line}");
        }
        for row in all() {
            assert!(
                row.means.en.is_ascii() || row.means.en.contains('…'),
                "{}",
                row.means.en
            );
            assert!(
                row.means.en.ends_with('.') && row.means.zh.ends_with('。'),
                "{}",
                row.code
            );
            assert!(
                row.means
                    .zh
                    .chars()
                    .any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter)),
                "{}",
                row.code
            );
        }
    }

    #[test]
    fn every_code_to_look_for_is_the_catalogues() {
        for row in all() {
            for code in row.look_for {
                assert!(
                    CATALOGUE.contains(&code),
                    "{} {}: {code}",
                    row.client,
                    row.code
                );
            }
        }
    }

    #[test]
    fn no_client_has_a_code_twice() {
        let mut seen = BTreeSet::new();
        for row in all() {
            assert!(
                seen.insert((row.client, row.code.to_lowercase())),
                "{} {}",
                row.client,
                row.code
            );
        }
    }

    #[test]
    fn every_entry_is_found_by_code_by_name_and_with_its_client() {
        for row in all() {
            let client = row.client.split(['/', ' ']).next().unwrap_or_default();
            assert_eq!(find(&format!("{client} {}", row.code)).first(), Some(&row));
            for name in std::iter::once(row.code).chain(row.names.iter().copied()) {
                assert!(find(&name.to_uppercase()).contains(&row), "{name}");
            }
        }
    }

    #[test]
    fn a_number_alone_may_be_several_clients() {
        check("12029", &[("WinHTTP/WinINet", "12029")]);
        check("12175", &[("WinHTTP", "12175"), ("WinINet", "12175")]);
        check("7", &[("curl", "7"), ("OpenSSL/X509", "7")]);
        check("wininet 12175", &[("WinINet", "12175")]);
    }

    #[test]
    fn a_number_comes_with_its_client_in_any_dress() {
        for wanted in [
            "curl 7",
            "CURL: (7)",
            "curl exit code 7",
            "curl: (7) Failed to connect to 192.0.2.1 port 443",
        ] {
            check(wanted, &[("curl", "7")]);
        }
        check("错误代码：12029", &[("WinHTTP/WinINet", "12029")]);
        check("错误12029，请重试", &[("WinHTTP/WinINet", "12029")]);
        check("-960011093", &[("Aisino 航信", "-960011093")]);
        check("[-960011093]连接失败", &[("Aisino 航信", "-960011093")]);
    }

    #[test]
    fn windows_results_are_taken_back_to_their_numbers() {
        for wanted in ["0x80072EFD", "80072efd", "-2147012867", "(0x80072EFD)"] {
            check(wanted, &[("WinHTTP/WinINet", "12029")]);
        }
        check("0x8007274C", &[("WinSock", "10060")]);
        check("-2146893019", &[("SChannel", "0x80090325")]);
    }

    #[test]
    fn a_message_is_searched_for_names_the_longest_first() {
        check(
            "net::ERR_CONNECTION_REFUSED",
            &[("Chromium", "ERR_CONNECTION_REFUSED")],
        );
        check(
            "java.net.UnknownHostException: fp.example",
            &[("Java", "UnknownHostException")],
        );
        check(
            "javax.net.ssl.SSLHandshakeException: PKIX path building failed",
            &[
                ("Java", "PKIX path building failed"),
                ("Java", "SSLHandshakeException"),
            ],
        );
        check(
            "提示：与服务器通信超时，请稍后再试",
            &[("开票软件 invoicing client", "与服务器通信超时")],
        );
    }

    #[test]
    fn what_is_no_code_finds_nothing() {
        for wanted in [
            "",
            " ",
            "?",
            "13",
            "transport.syn-refused",
            "120290",
            "ECONNREFUSE",
            "code",
        ] {
            check(wanted, &[]);
        }
    }
}
