//! Handshakes in which the client named nobody: whether the leaf is for the name that the client meant is known once
//! the whole capture is read, from the DNS answers that this client got.
//!
//! A shard keeps what the classes would say if the leaf were for another name; the end of the run finds the name and
//! says it, or forgets it. Chains with a worse fault say that and never come here.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::failure::episode::Episode;
use crate::failure::flow::{self as judging, Judged};
use crate::failure::security::cert_name_mismatch;
use crate::failure::{Finding, Severity, Text, Value};
use crate::flow::names::Names;
use crate::limits;
use crate::protocol::tls::chain::Certificate;
use crate::time::Timestamp;

/// Alerts with which a client refuses a certificate for another name: bad_certificate, certificate_unknown.
const NAME_ALERTS: [i64; 2] = [42, 46];
/// The client may have meant a name that the capture does not show.
const BY_ADDRESS: Text = Text {
    en: "no name is known that the client meant: it connected to the address",
    zh: "未见客户端所用的域名，按其直接访问地址判断",
};

/// What would be told of a handshake if the leaf were for another name than the client meant.
#[derive(Clone, Debug)]
pub struct Unnamed {
    /// When the client said hello.
    at: Timestamp,
    leaf: Arc<Certificate>,
    finding: Finding,
    /// Codes told of the flow that this finding stands in place of.
    instead: Vec<&'static str>,
}

/// The unnamed handshakes of a shard. Those that a client went on after are one for each client, server and chain.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    all: Vec<Unnamed>,
    accepted: HashMap<(IpAddr, (IpAddr, u16), String), usize>,
}

impl Waiting {
    /// Keeps what depends on a name that is not known yet. False where there is no room.
    pub(super) fn note(&mut self, at: &Episode<'_>, judged: &Judged) -> bool {
        let Some(new) = unnamed(at, judged) else {
            return true;
        };
        let accepted = new.instead.is_empty() && new.finding.severity == Severity::Info;
        if accepted {
            let chain = new.finding.text("chain").unwrap_or("").to_owned();
            let place = (at.client.0, at.server, chain);
            if let Some(known) = self.accepted.get(&place).copied() {
                if let Some(known) = self.all.get_mut(known) {
                    known.finding.count += 1;
                    known.finding.last = known.finding.last.max(new.finding.last);
                }
                return true;
            }
            if self.all.len() < limits::UNNAMED_PER_SHARD {
                self.accepted.insert(place, self.all.len());
            }
        }
        let room = self.all.len() < limits::UNNAMED_PER_SHARD;
        if room {
            self.all.push(new);
        }
        room
    }

    /// Forgets what was last seen before `time`.
    pub(super) fn forget_before(&mut self, time: Timestamp) {
        self.all.retain(|waiting| waiting.finding.last >= time);
        self.accepted.clear();
    }

    /// Adds another shard's.
    pub(super) fn merge(&mut self, other: Self) {
        self.all.extend(other.all);
    }

    /// Says of each handshake whose client meant another name so, in place of what was told of the flow without it.
    pub(super) fn settle(self, findings: &mut Vec<Finding>, names: &Names) {
        let mut said: Vec<Unnamed> = Vec::new();
        for mut waiting in self.all {
            if let Some(finding) = waiting.judge(names) {
                waiting.finding = finding;
                said.push(waiting);
            }
        }
        let replaced: BTreeSet<_> = said
            .iter()
            .flat_map(|said| {
                let flow = said.finding.flow.map(|(_, began)| began);
                let (client, server) = (said.finding.client, said.finding.server);
                said.instead
                    .iter()
                    .map(move |code| (flow, client, server, *code))
            })
            .collect();
        if !replaced.is_empty() {
            findings.retain(|told| {
                let flow = told.flow.map(|(_, began)| began);
                !replaced.contains(&(flow, told.client, told.server, told.class.code))
            });
        }
        findings.extend(said.into_iter().map(|said| said.finding));
    }
}

impl Unnamed {
    /// The finding with the name that the client meant; none where the leaf is for it, or none is known.
    fn judge(&self, names: &Names) -> Option<Finding> {
        let (client, server) = (self.finding.client?.0, self.finding.server?.0);
        let meant = names.meant(client, server, self.at);
        if meant.iter().any(|name| self.leaf.is_for(name)) {
            return None;
        }
        let mut finding = self.finding.clone();
        let expected = match meant.first() {
            Some(name) => {
                finding.name = Some((*name).to_owned());
                finding.details.push(source("dns"));
                (*name).to_owned()
            }
            None => {
                // An address is a name only if the client refuses, and says that it is not the issuer it minds.
                let alert = finding.number("alert_code");
                let minds = alert.is_some_and(|alert| NAME_ALERTS.contains(&alert));
                if !minds || self.leaf.is_for(&server.to_string()) {
                    return None;
                }
                finding.details.push(source("address"));
                finding.also.extend(&self.instead);
                finding = finding.at_most(60, BY_ADDRESS);
                server.to_string()
            }
        };
        for (key, value) in &mut finding.details {
            if *key == "expected" {
                *value = Value::Text(expected.clone());
            }
        }
        Some(finding)
    }
}

fn source(of: &str) -> (&'static str, Value) {
    ("name_source", Value::Text(of.to_owned()))
}

/// What the classes would say, if that depends on the name at all.
fn unnamed(at: &Episode<'_>, judged: &Judged) -> Option<Unnamed> {
    let session = at.tls.filter(|_| at.name().is_none())?;
    let hello = session.client_hello.as_ref()?.at;
    let chain = at.chain?;
    let other = chain.for_another_name()?;
    let mut supposed = judging::judge(&Episode {
        chain: Some(&other),
        ..*at
    });
    let place = supposed
        .findings
        .iter()
        .position(|finding| finding.class.code == cert_name_mismatch::CLASS.code)?;
    let finding = supposed.findings.swap_remove(place);
    let still: BTreeSet<_> = supposed
        .findings
        .iter()
        .map(|finding| finding.class.code)
        .collect();
    let instead = judged
        .findings
        .iter()
        .map(|finding| finding.class.code)
        .filter(|code| !still.contains(code))
        .collect();
    Some(Unnamed {
        at: hello.time,
        leaf: chain.leaf.clone()?,
        finding,
        instead,
    })
}
