#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SerialNumber};

use super::*;

/// One element of DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82][..], &length, &content].concat()
}

/// An authority with a leaf of serial 7, and a responder that it authorised.
struct Lab {
    authority: KeyPair,
    responder: KeyPair,
    authority_der: Vec<u8>,
    leaf_der: Vec<u8>,
    responder_der: Vec<u8>,
}

impl Lab {
    fn new() -> Self {
        let [authority, leaf, responder] = [(); 3].map(|()| KeyPair::generate().unwrap());
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_der = params.self_signed(&authority).unwrap().der().to_vec();
        let issuer = Issuer::from_params(&params, &authority);
        let mut of_leaf = CertificateParams::new(vec!["tax.example".to_owned()]).unwrap();
        of_leaf.serial_number = Some(SerialNumber::from(7_u64));
        let leaf_der = of_leaf.signed_by(&leaf, &issuer).unwrap().der().to_vec();
        let mut of_responder = CertificateParams::new(Vec::new()).unwrap();
        of_responder.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
        let responder_der = of_responder
            .signed_by(&responder, &issuer)
            .unwrap()
            .der()
            .to_vec();
        Self {
            authority,
            responder,
            authority_der,
            leaf_der,
            responder_der,
        }
    }

    /// A response about a serial number with this status, signed by a key, with a certificate beside it.
    fn response(&self, serial: u8, status: &[u8], key: &KeyPair, certificate: &[u8]) -> Vec<u8> {
        let leaf = Certificate::parse(&self.leaf_der).unwrap();
        let name = aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
            &leaf.issuer_der,
        );
        let algorithm = der(0x30, &[&der(0x06, &[&SHA1])]);
        let id = der(
            0x30,
            &[
                &algorithm,
                &der(0x04, &[name.as_ref()]),
                &der(0x04, &[&[1; 20]]),
                &der(0x02, &[&[serial]]),
            ],
        );
        let time = der(0x18, &[b"20261120000000Z"]);
        let single = der(0x30, &[&id, status, &time]);
        let responder = der(0xa2, &[&der(0x04, &[&[2; 20]])]);
        let tbs = der(0x30, &[&responder, &time, &der(0x30, &[&single])]);
        let signer =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der())
                .unwrap();
        let signature = signer.sign(&SystemRandom::new(), &tbs).unwrap();
        // ecdsa-with-SHA256
        let with = der(
            0x30,
            &[&der(
                0x06,
                &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]],
            )],
        );
        let certificates = der(0xa0, &[&der(0x30, &[certificate])]);
        let basic = der(
            0x30,
            &[
                &tbs,
                &with,
                &der(0x03, &[&[0], signature.as_ref()]),
                &certificates,
            ],
        );
        let bytes = der(0x30, &[&der(0x06, &[&BASIC]), &der(0x04, &[&basic])]);
        der(0x30, &[&der(0x0a, &[&[0]]), &der(0xa0, &[&bytes])])
    }

    /// Is the leaf called revoked, and is that verified?
    fn told(&self, sent: &[&[u8]], response: Vec<u8>) -> Option<bool> {
        let store = TrustStore::default();
        let sent: Vec<Arc<[u8]>> = sent.iter().map(|der| Arc::from(*der)).collect();
        match revoked(&Known::new(&sent, &store), &store, &[Arc::from(response)])? {
            Problem::Revoked {
                place: 0,
                reason: Some("keyCompromise"),
                verified,
                ..
            } => Some(verified),
            other => panic!("{other:?}"),
        }
    }
}

fn status_revoked() -> Vec<u8> {
    let reason = der(0xa0, &[&der(0x0a, &[&[1]])]);
    der(0xa1, &[&der(0x18, &[b"20261101000000Z"]), &reason])
}

#[test]
fn a_revocation_is_believed_of_the_issuer_and_of_whom_it_authorised() {
    let lab = Lab::new();
    let chain = [lab.leaf_der.as_slice(), &lab.authority_der];
    assert_eq!(
        lab.told(
            &chain,
            lab.response(7, &status_revoked(), &lab.authority, &[])
        ),
        Some(true)
    );
    let delegated = lab.response(7, &status_revoked(), &lab.responder, &lab.responder_der);
    assert_eq!(lab.told(&chain, delegated), Some(true));
}

#[test]
fn what_cannot_be_verified_stays_unverified() {
    let lab = Lab::new();
    let chain = [lab.leaf_der.as_slice(), &lab.authority_der];
    assert_eq!(
        lab.told(
            &[&lab.leaf_der],
            lab.response(7, &status_revoked(), &lab.authority, &[])
        ),
        Some(false)
    );
    // A responder that the issuer signed for something else.
    let unauthorised = lab.response(7, &status_revoked(), &lab.responder, &lab.leaf_der);
    assert_eq!(lab.told(&chain, unauthorised), Some(false));
}

#[test]
fn a_wrong_signature_another_serial_and_a_good_status_say_nothing() {
    let lab = Lab::new();
    let chain = [lab.leaf_der.as_slice(), &lab.authority_der];
    assert_eq!(
        lab.told(
            &chain,
            lab.response(7, &status_revoked(), &lab.responder, &[])
        ),
        None
    );
    assert_eq!(
        lab.told(
            &chain,
            lab.response(8, &status_revoked(), &lab.authority, &[])
        ),
        None
    );
    assert_eq!(
        lab.told(&chain, lab.response(7, &[0x80, 0], &lab.authority, &[])),
        None
    );
}

#[test]
fn a_response_cut_anywhere_is_no_trouble() {
    let lab = Lab::new();
    let whole = lab.response(7, &status_revoked(), &lab.authority, &lab.responder_der);
    for end in 0..whole.len() {
        let _ = Response::parse(whole.get(..end).unwrap());
    }
}

#[test]
fn lengths_are_read_in_both_forms() {
    assert_eq!(Der(&[0x04, 2, 7, 8]).take(0x04), Some(&[7, 8][..]));
    assert_eq!(Der(&[0x04, 0x81, 1, 7]).take(0x04), Some(&[7][..]));
    assert_eq!(
        Der(&[0x04, 0x82, 0, 1, 7, 9]).whole(),
        Some(&[0x04, 0x82, 0, 1, 7][..])
    );
}

#[test]
fn a_cut_or_endless_element_is_none() {
    assert_eq!(Der(&[0x04, 3, 7, 8]).take(0x04), None);
    assert_eq!(Der(&[0x30, 0x80, 0, 0]).take(0x30), None);
    assert_eq!(Der(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).take(0x30), None);
    assert_eq!(Der(&[0x30, 0x85, 0, 0, 0, 0, 0]).take(0x30), None);
    assert_eq!(Der(&[]).whole(), None);
}

#[test]
fn another_tag_consumes_nothing() {
    let mut elements = Der(&[0x02, 1, 5, 0x04, 0]);
    assert_eq!(elements.take(0x04), None);
    assert_eq!(elements.take(0x02), Some(&[5][..]));
    assert_eq!(elements.take(0x04), Some(&[][..]));
}
