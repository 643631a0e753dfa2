//! Header compression of HTTP/2 (RFC 7541), for a reader that may have come late.
//!
//! The table of what was said before is known from the connection's first byte on, or else only as far as it was heard:
//! after a hole, and when joining in the middle, what is asked of older entries is *unknown*, never wrong. Indices count
//! from the newest entry, so that what was heard since stays right. Keeps at most `TABLE_MAX` bytes of a direction.

mod fixed;
mod huffman;

use std::collections::VecDeque;

/// Most that is kept of a table; a sender that is allowed more has its oldest entries unknown.
const TABLE_MAX: usize = 16 * 1024;
/// What a table may hold until the sender says otherwise (RFC 9113 6.5.2).
const TABLE_DEFAULT: usize = 4_096;
/// What an entry takes beside its name and value (RFC 7541 4.1).
const ENTRY: usize = 32;
/// Fields of one block.
const FIELDS_MAX: usize = 1_024;

/// The block is not what it claims: what follows cannot be read by this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad;

/// A name or a value; `None` where it is not known.
pub type Part<'a> = Option<&'a [u8]>;

/// Name and value; what an unknown entry says is unknown.
type Entry = (Option<Box<[u8]>>, Option<Box<[u8]>>);

/// The table of one direction.
#[derive(Debug)]
pub struct Decoder {
    /// The newest first.
    entries: VecDeque<Entry>,
    bytes: usize,
    max: usize,
    /// There may be older entries that were not heard.
    older: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            max: TABLE_DEFAULT,
            older: false,
        }
    }
}

impl Decoder {
    /// Something was not heard: what the table held is unknown from here on.
    pub fn lose(&mut self) {
        self.entries.clear();
        self.bytes = 0;
        self.older = true;
        // The size may have been changed in the hole: larger keeps more, and indices count from the newest.
        self.max = TABLE_MAX;
    }

    /// Reads a whole block: each field's name and value, `None` where it is not known.
    pub fn decode(
        &mut self,
        block: &[u8],
        take: &mut dyn FnMut(Part<'_>, Part<'_>),
    ) -> Result<(), Bad> {
        let mut rest = block;
        for _ in 0..FIELDS_MAX {
            let Some(&first) = rest.first() else {
                return Ok(());
            };
            match first {
                0x80.. => {
                    let index = number(&mut rest, 7)?;
                    let (name, value) = self.entry(index)?;
                    take(name, value);
                }
                0x20..0x40 => {
                    let size = number(&mut rest, 5)?;
                    self.resize(size);
                }
                _ => {
                    let remember = first & 0x40 != 0;
                    let entry = self.literal(&mut rest, if remember { 6 } else { 4 })?;
                    take(entry.0.as_deref(), entry.1.as_deref());
                    if remember {
                        self.remember(entry);
                    }
                }
            }
        }
        Err(Bad)
    }

    /// A field said in full, its name perhaps by index (RFC 7541 6.2).
    fn literal(&self, rest: &mut &[u8], bits: u8) -> Result<Entry, Bad> {
        let index = number(rest, bits)?;
        let name = if index == 0 {
            Some(string(rest)?)
        } else {
            self.entry(index)?.0.map(Box::from)
        };
        Ok((name, Some(string(rest)?)))
    }

    fn entry(&self, index: usize) -> Result<(Part<'_>, Part<'_>), Bad> {
        let place = index.checked_sub(1).ok_or(Bad)?;
        if let Some((name, value)) = fixed::FIELDS.get(place) {
            return Ok((Some(name.as_bytes()), Some(value.as_bytes())));
        }
        match self.entries.get(place - fixed::FIELDS.len()) {
            Some((name, value)) => Ok((name.as_deref(), value.as_deref())),
            None if self.older => Ok((None, None)),
            None => Err(Bad),
        }
    }

    fn remember(&mut self, entry: Entry) {
        self.bytes += size(&entry);
        self.entries.push_front(entry);
        self.evict();
    }

    fn resize(&mut self, max: usize) {
        self.older |= max > TABLE_MAX;
        self.max = max.min(TABLE_MAX);
        self.evict();
    }

    fn evict(&mut self) {
        while self.bytes > self.max {
            let Some(oldest) = self.entries.pop_back() else {
                self.bytes = 0;
                return;
            };
            self.bytes = self.bytes.saturating_sub(size(&oldest));
        }
    }
}

fn size((name, value): &Entry) -> usize {
    let len = |text: &Option<Box<[u8]>>| text.as_ref().map_or(0, |text| text.len());
    ENTRY + len(name) + len(value)
}

/// A number whose first bits share a byte with others (RFC 7541 5.1).
fn number(rest: &mut &[u8], bits: u8) -> Result<usize, Bad> {
    let (&first, mut later) = rest.split_first().ok_or(Bad)?;
    let most = (1_usize << bits) - 1;
    let mut value = usize::from(first) & most;
    if value == most {
        let mut shift = 0;
        loop {
            let (&byte, after) = later.split_first().ok_or(Bad)?;
            later = after;
            // Nothing on the wire needs more than four of them.
            if shift > 21 {
                return Err(Bad);
            }
            value += usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *rest = later;
    Ok(value)
}

/// A text, plain or by Huffman's code (RFC 7541 5.2).
fn string(rest: &mut &[u8]) -> Result<Box<[u8]>, Bad> {
    let coded = rest.first().ok_or(Bad)? & 0x80 != 0;
    let len = number(rest, 7)?;
    let (text, later) = rest.split_at_checked(len).ok_or(Bad)?;
    *rest = later;
    if !coded {
        return Ok(text.into());
    }
    let mut plain = Vec::with_capacity(text.len() + text.len() / 2);
    if huffman::decode(text, &mut plain) {
        Ok(plain.into())
    } else {
        Err(Bad)
    }
}

#[cfg(test)]
mod tests;
