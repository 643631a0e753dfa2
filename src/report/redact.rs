//! Masking of what a report need not tell: tax identifiers, invoice numbers, phone numbers, identity cards; and,
//! always, credentials.
//!
//! Names of hosts, files and endpoints are masked where a number proves itself, by its check digit or its shape.
//!
//! Works on texts that quote the wire (summaries, details, comments). A number is a run of letters and digits
//! between others: a tax identifier inside a longer hexadecimal fingerprint is none. Whoever needs the whole number
//! has the frame.

/// Names of fields whose value is never told.
const SECRETS: [&str; 17] = [
    "password",
    "passwd",
    "pwd",
    "digigalcertpassword",
    "client_secret",
    "appsecret",
    "secret",
    "access_token",
    "accesstoken",
    "token",
    "authorizationcode",
    "authorization",
    "signature",
    "client-authcode",
    "cookie",
    "proxyauthpassword",
    "sessionid",
];

/// GB 32100-2015: the characters of a unified social credit code in the order of their values.
const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Masks identifiers of taxpayers and people, and credentials.
pub fn redact(text: &str) -> String {
    if !may_hold_number(text) {
        return credentials(text);
    }
    let text = credentials(text);
    let mut out = String::with_capacity(text.len());
    let mut code_before = false;
    let mut field_before = String::new();
    for run in runs(&text) {
        let Run::Word(word) = run else {
            out.push_str(run.text());
            continue;
        };
        let number =
            word.len() == 8 && is_digits(word) && (code_before || field_before.ends_with("fphm"));
        match mask(word) {
            _ if number => out.push_str("********"),
            Some(masked) => out.push_str(&masked),
            None => out.push_str(word),
        }
        // `1100194130/12345678`, `fpdm=1100194130&fphm=12345678`: a field's name may stand between.
        let code = matches!(word.len(), 10 | 12) && is_digits(word);
        code_before = code || (code_before && !is_digits(word));
        field_before = word.to_ascii_lowercase();
    }
    out
}

/// Masks what proves itself to be an identifier in the name of a host, a file or an endpoint; time stamps and other
/// long numbers in it stay.
pub fn name(text: &str) -> String {
    if !may_hold_number(text) {
        return text.to_owned();
    }
    let mask = |run: Run<'_>| match run {
        Run::Word(word) => proven(word).unwrap_or_else(|| word.to_owned()),
        Run::Between(text) => text.to_owned(),
    };
    runs(text).map(mask).collect()
}

/// The mask of a word that is an identifier beyond doubt.
fn proven(word: &str) -> Option<String> {
    let digits = is_digits(word);
    match word.len() {
        11 if digits && is_mobile(word) => Some(keep(word, 3, 4)),
        18 if is_identity_card(word) => Some(keep(word, 6, 4)),
        18 if is_credit_code(&word.to_ascii_uppercase()) => Some(keep(word, 8, 2)),
        // Numbers of digital invoices begin with the year, 21 or later: no time stamp of this century does.
        20 if digits
            && word
                .get(..2)
                .is_some_and(|year| ("21".."40").contains(&year)) =>
        {
            Some(keep(word, 5, 3))
        }
        _ => None,
    }
}

/// Masks the values of fields that hold credentials: `token=***`.
pub fn credentials(text: &str) -> String {
    if !may_hold_field(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':']) {
        let (name, after) = rest.split_at(at);
        let field = name.trim_end_matches(['"', '\'', ' ']);
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        let field = field
            .rsplit(|letter: char| !is_part(letter))
            .next()
            .unwrap_or("");
        let secret = SECRETS.contains(&field.to_ascii_lowercase().as_str());
        let value = after.trim_start_matches(['=', ':', '"', '\'', ' ']);
        let lead = after.len() - value.len();
        // A quoted value ends at its quote, a header's at its line, any other at the next separator.
        let quoted = after
            .get(..lead)
            .is_some_and(|lead| lead.ends_with(['"', '\'']));
        let header = after.starts_with(": ") && !quoted;
        let end = match () {
            () if quoted => value.find(['"', '\'']),
            () if header => value.find(['\r', '\n']),
            () => value.find(['&', '"', '\'', ' ', ',', ';', '}', '<']),
        };
        let end = end.unwrap_or(value.len());
        out.push_str(name);
        out.push_str(after.get(..lead).unwrap_or(""));
        let (shown, left) = if secret && end > 0 {
            ("***", value.get(end..))
        } else {
            ("", Some(value))
        };
        out.push_str(shown);
        rest = left.unwrap_or("");
    }
    out.push_str(rest);
    out
}

/// Every identifier has eight digits in one word at least.
fn may_hold_number(text: &str) -> bool {
    let mut digits = 0;
    text.bytes().any(|byte| {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'a'..=b'z' | b'A'..=b'Z' => {}
            _ => digits = 0,
        }
        digits >= 8
    })
}

/// A field's name ends with a letter, perhaps in quotes, before its `=` or `:`; the port after an address does not.
fn may_hold_field(text: &str) -> bool {
    let named =
        |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'"' | b'\'' | b' ' | b'_' | b'-');
    let mut before = b'0';
    text.bytes().any(|byte| {
        let found = matches!(byte, b'=' | b':') && named(before);
        before = byte;
        found
    })
}

/// The mask of a word that is an identifier by itself, or looks like one.
fn mask(word: &str) -> Option<String> {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if let Some(masked) = proven(word) {
        return Some(masked);
    }
    match word.len() {
        20 if digits == 20 => Some(keep(word, 5, 3)),
        15..=20 if digits >= 8 && word.chars().all(|letter| ALPHABET.contains(letter)) => {
            Some(keep(word, 8, 2))
        }
        _ => None,
    }
}

fn is_mobile(word: &str) -> bool {
    word.strip_prefix('1')
        .is_some_and(|rest| rest.starts_with(|digit| ('3'..='9').contains(&digit)))
}

/// `110105********1234`: the first and the last characters stay.
fn keep(word: &str, first: usize, last: usize) -> String {
    let count = word.chars().count();
    word.chars()
        .enumerate()
        .map(|(place, letter)| {
            if place < first || place + last >= count {
                letter
            } else {
                '*'
            }
        })
        .collect()
}

fn is_digits(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The check character fits: 31 less the sum of value × 3^place, modulo 31.
fn is_credit_code(word: &str) -> bool {
    let values: Option<Vec<usize>> = word.chars().map(|letter| ALPHABET.find(letter)).collect();
    let Some((check, values)) = values.as_deref().and_then(|values| values.split_last()) else {
        return false;
    };
    let (sum, _) = values.iter().fold((0, 1), |(sum, weight), value| {
        (sum + value * weight, weight * 3 % 31)
    });
    (31 - sum % 31) % 31 == *check && values.len() == 17
}

/// A birth date, and the check digit of GB 11643-1999 (ISO 7064, MOD 11-2).
fn is_identity_card(word: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];
    let (Some(body), Some(check)) = (
        word.get(..17).filter(|body| is_digits(body)),
        word.chars().last(),
    ) else {
        return false;
    };
    let part = |from: usize, to: usize| {
        body.get(from..to)
            .and_then(|part| part.parse::<u32>().ok())
            .unwrap_or(0)
    };
    let born = (1900..2100).contains(&part(6, 10))
        && (1..=12).contains(&part(10, 12))
        && (1..=31).contains(&part(12, 14));
    let sum: u32 = body
        .chars()
        .filter_map(|digit| digit.to_digit(10))
        .zip(WEIGHTS)
        .map(|(digit, weight)| digit * weight)
        .sum();
    born && CHECKS.get((sum % 11) as usize) == Some(&check.to_ascii_uppercase())
}

/// A stretch of letters and digits, or what stands between two.
#[derive(Clone, Copy)]
enum Run<'a> {
    Word(&'a str),
    Between(&'a str),
}

impl<'a> Run<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Word(text) | Self::Between(text) => text,
        }
    }
}

fn runs(text: &str) -> impl Iterator<Item = Run<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let word = rest.chars().next()?.is_ascii_alphanumeric();
        let end = rest
            .find(|letter: char| letter.is_ascii_alphanumeric() != word)
            .unwrap_or(rest.len());
        let (run, left) = rest.split_at(end);
        rest = left;
        Some(if word {
            Run::Word(run)
        } else {
            Run::Between(run)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(redact(text), expect, "{text}");
    }

    #[test]
    fn a_tax_identifier_keeps_type_region_and_end() {
        check(
            "POST /91110108551385082Q_0/uploadService",
            "POST /91110108********2Q_0/uploadService",
        );
        check("nsrsbh=110108551385082", "nsrsbh=11010855*****82");
        check("91110108551385082q", "91110108********2q");
    }

    #[test]
    fn an_invoice_number_keeps_year_region_and_end() {
        check("/25112000000012345678.pdf", "/25112************678.pdf");
        check("1100194130/12345678", "1100194130/********");
        check(
            "fpdm=1100194130&fphm=12345678",
            "fpdm=1100194130&fphm=********",
        );
        check("fphm=12345678", "fphm=********");
    }

    #[test]
    fn a_name_hides_what_proves_itself_and_nothing_else() {
        for (text, expect) in [
            (
                "91110000ma0000012q.einvoice.example:443",
                "91110000********2q.einvoice.example:443",
            ),
            (
                "抓包91110000MA0000012Q_13812341234.pcap",
                "抓包91110000********2Q_138****1234.pcap",
            ),
            (
                "/in/25112000000012345678/110105199003071239",
                "/in/25112************678/110105********1239",
            ),
            (
                "ring_00001_20261125143000.pcapng",
                "ring_00001_20261125143000.pcapng",
            ),
            ("20261125143000123456.pcap", "20261125143000123456.pcap"),
            ("91110000MA0000012P.example", "91110000MA0000012P.example"),
            (
                "trace-1764081600123456789.pcap",
                "trace-1764081600123456789.pcap",
            ),
        ] {
            assert_eq!(name(text), expect);
        }
    }

    #[test]
    fn a_phone_number_and_an_identity_card_are_masked() {
        check("to 13812341234.", "to 138****1234.");
        check("11010519491231002X", "110105********002X");
    }

    #[test]
    fn what_only_looks_like_a_number_stays() {
        for text in [
            "203.0.113.20:8443",
            "frame 13812341",
            "12345678 bytes at offset 12012341234",
            "2026-11-24T10:02:11.000000000Z",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "GET /api/v1/invoicequerydetails",
            "证书 ECDHE-RSA-AES128-GCM-SHA256",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn credentials_are_masked_whatever_else_is_shown() {
        assert_eq!(
            credentials("/x?access_token=abc&v=1"),
            "/x?access_token=***&v=1"
        );
        assert_eq!(
            credentials("{\"passWord\": \"a b\"}"),
            "{\"passWord\": \"***\"}"
        );
        assert_eq!(
            credentials("Authorization: Basic YTpi"),
            "Authorization: ***"
        );
        assert_eq!(credentials("10.0.0.1:443 a=b :"), "10.0.0.1:443 a=b :");
    }
}
