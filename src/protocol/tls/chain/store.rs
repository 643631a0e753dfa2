//! Trust anchors: Mozilla's as bundled, a PEM file, the machine's.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use sha2::{Digest, Sha256};

use super::certificate::Certificate;
use super::sm2;

/// A set of anchors.
#[derive(Debug, Default)]
pub struct TrustStore {
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    source: String,
}

impl TrustStore {
    /// Mozilla's roots as this program ships them.
    pub fn bundled() -> Self {
        Self {
            anchors: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            source: "mozilla".to_owned(),
        }
    }

    /// The certificates of a PEM file. Every certificate in it ends a path, a CA or not.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let mut store = Self {
            source: "pem".to_owned(),
            ..Self::default()
        };
        for item in CertificateDer::pem_slice_iter(pem) {
            let der = item.map_err(|error| {
                format!("is no sound PEM: {error:?}; export the CA certificates again")
            })?;
            store.add(&der)?;
        }
        if store.anchors.is_empty() {
            return Err(
                "holds no certificate; expected PEM with -----BEGIN CERTIFICATE-----".to_owned(),
            );
        }
        Ok(store)
    }

    /// Adds the machine's roots; those that cannot be read are left out.
    pub fn add_native(&mut self) {
        for der in rustls_native_certs::load_native_certs().certs {
            let _ = self.add(&der);
        }
        self.source.push_str("+native");
    }

    /// Which anchors these are: where from, how many, and a hash over them.
    pub fn identity(&self) -> String {
        let mut hash = Sha256::new();
        for anchor in &self.anchors {
            hash.update(&anchor.subject);
            hash.update(&anchor.subject_public_key_info);
        }
        let digest: String = hash
            .finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}:{}:{digest}", self.source, self.anchors.len())
    }

    /// DER of the key of each anchor with this subject (DER with its header).
    pub(super) fn keys_of<'s>(&'s self, subject: &'s [u8]) -> impl Iterator<Item = Vec<u8>> + 's {
        let bare = without_header(subject);
        self.anchors
            .iter()
            .filter(move |anchor| Some(anchor.subject.as_ref()) == bare)
            .map(|anchor| with_header(&anchor.subject_public_key_info))
    }

    /// Is any anchor of SM2? Mozilla's are not: what China's authorities sign ends in roots that have to be given.
    pub(super) fn knows_sm2(&self) -> bool {
        let mut anchors = self.anchors.iter();
        anchors.any(|anchor| sm2::is_key(&anchor.subject_public_key_info))
    }

    /// Is this certificate itself an anchor: the same subject and key?
    pub(super) fn holds(&self, certificate: &Certificate) -> bool {
        self.keys_of(&certificate.subject_der)
            .any(|key| key == certificate.spki)
    }

    fn add(&mut self, der: &CertificateDer<'_>) -> Result<(), String> {
        match webpki::anchor_from_trusted_cert(der) {
            Ok(anchor) => self.anchors.push(anchor.to_owned()),
            // webpki refuses version 1 certificates, which old private roots are.
            Err(_) => {
                let parsed =
                    Certificate::parse(der).ok_or("holds a certificate that cannot be read")?;
                let part = |der: &[u8]| without_header(der).map(<[u8]>::to_vec).unwrap_or_default();
                self.anchors.push(TrustAnchor {
                    subject: part(&parsed.subject_der).into(),
                    subject_public_key_info: part(&parsed.spki).into(),
                    name_constraints: None,
                });
            }
        }
        Ok(())
    }
}

/// The content of a DER SEQUENCE.
fn without_header(der: &[u8]) -> Option<&[u8]> {
    match *der.get(1)? {
        length @ 0..=0x7f => der.get(2..2 + usize::from(length)),
        0x81 => der.get(3..),
        0x82 => der.get(4..),
        _ => None,
    }
}

/// Content as a DER SEQUENCE.
fn with_header(content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = match length {
        0..=0x7f => vec![0x30, length as u8],
        0x80..=0xff => vec![0x30, 0x81, length as u8],
        _ => vec![0x30, 0x82, (length >> 8) as u8, length as u8],
    };
    der.extend_from_slice(content);
    der
}
