//! Content codings (RFC 9110 8.4): gzip and deflate, as a receiver decodes them.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};

use crate::limits;

/// A coding that does not decode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodingFault {
    /// `gzip` or `deflate`.
    pub coding: &'static str,
    /// What the decoder said.
    pub why: String,
    /// The bytes are plain text: the sender declared a coding that it did not apply.
    pub plain: bool,
}

/// A body without its coding.
pub(super) enum Decoded<'b> {
    Bytes(Cow<'b, [u8]>),
    Fault(CodingFault),
    /// A coding that is not read here, or more than what is kept.
    Unread,
}

/// Takes the declared coding off; `partly` says that only the first bytes are there.
pub(super) fn decoded<'b>(bytes: &'b [u8], coding: Option<&str>, partly: bool) -> Decoded<'b> {
    let coding = match coding.unwrap_or("").trim() {
        "" | "identity" => return Decoded::Bytes(Cow::Borrowed(bytes)),
        "gzip" | "x-gzip" => "gzip",
        "deflate" => "deflate",
        _ => return Decoded::Unread,
    };
    if bytes.is_empty() {
        return Decoded::Bytes(Cow::Borrowed(bytes));
    }
    let found = match coding {
        "gzip" => all(GzDecoder::new(bytes)),
        // RFC 9110 8.4.1.2: deflate means zlib, and some senders leave its frame away.
        _ => match all(ZlibDecoder::new(bytes)) {
            Err(_) => all(DeflateDecoder::new(bytes)),
            well => well,
        },
    };
    match found {
        Ok((_, true)) => Decoded::Unread,
        Ok((decoded, false)) => Decoded::Bytes(Cow::Owned(decoded)),
        Err(_) if partly => Decoded::Unread,
        Err(why) => Decoded::Fault(CodingFault {
            coding,
            why: why.to_string(),
            plain: matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[' | b'<')),
        }),
    }
}

/// All of it, up to the limit; whether there was more.
fn all(reader: impl Read) -> std::io::Result<(Vec<u8>, bool)> {
    let mut decoded = Vec::new();
    let most = limits::DECODED_BYTES as u64;
    reader
        .take(most.saturating_add(1))
        .read_to_end(&mut decoded)?;
    let more = decoded.len() > limits::DECODED_BYTES;
    Ok((decoded, more))
}
