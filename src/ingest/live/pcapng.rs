//! Blocks of pcapng for packets as they come (draft-ietf-opsawg-pcapng 4.1 to 4.6), in this machine's byte order.

/// A section header; its length is not known.
pub(super) fn section() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&0x1a2b_3c4d_u32.to_ne_bytes());
    body.extend_from_slice(&1_u16.to_ne_bytes());
    body.extend_from_slice(&0_u16.to_ne_bytes());
    body.extend_from_slice(&u64::MAX.to_ne_bytes());
    block(0x0a0d_0d0a, &body)
}

/// An interface with time stamps in nanoseconds.
pub(super) fn interface(link: u16, snaplen: u32, name: &str, filter: Option<&str>) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&link.to_ne_bytes());
    body.extend_from_slice(&0_u16.to_ne_bytes());
    body.extend_from_slice(&snaplen.to_ne_bytes());
    option(&mut body, 2, name.as_bytes());
    option(&mut body, 9, &[9]);
    if let Some(filter) = filter {
        let mut value = vec![0];
        value.extend_from_slice(filter.as_bytes());
        option(&mut body, 11, &value);
    }
    option(&mut body, 0, &[]);
    block(1, &body)
}

/// A packet of interface number `id`: its time in ns, its captured bytes, its length on the wire.
pub(super) fn packet(id: u32, time_ns: u64, data: &[u8], wire_len: u32) -> Vec<u8> {
    let mut body = Vec::with_capacity(24 + data.len());
    head(&mut body, id, time_ns);
    let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
    body.extend_from_slice(&len.to_ne_bytes());
    body.extend_from_slice(&wire_len.to_ne_bytes());
    body.extend_from_slice(data);
    block(6, &body)
}

/// Packets that interface number `id` and the system have lost so far.
pub(super) fn statistics(id: u32, time_ns: u64, by_interface: u64, by_system: u64) -> Vec<u8> {
    let mut body = Vec::new();
    head(&mut body, id, time_ns);
    option(&mut body, 5, &by_interface.to_ne_bytes());
    option(&mut body, 7, &by_system.to_ne_bytes());
    option(&mut body, 0, &[]);
    block(5, &body)
}

fn head(body: &mut Vec<u8>, id: u32, time_ns: u64) {
    body.extend_from_slice(&id.to_ne_bytes());
    body.extend_from_slice(&((time_ns >> 32) as u32).to_ne_bytes());
    body.extend_from_slice(&(time_ns as u32).to_ne_bytes());
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    let value = value.get(..usize::from(length)).unwrap_or(value);
    body.extend_from_slice(&code.to_ne_bytes());
    body.extend_from_slice(&length.to_ne_bytes());
    body.extend_from_slice(value);
    pad(body);
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = u32::try_from(padded + 12).unwrap_or(u32::MAX).to_ne_bytes();
    let mut block = Vec::with_capacity(padded + 12);
    block.extend_from_slice(&kind.to_ne_bytes());
    block.extend_from_slice(&length);
    block.extend_from_slice(body);
    pad(&mut block);
    block.extend_from_slice(&length);
    block
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
