//! SM2 signatures with SM3 (GB/T 32918.2, GB/T 35276): of certificates, of TLCP's key exchange, and as webpki asks for them.
//!
//! A signer mixes an identifier into what is signed; certificates and TLCP have the default one. A signature that fits only
//! without an identifier is of an issuer that others refuse, and not forged: it is told apart.

use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
use sm2::dsa::signature::Verifier as _;
use sm2::dsa::{Signature, VerifyingKey};

/// SM2 with SM3.
pub(super) const OID: &str = "1.2.156.10197.1.501";
/// The curve.
pub(super) const CURVE: &str = "1.2.156.10197.1.301";
/// The same in DER.
const CURVE_DER: &[u8] = &[0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d];
/// The identifier that certificates and TLCP have (GB/T 35276 10).
const DEFAULT_ID: &str = "1234567812345678";

/// What a signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Fits {
    /// By the default identifier.
    Yes,
    /// By none.
    WithoutId,
    /// Not at all.
    No,
}

/// Did the key of `point` (uncompressed, as a certificate holds it) sign `message`?
pub(in crate::protocol) fn verify(point: &[u8], message: &[u8], signature: &[u8]) -> Fits {
    let Ok(signature) = Signature::from_der(signature) else {
        return Fits::No;
    };
    let by = |id: &str| {
        let key = VerifyingKey::from_sec1_bytes(id, point);
        key.is_ok_and(|key| key.verify(message, &signature).is_ok())
    };
    match () {
        () if by(DEFAULT_ID) => Fits::Yes,
        () if by("") => Fits::WithoutId,
        () => Fits::No,
    }
}

/// Is this the key of an anchor on the SM2 curve? Looks for the curve's identifier in its DER.
pub(super) fn is_key(spki: &[u8]) -> bool {
    let head = spki.get(..32).unwrap_or(spki);
    head.windows(CURVE_DER.len()).any(|part| part == CURVE_DER)
}

/// The algorithm in webpki's terms.
#[derive(Debug)]
pub(super) struct Sm2WithSm3;

impl SignatureVerificationAlgorithm for Sm2WithSm3 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        match verify(public_key, message, signature) {
            Fits::Yes => Ok(()),
            Fits::WithoutId | Fits::No => Err(InvalidSignature),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        // id-ecPublicKey with the curve (GB/T 35276 7.1).
        AlgorithmIdentifier::from_slice(&[
            0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x81, 0x1c,
            0xcf, 0x55, 0x01, 0x82, 0x2d,
        ])
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        AlgorithmIdentifier::from_slice(&[
            0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x75,
        ])
    }
}

#[cfg(test)]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
pub(in crate::protocol) mod tests {
    use sm2::dsa::SigningKey;
    use sm2::dsa::signature::Signer as _;
    use sm2::elliptic_curve::sec1::ToSec1Point as _;

    use super::*;

    /// A key pair of this number: signs with an identifier; its point.
    pub(in crate::protocol) fn signed(number: u8, id: &str, message: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let secret = sm2::SecretKey::from_slice(&[number; 32]).expect("a number on the curve");
        let key = SigningKey::new(id, &secret).expect("a short identifier");
        let signature: Signature = key.sign(message);
        let point = key.verifying_key().to_sec1_point(false);
        let point = point.as_bytes().to_vec();
        (signature.to_der().as_ref().to_vec(), point)
    }

    #[test]
    fn a_signature_fits_its_key_and_its_words() {
        let (signature, point) = signed(7, DEFAULT_ID, b"what was said");
        assert_eq!(verify(&point, b"what was said", &signature), Fits::Yes);
        assert_eq!(verify(&point, b"what was not", &signature), Fits::No);
        let (_, other) = signed(8, DEFAULT_ID, b"");
        assert_eq!(verify(&other, b"what was said", &signature), Fits::No);
        assert_eq!(verify(&point[1..], b"what was said", &signature), Fits::No);
        assert_eq!(verify(&point, b"what was said", &signature[1..]), Fits::No);
    }

    #[test]
    fn a_signature_without_an_identifier_is_told_apart() {
        let (signature, point) = signed(7, "", b"what was said");
        assert_eq!(
            verify(&point, b"what was said", &signature),
            Fits::WithoutId
        );
        let (signature, point) = signed(7, "TLSv1.3+GM+Cipher+Suite", b"what was said");
        assert_eq!(verify(&point, b"what was said", &signature), Fits::No);
    }
}
