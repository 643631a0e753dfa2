//! Where a message body ends (RFC 9112 sections 6 and 7), without keeping it.

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks up to an empty one, then trailers.
    Chunked,
    /// Up to the sender's FIN.
    UntilClose,
}

/// Follows one body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decoder {
    Length(u64),
    UntilClose,
    Chunked(Chunked),
}

/// Place in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunked {
    /// In the line with a chunk's size; digits so far, and whether an extension or the CR has begun.
    Size { size: u64, digits: u8, tail: bool },
    /// In a chunk's data.
    Data(u64),
    /// Between a chunk's data and the next size.
    DataEnd,
    /// In the trailers; is the current line empty so far?
    Trailer { empty: bool },
}

/// What became of a run of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The body goes on.
    Inside,
    /// The body ended.
    Ended,
    /// The framing contradicts itself.
    Broken,
}

const SIZE_BEGINS: Chunked = Chunked::Size {
    size: 0,
    digits: 0,
    tail: false,
};

impl Decoder {
    /// A decoder for a framing; `None` where the body is empty.
    pub(super) fn new(framing: Framing) -> Option<Self> {
        match framing {
            Framing::None | Framing::Length(0) => None,
            Framing::Length(length) => Some(Self::Length(length)),
            Framing::Chunked => Some(Self::Chunked(SIZE_BEGINS)),
            Framing::UntilClose => Some(Self::UntilClose),
        }
    }

    /// Consumes body bytes and hands runs of data to `data`. Returns the bytes used and what became of the body.
    pub(super) fn take(&mut self, bytes: &[u8], data: &mut dyn FnMut(&[u8])) -> (usize, Outcome) {
        match self {
            Self::UntilClose => {
                data(bytes);
                (bytes.len(), Outcome::Inside)
            }
            Self::Length(left) => {
                let used = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                data(bytes.get(..used).unwrap_or(&[]));
                *left = left.saturating_sub(used as u64);
                (
                    used,
                    if *left == 0 {
                        Outcome::Ended
                    } else {
                        Outcome::Inside
                    },
                )
            }
            Self::Chunked(state) => chunked(state, bytes, data),
        }
    }

    /// Steps over bytes that were not captured: how many of them belong to this body, and what became of it.
    pub(super) fn skip(&mut self, missing: u64) -> (u64, Outcome) {
        match self {
            Self::UntilClose => (missing, Outcome::Inside),
            Self::Length(left) => {
                let skipped = missing.min(*left);
                *left = left.saturating_sub(skipped);
                (
                    skipped,
                    if *left == 0 {
                        Outcome::Ended
                    } else {
                        Outcome::Inside
                    },
                )
            }
            Self::Chunked(state) => match *state {
                Chunked::Data(left) if missing <= left => {
                    *state = data_or_end(left.saturating_sub(missing));
                    (missing, Outcome::Inside)
                }
                _ => (missing, Outcome::Broken),
            },
        }
    }
}

fn data_or_end(left: u64) -> Chunked {
    if left == 0 {
        Chunked::DataEnd
    } else {
        Chunked::Data(left)
    }
}

fn chunked(state: &mut Chunked, bytes: &[u8], data: &mut dyn FnMut(&[u8])) -> (usize, Outcome) {
    let mut used = 0_usize;
    while let Some(&byte) = bytes.get(used) {
        if let Chunked::Data(left) = *state {
            let rest = bytes.get(used..).unwrap_or(&[]);
            let run = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
            data(rest.get(..run).unwrap_or(&[]));
            used = used.saturating_add(run);
            *state = data_or_end(left.saturating_sub(run as u64));
            continue;
        }
        used = used.saturating_add(1);
        match framing_byte(*state, byte) {
            Some(Some(next)) => *state = next,
            Some(None) => return (used, Outcome::Ended),
            None => return (used, Outcome::Broken),
        }
    }
    (used, Outcome::Inside)
}

/// The state after one byte of chunk framing: `Some(None)` at the end, `None` where the byte cannot stand there.
fn framing_byte(state: Chunked, byte: u8) -> Option<Option<Chunked>> {
    let next = match (state, byte) {
        (
            Chunked::Size {
                size, digits: 1.., ..
            },
            b'\n',
        ) => {
            if size == 0 {
                Chunked::Trailer { empty: true }
            } else {
                Chunked::Data(size)
            }
        }
        // RFC 9112 7.1.1: extensions and stray blanks after the size mean nothing here.
        (
            Chunked::Size {
                size,
                digits,
                tail: true,
            },
            _,
        ) if digits > 0 => Chunked::Size {
            size,
            digits,
            tail: true,
        },
        (Chunked::Size { size, digits, .. }, b';' | b'\r' | b' ' | b'\t') if digits > 0 => {
            Chunked::Size {
                size,
                digits,
                tail: true,
            }
        }
        (
            Chunked::Size {
                size,
                digits,
                tail: false,
            },
            _,
        ) => {
            let digit = u64::from(char::from(byte).to_digit(16)?);
            let size = size.checked_mul(16)?.checked_add(digit)?;
            Chunked::Size {
                size,
                digits: digits.saturating_add(1),
                tail: false,
            }
        }
        (Chunked::DataEnd, b'\r') => Chunked::DataEnd,
        (Chunked::DataEnd, b'\n') => SIZE_BEGINS,
        (Chunked::Trailer { empty: true }, b'\n') => return Some(None),
        (Chunked::Trailer { empty }, b'\r') => Chunked::Trailer { empty },
        (Chunked::Trailer { .. }, b'\n') => Chunked::Trailer { empty: true },
        (Chunked::Trailer { .. }, _) => Chunked::Trailer { empty: false },
        _ => return None,
    };
    Some(Some(next))
}
