//! One certificate as it was sent (RFC 5280), owned: what the walk and the reports need of it.

use std::net::IpAddr;

use x509_parser::extensions::DistributionPointName;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::name::{Match, matches};
use crate::time::{SECOND, Timestamp};

/// A parsed certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// The DER.
    pub der: Vec<u8>,
    /// Subject, readable.
    pub subject: String,
    /// Issuer, readable.
    pub issuer: String,
    /// Common name of the subject.
    pub common_name: Option<String>,
    /// DNS names of the subject alternative name, lower case.
    pub dns_names: Vec<String>,
    /// IP addresses of the subject alternative name.
    pub addresses: Vec<IpAddr>,
    /// A subject alternative name extension is there.
    pub has_names: bool,
    /// Validity.
    pub not_before: Timestamp,
    /// Validity.
    pub not_after: Timestamp,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// `RSA 2048`, `EC 256`, `Ed25519` …
    pub key: String,
    /// Bits of an RSA key or EC field, 0 where neither.
    pub key_bits: usize,
    /// The key is RSA.
    pub rsa: bool,
    /// Key usage (RFC 5280 4.2.1.3): may sign, may encrypt or agree on keys; without the extension both.
    pub usage: Option<(bool, bool)>,
    /// Hosts that it names for OCSP, revocation lists and its issuer, by plain HTTP.
    pub asks: Vec<String>,
    /// It is an authority's.
    pub authority: bool,
    /// Object identifier of the signature.
    pub signature_oid: String,
    pub(super) subject_der: Vec<u8>,
    pub(super) issuer_der: Vec<u8>,
    pub(super) spki: Vec<u8>,
    pub(super) tbs: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) subject_key: Option<Vec<u8>>,
    pub(super) authority_key: Option<Vec<u8>>,
    pub(super) ocsp_signing: bool,
}

impl Certificate {
    /// Is it for this host name or address, by an alternative name or, where there is none, the common name?
    pub fn is_for(&self, name: &str) -> bool {
        matches(self, name) != Match::Nothing
    }

    /// Reads one certificate; `None` where the DER is none.
    pub fn parse(der: &[u8]) -> Option<Self> {
        let (_, read) = X509Certificate::from_der(der).ok()?;
        let mut parsed = Self {
            der: der.to_vec(),
            subject: readable(&read.subject().to_string()),
            issuer: readable(&read.issuer().to_string()),
            common_name: read
                .subject()
                .iter_common_name()
                .next()
                .and_then(|name| name.as_str().ok())
                .map(readable),
            dns_names: Vec::new(),
            addresses: Vec::new(),
            has_names: false,
            not_before: moment(read.validity().not_before.timestamp()),
            not_after: moment(read.validity().not_after.timestamp()),
            serial: hex(read.raw_serial()),
            key: String::new(),
            key_bits: 0,
            rsa: false,
            usage: None,
            asks: Vec::new(),
            authority: false,
            signature_oid: read.signature_algorithm.algorithm.to_id_string(),
            subject_der: read.subject().as_raw().to_vec(),
            issuer_der: read.issuer().as_raw().to_vec(),
            spki: read.public_key().raw.to_vec(),
            tbs: read.tbs_certificate.as_ref().to_vec(),
            signature: read.signature_value.data.to_vec(),
            subject_key: None,
            authority_key: None,
            ocsp_signing: false,
        };
        parsed.read_key(&read);
        for extension in read.extensions() {
            parsed.read_extension(extension.parsed_extension());
        }
        Some(parsed)
    }

    /// Subject and issuer are the same name.
    pub fn self_issued(&self) -> bool {
        self.subject_der == self.issuer_der
    }

    /// The name for a report: common name, else the whole subject.
    pub fn label(&self) -> String {
        self.common_name
            .clone()
            .unwrap_or_else(|| self.subject.clone())
    }

    /// May the key sign messages?
    pub fn may_sign(&self) -> bool {
        self.usage.is_none_or(|(signs, _)| signs)
    }

    /// May the key take or agree on secrets?
    pub fn may_encrypt(&self) -> bool {
        self.usage.is_none_or(|(_, encrypts)| encrypts)
    }

    /// What it may be used for, in words.
    pub fn usages(&self) -> String {
        match self.usage {
            None => "any",
            Some((true, true)) => "sign, encrypt",
            Some((true, false)) => "sign",
            Some((false, true)) => "encrypt",
            Some((false, false)) => "neither",
        }
        .to_owned()
    }

    /// Why key or signature is weak.
    pub fn weakness(&self) -> Option<String> {
        match self.signature_oid.as_str() {
            "1.2.840.113549.1.1.4" => return Some("MD5".to_owned()),
            "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.3.14.3.2.29" => {
                return Some("SHA-1".to_owned());
            }
            _ => {}
        }
        self.weak_key()
    }

    /// Why the key alone is weak.
    pub fn weak_key(&self) -> Option<String> {
        let least = if self.rsa { 2_048 } else { 224 };
        (self.key_bits > 0 && self.key_bits < least).then(|| self.key.clone())
    }

    fn read_key(&mut self, read: &X509Certificate<'_>) {
        match read.public_key().parsed() {
            Ok(PublicKey::RSA(key)) => {
                self.rsa = true;
                // The modulus as an integer may carry a leading zero byte.
                let bytes = key.modulus.iter().skip_while(|byte| **byte == 0).count();
                self.key_bits = bytes * 8;
                self.key = format!("RSA {}", self.key_bits);
            }
            Ok(PublicKey::EC(_)) => {
                let curve = read
                    .public_key()
                    .algorithm
                    .parameters
                    .as_ref()
                    .and_then(|parameters| parameters.as_oid().ok())
                    .map(|oid| oid.to_id_string())
                    .unwrap_or_default();
                self.key_bits = match curve.as_str() {
                    "1.2.840.10045.3.1.1" => 192,
                    "1.3.132.0.33" => 224,
                    "1.2.840.10045.3.1.7" | "1.3.132.0.10" | "1.2.156.10197.1.301" => 256,
                    "1.3.132.0.34" => 384,
                    "1.3.132.0.35" => 521,
                    _ => 0,
                };
                self.key = if curve == "1.2.156.10197.1.301" {
                    "SM2".to_owned()
                } else {
                    format!("EC {}", self.key_bits)
                };
            }
            _ => self.key = read.public_key().algorithm.algorithm.to_id_string(),
        }
    }

    fn read_extension(&mut self, extension: &ParsedExtension<'_>) {
        match extension {
            ParsedExtension::SubjectAlternativeName(names) => {
                self.has_names = true;
                for name in names.general_names.iter().take(256) {
                    match name {
                        GeneralName::DNSName(name) => {
                            self.dns_names.push(readable(name).to_ascii_lowercase())
                        }
                        GeneralName::IPAddress(bytes) => self.addresses.extend(address(bytes)),
                        _ => {}
                    }
                }
            }
            ParsedExtension::AuthorityInfoAccess(access) => {
                let places = access.iter().map(|one| &one.access_location);
                self.asks.extend(places.filter_map(host).take(ASKS_MAX));
            }
            ParsedExtension::CRLDistributionPoints(points) => {
                for point in points.iter().take(ASKS_MAX) {
                    if let Some(DistributionPointName::FullName(places)) = &point.distribution_point
                    {
                        self.asks
                            .extend(places.iter().filter_map(host).take(ASKS_MAX));
                    }
                }
            }
            ParsedExtension::BasicConstraints(constraints) => self.authority = constraints.ca,
            ParsedExtension::KeyUsage(usage) => {
                let signs = usage.digital_signature() || usage.non_repudiation();
                let encrypts =
                    usage.key_encipherment() || usage.data_encipherment() || usage.key_agreement();
                self.usage = Some((signs, encrypts));
            }
            ParsedExtension::ExtendedKeyUsage(usage) => self.ocsp_signing = usage.ocsp_signing,
            ParsedExtension::SubjectKeyIdentifier(key) => self.subject_key = Some(key.0.to_vec()),
            ParsedExtension::AuthorityKeyIdentifier(key) => {
                self.authority_key = key.key_identifier.as_ref().map(|key| key.0.to_vec());
            }
            _ => {}
        }
    }
}

/// Addresses read of one extension.
const ASKS_MAX: usize = 4;

/// The host of an `http:` address.
fn host(place: &GeneralName<'_>) -> Option<String> {
    let GeneralName::URI(uri) = place else {
        return None;
    };
    let rest = uri.strip_prefix("http://")?;
    let host = rest.split(['/', ':', '?']).next()?;
    (!host.is_empty() && host.len() <= 253).then(|| readable(host).to_ascii_lowercase())
}

pub(super) fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_ns(seconds.saturating_mul(SECOND))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Names come from the wire: control characters go, length is bounded.
fn readable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(200).collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(20)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
