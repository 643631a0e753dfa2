//! What the reading of a conversation's bytes depends on beside the bytes.

use std::net::IpAddr;
use std::sync::Arc;

use crate::endpoint::Rules;
use crate::protocol::tls::{self, KeyLog};

/// Whose bytes are read, and by what.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    /// Address and port of the server.
    pub(super) server: (IpAddr, u16),
    /// What endpoint rules read in bodies.
    pub(super) rules: &'a Arc<Rules>,
    /// Secrets of TLS sessions, if there are any.
    pub(super) keys: Option<&'a Arc<KeyLog>>,
}

impl Setting<'_> {
    /// A reader of TLS, which opens what it has the keys of.
    pub(super) fn session(&self) -> Box<tls::Session> {
        let keys = self.keys.map(Arc::clone);
        Box::new(keys.map_or_else(tls::Session::default, tls::Session::opened_by))
    }

    /// The same for what is inside TLS: a session in a session is not opened.
    pub(super) const fn inside(&self) -> Self {
        Self {
            keys: None,
            ..*self
        }
    }
}
