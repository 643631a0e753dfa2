//! Names of TLS numbers, for details and summaries, and which suites are weak.

use tls_parser::TlsCipherSuite;

/// Name of an alert description (RFC 8446 6; TLCP's in GB/T 38636).
pub const fn alert(description: u8) -> &'static str {
    match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        200 => "unsupported_site2site",
        201 => "no_area",
        202 => "unsupported_areatype",
        203 => "bad_ibcparam",
        204 => "unsupported_ibcparam",
        205 => "identity_need",
        _ => "unknown",
    }
}

/// Name of a version.
pub fn version(version: u16) -> String {
    match version {
        0x0002 => "SSL 2".to_owned(),
        0x0300 => "SSL 3".to_owned(),
        0x0301 => "TLS 1.0".to_owned(),
        0x0302 => "TLS 1.1".to_owned(),
        0x0303 => "TLS 1.2".to_owned(),
        0x0304 => "TLS 1.3".to_owned(),
        0x0101 => "TLCP 1.1".to_owned(),
        other => format!("0x{other:04x}"),
    }
}

/// Name of a cipher suite: IANA's, or GB/T 38636's.
pub fn suite(id: u16) -> String {
    known_suite(id).map_or_else(|| format!("0x{id:04x}"), str::to_owned)
}

fn known_suite(id: u16) -> Option<&'static str> {
    Some(match id {
        0xe011 => "ECDHE_SM4_CBC_SM3",
        0xe013 => "ECC_SM4_CBC_SM3",
        0xe015 => "IBSDH_SM4_CBC_SM3",
        0xe017 => "IBC_SM4_CBC_SM3",
        0xe019 => "RSA_SM4_CBC_SM3",
        0xe01c => "RSA_SM4_CBC_SHA256",
        0xe051 => "ECDHE_SM4_GCM_SM3",
        0xe053 => "ECC_SM4_GCM_SM3",
        0xe055 => "IBSDH_SM4_GCM_SM3",
        0xe057 => "IBC_SM4_GCM_SM3",
        0xe059 => "RSA_SM4_GCM_SM3",
        0xe05a => "RSA_SM4_GCM_SHA256",
        0x00c6 => "TLS_SM4_GCM_SM3",
        0x00c7 => "TLS_SM4_CCM_SM3",
        _ => TlsCipherSuite::from_id(id)?.name,
    })
}

/// Why a suite is weak: `RC4`, `DES`, `3DES`, `NULL`, `EXPORT`, `anonymous`, `MD5`.
pub fn weakness(id: u16) -> Option<&'static str> {
    if matches!(id, 0x00ff | 0x5600) {
        return None;
    }
    // The worst of its parts; nearly every suite of today has none.
    let parts = known_suite(id)?.split('_').filter_map(|part| match part {
        _ if part.starts_with("EXPORT") => Some((0, "EXPORT")),
        "NULL" => Some((1, "NULL")),
        "anon" => Some((2, "anonymous")),
        _ if part.starts_with("RC4") || part.starts_with("RC2") => Some((3, "RC4")),
        _ if part.starts_with("3DES") => Some((4, "3DES")),
        _ if part.starts_with("DES") => Some((5, "DES")),
        "MD5" => Some((6, "MD5")),
        _ => None,
    });
    parts.min().map(|(_, why)| why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_suites_are_told_by_name() {
        assert_eq!(weakness(0x0005), Some("RC4"));
        assert_eq!(weakness(0x000a), Some("3DES"));
        assert_eq!(weakness(0x0009), Some("DES"));
        assert_eq!(weakness(0x003b), Some("NULL"));
        assert_eq!(weakness(0x0034), Some("anonymous"));
        assert_eq!(weakness(0xc02f), None);
        assert_eq!(weakness(0x1301), None);
        assert_eq!(weakness(0xe013), None);
    }

    #[test]
    fn suites_of_tlcp_have_their_names() {
        assert_eq!(suite(0xe013), "ECC_SM4_CBC_SM3");
        assert_eq!(suite(0xc030), "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
        assert_eq!(suite(0x9999), "0x9999");
    }
}
