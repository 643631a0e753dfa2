//! DNS messages over UDP and TCP (RFC 1035 section 4, RFC 6891 for EDNS).
//!
//! Learns of each message what name resolution can be judged by: the question, the answer's code, addresses and
//! aliases. Reads as far as a message goes: one that is cut, or whose later records contradict themselves, still
//! gives what stands before that (`Message::whole` says so). Compression pointers only ever go back and a name has
//! at most 255 bytes, so no bytes make it loop. Multicast DNS, LLMNR and NetBIOS names are not told as DNS: their
//! silence means nothing. DNSSEC, and DNS inside TLS or HTTPS, are left out.

mod name;
pub mod tcp;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use name::canonical;
pub use tcp::Tcp;

/// Bytes of the fixed header (RFC 1035 4.1.1).
const HEADER_LEN: usize = 12;
/// Addresses kept of one message; real answers stay below thirty.
const ADDRESSES_MAX: usize = 64;
/// Aliases kept of one message.
const ALIASES_MAX: usize = 16;

/// The port of DNS.
pub const PORT: u16 = 53;
/// The port of multicast DNS.
const MULTICAST: u16 = 5353;
/// Multicast DNS, LLMNR, and NetBIOS names and datagrams: the same wire format, other protocols.
const NEIGHBOURLY_PORTS: [u16; 4] = [MULTICAST, 5355, 137, 138];

/// Record and query types that the engine names (RFC 1035 3.2.2, RFC 3596).
pub mod kind {
    /// IPv4 address.
    pub const A: u16 = 1;
    /// Another name for this one.
    pub const CNAME: u16 = 5;
    /// Start of a zone of authority.
    pub const SOA: u16 = 6;
    /// Name of an address.
    pub const PTR: u16 = 12;
    /// IPv6 address.
    pub const AAAA: u16 = 28;
    /// Place of a service.
    pub const SRV: u16 = 33;
    /// EDNS options (RFC 6891).
    pub const OPT: u16 = 41;
}

/// Response codes (RFC 1035 4.1.1).
pub mod rcode {
    /// No error.
    pub const NOERROR: u16 = 0;
    /// The query could not be read.
    pub const FORMERR: u16 = 1;
    /// The resolver could not get an answer.
    pub const SERVFAIL: u16 = 2;
    /// The name does not exist.
    pub const NXDOMAIN: u16 = 3;
    /// This kind of query is not implemented.
    pub const NOTIMP: u16 = 4;
    /// The resolver does not want to answer.
    pub const REFUSED: u16 = 5;

    /// The code's mnemonic as Wireshark and `dig` print it, or `RCODE n`.
    pub fn name(code: u16) -> String {
        match code {
            NOERROR => "NOERROR",
            FORMERR => "FORMERR",
            SERVFAIL => "SERVFAIL",
            NXDOMAIN => "NXDOMAIN",
            NOTIMP => "NOTIMP",
            REFUSED => "REFUSED",
            9 => "NOTAUTH",
            16 => "BADVERS",
            23 => "BADCOOKIE",
            other => return format!("RCODE {other}"),
        }
        .to_owned()
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name in lower case without the final dot; bytes that are no printable ASCII as `\ddd`.
    pub name: String,
    /// The type asked for: see `kind`.
    pub kind: u16,
}

/// An address among the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// How long it may be kept, in seconds.
    pub ttl_s: u32,
}

/// One DNS message, owned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Identifier that the response repeats.
    pub id: u16,
    /// The second 16 bits of the header as on the wire (`dns.flags`).
    pub flags: u16,
    /// A response rather than a query.
    pub response: bool,
    /// 0 standard query, 4 notify, 5 update.
    pub opcode: u8,
    /// Response code, with the upper bits that EDNS adds.
    pub rcode: u16,
    /// The answer did not fit; it is to be asked for over TCP.
    pub truncated: bool,
    /// The asker wants a full answer rather than a referral: it is a client's question.
    pub recursion_desired: bool,
    /// The resolver gives full answers.
    pub recursion_available: bool,
    /// The first question; none in some FORMERR answers.
    pub question: Option<Question>,
    /// Records in the answer section, as the header counts them.
    pub answers: u16,
    /// Addresses in the answer section, in order.
    pub addresses: Vec<Address>,
    /// Targets of the answer section's CNAME records, in order.
    pub aliases: Vec<String>,
    /// A SOA in the authority section: a negative answer rather than a referral (RFC 2308 section 2).
    pub soa: bool,
    /// Every record that the header counts was there and well formed.
    pub whole: bool,
}

/// Reads a message: `None` if not even the header and its question can be DNS. Bytes after the last record are
/// ignored.
pub fn parse(datagram: &[u8]) -> Option<Message> {
    let flags = u16_at(datagram, 2)?;
    let mut message = Message {
        id: u16_at(datagram, 0)?,
        flags,
        response: flags & 0x8000 != 0,
        opcode: (flags >> 11 & 0x0f) as u8,
        rcode: flags & 0x0f,
        truncated: flags & 0x0200 != 0,
        recursion_desired: flags & 0x0100 != 0,
        recursion_available: flags & 0x0080 != 0,
        answers: u16_at(datagram, 6)?,
        ..Message::default()
    };
    let counts = [
        u16_at(datagram, 4)?,
        message.answers,
        u16_at(datagram, 8)?,
        u16_at(datagram, 10)?,
    ];
    let mut at = HEADER_LEN;
    for index in 0..counts[0] {
        let Some((question, next)) = question(datagram, at) else {
            return if index == 0 { None } else { Some(message) };
        };
        at = next;
        message.question.get_or_insert(question);
    }
    let sections = [Section::Answer, Section::Authority, Section::Additional];
    message.whole = sections
        .into_iter()
        .zip(counts.into_iter().skip(1))
        .all(|(section, count)| {
            (0..count).all(|_| match record(datagram, at) {
                Some(record) => {
                    at = record.next;
                    message.learn(section, &record, datagram);
                    true
                }
                None => false,
            })
        });
    Some(message)
}

/// Is this datagram DNS? `ports` are its source and destination. On port 53 a plausible header is enough; on other
/// ports the whole message must be one ordinary question, or its answer, to the last byte.
pub fn looks_like(datagram: &[u8], ports: (u16, u16)) -> bool {
    let Some(flags) = u16_at(datagram, 2) else {
        return false;
    };
    let (Some(questions), Some(opcode)) =
        (u16_at(datagram, 4), u8::try_from(flags >> 11 & 0x0f).ok())
    else {
        return false;
    };
    if datagram.len() < HEADER_LEN || opcode > 6 {
        return false;
    }
    if ports.0 == PORT || ports.1 == PORT {
        return questions <= 1
            && (questions == 1 || flags & 0x8000 != 0)
            && parse(datagram).is_some();
    }
    let neighbourly = |port: u16| NEIGHBOURLY_PORTS.contains(&port);
    // RFC 1035 4.1.1: bit 6 is reserved and zero. Any other opcode than a standard query is too rare elsewhere.
    if neighbourly(ports.0)
        || neighbourly(ports.1)
        || opcode != 0
        || flags & 0x0040 != 0
        || questions != 1
    {
        return false;
    }
    let count = |at: usize| u16_at(datagram, at).unwrap_or(u16::MAX);
    let counts_fit = if flags & 0x8000 == 0 {
        // A query: no AA, TC, RA or code; nothing answered; EDNS and TSIG at most.
        flags & 0x068f == 0 && count(6) == 0 && count(8) == 0 && count(10) <= 2
    } else {
        flags & 0x0f <= 10 && count(6) <= 128 && count(8) <= 32 && count(10) <= 64
    };
    counts_fit && strict(datagram)
}

/// Exactly one question of a known type in class IN with a host-like name, then whole records up to the last byte.
fn strict(datagram: &[u8]) -> bool {
    let Some((question, mut at)) = question(datagram, HEADER_LEN) else {
        return false;
    };
    let hostlike = !question.name.is_empty()
        && question
            .name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let known = matches!(
        question.kind,
        1 | 2 | 5 | 6 | 12 | 15 | 16 | 28 | 33 | 35 | 43 | 48 | 64 | 65 | 255 | 257
    );
    let class = at.checked_sub(2).and_then(|at| u16_at(datagram, at));
    if !hostlike || !known || class != Some(1) || name::is_netbios(&question.name) {
        return false;
    }
    let records: u32 = [6, 8, 10]
        .iter()
        .filter_map(|&at| u16_at(datagram, at))
        .map(u32::from)
        .sum();
    for _ in 0..records {
        match record(datagram, at) {
            Some(record) => at = record.next,
            None => return false,
        }
    }
    at == datagram.len()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Answer,
    Authority,
    Additional,
}

/// The places of one resource record (RFC 1035 4.1.3).
struct Record<'a> {
    kind: u16,
    ttl: u32,
    data: &'a [u8],
    data_at: usize,
    next: usize,
}

impl Message {
    fn learn(&mut self, section: Section, record: &Record<'_>, datagram: &[u8]) {
        match (section, record.kind) {
            (Section::Answer, kind::A) => {
                let ip = <[u8; 4]>::try_from(record.data)
                    .ok()
                    .map(|ip| Ipv4Addr::from(ip).into());
                self.learn_address(ip, record.ttl);
            }
            (Section::Answer, kind::AAAA) => {
                let ip = <[u8; 16]>::try_from(record.data)
                    .ok()
                    .map(|ip| Ipv6Addr::from(ip).into());
                self.learn_address(ip, record.ttl);
            }
            (Section::Answer, kind::CNAME) if self.aliases.len() < ALIASES_MAX => {
                if let Some((target, _)) = name::read(datagram, record.data_at) {
                    self.aliases.push(target);
                }
            }
            (Section::Authority, kind::SOA) => self.soa = true,
            // RFC 6891 6.1.3: the first byte of OPT's TTL is the upper eight bits of the response code.
            (Section::Additional, kind::OPT) if self.response => {
                self.rcode |= u16::try_from(record.ttl >> 24).unwrap_or(0) << 4;
            }
            _ => {}
        }
    }

    fn learn_address(&mut self, ip: Option<IpAddr>, ttl_s: u32) {
        if let Some(ip) = ip
            && self.addresses.len() < ADDRESSES_MAX
        {
            self.addresses.push(Address { ip, ttl_s });
        }
    }
}

fn question(datagram: &[u8], at: usize) -> Option<(Question, usize)> {
    let (name, at) = name::read(datagram, at)?;
    let kind = u16_at(datagram, at)?;
    u16_at(datagram, at.checked_add(2)?)?;
    Some((Question { name, kind }, at.checked_add(4)?))
}

fn record(datagram: &[u8], at: usize) -> Option<Record<'_>> {
    let at = name::skip(datagram, at)?;
    let kind = u16_at(datagram, at)?;
    let ttl = u32::from(u16_at(datagram, at.checked_add(4)?)?) << 16
        | u32::from(u16_at(datagram, at.checked_add(6)?)?);
    let data_len = usize::from(u16_at(datagram, at.checked_add(8)?)?);
    let data_at = at.checked_add(10)?;
    let next = data_at.checked_add(data_len)?;
    Some(Record {
        kind,
        ttl,
        data: datagram.get(data_at..next)?,
        data_at,
        next,
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(pair.try_into().ok()?))
}

#[cfg(test)]
mod tests;
