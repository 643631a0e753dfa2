//! From the leaf upwards: which certificate signed which, where the path ends, and what lies wrong along it.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::certificate::Certificate;
use super::name::{self, Match};
use super::signature::{Signed, signed_by};
use super::sm2::{self, Sm2WithSm3};
use super::store::TrustStore;
use super::{Expiring, Problem, Verdict};
use crate::time::{SECOND, Timestamp};

const DAY: i64 = 86_400;

/// Why nothing is said of the root of an SM2 chain.
pub const NO_SM2_ANCHORS: &str = "no SM2 anchors";

/// What never changes about a chain: its certificates, and who signed whom.
#[derive(Debug)]
pub(super) struct Known {
    certificates: Vec<Arc<Certificate>>,
    unreadable: bool,
    /// `issuers[i]`: places of the sent certificates that signed `i`.
    issuers: Vec<Vec<usize>>,
    /// An anchor signed `i`, or `i` is one.
    anchored: Vec<bool>,
    /// `i` signed itself.
    own: Vec<bool>,
    /// A named issuer of `i` is there, its key identifier agrees, and the signature is wrong.
    broken: Vec<bool>,
    /// webpki's answer about a path that looked good, and the day it was asked for: within a day only validity changes,
    /// which the walk judges by itself.
    second_opinion: Cell<Option<(i64, bool)>>,
    /// Something about `i`'s signature cannot be verified here.
    unknown: Vec<Option<&'static str>>,
}

impl Known {
    /// Parses and verifies everything once.
    pub(super) fn new(sent: &[Arc<[u8]>], store: &TrustStore) -> Self {
        let parsed: Vec<Option<Certificate>> =
            sent.iter().map(|der| Certificate::parse(der)).collect();
        let unreadable = parsed.first().is_none_or(Option::is_none);
        let certificates: Vec<Arc<Certificate>> =
            parsed.into_iter().flatten().map(Arc::new).collect();
        let count = certificates.len();
        let mut known = Self {
            certificates,
            unreadable,
            issuers: vec![Vec::new(); count],
            anchored: vec![false; count],
            own: vec![false; count],
            broken: vec![false; count],
            unknown: vec![None; count],
            second_opinion: Cell::new(None),
        };
        for place in 0..count {
            known.relate(place, store);
        }
        known
    }

    /// The certificates that could be read, with their places.
    pub(super) fn certificates(&self) -> impl Iterator<Item = (usize, &Certificate)> {
        self.certificates
            .iter()
            .map(|certificate| &**certificate)
            .enumerate()
    }

    /// Keys that may have signed `place`: of the certificates that did, and of anchors of the issuer's name.
    pub(super) fn issuer_keys(&self, place: usize, store: &TrustStore) -> Vec<Vec<u8>> {
        let sent = self.issuers.get(place).into_iter().flatten();
        let mut keys: Vec<Vec<u8>> = sent
            .filter_map(|issuer| Some(self.certificates.get(*issuer)?.spki.clone()))
            .collect();
        if let Some(certificate) = self.certificates.get(place) {
            keys.extend(store.keys_of(&certificate.issuer_der));
        }
        keys
    }

    /// TLCP's second certificate: the first behind the leaf that may encrypt, where both have keys of SM2.
    fn encryption(&self) -> Option<usize> {
        let mut own = self.certificates();
        own.next().filter(|(_, leaf)| sm2::is_key(&leaf.spki))?;
        own.find(|(_, one)| !one.authority && one.may_encrypt() && sm2::is_key(&one.spki))
            .map(|(place, _)| place)
    }

    /// Is this certificate, or what signed it, of SM2?
    fn is_sm2(&self, place: usize) -> bool {
        self.certificates
            .get(place)
            .is_some_and(|one| one.signature_oid == sm2::OID || sm2::is_key(&one.spki))
    }

    fn relate(&mut self, place: usize, store: &TrustStore) {
        let Some(child) = self.certificates.get(place).cloned() else {
            return;
        };
        let mut issuers = Vec::new();
        let (mut broken, mut unknown) = (false, None);
        for (other, parent) in self.certificates.iter().enumerate() {
            if parent.subject_der != child.issuer_der || (other != place && parent.der == child.der)
            {
                continue;
            }
            match signed_by(&child, &parent.spki) {
                Signed::Yes | Signed::Assumed if other == place => {
                    if let Some(own) = self.own.get_mut(place) {
                        *own = true;
                    }
                }
                Signed::Yes => issuers.push(other),
                Signed::Assumed if keys_agree(&child, parent) => issuers.push(other),
                Signed::Assumed => {}
                Signed::No => broken |= other != place && keys_agree(&child, parent),
                Signed::Unknown(reason) => unknown = Some(reason),
            }
        }
        let mut anchored = store.holds(&child);
        for key in store.keys_of(&child.issuer_der) {
            match signed_by(&child, &key) {
                Signed::Yes | Signed::Assumed => anchored = true,
                Signed::Unknown(reason) => unknown = Some(reason),
                // The anchor's key made the identifier that the child names, so it is the issuer, and the signature is
                // wrong. Else the same name with another key: an anchor that is not the issuer.
                Signed::No => {
                    broken |= child
                        .authority_key
                        .as_deref()
                        .is_some_and(|wanted| key_id(&key) == wanted)
                }
            }
        }
        let set = |list: &mut Vec<bool>, value: bool| {
            if let Some(slot) = list.get_mut(place) {
                *slot = value;
            }
        };
        set(&mut self.broken, broken && issuers.is_empty() && !anchored);
        set(&mut self.anchored, anchored);
        if let Some(slot) = self.unknown.get_mut(place) {
            *slot = unknown.filter(|_| issuers.is_empty() && !anchored);
        }
        if let Some(slot) = self.issuers.get_mut(place) {
            *slot = issuers;
        }
    }

    /// Paths from the leaf, each as places; those that reach an anchor first.
    fn paths(&self) -> Vec<(Vec<usize>, bool)> {
        let mut found = Vec::new();
        let mut open = vec![vec![0_usize]];
        while let Some(path) = open.pop() {
            let Some(&top) = path.last() else { continue };
            if found.len() >= 64 {
                break;
            }
            if self.anchored.get(top) == Some(&true) {
                found.push((path.clone(), true));
            }
            let next: Vec<usize> = self
                .issuers
                .get(top)
                .into_iter()
                .flatten()
                .copied()
                .filter(|place| !path.contains(place))
                .collect();
            if next.is_empty() && self.anchored.get(top) != Some(&true) {
                found.push((path.clone(), false));
            }
            for place in next {
                let mut longer = path.clone();
                longer.push(place);
                open.push(longer);
            }
        }
        found.sort_by_key(|(path, anchored)| (!anchored, path.len()));
        found
    }
}

/// The key identifier that nearly every authority uses: SHA-1 of the key's bits (RFC 5280 4.2.1.2, method 1).
fn key_id(spki: &[u8]) -> Vec<u8> {
    use x509_parser::prelude::FromDer as _;
    let bits = x509_parser::x509::SubjectPublicKeyInfo::from_der(spki)
        .map(|(_, read)| read.subject_public_key.data);
    let hash =
        |bits: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, bits);
    bits.map(|bits| hash(&bits).as_ref().to_vec())
        .unwrap_or_default()
}

/// Where both name the issuer's key, do they name the same one?
fn keys_agree(child: &Certificate, parent: &Certificate) -> bool {
    match (&child.authority_key, &parent.subject_key) {
        (Some(wanted), Some(held)) => wanted == held,
        _ => true,
    }
}

/// Judges a known chain for a name at a time.
pub(super) fn judge(
    known: &Known,
    id: &[u8; 32],
    store: &TrustStore,
    name: Option<&str>,
    at: Timestamp,
) -> Verdict {
    let mut verdict = blank(known, id);
    let paths = known.paths();
    let valid = |path: &[usize]| {
        path.iter().all(|place| {
            known
                .certificates
                .get(*place)
                .is_some_and(|c| in_time(c, at))
        })
    };
    let good = paths
        .iter()
        .find(|(path, anchored)| *anchored && valid(path));
    let Some((path, anchored)) = good.or_else(|| paths.first()).filter(|_| !known.unreadable)
    else {
        verdict.unjudged = Some("certificate unreadable");
        return verdict;
    };
    let top = path.last().copied().unwrap_or(0);
    if let Some(reason) = known.unknown.get(top).copied().flatten() {
        verdict.unjudged = Some(reason);
        return verdict;
    }
    let on_path: Vec<(usize, &Arc<Certificate>)> = path
        .iter()
        .filter_map(|place| Some((*place, known.certificates.get(*place)?)))
        .collect();
    let pair = known.encryption().filter(|place| !path.contains(place));
    let second = pair.and_then(|place| Some((place, known.certificates.get(place)?)));
    signatures(known, top, &mut verdict);
    let both: Vec<_> = on_path.iter().copied().chain(second).collect();
    if let Some(place) = pair {
        signatures(known, place, &mut verdict);
    }
    validity(&both, at, &mut verdict);
    // Whoever signs itself is no root, whatever the anchors.
    let alone = top == 0 && known.own.get(top) == Some(&true);
    let no_anchors = !anchored && !alone && known.is_sm2(top) && !store.knows_sm2();
    if !anchored
        && !no_anchors
        && verdict
            .problems
            .iter()
            .all(|problem| !matches!(problem, Problem::BadSignature { .. }))
    {
        ending(known, top, path.len(), &mut verdict);
    }
    names(known, name, &mut verdict);
    weakness(known, &on_path, *anchored, &mut verdict);
    expiry(&both, at, &mut verdict);
    verdict.wrong_order = path.windows(2).any(|pair| matches!(pair, [a, b] if b < a));
    verdict.surplus = surplus(known, path, pair);
    if no_anchors && verdict.problems.is_empty() {
        verdict.unjudged = Some(NO_SM2_ANCHORS);
    }
    let sound = verdict.problems.is_empty() && *anchored;
    if sound && webpki_refuses(known, store, at) {
        verdict.unjudged = Some("webpki does not follow this path");
    }
    verdict
}

/// A verdict that says nothing yet.
fn blank(known: &Known, id: &[u8; 32]) -> Verdict {
    Verdict {
        chain: id
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        sent: known.certificates.len(),
        leaf: known.certificates.first().cloned(),
        ..Verdict::default()
    }
}

/// Names of the certificates that were sent and are needed by nobody.
fn surplus(known: &Known, path: &[usize], pair: Option<usize>) -> Vec<String> {
    known
        .certificates
        .iter()
        .enumerate()
        .filter(|(place, certificate)| {
            !path.contains(place) && pair != Some(*place) && !certificate.self_issued()
        })
        .map(|(_, certificate)| certificate.label())
        .collect()
}

fn in_time(certificate: &Certificate, at: Timestamp) -> bool {
    certificate.not_before <= at && at <= certificate.not_after.plus(SECOND)
}

fn signatures(known: &Known, top: usize, verdict: &mut Verdict) {
    if known.broken.get(top) == Some(&true)
        && let Some(certificate) = known.certificates.get(top)
    {
        verdict.problems.push(Problem::BadSignature {
            which: certificate.label(),
        });
    }
}

fn validity(path: &[(usize, &Arc<Certificate>)], at: Timestamp, verdict: &mut Verdict) {
    for (place, certificate) in path {
        let which = certificate.label();
        if at > certificate.not_after.plus(SECOND) {
            let days = at.since(certificate.not_after) / (DAY * SECOND);
            let not_after = certificate.not_after;
            verdict.problems.push(Problem::Expired {
                which,
                place: *place,
                days,
                not_after,
            });
        } else if at < certificate.not_before {
            let days = certificate.not_before.since(at) / (DAY * SECOND);
            let not_before = certificate.not_before;
            verdict.problems.push(Problem::NotYetValid {
                which,
                place: *place,
                days,
                not_before,
            });
        }
    }
}

/// Why a path that reaches no anchor ends where it ends.
fn ending(known: &Known, top: usize, length: usize, verdict: &mut Verdict) {
    let Some(certificate) = known.certificates.get(top) else {
        return;
    };
    let own = known.own.get(top) == Some(&true);
    verdict.problems.push(match (own, length) {
        (true, 1) => Problem::SelfSigned,
        (true, _) => Problem::UntrustedRoot {
            which: certificate.label(),
        },
        (false, _) if certificate.self_issued() => Problem::UntrustedRoot {
            which: certificate.label(),
        },
        (false, _) => Problem::Incomplete {
            issuer: certificate.issuer.clone(),
        },
    });
}

fn names(known: &Known, name: Option<&str>, verdict: &mut Verdict) {
    let (Some(name), Some(leaf)) = (name, known.certificates.first()) else {
        return;
    };
    match name::matches(leaf, name) {
        Match::Name => {}
        Match::CommonName => verdict.cn_only = true,
        Match::Nothing => verdict.problems.push(not_for(leaf, name)),
    }
}

/// The leaf is for other names.
pub(super) fn not_for(leaf: &Certificate, name: &str) -> Problem {
    let mut presented: Vec<String> = leaf.dns_names.iter().take(16).cloned().collect();
    presented.extend(leaf.addresses.iter().take(16).map(ToString::to_string));
    if presented.is_empty() {
        presented.extend(leaf.common_name.clone());
    }
    Problem::NameMismatch {
        expected: name.to_owned(),
        presented,
    }
}

fn weakness(
    known: &Known,
    path: &[(usize, &Arc<Certificate>)],
    anchored: bool,
    verdict: &mut Verdict,
) {
    for (place, certificate) in path {
        let root = known.own.get(*place) == Some(&true) && path.len() > 1;
        // Nobody checks an anchor's own signature; its key still counts.
        let why = if root && anchored {
            certificate.weak_key()
        } else {
            certificate.weakness()
        };
        if let Some(why) = why {
            verdict.problems.push(Problem::Weak {
                which: certificate.label(),
                why,
                root,
            });
        }
    }
}

fn expiry(path: &[(usize, &Arc<Certificate>)], at: Timestamp, verdict: &mut Verdict) {
    let soonest = path
        .iter()
        .min_by_key(|(_, certificate)| certificate.not_after);
    let Some((_, certificate)) = soonest else {
        return;
    };
    let left = certificate.not_after.since(at) / SECOND;
    let lifetime = certificate.not_after.since(certificate.not_before) / SECOND;
    if left >= 0 && left < (30 * DAY).min(lifetime / 4) {
        verdict.expiring = Some(Expiring {
            which: certificate.label(),
            days_left: left / DAY,
            not_after: certificate.not_after,
        });
    }
}

/// The second opinion on a path that looks good, asked for once a day of the capture: a verification costs more than
/// everything else about a handshake.
fn webpki_refuses(known: &Known, store: &TrustStore, at: Timestamp) -> bool {
    let day = at.second().div_euclid(DAY);
    match known.second_opinion.get() {
        Some((asked, answer)) if asked == day => answer,
        _ => {
            let answer = ask_webpki(known, store, at);
            known.second_opinion.set(Some((day, answer)));
            answer
        }
    }
}

/// Verifies with webpki. Errors that the walk judges by itself, or that clients forgive
/// (algorithms of legacy roots, a CA used as a server), do not count.
fn ask_webpki(known: &Known, store: &TrustStore, at: Timestamp) -> bool {
    let Some((leaf, rest)) = known.certificates.split_first() else {
        return true;
    };
    let der = CertificateDer::from(leaf.der.as_slice());
    let Ok(end) = EndEntityCert::try_from(&der) else {
        return false;
    };
    let intermediates: Vec<CertificateDer<'_>> = rest
        .iter()
        .map(|certificate| CertificateDer::from(certificate.der.as_slice()))
        .collect();
    let seconds = u64::try_from(at.second()).unwrap_or(0);
    let algorithms = [webpki::ALL_VERIFICATION_ALGS, &[&Sm2WithSm3]].concat();
    let verified = end.verify_for_usage(
        &algorithms,
        &store.anchors,
        &intermediates,
        UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
        KeyUsage::server_auth(),
        None,
        None,
    );
    matches!(
        verified,
        Err(webpki::Error::NameConstraintViolation
            | webpki::Error::PathLenConstraintViolated
            | webpki::Error::RequiredEkuNotFoundContext(_)
            | webpki::Error::EndEntityUsedAsCa)
    )
}
