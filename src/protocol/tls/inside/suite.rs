//! Which cipher suites can be opened, and what their keys look like.

use aws_lc_rs::{aead, cipher, hmac};
use tls_parser::{TlsCipherEnc, TlsCipherEncMode, TlsCipherMac, TlsCipherSuite, TlsPRF};

/// How records of a suite are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// RFC 8446 5.3: the nonce is made of the record's number alone.
    Numbered(&'static aead::Algorithm),
    /// RFC 5288 3: half of the nonce stands in the record.
    Explicit(&'static aead::Algorithm),
    /// RFC 5246 6.2.3.2: AES in CBC mode with a MAC of its own.
    Cbc(&'static cipher::Algorithm, usize, hmac::Algorithm),
}

/// A suite that can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suite {
    /// The hash that keys are derived by.
    pub(super) hash: hmac::Algorithm,
    /// How its records are protected.
    pub(super) protection: Protection,
}

/// The suites of TLS 1.3 whose hash is SHA-256, for early data: its suite is told only later.
pub(super) const SHA256_13: [u16; 2] = [0x1301, 0x1303];
/// The one whose hash is SHA-384.
pub(super) const SHA384_13: [u16; 1] = [0x1302];

impl Suite {
    /// The suite of this number in this version; none where it cannot be opened here: TLS 1.1 and before, SM4, CCM,
    /// ARIA, Camellia, 3DES, RC4 and whatever encrypts nothing.
    pub(super) fn of(version: u16, id: u16) -> Option<Self> {
        match version {
            0x0304 => Self::of_13(id),
            0x0303 => Self::of_12(TlsCipherSuite::from_id(id)?),
            _ => None,
        }
    }

    fn of_13(id: u16) -> Option<Self> {
        let (hash, algorithm) = match id {
            0x1301 => (hmac::HMAC_SHA256, &aead::AES_128_GCM),
            0x1302 => (hmac::HMAC_SHA384, &aead::AES_256_GCM),
            0x1303 => (hmac::HMAC_SHA256, &aead::CHACHA20_POLY1305),
            _ => return None,
        };
        Some(Self {
            hash,
            protection: Protection::Numbered(algorithm),
        })
    }

    fn of_12(suite: &TlsCipherSuite) -> Option<Self> {
        let hash = match (suite.prf, suite.mac) {
            (TlsPRF::Sha384, _) | (_, TlsCipherMac::HmacSha384) => hmac::HMAC_SHA384,
            (TlsPRF::Default | TlsPRF::Sha256, _) => hmac::HMAC_SHA256,
            _ => return None,
        };
        let protection = match (suite.enc, suite.enc_mode, suite.enc_size) {
            (TlsCipherEnc::Chacha20_Poly1305, ..) => Protection::Numbered(&aead::CHACHA20_POLY1305),
            (TlsCipherEnc::Aes, TlsCipherEncMode::Gcm, 128) => {
                Protection::Explicit(&aead::AES_128_GCM)
            }
            (TlsCipherEnc::Aes, TlsCipherEncMode::Gcm, 256) => {
                Protection::Explicit(&aead::AES_256_GCM)
            }
            (TlsCipherEnc::Aes, TlsCipherEncMode::Cbc, 128) => {
                Protection::Cbc(&cipher::AES_128, 16, mac(suite.mac)?)
            }
            (TlsCipherEnc::Aes, TlsCipherEncMode::Cbc, 256) => {
                Protection::Cbc(&cipher::AES_256, 32, mac(suite.mac)?)
            }
            _ => return None,
        };
        Some(Self { hash, protection })
    }

    /// Bytes of a record beside its content, where they are always as many: CBC pads.
    pub(super) const fn overhead(&self, version: u16) -> Option<usize> {
        match (self.protection, version) {
            (Protection::Numbered(_), 0x0304) => Some(17),
            (Protection::Numbered(_), _) => Some(16),
            (Protection::Explicit(_), _) => Some(24),
            (Protection::Cbc(..), _) => None,
        }
    }

    /// Bytes of MAC key, key and fixed nonce of one side (RFC 5246 6.3).
    pub(super) fn lengths(&self) -> (usize, usize, usize) {
        match self.protection {
            Protection::Numbered(algorithm) => (0, algorithm.key_len(), 12),
            Protection::Explicit(algorithm) => (0, algorithm.key_len(), 4),
            Protection::Cbc(_, key, mac) => (mac.digest_algorithm().output_len(), key, 0),
        }
    }
}

fn mac(mac: TlsCipherMac) -> Option<hmac::Algorithm> {
    Some(match mac {
        TlsCipherMac::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        TlsCipherMac::HmacSha256 => hmac::HMAC_SHA256,
        TlsCipherMac::HmacSha384 => hmac::HMAC_SHA384,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(id: u16) -> Option<(usize, usize, usize)> {
        Suite::of(0x0303, id).map(|suite| suite.lengths())
    }

    #[test]
    fn suites_of_tls12_have_the_keys_that_their_names_say() {
        // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        assert_eq!(lengths(0xc02f), Some((0, 16, 4)));
        assert_eq!(lengths(0xc030), Some((0, 32, 4)));
        // TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        assert_eq!(lengths(0xcca8), Some((0, 32, 12)));
        // TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_256_CBC_SHA256, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
        assert_eq!(lengths(0x002f), Some((20, 16, 0)));
        assert_eq!(lengths(0x003d), Some((32, 32, 0)));
        assert_eq!(lengths(0xc028), Some((48, 32, 0)));
        assert_eq!(
            Suite::of(0x0303, 0xc028).map(|suite| suite.hash),
            Some(hmac::HMAC_SHA384)
        );
        assert_eq!(
            Suite::of(0x0303, 0x003d).map(|suite| suite.hash),
            Some(hmac::HMAC_SHA256)
        );
        assert_eq!(
            Suite::of(0x0303, 0x009d).map(|suite| suite.hash),
            Some(hmac::HMAC_SHA384)
        );
    }

    #[test]
    fn what_cannot_be_opened_is_said_to_be_so() {
        // TLS 1.0, 3DES, RC4, NULL, CCM, Camellia, CCM of TLS 1.3, SM4 of TLS 1.3
        assert_eq!(Suite::of(0x0301, 0x002f), None);
        for id in [0x000a, 0x0005, 0x003b, 0xc09c, 0x0041, 0x0000] {
            assert_eq!(lengths(id), None, "{id:04x}");
        }
        assert_eq!(Suite::of(0x0304, 0x1304), None);
        assert_eq!(Suite::of(0x0304, 0x00c6), None);
    }
}
