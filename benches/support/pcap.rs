//! Frames into capture files in memory: pcap, pcapng, gzip.

use std::io::Write as _;

/// A frame with its time in microseconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Timed {
    pub(crate) us: u64,
    pub(crate) bytes: Vec<u8>,
}

/// A pcap of Ethernet frames with microsecond times.
pub(crate) fn pcap(frames: &[Timed]) -> Vec<u8> {
    let size: usize = frames.iter().map(|frame| 16 + frame.bytes.len()).sum();
    let mut file = Vec::with_capacity(24 + size);
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(262_144_u32.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    for frame in frames {
        let length = (frame.bytes.len() as u32).to_le_bytes();
        file.extend(((frame.us / 1_000_000) as u32).to_le_bytes());
        file.extend(((frame.us % 1_000_000) as u32).to_le_bytes());
        file.extend(length);
        file.extend(length);
        file.extend(&frame.bytes);
    }
    file
}

/// The same as pcapng: one section, one interface, enhanced packet blocks.
pub(crate) fn pcapng(frames: &[Timed]) -> Vec<u8> {
    let mut file = Vec::new();
    block(&mut file, 0x0a0d_0d0a, &{
        let mut body = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
        body.extend([1, 0, 0, 0]);
        body.extend(u64::MAX.to_le_bytes());
        body
    });
    block(&mut file, 1, &[1, 0, 0, 0, 0, 0, 4, 0]);
    let mut body = Vec::new();
    for frame in frames {
        let length = (frame.bytes.len() as u32).to_le_bytes();
        body.clear();
        body.extend(0_u32.to_le_bytes());
        body.extend(((frame.us >> 32) as u32).to_le_bytes());
        body.extend((frame.us as u32).to_le_bytes());
        body.extend(length);
        body.extend(length);
        body.extend(&frame.bytes);
        body.resize(body.len().next_multiple_of(4), 0);
        block(&mut file, 6, &body);
    }
    file
}

fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = (12 + body.len() as u32).to_le_bytes();
    file.extend(kind.to_le_bytes());
    file.extend(length);
    file.extend(body);
    file.extend(length);
}

/// A file as `gzip -6` packs it.
pub(crate) fn gzip(file: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    packer.write_all(file).expect("memory takes it");
    packer.finish().expect("memory takes it")
}
