//! A pcap file as header and records, so that it can be cut and split where a capturing program would.

/// Bytes of a pcap file's header.
const HEADER: usize = 24;

/// Where each record of a pcap file begins, and where the last one ends; `None` for other formats and damaged files.
pub(crate) fn records(bytes: &[u8]) -> Option<Vec<usize>> {
    let little = match bytes.get(..4)? {
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => true,
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => false,
        _ => return None,
    };
    let mut starts = vec![HEADER];
    let mut at = HEADER;
    while at < bytes.len() {
        let length: [u8; 4] = bytes.get(at + 8..at + 12)?.try_into().ok()?;
        let length = if little {
            u32::from_le_bytes(length)
        } else {
            u32::from_be_bytes(length)
        };
        // A hole of zero bytes reads like records without a byte: such a file is damaged.
        if length == 0 {
            return None;
        }
        at = at.checked_add(16)?.checked_add(length as usize)?;
        starts.push(at);
    }
    (at == bytes.len()).then_some(starts)
}

/// The file as `parts` files of about as many records each, every one with the header; `None` as for `records`, and
/// where there are fewer records than parts.
pub(crate) fn parts(bytes: &[u8], parts: usize) -> Option<Vec<Vec<u8>>> {
    let starts = records(bytes)?;
    let count = starts.len() - 1;
    if count < parts {
        return None;
    }
    let header = bytes.get(..HEADER)?;
    (0..parts)
        .map(|part| {
            let from = *starts.get(count * part / parts)?;
            let to = *starts.get(count * (part + 1) / parts)?;
            Some([header, bytes.get(from..to)?].concat())
        })
        .collect()
}

/// How many records stand before each part.
pub(crate) fn records_before(bytes: &[u8], parts: usize) -> Vec<u64> {
    let count = records(bytes).map_or(0, |starts| starts.len() - 1);
    (0..parts)
        .map(|part| (count * part / parts) as u64)
        .collect()
}
