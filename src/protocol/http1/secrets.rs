//! Credentials that pass in clear: what kind and in which field. The value is looked at where it lies, for its
//! length and shape, and never kept.
//!
//! Known by name: fields of forms, JSON and query strings that hold a password or an access token. Left out: names
//! that mean other things as well (`token` in a query, `key`, `sign`, `session`), XML, and fields that two segments
//! share.

use super::exchange::Request;
use crate::mark::Mark;

/// First bytes of a request's body that are looked at.
const BODY_MAX: u64 = 8 * 1024;
/// Bytes kept of a field's name.
const NAME_MAX: usize = 64;

/// A credential in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// `basic`, `proxy-basic`, `bearer`, `query`, `form` or `json`.
    pub kind: &'static str,
    /// The field's name as sent.
    pub field: String,
    /// The value has the shape of a digest or of ciphertext: the password itself may not have passed.
    pub hidden: bool,
    /// The frame of the body in which it stood; absent where the head holds it.
    pub at: Option<Mark>,
}

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Form {
    Pairs,
    Json,
}

const PASSWORDS: [&str; 20] = [
    "password",
    "passwd",
    "pwd",
    "pass",
    "passphrase",
    "userpassword",
    "userpasswd",
    "userpwd",
    "userpass",
    "loginpassword",
    "loginpasswd",
    "loginpwd",
    "loginpass",
    "jpassword",
    "oldpassword",
    "newpassword",
    "txtpassword",
    "certpassword",
    "clientsecret",
    "appsecret",
];
const TOKENS: [&str; 6] = [
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "apitoken",
    "usertoken",
];

/// What an Authorization or Proxy-Authorization field gives away: Basic and Bearer; Digest, NTLM and Negotiate do not.
pub(in crate::protocol) fn of_authorization(to_server: bool, value: &[u8]) -> Option<Exposed> {
    let at = value.iter().position(|&byte| byte == b' ')?;
    let (scheme, credential) = value.split_at_checked(at)?;
    let credential = credential.trim_ascii();
    let kind = match scheme {
        _ if scheme.eq_ignore_ascii_case(b"basic") && !credential.is_empty() => match to_server {
            true => "basic",
            false => "proxy-basic",
        },
        _ if scheme.eq_ignore_ascii_case(b"bearer") && credential.len() >= 8 => "bearer",
        _ => return None,
    };
    Some(Exposed {
        kind,
        field: match to_server {
            true => "authorization".to_owned(),
            false => "proxy-authorization".to_owned(),
        },
        hidden: false,
        at: None,
    })
}

/// What the query string of a target gives away.
pub(in crate::protocol) fn of_target(target: &[u8]) -> Option<Exposed> {
    let at = target.iter().position(|&byte| byte == b'?')?;
    pairs(target.get(at.checked_add(1)?..)?, "query")
}

/// How the next bytes of this request's body are to be read, if at all.
pub(in crate::protocol) fn form(request: &Request) -> Option<Form> {
    if request.exposed.is_some() || request.body.seen_bytes >= BODY_MAX {
        return None;
    }
    let kind = request
        .content_type
        .as_deref()
        .unwrap_or("")
        .to_ascii_lowercase();
    match () {
        () if kind.contains("json") => Some(Form::Json),
        () if kind.contains("form-urlencoded")
            || kind.is_empty()
            || kind.starts_with("text/plain") =>
        {
            Some(Form::Pairs)
        }
        () => None,
    }
}

/// What a run of a body's bytes gives away.
pub(in crate::protocol) fn of_body(form: Form, bytes: &[u8]) -> Option<Exposed> {
    // Clients name their JSON anything.
    let object = bytes
        .trim_ascii_start()
        .first()
        .is_some_and(|byte| matches!(byte, b'{' | b'['));
    if form == Form::Json || object {
        json(bytes)
    } else {
        pairs(bytes, "form")
    }
}

/// `name=value&name=value`.
fn pairs(bytes: &[u8], kind: &'static str) -> Option<Exposed> {
    bytes
        .split(|&byte| byte == b'&' || byte == b'#')
        .find_map(|pair| {
            let at = pair.iter().position(|&byte| byte == b'=')?;
            let (name, value) = pair.split_at_checked(at)?;
            tell(name, value.get(1..)?, kind)
        })
}

/// `"name": "value"` at any depth.
fn json(bytes: &[u8]) -> Option<Exposed> {
    let mut rest = bytes;
    loop {
        let at = rest.iter().position(|&byte| byte == b'"')?;
        let (name, later) = string(rest.get(at.checked_add(1)?..)?);
        rest = later?;
        let Some(value) = rest.trim_ascii_start().strip_prefix(b":") else {
            continue;
        };
        let Some(value) = value.trim_ascii_start().strip_prefix(b"\"") else {
            continue;
        };
        if let Some(told) = tell(name, string(value).0, "json") {
            return Some(told);
        }
        rest = string(value).1?;
    }
}

/// A string's content up to its closing quote, and what follows; `None` where the bytes end before.
fn string(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' if !escaped => {
                return (
                    bytes.get(..at).unwrap_or(&[]),
                    bytes.get(at.saturating_add(1)..),
                );
            }
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    (bytes, None)
}

fn tell(name: &[u8], value: &[u8], kind: &'static str) -> Option<Exposed> {
    let plain = plain(name)?;
    let password = PASSWORDS.contains(&plain.as_str());
    let least = match plain.as_str() {
        "pass" => 4,
        "token" if kind != "query" => 16,
        _ if password => 1,
        known if TOKENS.contains(&known) => 8,
        _ => return None,
    };
    if value.len() < least || is_filler(value) {
        return None;
    }
    let field = String::from_utf8_lossy(name).into_owned();
    Some(Exposed {
        kind,
        field,
        hidden: password && is_digest(value),
        at: None,
    })
}

/// The last part of a name, letters and digits in lower case: `user%5BpassWord%5D`, `login.pass_word` → `password`.
fn plain(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name)
        .ok()
        .filter(|name| name.len() <= NAME_MAX)?
        .to_ascii_lowercase();
    let name = name.replace("%5b", "[").replace("%5d", "]");
    let last = name
        .trim_end_matches(']')
        .rsplit(['[', '.', ':', '$'])
        .next()?;
    Some(last.chars().filter(char::is_ascii_alphanumeric).collect())
}

/// A value that holds nothing: a word for nothing, stars, a place to be filled in.
fn is_filler(value: &[u8]) -> bool {
    let word = value.trim_ascii();
    const WORDS: [&[u8]; 6] = [b"", b"null", b"true", b"false", b"undefined", b"none"];
    WORDS.iter().any(|filler| word.eq_ignore_ascii_case(filler))
        || word
            .iter()
            .all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.'))
        || word.starts_with(b"${")
        || word.starts_with(b"{{")
}

/// Hexadecimal of a digest's length, or as long as ciphertext.
fn is_digest(value: &[u8]) -> bool {
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    value.len() >= 64 || hex && matches!(value.len(), 32 | 40 | 48 | 56)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(told: Option<Exposed>, expected: Option<(&str, &str, bool)>) {
        let told = told
            .as_ref()
            .map(|told| (told.kind, told.field.as_str(), told.hidden));
        assert_eq!(told, expected);
    }

    #[test]
    fn fields_are_known_by_name_in_every_spelling() {
        check(
            of_body(Form::Pairs, b"user=a&pass_word=Spring"),
            Some(("form", "pass_word", false)),
        );
        check(
            of_body(Form::Pairs, b"user%5BuserPwd%5D=Spring"),
            Some(("form", "user%5BuserPwd%5D", false)),
        );
        check(
            of_body(Form::Json, br#"{"a":{"b":1,"Password" : "x1"}}"#),
            Some(("json", "Password", false)),
        );
        check(
            of_body(Form::Pairs, br#" {"appSecret":"0123"}"#),
            Some(("json", "appSecret", false)),
        );
        check(
            of_target(b"/a?page=1&access_token=24.6c5e1ff1"),
            Some(("query", "access_token", false)),
        );
    }

    #[test]
    fn what_holds_no_secret_is_passed_over() {
        check(
            of_body(Form::Pairs, b"password=&pwd=null&passwd=****&token=abc"),
            None,
        );
        check(
            of_body(Form::Json, br#"{"password":null,"x":"password","y":"pwd"}"#),
            None,
        );
        check(
            of_body(
                Form::Pairs,
                b"csrf_token=0123456789abcdef0123&authenticity_token=0123456789abcdef",
            ),
            None,
        );
        check(
            of_target(b"/a?token=0123456789abcdef0123&sign=5D41402ABC4B2A76"),
            None,
        );
        check(of_target(b"/access_token=0123456789"), None);
        check(
            of_body(Form::Json, br#"{"note":"say \"password\": \"x1\""}"#),
            None,
        );
    }

    #[test]
    fn a_digest_of_a_password_is_told_as_such() {
        check(
            of_body(Form::Pairs, b"pwd=5d41402abc4b2a76b9719d911017c592"),
            Some(("form", "pwd", true)),
        );
    }

    #[test]
    fn schemes_without_a_secret_in_clear_are_none() {
        check(
            of_authorization(true, b"Basic Y2xlcms6eA=="),
            Some(("basic", "authorization", false)),
        );
        check(
            of_authorization(false, b"basic Y2xl"),
            Some(("proxy-basic", "proxy-authorization", false)),
        );
        check(
            of_authorization(true, b"Bearer 0123456789"),
            Some(("bearer", "authorization", false)),
        );
        for value in [
            &b"Digest username=\"x\""[..],
            b"NTLM TlRMTVNTUAAB",
            b"Negotiate YII",
            b"Basic ",
            b"Basic",
            b"abc",
        ] {
            check(of_authorization(true, value), None);
        }
    }

    #[test]
    fn a_cut_body_is_no_trouble() {
        check(of_body(Form::Json, br#"{"user":"a","passw"#), None);
        check(
            of_body(Form::Json, br#"{"user":"a","password":"Spri"#),
            Some(("json", "password", false)),
        );
        check(of_body(Form::Json, b"\"\\"), None);
        check(of_body(Form::Pairs, b""), None);
    }
}
