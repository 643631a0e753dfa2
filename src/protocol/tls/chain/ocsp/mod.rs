//! Stapled OCSP responses (RFC 6960 4.2.1): which certificate they call revoked, and who signed that.
//!
//! Only a revocation is looked for. The response is believed where the issuer's key, or that of a responder that the
//! issuer authorised (RFC 6960 4.2.2.2), verifies its signature; where no such key is at hand the answer stands
//! unverified; where one is and the signature is wrong, nothing is said. Not judged: the response's own age.

use std::sync::Arc;

use x509_parser::prelude::{ASN1Time, FromDer};

use super::Problem;
use super::certificate::{Certificate, hex, moment};
use super::signature::{Signed, signed_by, verify};
use super::store::TrustStore;
use super::walk::Known;
use crate::time::Timestamp;

/// Answers read of one response.
const ANSWERS_MAX: usize = 16;
/// Certificates read of one response.
const CERTIFICATES_MAX: usize = 8;

/// DER of the object identifier 1.3.6.1.5.5.7.48.1.1, id-pkix-ocsp-basic.
const BASIC: [u8; 9] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];
const SHA1: [u8; 5] = [0x2b, 0x0e, 0x03, 0x02, 0x1a];
const SHA256: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// The first certificate of the chain that a stapled response calls revoked.
pub(super) fn revoked(known: &Known, store: &TrustStore, stapled: &[Arc<[u8]>]) -> Option<Problem> {
    stapled
        .iter()
        .filter_map(|der| Response::parse(der))
        .find_map(|response| {
            response.revoked.iter().find_map(|answer| {
                let (place, certificate) = known
                    .certificates()
                    .find(|(_, certificate)| answer.speaks_of(certificate))?;
                let verified = response.signed(&known.issuer_keys(place, store))?;
                Some(Problem::Revoked {
                    which: certificate.label(),
                    place,
                    when: answer.when,
                    reason: answer.reason,
                    verified,
                })
            })
        })
}

/// A BasicOCSPResponse, as far as it is needed.
struct Response<'a> {
    tbs: &'a [u8],
    algorithm: String,
    signature: &'a [u8],
    responders: Vec<Certificate>,
    revoked: Vec<Answer<'a>>,
}

/// A SingleResponse of status revoked.
struct Answer<'a> {
    hash: &'a [u8],
    issuer_name: &'a [u8],
    serial: String,
    when: Timestamp,
    reason: Option<&'static str>,
}

impl<'a> Response<'a> {
    fn parse(der: &'a [u8]) -> Option<Self> {
        let mut outer = Der(Der(der).take(0x30)?);
        // Only a successful response has a body.
        if outer.take(0x0a)? != [0] {
            return None;
        }
        let mut bytes = Der(Der(outer.take(0xa0)?).take(0x30)?);
        if bytes.take(0x06)? != BASIC {
            return None;
        }
        let mut basic = Der(Der(bytes.take(0x04)?).take(0x30)?);
        let tbs = basic.whole()?;
        let algorithm = x509_parser::x509::AlgorithmIdentifier::from_der(basic.whole()?)
            .ok()?
            .1;
        let signature = basic
            .take(0x03)?
            .split_first()
            .filter(|(unused, _)| **unused == 0)?
            .1;
        let mut responders = Vec::new();
        if let Some(listed) = basic.take(0xa0) {
            let mut listed = Der(Der(listed).take(0x30)?);
            while let Some(der) = listed
                .whole()
                .filter(|_| responders.len() < CERTIFICATES_MAX)
            {
                responders.extend(Certificate::parse(der));
            }
        }
        Some(Self {
            tbs,
            algorithm: algorithm.algorithm.to_id_string(),
            signature,
            responders,
            revoked: answers(tbs)?,
        })
    }

    /// Does one of the issuer's keys, or a responder it authorised, answer for this? `None` where the signature is wrong.
    fn signed(&self, issuers: &[Vec<u8>]) -> Option<bool> {
        let authorised = |responder: &&Certificate| {
            responder.ocsp_signing
                && issuers
                    .iter()
                    .any(|key| signed_by(responder, key) == Signed::Yes)
        };
        let delegated = self
            .responders
            .iter()
            .filter(authorised)
            .map(|responder| &responder.spki);
        let mut wrong = false;
        for key in issuers.iter().chain(delegated) {
            match verify(&self.algorithm, self.tbs, self.signature, key) {
                Signed::Yes => return Some(true),
                Signed::No => wrong = true,
                Signed::Assumed | Signed::Unknown(_) => return Some(false),
            }
        }
        // A responder that was sent and cannot be traced to the issuer leaves it open.
        let open = self
            .responders
            .iter()
            .any(|responder| !authorised(&responder));
        (!wrong || open).then_some(false)
    }
}

/// The answers of status revoked in a ResponseData.
fn answers(tbs: &[u8]) -> Option<Vec<Answer<'_>>> {
    let mut data = Der(Der(tbs).take(0x30)?);
    let _version = data.take(0xa0);
    let _responder = data.take(0xa1).or_else(|| data.take(0xa2))?;
    let _produced = data.take(0x18)?;
    let mut list = Der(data.take(0x30)?);
    let mut found = Vec::new();
    while let Some(single) = list.take(0x30).filter(|_| found.len() < ANSWERS_MAX) {
        found.extend(answer(single));
    }
    Some(found)
}

fn answer(single: &[u8]) -> Option<Answer<'_>> {
    let mut single = Der(single);
    let mut id = Der(single.take(0x30)?);
    let hash = Der(id.take(0x30)?).take(0x06)?;
    let issuer_name = id.take(0x04)?;
    let _issuer_key = id.take(0x04)?;
    let serial = hex(id.take(0x02)?);
    let mut information = Der(single.take(0xa1)?);
    let when = moment(ASN1Time::from_der(information.whole()?).ok()?.1.timestamp());
    let reason = information
        .take(0xa0)
        .and_then(|explicit| Der(explicit).take(0x0a))
        .and_then(reason);
    Some(Answer {
        hash,
        issuer_name,
        serial,
        when,
        reason,
    })
}

/// RFC 5280 5.3.1.
fn reason(code: &[u8]) -> Option<&'static str> {
    Some(match code {
        [0] => "unspecified",
        [1] => "keyCompromise",
        [2] => "cACompromise",
        [3] => "affiliationChanged",
        [4] => "superseded",
        [5] => "cessationOfOperation",
        [6] => "certificateHold",
        [8] => "removeFromCRL",
        [9] => "privilegeWithdrawn",
        [10] => "aACompromise",
        _ => return None,
    })
}

impl Answer<'_> {
    /// The serial number and the hash of the issuer's name are this certificate's.
    fn speaks_of(&self, certificate: &Certificate) -> bool {
        let algorithm = match self.hash {
            hash if hash == SHA1 => &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
            hash if hash == SHA256 => &aws_lc_rs::digest::SHA256,
            _ => return false,
        };
        self.serial == certificate.serial
            && aws_lc_rs::digest::digest(algorithm, &certificate.issuer_der).as_ref()
                == self.issuer_name
    }
}

/// DER elements one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next element if it has this tag; else nothing is consumed.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (header, length) = self.measure().filter(|_| self.0.first() == Some(&tag))?;
        let content = self.0.get(header..header.checked_add(length)?)?;
        self.0 = self.0.get(header.checked_add(length)?..)?;
        Some(content)
    }

    /// The next element with its header.
    fn whole(&mut self) -> Option<&'a [u8]> {
        let (header, length) = self.measure()?;
        let (element, rest) = self.0.split_at_checked(header.checked_add(length)?)?;
        self.0 = rest;
        Some(element)
    }

    /// Bytes of the next element's header and content (X.690 8.1.3; lengths up to four bytes).
    fn measure(&self) -> Option<(usize, usize)> {
        let first = *self.0.get(1)?;
        if first < 0x80 {
            return Some((2, usize::from(first)));
        }
        let count = usize::from(first & 0x7f);
        let digits = self
            .0
            .get(2..2_usize.checked_add(count)?)
            .filter(|_| (1..=4).contains(&count))?;
        Some((
            2 + count,
            digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit)),
        ))
    }
}

#[cfg(test)]
mod tests;
