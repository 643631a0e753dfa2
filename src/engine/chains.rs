//! Which anchors judge the chain that a conversation's server presented.

use std::sync::Arc;

use crate::endpoint::{Rules, Seen};
use crate::engine::conversation::{Application, Conversation};
use crate::engine::shard::Shard;
use crate::limits;
use crate::protocol::tls::chain::{Certificate, Verdict};

/// Leaves whose names were looked up in the rules, the latest last.
#[derive(Debug, Default)]
pub(super) struct Certified(Vec<(Arc<Certificate>, Option<Arc<str>>)>);

impl Shard {
    /// The judgement of the chain, by the anchors of the endpoint's rule where it brings some.
    pub(super) fn chain(&mut self, conversation: &Conversation) -> Option<Arc<Verdict>> {
        let session = match conversation.application.inside() {
            Application::Tls(session) | Application::Tunnel(_, session) => session,
            _ => return None,
        };
        let sent = session.certificates.as_ref()?;
        let behind = conversation.behind();
        let tunnel_name = behind.and_then(|meant| meant.name());
        let stapled = session
            .stapled
            .as_ref()
            .map_or(&[][..], |stapled| &stapled.value);
        let name = session.sni().or(tunnel_name);
        let verdict = self
            .verifier
            .judge(&sent.value, stapled, name, sent.at.time);
        if self.verifiers.is_empty() {
            return Some(verdict);
        }
        let rule = self.rules.find(&Seen {
            name,
            sni: session.sni().is_some(),
            host: false,
            connect: behind.map(|meant| meant.port),
            certificate: certified(&self.rules, &verdict),
            server: Some(match behind.map(|meant| meant.place()) {
                Some((Some(address), port)) => (address, port),
                _ => conversation.server(),
            }),
        });
        match rule.and_then(|rule| self.verifiers.get_mut(&rule.id)) {
            Some(own) => Some(own.judge(&sent.value, stapled, name, sent.at.time)),
            None => Some(verdict),
        }
    }
}

impl Certified {
    /// Of the names in a chain's leaf the first that an endpoint rule knows. A leaf that was met is the same object.
    pub(super) fn name(&mut self, rules: &Rules, chain: &Verdict) -> Option<Arc<str>> {
        let leaf = chain.leaf.as_ref()?;
        if let Some((_, name)) = self.0.iter().find(|(known, _)| Arc::ptr_eq(known, leaf)) {
            return name.clone();
        }
        let name = certified(rules, chain).map(Arc::from);
        if self.0.len() >= limits::CERTIFIED_PER_SHARD {
            self.0.remove(0);
        }
        self.0.push((Arc::clone(leaf), name.clone()));
        name
    }
}

/// Of the names in a chain's leaf the first that an endpoint rule knows.
pub(super) fn certified<'c>(rules: &Rules, chain: &'c Verdict) -> Option<&'c str> {
    let leaf = chain.leaf.as_deref()?;
    rules.certified(
        leaf.dns_names
            .iter()
            .chain(&leaf.common_name)
            .map(String::as_str),
    )
}
