//! Tunnels as a whole: which question without an answer is which failure, said once for each pair of ends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::failure::security::{vpn_auth_failed, vpn_no_answer, vpn_no_proposal, vpn_tunnel_lost};
use crate::failure::{Class, Finding, Subject, Text, Value, surroundings};
use crate::flow::heard::Heard;
use crate::flow::tunnels::{Ask, Association, End, Kind, Tunnels};
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// Sent so often a question is judged: three retries (rule 1 of the catalogue).
const SENT_MIN: u32 = 4;
/// Over TCP nothing needs to be asked twice: a request is waited for so long.
const PATIENCE: Nanos = 30 * SECOND;
/// A tunnel lived if its other end was heard in it so shortly before.
pub(super) const LIVED: Nanos = 300 * SECOND;

/// The two sides of an address translation see one question this close to each other.
const TRANSLATED: Nanos = 50 * MILLISECOND;

/// What a judge of tunnels looks at.
pub(super) struct Around<'a> {
    pub(super) tunnels: &'a Tunnels,
    /// When the capture ends.
    pub(super) end: Timestamp,
    pub(super) associations: BTreeMap<u64, &'a Association>,
}

impl Around<'_> {
    /// The IKE attempt that a question belongs to.
    pub(super) fn association(&self, ask: &Ask) -> Option<&Association> {
        let ike = matches!(ask.kind, Kind::IkeV1 | Kind::IkeV2);
        self.associations.get(&ask.id).copied().filter(|_| ike)
    }
}

/// All that tunnels show, by time; silences are checked against who was heard.
pub fn judge(
    tunnels: &Tunnels,
    heard: &Heard,
    end: Timestamp,
    unjudged: &mut BTreeMap<String, u64>,
) -> Vec<Finding> {
    let all = tunnels.associations();
    let around = Around {
        tunnels,
        end,
        associations: all.into_iter().map(|known| (known.spi, known)).collect(),
    };
    let mut findings = vpn_no_proposal::judge(&around);
    findings.extend(vpn_auth_failed::judge(&around));
    for ask in patient(&around) {
        findings.extend(
            vpn_tunnel_lost::detect(&ask, &around)
                .or_else(|| vpn_auth_failed::detect(&ask, &around))
                .or_else(|| vpn_no_answer::detect(&ask, &around)),
        );
    }
    findings.sort_by_key(|finding| (finding.first, finding.client, finding.server));
    vpn_tunnel_lost::silences(&around, &mut findings);
    let mut kept = Vec::new();
    for finding in folded(findings) {
        match surroundings::judge_silence(finding, heard) {
            Ok(finding) => kept.push(finding),
            Err(reason) => *unjudged.entry(reason.to_owned()).or_default() += 1,
        }
    }
    kept
}

/// Questions whose patience has passed; one attempt seen on both sides of an address translation is one.
fn patient(around: &Around<'_>) -> Vec<Ask> {
    let mut seen: BTreeSet<(Kind, u64, IpAddr, &'static str)> = BTreeSet::new();
    let waits = |ask: &Ask| match (ask.kind, ask.stage) {
        (Kind::Pptp, "start-control-connection" | "outgoing-call") => {
            around.end.since(ask.first().time) >= PATIENCE
        }
        (Kind::OpenVpnTcp, _) => {
            ask.sent >= SENT_MIN || around.end.since(ask.first().time) >= PATIENCE
        }
        _ => ask.sent >= SENT_MIN,
    };
    let mut kept: Vec<Ask> = Vec::new();
    for ask in around.tunnels.asks() {
        let ike = matches!(ask.kind, Kind::IkeV1 | Kind::IkeV2);
        let translated = if ike {
            !seen.insert((ask.kind, ask.id, ask.asked.0, ask.stage))
        } else {
            kept.iter().rev().any(|other| {
                let same =
                    (other.kind, other.stage, other.asked) == (ask.kind, ask.stage, ask.asked);
                let apart = ask.first().time.since(other.first().time);
                same && other.sent == ask.sent && apart <= TRANSLATED
            })
        };
        if waits(&ask) && !translated {
            kept.push(ask);
        }
    }
    kept
}

/// One finding for each code and pair of hosts, with how often.
fn folded(findings: Vec<Finding>) -> Vec<Finding> {
    type Pair = (&'static str, Option<IpAddr>, Option<IpAddr>);
    let mut kept: Vec<Finding> = Vec::new();
    let mut places: BTreeMap<Pair, usize> = BTreeMap::new();
    for finding in findings {
        let pair = (
            finding.class.code,
            finding.client.map(|(ip, _)| ip),
            finding.server.map(|(ip, _)| ip),
        );
        match places.get(&pair).and_then(|place| kept.get_mut(*place)) {
            Some(first) => {
                first.count += 1;
                first.last = first.last.max(finding.last);
                if finding.confidence > first.confidence {
                    first.confidence = finding.confidence;
                    first.reason = finding.reason;
                }
            }
            None => {
                places.insert(pair, kept.len());
                kept.push(finding);
            }
        }
    }
    kept
}

/// A finding between two ends of a tunnel.
pub(super) fn finding(class: &'static Class, kind: Kind, (client, server): (End, End)) -> Finding {
    let mut finding = Finding::new(class, Subject::Link, Timestamp::from_ns(i64::MAX));
    finding.last = Timestamp::from_ns(i64::MIN);
    finding.protocol = if kind == Kind::Pptp && server.1 == 0 {
        47
    } else if matches!(kind, Kind::Pptp | Kind::OpenVpnTcp) {
        6
    } else {
        17
    };
    finding.client = Some(client);
    finding.server = Some(server);
    finding.detail("protocol", Value::Text(kind.name().to_owned()))
}

/// The finding about a question that stayed without an answer.
pub(super) fn unanswered(class: &'static Class, ask: &Ask, role: &'static str) -> Finding {
    let mut finding = finding(class, ask.kind, (ask.asker, ask.asked));
    for (number, mark) in ask.marks.iter().enumerate() {
        let role = if number == 0 { role } else { "retry" };
        finding = finding.seen(*mark, role);
    }
    if let Some(icmp) = ask.icmp {
        finding = finding
            .seen(icmp, "icmp")
            .detail("icmp_error", Value::Bool(true));
    }
    if let Some(answer) = ask.other.filter(|_| ask.kind == Kind::WireGuard) {
        finding = finding
            .seen(answer, "response")
            .detail("answers_lost", Value::Bool(true));
    }
    finding.evidence.sort_by_key(|seen| seen.at);
    let waited = ask.last().time.since(ask.first().time) / MILLISECOND;
    finding = finding
        .detail("stage", Value::Text(ask.stage.to_owned()))
        .detail("retries", Value::Number(i64::from(ask.sent) - 1))
        .detail("waited_ms", Value::Number(waited));
    finding.silence = Some(crate::failure::Silence {
        asker: ask.asker.0,
        asked: ask.asked.0,
        from: ask.first().time,
        to: ask.last().time,
        proven: true,
    });
    finding
}

/// Why an inference from encrypted messages is no more.
pub(super) const ENCRYPTED: Text = Text {
    en: "the messages are encrypted: told by their order and length",
    zh: "报文已加密，依据次序与长度推断",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Mark;

    const CLIENT: End = (IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 15)), 500);
    const SERVER: End = (IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 20)), 500);

    /// An IKEv2 message of so many bytes: exchange, flags, message id; `clear` stands for its payloads.
    struct Said(i64, bool, u8, u8, u8, u32, &'static [u8]);

    /// What the messages tell when the capture goes on for a minute: code, confidence, who refused.
    fn check(messages: &[Said]) -> Vec<(&'static str, u8, String)> {
        let mut tunnels = Tunnels::default();
        let at = |ms: i64| Mark {
            time: Timestamp::from_ns(ms * MILLISECOND),
            ..Mark::default()
        };
        let mut heard = Heard::default();
        for Said(ms, ours, exchange, flags, id, len, clear) in messages {
            let mut bytes = vec![9; 8];
            bytes.extend(if *exchange == 34 && *ours {
                [0; 8]
            } else {
                [7; 8]
            });
            let next = if clear.is_empty() { 46 } else { 41 };
            bytes.extend([next, 0x20, *exchange, *flags, 0, 0, 0, *id]);
            bytes.extend(len.to_be_bytes());
            bytes.extend(*clear);
            let ends = if *ours {
                (CLIENT, SERVER)
            } else {
                (SERVER, CLIENT)
            };
            tunnels.on_datagram(ends.0, ends.1, &bytes, bytes.len(), at(*ms));
            heard.note(ends.1.0, ends.0.0, at(*ms).time);
        }
        let mut unjudged = BTreeMap::new();
        let told = judge(&tunnels, &heard, at(100_000).time, &mut unjudged);
        let by = |finding: &Finding| finding.text("refused_by").unwrap_or("").to_owned();
        told.iter()
            .map(|finding| (finding.class.code, finding.confidence, by(finding)))
            .collect()
    }

    const NO_PROPOSAL: &[u8] = &[0, 0, 0, 8, 0, 0, 0, 14];
    const INIT: Said = Said(0, true, 34, 8, 0, 400, &[0, 0, 0, 4]);
    const INIT_ANSWER: Said = Said(10, false, 34, 0x20, 0, 400, &[0, 0, 0, 4]);
    const AUTH: Said = Said(20, true, 35, 8, 1, 300, &[]);

    #[test]
    fn three_retries_are_needed() {
        let init = |ms| Said(ms, true, 34, 8, 0, 400, &[0, 0, 0, 4]);
        assert_eq!(check(&[init(0), init(1_000), init(3_000)]), []);
        let four = check(&[init(0), init(1_000), init(3_000), init(7_000)]);
        assert_eq!(four.len(), 1);
        assert_eq!(
            four.first().map(|told| told.0),
            Some("security.vpn-no-answer")
        );
    }

    #[test]
    fn a_refused_offer_is_told() {
        let refused = check(&[INIT, Said(10, false, 34, 0x20, 0, 36, NO_PROPOSAL)]);
        assert_eq!(
            refused.first().map(|told| told.0),
            Some("security.vpn-no-proposal")
        );
    }

    #[test]
    fn a_short_last_response_is_a_refusal_by_the_server_and_a_long_one_is_not() {
        let short = check(&[
            INIT,
            INIT_ANSWER,
            AUTH,
            Said(30, false, 35, 0x20, 1, 80, &[]),
        ]);
        let expected = ("security.vpn-auth-failed", 70, "server".to_owned());
        assert_eq!(short, [expected]);
        let long = check(&[
            INIT,
            INIT_ANSWER,
            AUTH,
            Said(30, false, 35, 0x20, 1, 240, &[]),
        ]);
        assert_eq!(long, []);
    }

    #[test]
    fn a_login_that_goes_on_is_no_refusal() {
        let goes_on = check(&[
            INIT,
            INIT_ANSWER,
            AUTH,
            Said(30, false, 35, 0x20, 1, 80, &[]),
            Said(40, true, 35, 8, 2, 90, &[]),
            Said(50, false, 35, 0x20, 2, 220, &[]),
        ]);
        assert_eq!(goes_on, []);
    }

    #[test]
    fn one_word_of_the_client_right_after_the_response_is_its_refusal() {
        let refused = check(&[
            INIT,
            INIT_ANSWER,
            AUTH,
            Said(30, false, 35, 0x20, 1, 240, &[]),
            Said(40, true, 37, 8, 2, 80, &[]),
            Said(50, false, 37, 0x20, 2, 80, &[]),
        ]);
        let expected = ("security.vpn-auth-failed", 60, "client".to_owned());
        assert_eq!(refused, [expected]);
    }

    #[test]
    fn probes_of_a_tunnel_that_stood_are_its_loss_and_those_of_one_that_never_did_are_not() {
        let probe = |ms| Said(ms, true, 37, 8, 2, 80, &[]);
        let stood = check(&[
            INIT,
            INIT_ANSWER,
            AUTH,
            Said(30, false, 35, 0x20, 1, 240, &[]),
            probe(30_000),
            probe(32_000),
            probe(36_000),
            probe(44_000),
        ]);
        assert_eq!(
            stood.first().map(|told| told.0),
            Some("security.vpn-tunnel-lost")
        );
        let never = check(&[
            INIT,
            INIT_ANSWER,
            probe(1_000),
            probe(2_000),
            probe(4_000),
            probe(8_000),
        ]);
        assert!(
            never
                .iter()
                .all(|told| told.0 != "security.vpn-tunnel-lost")
        );
    }
}
