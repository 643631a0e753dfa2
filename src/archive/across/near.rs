//! Which parts a row of a set's surroundings may concern.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::archive::across::Set;
use crate::archive::across::part::Part;
use crate::archive::around::Line;
use crate::incident::{Place, place};

/// A row, with what it is found by.
pub(super) struct Row {
    pub(super) client: IpAddr,
    pub(super) server: Option<IpAddr>,
    pub(super) name: Option<String>,
    pub(super) line: Line,
}

impl Row {
    pub(super) fn of(line: Line) -> Self {
        let (client, server, name) = match &line {
            Line::Tried(tried) => (tried.client.0, Some(tried.server.0), tried.name.clone()),
            Line::Answered(client, resolver, ..) => (*client, Some(*resolver), None),
            Line::Heard(receiver, ..) => (*receiver, None, None),
        };
        Self {
            client,
            server,
            name,
            line,
        }
    }
}

/// The parts that are near a set in time, by what they speak of.
#[derive(Default)]
pub(super) struct Near<'a> {
    hosts: HashMap<Place, Vec<usize>>,
    clients: HashMap<Place, Vec<usize>>,
    names: HashMap<&'a str, Vec<usize>>,
    network: u32,
}

impl<'a> Near<'a> {
    pub(super) fn of(parts: &[Part<'a>], number: usize, set: &Set, network: u32) -> Self {
        let mut near = Self {
            network,
            ..Self::default()
        };
        for (at, part) in parts.iter().enumerate() {
            if !part.is_near(number, set) {
                continue;
            }
            for host in part.hosts() {
                near.hosts.entry(host).or_default().push(at);
            }
            for client in part.clients() {
                near.clients.entry(client).or_default().push(at);
            }
            for name in part.names() {
                near.names.entry(name).or_default().push(at);
            }
        }
        near
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.clients.is_empty() && self.names.is_empty()
    }

    /// Numbers of the parts, each once.
    pub(super) fn parts(&self, row: &Row) -> Vec<usize> {
        let by_host = row
            .server
            .and_then(|ip| self.hosts.get(&place(self.network, ip)));
        let by_client = self.clients.get(&place(self.network, row.client));
        let by_name = row.name.as_deref().and_then(|name| self.names.get(name));
        let mut parts: Vec<usize> = [by_host, by_client, by_name]
            .into_iter()
            .flatten()
            .flatten()
            .copied()
            .collect();
        parts.sort_unstable();
        parts.dedup();
        parts
    }
}
