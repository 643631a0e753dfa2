//! A QUIC try that nobody answers, beside what the same client does over TCP: clients fall back to it, and both are one
//! attempt (catalogue, "The attempt"). It fails nobody then; where the client waited for it first, that is told.
//!
//! What links the two is the client, and the name or else the address that both asked for. A try without a fallback in the
//! capture has no code of its own: it is counted.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;

use crate::failure::transport::connect_slow;
use crate::failure::{Finding, Text};
use crate::flow::quic::Try;
use crate::mark::Mark;
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// Tries of one client at one endpoint belong to one attempt within this.
const ATTEMPT: Nanos = 30 * SECOND;
/// An attempt that a fallback delays by so much is worth a warning, as with addresses.
const SLOW: Nanos = SECOND;
/// A client waits so long for an answer at least; where the capture ends before, nothing is known (rule 1).
const PATIENCE: Nanos = 3 * SECOND;

/// A TCP connection that somebody tried.
#[derive(Clone, Copy, Debug)]
pub struct Tcp<'a> {
    /// Who.
    pub client: IpAddr,
    /// Whom.
    pub server: (IpAddr, u16),
    /// The name that it meant, where known.
    pub name: Option<&'a str>,
    /// Its first and last frame's times.
    pub span: (Timestamp, Timestamp),
    /// The frame that completed the handshake.
    pub established: Option<Mark>,
    /// Something of it failed.
    pub failed: bool,
}

const BY_ADDRESS: Text = Text {
    en: "the two are linked by client and address only: the TCP connection shows no name",
    zh: "仅凭客户端与服务器地址关联：TCP 连接未显示域名",
};

/// What became of the tries without an answer, by time; the rest is counted in `unjudged`.
pub fn judge(
    tries: &[&Try],
    connections: &[Tcp<'_>],
    end: Timestamp,
    unjudged: &mut BTreeMap<String, u64>,
) -> Vec<Finding> {
    let mut by_client: HashMap<IpAddr, Vec<&Tcp<'_>>> = HashMap::new();
    for one in connections {
        by_client.entry(one.client).or_default().push(one);
    }
    let mut count = |reason: &str| *unjudged.entry(reason.to_owned()).or_default() += 1;
    let mut findings = Vec::new();
    for one in tries {
        let own = by_client.get(&one.client.0).map_or(&[][..], Vec::as_slice);
        match fallback(one, own) {
            Some(tcp) => findings.extend(late(one, tcp)),
            None if end.since(one.first().time) < PATIENCE => count("quic-not-waited-for"),
            None => count("quic-unanswered"),
        }
    }
    findings
}

/// The connection that stands for this try: one that stood beside it already, else the first one after it. A browser asks
/// by QUIC in passing while its connection serves it, or at the same moment.
fn fallback<'a>(one: &Try, own: &[&'a Tcp<'a>]) -> Option<&'a Tcp<'a>> {
    let first = one.first().time;
    let near = own.iter().copied().filter(|tcp| {
        let ahead = first.since(tcp.span.1) <= ATTEMPT;
        ahead && tcp.span.0.since(first) <= ATTEMPT && meant(one, tcp)
    });
    near.min_by_key(|tcp| (tcp.span.0, tcp.server))
}

/// Do both mean the same? By name where both have one, else by address.
fn meant(one: &Try, tcp: &Tcp<'_>) -> bool {
    match (one.name.as_deref(), tcp.name) {
        (Some(name), Some(other)) => name == other,
        _ => one.server.0 == tcp.server.0,
    }
}

/// The client waited for QUIC before it turned to TCP, and got through then.
fn late(one: &Try, tcp: &Tcp<'_>) -> Option<Finding> {
    let stood = tcp.established.filter(|_| !tcp.failed)?;
    let first = one.first().time;
    if tcp.span.0.since(first) < SLOW {
        return None;
    }
    let delay = stood.time.since(first) / MILLISECOND;
    let finding = connect_slow::after_quic(one, delay, stood, tcp.server);
    Some(if one.name.is_some() && tcp.name.is_some() {
        finding
    } else {
        finding.at_most(80, BY_ADDRESS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::quic::Tries;
    use crate::protocol::quic::{initial, tests::hello};

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 15));
    const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 20));

    fn at(ms: i64) -> Mark {
        Mark {
            time: Timestamp::from_ns(ms * MILLISECOND),
            ..Mark::default()
        }
    }

    /// A try for `a.example` from second 10 on, repeated for 3 s, beside one TCP connection (name, begin, end, stood).
    fn check(tcp: Option<(Option<&str>, i64, i64, bool)>, told: Option<(u8, i64)>, open: &str) {
        let mut frames = vec![6, 0, 0x40, hello().len() as u8];
        frames.extend(hello());
        let initial = initial::seal(1, &[7; 8], &[], &frames).unwrap_or_default();
        let mut tries = Tries::default();
        for ms in [10_000, 11_000, 13_000] {
            let (from, to) = ((CLIENT, 50_000), (SERVER, 443));
            tries.on_datagram(from, to, &initial, initial.len(), at(ms));
        }
        let tcp = tcp.map(|(name, from, to, stood)| Tcp {
            client: CLIENT,
            server: (SERVER, 443),
            name,
            span: (at(from).time, at(to).time),
            established: stood.then(|| at(from + 20)),
            failed: !stood,
        });
        let mut unjudged = BTreeMap::new();
        let tcp: Vec<_> = tcp.into_iter().collect();
        let said = judge(&tries.unanswered(), &tcp, at(60_000).time, &mut unjudged);
        let said = said.first().map(|finding| {
            (
                finding.confidence,
                finding.number("connect_ms").unwrap_or(0),
            )
        });
        assert_eq!(said, told);
        let reasons: Vec<_> = unjudged.keys().map(String::as_str).collect();
        assert_eq!(reasons.join(" "), open);
    }

    #[test]
    fn a_client_that_waits_for_quic_connects_late() {
        check(
            Some((Some("a.example"), 14_000, 15_000, true)),
            Some((95, 4_020)),
            "",
        );
        check(Some((None, 14_000, 15_000, true)), Some((80, 4_020)), "");
    }

    #[test]
    fn a_race_a_standing_connection_and_a_failed_one_are_no_delay() {
        check(Some((Some("a.example"), 10_300, 15_000, true)), None, "");
        check(Some((Some("a.example"), 2_000, 20_000, true)), None, "");
        check(Some((Some("a.example"), 14_000, 15_000, false)), None, "");
    }

    #[test]
    fn without_a_fallback_it_is_counted() {
        check(None, None, "quic-unanswered");
        check(
            Some((Some("b.example"), 14_000, 15_000, true)),
            None,
            "quic-unanswered",
        );
        check(
            Some((Some("a.example"), 41_000, 45_000, true)),
            None,
            "quic-unanswered",
        );
    }
}
