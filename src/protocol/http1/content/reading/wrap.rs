//! Messages inside messages: base64, gzip, zlib or zip around them, their characters, and digests over them.

use std::io::Read;

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use md5::{Digest, Md5};
use sha2::Sha256;

use crate::limits;

/// The bytes of a text in base64 (RFC 4648 section 4 or 5); white space and lacking padding are passed over.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits, mut ended) = (0_u32, 0_u32, false);
    let mut digits = 0_usize;
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                ended = true;
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ => return None,
        };
        if ended {
            return None;
        }
        digits += 1;
        held = held << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.extend((held >> bits).to_le_bytes().first());
            held &= (1 << bits) - 1;
        }
    }
    (digits % 4 != 1).then_some(bytes)
}

/// Bytes without gzip, zlib or zip around them; the error says what the decoder said.
pub(super) fn unzipped(bytes: &[u8]) -> Result<Vec<u8>, String> {
    match bytes {
        [0x1f, 0x8b, ..] => all(GzDecoder::new(bytes)),
        [b'P', b'K', 3, 4, ..] => all(DeflateDecoder::new(entry(bytes)?)),
        _ => all(ZlibDecoder::new(bytes))
            .or_else(|why| all(DeflateDecoder::new(bytes)).map_err(|_| why)),
    }
}

/// The data of the first entry of a zip archive (APPNOTE 4.3.7), which is all that messages use.
fn entry(bytes: &[u8]) -> Result<&[u8], String> {
    let short = |at: usize| {
        let pair = bytes.get(at..)?.first_chunk::<2>()?;
        Some(usize::from(u16::from_le_bytes(*pair)))
    };
    let found = (|| {
        (short(8)? == 8).then_some(())?;
        bytes.get(30_usize.checked_add(short(26)?)?.checked_add(short(28)?)?..)
    })();
    found.ok_or_else(|| "no deflated entry in the zip archive".to_owned())
}

fn all(decoder: impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let most = limits::DECODED_BYTES as u64;
    decoder
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|why| why.to_string())?;
    Ok(bytes)
}

/// The text of bytes: UTF-8, else GB18030 with GBK in it.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(text.to_owned());
    }
    let text = encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(bytes)?;
    Some(text.into_owned())
}

/// The text of bytes that may be no text: of GBK only the characters of GB 2312, which bytes by chance seldom are.
pub(super) fn words(bytes: &[u8]) -> Option<String> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(text.to_owned());
    }
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] => return text(bytes),
            [0..=0x7f, rest @ ..] => rest,
            [0xa1..=0xf7, 0xa1..=0xfe, rest @ ..] => rest,
            _ => return None,
        };
    }
}

/// Is a digest, as hexadecimal digits or base64, one of these bytes? `None` where it is no digest that is known here.
pub(super) fn is_digest_of(digest: &str, bytes: &[u8]) -> Option<bool> {
    // A serial number can be as long as a digest in base64.
    if digest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hexadecimal = digest.len() >= 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let given: Vec<u8> = if hexadecimal {
        let pairs = digest.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        pairs.map(byte).collect::<Option<_>>()?
    } else {
        from_base64(digest)?
    };
    Some(match given.len() {
        16 => Md5::digest(bytes).as_slice() == given,
        20 => {
            let sha1 =
                aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
            sha1.as_ref() == given
        }
        32 => Sha256::digest(bytes).as_slice() == given,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_with_and_without_its_padding() {
        assert_eq!(from_base64("aGVsbG8=").as_deref(), Some(&b"hello"[..]));
        assert_eq!(from_base64("aGVs\r\nbG8").as_deref(), Some(&b"hello"[..]));
        assert_eq!(from_base64("aGV*"), None);
        assert_eq!(from_base64("aGVsb"), None);
        assert_eq!(from_base64("aG=Vs"), None);
    }

    #[test]
    fn digests_are_told_by_their_length() {
        assert_eq!(
            is_digest_of("900150983CD24FB0D6963F7D28E17F72", b"abc"),
            Some(true)
        );
        assert_eq!(is_digest_of("kAFQmDzST7DWlj99KOF/cg==", b"abc"), Some(true));
        assert_eq!(
            is_digest_of("a9993e364706816aba3e25717850c26c9cd0d89d", b"abc"),
            Some(true)
        );
        assert_eq!(
            is_digest_of("a9993e364706816aba3e25717850c26c9cd0d89d", b"abd"),
            Some(false)
        );
        assert_eq!(is_digest_of("17", b"abc"), None);
        assert_eq!(is_digest_of("2611240000700001123456", b"abc"), None);
    }

    #[test]
    fn text_is_utf_8_before_gbk() {
        assert_eq!(text("开票".as_bytes()).as_deref(), Some("开票"));
        assert_eq!(text(b"\xbf\xaa\xc6\xb1").as_deref(), Some("开票"));
        assert_eq!(words(b"\xbf\xaa\xc6\xb1").as_deref(), Some("开票"));
        assert_eq!(words(b"\x89\xa9"), None);
    }
}
