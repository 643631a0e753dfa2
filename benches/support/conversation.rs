//! What was said on the one TCP connection of a small capture, through the project's own reader and decoder.

use std::net::IpAddr;

use wirefault::decode::{Body, decode};
use wirefault::mark::{Direction, Mark};
use wirefault::protocol::{Chunk, Next, Observer};
use wirefault::tcp::stream::Stream;

/// Payloads in the order of the capture, and the time of the first.
pub(crate) struct Conversation {
    pub(crate) parts: Vec<(Direction, Vec<u8>, Mark)>,
}

impl Conversation {
    /// The TCP payloads of the capture's connections to this port. Panics without any: the bench would measure nothing.
    pub(crate) fn of_file(path: &str, port: u16) -> Self {
        let bytes = std::fs::read(path).expect("a capture of this repository");
        let mut parts = Vec::new();
        let mut client: Option<(IpAddr, u16)> = None;
        for batch in super::batches(&bytes) {
            for frame in &batch.frames {
                let packet = decode(&batch.frame(frame));
                let (Body::Tcp(segment), Some(ip)) = (&packet.body, &packet.ip) else {
                    continue;
                };
                if segment.payload.is_empty() {
                    continue;
                }
                let to_server = segment.destination_port == port;
                let end = if to_server {
                    (ip.source, segment.source_port)
                } else {
                    (ip.destination, segment.destination_port)
                };
                if *client.get_or_insert(end) == end {
                    let from = if to_server {
                        Direction::ToServer
                    } else {
                        Direction::ToClient
                    };
                    parts.push((from, segment.payload.to_vec(), frame.at));
                }
            }
        }
        assert!(!parts.is_empty(), "{path}: nothing said to port {port}");
        Self { parts }
    }

    /// Bytes said in both directions.
    pub(crate) fn bytes(&self) -> usize {
        self.parts.iter().map(|(_, bytes, _)| bytes.len()).sum()
    }

    /// Feeds an observer through streams, as the engine does.
    pub(crate) fn tell(&self, observer: &mut dyn Observer) {
        let mut streams = [Stream::default(), Stream::default()];
        for (from, bytes, at) in &self.parts {
            let stream = &mut streams[from.index()];
            let position = stream.position();
            let mut sink =
                |chunk: Chunk<'_>, at: Mark| -> Next { observer.on_chunk(*from, chunk, at) };
            stream.push(position, bytes, 0, 0, *at, &mut sink);
        }
    }
}
