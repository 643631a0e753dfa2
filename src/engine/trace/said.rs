//! What the application protocol says in a flow, in the protocol's own words, as the frames that say it pass.
//!
//! The readers are those of the diagnosis. Words quote the wire: whoever shows them masks them first.

use std::sync::Arc;

use crate::decode::{Body, IcmpMessage, Packet, flag};
use crate::engine::conversation::{self, Application};
use crate::engine::setting::Setting;
use crate::failure::application::exchange;
use crate::failure::episode::Web;
use crate::mark::Both;
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::{Mark, Seen};
use crate::protocol::http1::{self, Exchange};
use crate::protocol::socks::{self, Refusal};
use crate::protocol::tls::chain::Certificate;
use crate::protocol::tls::{self, names};
use crate::protocol::{Chunk, Next, Observer as _, Probe, dns};
use crate::protocol::{http, http2};

/// Bytes shown of what is no TLS where TLS was expected.
const FOREIGN_MAX: usize = 24;

/// What was said, and by which frame.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Frame and words, in the order in which they became known.
    pub(super) words: Vec<(Mark, String)>,
    /// Messages of the TLS session that were told.
    told: u64,
    alerts: usize,
    asked: bool,
    /// Host of the last request: told again where it changes.
    host: Option<String>,
    refused: bool,
}

impl Said {
    /// Takes a chunk as the engine does, and notes what it says.
    pub(super) fn on_chunk(
        &mut self,
        application: &mut Application,
        first_bytes: &mut Both<Vec<u8>>,
        setting: &Setting<'_>,
        from: Direction,
        chunk: Chunk<'_>,
        at: Mark,
    ) -> Next {
        if let Application::Behind(_, inside) = application {
            return self.on_chunk(inside, first_bytes, setting, from, chunk, at);
        }
        if let (Application::Unknown, Chunk::Data(bytes)) = (&*application, chunk)
            && tls::probe(bytes) != Probe::Yes
            && [http1::probe(bytes), http2::probe(bytes)].contains(&Probe::Yes)
        {
            let mut web = Box::<Web>::default();
            web.log = http::Log::of(bytes);
            *application = Application::Http(web);
        }
        let Application::Http(web) = application else {
            let next = conversation::on_chunk(application, first_bytes, setting, from, chunk, at);
            self.look(application, at);
            return next;
        };
        // The engine keeps of healthy exchanges no more than a count: here they are told before they are forgotten.
        let next = web.log.on_chunk(from, chunk, at);
        for exchange in web.log.open() {
            self.exchange(exchange, at);
        }
        while let Some(exchange) = web.log.next_ended() {
            self.exchange(&exchange, at);
        }
        if let Some(log) = web.log.as_two() {
            self.away(log, at);
        }
        if conversation::open_tunnel(application, setting, at) {
            return Next::More;
        }
        next
    }

    fn say(&mut self, at: Mark, words: impl Into<String>) {
        let words = words.into();
        let known = |(when, said): &(Mark, String)| *when == at && *said == words;
        if !self.words.iter().any(known) {
            self.words.push((at, words));
        }
    }

    fn exchange(&mut self, exchange: &Exchange, at: Mark) {
        if let Some(request) = exchange.request.as_ref().filter(|seen| seen.head == at) {
            let path = exchange::path(&request.target).into_owned();
            let host = request.host.as_deref().filter(|_| !request.to_proxy);
            let changed = host.filter(|host| self.host.as_deref() != Some(host));
            let told = changed.map_or_else(String::new, |host| format!("  Host {host}"));
            self.host = host.map(str::to_owned).or(self.host.take());
            self.say(at, format!("{} {path}{told}", request.method));
        }
        if let Some(interim) = exchange.interim.filter(|interim| interim.at == at) {
            self.say(at, format!("HTTP {}", interim.value));
        }
        if let Some(response) = exchange.response.as_ref().filter(|seen| seen.head == at) {
            let words = format!("HTTP {} {}", response.status, response.reason);
            self.say(at, words.trim_end());
        }
        let answered = exchange.response.as_ref();
        let grpc = answered.and_then(|response| response.grpc.as_deref());
        if let Some(grpc) = grpc.filter(|grpc| grpc.at == at) {
            self.say(at, format!("gRPC {}", exchange::grpc_name(grpc.status)));
        }
        if let Some(reset) = exchange.reset.filter(|reset| reset.at == at) {
            let code = http2::error_name(reset.code);
            self.say(at, format!("RST_STREAM {code}"));
        }
    }

    fn away(&mut self, log: &http2::Log, at: Mark) {
        for from in [ToServer, ToClient] {
            if let Some(away) = log.away(from).filter(|away| away.at == at) {
                self.say(at, format!("GOAWAY {}", http2::error_name(away.code)));
            }
        }
    }

    fn look(&mut self, application: &mut Application, at: Mark) {
        match application {
            Application::Tls(session) | Application::Tunnel(_, session) => self.tls(session),
            Application::Dns(messages) => {
                for (_, message, at) in messages.take() {
                    self.say(at, self::message(&message));
                }
            }
            Application::Socks(session) => self.socks(session, at),
            Application::Behind(session, inside) => {
                self.socks(session, at);
                self.look(inside, at);
            }
            _ => {}
        }
    }

    /// Says what a message of a session says, once; `place` is the message's own bit.
    fn once(&mut self, place: u32, at: Option<Mark>, words: impl Fn() -> String) {
        if let Some(at) = at.filter(|_| self.told >> place & 1 == 0) {
            self.told |= 1 << place;
            self.say(at, words());
        }
    }

    fn tls(&mut self, session: &tls::Session) {
        let fixed = |words: &'static str| move || words.to_owned();
        let (hello, server) = (&session.client_hello, &session.server_hello);
        let (chain, own) = (&session.certificates, &session.client_certificates);
        let stapled = session.stapled.as_ref().map(|seen| seen.at);
        self.once(0, hello.as_ref().map(|seen| seen.at), || {
            client_hello(session)
        });
        self.once(1, session.hello_retry, fixed("HelloRetryRequest"));
        self.once(2, server.as_ref().map(|seen| seen.at), || {
            server_hello(session)
        });
        self.once(3, chain.as_ref().map(|seen| seen.at), || {
            certificate("Certificate", chain)
        });
        self.once(4, stapled, fixed("CertificateStatus"));
        self.once(5, session.certificate_request, fixed("CertificateRequest"));
        self.once(6, session.server_hello_done, fixed("ServerHelloDone"));
        self.once(7, own.as_ref().map(|seen| seen.at), || {
            certificate("Client certificate", own)
        });
        self.once(8, session.client_key_exchange, fixed("ClientKeyExchange"));
        let opened = session.opening() == tls::Opening::Opened;
        for (place, from) in [(9, ToServer), (13, ToClient)] {
            // In TLS 1.3 what looks like it may be anything.
            let finished = session.finished[from].filter(|_| !session.is_veiled());
            let foreign = &session.foreign[from];
            let changed = session.change_cipher_spec[from];
            self.once(place, changed, fixed("ChangeCipherSpec"));
            self.once(place + 1, finished, fixed("Finished"));
            let hidden = session.data[from].first.filter(|_| !opened);
            self.once(place + 2, hidden, fixed("encrypted data"));
            self.once(place + 3, foreign.as_ref().map(|seen| seen.at), || {
                let bytes = foreign.as_ref().map_or(&[][..], |seen| &seen.value);
                let start = bytes.get(..FOREIGN_MAX).unwrap_or(bytes);
                format!("no TLS: {:?}", String::from_utf8_lossy(start))
            });
        }
        self.alerts(session);
    }

    fn alerts(&mut self, session: &tls::Session) {
        for alert in session.alerts.iter().skip(self.alerts) {
            let words = if alert.encrypted {
                "Alert (encrypted)".to_owned()
            } else {
                let level = if alert.level == 2 { "fatal" } else { "warning" };
                format!("Alert {} ({level})", names::alert(alert.description))
            };
            self.say(alert.at, words);
        }
        self.alerts = session.alerts.len();
    }

    fn socks(&mut self, session: &socks::Session, at: Mark) {
        if let Some(target) = session.target.as_ref().filter(|_| !self.asked) {
            self.asked = true;
            self.say(
                session.asked.unwrap_or(at),
                format!("SOCKS CONNECT {target}"),
            );
        }
        if let Some(refusal) = session.refusal.filter(|_| !self.refused) {
            self.refused = true;
            let words = match refusal.value {
                Refusal::Method => "SOCKS: no method accepted".to_owned(),
                Refusal::Login(status) => format!("SOCKS: login refused ({status})"),
                Refusal::Reply(reply) => format!("SOCKS: refused ({reply})"),
            };
            self.say(refusal.at, words);
        }
    }
}

fn client_hello(session: &tls::Session) -> String {
    let name = session.sni();
    let name = name.map_or("no SNI".to_owned(), |name| format!("SNI {name}"));
    let version = session
        .client_hello
        .as_ref()
        .map(|hello| names::version(hello.value.highest()));
    format!("ClientHello  {name}, {}", version.unwrap_or_default())
}

fn server_hello(session: &tls::Session) -> String {
    let Some(hello) = &session.server_hello else {
        return String::new();
    };
    let (version, suite) = (
        names::version(hello.value.version),
        names::suite(hello.value.suite),
    );
    format!(
        "ServerHello  {version}, {}",
        suite.trim_start_matches("TLS_")
    )
}

/// Of a chain the leaf's name and how many there are.
fn certificate(what: &str, chain: &Option<Seen<Vec<Arc<[u8]>>>>) -> String {
    let chain = chain.as_ref().map_or(&[][..], |seen| &seen.value);
    let Some(leaf) = chain.first() else {
        return format!("{what}  none");
    };
    let name = Certificate::parse(leaf).map_or("unreadable".to_owned(), |leaf| leaf.label());
    match chain.len() {
        1 => format!("{what}  {name}, alone"),
        count => format!("{what}  {name}, chain of {count}"),
    }
}

/// A DNS message in one line.
fn message(message: &dns::Message) -> String {
    let question = message.question.as_ref();
    let (name, kind) = question.map_or(("", 0), |asked| (asked.name.as_str(), asked.kind));
    let kind = match kind {
        dns::kind::A => "A".to_owned(),
        dns::kind::CNAME => "CNAME".to_owned(),
        dns::kind::SOA => "SOA".to_owned(),
        dns::kind::PTR => "PTR".to_owned(),
        dns::kind::AAAA => "AAAA".to_owned(),
        dns::kind::SRV => "SRV".to_owned(),
        65 => "HTTPS".to_owned(),
        other => format!("TYPE{other}"),
    };
    if !message.response {
        return format!("DNS {kind}?  {name}");
    }
    let answers: Vec<String> = message
        .addresses
        .iter()
        .take(2)
        .map(|address| address.ip.to_string())
        .collect();
    let more = if message.addresses.len() > 2 {
        " …"
    } else {
        ""
    };
    let said = match (message.rcode, answers.is_empty()) {
        (dns::rcode::NOERROR, false) => format!("{}{more}", answers.join(" ")),
        (dns::rcode::NOERROR, true) => "NOERROR, no address".to_owned(),
        (code, _) => dns::rcode::name(code),
    };
    let cut = if message.truncated { ", truncated" } else { "" };
    format!("DNS {kind}  {name}: {said}{cut}")
}

/// A packet by itself in one line: what it is, with what it says of itself.
pub(super) fn packet(packet: &Packet<'_>) -> String {
    match &packet.body {
        Body::Tcp(segment) => {
            let data = match segment.payload_len {
                0 => String::new(),
                bytes => format!("  {bytes} B"),
            };
            format!("TCP {}{data}", flags(segment.flags))
        }
        Body::Udp(datagram) => {
            let ports = (datagram.source_port, datagram.destination_port);
            let read = dns::looks_like(datagram.payload, ports)
                .then(|| dns::parse(datagram.payload))
                .flatten();
            read.map_or_else(
                || format!("UDP {} B", datagram.payload_len),
                |read| message(&read),
            )
        }
        Body::Icmp(message) => icmp(message),
        Body::Arp(arp) => match arp.operation {
            1 if arp.sender_ip == arp.target_ip => format!("ARP announces {}", arp.sender_ip),
            1 => format!("ARP who has {}?  tell {}", arp.target_ip, arp.sender_ip),
            2 => format!("ARP {} is at {}", arp.sender_ip, mac(arp.sender_mac)),
            other => format!("ARP operation {other}"),
        },
        Body::Fragment(piece) => format!("fragment at {}  {} B", piece.offset, piece.payload_len),
        Body::Esp(esp) => format!("ESP SPI 0x{:08x} seq {}", esp.spi, esp.seq),
        Body::Ppp(control) => format!("PPP protocol 0x{:04x}", control.protocol),
        Body::PppoeDiscovery(found) => format!("PPPoE discovery code 0x{:02x}", found.code),
        Body::Other => match (packet.stopped, packet.ip) {
            (Some(stop), _) => format!("not read from layer {} on", stop.layer),
            (None, Some(ip)) => format!("IP protocol {}", ip.protocol),
            (None, None) => "not IP".to_owned(),
        },
    }
}

/// `SYN ACK`.
fn flags(flags: u8) -> String {
    let all = [
        (flag::SYN, "SYN"),
        (flag::FIN, "FIN"),
        (flag::RST, "RST"),
        (flag::ACK, "ACK"),
    ];
    let set: Vec<&str> = all
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    if set.is_empty() {
        "no flags".to_owned()
    } else {
        set.join(" ")
    }
}

/// An ICMP message in words (RFC 792, RFC 4443; codes of RFC 1812 5.2.7.1).
pub(super) fn icmp(message: &IcmpMessage<'_>) -> String {
    let (kind, code) = (message.kind, message.code);
    if let Some(neighbour) = message.neighbour {
        let target = neighbour.target;
        return match (kind, neighbour.mac) {
            (135, _) => format!("ND who has {target}?"),
            (_, Some(at)) => format!("ND {target} is at {}", mac(at)),
            (_, None) => format!("ND {target} is here"),
        };
    }
    let words = match (message.v6, kind, code) {
        (false, 3, 0) => "network unreachable",
        (false, 3, 1) => "host unreachable",
        (false, 3, 2) => "protocol unreachable",
        (false, 3, 3) | (true, 1, 4) => "port unreachable",
        (false, 3, 4) => {
            return format!("ICMP fragmentation needed, MTU {}", message.rest & 0xffff);
        }
        (false, 3, 9 | 10 | 13) | (true, 1, 1) => "administratively prohibited",
        (false, 3, _) | (true, 1, _) => "destination unreachable",
        (true, 2, _) => return format!("ICMP packet too big, MTU {}", message.rest),
        (false, 5, _) | (true, 137, _) => "redirect",
        (false, 8, _) | (true, 128, _) => "echo request",
        (false, 0, _) | (true, 129, _) => "echo reply",
        (false, 11, _) | (true, 3, _) => "time exceeded",
        _ => return format!("ICMP type {kind} code {code}"),
    };
    format!("ICMP {words} ({kind}/{code})")
}

fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}
