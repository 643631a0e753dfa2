//! What a client of a given trust store makes of the chain that a server sent, at the time of the handshake.
//!
//! Judged is the path that a client would build from what was sent and the anchors: wrong order and surplus
//! certificates are tolerated and noted (RFC 5280 6, RFC 4158). A missing intermediate, an untrusted root, a
//! self-signed leaf and a broken signature are told apart by our own walk; where that finds a good path, webpki has
//! to agree or the chain is left unjudged. What cannot be verified (an unknown algorithm) is never accused; neither is an SM2
//! chain of having no anchor, where none of the anchors is of SM2. TLCP's encryption certificate, the second one, has to be
//! sound as well (GB/T 38636 6.4.5.3).

mod certificate;
mod name;
mod ocsp;
mod signature;
mod sm2;
mod store;
mod walk;

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sha2::{Digest, Sha256};

use crate::time::Timestamp;

#[cfg(test)]
pub(in crate::protocol) use self::sm2::tests as sm2_tests;
pub use certificate::Certificate;
pub use store::TrustStore;
pub use walk::NO_SM2_ANCHORS;

/// Chains remembered by one verifier; beyond it all are forgotten and verified again when met.
const CHAINS_MAX: usize = 1_024;

/// One thing wrong with a chain, most telling first (the order of the catalogue).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A signature does not verify although issuer and key identifier agree.
    BadSignature {
        /// Subject of the certificate with the signature.
        which: String,
    },
    /// A certificate's validity ended before the handshake.
    Expired {
        /// Its subject.
        which: String,
        /// Place among those sent, 0 the leaf.
        place: usize,
        /// Whole days since it ended.
        days: i64,
        /// When.
        not_after: Timestamp,
    },
    /// A certificate's validity had not begun.
    NotYetValid {
        /// Its subject.
        which: String,
        /// Place among those sent.
        place: usize,
        /// Whole days until it begins.
        days: i64,
        /// When.
        not_before: Timestamp,
    },
    /// The leaf signs itself and is no anchor.
    SelfSigned,
    /// The path ends in a self-signed certificate that is no anchor.
    UntrustedRoot {
        /// Its subject.
        which: String,
    },
    /// The issuer of the last certificate is neither sent nor an anchor.
    Incomplete {
        /// The issuer that lacks.
        issuer: String,
    },
    /// No subject alternative name matches the name that the client meant.
    NameMismatch {
        /// What the client meant.
        expected: String,
        /// What the leaf is for.
        presented: Vec<String>,
    },
    /// A stapled OCSP response says that a certificate is revoked (RFC 6960 4.2.1).
    Revoked {
        /// Its subject.
        which: String,
        /// Place among those sent, 0 the leaf.
        place: usize,
        /// Since when.
        when: Timestamp,
        /// The CRLReason's name (RFC 5280 5.3.1), where given.
        reason: Option<&'static str>,
        /// The response's signature was verified.
        verified: bool,
    },
    /// MD5 or SHA-1 signature, RSA below 2048 bits, EC below 224 bits.
    Weak {
        /// Subject of the certificate.
        which: String,
        /// `SHA-1`, `MD5`, `RSA 1024` …
        why: String,
        /// It is a self-signed root, whose own signature proves nothing.
        root: bool,
    },
}

/// Days left of a certificate that is about to expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// Its subject.
    pub which: String,
    /// Whole days left at the handshake.
    pub days_left: i64,
    /// When it ends.
    pub not_after: Timestamp,
}

/// The judgement of one chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// SHA-256 over all that was sent, 16 hex digits.
    pub chain: String,
    /// What is wrong; empty where a client accepts.
    pub problems: Vec<Problem>,
    /// Why it could not be judged.
    pub unjudged: Option<&'static str>,
    /// A certificate on the path has less than 30 days, or a quarter of its lifetime, left.
    pub expiring: Option<Expiring>,
    /// Subjects that were sent and are not on the path.
    pub surplus: Vec<String>,
    /// The path is not in the order sent.
    pub wrong_order: bool,
    /// The leaf has no subject alternative name, but a common name that matches.
    pub cn_only: bool,
    /// The leaf.
    pub leaf: Option<Arc<Certificate>>,
    /// Certificates sent.
    pub sent: usize,
}

impl Verdict {
    /// Nothing wrong and everything judged.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty() && self.unjudged.is_none()
    }

    /// The same chain presented for another name than the leaf's, which is not said yet; none where something worse is
    /// wrong with it.
    pub fn for_another_name(&self) -> Option<Self> {
        let leaf = self.leaf.as_deref().filter(|_| self.unjudged.is_none())?;
        let mere = |problem: &Problem| matches!(problem, Problem::Weak { .. });
        if !self.problems.iter().all(mere) {
            return None;
        }
        let mut other = self.clone();
        other.problems.insert(0, walk::not_for(leaf, ""));
        Some(other)
    }
}

/// Verifies chains against one store; each distinct chain is parsed and its signatures checked once.
#[derive(Debug)]
pub struct Verifier {
    store: Arc<TrustStore>,
    hasher: FixedState,
    known: HashMap<u64, Remembered>,
}

/// A chain that was met: its bytes, which decide, its SHA-256, and what never changes about it.
#[derive(Debug)]
struct Remembered {
    sent: Vec<Arc<[u8]>>,
    id: [u8; 32],
    known: walk::Known,
}

impl Verifier {
    /// A verifier of this store.
    pub fn new(store: Arc<TrustStore>) -> Self {
        Self {
            store,
            hasher: FixedState::with_seed(0),
            known: HashMap::new(),
        }
    }

    /// What a client of the store makes of `sent` (leaf first, as on the wire) and of the OCSP responses stapled to it,
    /// for `name` at `at`.
    pub fn judge(
        &mut self,
        sent: &[Arc<[u8]>],
        stapled: &[Arc<[u8]>],
        name: Option<&str>,
        at: Timestamp,
    ) -> Arc<Verdict> {
        if self.known.len() >= CHAINS_MAX {
            self.known.clear();
        }
        // A cheap hash finds the chain and its bytes confirm it: SHA-256 over every handshake would cost more.
        let place = self.hasher.hash_one(sent);
        let remember = || Remembered {
            sent: sent.to_vec(),
            id: identity(sent),
            known: walk::Known::new(sent, &self.store),
        };
        let met = self.known.entry(place).or_insert_with(remember);
        if met.sent != sent {
            *met = Remembered {
                sent: sent.to_vec(),
                id: identity(sent),
                known: walk::Known::new(sent, &self.store),
            };
        }
        let mut verdict = walk::judge(&met.known, &met.id, &self.store, name, at);
        if verdict.unjudged.is_none()
            && let Some(revoked) = ocsp::revoked(&met.known, &self.store, stapled)
        {
            // Before a mere weakness, after what every client refuses, whether it reads stapled answers or not.
            let place = verdict
                .problems
                .iter()
                .position(|problem| matches!(problem, Problem::Weak { .. }));
            verdict
                .problems
                .insert(place.unwrap_or(verdict.problems.len()), revoked);
        }
        Arc::new(verdict)
    }
}

/// Did the key of this certificate make an SM2 signature over `message`? `None` where the key is none of SM2.
pub(super) fn sm2_signed(
    certificate: &Certificate,
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    match signature::verify(sm2::OID, message, signature, &certificate.spki) {
        signature::Signed::Yes => Some(true),
        signature::Signed::No => Some(false),
        signature::Signed::Assumed | signature::Signed::Unknown(_) => None,
    }
}

/// SHA-256 over all that was sent, each certificate behind its length.
fn identity(sent: &[Arc<[u8]>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for der in sent {
        hash.update((der.len() as u64).to_be_bytes());
        hash.update(der);
    }
    hash.finalize().into()
}
