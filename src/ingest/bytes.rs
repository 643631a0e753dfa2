//! Numbers and options of pcapng in either byte order.

/// Order of the bytes of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// Least significant first.
    #[default]
    Little,
    /// Most significant first.
    Big,
}

impl Order {
    /// Two bytes at `at`.
    pub(super) fn half(self, bytes: &[u8], at: usize) -> Option<u16> {
        let two = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(two),
            Self::Big => u16::from_be_bytes(two),
        })
    }

    /// Four bytes at `at`.
    pub(super) fn word(self, bytes: &[u8], at: usize) -> Option<u32> {
        let four = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(four),
            Self::Big => u32::from_be_bytes(four),
        })
    }

    /// Eight bytes at `at`.
    pub(super) fn long(self, bytes: &[u8], at: usize) -> Option<u64> {
        let eight = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u64::from_le_bytes(eight),
            Self::Big => u64::from_be_bytes(eight),
        })
    }
}

/// The options of a block as (code, value), up to the end marker or the first that does not fit.
pub(super) fn options(mut bytes: &[u8], order: Order) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let code = order.half(bytes, 0).filter(|code| *code != 0)?;
        let length = usize::from(order.half(bytes, 2)?);
        let value = bytes.get(4..)?.get(..length)?;
        bytes = bytes.get(4 + length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((code, value))
    })
}
