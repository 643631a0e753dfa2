//! Did this key sign that certificate? RSA from 1024 bit, SHA-1, P-256, P-384, P-521, Ed25519, SM2
//! with SM3.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};

use super::certificate::Certificate;
use super::sm2;

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    /// It did.
    Yes,
    /// It did not.
    No,
    /// MD5 or MD2, which no library verifies any more: names and key identifiers have to do. The weakness is told.
    Assumed,
    /// Nothing here verifies this algorithm.
    Unknown(&'static str),
}

const RSA: &str = "1.2.840.113549.1.1.1";
const EC: &str = "1.2.840.10045.2.1";

/// Verifies `certificate`'s signature with the key of `spki` (DER of SubjectPublicKeyInfo).
pub(super) fn signed_by(certificate: &Certificate, spki: &[u8]) -> Signed {
    verify(
        &certificate.signature_oid,
        &certificate.tbs,
        &certificate.signature,
        spki,
    )
}

/// Verifies a signature of algorithm `oid` over `tbs` with the key of `spki`.
pub(super) fn verify(oid: &str, tbs: &[u8], signature: &[u8], spki: &[u8]) -> Signed {
    let Ok((_, key)) = SubjectPublicKeyInfo::from_der(spki) else {
        return Signed::Unknown("issuer key unreadable");
    };
    let kind = key.algorithm.algorithm.to_id_string();
    let curve = key
        .algorithm
        .parameters
        .as_ref()
        .and_then(|parameters| parameters.as_oid().ok())
        .map(|oid| oid.to_id_string())
        .unwrap_or_default();
    if curve == sm2::CURVE && oid == sm2::OID {
        return match sm2::verify(&key.subject_public_key.data, tbs, signature) {
            sm2::Fits::Yes => Signed::Yes,
            sm2::Fits::WithoutId => Signed::Unknown("SM2 signature without the usual identifier"),
            sm2::Fits::No => Signed::No,
        };
    }
    if oid.starts_with("1.2.156.10197") || curve == sm2::CURVE {
        return Signed::Unknown("no SM2 signature with SM3");
    }
    if matches!(oid, "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.2") && kind == RSA {
        return Signed::Assumed;
    }
    let algorithms = algorithms(oid, &kind, &curve);
    if algorithms.is_empty() {
        return Signed::Unknown("signature algorithm not supported");
    }
    let point: &[u8] = &key.subject_public_key.data;
    let good = algorithms.into_iter().any(|algorithm| {
        UnparsedPublicKey::new(algorithm, point)
            .verify(tbs, signature)
            .is_ok()
    });
    if good { Signed::Yes } else { Signed::No }
}

fn algorithms(oid: &str, kind: &str, curve: &str) -> Vec<&'static dyn VerificationAlgorithm> {
    match (oid, kind, curve) {
        ("1.2.840.113549.1.1.5" | "1.3.14.3.2.29", RSA, _) => {
            vec![&signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY]
        }
        ("1.2.840.113549.1.1.11", RSA, _) => {
            vec![&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY]
        }
        ("1.2.840.113549.1.1.12", RSA, _) => vec![&signature::RSA_PKCS1_2048_8192_SHA384],
        ("1.2.840.113549.1.1.13", RSA, _) => {
            vec![&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY]
        }
        ("1.2.840.113549.1.1.10", RSA | "1.2.840.113549.1.1.10", _) => vec![
            &signature::RSA_PSS_2048_8192_SHA256,
            &signature::RSA_PSS_2048_8192_SHA384,
            &signature::RSA_PSS_2048_8192_SHA512,
        ],
        ("1.2.840.10045.4.3.2", EC, "1.2.840.10045.3.1.7") => {
            vec![&signature::ECDSA_P256_SHA256_ASN1]
        }
        ("1.2.840.10045.4.3.3", EC, "1.2.840.10045.3.1.7") => {
            vec![&signature::ECDSA_P256_SHA384_ASN1]
        }
        ("1.2.840.10045.4.3.4", EC, "1.2.840.10045.3.1.7") => {
            vec![&signature::ECDSA_P256_SHA512_ASN1]
        }
        ("1.2.840.10045.4.3.2", EC, "1.3.132.0.34") => vec![&signature::ECDSA_P384_SHA256_ASN1],
        ("1.2.840.10045.4.3.3", EC, "1.3.132.0.34") => vec![&signature::ECDSA_P384_SHA384_ASN1],
        ("1.2.840.10045.4.3.4", EC, "1.3.132.0.34") => vec![&signature::ECDSA_P384_SHA512_ASN1],
        ("1.2.840.10045.4.3.2", EC, "1.3.132.0.35") => vec![&signature::ECDSA_P521_SHA256_ASN1],
        ("1.2.840.10045.4.3.3", EC, "1.3.132.0.35") => vec![&signature::ECDSA_P521_SHA384_ASN1],
        ("1.2.840.10045.4.3.4", EC, "1.3.132.0.35") => vec![&signature::ECDSA_P521_SHA512_ASN1],
        ("1.3.101.112", _, _) => vec![&signature::ED25519],
        _ => Vec::new(),
    }
}
