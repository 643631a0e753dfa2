//! When a plain pcap file ends, from its last megabyte: enough to know that a window of time begins later.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::time::{SECOND, Timestamp};

const HEADER: u64 = 24;
const RECORD: usize = 16;
/// Several of the longest packets, so that records begin in it for certain.
const TAIL: u64 = 1 << 20;
/// No tool stores more of a packet.
const PACKET_MAX: u32 = 1 << 18;

/// Time of the last record; `None` of other formats, compressed files, and files that do not end with a record.
///
/// Records are found from behind: where one may begin, all that follow lead to the end of the file. Of all such
/// places the first one counts, so that a packet which carries a capture is not taken for the file's own end.
pub fn last_time(path: &Path) -> Option<Timestamp> {
    let mut file = File::open(path).ok()?;
    let mut magic = [0; 4];
    file.read_exact(&mut magic).ok()?;
    let (little, unit) = match magic {
        [0xd4, 0xc3, 0xb2, 0xa1] => (true, 1_000),
        [0x4d, 0x3c, 0xb2, 0xa1] => (true, 1),
        [0xa1, 0xb2, 0xc3, 0xd4] => (false, 1_000),
        [0xa1, 0xb2, 0x3c, 0x4d] => (false, 1),
        _ => return None,
    };
    let size = file.metadata().ok()?.len();
    let from = size.saturating_sub(TAIL).max(HEADER);
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    last(&tail, little, unit)
}

fn last(tail: &[u8], little: bool, unit: i64) -> Option<Timestamp> {
    let word = |at: usize| {
        let bytes = tail.get(at..at + 4)?.try_into().ok()?;
        Some(if little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    };
    let parts = u32::try_from(SECOND / unit).ok()?;
    // Where the record at a place ends, if one may stand there.
    let next = |at: usize| {
        let (part, stored, long) = (word(at + 4)?, word(at + 8)?, word(at + 12)?);
        let sound = part < parts && stored <= PACKET_MAX && stored <= long;
        sound.then(|| at.saturating_add(RECORD).saturating_add(stored as usize))
    };
    let mut leads = vec![false; tail.len() + 1];
    *leads.last_mut()? = true;
    for at in (0..tail.len().saturating_sub(RECORD - 1)).rev() {
        let whole = next(at).and_then(|end| leads.get(end).copied());
        if let Some(leads) = leads.get_mut(at) {
            *leads = whole == Some(true);
        }
    }
    let mut at = leads.iter().position(|leads| *leads)?;
    let mut seen = None;
    while let Some(end) = next(at).filter(|end| *end <= tail.len()) {
        let (seconds, part) = (word(at)?, word(at + 4)?);
        seen = Some(Timestamp::from_ns(
            i64::from(seconds) * SECOND + i64::from(part) * unit,
        ));
        at = end;
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(second: u32, packet: &[u8]) -> Vec<u8> {
        let length = u32::try_from(packet.len()).unwrap_or(0);
        let mut bytes: Vec<u8> = [second, 7, length, length]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        bytes.extend(packet);
        bytes
    }

    #[test]
    fn the_last_record_is_found_from_anywhere_before_it() {
        let packets: Vec<u8> = (1..=20).flat_map(|at| record(at, &[0xab; 60])).collect();
        for cut in 0..500 {
            let found = packets.get(cut..).and_then(|tail| last(tail, true, 1_000));
            assert_eq!(
                found,
                Some(Timestamp::from_ns(20 * SECOND + 7_000)),
                "{cut}"
            );
        }
    }

    #[test]
    fn a_capture_within_a_packet_is_not_the_end() {
        let inner: Vec<u8> = (900..905).flat_map(|at| record(at, &[1; 40])).collect();
        let outer = [record(5, &[0xcd; 80]), record(6, &inner)].concat();
        let found = last(&outer, true, 1_000);
        assert_eq!(found, Some(Timestamp::from_ns(6 * SECOND + 7_000)));
    }

    #[test]
    fn what_does_not_end_with_a_record_tells_nothing() {
        let packets: Vec<u8> = (1..=5).flat_map(|at| record(at, &[0xab; 60])).collect();
        let cut = packets.get(..packets.len() - 1).unwrap_or(&[]);
        assert_eq!(last(cut, true, 1_000), None);
        assert_eq!(last(&[], true, 1_000), None);
        assert_eq!(last_time(Path::new("captures/demo.pcapng")), None);
        assert_eq!(last_time(Path::new("captures/none")), None);
    }
}
