//! Opening one input: its first bytes, its hash, its packing.
//!
//! The packing is told by content, never by name. What is no capture is refused here in one sentence.

use super::error::IngestError;
use super::report::Compression;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that identify a file: hashed, and looked at for its format.
pub(super) const HEAD_BYTES: u64 = 64 << 10;
/// Bytes that a decoder is handed at once.
const PACKED_BLOCK: usize = 128 << 10;

/// Where an input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A path of the file system.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

/// An opened input.
pub(super) struct Source {
    pub(super) sha256_head: [u8; 32],
    pub(super) compression: Compression,
    /// Stored bytes in all; `None` for a pipe.
    pub(super) size: Option<u64>,
    /// Unpacked content from its first byte on.
    pub(super) stream: Box<dyn Read + Send>,
}

/// Counts stored bytes as they are read, for the progress of the run.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(room)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Opens `place`, which messages call `path`. Stored bytes are added to `read` as they are read.
pub(super) fn open(
    place: &Place,
    path: &str,
    read: &Arc<AtomicU64>,
) -> Result<Source, IngestError> {
    let unreadable = |source| IngestError::Unreadable {
        path: path.to_owned(),
        source,
    };
    match place {
        Place::Stdin => from_stream(Box::new(io::stdin()), None, path, read),
        Place::Path(name) => {
            let about = fs::metadata(name).map_err(unreadable)?;
            let file = File::open(name).map_err(unreadable)?;
            let size = about.is_file().then_some(about.len());
            from_stream(Box::new(file), size, path, read)
        }
    }
}

/// As `open`, for any stream.
pub(super) fn from_stream(
    mut stream: Box<dyn Read + Send>,
    size: Option<u64>,
    path: &str,
    read: &Arc<AtomicU64>,
) -> Result<Source, IngestError> {
    let mut head = Vec::new();
    stream
        .by_ref()
        .take(HEAD_BYTES)
        .read_to_end(&mut head)
        .map_err(|source| IngestError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
    if head.is_empty() {
        return Err(IngestError::Empty {
            path: path.to_owned(),
        });
    }
    let sha256_head = Sha256::digest(&head).into();
    let compression = compression(&head);
    let stored = Counted {
        inner: Cursor::new(head).chain(stream),
        read: Arc::clone(read),
    };
    let broken = |kind, error: io::Error| IngestError::Compressed {
        path: path.to_owned(),
        kind,
        reason: error.to_string(),
    };
    let packed = |stored| BufReader::with_capacity(PACKED_BLOCK, stored);
    let stream: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(stored),
        Compression::Gzip => Box::new(Steady::new(flate2::bufread::MultiGzDecoder::new(packed(
            stored,
        )))),
        Compression::Zstd => Box::new(Steady::new(
            zstd::stream::read::Decoder::with_buffer(packed(stored))
                .map_err(|error| broken("zstd", error))?,
        )),
        Compression::Lz4 => Box::new(Steady::new(Lz4 {
            frames: lz4_flex::frame::FrameDecoder::new(packed(stored)),
        })),
        Compression::Xz => Box::new(Steady::new(liblzma::bufread::XzDecoder::new_multi_decoder(
            packed(stored),
        ))),
    };
    Ok(Source {
        sha256_head,
        compression,
        size,
        stream,
    })
}

/// A stream that is read as it comes: its head is not waited for, so it is neither hashed nor unpacked.
pub(super) fn as_it_comes(stream: Box<dyn Read + Send>, read: &Arc<AtomicU64>) -> Source {
    Source {
        sha256_head: [0; 32],
        compression: Compression::None,
        size: None,
        stream: Box::new(Counted {
            inner: stream,
            read: Arc::clone(read),
        }),
    }
}

/// Unpacks a fixed number of bytes at a time. A decoder that meets damage drops what the same call had unpacked, so
/// that a larger room would lose more: this way what is read of a damaged file does not depend on the reader's blocks.
struct Steady<R> {
    inner: R,
    chunk: Box<[u8; STEADY_BYTES]>,
    start: usize,
    end: usize,
}

/// Bytes unpacked by one call of a decoder.
const STEADY_BYTES: usize = 4 << 10;

impl<R: Read> Steady<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            chunk: Box::new([0; STEADY_BYTES]),
            start: 0,
            end: 0,
        }
    }
}

impl<R: Read> Read for Steady<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.start >= self.end {
            self.start = 0;
            self.end = self.inner.read(self.chunk.as_mut_slice())?;
        }
        let ready = self.chunk.get(self.start..self.end).unwrap_or(&[]);
        let count = ready.len().min(room.len());
        if let (Some(to), Some(from)) = (room.get_mut(..count), ready.get(..count)) {
            to.copy_from_slice(from);
        }
        self.start += count;
        Ok(count)
    }
}

/// Several lz4 frames in a row read as one stream.
struct Lz4<R: Read> {
    frames: lz4_flex::frame::FrameDecoder<R>,
}

impl<R: Read> Read for Lz4<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        // The decoder says 0 at the end of each frame, and twice only at the end of its input.
        match self.frames.read(room)? {
            0 => self.frames.read(room),
            count => Ok(count),
        }
    }
}

fn compression(head: &[u8]) -> Compression {
    match head {
        [0x1f, 0x8b, 8, ..] => Compression::Gzip,
        // A Zstandard frame, or a skippable one before it.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        [0x04, 0x22, 0x4d, 0x18, ..] => Compression::Lz4,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
        _ => Compression::None,
    }
}

/// What unpacked content that is no capture is, by its first bytes.
pub(super) fn refusal(head: &[u8], path: &str) -> IngestError {
    let path = path.to_owned();
    let archive = match head {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(("zip", "unzip FILE")),
        [b'7', b'z', 0xbc, 0xaf, ..] => Some(("7z", "7z x FILE")),
        [b'R', b'a', b'r', b'!', ..] => Some(("rar", "unrar x FILE")),
        [b'B', b'Z', b'h', ..] => Some(("bzip2", "bunzip2 FILE")),
        [0x02, 0x21, 0x4c, 0x18, ..] => Some(("legacy lz4", "lz4 -d FILE")),
        _ if head.get(257..262) == Some(b"ustar".as_slice()) => Some(("tar", "tar -xf FILE")),
        _ if compression(head) != Compression::None => Some(("twice compressed", "unpack it once")),
        _ => None,
    };
    if let Some((kind, unpack)) = archive {
        return IngestError::Archive { path, kind, unpack };
    }
    let other = match head {
        [b's', b'n', b'o', b'o', b'p', 0, ..] => Some("snoop"),
        [b'G', b'M', b'B', b'U', ..] => Some("Microsoft Network Monitor"),
        [b'R', b'T', b'S', b'S', ..] => Some("Microsoft Network Monitor 1"),
        [b'X', b'C', b'P', 0, ..] => Some("NetXRay"),
        [b'T', b'R', b'S', b'N', b'I', b'F', ..] => Some("Sniffer"),
        [0x1c, 0, 1, 0xab | 0xac, ..] | [0xab | 0xac, 1, 0, 0x1c, ..] => Some("IXIA lcap"),
        _ => None,
    };
    if let Some(kind) = other {
        return IngestError::OtherFormat { path, kind };
    }
    let printable = head
        .iter()
        .take(512)
        .all(|&byte| byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r'));
    let found = if printable
        && std::str::from_utf8(head.get(..head.len().min(256)).unwrap_or(head))
            .is_ok_and(|text| !text.is_empty())
    {
        "text".to_owned()
    } else {
        let mut words = String::from("the bytes");
        for byte in head.iter().take(8) {
            words.push_str(&format!(" {byte:02x}"));
        }
        words
    };
    IngestError::NotACapture { path, found }
}
