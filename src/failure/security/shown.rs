//! Which chain each client was shown by which server under which name: what certificates are compared by.

use std::net::IpAddr;
use std::sync::Arc;

use crate::failure::episode::Episode;
use crate::failure::security::refusal::{Refusal, refusal};
use crate::failure::{Class, Finding, Subject, Value};
use crate::flow::key::FlowKey;
use crate::mark::Mark;
use crate::protocol::tls::chain::{Certificate, Problem};
use crate::time::Timestamp;

/// What tells one showing from another: client, server, name, chain.
pub type Key = (IpAddr, (IpAddr, u16), String, String);

/// A chain that a client was shown, once or often.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Client, server, the name that the client meant, and the chain's identity.
    pub key: Key,
    /// The leaf.
    pub leaf: Arc<Certificate>,
    /// The frames of the first and of the last showing.
    pub first: Mark,
    /// The last one.
    pub last: Mark,
    /// The connection of the first.
    flow: (FlowKey, Timestamp),
    client: (IpAddr, u16),
    twin: Option<(u32, u32)>,
    origin: u32,
    /// The path ends in an anchor.
    pub trusted: bool,
    /// The issuer is neither sent nor an anchor: whose it is stays open.
    pub incomplete: bool,
    /// The leaf signs itself.
    pub self_signed: bool,
    /// The leaf is for the name that the client meant.
    pub covers: bool,
    /// How often the client accepted and refused it.
    pub accepted: u32,
    /// Refused.
    pub refused: u32,
}

impl Shown {
    /// What a conversation shows; `None` without a chain that can be judged. Without a name the server's address stands
    /// for it.
    pub fn of(at: &Episode<'_>) -> Option<Self> {
        let session = at.tls?;
        let verdict = at.chain.filter(|verdict| verdict.unjudged.is_none())?;
        let leaf = Arc::clone(verdict.leaf.as_ref()?);
        let name = at.name().unwrap_or("").to_ascii_lowercase();
        let sent = session.certificates.as_ref()?.at;
        let has = |wanted: fn(&Problem) -> bool| verdict.problems.iter().any(wanted);
        let self_signed = has(|problem| matches!(problem, Problem::SelfSigned));
        let untrusted = has(|problem| matches!(problem, Problem::UntrustedRoot { .. }));
        let incomplete = has(|problem| matches!(problem, Problem::Incomplete { .. }));
        let end = refusal(at, session);
        let accepted = end == Refusal::Accepted;
        let refused = !accepted && end != Refusal::Unknown;
        let span = at.connection.span;
        Some(Self {
            key: (at.client.0, at.server, name, verdict.chain.clone()),
            leaf,
            first: sent,
            last: sent,
            flow: (at.key, span.map_or(at.until, |span| span.0.time)),
            client: at.client,
            twin: at
                .client_half()
                .isn
                .map(|isn| (isn, at.connection.syn_ts_value.unwrap_or(0))),
            origin: at.origin,
            trusted: !self_signed && !untrusted && !incomplete,
            incomplete,
            self_signed,
            covers: at.name().is_some()
                && !has(|problem| matches!(problem, Problem::NameMismatch { .. })),
            accepted: u32::from(accepted),
            refused: u32::from(refused),
        })
    }

    /// The same chain shown once more.
    pub fn again(&mut self, other: &Self) {
        if other.first < self.first {
            let (last, accepted, refused) = (self.last, self.accepted, self.refused);
            *self = Self {
                last,
                accepted,
                refused,
                ..other.clone()
            };
        }
        self.last = self.last.max(other.last);
        self.accepted = self.accepted.saturating_add(other.accepted);
        self.refused = self.refused.saturating_add(other.refused);
    }

    /// Who was shown it.
    pub fn who(&self) -> IpAddr {
        self.client.0
    }

    /// Issuer and serial number: what makes a certificate another one (RFC 5280 4.1.2.2).
    pub fn identity(&self) -> (&str, &str) {
        (&self.leaf.issuer, &self.leaf.serial)
    }

    /// A finding about it, with the leaf's details.
    pub(super) fn finding(&self, class: &'static Class) -> Finding {
        let mut finding = Finding::new(class, Subject::Flow, self.first.time);
        finding.protocol = self.flow.0.protocol;
        finding.client = Some(self.client);
        finding.server = Some(self.key.1);
        finding.name = Some(self.key.2.clone()).filter(|name| !name.is_empty());
        finding.flow = Some(self.flow);
        finding.twin = self.twin;
        finding.origin = self.origin;
        finding
            .detail("subject", Value::Text(self.leaf.subject.clone()))
            .detail("issuer", Value::Text(self.leaf.issuer.clone()))
            .detail("serial", Value::Text(self.leaf.serial.clone()))
            .detail("chain", Value::Text(self.key.3.clone()))
    }
}

/// One /24, or one /64.
pub(super) fn same_site(a: IpAddr, b: IpAddr) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.octets().first_chunk::<3>() == b.octets().first_chunk(),
        (IpAddr::V6(a), IpAddr::V6(b)) => a.octets().first_chunk::<8>() == b.octets().first_chunk(),
        _ => false,
    }
}
