//! Which payloads of the endpoint rules may be in the bodies of this connection.

use std::net::IpAddr;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::endpoint::{Payload, Rules, Seen};

use super::super::content::Reads;
use super::super::exchange::Request;
use super::{Log, host_name};

/// The rules, and what they say of the host that was asked last.
#[derive(Debug)]
pub(in crate::protocol) struct Payloads {
    rules: Arc<Rules>,
    server: (IpAddr, u16),
    host: Option<SmolStr>,
    found: Option<(Arc<[Arc<Payload>]>, usize)>,
}

impl Log {
    /// Reads bodies as the endpoint rules say.
    pub fn read_by(&mut self, rules: &Arc<Rules>, server: (IpAddr, u16)) {
        self.payloads = Some(Box::new(Payloads::new(rules, server)));
    }

    /// What may be read in a body that belongs to this request.
    pub(super) fn reads(&mut self, request: Option<&Request>, answers: bool) -> Option<Reads> {
        self.payloads.as_deref_mut()?.reads(request, answers)
    }
}

impl Payloads {
    /// Of what is said with this server.
    pub(in crate::protocol) fn new(rules: &Arc<Rules>, server: (IpAddr, u16)) -> Self {
        Self {
            rules: Arc::clone(rules),
            server,
            host: None,
            found: None,
        }
    }

    /// What may be read in a body that belongs to this request. Costs a look at the rules once for each host.
    pub(in crate::protocol) fn reads(
        &mut self,
        request: Option<&Request>,
        answers: bool,
    ) -> Option<Reads> {
        let known = self;
        let request = request?;
        if known.found.is_none() || known.host != request.host {
            known.host.clone_from(&request.host);
            let name = known.host.as_deref().and_then(host_name);
            known.found = Some(known.rules.payloads_of(&Seen {
                name,
                host: name.is_some(),
                server: Some(known.server),
                ..Seen::default()
            }));
        }
        let (payloads, own) = known
            .found
            .clone()
            .filter(|(payloads, _)| !payloads.is_empty())?;
        let target = request.target.as_str();
        // A proxy is asked for a whole URI (RFC 9112 3.2.2).
        let target = target
            .split_once("://")
            .and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)))
            .filter(|_| request.to_proxy)
            .unwrap_or(target);
        let path = target.split(['?', '#']).next().unwrap_or("");
        Some(Reads {
            payloads,
            own,
            path: SmolStr::new(path),
            answers,
        })
    }
}
