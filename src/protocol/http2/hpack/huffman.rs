//! The Huffman code of HPACK (RFC 7541 5.2 and appendix B). It is canonical: the lengths of its codes are the whole code.

/// Length of the code of each byte, and of the end of string (RFC 7541 B).
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
/// Longest code.
const LONGEST: usize = 30;
/// How many codes there are of each length.
const COUNTS: [u16; LONGEST + 1] = counts();
/// The symbols by length, then by value: the order of their codes.
const SYMBOLS: [u16; 257] = symbols();

#[allow(clippy::indexing_slicing, reason = "computed by the compiler")]
const fn counts() -> [u16; LONGEST + 1] {
    let mut counts = [0; LONGEST + 1];
    let mut symbol = 0;
    while symbol < LENGTHS.len() {
        counts[LENGTHS[symbol] as usize] += 1;
        symbol += 1;
    }
    counts
}

#[allow(clippy::indexing_slicing, reason = "computed by the compiler")]
const fn symbols() -> [u16; 257] {
    let mut symbols = [0; 257];
    let (mut place, mut length) = (0, 1);
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                symbols[place] = symbol as u16;
                place += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    symbols
}

/// Appends what `bytes` say to `text`; false if they are no code, or their end is no padding.
pub(super) fn decode(bytes: &[u8], text: &mut Vec<u8>) -> bool {
    let (mut code, mut first, mut place, mut length) = (0_u32, 0_u32, 0_u32, 0_usize);
    let mut ones = true;
    for byte in bytes {
        for shift in (0..8).rev() {
            let bit = u32::from(byte >> shift & 1);
            ones &= bit == 1;
            code |= bit;
            length += 1;
            let Some(count) = COUNTS.get(length).copied().map(u32::from) else {
                return false;
            };
            if code < first + count {
                let symbol = SYMBOLS.get((place + code - first) as usize);
                match symbol.copied().map(u8::try_from) {
                    Some(Ok(byte)) => text.push(byte),
                    _ => return false,
                }
                (code, first, place, length, ones) = (0, 0, 0, 0, true);
                continue;
            }
            place += count;
            first = (first + count) << 1;
            code <<= 1;
        }
    }
    // RFC 7541 5.2: less than a byte of padding, all ones.
    length < 8 && ones
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &[u8], text: Option<&str>) {
        let mut said = Vec::new();
        let well = decode(code, &mut said);
        assert_eq!(
            well.then_some(said),
            text.map(|text| text.as_bytes().to_vec())
        );
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        // RFC 7541 C.4.1, C.4.2 and C.6.1.
        check(
            &[
                0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
            ],
            Some("www.example.com"),
        );
        check(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], Some("no-cache"));
        check(&[0x64, 0x02], Some("302"));
        check(&[], Some(""));
    }

    #[test]
    fn what_is_no_code_is_refused() {
        // Padding of zeros, padding of a whole byte, and the end of string itself.
        check(&[0x1f], Some("a"));
        check(&[0x1e], None);
        check(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf, 0xff], None);
        check(&[0xff, 0xff, 0xff, 0xff], None);
    }
}
