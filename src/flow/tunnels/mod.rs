//! Tunnels (VPN): who asked for one and got no answer, who was refused, and which live one fell silent.
//!
//! Reads IKE and ESP (alone, and behind the non-ESP marker on port 4500, RFC 3948), L2TP, PPTP with its GRE, WireGuard,
//! OpenVPN over UDP, and how OpenVPN begins over TCP. A question is what an end repeats until something comes back. Every list is bounded; what does
//! not fit is counted in `omitted`. Nothing here judges: `failure::security::vpn` does.

mod asks;
mod esp;
mod ike;
mod sessions;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use self::asks::Ask;
use self::asks::{Asks, Question};
use self::esp::Pairs;
pub use self::esp::Silence;
pub use self::ike::Association;
use self::ike::Associations;
use self::sessions::Sessions;
use crate::decode::{Esp, Quoted};
use crate::mark::Mark;
use crate::protocol::ppp::Said;
use crate::protocol::{l2tp, openvpn, ppp, pptp, wireguard};
use crate::time::Timestamp;

/// Refusals kept.
const REFUSALS_MAX: usize = 1_024;

/// Result of a StopCCN: the requester is not authorized (RFC 2661 4.4.2).
const NOT_AUTHORIZED: u16 = 4;

/// An address and port.
pub type End = (IpAddr, u16);

/// How a tunnel is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// IKEv1.
    IkeV1,
    /// IKEv2.
    IkeV2,
    /// L2TP.
    L2tp,
    /// PPTP.
    Pptp,
    /// WireGuard.
    WireGuard,
    /// OpenVPN.
    OpenVpn,
    /// OpenVPN over TCP.
    OpenVpnTcp,
}

impl Kind {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IkeV1 => "IKEv1",
            Self::IkeV2 => "IKEv2",
            Self::L2tp => "L2TP",
            Self::Pptp => "PPTP",
            Self::WireGuard => "WireGuard",
            Self::OpenVpn => "OpenVPN",
            Self::OpenVpnTcp => "OpenVPN (TCP)",
        }
    }

    /// Both IKEs make the same tunnels.
    pub(super) const fn family(self) -> Self {
        match self {
            Self::IkeV1 => Self::IkeV2,
            other => other,
        }
    }
}

/// Somebody was refused in clear.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// By which means.
    pub kind: Kind,
    /// Who wanted in.
    pub client: End,
    /// Who refused.
    pub server: End,
    /// The frame that says so.
    pub at: Mark,
    /// What it says: `pap-nak`, `chap-failure`, `stop-ccn`, `not-authorized`.
    pub what: &'static str,
    /// The server's words.
    pub words: Option<String>,
    /// The same client was accepted afterwards.
    pub mended: bool,
}

/// What is remembered of tunnels.
#[derive(Debug, Default)]
pub struct Tunnels {
    asks: Asks,
    associations: Associations,
    pairs: Pairs,
    refusals: Vec<Refusal>,
    sessions: Sessions,
    /// Who began OpenVPN over TCP last, and at which sequence number.
    stream: Option<(End, u32)>,
    omitted: u64,
}

impl Tunnels {
    /// A datagram; `len` is its payload's length on the wire.
    pub fn on_datagram(&mut self, from: End, to: End, payload: &[u8], len: usize, at: Mark) {
        let Some(&first) = payload.first() else {
            return;
        };
        let has = |port: u16| from.1 == port || to.1 == port;
        if has(500) || has(4500) {
            self.on_ipsec(from, to, payload, at);
            return;
        }
        if has(1701)
            && let Some(message) = l2tp::parse(payload)
        {
            self.on_l2tp(from, to, &message, at);
            return;
        }
        if (1..=4).contains(&first)
            && let Some(message) = wireguard::parse(payload, len)
        {
            self.on_wireguard(from, to, message, at);
            return;
        }
        if let Some(packet) = openvpn::parse(payload, (from.1, to.1)) {
            self.on_openvpn(from, to, packet, at);
        }
    }

    /// RFC 3948 2: on port 4500 four zero bytes come before IKE, ESP begins with its SPI, one byte 0xff keeps a
    /// translation alive.
    fn on_ipsec(&mut self, from: End, to: End, payload: &[u8], at: Mark) {
        let message = match (from.1 == 4500 || to.1 == 4500, payload) {
            (true, [0, 0, 0, 0, message @ ..]) => message,
            (true, [a, b, c, d, e, f, g, h, ..]) => {
                let esp = Esp {
                    spi: u32::from_be_bytes([*a, *b, *c, *d]),
                    seq: u32::from_be_bytes([*e, *f, *g, *h]),
                };
                self.on_esp(from.0, to.0, esp, at);
                return;
            }
            (true, _) => return,
            (false, message) => message,
        };
        if let Some(read) = crate::protocol::ike::parse(message) {
            self.associations.on_message(from, to, &read, at);
            self.asks.on_ike(from, to, &read, message, at);
        }
    }

    /// An ESP packet.
    pub fn on_esp(&mut self, from: IpAddr, to: IpAddr, esp: Esp, at: Mark) {
        self.asks.lives(Kind::IkeV2, from, to, at);
        self.pairs.on_packet(from, to, esp, at);
    }

    fn on_l2tp(&mut self, from: End, to: End, message: &l2tp::Message<'_>, at: Mark) {
        match *message {
            l2tp::Message::Control {
                tunnel,
                ns,
                kind,
                result,
            } => {
                self.asks.answered_all(Kind::L2tp, from, to, at);
                let hello = kind == Some(l2tp::kind::HELLO);
                if kind == Some(l2tp::kind::STOP) && result == Some(NOT_AUTHORIZED) {
                    self.refused(Kind::L2tp, (from, to), "stop-ccn", None, at);
                }
                if let Some(kind) = kind {
                    self.asks.asked(&Question {
                        kind: Kind::L2tp,
                        stage: stage_of_l2tp(kind),
                        from,
                        to,
                        id: asks::by_ports(from, to),
                        exchange: 0,
                        token: u64::from(tunnel) << 32 | u64::from(kind) << 16 | u64::from(ns),
                        liveness: hello,
                        at,
                    });
                }
                // It has a tunnel id of ours: the tunnel stands.
                if tunnel != 0 && kind != Some(l2tp::kind::STOP) {
                    self.asks.lives(Kind::L2tp, from.0, to.0, at);
                }
            }
            l2tp::Message::Data(frame) => {
                self.asks.lives(Kind::L2tp, from.0, to.0, at);
                if let Some(said) = ppp::frame(frame) {
                    self.on_login(Kind::L2tp, (from, to), &said, at);
                }
            }
        }
    }

    /// Link control and authentication in a PPTP tunnel's GRE.
    pub fn on_gre_ppp(&mut self, from: IpAddr, to: IpAddr, protocol: u16, body: &[u8], at: Mark) {
        let (from, to) = ((from, 0), (to, 0));
        self.asks.answered_all(Kind::Pptp, from, to, at);
        let Some(said) = ppp::parse(protocol, body) else {
            return;
        };
        let question = |stage, exchange, liveness| Question {
            kind: Kind::Pptp,
            stage,
            from,
            to,
            id: 0,
            exchange,
            token: 0,
            liveness,
            at,
        };
        match said {
            Said::Configure => self.asks.asked(&question("gre-lcp", 1, false)),
            Said::Echo => self.asks.asked(&question("lcp-echo", 9, true)),
            Said::Accepted => self.asks.lives(Kind::Pptp, from.0, to.0, at),
            _ => {}
        }
        if said == Said::Link {
            self.asks.lives(Kind::Pptp, from.0, to.0, at);
        }
        self.on_login(Kind::Pptp, (from, to), &said, at);
    }

    /// A segment of PPTP's control connection.
    pub fn on_pptp(&mut self, from: End, to: End, payload: &[u8], at: Mark) {
        let Some((kind, result)) = pptp::parse(payload) else {
            return;
        };
        self.asks.answered_all(Kind::Pptp, from, to, at);
        let stage = match kind {
            pptp::kind::START => "start-control-connection",
            pptp::kind::CALL => "outgoing-call",
            _ => {
                if kind == pptp::kind::STARTED && result == Some(4) {
                    self.refused(Kind::Pptp, (from, to), "not-authorized", None, at);
                }
                return;
            }
        };
        self.asks.asked(&Question {
            kind: Kind::Pptp,
            stage,
            from,
            to,
            id: asks::by_ports(from, to),
            exchange: 0,
            token: kind.into(),
            liveness: false,
            at,
        });
    }

    /// A segment with data at `seq`: how OpenVPN over TCP begins, and whether anything comes back. A client that gets no
    /// answer begins anew by other ports: what it asks of one address and port is one question.
    pub fn on_stream(&mut self, from: End, to: End, payload: &[u8], seq: u32, at: Mark) {
        let kind = Kind::OpenVpnTcp;
        if openvpn::begins_stream(payload) {
            // The same segment again is TCP's doing.
            if self.stream.replace((from, seq)) != Some((from, seq)) {
                self.asks.asked(&Question {
                    kind,
                    stage: "hard-reset",
                    from,
                    to,
                    id: to.1.into(),
                    exchange: 0,
                    token: 0,
                    liveness: false,
                    at,
                });
            }
        } else if self.stream.is_some() && !payload.is_empty() {
            self.asks.answered(kind, (from, to), from.1.into(), 0, 0);
        }
    }

    fn on_login(&mut self, kind: Kind, (from, to): (End, End), said: &Said, at: Mark) {
        match said {
            Said::Refused(words) => {
                let what = "ppp-authentication";
                self.refused(kind, (from, to), what, words.clone(), at);
            }
            Said::Accepted => {
                for old in &mut self.refusals {
                    let ends = (old.client.0, old.server.0) == (to.0, from.0);
                    old.mended |= ends && old.kind == kind;
                }
            }
            _ => {}
        }
    }

    fn refused(
        &mut self,
        kind: Kind,
        (server, client): (End, End),
        what: &'static str,
        words: Option<String>,
        at: Mark,
    ) {
        if self.refusals.len() >= REFUSALS_MAX {
            self.omitted += 1;
            return;
        }
        self.refusals.push(Refusal {
            kind,
            client,
            server,
            at,
            what,
            words,
            mended: false,
        });
    }

    /// A handshake is answered once its initiator uses what came of it, which it does at once (section 5.4.4 of the
    /// paper): it sends to another session than before. Responses alone may be lost behind the capture point.
    fn on_wireguard(&mut self, from: End, to: End, message: wireguard::Message, at: Mark) {
        let kind = Kind::WireGuard;
        let id = asks::by_ports(from, to);
        match message {
            wireguard::Message::Initiation => {
                self.asks.asked(&Question {
                    kind,
                    stage: "handshake",
                    from,
                    to,
                    id,
                    exchange: 0,
                    token: self.sessions.before(from, to).into(),
                    liveness: false,
                    at,
                });
            }
            wireguard::Message::Response => self.asks.other(kind, (from, to), id, at),
            wireguard::Message::Data(session) => {
                if self.sessions.uses(from, to, session) {
                    self.asks.settled(kind, (from, to), id);
                }
                self.asks.lives(kind, from.0, to.0, at);
            }
        }
    }

    fn on_openvpn(&mut self, from: End, to: End, packet: openvpn::Packet, at: Mark) {
        let kind = Kind::OpenVpn;
        self.asks.answered_all(kind, from, to, at);
        match packet {
            // A client that gives up takes another session number: the question is the same.
            openvpn::Packet::Reset(_) => self.asks.asked(&Question {
                kind,
                stage: "hard-reset",
                from,
                to,
                id: asks::by_ports(from, to),
                exchange: 0,
                token: 0,
                liveness: false,
                at,
            }),
            openvpn::Packet::Answer | openvpn::Packet::Control => {}
            openvpn::Packet::Data => self.asks.lives(kind, from.0, to.0, at),
        }
    }

    /// An ICMP error that quotes a datagram.
    pub fn on_unreachable(&mut self, quoted: &Quoted, at: Mark) {
        let from = (quoted.source, quoted.source_port);
        let to = (quoted.destination, quoted.destination_port);
        self.asks.unreachable(from, to, at);
    }

    /// What was asked and not answered, however often, by first frame.
    pub fn asks(&self) -> Vec<Ask> {
        self.asks.all()
    }

    /// IKE attempts by first frame.
    pub fn associations(&self) -> Vec<&Association> {
        self.associations.all()
    }

    /// Pairs of hosts of which one went on alone in ESP.
    pub fn silences(&self) -> Vec<Silence> {
        self.pairs.silences()
    }

    /// Refusals in clear, as they came.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// Did ESP pass between the two, either way, after `time`?
    pub fn protected_after(&self, a: IpAddr, b: IpAddr, time: Timestamp) -> bool {
        self.pairs.last(a, b).is_some_and(|last| last > time)
    }

    /// When `from` last sent what only a standing tunnel carries.
    pub fn lived(&self, kind: Kind, from: IpAddr, to: IpAddr) -> Option<Timestamp> {
        self.asks.lived(kind, from, to).map(|at| at.time)
    }

    /// Packets that `from` sent by ESP and that are missing in the capture, by sequence number, and those seen.
    pub fn lost(&self, from: IpAddr, to: IpAddr) -> (u64, u64) {
        self.pairs.lost(from, to)
    }

    /// Forgets what ended before `time`.
    pub fn forget_before(&mut self, time: Timestamp) {
        self.asks.forget_before(time);
        self.associations.forget_before(time);
        self.pairs.forget_before(time);
        self.refusals.retain(|refusal| refusal.at.time >= time);
    }

    /// What did not fit the limits.
    pub fn omitted(&self) -> u64 {
        self.omitted
            + self.asks.omitted
            + self.associations.omitted
            + self.pairs.omitted
            + self.sessions.omitted
    }
}

const fn stage_of_l2tp(kind: u16) -> &'static str {
    match kind {
        l2tp::kind::SCCRQ => "start-control-connection",
        l2tp::kind::HELLO => "hello",
        // ICRQ, OCRQ.
        10 | 7 => "call",
        _ => "other",
    }
}
