//! What the fields of a header block say (RFC 9113 8.3): a request, a response, or trailers.

use smol_str::SmolStr;

use crate::protocol::http1::head::{TARGET_MAX, expose, learn_request, learn_response};
use crate::protocol::http1::words::{lower, text};
use crate::protocol::http1::{Framing, Grpc, Request, Response, secrets};

use super::hpack::{Bad, Decoder};

/// Longest method that is kept.
const METHOD_MAX: usize = 32;
/// Bytes kept of grpc-message.
const WORDS_MAX: usize = 256;

/// A header block, read.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// The status, where it is known.
    pub(super) status: Option<u16>,
    pub(super) request: Request,
    pub(super) response: Response,
    pub(super) grpc: Option<Box<Grpc>>,
    length: Option<u64>,
    authority: Option<SmolStr>,
}

impl Fields {
    /// Reads a block of a request or a response.
    pub(super) fn read(decoder: &mut Decoder, block: &[u8], asks: bool) -> Result<Self, Bad> {
        let mut fields = Self::default();
        decoder.decode(block, &mut |name, value| {
            if let (Some(name), Some(value)) = (name, value) {
                fields.learn(name, value, asks);
            }
        })?;
        let framing = match fields.length {
            Some(length) => Framing::Length(length),
            // The end of the stream ends it, and is not to be mistaken for the connection's.
            None => Framing::Chunked,
        };
        fields.request.body.framing = framing;
        fields.response.body.framing = framing;
        // RFC 9113 8.3.1: the authority stands in for the Host field.
        if fields.authority.is_some() {
            fields.request.host = fields.authority.take();
        }
        fields.response.status = fields.status.unwrap_or_default();
        Ok(fields)
    }

    fn learn(&mut self, name: &[u8], value: &[u8], asks: bool) {
        match name {
            b":status" => {
                let number = std::str::from_utf8(value).ok();
                let number = number.and_then(|text| text.parse().ok());
                self.status = number.filter(|status| (100..1_000).contains(status));
            }
            b":method" => self.request.method = text(value, METHOD_MAX),
            b":path" => {
                self.request.target = text(value, TARGET_MAX);
                self.request.target_cut = value.len() > TARGET_MAX;
                expose(&mut self.request, secrets::of_target(value));
            }
            b":authority" => self.authority = Some(lower(value, 255)).filter(|own| !own.is_empty()),
            b"content-length" => {
                self.length = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok());
            }
            b"grpc-timeout" => self.request.deadline = true,
            b"grpc-status" => {
                let status = std::str::from_utf8(value).ok();
                if let Some(status) = status.and_then(|text| text.parse().ok()) {
                    self.grpc.get_or_insert_default().status = status;
                }
            }
            b"grpc-message" => {
                self.grpc.get_or_insert_default().message = Some(text(value, WORDS_MAX));
            }
            _ if asks => learn_request(&mut self.request, name, value),
            _ => learn_response(&mut self.response, name, value),
        }
    }
}
