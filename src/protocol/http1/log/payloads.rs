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
    known: Option<Known>,
}

/// What is looked for in bodies of a host, and how many of the payloads are its own.
#[derive(Debug)]
struct Known {
    host: Option<SmolStr>,
    payloads: Arc<[Arc<Payload>]>,
    own: usize,
}

impl Log {
    /// Reads bodies as the endpoint rules say.
    pub fn read_by(&mut self, rules: &Arc<Rules>, server: (IpAddr, u16)) {
        self.payloads = Some(Payloads::new(rules, server));
    }
}

impl Payloads {
    /// Of what is said with this server.
    pub(in crate::protocol) fn new(rules: &Arc<Rules>, server: (IpAddr, u16)) -> Self {
        Self {
            rules: Arc::clone(rules),
            server,
            known: None,
        }
    }

    /// What may be read in a body that belongs to this request. In one that is not `declared` to be a message, what the
    /// host's own payloads speak of. Costs a look at the rules once for each host.
    pub(in crate::protocol) fn reads(
        &mut self,
        request: Option<&Request>,
        answers: bool,
        declared: bool,
    ) -> Option<Reads> {
        let request = request?;
        let known = match self.known.take().filter(|known| known.host == request.host) {
            Some(known) => known,
            None => self.look_up(request.host.clone()),
        };
        let known = self.known.insert(known);
        if known.payloads.is_empty() || known.own == 0 && !declared {
            return None;
        }
        let target = request.target.as_str();
        // A proxy is asked for a whole URI (RFC 9112 3.2.2).
        let target = target
            .split_once("://")
            .and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)))
            .filter(|_| request.to_proxy)
            .unwrap_or(target);
        let path = target.split(['?', '#']).next().unwrap_or("");
        Some(Reads {
            payloads: Arc::clone(&known.payloads),
            own: known.own,
            path: SmolStr::new(path),
            answers,
        })
    }

    fn look_up(&self, host: Option<SmolStr>) -> Known {
        let name = host.as_deref().and_then(host_name);
        let (payloads, own) = self.rules.payloads_of(&Seen {
            name,
            host: name.is_some(),
            server: Some(self.server),
            ..Seen::default()
        });
        Known {
            host,
            payloads,
            own,
        }
    }
}
