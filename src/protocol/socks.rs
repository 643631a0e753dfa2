//! SOCKS 5 up to the proxy's answer (RFC 1928, RFC 1929): what was asked for, and how it was refused.
//!
//! Begins with a client's greeting that fills its segment and is answered by a method choice; everything else is no
//! SOCKS. Not read: GSSAPI. User name and password are stepped over; what a connected proxy carries is for others.

use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::{Mark, Seen};
use crate::protocol::{Chunk, Next, Observer};

/// Methods of a greeting that is believed.
const METHODS_MAX: usize = 10;
/// No acceptable method.
const NONE: u8 = 0xff;

/// Why a proxy said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It accepts none of the ways to log in.
    Method,
    /// It does not accept user name and password: the status.
    Login(u8),
    /// It does not connect: the reply (RFC 1928 6).
    Reply(u8),
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Greeting,
    Method,
    Login,
    LoginStatus,
    Request,
    Reply,
    Over,
}

/// One connection to a proxy.
#[derive(Debug, Default)]
pub struct Session {
    step: Step,
    /// The client's last message.
    pub asked: Option<Mark>,
    /// `name:port` or `address:port` of the request.
    pub target: Option<String>,
    /// The proxy made the connection: what follows is between client and target.
    pub connected: bool,
    /// How it was refused.
    pub refusal: Option<Seen<Refusal>>,
}

/// Is this a whole greeting?
pub fn is_greeting(bytes: &[u8]) -> bool {
    let [5, count, methods @ ..] = bytes else {
        return false;
    };
    // Assigned methods are 0 to 9; proxies know 0 to 2 and private ones from 0x80.
    let known = methods
        .iter()
        .all(|method| *method <= 9 || (0x80..NONE).contains(method));
    methods.len() == usize::from(*count)
        && (1..=METHODS_MAX).contains(&methods.len())
        && known
        && methods.iter().any(|method| *method <= 2)
}

impl Observer for Session {
    fn on_chunk(&mut self, from: Direction, chunk: Chunk<'_>, at: Mark) -> Next {
        let Chunk::Data(bytes) = chunk else {
            self.step = Step::Over;
            return Next::Done;
        };
        self.step = match (from, self.step) {
            (ToServer, Step::Greeting) if is_greeting(bytes) => Step::Method,
            (ToServer, Step::Login) if bytes.first() == Some(&1) => Step::LoginStatus,
            (ToServer, Step::Request) => {
                self.target = target(bytes);
                if self.target.is_some() {
                    Step::Reply
                } else {
                    Step::Over
                }
            }
            (ToClient, Step::Method) => self.method(bytes, at),
            (ToClient, Step::LoginStatus) => match *bytes {
                [1, 0] => Step::Request,
                [1, status] => self.refuse(Refusal::Login(status), at),
                _ => Step::Over,
            },
            (ToClient, Step::Reply) => match *bytes {
                [5, 0, 0, 1 | 3 | 4, ..] => {
                    self.connected = true;
                    Step::Over
                }
                [5, reply @ 1..=8, 0, ..] => self.refuse(Refusal::Reply(reply), at),
                _ => Step::Over,
            },
            _ => Step::Over,
        };
        if from == ToServer && self.step != Step::Over {
            self.asked = Some(at);
        }
        if self.step == Step::Over {
            Next::Done
        } else {
            Next::More
        }
    }
}

impl Session {
    fn method(&mut self, bytes: &[u8], at: Mark) -> Step {
        match *bytes {
            [5, 0] => Step::Request,
            [5, 2] => Step::Login,
            [5, NONE] => self.refuse(Refusal::Method, at),
            _ => Step::Over,
        }
    }

    fn refuse(&mut self, why: Refusal, at: Mark) -> Step {
        self.refusal = Some(Seen { value: why, at });
        Step::Over
    }
}

/// Where a request wants to go (RFC 1928 4).
fn target(bytes: &[u8]) -> Option<String> {
    let [5, 1..=3, 0, kind, rest @ ..] = bytes else {
        return None;
    };
    let (host, port) = match kind {
        1 => {
            let (address, port) = rest.split_first_chunk::<4>()?;
            (std::net::Ipv4Addr::from(*address).to_string(), port)
        }
        4 => {
            let (address, port) = rest.split_first_chunk::<16>()?;
            (format!("[{}]", std::net::Ipv6Addr::from(*address)), port)
        }
        3 => {
            let (length, rest) = rest.split_first()?;
            let (name, port) = rest.split_at_checked(usize::from(*length))?;
            let name = std::str::from_utf8(name)
                .ok()
                .filter(|name| name.chars().all(|c| c.is_ascii_graphic()))?;
            (name.to_ascii_lowercase(), port)
        }
        _ => return None,
    };
    let port = u16::from_be_bytes(port.try_into().ok()?);
    Some(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREETING: &[u8] = &[5, 2, 0, 2];
    const REQUEST: &[u8] = b"\x05\x01\x00\x03\x0etax.example.cn\x01\xbb";

    fn check(said: &[(Direction, &[u8])], refusal: Option<Refusal>, target: Option<&str>) {
        let mut session = Session::default();
        for (from, bytes) in said {
            session.on_chunk(*from, Chunk::Data(bytes), Mark::default());
        }
        assert_eq!(session.refusal.map(|seen| seen.value), refusal);
        assert_eq!(session.target.as_deref(), target);
    }

    #[test]
    fn every_way_of_refusing_is_told() {
        check(
            &[(ToServer, GREETING), (ToClient, &[5, 0xff])],
            Some(Refusal::Method),
            None,
        );
        let login: &[u8] = b"\x01\x05clerk\x05wrong";
        check(
            &[
                (ToServer, GREETING),
                (ToClient, &[5, 2]),
                (ToServer, login),
                (ToClient, &[1, 1]),
            ],
            Some(Refusal::Login(1)),
            None,
        );
        check(
            &[
                (ToServer, GREETING),
                (ToClient, &[5, 0]),
                (ToServer, REQUEST),
                (ToClient, &[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]),
            ],
            Some(Refusal::Reply(2)),
            Some("tax.example.cn:443"),
        );
    }

    #[test]
    fn a_connection_that_is_made_is_no_refusal() {
        let reply: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        check(
            &[
                (ToServer, GREETING),
                (ToClient, &[5, 0]),
                (ToServer, REQUEST),
                (ToClient, reply),
                (ToClient, &[5, 2, 0, 1]),
            ],
            None,
            Some("tax.example.cn:443"),
        );
    }

    #[test]
    fn other_protocols_that_begin_with_five_are_none() {
        assert!(!is_greeting(&[5, 0, 11, 3, 16, 0]));
        assert!(!is_greeting(&[5, 1]));
        assert!(!is_greeting(&[5, 1, 0, 0]));
        assert!(is_greeting(&[5, 3, 0, 1, 2]));
        check(
            &[(ToServer, GREETING), (ToClient, b"\x05\xffabc")],
            None,
            None,
        );
    }
}
