//! Certificates and OCSP responses as handshake messages list them, in the forms of TLS 1.2 and 1.3.

use std::io::Read;
use std::sync::Arc;

use super::reader::MESSAGE_MAX;

/// Certificates kept of one message.
const CERTIFICATES_MAX: usize = 16;

/// Certificates, and the OCSP responses beside them.
pub(super) type Presented = (Vec<Arc<[u8]>>, Vec<Arc<[u8]>>);

/// The certificates of a Certificate message in the form of TLS 1.2 and before (RFC 5246 7.4.2).
pub(super) fn certificates(message: &[u8]) -> Vec<Arc<[u8]>> {
    listed(message.get(7..).unwrap_or(&[]))
}

/// The OCSP responses of a CertificateStatus message: one (RFC 6066 8), or a list of them (RFC 6961 2.2).
pub(super) fn stapled(message: &[u8]) -> Vec<Arc<[u8]>> {
    match message.get(4) {
        Some(1) => listed(message.get(5..).unwrap_or(&[])),
        Some(2) => listed(message.get(8..).unwrap_or(&[])),
        _ => Vec::new(),
    }
}

/// The same of TLS 1.3, where each certificate has extensions (RFC 8446 4.4.2), or of a CompressedCertificate (RFC 8879)
/// in zlib or zstd; none of what is packed otherwise (brotli) or broken.
pub(super) fn certificates_13(message: &[u8]) -> Option<Presented> {
    if message.first() == Some(&25) {
        let algorithm = message.get(4..6)?;
        let packed = message.get(12..)?;
        let mut unpacked = vec![11, 0, 0, 0];
        let read = match algorithm {
            [0, 1] => flate2::read::ZlibDecoder::new(packed)
                .take(MESSAGE_MAX as u64)
                .read_to_end(&mut unpacked),
            [0, 3] => zstd::Decoder::new(packed)
                .ok()?
                .take(MESSAGE_MAX as u64)
                .read_to_end(&mut unpacked),
            _ => return None,
        };
        read.ok()?;
        return certificates_13(&unpacked);
    }
    let context = usize::from(*message.get(4)?);
    let mut rest = message.get(5 + context + 3..)?;
    let (mut chain, mut answers) = (Vec::new(), Vec::new());
    while let Some(size) = length(rest).filter(|_| chain.len() < CERTIFICATES_MAX) {
        let der = rest.get(3..3 + size).filter(|der| !der.is_empty())?;
        let later = rest.get(3 + size..)?;
        let extensions = usize::from(u16::from_be_bytes(*later.first_chunk()?));
        answers.extend(status(later.get(2..2 + extensions)?));
        chain.push(Arc::from(der));
        rest = later.get(2 + extensions..)?;
    }
    Some((chain, answers))
}

/// The OCSP response among the extensions of one certificate (RFC 8446 4.4.2.1).
fn status(mut extensions: &[u8]) -> Option<Arc<[u8]>> {
    while let Some([a, b, c, d]) = extensions.first_chunk() {
        let kind = u16::from_be_bytes([*a, *b]);
        let size = usize::from(u16::from_be_bytes([*c, *d]));
        let value = extensions.get(4..4 + size)?;
        // status_request, of type ocsp.
        if let (5, [1, list @ ..]) = (kind, value) {
            return listed(list).into_iter().next();
        }
        extensions = extensions.get(4 + size..)?;
    }
    None
}

fn length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.first_chunk::<3>()?;
    Some(usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]))
}

/// Byte strings one after the other, each behind its length of three bytes.
fn listed(mut rest: &[u8]) -> Vec<Arc<[u8]>> {
    let mut found = Vec::new();
    while let Some(size) = length(rest) {
        let Some(certificate) = rest.get(3..3 + size).filter(|der| !der.is_empty()) else {
            break;
        };
        if found.len() == CERTIFICATES_MAX {
            break;
        }
        found.push(Arc::from(certificate));
        rest = rest.get(3 + size..).unwrap_or(&[]);
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Two certificates, the first with a stapled response behind an extension that is passed over.
    fn message() -> Vec<u8> {
        let first = [
            &[0, 0, 3, 1, 2, 3][..],
            &[0, 16, 0, 18, 0, 1, 9, 0, 5, 0, 7, 1, 0, 0, 3, 7, 8, 9],
        ];
        let second = [0, 0, 2, 4, 5, 0, 0];
        let list = [first.concat(), second.to_vec()].concat();
        let count = u8::try_from(list.len()).unwrap();
        let body = [&[0, 0, 0, count][..], &list].concat();
        [&[11, 0, 0, count + 4][..], &body].concat()
    }

    fn check(message: &[u8]) {
        let (chain, answers) = certificates_13(message).unwrap();
        let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
        assert_eq!(chain, [&[1, 2, 3][..], &[4, 5]]);
        assert_eq!(answers.first().map(AsRef::as_ref), Some(&[7, 8, 9][..]));
    }

    #[test]
    fn certificates_of_tls13_are_read_with_what_is_stapled() {
        check(&message());
    }

    #[test]
    fn compressed_certificates_are_unpacked() {
        let whole = message();
        let body = whole.get(4..).unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(body).unwrap();
        let zstd = zstd::encode_all(body, 1).unwrap();
        for (algorithm, packed) in [(1, zlib.finish().unwrap()), (3, zstd)] {
            check(&[&[25, 0, 0, 0, 0, algorithm, 0, 0, 0, 0, 0, 0][..], &packed].concat());
        }
        let brotli = [25, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 2, 3];
        assert!(certificates_13(&brotli).is_none());
    }

    #[test]
    fn a_message_cut_anywhere_is_no_trouble() {
        let whole = message();
        for end in 0..whole.len() {
            let cut = whole.get(..end).unwrap();
            let read = certificates_13(cut);
            assert!(read.is_none_or(|(chain, _)| chain.len() <= 1), "{end}");
        }
    }
}
